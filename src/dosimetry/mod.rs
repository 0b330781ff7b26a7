//! What follows from a dose: organ table and dose-volume histogram.

pub mod dvh;
pub mod labels;
pub mod organs;

pub use dvh::{CumulativeHistogram, DoseDistribution};
pub use labels::LabelMap;
pub use organs::{OrganDose, organ_doses};
