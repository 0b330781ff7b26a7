//! Results derived from a dose: the organ table and the dose-volume histogram.

pub mod dvh;
pub mod noise;
pub mod organ_dose;
pub mod organs;
mod rising;

pub use crate::domain::LabelMap;
pub use dvh::{CumulativeHistogram, DoseDistribution};
pub use noise::{NoiseShift, NoisyVoxel};
pub use organ_dose::OrganDose;
pub use organs::{organ_distributions, organ_doses, organ_histograms};
