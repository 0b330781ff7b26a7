//! What a computation gives back: the dose and where it came from.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::source::{LeftOut, Member};
use super::{BiologicalWeighting, DeviceInfo, MonteCarloAccount, Source, TallyRecord, Volume};

/// An absorbed dose map with its account of energy and its provenance.
#[derive(Clone, Debug, PartialEq)]
pub struct DoseResult {
    /// Absorbed dose per voxel [Gy]; finite, nowhere negative.
    pub dose: Volume<f32>,
    /// Statistical uncertainty of the dose per voxel, 1σ [Gy]; of Monte Carlo transport, where it was asked for.
    pub uncertainty: Option<Volume<f32>>,
    /// Biologically weighted dose per voxel [Gy (RBE)], where it was asked for. Never to be taken for an absorbed dose.
    pub weighted: Option<Volume<f32>>,
    /// What the dose was made from, to merge with other runs; of Monte Carlo transport, where it was asked for.
    pub tally: Option<Box<TallyRecord>>,
    /// Where it came from.
    pub provenance: Provenance,
}

/// Everything needed to understand a dose, and to compute it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of dosegrid.
    pub version: String,
    /// Commit it was built from, or `unknown`.
    pub commit: String,
    /// The device that ran.
    pub device: DeviceInfo,
    /// `local`, `kernel` or `monte-carlo`.
    pub method: String,
    /// `water` or `density-scaled`; none for methods that have no choice.
    pub density_correction: Option<String>,
    /// Voxels of a lower density got no dose [g/cm³]; none where no density was used.
    pub minimum_density_g_cm3: Option<f64>,
    /// Name of the nuclide, or `custom` for a spectrum without one.
    pub nuclide: String,
    /// SHA-256 of the nuclide's data, or of the spectrum without one, in hexadecimal.
    pub nuclide_data_sha256: String,
    /// What decayed in the map, and how often.
    pub source: SourceAccount,
    /// Decays in the whole map [Bq·s].
    pub decays: f64,
    /// Where the energy went.
    pub energy: EnergyAccount,
    /// The kernel that was used, for the method `kernel`.
    pub kernel: Option<KernelAccount>,
    /// What the transport did, for the method `monte-carlo`.
    pub monte_carlo: Option<MonteCarloAccount>,
    /// Weights of the biologically weighted dose, where it was asked for.
    pub biological_weighting: Option<BiologicalWeighting>,
    /// Where the dose of daughters with maps of their own came from. Their doses and energies are part of those above; all else above is of the map of the
    /// first nuclide.
    pub daughter_maps: Vec<Provenance>,
    /// Wall time by stage, in order.
    pub wall_time: Vec<StageTime>,
}

/// What decayed in a map.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceAccount {
    /// `parent-only`, `equilibrium` or `in-growth`; none for a spectrum of the caller's own.
    pub daughters: Option<String>,
    /// The nuclide of the map and the daughters that decayed with it.
    pub members: Vec<MemberAccount>,
    /// Radioactive daughters that live too long: they decay in no map.
    pub left_out: Vec<LeftOut>,
}

/// A nuclide that decayed in a map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberAccount {
    /// Its name.
    pub nuclide: String,
    /// How often, per decay of the nuclide of the map.
    pub decays_per_decay: f64,
}

impl SourceAccount {
    /// Of a source.
    pub fn new(source: &Source) -> Self {
        let account =
            |member: &Member| MemberAccount { nuclide: member.name.clone(), decays_per_decay: member.decays_per_decay };
        Self {
            daughters: source.daughters().map(|daughters| daughters.name().to_owned()),
            members: source.members().iter().map(account).collect(),
            left_out: source.left_out().to_vec(),
        }
    }
}

/// Where the emitted energy went. `emitted = deposited + escaped`, the latter with all that the method does not follow.
///
/// Of Monte Carlo transport: what the histories emitted, left in the grid and carried out of it, by the book of every particle, times the decays of the map
/// over the number of histories.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnergyAccount {
    /// Emitted by all decays [MeV].
    pub emitted_mev: f64,
    /// Absorbed in the voxels of the grid [MeV].
    pub deposited_mev: f64,
    /// Absorbed outside the grid, or not held by the kernel [MeV].
    pub escaped_mev: f64,
    /// Part of the deposited energy that lies in voxels too thin for a dose [MeV].
    pub without_dose_mev: f64,
    /// Voxels that got no dose because they are too thin.
    pub voxels_without_dose: u64,
    /// Sum of the small negative energies that rounding left, set to 0 [MeV]; 0 or below.
    pub clamped_mev: f64,
}

/// The voxel kernel of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelAccount {
    /// Name of the medium that it was computed in.
    pub medium: String,
    /// SHA-256 of the library of point kernels that it was made from, in hexadecimal.
    pub library_sha256: String,
    /// Offsets on each side of the centre, by axis.
    pub half_width: [usize; 3],
    /// Offsets on each side of the centre that were convolved directly, by axis.
    pub core_half_width: [usize; 3],
    /// Shape of the padded grid of the Fourier transform.
    pub padded_shape: [usize; 3],
    /// Part of the energy emitted per decay that the kernel holds, in an unbounded medium, 0 to 1.
    pub captured_fraction: f64,
    /// Radius past which the kernel was cut off [mm]; none: nowhere within the tabulated range.
    pub truncation_radius_mm: Option<f64>,
}

/// Wall time of one stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageTime {
    /// The stage's name.
    pub stage: String,
    /// Wall time [s].
    pub seconds: f64,
}

impl StageTime {
    /// A stage and how long it took.
    pub fn new(stage: &str, elapsed: Duration) -> Self {
        Self { stage: stage.to_owned(), seconds: elapsed.as_secs_f64() }
    }
}
