//! The account of a Monte Carlo transport.

use serde::{Deserialize, Serialize};

use super::{DeviceInfo, HistoryCuts};

/// Input and outcome of a transport.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MonteCarloAccount {
    /// Seed of the random numbers.
    pub seed: u64,
    /// Number of the first history.
    pub first_history: u64,
    /// Total number of histories.
    pub histories: u64,
    /// The devices that ran them, by ascending number.
    pub runs: Vec<HistoryRun>,
    /// Statistical groups; history `h` belongs to group `h mod groups`.
    pub groups: u32,
    /// SHA-256 of everything that determines the dose except the histories: maps, materials, emissions, cuts, seed. In
    /// hexadecimal.
    pub scene_sha256: String,
    /// Cuts of the transport.
    pub cuts: HistoryCuts,
    /// The emissions.
    pub emissions: EmissionAccount,
    /// How the materials of the voxels were chosen: `by-density`, `uniform` or `map`.
    pub medium: String,
    /// The materials and the number of voxels of each.
    pub materials: Vec<MaterialAccount>,
    /// Why it stopped.
    pub stopped_by: StopReason,
    /// Mean relative 1σ of the voxels in the region, or that of its mean dose; none if nothing was deposited there.
    pub relative_sigma: Option<f64>,
    /// That region: the one that was asked for. Where all regions are looked at, the one with the largest uncertainty,
    /// as `mean of label 3` if it is held to its mean; without regions, the voxels with at least a tenth of the maximum
    /// dose.
    pub sigma_region: String,
    /// The uncertainty that was to be reached; none if another rule alone was to stop the run.
    #[serde(default)]
    pub target: Option<TargetAccount>,
    /// Energy emitted by the histories, including the rest energy of positrons and of the electrons they annihilate
    /// with, but not alpha particles and recoils, whose dose is exact [MeV].
    pub emitted_mev: f64,
    /// Energy deposited in the grid, from the account of every particle [MeV].
    pub deposited_mev: f64,
    /// Energy that left the grid [MeV].
    pub escaped_mev: f64,
    /// Energy scored in the voxels, which gives the dose. It equals the energy deposited within statistics, since
    /// photons may be scored along their tracks [MeV].
    pub scored_mev: f64,
    /// Rejection loops that reached their bound and took their last draw. Left out of JSON if there are none. Messages
    /// do not carry it: a server that finds any logs a warning.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub exhausted_rejections: u64,
    /// Histories per second of transport; none for merged runs.
    pub histories_per_s: Option<f64>,
    /// Mean dose of each region, if a map of regions was given.
    pub regions: Vec<RegionDose>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks for it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A target uncertainty, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetAccount {
    /// Relative 1σ that was to be reached in each region that is looked at.
    pub relative: f64,
    /// Whether the dose has it. If not, [`MonteCarloAccount::sigma_region`] is the region that lacks most.
    pub reached: bool,
}

/// Histories run on one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRun {
    /// Number of the first.
    pub first_history: u64,
    /// Their number.
    pub histories: u64,
    /// The device.
    pub device: DeviceInfo,
    /// Version of dosegrid.
    pub version: String,
    /// Commit it was built from, or `unknown`.
    pub commit: String,
}

impl HistoryRun {
    /// One past the number of the last.
    pub fn end(&self) -> u64 {
        self.first_history.saturating_add(self.histories)
    }
}

/// Emissions per decay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmissionAccount {
    /// Whether the caller gave the spectrum; otherwise it is the nuclide's.
    pub custom: bool,
    /// SHA-256 of the spectrum, in hexadecimal.
    pub sha256: String,
    /// Mean energy of electrons [MeV per decay].
    pub electron_mev: f64,
    /// Mean kinetic energy of positrons [MeV per decay].
    pub positron_mev: f64,
    /// Mean energy of photons [MeV per decay].
    pub photon_mev: f64,
    /// Mean energy deposited at the point of decay: alpha particles and recoils [MeV per decay].
    pub local_mev: f64,
    /// Sum of these, and the rest energy of positrons and of the electrons they annihilate with [MeV per decay].
    pub released_mev: f64,
    /// Mean number of particles per decay.
    pub particles: f64,
    /// Highest energy of a particle [MeV].
    pub highest_mev: f64,
}

/// A material and the number of its voxels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaterialAccount {
    /// Its name.
    pub name: String,
    /// Source of its composition.
    pub source: String,
    /// Voxels that consist of it.
    pub voxels: u64,
}

/// Why a transport stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// The number of histories that the rule allows was reached.
    Histories,
    /// The requested uncertainty was reached.
    TargetUncertainty,
    /// The time limit was reached.
    TimeLimit,
    /// The caller interrupted the run, and keeps the histories done so far.
    Interrupted,
    /// The largest number of histories was reached before the requested uncertainty, or no number reaches it: no voxel
    /// has a dose.
    NoMoreHistories,
    /// The map has no activity.
    NoActivity,
    /// All emissions are deposited at the point of decay, and the dose is exact.
    NothingToFollow,
    /// Runs were merged.
    Merged,
}

impl StopReason {
    /// All reasons.
    pub const ALL: [Self; 8] = [
        Self::Histories,
        Self::TargetUncertainty,
        Self::TimeLimit,
        Self::Interrupted,
        Self::NoMoreHistories,
        Self::NoActivity,
        Self::NothingToFollow,
        Self::Merged,
    ];

    /// Name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Histories => "histories",
            Self::TargetUncertainty => "target-uncertainty",
            Self::TimeLimit => "time-limit",
            Self::Interrupted => "interrupted",
            Self::NoMoreHistories => "no-more-histories",
            Self::NoActivity => "no-activity",
            Self::NothingToFollow => "nothing-to-follow",
            Self::Merged => "merged",
        }
    }
}

/// Mean dose of a region over the voxels that have a dose, with uncertainties that include their correlation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionDose {
    /// Its label.
    pub label: u16,
    /// Mean over the volume [Gy].
    pub mean_gy: f64,
    /// 1σ of that mean [Gy].
    pub sigma_gy: f64,
    /// Energy over mass [Gy].
    #[serde(default)]
    pub mean_by_mass_gy: f64,
    /// 1σ of that mean [Gy].
    #[serde(default)]
    pub sigma_by_mass_gy: f64,
    /// Mean over its voxels of each one's 1σ relative to its dose, as a target in all regions counts it.
    #[serde(default)]
    pub voxel_relative_sigma: Option<f64>,
    /// What the target looks at in it; none without a target in all regions.
    #[serde(default)]
    pub held_to: Option<HeldTo>,
}

/// What must have the target uncertainty in a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeldTo {
    /// Its voxels: it takes up activity.
    Voxels,
    /// Its mean dose: most of it comes from activity elsewhere.
    Mean,
}

impl HeldTo {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Voxels, Self::Mean];

    /// Name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Voxels => "voxels",
            Self::Mean => "mean",
        }
    }
}
