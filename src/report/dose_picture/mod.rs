//! The picture of a dose: sections with isodose lines over the CT, and dose-volume histograms.

mod isodose;
mod panel;
mod scale;
mod section;

use super::canvas::{self, Canvas};
use super::dose_volume::{DoseCurve, dose_volume_histogram};
use super::figure::Style;
use super::palette;
use super::text::{Look, write};
use crate::domain::{DoseError, Volume};

use panel::Panel;
use scale::DoseScale;
use section::{Plane, Window};

/// Size of the finished picture in pixels.
pub const SIZE: [u32; 2] = [1760, 1016];

/// Doses of the isodose lines [Gy], each in its colour of [`palette::ISODOSES`].
const ISODOSES_GY: [f64; palette::ISODOSES.len()] = [1.0, 2.0, 5.0, 10.0, 20.0];

/// Pixels of the finished picture for one centimetre of the patient.
const PIXELS_PER_CM: f64 = 17.0;
/// Size of what is shown of the patient [cm]: left to right, front to back, feet to head.
const FIELD_CM: [f64; 3] = [43.0, 23.0, 46.0];
/// Upper left corners of the panels.
const AXIAL_AT: [u32; 2] = [48, 122];
const CORONAL_AT: [u32; 2] = [831, 122];
const SCALE_AT: [u32; 2] = [1604, 134];
const HISTOGRAM_AT: [u32; 2] = [28, 560];
const HISTOGRAM_SIZE: [u32; 2] = [764, 396];

/// What to draw.
pub struct DosePicture<'a> {
    /// CT numbers [HU], on a grid whose axes run to the patient's left, back and head.
    pub ct: &'a Volume<f32>,
    /// Absorbed dose on the same grid [Gy].
    pub dose: &'a Volume<f32>,
    /// Index of the axial slice (along z) and of the coronal one (along y).
    pub slices: [usize; 2],
    /// Regions whose dose-volume histograms are drawn, in the order of the legend.
    pub regions: &'a [DoseCurve],
    /// The first line of the picture.
    pub title: &'a str,
    /// The line below it.
    pub subtitle: &'a str,
    /// The line at the foot.
    pub caption: &'a str,
}

impl DosePicture<'_> {
    /// The picture as the bytes of a PNG of [`SIZE`].
    ///
    /// # Errors
    /// If it cannot be drawn or encoded.
    pub fn png(&self) -> Result<Vec<u8>, DoseError> {
        let panels = self.panels();
        let mut canvas = Canvas::new(SIZE[0], SIZE[1]);
        let dose_scale = DoseScale::up_to(panels.iter().map(Panel::highest_gy).fold(0.0, f64::max));
        panels.iter().for_each(|panel| panel.paint(&mut canvas, dose_scale));
        scale::paint(&mut canvas, SCALE_AT);
        {
            let area = canvas.area();
            panels.iter().try_for_each(|panel| panel.annotate(&area))?;
            scale::annotate(&area, dose_scale, SCALE_AT)?;
            let [at, size] = [HISTOGRAM_AT, HISTOGRAM_SIZE]
                .map(|pixels| pixels.map(|n| (n * canvas::OVERSAMPLING).cast_signed()))
                .map(|[x, y]| (x, y));
            let style = Style { scale: canvas::OVERSAMPLING, text: 17.0, stroke: 2.5 };
            dose_volume_histogram(self.regions).draw(&area.clone().shrink(at, size), style)?;
            write(&area, self.title, [48.0, 38.0], Look::new(31.0, palette::INK))?;
            write(&area, self.subtitle, [48.0, 74.0], Look::new(19.0, palette::FAINT))?;
            write(&area, self.caption, [48.0, f64::from(SIZE[1]) - 34.0], Look::new(16.0, palette::FAINT))?;
        }
        canvas.into_png()
    }

    /// The two sections, resampled.
    fn panels(&self) -> [Panel; 2] {
        let [axial, coronal] = self.slices;
        let window = |plane, slice, height_cm: f64| {
            let size_cm = [FIELD_CM[0], height_cm];
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred pixels")]
            let pixels = size_cm.map(|cm| (cm * PIXELS_PER_CM) as usize * canvas::OVERSAMPLING as usize);
            Window { plane, slice, size_mm: size_cm.map(|cm| cm * 10.0), pixels }
        };
        let [_, ny, nz] = self.ct.grid().shape();
        [
            (AXIAL_AT, window(Plane::Axial, axial, FIELD_CM[1]), format!("Axial, slice {} of {nz}", axial + 1)),
            (
                CORONAL_AT,
                window(Plane::Coronal, coronal, FIELD_CM[2]),
                format!("Coronal, slice {} of {ny}", coronal + 1),
            ),
        ]
        .map(|(at, window, title)| Panel::new(self.ct, self.dose, window, at, title))
    }
}
