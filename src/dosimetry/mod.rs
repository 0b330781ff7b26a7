//! Results derived from a dose: the organ table and the dose-volume histogram.

pub mod dvh;
pub mod noise;
pub mod organs;

pub use crate::domain::LabelMap;
pub use dvh::{CumulativeHistogram, DoseDistribution};
pub use noise::{NoiseShift, NoisyVoxel};
pub use organs::{OrganDose, organ_doses, organ_histograms};
