//! `dosegrid compute`: from files to files, in this process or on a server.

mod belongings;
mod files;
mod grids;
mod inputs;
pub(super) mod interrupt;
mod method;
mod monte_carlo;
mod outgoing;
mod place;
mod remote;
pub(super) mod source;
mod unit;
mod volumes;

use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use super::capture;
use super::device;
use super::flags::by_flag;
use super::outputs::{self, OutputArgs, Ready, ResultInputs};
use super::progress::ProgressReport;
use super::remote::RemoteArgs;
use super::report::ReportInputs;
use super::stdout;
use super::summary::{activity_lines, memory_line};
use crate::api::ServerConfig;
use crate::domain::{
    ActivityAccount, Checks, Control, DensityMap, DeviceSelector, DoseError, DoseRequest, DoseResult, Method,
    Violation, Warning,
};
use crate::engine::Device;
use crate::engine::gpu::Recording;
use crate::formats::volume_file::OutputFormat;
use crate::plan::{self, Limits};
use grids::GridArgs;
use inputs::Inputs;
use method::{MethodArgs, WeightingArgs};
use monte_carlo::MonteCarloArgs;
use place::{Place, PlaceArgs};
use source::SourceArgs;
use volumes::VolumeArgs;

/// Most host memory for a computation in this process [bytes]. The machine is the caller's own, so only absurd sizes
/// are refused.
const HOST_BYTES: u64 = 1 << 38;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    volumes: VolumeArgs,
    #[command(flatten)]
    grids: GridArgs,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    method: MethodArgs,
    #[command(flatten)]
    monte_carlo: MonteCarloArgs,
    #[command(flatten)]
    outputs: OutputArgs,
    #[command(flatten)]
    weighting: WeightingArgs,
    #[command(flatten)]
    place: PlaceArgs,
    /// Keep what the GPU is given and what it answers in this file, to be run again by any other WebGPU. It holds the
    /// activity and the densities of every voxel, but no names
    #[arg(long, value_name = "FILE.dgcap", help_heading = "Outputs")]
    capture: Option<PathBuf>,
    /// Make warnings errors: nothing is computed where they are known before, and nothing is written
    #[arg(long)]
    strict: bool,
}

impl Args {
    /// Leaves the work to a server, if one is named.
    pub(super) fn leave_to(&mut self, remote: RemoteArgs) {
        self.place.leave_to(remote);
    }

    /// Records flags that have no effect with the method that was chosen.
    fn check_method(&self, checks: &mut Checks) {
        if self.method.is_monte_carlo() {
            return;
        }
        let outputs = [
            ("uncertainty-output", self.outputs.uncertainty_output.is_some()),
            ("tally-output", self.outputs.tally_output.is_some()),
        ];
        let outputs = outputs.into_iter().filter_map(|(flag, is_given)| is_given.then_some(flag));
        for flag in self.monte_carlo.given().chain(outputs) {
            checks.fail(flag, format!("has no effect with --method {}", self.method.method));
        }
    }

    /// Opens the device that computes, and says which.
    fn open(&self, selector: DeviceSelector) -> Result<Device, DoseError> {
        if self.capture.is_none() {
            return device::open_aloud(selector, self.outputs.quiet);
        }
        let mut device = capture::open(selector)?;
        device.record();
        if !self.outputs.quiet {
            tell!("device {}", device::chosen(selector, &device.info()));
        }
        Ok(device)
    }

    /// Writes what the device was given, if that is wanted; whether it was given anything that has a result.
    fn keep_capture(&self, device: &mut Device) -> Result<bool, DoseError> {
        let Some(path) = &self.capture else { return Ok(false) };
        let Some(recording) = device.take_recording().filter(Recording::has_results) else { return Ok(false) };
        capture::write(path, &recording, &self.method.method, &device.info())?;
        Ok(true)
    }

    /// Input files by their flags.
    fn named_files(&self) -> Vec<(&'static str, PathBuf)> {
        let labels = self.outputs.labels.iter().map(|path| ("labels", path.as_path()));
        let names = self.outputs.label_names.iter().map(|path| ("label-names", path.as_path()));
        let files = self.volumes.named_files().chain(labels).chain(names);
        files.map(|(flag, path)| (flag, path.to_owned())).collect()
    }

    /// Records outputs that cannot be written, or that would replace an input.
    fn check_outputs(&self, checks: &mut Checks) -> Ready {
        let files = self.volumes.files().chain(self.source.files()).chain(self.monte_carlo.files());
        let files = files.chain(self.grids.files());
        let dose_on_ct = self.grids.dose_on_ct.as_deref();
        dose_on_ct.and_then(|path| checks.at("dose-on-ct", OutputFormat::of_name(path)));
        let more = [("dose-on-ct", dose_on_ct), ("capture", self.capture.as_deref())];
        self.outputs.check(files.map(Some), &more, self.volumes.ct_path(), checks)
    }
}

/// Records faults of flags, as far as they are found before any file is read.
///
/// * `flags` – those that are looked at
pub(super) fn check_flags(args: &Args, flags: &[&str], checks: &mut Checks) {
    let mut found = Checks::new();
    args.place.check(&mut found);
    args.check_method(&mut found);
    outgoing::check_flags(args, &mut found);
    args.outputs.report.read(&mut found);
    let faults = found.finish().err().map(|error| error.violations()).unwrap_or_default();
    for Violation { field, reason } in faults.into_iter().filter(|fault| flags.contains(&fault.field.as_str())) {
        checks.fail(field, reason);
    }
}

pub(super) fn run(args: Args) -> Result<(), DoseError> {
    run_with(args, Vec::new())
}

/// As [`run`], with warnings of what was done to the inputs before.
pub(super) fn run_with(args: Args, before: Vec<Warning>) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let place = args.place.check(&mut checks);
    args.check_method(&mut checks);
    if let Some(path) = &args.capture {
        capture::check_output(path, "capture", &mut checks);
        match place {
            Place::Server(_) => checks.fail("capture", "has no effect with --server"),
            Place::Here(DeviceSelector::Cpu) => checks.fail("capture", "needs a GPU: --device gpu"),
            Place::Here(_) if args.method.method == "local" => {
                checks.fail("capture", "has no effect with --method local, which gives a GPU nothing to do");
            }
            Place::Here(_) => {}
        }
    }
    match place {
        Place::Here(selector) => run_here(&args, before, selector, checks),
        Place::Server(remote) => remote::run(&args, &remote, checks),
    }
}

/// Computes in this process.
///
/// * `before` – warnings of what was done to the inputs before
fn run_here(args: &Args, before: Vec<Warning>, selector: DeviceSelector, mut checks: Checks) -> Result<(), DoseError> {
    let inputs = Inputs::read(args, &mut checks);
    checks.finish()?;
    let inputs = inputs.expect("inputs without a fault are complete");
    let density = args.volumes.density_flag();
    let mut known = inputs.warnings.clone();
    Warning::add(&mut known, Warning::of_request(&inputs.request));
    if !args.outputs.quiet {
        stdout::print(&activity_lines(&ActivityAccount::of(&inputs.request)))?;
    }
    Warning::check(&known, args.strict).map_err(|error| told_by_flag(error, density))?;
    print_warnings(&known, density);
    if let (Method::MonteCarlo(_), false) = (inputs.request.method(), args.outputs.quiet) {
        let planned = plan::plan(&inputs.request, &limits()).map_err(|error| told_by_flag(error, density))?;
        stdout::print(&memory_line(planned.host_bytes))?;
    }
    let mut report = ProgressReport::new(args.outputs.quiet);
    let mut device = args.open(selector)?;
    let enough = if args.monte_carlo.keep_partial {
        interrupt::first(interrupt::WITH_HISTORIES)?
    } else {
        CancellationToken::new()
    };
    let result = compute_here(&mut device, &inputs.request, enough, &mut report);
    report.finish();
    // Before all else: it is wanted above all of what fails.
    let is_kept = args.keep_capture(&mut device)?;
    if let (Err(_), Some(path), true) = (&result, &args.capture, is_kept) {
        tell!("what the device was given until then is in {}", path.display());
    }
    let mut result = result.map_err(|error| told_by_flag(error, density))?;
    if args.capture.is_some() && !is_kept {
        return Err(DoseError::Internal("the device was given nothing that a capture could keep".to_owned()));
    }
    result.warnings.retain(|warning| !known.contains(warning));
    print_warnings(&result.warnings, density);
    Warning::check(&result.warnings, args.strict).map_err(|error| told_by_flag(error, density))?;
    result.warnings.splice(0..0, before.into_iter().chain(known));
    let (activity, density) = (inputs.request.activity(), inputs.request.density());
    let table = |organs| args.outputs.organ_tables(&result, activity, density, organs, &inputs.names);
    let organs = inputs.organs.as_ref().map(table);
    if let Some(path) = &args.grids.dose_on_ct {
        inputs.write_dose_on_ct(path, &result)?;
    }
    let account = inputs.account(args);
    let report = ReportInputs {
        density: density.map(DensityMap::g_cm3),
        organs: inputs.organs.as_ref(),
        files: args.named_files(),
    };
    let (origin, ready) = (inputs.origin, inputs.ready);
    let from = ResultInputs { organs: organs.as_ref(), inputs: account, origin, ready, report: Some(report) };
    outputs::write(&args.outputs, &from, &result)
}

/// Names faults that the plan or a server found, and warnings that are errors, by their flags.
fn told_by_flag(error: DoseError, density: &str) -> DoseError {
    if let DoseError::Invalid(faults) = error {
        DoseError::Invalid(faults.into_iter().map(|fault| by_flag(fault, density)).collect())
    } else if let DoseError::TooLarge { what: "the convolution", needed_bytes, limit_bytes } = error {
        let what = "the convolution (with --truncation-radius it is smaller)";
        DoseError::TooLarge { what, needed_bytes, limit_bytes }
    } else if let DoseError::Implausible(warnings) = error {
        DoseError::Implausible(warnings.into_iter().map(|warning| warning_by_flag(warning, density)).collect())
    } else {
        error
    }
}

fn warning_by_flag(Warning { reason, message, field }: Warning, density: &str) -> Warning {
    let Violation { field, reason: message } = by_flag(Violation { field, reason: message }, density);
    Warning { reason, message, field }
}

fn print_warnings(warnings: &[Warning], density: &str) {
    for warning in warnings {
        let Warning { reason, message, field } = warning_by_flag(warning.clone(), density);
        tell!("warning: {field}: {message} ({reason})");
    }
}

/// What a computation in this process may use. The same workspace as in a server: the last bits of the dose depend on
/// the blocks into which a convolution is cut.
fn limits() -> Limits {
    Limits { host_bytes: HOST_BYTES, ..ServerConfig::default().plan_limits() }
}

/// Runs the request on a separate thread and reports its progress.
fn compute_here(
    device: &mut Device,
    request: &DoseRequest,
    enough: CancellationToken,
    report: &mut ProgressReport,
) -> Result<DoseResult, DoseError> {
    let (control, progress) = Control::new(CancellationToken::new());
    let control = control.with_enough(enough);
    std::thread::scope(|scope| {
        // The thread drops the control when it ends, which ends the wait for progress.
        let run = scope.spawn(move || crate::compute(request, device, &limits(), &control));
        report.follow(progress);
        run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
