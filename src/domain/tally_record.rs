//! A tally with all that makes a dose of it, so that runs made apart can be added.

use serde::{Deserialize, Serialize};

use super::{
    DensityMap, EmissionAccount, HistoryCuts, HistoryRun, MaterialAccount, SourceAccount, TimeIntegratedActivity,
};
use crate::domain::Tally;

/// Histories of one scene, run anywhere: their tally, and what makes a dose of it.
#[derive(Clone, Debug, PartialEq)]
pub struct TallyRecord {
    /// What they were run in.
    pub scene: SceneAccount,
    /// Which histories, and where they were run; by rising number, apart from one another.
    pub runs: Vec<HistoryRun>,
    /// Decays per voxel.
    pub activity: TimeIntegratedActivity,
    /// Mass density per voxel.
    pub density: DensityMap,
    /// Energy by group and voxel.
    pub tally: Tally,
}

/// What decides a dose but the histories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SceneAccount {
    /// SHA-256 of all of it, maps included, in hexadecimal.
    pub sha256: String,
    /// Seed of the random numbers.
    pub seed: u64,
    /// Statistical groups.
    pub groups: u32,
    /// Most histories that can be numbered.
    pub max_histories: u64,
    /// Energies at which transport changes its ways.
    pub cuts: HistoryCuts,
    /// Name of the nuclide, or `custom`.
    pub nuclide: String,
    /// SHA-256 of the nuclide's data, or of the spectrum, in hexadecimal.
    pub nuclide_data_sha256: String,
    /// What decays, and how often.
    pub source: SourceAccount,
    /// What is emitted.
    pub emissions: EmissionAccount,
    /// `by-density`, `uniform` or `map`.
    pub medium: String,
    /// The materials and how often each occurs.
    pub materials: Vec<MaterialAccount>,
    /// Voxels of a lower density get no dose [g/cm³].
    pub minimum_density_g_cm3: f64,
}
