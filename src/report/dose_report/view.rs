//! The voxels that the page shows: turned upright, cropped to the body, binned where they are many, and quantised.

mod cut;

use std::io::Write as _;
use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use self::cut::Cut;
use super::{DoseReport, Language, embedded};
use crate::domain::{DoseError, Invalid, Volume, VoxelGrid};
use crate::report::cannot_draw;
use crate::report::numbers::{DIGITS, significant};
use crate::report::palette::{self, Colour};
use crate::resample::{reorder, upright};

/// Grey levels for 1 g/cm³.
const LEVELS_PER_G_CM3: f32 = 100.0;
/// Words that the script writes.
pub(super) const WORDS: [&str; 6] = ["dose", "density", "organ", "position", "axis_dose", "slice"];
/// Isodose lines that are shown at first, as parts of the round number below the largest dose.
const FIRST_ISODOSES: [f64; palette::ISODOSES.len()] = [0.05, 0.1, 0.2, 0.5, 1.0];

/// Voxels to be shown; axes run to the patient's left, back and head.
pub(super) struct View {
    shape: [usize; 3],
    spacing_mm: [f64; 3],
    /// Whether some of the grid is not shown.
    is_cropped: bool,
    /// Largest dose of the grid [Gy].
    peak_gy: f64,
    /// Of 65,535 parts of the largest dose.
    dose: Vec<u16>,
    density: Option<Vec<u8>>,
    /// 0 is none, else the number of an organ, counted from 1.
    labels: Option<Vec<u8>>,
    names: Vec<String>,
}

impl View {
    pub(super) fn new(report: &DoseReport) -> Result<Self, DoseError> {
        let own = report.result.dose.grid();
        let grid = Arc::new(upright(own).map_err(lost)?);
        let lay =
            |volume: &Volume<f32>| reorder(volume, &grid).ok_or_else(|| lost(Invalid::new("its axes have no order")));
        let dose = lay(&report.result.dose)?;
        let density = report.density.map(lay).transpose()?;
        let cut = Cut::around(&dose, density.as_ref());
        let peak_gy = f64::from(dose.as_slice().iter().copied().fold(0.0, f32::max));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to the largest word")]
        let part = |gy: f32| (f64::from(gy) / peak_gy * f64::from(u16::MAX)).round() as u16;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
        let level = |g_cm3: f32| (g_cm3 * LEVELS_PER_G_CM3).round().clamp(0.0, 255.0) as u8;
        let (labels, names) = labels(report, own, &grid);
        Ok(Self {
            shape: cut.shape,
            spacing_mm: [0, 1, 2].map(|axis| grid.spacing_mm()[axis] * cut.bin[axis] as f64),
            is_cropped: cut.is_cropped(),
            peak_gy,
            dose: cut.means(&dose).into_iter().map(part).collect(),
            density: density.map(|density| cut.means(&density).into_iter().map(level).collect()),
            labels: labels.map(|labels| cut.middles(&labels)),
            names,
        })
    }

    /// What is shown, in words.
    pub(super) fn words(&self, language: Language) -> String {
        let ([nx, ny, nz], [dx, dy, dz]) = (self.shape, self.spacing_mm.map(|mm| significant(mm, DIGITS)));
        let cropped = if self.is_cropped { format!("; {}", language.word("cropped")) } else { String::new() };
        format!("{}: {nx} × {ny} × {nz}, {dx} × {dy} × {dz} mm{cropped}", language.word("shown_as"))
    }

    /// What the script is told.
    pub(super) fn json(&self, language: Language) -> Result<String, DoseError> {
        let css = |colours: &[Colour]| colours.iter().map(|colour| colour.css()).collect::<Vec<String>>();
        let words: serde_json::Map<String, serde_json::Value> =
            WORDS.iter().map(|key| ((*key).to_owned(), json!(language.word(key)))).collect();
        let dose: Vec<u8> = self.dose.iter().flat_map(|part| part.to_le_bytes()).collect();
        let round = round_below(self.peak_gy);
        embedded(&json!({
            "shape": self.shape,
            "spacing_mm": self.spacing_mm,
            "peak_gy": self.peak_gy,
            "isodoses_gy": FIRST_ISODOSES.map(|part| format!("{:.0e}", part * round).parse::<f64>().expect("a number")),
            "at": self.hottest(),
            "dose": packed(&dose)?,
            "density": self.density.as_deref().map(packed).transpose()?,
            "labels": self.labels.as_deref().map(packed).transpose()?,
            "names": self.names,
            "words": words,
            "dose_colours": css(&palette::INFERNO),
            "line_colours": css(&palette::ISODOSES),
            "ink": palette::INK.css(),
            "grid": palette::GRID.css(),
            "series": palette::series(0).css(),
        }))
    }

    /// The voxel with the largest dose, where the view begins.
    fn hottest(&self) -> [usize; 3] {
        let [nx, ny, _] = self.shape;
        let most = self.dose.iter().copied().max().unwrap_or(0);
        let index = self.dose.iter().position(|&part| part == most).unwrap_or(0);
        [index % nx, index / nx % ny, index / (nx * ny)]
    }
}

fn lost(Invalid(reason): Invalid) -> DoseError {
    DoseError::Internal(format!("the report cannot show the grid: {reason}"))
}

/// A number for the organ of each voxel, and the organs' names; none if there are too many.
fn labels(report: &DoseReport, own: &VoxelGrid, grid: &Arc<VoxelGrid>) -> (Option<Volume<u8>>, Vec<String>) {
    let given = report.organs.filter(|organs| own.check_same(organs.organs.grid()).is_ok());
    let Some(organs) = given.filter(|organs| organs.doses.len() <= usize::from(u8::MAX)) else {
        return (None, Vec::new());
    };
    let mut number_of = vec![0; usize::from(u16::MAX) + 1];
    organs.doses.iter().zip(1..=u8::MAX).for_each(|(organ, number)| number_of[usize::from(organ.label)] = number);
    let map = organs.organs.label_map().labels().map(|&label| number_of[usize::from(label)]);
    (reorder(&map, grid), organs.doses.iter().map(|organ| organ.name.clone()).collect())
}

/// The largest of 1, 2 and 5 times a power of ten that is not above a dose; 1 for no dose.
fn round_below(gy: f64) -> f64 {
    if gy <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(gy.log10().floor());
    [5.0, 2.0].into_iter().map(|digit| digit * power).find(|round| *round <= gy).unwrap_or(power)
}

/// Bytes as text: gzip, then base64.
fn packed(bytes: &[u8]) -> Result<String, DoseError> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(bytes).map_err(cannot_draw)?;
    Ok(STANDARD.encode(packer.finish().map_err(cannot_draw)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn isodoses_begin_at_round_numbers() {
        for (gy, round) in [(43.3, 20.0), (5.0, 5.0), (0.019, 0.01), (199.0, 100.0), (0.0, 1.0)] {
            assert!((round_below(gy) - round).abs() < 1e-12, "{gy}");
        }
    }
}
