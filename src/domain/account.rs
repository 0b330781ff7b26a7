//! What Monte Carlo transport says of itself.

use serde::{Deserialize, Serialize};

use super::{DeviceInfo, HistoryCuts};

/// What a transport was made from, and what it did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MonteCarloAccount {
    /// Seed of the random numbers.
    pub seed: u64,
    /// Number of the first history.
    pub first_history: u64,
    /// Histories in all.
    pub histories: u64,
    /// Where they were run, by rising number.
    pub runs: Vec<HistoryRun>,
    /// Statistical groups; history `h` belongs to group `h mod groups`.
    pub groups: u32,
    /// SHA-256 of all that decides the dose but the histories: maps, materials, emissions, cuts, seed. In hexadecimal.
    pub scene_sha256: String,
    /// Energies at which transport changed its ways.
    pub cuts: HistoryCuts,
    /// What was emitted.
    pub emissions: EmissionAccount,
    /// What the voxels were made of: `by-density`, `uniform` or `map`.
    pub medium: String,
    /// The materials and how often each occurs.
    pub materials: Vec<MaterialAccount>,
    /// Why it stopped.
    pub stopped_by: StopReason,
    /// Mean relative 1σ in the region; none if nothing was deposited there.
    pub relative_sigma: Option<f64>,
    /// Where that is: that of the target, or by default the voxels of half the maximum dose and more.
    pub sigma_region: String,
    /// Emitted by the histories, the rest energy of positrons with their electrons included; alpha particles and recoils, whose dose is exact, take none [MeV].
    pub emitted_mev: f64,
    /// Absorbed in the grid, by the book of every particle [MeV].
    pub deposited_mev: f64,
    /// Carried out of the grid [MeV].
    pub escaped_mev: f64,
    /// Scored in the voxels, from which the dose is made: equal to the deposited within statistics, since photons may be scored along their track [MeV].
    pub scored_mev: f64,
    /// Rejection loops that reached their bound and took their last draw. Left out of JSON where there are none. Messages do
    /// not carry it: a server that finds any logs a warning.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub exhausted_rejections: u64,
    /// Histories per second of transport; none for runs that were merged.
    pub histories_per_s: Option<f64>,
    /// Mean dose of each region, where a map of them was given.
    pub regions: Vec<RegionDose>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks for it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Histories that were run on one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRun {
    /// Number of the first.
    pub first_history: u64,
    /// How many.
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

/// What was emitted per decay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmissionAccount {
    /// Whether the caller gave the spectrum; else it is the nuclide's.
    pub custom: bool,
    /// SHA-256 of the spectrum, in hexadecimal.
    pub sha256: String,
    /// Mean energy of electrons [MeV per decay].
    pub electron_mev: f64,
    /// Mean kinetic energy of positrons [MeV per decay].
    pub positron_mev: f64,
    /// Mean energy of photons [MeV per decay].
    pub photon_mev: f64,
    /// Mean energy that stays where the decay is: alpha particles and recoils [MeV per decay].
    pub local_mev: f64,
    /// All of these, and the rest energy of positrons and of the electrons they meet [MeV per decay].
    pub released_mev: f64,
    /// Mean number of particles per decay.
    pub particles: f64,
    /// Highest energy of a particle [MeV].
    pub highest_mev: f64,
}

/// A material and how often it occurs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaterialAccount {
    /// Its name.
    pub name: String,
    /// Where its composition comes from.
    pub source: String,
    /// Voxels made of it.
    pub voxels: u64,
}

/// Why a transport stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// The histories asked for are done.
    Histories,
    /// The uncertainty asked for is reached.
    TargetUncertainty,
    /// The time is up.
    TimeLimit,
    /// No further history has a number: the uncertainty asked for is not reached.
    NoMoreHistories,
    /// There is no activity in the map.
    NoActivity,
    /// All that is emitted stays where it is: its dose is exact.
    NothingToFollow,
    /// Runs were merged.
    Merged,
}

impl StopReason {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Histories,
        Self::TargetUncertainty,
        Self::TimeLimit,
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
            Self::NoMoreHistories => "no-more-histories",
            Self::NoActivity => "no-activity",
            Self::NothingToFollow => "nothing-to-follow",
            Self::Merged => "merged",
        }
    }
}

/// Mean dose of a region, with the uncertainty that its voxels have together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionDose {
    /// Its label.
    pub label: u16,
    /// Mean over the voxels that have a dose [Gy].
    pub mean_gy: f64,
    /// 1σ of that mean [Gy].
    pub sigma_gy: f64,
}
