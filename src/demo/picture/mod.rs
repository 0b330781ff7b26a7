//! The picture of a dose: sections with isodose lines, dose-volume histograms.

pub(crate) mod canvas;
mod chart;
mod colour;
mod isodose;
mod panel;
mod section;
pub(crate) mod text;

use crate::domain::{DoseError, Volume};
use crate::dosimetry::DoseDistribution;

use canvas::Canvas;
use panel::Panel;
use section::{Plane, Window};

/// Size of the finished picture in pixels.
pub const SIZE: [u32; 2] = [1760, 1016];

/// Isodose lines: dose [Gy] and colour.
const ISODOSES: [(f64, [u8; 3]); 5] = [
    (1.0, [90, 160, 255]),
    (2.0, [0, 225, 225]),
    (5.0, [90, 240, 100]),
    (10.0, [255, 255, 255]),
    (20.0, [255, 110, 220]),
];

/// Upper end of the colour scale [Gy]; higher doses have the last colour.
const SCALE_TOP_GY: f64 = 10.0;

/// Pixels of the finished picture for one centimetre of the patient.
const PIXELS_PER_CM: f64 = 17.0;
/// Part of the patient that is shown [cm]: left to right, front to back, feet to head.
const FIELD_CM: [f64; 3] = [43.0, 23.0, 46.0];
/// Corners of the panels, from the upper left of the picture.
const AXIAL_AT: [u32; 2] = [48, 122];
const CORONAL_AT: [u32; 2] = [831, 122];
const SCALE_AT: [u32; 2] = [1604, 134];
const HISTOGRAM_AT: [u32; 2] = [40, 560];
const HISTOGRAM_SIZE: [u32; 2] = [752, 396];

/// What to draw.
pub struct Picture<'a> {
    /// CT numbers [HU], on a grid whose axes run to the patient's left, back and head.
    pub ct: &'a Volume<f32>,
    /// Absorbed dose on the same grid [Gy].
    pub dose: &'a Volume<f32>,
    /// Index of the axial slice (along z) and of the coronal one (along y).
    pub slices: [usize; 2],
    /// Regions whose dose-volume histograms are drawn, in the order of the legend.
    pub regions: &'a [Curve],
    /// The first line of the picture.
    pub title: &'a str,
    /// The line below it.
    pub subtitle: &'a str,
    /// The line at the foot.
    pub caption: &'a str,
}

/// The dose-volume histogram of one region.
pub struct Curve {
    /// Name in the legend.
    pub name: String,
    /// Dose in its voxels.
    pub distribution: DoseDistribution,
    /// How it is drawn.
    pub line: Line,
}

/// How a curve is drawn: organs and tumours must be told apart at a glance, without colour too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// An organ.
    Solid,
    /// A tumour.
    Dashed,
}

impl Picture<'_> {
    /// The picture as the bytes of a PNG of [`SIZE`].
    ///
    /// # Errors
    /// If it cannot be drawn or encoded.
    pub fn into_png(self) -> Result<Vec<u8>, DoseError> {
        let [axial, coronal] = self.slices;
        let field = |plane, slice, height_cm: f64, title: String| {
            let size_cm = [FIELD_CM[0], height_cm];
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred pixels")]
            let pixels = size_cm.map(|cm| (cm * PIXELS_PER_CM) as usize * canvas::OVERSAMPLING as usize);
            (Window { plane, slice, size_mm: size_cm.map(|cm| cm * 10.0), pixels }, title)
        };
        let [_, ny, nz] = self.ct.grid().shape();
        let panels = [
            (AXIAL_AT, field(Plane::Axial, axial, FIELD_CM[1], format!("Axial, slice {} of {nz}", axial + 1))),
            (
                CORONAL_AT,
                field(Plane::Coronal, coronal, FIELD_CM[2], format!("Coronal, slice {} of {ny}", coronal + 1)),
            ),
        ]
        .map(|(at, (window, title))| Panel::new(self.ct, self.dose, window, at, title));

        let mut canvas = Canvas::new(SIZE[0], SIZE[1]);
        panels.iter().for_each(|panel| panel.paint(&mut canvas));
        panel::paint_scale(&mut canvas, SCALE_AT);
        {
            let area = canvas.area();
            panels.iter().try_for_each(|panel| panel.annotate(&area))?;
            panel::annotate_scale(&area, SCALE_AT)?;
            chart::draw(&area, HISTOGRAM_AT, HISTOGRAM_SIZE, self.regions)?;
            text::heading(&area, self.title, self.subtitle)?;
            text::caption(&area, self.caption)?;
        }
        canvas.into_png()
    }
}

/// A failure of the drawing library, which draws into memory.
fn cannot_draw(error: impl std::fmt::Display) -> DoseError {
    DoseError::Io(format!("the picture cannot be drawn: {error}"))
}
