//! Writes a result to files and prints its summary.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::dicom::{DicomArgs, DicomOutput, is_dicom_name};
use super::places::check_places;
use super::report::{ReportArgs, ReportInputs, ReportReady};
use super::stdout;
use super::summary::summary;
use super::summary_page;
use crate::domain::{
    ActivityAccount, Checks, DensityMap, DoseError, DoseResult, Invalid, Organs, Provenance, TimeIntegratedActivity,
    Volume, Warning, grid::Affine, warning,
};
use crate::dosimetry::organs::{OrganInputs, whole_regions};
use crate::dosimetry::{CumulativeHistogram, DoseDistribution, OrganDose, organ_doses, organ_histograms};
use crate::formats::dicom::LabelGrid;
use crate::formats::dicom::write::DoseKind;
use crate::formats::labels::LabelFiles;
use crate::formats::volume_file::{Origin, OutputFormat, write_volume};
use crate::formats::{dose_volume_table, json, label_names, labels, organ_table, tally};
use crate::physics::kernel::uniform_density_g_cm3;
use crate::resample::PlacingAccount;

/// Doses of a histogram.
const DOSE_VOLUME_POINTS: usize = 501;
/// Absent labels that a warning names one by one.
const NAMES_SHOWN: usize = 5;

/// Where results go, and the organs whose dose is computed.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Outputs")]
pub(super) struct OutputArgs {
    /// Dose map in Gy: .nii, .nii.gz, .nrrd, .nhdr, .mha or .mhd; or .dcm, an RTDOSE (required)
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Statistical uncertainty of the dose, 1σ in Gy, as --output; Monte Carlo only. Where only photons arrive, it says
    /// little of a single voxel: docs/transport.md
    #[arg(long, value_name = "FILE")]
    pub(super) uncertainty_output: Option<PathBuf>,
    /// Biologically weighted dose in Gy (RBE), as --output: alpha particles and recoils count several times. This is
    /// not an absorbed dose
    #[arg(long, value_name = "FILE")]
    pub(super) weighted_output: Option<PathBuf>,
    /// Tally that `dosegrid merge` can add to others; Monte Carlo only. It also holds the activity and density maps
    #[arg(long, value_name = "FILE")]
    pub(super) tally_output: Option<PathBuf>,
    /// Organs: a map of whole numbers, 0 is none; a stack or a folder of masks. May be repeated, and organs may overlap
    #[arg(long, value_name = "FILE", help_heading = "Inputs")]
    pub(super) labels: Vec<PathBuf>,
    /// Names of the organs: CSV of label,name, or as ITK-SNAP and 3D Slicer write them
    #[arg(long, value_name = "FILE", help_heading = "Inputs")]
    pub(super) label_names: Option<PathBuf>,
    /// Table of organ doses, CSV
    #[arg(long, value_name = "FILE")]
    pub(super) organs_output: Option<PathBuf>,
    /// Cumulative dose-volume histograms of the organs, CSV
    #[arg(long, value_name = "FILE")]
    pub(super) dose_volume_output: Option<PathBuf>,
    /// Provenance, energy balance and organ table, JSON
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// The summary as a page to look at: .png, or .dcm, a Secondary Capture for an archive
    #[arg(long, value_name = "FILE")]
    pub(super) summary_output: Option<PathBuf>,
    /// Print no progress and no summary
    #[arg(long)]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) dicom: DicomArgs,
    #[command(flatten)]
    pub(super) report: ReportArgs,
}

/// What was read for outputs, and waits for the result.
#[derive(Default)]
pub(super) struct Ready {
    /// What objects are written with; none: there is no output in DICOM.
    pub(super) dicom: Option<DicomOutput>,
    /// None: there is no report.
    report: Option<ReportReady>,
}

impl OutputArgs {
    /// Records flags that would have no effect, and paths that cannot be written. Results may replace neither their
    /// inputs nor one another.
    ///
    /// * `inputs` – the other input files of this run
    /// * `more` – files that are written besides, by their flags
    /// * `ct` – the CT of the computation: if it is DICOM, outputs in DICOM belong to it where no other is named
    ///
    /// What DICOM and the report are written with is returned, as far as it has no fault.
    pub(super) fn check<'a>(
        &'a self,
        inputs: impl IntoIterator<Item = Option<&'a Path>>,
        more: &[(&'static str, Option<&'a Path>)],
        ct: Option<&Path>,
        checks: &mut Checks,
    ) -> Ready {
        self.check_use(checks);
        let own = self.labels.iter().chain(&self.label_names).map(PathBuf::as_path);
        let volumes = [
            ("output", self.output.as_deref()),
            ("uncertainty-output", self.uncertainty_output.as_deref()),
            ("weighted-output", self.weighted_output.as_deref()),
        ];
        let others = [
            ("tally-output", self.tally_output.as_deref()),
            ("organs-output", self.organs_output.as_deref()),
            ("dose-volume-output", self.dose_volume_output.as_deref()),
            ("json", self.json.as_deref()),
            ("summary-output", self.summary_output.as_deref()),
            ("plan-output", self.dicom.plan_output.as_deref()),
            ("report", self.report.report.as_deref()),
        ];
        let given = volumes.into_iter().filter_map(|(flag, path)| Some((flag, path?)));
        let (objects, maps): (Vec<_>, Vec<_>) = given.partition(|(_, path)| is_dicom_name(path));
        for (flag, path) in maps {
            let or_dicom = |Invalid(reason)| Invalid(reason + "; or in .dcm, as an RTDOSE");
            checks.at(flag, OutputFormat::of_name(path).map_err(or_dicom));
        }
        let inputs = inputs.into_iter().flatten().chain(own).chain(self.dicom.inputs()).chain(self.report.inputs());
        let all = volumes.into_iter().chain(more.iter().copied()).chain(others);
        check_places(inputs, all.clone(), checks);
        self.report.check_data(all.filter_map(|(flag, path)| Some((flag, path?))), checks);
        if self.output.is_none() {
            checks.fail("output", "--output is needed");
        }
        let is_identified = self.report.report_identified;
        let page = self.summary_output.as_deref();
        if page.is_some_and(|path| !is_dicom_name(path) && path.extension().is_none_or(|end| end != "png")) {
            checks.fail("summary-output", "must end in .png or .dcm");
        }
        let page = page.filter(|path| is_dicom_name(path)).map(|_| "summary-output");
        let wanted = objects.first().map(|(flag, _)| *flag).or(page).or(is_identified.then_some("report-identified"));
        let dicom = self.dicom.read(wanted, ct, checks).map(|dicom| dicom.identified(is_identified));
        Ready { dicom, report: self.report.read(checks) }
    }

    /// Records flags that would have no effect.
    fn check_use(&self, checks: &mut Checks) {
        for (flag, given) in [
            ("organs-output", self.organs_output.is_some()),
            ("dose-volume-output", self.dose_volume_output.is_some()),
            ("label-names", self.label_names.is_some()),
        ] {
            if given && self.labels.is_empty() {
                checks.fail(flag, "has no effect without --labels");
            }
        }
    }

    /// The organs as stored in their files, and the names of labels. Faults are recorded.
    ///
    /// * `images` – what contours lie on whose own images are not beside them
    pub(super) fn read_labels(
        &self,
        images: Option<&LabelGrid>,
        checks: &mut Checks,
        warnings: &mut Vec<Warning>,
    ) -> (Option<LabelFiles>, BTreeMap<u16, String>) {
        let given = (!self.labels.is_empty()).then_some(&self.labels);
        let files = given.and_then(|paths| checks.at("labels", labels::read_beside(paths, images)));
        let words = files.iter().flat_map(|files| &files.warnings);
        warnings.extend(words.map(|words| Warning::new(warning::INPUT_FILE, "labels", words)));
        let names = self.label_names.as_deref().and_then(|path| checks.at("label-names", label_names::read(path)));
        let names = names.unwrap_or_default();
        warnings.extend(files.as_ref().and_then(|files| absent_names(&files.organs, &names)));
        (files, names)
    }
}

/// What to warn of if names were given for labels that the map does not have.
fn absent_names(organs: &Organs, names: &BTreeMap<u16, String>) -> Option<Warning> {
    let is_present = |label: u16| organs.organs().iter().any(|organ| organ.label == label);
    let absent: Vec<String> = names
        .iter()
        .filter(|(label, _)| **label != 0 && !is_present(**label))
        .map(|(label, name)| format!("{label} ({name})"))
        .collect();
    let (first, more) = absent.split_at(absent.len().min(NAMES_SHOWN));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    (!first.is_empty()).then(|| {
        let words = format!("no voxel of --labels has the label {}{more}; is this the right file?", first.join(", "));
        Warning::new(warning::NAME_WITHOUT_LABEL, "label-names", words)
    })
}

/// Doses of organs, by rising label, and their histograms where those are wanted.
pub(super) struct OrganTables {
    pub(super) doses: Vec<OrganDose>,
    pub(super) histograms: Vec<Option<CumulativeHistogram>>,
}

impl OrganTables {
    pub(super) fn of_pairs(pairs: Vec<(OrganDose, Option<CumulativeHistogram>)>) -> Self {
        let (doses, histograms) = pairs.into_iter().unzip();
        Self { doses, histograms }
    }
}

impl OutputArgs {
    /// Points of a histogram for each organ, where there are organs and histograms are wanted: in a table or in the
    /// report.
    pub(super) fn dose_volume_points(&self) -> Option<usize> {
        let shown = [&self.dose_volume_output, &self.report.report, &self.summary_output];
        let is_wanted = shown.into_iter().any(Option::is_some) && !self.labels.is_empty();
        is_wanted.then_some(DOSE_VOLUME_POINTS)
    }

    /// The doses of all organs.
    pub(super) fn organ_tables(
        &self,
        result: &DoseResult,
        activity: &TimeIntegratedActivity,
        density: Option<&DensityMap>,
        organs: &Organs,
        names: &BTreeMap<u16, String>,
    ) -> OrganTables {
        let account = result.provenance.monte_carlo.as_ref();
        let regions = account.map_or(&[][..], |account| &account.regions);
        let inputs = OrganInputs {
            dose: &result.dose,
            uncertainty: result.uncertainty.as_ref(),
            activity,
            density,
            uniform_density_g_cm3: uniform_density_g_cm3(&result.provenance),
            minimum_density_g_cm3: result.provenance.minimum_density_g_cm3,
            organs,
            names,
            regions: &whole_regions(organs, regions),
            injected_bq: result.activity.injected_bq,
        };
        let histograms = self.dose_volume_points().map(|points| organ_histograms(&inputs, points));
        OrganTables { doses: organ_doses(&inputs), histograms: histograms.unwrap_or_default() }
    }
}

/// What a result's tables need beside it.
pub(super) struct ResultInputs<'a> {
    /// Dose of each organ, where organs were given.
    pub(super) organs: Option<&'a OrganTables>,
    pub(super) inputs: InputAccount,
    /// How outputs say where they lie.
    pub(super) origin: Origin,
    /// What was read for outputs.
    pub(super) ready: Ready,
    /// What a report shows beside the result; none: it is not to hand, and no report is wanted.
    pub(super) report: Option<ReportInputs<'a>>,
}

/// `result.json`: provenance, inputs and results. It has no patient data except the dose.
#[derive(Serialize)]
pub(super) struct ResultFile<'a> {
    #[serde(flatten)]
    pub(super) provenance: &'a Provenance,
    inputs: InputAccount,
    activity: &'a ActivityAccount,
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
    /// What resampling did, where there was any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grids: Option<PlacingAccount>,
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
    let file = result_file(from, result);
    let volumes = [
        (&args.output, Some(&result.dose), DoseKind::Physical),
        (&args.uncertainty_output, result.uncertainty.as_ref(), DoseKind::Uncertainty),
        (&args.weighted_output, result.weighted.as_ref(), DoseKind::Effective),
    ];
    for (path, volume, kind) in volumes {
        if let (Some(path), Some(volume)) = (path, volume) {
            write_map(path, volume, kind, from, &result.provenance)?;
        }
    }
    if let (Some(path), Some(record)) = (&args.tally_output, &result.tally) {
        named("tally-output", path, tally::write(path, record))?;
    }
    if let Some(organs) = from.organs {
        write_tables(args, organs)?;
    }
    if let Some(path) = &args.json {
        named("json", path, json::write(path, &file))?;
    }
    if let (Some(report), Some(inputs)) = (&from.ready.report, &from.report) {
        report.write(result, inputs, from.organs, from.ready.dicom.as_ref())?;
    }
    if let Some(path) = &args.summary_output {
        summary_page::write(path, from, result)?;
    }
    if args.quiet { Ok(()) } else { stdout::print(&summary(&file)) }
}

/// Writes a map as its name asks for.
fn write_map(
    path: &Path,
    volume: &Volume<f32>,
    kind: DoseKind,
    from: &ResultInputs,
    Provenance { nuclide, method, commit, .. }: &Provenance,
) -> Result<(), DoseError> {
    let (flag, what) = match kind {
        DoseKind::Physical => ("output", "absorbed dose [Gy]"),
        DoseKind::Uncertainty => ("uncertainty-output", "uncertainty of the dose, 1 sigma [Gy]"),
        DoseKind::Effective => ("weighted-output", "biologically weighted dose [Gy (RBE)]"),
    };
    match &from.ready.dicom {
        Some(dicom) if is_dicom_name(path) => {
            dicom.write_dose(flag, path, (kind, volume), &format!("{nuclide}, {method}, commit {commit}"))
        }
        _ => named(flag, path, write_volume(path, volume, &format!("dosegrid: {what}"), &from.origin)),
    }
}

/// Writes the tables of organs that are wanted.
fn write_tables(args: &OutputArgs, organs: &OrganTables) -> Result<(), DoseError> {
    if let Some(path) = &args.organs_output {
        named("organs-output", path, organ_table::write(path, &organs.doses))?;
    }
    if let Some(path) = &args.dose_volume_output {
        named("dose-volume-output", path, dose_volume_table::write(path, &organs.doses, &organs.histograms))?;
    }
    Ok(())
}

fn named(flag: &str, path: &Path, written: io::Result<()>) -> Result<(), DoseError> {
    written.map_err(|error| DoseError::Io(format!("{flag}: cannot be written: {}: {error}", path.display())))
}

fn result_file<'a>(from: &ResultInputs<'a>, result: &'a DoseResult) -> ResultFile<'a> {
    let grid = result.dose.grid();
    let doses = DoseDistribution::new(result.dose.as_slice().to_vec()).expect("a grid has at least one voxel");
    ResultFile {
        provenance: &result.provenance,
        inputs: from.inputs.clone(),
        activity: &result.activity,
        grid: GridAccount { shape: grid.shape(), spacing_mm: grid.spacing_mm(), affine: *grid.affine() },
        dose: DoseAccount { mean_gy: doses.mean_gy(), max_gy: doses.max_gy() },
        warnings: &result.warnings,
        organs: from.organs.map(|organs| organs.doses.as_slice()),
    }
}
