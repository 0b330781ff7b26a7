//! `dosegrid demo`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;

use super::{Cli, Command, compute, device, stdout, study};
use crate::demo::{Case, CaseFiles, DicomStudy, LoopbackServer, StylisedPhantom, figure, uptake};
use crate::domain::{Checks, DeviceInfo, DeviceKind, DeviceSelector, DoseError, Invalid, Provenance};
use crate::engine::list_devices;
use crate::formats::{atomic::write_bytes, nifti};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Device to compute on
    #[arg(long, value_name = "auto|cpu|gpu|gpu:N", default_value = "auto")]
    device: String,
    /// Folder for the case, the dose and the picture; created if needed
    #[arg(long, value_name = "DIR", default_value = "dosegrid-demo")]
    output_dir: PathBuf,
    /// Method of dose calculation
    #[arg(long, value_name = "local|kernel|monte-carlo", default_value = "monte-carlo")]
    method: String,
    /// Number of voxels along x, y and z, over a field of 500 × 500 × 461 mm
    #[arg(long, value_name = "X,Y,Z", default_value = "128,128,96", allow_hyphen_values = true)]
    shape: String,
    /// The other way: write a DICOM study of the case with three time points, and run `dosegrid study` on it
    #[arg(long)]
    dicom: bool,
    /// Print no progress and no summary
    #[arg(long)]
    quiet: bool,
}

/// Histories of Monte Carlo: some seconds on two cores. Tumours have 1σ of 2 % then; the lungs, which photons alone
/// reach, would take hours.
const HISTORIES: &str = "5e6";

/// Builds the case, starts a server on loopback, computes the dose on it with the command `compute`, and draws the
/// picture.
pub(super) fn run(args: Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let selector: Option<DeviceSelector> = checks.at("device", args.device.parse());
    let shape = checks.at("shape", parse_shape(&args.shape));
    let method = checks.at("method", parse_method(&args.method));
    checks.finish()?;
    let (selector, shape, method) =
        selector.zip(shape).zip(method).map(|((a, b), c)| (a, b, c)).expect("values without a fault are there");
    let say = |text: &str| if args.quiet { Ok(()) } else { stdout::print(&format!("{text}\n")) };

    if args.dicom {
        return run_study(&args, shape, method);
    }
    let device = device::open(selector)?;
    say(&describe_devices(selector, &device.info(), &list_devices()))?;

    let start = Instant::now();
    let case = Case::new(shape).map_err(|Invalid(reason)| DoseError::invalid("shape", reason))?;
    let files = write_case(&case, &args.output_dir)?;
    let outputs = Outputs::within(&args.output_dir);
    let case_s = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let server = LoopbackServer::start(device)?;
    say(&format!("server     {}\n", server.url()))?;
    let command = command(&files, &outputs, method);
    compute_on(&server, &command, args.quiet)?;
    server.stop()?;
    let compute_s = start.elapsed().as_secs_f64();

    let start = Instant::now();
    draw(&case, &outputs)?;
    let picture_s = start.elapsed().as_secs_f64();

    say(&format!(
        "\ndemo       case {case_s:.2} s, files and dose through gRPC {compute_s:.2} s, picture {picture_s:.2} s\n\
         written    {} (look at dose.png)\n\
         again      dosegrid {}",
        args.output_dir.display(),
        command.join(" ")
    ))
}

/// Writes the case as a study from the scanner, and does what a user would do with it.
fn run_study(args: &Args, shape: [u64; 3], method: &str) -> Result<(), DoseError> {
    let invalid = |Invalid(reason): Invalid| DoseError::invalid("shape", reason);
    let phantom = StylisedPhantom::new(shape).map_err(invalid)?;
    let folder = args.output_dir.join("dicom");
    DicomStudy::of(&phantom).map_err(invalid)?.write(&folder)?;
    let path = |path: &Path| path.display().to_string();
    let mut words = vec!["dosegrid".to_owned(), "study".to_owned(), path(&folder)];
    words.extend(["--output".to_owned(), path(&args.output_dir.join("study"))]);
    let flags = [("--method", method), ("--device", args.device.as_str())];
    words.extend(flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value.to_owned()]));
    if method == "monte-carlo" {
        words.extend(["--histories".to_owned(), HISTORIES.to_owned()]);
    }
    if args.quiet {
        words.push("--quiet".to_owned());
    } else {
        stdout::print(&format!("demo       {} written; now: {}\n\n", folder.display(), words.join(" ")))?;
    }
    let parsed = Cli::try_parse_from(words).expect("the command is well formed").command;
    let Command::Study(args) = parsed else { unreachable!("the command is `study`") };
    study::run(&args)
}

/// The output files.
struct Outputs {
    dose: PathBuf,
    organs: PathBuf,
    result: PathBuf,
    picture: PathBuf,
}

impl Outputs {
    fn within(folder: &Path) -> Self {
        Self {
            dose: folder.join("dose.nii.gz"),
            organs: folder.join("organs.csv"),
            result: folder.join("result.json"),
            picture: folder.join("dose.png"),
        }
    }
}

fn parse_shape(text: &str) -> Result<[u64; 3], Invalid> {
    let axes: Option<Vec<u64>> = text.split(',').map(|axis| axis.trim().parse().ok()).collect();
    axes.and_then(|axes| axes.try_into().ok())
        .ok_or_else(|| Invalid::new(format!("must be three whole numbers such as 128,128,96, got `{text}`")))
}

fn parse_method(name: &str) -> Result<&'static str, Invalid> {
    let known = ["local", "kernel", "monte-carlo"].into_iter().find(|known| *known == name);
    known.ok_or_else(|| Invalid::new(format!("must be local, kernel or monte-carlo, got `{name}`")))
}

/// The devices of this machine, and which of them computes: a demonstration must say so.
fn describe_devices(selector: DeviceSelector, chosen: &DeviceInfo, all: &[DeviceInfo]) -> String {
    let hardware = all.iter().any(|info| !matches!(info.kind, DeviceKind::Cpu | DeviceKind::SoftwareGpu));
    let mut text = String::new();
    for info in all {
        let mark = if info.id == chosen.id { "computes" } else { "" };
        text += &format!("device     {:<8} {:<9} {} ({}, {})\n", info.id, mark, info.name, info.backend, info.driver);
    }
    text += match (hardware, chosen.kind) {
        (false, DeviceKind::Cpu) => "           no hardware GPU was found: the CPU engine computes",
        (true, DeviceKind::Cpu) => "           there is a hardware GPU, but the CPU engine was requested",
        (_, DeviceKind::SoftwareGpu) => "           the WGSL engine computes on a software adapter, as requested",
        _ if selector == DeviceSelector::Auto => "           a hardware GPU was found: the WGSL engine computes on it",
        _ => "           the WGSL engine computes, as requested",
    };
    text
}

fn write_case(case: &Case, folder: &Path) -> Result<CaseFiles, DoseError> {
    let failed = |error: std::io::Error| DoseError::Io(format!("output-dir: cannot be written: {error}"));
    fs::create_dir_all(folder).map_err(failed)?;
    case.write(folder).map_err(failed)
}

/// The command that computes the dose in this process, as a user would type it. The demonstration runs it with a
/// server.
fn command(files: &CaseFiles, outputs: &Outputs, method: &str) -> Vec<String> {
    let path = |path: &Path| path.display().to_string();
    let flags = [
        ("--activity", path(&files.activity)),
        ("--activity-unit", "bq-s".to_owned()),
        ("--ct", path(&files.ct)),
        ("--nuclide", uptake::NUCLIDE.to_owned()),
        ("--method", method.to_owned()),
        ("--labels", path(&files.labels)),
        ("--label-names", path(&files.label_names)),
        ("--output", path(&outputs.dose)),
        ("--organs-output", path(&outputs.organs)),
        ("--json", path(&outputs.result)),
    ];
    let histories = (method == "monte-carlo").then(|| ("--histories", HISTORIES.to_owned()));
    let flags = flags.into_iter().chain(histories).flat_map(|(flag, value)| [flag.to_owned(), value]);
    std::iter::once("compute".to_owned()).chain(flags).collect()
}

fn compute_on(server: &LoopbackServer, command: &[String], quiet: bool) -> Result<(), DoseError> {
    let mut words = vec!["dosegrid".to_owned()];
    words.extend_from_slice(command);
    words.extend(["--server".to_owned(), server.url()]);
    if quiet {
        words.push("--quiet".to_owned());
    }
    let parsed = Cli::try_parse_from(words).expect("the command is well formed").command;
    let Command::Compute(args) = parsed else { unreachable!("the command is `compute`") };
    compute::run(*args)
}

/// Draws the picture from the output files, which a user has as well.
fn draw(case: &Case, outputs: &Outputs) -> Result<(), DoseError> {
    let unreadable =
        |what: &str, reason: &dyn std::fmt::Display| DoseError::Io(format!("{what}: cannot be read back: {reason}"));
    let dose = nifti::read(&outputs.dose).map_err(|invalid| unreadable("dose", &invalid))?.volume;
    let json = fs::read(&outputs.result).map_err(|error| unreadable("result", &error))?;
    let provenance: Provenance = serde_json::from_slice(&json).map_err(|error| unreadable("result", &error))?;
    let png = figure(case, &dose, &provenance)?;
    write_bytes(&outputs.picture, &png).map_err(|error| DoseError::Io(format!("picture: cannot be written: {error}")))
}
