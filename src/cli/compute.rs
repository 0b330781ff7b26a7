//! `dosegrid compute`: from files to files, in this process or on a server.

mod daughters;
mod inputs;
mod monte_carlo;
mod options;

use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use super::outputs::{self, MadeFrom, OutputArgs};
use super::progress::ProgressReport;
use crate::api::{ServerConfig, client::Client};
use crate::domain::{Checks, Control, DeviceSelector, DoseError, DoseRequest, DoseResult};
use crate::engine::Device;
use crate::plan::Limits;
use crate::{method, plan};
use daughters::DaughterArgs;
use inputs::Inputs;
use monte_carlo::MonteCarloArgs;
use options::{Options, Target, flag_of};

/// Host memory that a computation in this process may take [bytes]: the machine is the caller's own, so only what cannot be meant is refused.
const HOST_BYTES: u64 = 1 << 38;

// Every flag is optional to the parser and a string where it is a number, so that one run names every fault.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Activity map, NIfTI-1 (required)
    #[arg(long, value_name = "FILE")]
    activity: Option<PathBuf>,
    /// What its values are: bq-s and mbq-h are time-integrated, bq is the activity at one moment (required)
    #[arg(long, value_name = "bq-s|mbq-h|bq")]
    activity_unit: Option<String>,
    /// With bq: effective half-life, such as 50h or 2.1d (units s, min, h, d), or `physical` for the nuclide's own
    #[arg(long, value_name = "TIME|physical")]
    effective_half_life: Option<String>,
    /// Mass density in g/cm³, NIfTI-1 on the grid of the activity
    #[arg(long, value_name = "FILE")]
    density: Option<PathBuf>,
    /// CT in HU, NIfTI-1 on the grid of the activity, in place of the density
    #[arg(long, value_name = "FILE")]
    ct: Option<PathBuf>,
    /// Calibration of the CT, CSV of hu,density_g_cm3; without it that of Schneider 2000
    #[arg(long, value_name = "FILE")]
    hu_curve: Option<PathBuf>,
    /// Radionuclide, such as Lu-177; `dosegrid nuclides` lists them (required, but with --emissions)
    #[arg(long, value_name = "NAME")]
    nuclide: Option<String>,
    /// Method
    #[arg(long, value_name = "local|kernel|monte-carlo", default_value = "kernel")]
    method: String,
    /// What the method kernel takes all to be made of: water, soft_tissue, lung, compact_bone or cortical_bone [default: water]
    #[arg(long, value_name = "NAME")]
    kernel_medium: Option<String>,
    /// What the method kernel makes of the density: nothing, or corrections for charged particles and photons [default: density-scaled]
    #[arg(long, value_name = "water|density-scaled")]
    density_correction: Option<String>,
    /// Radius in mm past which the kernel is cut off [default: none]
    #[arg(long, value_name = "MM", allow_negative_numbers = true)]
    truncation_radius: Option<String>,
    /// Voxels of a lower density, in g/cm³, get no dose [default: 0.05]
    #[arg(long, value_name = "G_CM3", allow_negative_numbers = true)]
    minimum_density: Option<String>,
    /// Device of this machine [default: auto]
    #[arg(long, value_name = "auto|cpu|gpu|gpu:N")]
    device: Option<String>,
    /// Compute on this server in place of this process
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    #[command(flatten)]
    daughters: DaughterArgs,
    #[command(flatten)]
    monte_carlo: MonteCarloArgs,
    #[command(flatten)]
    outputs: OutputArgs,
}

pub(super) fn run(args: Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let options = Options::check(&args, &mut checks);
    let inputs = Inputs::read(&args, &options, &mut checks);
    checks.finish()?;
    let inputs = inputs.expect("inputs without a fault are complete");
    for warning in &inputs.warnings {
        eprintln!("warning: {warning}");
    }
    let mut report = ProgressReport::new(args.outputs.quiet);
    let result = match &options.target {
        Target::Here(selector) => compute_here(*selector, &inputs.request, &mut report),
        Target::Server(url) => compute_on_server(url, &inputs.request, &mut report),
    };
    report.finish();
    let result = result.map_err(by_flag)?;
    let from = MadeFrom {
        activity: inputs.request.activity(),
        density: inputs.request.density(),
        labels: inputs.labels.as_ref(),
        names: &inputs.names,
        inputs: inputs.account(&args),
    };
    outputs::write(&args.outputs, &from, &result)
}

/// Names the flag of a field that only the plan, or a server, found at fault.
fn by_flag(mut error: DoseError) -> DoseError {
    if let DoseError::TooLarge { what, .. } = &mut error {
        *what = match *what {
            "the convolution" => "the convolution (with --truncation-radius it is smaller)",
            other => other,
        };
    }
    if let DoseError::Invalid(violations) = &mut error {
        violations.iter_mut().for_each(|violation| violation.field = flag_of(&violation.field).to_owned());
    }
    error
}

/// Runs the request on a thread of its own and reports its progress meanwhile.
fn compute_here(
    selector: DeviceSelector,
    request: &DoseRequest,
    report: &mut ProgressReport,
) -> Result<DoseResult, DoseError> {
    // The workspace of a server, because the dose depends in its last bits on the blocks that a convolution is cut into.
    let limits = Limits { host_bytes: HOST_BYTES, ..ServerConfig::default().plan_limits() };
    let plan = plan::plan(request, &limits)?;
    let mut device = Device::open(selector)?;
    let (control, progress) = Control::new(CancellationToken::new());
    std::thread::scope(|scope| {
        // The control is dropped with the thread, which ends the wait for progress.
        let run = scope.spawn(move || method::run(&mut device, &plan, request, &control));
        report.follow(progress);
        run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Sends the request to a server. What comes back is the same bytes as from this process on the same device.
fn compute_on_server(url: &str, request: &DoseRequest, report: &mut ProgressReport) -> Result<DoseResult, DoseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| DoseError::Io(format!("no asynchronous runtime: {error}")))?;
    runtime.block_on(async {
        let client = Client::connect(url).await?;
        client.compute(request, |progress| report.update(progress)).await
    })
}
