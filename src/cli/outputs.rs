//! Writes a result to files and prints its summary.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::stdout;
use super::summary::summary;
use crate::domain::{
    Checks, DensityMap, DoseError, DoseResult, LabelMap, Provenance, TimeIntegratedActivity, Volume, Warning,
    grid::Affine,
};
use crate::dosimetry::organs::OrganInputs;
use crate::dosimetry::{DoseDistribution, OrganDose, organ_doses};
use crate::formats::{json, label_names, nifti, organ_table, tally};

/// Where results go, and the organs whose dose is computed.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Outputs")]
pub(super) struct OutputArgs {
    /// Dose map in Gy, .nii or .nii.gz (required)
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Statistical uncertainty of the dose, 1σ in Gy, .nii or .nii.gz; Monte Carlo only
    #[arg(long, value_name = "FILE")]
    pub(super) uncertainty_output: Option<PathBuf>,
    /// Biologically weighted dose in Gy (RBE), .nii or .nii.gz: alpha particles and recoils count several times. This
    /// is not an absorbed dose
    #[arg(long, value_name = "FILE")]
    pub(super) weighted_output: Option<PathBuf>,
    /// Tally that `dosegrid merge` can add to others; Monte Carlo only. It also holds the activity and density maps
    #[arg(long, value_name = "FILE")]
    pub(super) tally_output: Option<PathBuf>,
    /// Organ of each voxel, NIfTI-1 of whole numbers on the grid of the activity; 0 is none
    #[arg(long, value_name = "FILE", help_heading = "Inputs")]
    pub(super) labels: Option<PathBuf>,
    /// Names of the organs, CSV of label,name
    #[arg(long, value_name = "FILE", help_heading = "Inputs")]
    pub(super) label_names: Option<PathBuf>,
    /// Table of organ doses, CSV
    #[arg(long, value_name = "FILE")]
    pub(super) organs_output: Option<PathBuf>,
    /// Provenance, energy balance and organ table, JSON
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Print no progress and no summary
    #[arg(long)]
    pub(super) quiet: bool,
}

impl OutputArgs {
    /// Records flags that would have no effect, and paths that cannot be written. Results may replace neither their
    /// inputs nor one another.
    ///
    /// * `inputs` – the other input files of this run
    pub(super) fn check<'a>(&'a self, inputs: impl IntoIterator<Item = Option<&'a Path>>, checks: &mut Checks) {
        for (flag, given) in
            [("organs-output", self.organs_output.is_some()), ("label-names", self.label_names.is_some())]
        {
            if given && self.labels.is_none() {
                checks.fail(flag, "has no effect without --labels");
            }
        }
        let own = [self.labels.as_deref(), self.label_names.as_deref()];
        let inputs = inputs.into_iter().chain(own).flatten();
        let mut taken: Vec<PathBuf> = inputs.filter_map(|path| path.canonicalize().ok()).collect();
        let outputs = [
            ("output", &self.output),
            ("uncertainty-output", &self.uncertainty_output),
            ("weighted-output", &self.weighted_output),
            ("tally-output", &self.tally_output),
            ("organs-output", &self.organs_output),
            ("json", &self.json),
        ];
        for (flag, path) in outputs {
            if let Some(path) = path {
                check_place(flag, path, &mut taken, checks);
            }
        }
        if self.output.is_none() {
            checks.fail("output", "--output is needed");
        }
        for (flag, path) in &outputs[..3] {
            if path.as_deref().is_some_and(|path| !is_nifti_name(path)) {
                checks.fail(*flag, "must end in .nii or .nii.gz");
            }
        }
    }

    /// The label map as stored in its file, and the names of its labels. Faults are recorded.
    pub(super) fn read_labels(&self, checks: &mut Checks) -> (Option<Volume<f32>>, BTreeMap<u16, String>) {
        let labels = self.labels.as_deref().and_then(|path| checks.at("labels", nifti::read(path)));
        let names = self.label_names.as_deref().and_then(|path| checks.at("label-names", label_names::read(path)));
        (labels.map(|file| file.volume), names.unwrap_or_default())
    }
}

fn check_place(flag: &str, path: &Path, taken: &mut Vec<PathBuf>, checks: &mut Checks) {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let Some((folder, name)) = folder.canonicalize().ok().filter(|folder| folder.is_dir()).zip(path.file_name()) else {
        checks.fail(flag, "is not a file name in a folder that exists");
        return;
    };
    let place = path.canonicalize().unwrap_or_else(|_| folder.join(name));
    if place.is_dir() {
        checks.fail(flag, "is a folder");
    } else if taken.contains(&place) {
        checks.fail(flag, "is also the path of another file of this run");
    }
    taken.push(place);
}

fn is_nifti_name(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.ends_with(".nii") || name.ends_with(".nii.gz")
}

/// The inputs of a result that its tables need.
pub(super) struct ResultInputs<'a> {
    pub(super) activity: &'a TimeIntegratedActivity,
    pub(super) density: Option<&'a DensityMap>,
    pub(super) labels: Option<&'a LabelMap>,
    pub(super) names: &'a BTreeMap<u16, String>,
    pub(super) inputs: InputAccount,
}

/// `result.json`: provenance, inputs and results. It has no patient data except the dose.
#[derive(Serialize)]
pub(super) struct ResultFile<'a> {
    #[serde(flatten)]
    pub(super) provenance: &'a Provenance,
    inputs: InputAccount,
    grid: GridAccount,
    pub(super) dose: DoseAccount,
    warnings: &'a [Warning],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) organs: Option<&'a [OrganDose]>,
}

/// How the input files were understood.
#[derive(Clone, Serialize)]
pub(super) struct InputAccount {
    pub(super) activity_unit: &'static str,
    pub(super) effective_half_life_s: Option<f64>,
    pub(super) imaged_after_s: Option<f64>,
    pub(super) density: &'static str,
}

#[derive(Serialize)]
struct GridAccount {
    shape: [usize; 3],
    spacing_mm: [f64; 3],
    affine: Affine,
}

/// The dose over the whole grid, voxels without a dose included as 0.
#[derive(Serialize)]
pub(super) struct DoseAccount {
    pub(super) mean_gy: f64,
    pub(super) max_gy: f64,
}

/// Writes all requested files and prints the summary.
pub(super) fn write(args: &OutputArgs, from: &ResultInputs, result: &DoseResult) -> Result<(), DoseError> {
    let account = result.provenance.monte_carlo.as_ref();
    let organs = from.labels.map(|labels| {
        organ_doses(&OrganInputs {
            dose: &result.dose,
            activity: from.activity,
            density: from.density,
            minimum_density_g_cm3: result.provenance.minimum_density_g_cm3,
            labels,
            names: from.names,
            regions: account.map_or(&[], |account| &account.regions),
        })
    });
    let file = result_file(from, result, organs.as_deref());
    if let Some(path) = &args.output {
        named("output", nifti::write(path, &result.dose, "dosegrid: absorbed dose [Gy]"))?;
    }
    if let (Some(path), Some(sigma)) = (&args.uncertainty_output, &result.uncertainty) {
        named("uncertainty-output", nifti::write(path, sigma, "dosegrid: uncertainty of the dose, 1 sigma [Gy]"))?;
    }
    if let (Some(path), Some(weighted)) = (&args.weighted_output, &result.weighted) {
        named("weighted-output", nifti::write(path, weighted, "dosegrid: biologically weighted dose [Gy (RBE)]"))?;
    }
    if let (Some(path), Some(record)) = (&args.tally_output, &result.tally) {
        named("tally-output", tally::write(path, record))?;
    }
    if let (Some(path), Some(organs)) = (&args.organs_output, &organs) {
        named("organs-output", organ_table::write(path, organs))?;
    }
    if let Some(path) = &args.json {
        named("json", json::write(path, &file))?;
    }
    if args.quiet { Ok(()) } else { stdout::print(&summary(&file)) }
}

fn named(flag: &str, written: io::Result<()>) -> Result<(), DoseError> {
    written.map_err(|error| DoseError::Io(format!("{flag}: cannot be written: {error}")))
}

fn result_file<'a>(from: &ResultInputs, result: &'a DoseResult, organs: Option<&'a [OrganDose]>) -> ResultFile<'a> {
    let grid = result.dose.grid();
    let doses = DoseDistribution::new(result.dose.as_slice().to_vec()).expect("a grid has at least one voxel");
    ResultFile {
        provenance: &result.provenance,
        inputs: from.inputs.clone(),
        grid: GridAccount { shape: grid.shape(), spacing_mm: grid.spacing_mm(), affine: *grid.affine() },
        dose: DoseAccount { mean_gy: doses.mean_gy(), max_gy: doses.max_gy() },
        warnings: &result.warnings,
        organs,
    }
}
