//! The result of a computation: the dose and its provenance.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::source::{LeftOut, Member};
use super::{
    ActivityAccount, BiologicalWeighting, DeviceInfo, MonteCarloAccount, Source, TallyRecord, Volume, Warning,
};

/// An absorbed dose map with its account of energy and its provenance.
#[derive(Clone, Debug, PartialEq)]
pub struct DoseResult {
    /// Absorbed dose per voxel [Gy]; finite and not negative.
    pub dose: Volume<f32>,
    /// Statistical uncertainty of the dose per voxel, 1σ [Gy]; for Monte Carlo transport, if requested.
    pub uncertainty: Option<Volume<f32>>,
    /// Biologically weighted dose per voxel [Gy (RBE)], if requested. It is not an absorbed dose.
    pub weighted: Option<Volume<f32>>,
    /// The tally behind the dose, to merge with other runs; for Monte Carlo transport, if requested.
    pub tally: Option<Box<TallyRecord>>,
    /// Its provenance.
    pub provenance: Provenance,
    /// The activity of the request, as a person recognises it.
    pub activity: ActivityAccount,
    /// What is implausible about the request or the dose, or left out of the dose.
    pub warnings: Vec<Warning>,
}

/// Everything needed to understand a dose and to compute it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of dosegrid.
    pub version: String,
    /// Commit it was built from, or `unknown`.
    pub commit: String,
    /// The device that ran the computation.
    pub device: DeviceInfo,
    /// `local`, `kernel` or `monte-carlo`.
    pub method: String,
    /// `water` or `density-scaled`; none for methods without this choice.
    pub density_correction: Option<String>,
    /// Voxels with a lower density got no dose [g/cm³]; none if no density was used.
    pub minimum_density_g_cm3: Option<f64>,
    /// Name of the nuclide, or `custom` for a spectrum without one.
    pub nuclide: String,
    /// SHA-256 of the nuclide's data, or of the spectrum without one, in hexadecimal.
    pub nuclide_data_sha256: String,
    /// The nuclides that decayed in the map, and how often they did.
    pub source: SourceAccount,
    /// Decays in the whole map [Bq·s].
    pub decays: f64,
    /// The energy account.
    pub energy: EnergyAccount,
    /// The kernel, for the method `kernel`.
    pub kernel: Option<KernelAccount>,
    /// The transport, for the method `monte-carlo`.
    pub monte_carlo: Option<MonteCarloAccount>,
    /// Weights of the biologically weighted dose, if it was requested.
    pub biological_weighting: Option<BiologicalWeighting>,
    /// Provenance of the dose of daughters with maps of their own. Their doses and energies are included above;
    /// everything else above refers to the map of the first nuclide.
    pub daughter_maps: Vec<Provenance>,
    /// Wall time by stage, in order.
    pub wall_time: Vec<StageTime>,
}

/// The nuclides that decayed in a map.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceAccount {
    /// `parent-only`, `equilibrium`, `equilibrium-with-gases` or `in-growth`; none for a spectrum given by the caller.
    pub daughters: Option<String>,
    /// The nuclide of the map and the daughters that decayed with it.
    pub members: Vec<MemberAccount>,
    /// Radioactive daughters that decay in no map, and why: they live too long, or leave as a gas.
    pub left_out: Vec<LeftOut>,
}

/// A nuclide that decayed in a map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberAccount {
    /// Its name.
    pub nuclide: String,
    /// Decays per decay of the nuclide of the map.
    pub decays_per_decay: f64,
}

impl SourceAccount {
    /// The account of a source.
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

/// The energy account. `emitted = deposited + escaped`, where escaped includes everything that the method does not
/// follow.
///
/// For Monte Carlo transport: the energy that the histories emitted, deposited in the grid and lost from it, from the
/// account of every particle, times the decays of the map over the number of histories.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnergyAccount {
    /// Energy emitted by all decays [MeV].
    pub emitted_mev: f64,
    /// Energy deposited in the voxels of the grid [MeV].
    pub deposited_mev: f64,
    /// Energy deposited outside the grid, or not included in the kernel [MeV].
    pub escaped_mev: f64,
    /// Part of the deposited energy in voxels whose density is too low for a dose [MeV].
    pub without_dose_mev: f64,
    /// Number of voxels whose density is too low for a dose.
    pub voxels_without_dose: u64,
    /// Sum of the small negative energies, due to rounding, that were set to 0 [MeV]; 0 or below.
    pub clamped_mev: f64,
}

/// The voxel kernel of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelAccount {
    /// Name of its medium.
    pub medium: String,
    /// SHA-256 of the library of point kernels behind it, in hexadecimal.
    pub library_sha256: String,
    /// Offsets on each side of the centre, by axis.
    pub half_width: [usize; 3],
    /// Offsets on each side of the centre that were convolved directly, by axis.
    pub core_half_width: [usize; 3],
    /// Shape of the padded grid of the Fourier transform.
    pub padded_shape: [usize; 3],
    /// Fraction of the energy emitted per decay that the kernel includes in an unbounded medium, 0 to 1.
    pub captured_fraction: f64,
    /// Radius at which the kernel was cut off [mm]; none if it was not cut off.
    pub truncation_radius_mm: Option<f64>,
}

/// Wall time of one stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
