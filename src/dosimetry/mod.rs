//! What follows from a dose: organ table and dose-volume histogram.

pub mod dvh;
pub mod organs;

pub use crate::domain::LabelMap;
pub use dvh::{CumulativeHistogram, DoseDistribution};
pub use organs::{OrganDose, organ_doses};
