//! What a person looks at: figures, pictures and pages, all drawn with one palette and one font.
//!
//! * [`Figure`]: axes, series and bands, as SVG or in a PNG. [`Sheet`] puts several under one title.
//! * [`DosePicture`]: sections of a dose over a CT, with isodose lines and dose-volume histograms.
//! * [`dose_report`]: the report of a dose, one HTML page to file.
//! * [`cohort_page`]: spreads of many studies.
//! * [`page`]: HTML pages that need no other file, from the templates in `templates/`.
//!
//! Sizes are in pixels of the finished picture. Pictures are drawn larger and averaged down (`canvas::OVERSAMPLING`).

mod axis;
mod canvas;
pub mod cohort_page;
pub mod dose_picture;
pub mod dose_report;
mod dose_volume;
mod figure;
mod legend;
pub mod numbers;
pub mod page;
pub mod palette;
mod series;
mod sheet;
pub mod summary_page;
mod text;
mod time_activity;

use crate::domain::DoseError;

pub use axis::{Axis, Scale};
pub use dose_picture::DosePicture;
pub use dose_volume::{DoseCurve, dose_volume_histogram};
pub use figure::{Band, Figure};
pub use series::{Mark, Series};
pub use sheet::Sheet;
pub use summary_page::SummaryPage;
pub use time_activity::time_activity;

/// A failure of the drawing library, which draws into memory.
fn cannot_draw(error: impl std::fmt::Display) -> DoseError {
    DoseError::Io(format!("the picture cannot be drawn: {error}"))
}
