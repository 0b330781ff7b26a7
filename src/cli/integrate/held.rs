//! What maps over time hold, and what their integral is.

use serde_json::{Value, json};

use crate::clinic::voxels::KindCount;

/// The file of the standard deviation of time-integrated activity.
pub(in crate::cli) const TIA_SIGMA: &str = "tia_sigma.nii.gz";
/// The file of what became of each voxel.
pub(in crate::cli) const KINDS: &str = "kinds.nii.gz";
/// Bq·s in a MBq·h.
const BQ_S_PER_MBQ_H: f64 = 3.6e9;

/// What maps hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) enum Held {
    /// Activity [MBq]: its integral is time-integrated activity [MBq·h], and Bq·s in a map.
    #[default]
    Activity,
    /// Absorbed dose-rate [Gy/h]: its integral is absorbed dose [Gy].
    DoseRate,
}

impl Held {
    /// What a unit of the integral is in a map.
    pub(super) fn in_a_map(self) -> f64 {
        match self {
            Self::Activity => BQ_S_PER_MBQ_H,
            Self::DoseRate => 1.0,
        }
    }

    /// The files of the integral and of its standard deviation, and what they say of themselves.
    pub(super) fn files(self) -> [(&'static str, &'static str); 2] {
        match self {
            Self::Activity => [
                ("tia.nii.gz", "dosegrid integrate: Bq s a voxel"),
                (TIA_SIGMA, "dosegrid integrate: 1 sigma of the integral, Bq s a voxel"),
            ],
            Self::DoseRate => [
                ("dose.nii.gz", "dosegrid integrate: absorbed dose, Gy"),
                ("dose_sigma.nii.gz", "dosegrid integrate: 1 sigma of the absorbed dose, Gy"),
            ],
        }
    }

    /// The total of a map and its name in JSON; none of doses, whose sum means nothing.
    pub(super) fn total(self, map: &[f32]) -> Option<(&'static str, f64)> {
        let sum = || map.iter().copied().map(f64::from).sum::<f64>();
        (self == Self::Activity).then(|| ("map_tia_mbq_h", sum() / BQ_S_PER_MBQ_H))
    }

    /// How many voxels are of a kind, as JSON.
    pub(super) fn count(self, count: &KindCount) -> Value {
        match self {
            Self::Activity => json!(count),
            Self::DoseRate => json!({ "kind": count.kind, "voxels": count.voxels }),
        }
    }

    /// The same in words.
    pub(super) fn count_in_words(self, count: &KindCount) -> String {
        let KindCount { kind, voxels, tia_mbq_h, fraction } = count;
        let voxels = format!("{kind:<48}{voxels:>12} voxels");
        match self {
            Self::Activity => format!("{voxels}{tia_mbq_h:>16.5} MBq·h{:>8.2} %", 100.0 * fraction),
            Self::DoseRate => voxels,
        }
    }
}
