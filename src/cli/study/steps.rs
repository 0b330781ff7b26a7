//! The steps of a study: each is what another command does, with the same code.

use std::path::Path;

use clap::Parser;
use serde_json::json;

use super::plan::{Integrated, Plan};
use super::stages::Stages;
use super::{Args, word};
use crate::cli::integrate::held::{Held, KINDS, TIA_SIGMA};
use crate::cli::integrate::maps::{Maps, integrate_maps};
use crate::cli::remote::RemoteArgs;
use crate::cli::report_again::{CURVES, DATA_FOLDER, REPORT, RTDOSE};
use crate::cli::time_points::{read_on_one_grid, regions_on};
use crate::cli::{Cli, Command, compute, convert, report_data, stdout};
use crate::clinic::VoxelRegion;
use crate::domain::{Checks, DoseError, Invalid, RigidTransform, Volume, VoxelGrid, Warning, warning};
use crate::formats::atomic::remove_if_there;
use crate::formats::dicom::{Quantity, check_no_third, space_of_frame};
use crate::formats::transform::{self, TransformFile};
use crate::formats::volume_file::{Origin, read_volume_of, write_volume};
use crate::formats::{json, labels};
use crate::resample::Space;

/// Bq in a MBq.
const BQ_PER_MBQ: f64 = 1e6;

/// Names of the files that hold what.
pub(in crate::cli) const ACTIVITY: &str = "activity.nii.gz";
const TIA: &str = "tia.nii.gz";
const DOSE: &str = "dose.nii.gz";
pub(in crate::cli) const SIGMA: &str = "sigma.nii.gz";
/// What was taken, assumed and done.
const ACCOUNT: &str = "study.json";
/// From points of the activity to those of the CT, as ITK has it.
const REGISTRATION: &str = "activity_to_ct.tfm";

/// Whether doses lie in other coordinates than the CT, to whose frame of reference their DICOM objects belong.
fn leads_to_ct(args: &Args) -> bool {
    args.transform.is_some() && !args.passed.is_on_ct()
}

/// What a study writes: a flag of `compute`, or none, and a file.
pub(super) fn files(plan: &Plan, args: &Args) -> Vec<(Option<&'static str>, &'static str)> {
    let all = all_files(plan, args).into_iter();
    all.filter(|(is_written, _, _)| *is_written).map(|(_, flag, name)| (flag, name)).collect()
}

/// What a study may write: whether this one does, a flag of `compute`, or none, and a file.
fn all_files(plan: &Plan, args: &Args) -> [(bool, Option<&'static str>, &'static str); 17] {
    let has_curves = matches!(plan.integrated, Integrated::ByCurves(_));
    let (sigma, organs) = (args.passed.is_monte_carlo(), plan.labels.is_some());
    // A report needs the maps, which stay on the server.
    let here = args.remote.server.is_none();
    [
        (true, None, ACTIVITY),
        (leads_to_ct(args), None, REGISTRATION),
        (has_curves, None, CURVES),
        (has_curves, None, "curves.csv"),
        (has_curves, None, "curves.png"),
        (has_curves, None, TIA),
        (true, Some("--output"), DOSE),
        (sigma, Some("--uncertainty-output"), SIGMA),
        (organs, Some("--organs-output"), "organs.csv"),
        (organs, Some("--dose-volume-output"), "dose_volume.csv"),
        (true, Some("--json"), "result.json"),
        (here, Some("--report"), REPORT),
        (here, Some("--report-data"), DATA_FOLDER),
        (true, Some("--summary-output"), "summary.dcm"),
        (true, None, RTDOSE),
        (sigma, None, "sigma.dcm"),
        (true, None, ACCOUNT),
    ]
}

/// Removes what an earlier study left in the folder: files of two studies would look like those of one. First goes the
/// account, which is written last: it says that all else is there, whenever this is ended.
fn clear(output: &Path, plan: &Plan, args: &Args) -> Result<(), DoseError> {
    let names = all_files(plan, args).map(|(_, _, name)| name).into_iter().filter(|name| *name != DATA_FOLDER);
    for name in [ACCOUNT].into_iter().chain(names).chain([TIA_SIGMA, KINDS]) {
        remove_if_there(&output.join(name)).map_err(|error| DoseError::Io(format!("output: {name}: {error}")))?;
    }
    report_data::clear(&output.join(DATA_FOLDER))
        .map_err(|error| DoseError::Io(format!("output: {DATA_FOLDER}: {error}")))
}

/// The commands that compute and convert, as a user would type them.
pub(super) fn commands(args: &Args, plan: &Plan) -> Vec<Vec<String>> {
    let output = args.output.as_deref().unwrap_or(Path::new("OUT"));
    let place = |name: &str| word(&output.join(name));
    let ct = word(&plan.ct.path);
    let words = |list: &[&str]| -> Vec<String> { list.iter().map(|word| (*word).to_owned()).collect() };
    let mut compute = words(&["compute", "--nuclide", &plan.line.nuclide.name, "--ct", &ct]);
    match &plan.integrated {
        Integrated::ByHalfLife(half_life) => {
            let after = format!("{}h", plan.line.points[0].hours);
            let map = ["--activity", &place(ACTIVITY), "--activity-unit", "bq-per-ml"];
            compute.extend(words(&map));
            compute.extend(words(&["--effective-half-life", half_life, "--imaged-after", &after]));
        }
        Integrated::ByCurves(_) => {
            compute.extend(words(&["--activity", &place(TIA), "--activity-unit", "bq-s"]));
            if args.remote.server.is_none() {
                compute.extend(words(&["--report-curves", &place(CURVES)]));
            }
        }
    }
    if let Some(mbq) = plan.line.administered_mbq {
        compute.extend(words(&["--injected-activity", &format!("{mbq}MBq")]));
    }
    if let Some(labels) = &plan.labels {
        compute.extend(words(&["--labels", &word(&labels.path)]));
    }
    if let Some(transform) = &args.transform {
        compute.extend(words(&["--transform", &word(transform)]));
    }
    compute.extend(words(&["--reference", &ct]));
    compute.extend(args.passed.words());
    // Who calls it stands in no record.
    compute.extend(args.remote.server.iter().flat_map(|url| ["--server".to_owned(), url.clone()]));
    let outputs = files(plan, args).into_iter().filter_map(|(flag, name)| Some([flag?.to_owned(), place(name)]));
    compute.extend(outputs.flatten());
    let rtdose = |from: &str, to: &str, kind: &str| {
        let (from, to) = (place(from), place(to));
        let mut convert = words(&["convert", &from, "--as", "rtdose", "--kind", kind, "--reference", &ct]);
        if leads_to_ct(args) {
            convert.extend(words(&["--reference-transform", &place(REGISTRATION)]));
        }
        convert.extend(words(&["--output", &to]));
        convert
    };
    let mut all = vec![compute, rtdose(DOSE, RTDOSE, "physical")];
    if args.passed.is_monte_carlo() {
        all.push(rtdose(SIGMA, "sigma.dcm", "uncertainty"));
    }
    all
}

/// What reading and placing will tell, before anything is computed: of time points that see less than the reference, of
/// regions that are left out.
///
/// # Errors
/// If they cannot be read or placed.
pub(super) fn foretold(args: &Args, plan: &Plan) -> Result<Vec<String>, DoseError> {
    let mut told = Vec::new();
    let maps = maps(plan, &mut told)?;
    let transform = registration(args, plan, maps[plan.reference].grid())?;
    match (&plan.integrated, &plan.labels) {
        (Integrated::ByCurves(_), Some(_)) => drop(regions(plan, &maps[0], transform.as_ref(), &mut told)?),
        (Integrated::ByHalfLife(_), Some(labels)) => {
            let read = labels::read(std::slice::from_ref(&labels.path));
            let read = read.map_err(|Invalid(reason)| DoseError::invalid("labels-series", reason))?;
            told.extend(read.warnings);
        }
        (_, None) => {}
    }
    Ok(told)
}

/// The activities on the grid of the reference, their totals kept [MBq a voxel].
fn maps(plan: &Plan, told: &mut Vec<String>) -> Result<Vec<Volume<f32>>, DoseError> {
    let mut checks = Checks::new();
    let maps = read_on_one_grid(&plan.folder, &plan.line, plan.reference, &plan.chosen, told, &mut checks);
    checks.finish()?;
    let (maps, _) = maps.ok_or_else(|| DoseError::Internal("a fault was not recorded".into()))?;
    Ok(maps)
}

/// Does what the plan says.
pub(super) fn run(args: &Args, plan: &Plan, output: &Path, stages: &mut Stages) -> Result<(), DoseError> {
    std::fs::create_dir_all(output).map_err(|error| cannot_write("", &error))?;
    clear(output, plan, args)?;
    stages.begin("reading and placing activities");
    let mut told = plan.line.assumed.clone();
    let maps = maps(plan, &mut told)?;
    let fixed = &maps[plan.reference];
    write_activity(output, fixed)?;
    let transform = registration(args, plan, fixed.grid())?;
    if let Some(transform) = transform.as_ref().filter(|_| leads_to_ct(args)) {
        transform::write(&output.join(REGISTRATION), transform).map_err(|error| cannot_write(REGISTRATION, &error))?;
    }
    if let Integrated::ByCurves(by) = plan.integrated {
        stages.begin("curves and integrals");
        let regions = regions(plan, &maps[0], transform.as_ref(), &mut told)?;
        let draft = plan.line.draft(args.curve.infusion);
        let maps = Maps { held: Held::Activity, volumes: maps, origin: Origin::default(), draft, regions };
        let report = integrate_maps(&args.curve, &plan.asked, by, maps, None)?;
        report.write(output)?;
        told.extend(report.told());
        if !args.passed.quiet {
            stdout::print(&report.text())?;
        }
    }
    stages.begin("dose, tables and report");
    let commands = commands(args, plan);
    for (number, command) in commands.iter().enumerate() {
        if number == 1 {
            stages.begin("DICOM objects");
        }
        run_command(command, &told, &args.remote)?;
    }
    stages.end();
    let account = json!({
        "format": "dosegrid.study",
        "version": 1,
        "nuclide": plan.line.nuclide.name,
        "injection": plan.line.injection,
        "administered_activity_mbq": plan.line.administered_mbq,
        "infusion_h": args.curve.infusion,
        "time_points": plan.line.points.iter().map(|point| json!({
            "series_uid": point.series,
            "frame_of_reference": point.frame,
            "time": point.time,
            "hours_after_injection": point.hours,
            "total_mbq": point.total_mbq,
        })).collect::<Vec<_>>(),
        "reference_series_uid": plan.line.points[plan.reference].series,
        "ct_series_uid": plan.ct.series,
        "labels_series_uid": plan.labels.as_ref().map(|labels| &labels.series),
        "assumed": told,
        "commands": commands,
        "stages": stages.ended(),
    });
    json::write(&output.join(ACCOUNT), &account).map_err(|error| cannot_write(ACCOUNT, &error))?;
    if args.passed.quiet {
        return Ok(());
    }
    // Not every curve has a standard deviation.
    let sigma = output.join(TIA_SIGMA).exists().then_some(TIA_SIGMA);
    let names: Vec<&str> = files(plan, args).iter().map(|(_, name)| *name).chain(sigma).collect();
    stdout::print(&format!("\nwritten    {}: {}\n{}", output.display(), names.join(", "), stages.line()))
}

fn cannot_write(name: &str, error: &std::io::Error) -> DoseError {
    DoseError::Io(format!("output: {name} cannot be written: {error}"))
}

/// The activity of the reference time point, as a concentration.
fn write_activity(output: &Path, map: &Volume<f32>) -> Result<(), DoseError> {
    let factor = BQ_PER_MBQ / map.grid().voxel_volume_cm3();
    #[expect(clippy::cast_possible_truncation, reason = "maps have single precision")]
    let concentration = map.map(|value| (f64::from(*value) * factor) as f32);
    let text = "dosegrid study: activity concentration [Bq/mL]";
    write_volume(&output.join(ACTIVITY), &concentration, text, &Origin::default())
        .map_err(|error| cannot_write(ACTIVITY, &error))
}

/// The regions of the curves; without organs, all as one.
///
/// * `transform` – from points of the activity to those of the CT, where a caller gave it
fn regions(
    plan: &Plan,
    map: &Volume<f32>,
    transform: Option<&RigidTransform>,
    told: &mut Vec<String>,
) -> Result<Vec<VoxelRegion>, DoseError> {
    let Some(planned) = &plan.labels else {
        let voxels = (0_u32..).take(map.grid().voxels()).collect();
        return Ok(vec![VoxelRegion { name: "all".into(), voxels }]);
    };
    let invalid = |field: &'static str| move |Invalid(reason): Invalid| DoseError::invalid(field, reason);
    let files = labels::read(std::slice::from_ref(&planned.path)).map_err(invalid("labels-series"))?;
    told.extend(files.warnings.iter().cloned());
    let own = files.dicom.as_ref().and_then(|labels| labels.frame_of_reference.as_deref());
    let activity = plan.line.points[plan.reference].frame.as_deref();
    let ct = plan.ct.frame.as_deref();
    // As `compute` places them.
    let is_with_ct = match space_of_frame(own, activity, ct) {
        Some(space) => space == Space::Ct,
        None => map.grid().check_same(files.organs.grid()).is_err(),
    };
    if transform.is_some() {
        check_no_third(own, activity, ct).map_err(invalid("labels-series"))?;
    }
    let transform = transform.filter(|_| is_with_ct).unwrap_or(&RigidTransform::IDENTITY);
    regions_on(&files.organs, map.grid(), transform, told)
}

/// From points of the activity to those of the CT, where a caller gave it.
fn registration(args: &Args, plan: &Plan, activity: &VoxelGrid) -> Result<Option<RigidTransform>, DoseError> {
    let Some(path) = &args.transform else { return Ok(None) };
    let read = || match transform::read(path)? {
        TransformFile::Itk(transform) => Ok(transform),
        file @ TransformFile::Fsl(_) => {
            let ct = read_volume_of(&plan.ct.path, Quantity::Hu)?;
            file.between(ct.volume.grid(), activity)
        }
    };
    read().map(Some).map_err(|Invalid(reason)| DoseError::invalid("transform", reason))
}

/// Runs a command as if it had been typed.
///
/// * `told` – what was assumed before it, for its report
/// * `remote` – the server of the study, and who calls it
fn run_command(command: &[String], told: &[String], remote: &RemoteArgs) -> Result<(), DoseError> {
    let words = std::iter::once("dosegrid".to_owned()).chain(command.iter().cloned());
    let parsed = Cli::try_parse_from(words).map_err(|error| DoseError::Internal(error.to_string()))?;
    if let Command::Compute(mut args) = parsed.command {
        args.leave_to(remote.clone());
        let words = |words: &String| Warning::new(warning::INPUT_FILE, "study", words.as_str());
        compute::run_with(*args, told.iter().map(words).collect())
    } else if let Command::Convert(args) = parsed.command {
        convert::run(&args)
    } else {
        Err(DoseError::Internal("a study has no such step".into()))
    }
}
