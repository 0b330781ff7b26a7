//! The page of a dose as a picture: what an archive that takes no HTML can show.

use super::canvas::{Canvas, OVERSAMPLING};
use super::dose_volume::of_histograms;
use super::figure::Style;
use super::numbers::{DIGITS, DoseUnit, significant};
use super::palette;
use super::text::{Look, write};
use crate::domain::activity_account::activity_words;
use crate::domain::{DoseError, DoseResult, Warning};
use crate::dosimetry::{CumulativeHistogram, OrganDose};

/// Width and height [pixels]: A4 at 150 to the inch.
pub const SIZE: [u32; 2] = [1240, 1754];
/// Left edge of text, and distance of lines [pixels].
const LEFT: f64 = 60.0;
const LINE: f64 = 27.0;
/// Left edges of the columns of the organ table.
const COLUMNS: [f64; 8] = [60.0, 390.0, 510.0, 630.0, 760.0, 870.0, 980.0, 1090.0];
/// Most organs in the table and histograms in the figure.
const MOST_ORGANS: usize = 24;
/// Most warnings, and letters of each.
const MOST_WARNINGS: usize = 8;
const WARNING_LETTERS: usize = 130;
/// Height of the figure.
const FIGURE_HEIGHT: u32 = 460;

/// What the page shows. It names nobody.
pub struct SummaryPage<'a> {
    /// The dose.
    pub result: &'a DoseResult,
    /// Doses of organs; may be none.
    pub organs: &'a [OrganDose],
    /// Their histograms, likewise; may be fewer.
    pub histograms: &'a [Option<CumulativeHistogram>],
}

/// Lines from the top of a page.
struct Lines {
    y: f64,
}

impl SummaryPage<'_> {
    /// The page as the bytes of a PNG.
    ///
    /// # Errors
    /// If it cannot be drawn or encoded.
    pub fn png(&self) -> Result<Vec<u8>, DoseError> {
        self.drawn()?.into_png()
    }

    /// The page as red, green and blue of each of its [`SIZE`] pixels.
    ///
    /// # Errors
    /// If it cannot be drawn.
    pub fn rgb(&self) -> Result<Vec<u8>, DoseError> {
        Ok(self.drawn()?.into_rgb())
    }

    fn drawn(&self) -> Result<Canvas, DoseError> {
        let mut canvas = Canvas::new(SIZE[0], SIZE[1]);
        {
            let area = canvas.area();
            let mut lines = Lines { y: 60.0 };
            let title = Look::new(34.0, palette::INK);
            write(&area, "Absorbed dose", [LEFT, lines.y], title)?;
            lines.y += 1.7 * LINE;
            for (text, size) in self.facts().iter().map(|text| (text, 19.0)) {
                write(&area, text, [LEFT, lines.y], Look::new(size, palette::INK))?;
                lines.y += LINE;
            }
            lines.y += LINE;
            for row in self.table() {
                for (cell, x) in row.iter().zip(COLUMNS) {
                    write(&area, cell, [x, lines.y], Look::new(18.0, palette::INK))?;
                }
                lines.y += LINE;
            }
            let known = self.organs.iter().zip(self.histograms);
            let known: Vec<(String, CumulativeHistogram)> =
                known.filter_map(|(organ, histogram)| Some((organ.name.clone(), histogram.clone()?))).collect();
            let shown = &known[..known.len().min(palette::SERIES.len())];
            if !shown.is_empty() {
                lines.y += 0.5 * LINE;
                #[expect(clippy::cast_possible_truncation, reason = "within the page")]
                let at = ((LEFT * f64::from(OVERSAMPLING)) as i32, (lines.y * f64::from(OVERSAMPLING)) as i32);
                let size = [SIZE[0] - 120, FIGURE_HEIGHT].map(|n| (n * OVERSAMPLING).cast_signed());
                let style = Style { scale: OVERSAMPLING, text: 17.0, stroke: 2.0 };
                let figure = of_histograms(shown, ["Absorbed dose (Gy)", "Volume (%)"]);
                figure.draw(&area.clone().shrink(at, (size[0], size[1])), style)?;
                lines.y += f64::from(FIGURE_HEIGHT) + LINE;
            }
            for text in self.warnings() {
                write(&area, &text, [LEFT, lines.y], Look::new(15.0, palette::INK))?;
                lines.y += 0.8 * LINE;
            }
            let foot = "Research tool, not a medical device. A physicist verifies this dose before anybody acts on it.";
            write(&area, foot, [LEFT, f64::from(SIZE[1]) - 40.0], Look::new(16.0, palette::FAINT))?;
        }
        Ok(canvas)
    }

    fn facts(&self) -> Vec<String> {
        let DoseResult { provenance, activity, dose, .. } = self.result;
        let mut facts = vec![format!("{}, method {}", provenance.nuclide, provenance.method)];
        if let Some(bq) = activity.injected_bq {
            facts.push(format!("injected {}", activity_words(bq)));
        }
        facts.push(format!("{:.4e} decays ({:.4e} MBq·h)", activity.decays_bq_s, activity.decays_bq_s / 3.6e9));
        if let Some(account) = &provenance.monte_carlo {
            facts.push(format!("{} histories, stopped by {}", account.histories, account.stopped_by.name()));
        }
        let ([nx, ny, nz], [dx, dy, dz]) = (dose.grid().shape(), dose.grid().spacing_mm());
        facts.push(format!("{nx} × {ny} × {nz} voxels of {dx:.3} × {dy:.3} × {dz:.3} mm"));
        let most = f64::from(dose.as_slice().iter().copied().fold(0.0, f32::max));
        facts.push(format!("largest dose {}", DoseUnit::fitting(most).with_unit(most)));
        facts.push(format!(
            "dosegrid {} ({}) on {}: {}",
            provenance.version, provenance.commit, provenance.device.id, provenance.device.name
        ));
        facts
    }

    fn table(&self) -> Vec<[String; 8]> {
        if self.organs.is_empty() {
            return Vec::new();
        }
        let largest = self.organs.iter().filter_map(|organ| organ.max_gy).fold(0.0, f64::max);
        let unit = DoseUnit::fitting(largest);
        let head = ["organ", "cm³", "g", &format!("mean {unit}"), "1σ %", "D95", "D2", "Gy/GBq"].map(str::to_owned);
        let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| significant(value, DIGITS));
        let dose = |gy: Option<f64>| gy.map_or_else(|| "–".to_owned(), |gy| unit.figure(gy));
        let row = |organ: &OrganDose| {
            let sigma = organ.mean_by_mass_sigma_gy.zip(organ.mean_by_mass_gy);
            let sigma = sigma.map(|(sigma, mean)| 100.0 * sigma / mean).filter(|percent| percent.is_finite());
            [
                organ.name.chars().take(28).collect(),
                number(Some(organ.volume_cm3)),
                number(Some(organ.mass_g)),
                dose(organ.mean_by_mass_gy),
                number(sigma),
                dose(organ.d95_gy),
                dose(organ.d2_gy),
                number(organ.mean_by_mass_gy_per_injected_gbq),
            ]
        };
        let mut rows = vec![head];
        rows.extend(self.organs.iter().take(MOST_ORGANS).map(row));
        if self.organs.len() > MOST_ORGANS {
            let mut more: [String; 8] = Default::default();
            more[0] = format!("and {} more", self.organs.len() - MOST_ORGANS);
            rows.push(more);
        }
        rows
    }

    fn warnings(&self) -> Vec<String> {
        let all = &self.result.warnings;
        let words = |Warning { message, .. }: &Warning| {
            let text: String = message.chars().take(WARNING_LETTERS).collect();
            if message.chars().count() > WARNING_LETTERS { format!("! {text} …") } else { format!("! {text}") }
        };
        let mut lines: Vec<String> = all.iter().take(MOST_WARNINGS).map(words).collect();
        if all.len() > MOST_WARNINGS {
            lines.push(format!("! and {} more warnings, in the report", all.len() - MOST_WARNINGS));
        }
        lines
    }
}
