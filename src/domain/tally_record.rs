//! A tally with all that is needed to compute a dose from it, so that separate runs can be added.

use serde::{Deserialize, Serialize};

use super::{
    DensityMap, EmissionAccount, HistoryCuts, HistoryRun, MaterialAccount, SourceAccount, TimeIntegratedActivity,
};
use crate::domain::Tally;

/// The tally of histories of one scene, run on any device, and what is needed to compute a dose from it.
#[derive(Clone, Debug, PartialEq)]
pub struct TallyRecord {
    /// The scene of the histories.
    pub scene: SceneAccount,
    /// The histories and the devices that ran them; by ascending number, without overlap.
    pub runs: Vec<HistoryRun>,
    /// Decays per voxel.
    pub activity: TimeIntegratedActivity,
    /// Mass density per voxel.
    pub density: DensityMap,
    /// Energy by group and voxel.
    pub tally: Tally,
}

/// Everything that determines a dose except the histories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SceneAccount {
    /// SHA-256 of the scene, maps included, in hexadecimal.
    pub sha256: String,
    /// Seed of the random numbers.
    pub seed: u64,
    /// Statistical groups.
    pub groups: u32,
    /// Largest number of histories.
    pub max_histories: u64,
    /// Cuts of the transport.
    pub cuts: HistoryCuts,
    /// Name of the nuclide, or `custom`.
    pub nuclide: String,
    /// SHA-256 of the nuclide's data, or of the spectrum, in hexadecimal.
    pub nuclide_data_sha256: String,
    /// The nuclides that decay, and how often they do.
    pub source: SourceAccount,
    /// The emissions.
    pub emissions: EmissionAccount,
    /// `by-density`, `uniform` or `map`.
    pub medium: String,
    /// The materials and the number of voxels of each.
    pub materials: Vec<MaterialAccount>,
    /// SHA-256 of the definitions of the materials and of the material of each voxel, in hexadecimal.
    pub voxel_materials_sha256: String,
    /// Voxels with a lower density get no dose [g/cm³].
    pub minimum_density_g_cm3: f64,
}
