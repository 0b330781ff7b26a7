//! `dosegrid capture`: what a GPU was given and what it answered, in a file. See `docs/capture.md`.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::device;
use super::places::check_places;
use super::stdout;
use crate::bench::{self, BenchSource, CaptureCase, UNLIKE_AXES};
use crate::domain::{Checks, Control, DeviceInfo, DeviceSelector, DoseError};
use crate::engine::Device;
use crate::engine::gpu::Recording;
use crate::formats::atomic::write_file;
use crate::physics::nuclide;

/// The end of the name of a capture.
const EXTENSION: &str = "dgcap";
/// Edge of the voxels of layers, and of the body [mm].
const LAYERS_MM: f64 = 3.0;
const BODY_MM: f64 = 4.8;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// What is computed: a convolution (those with a number have axes of unlike lengths), each body of the transport by
    /// itself (twins), or Monte Carlo transport in layers of soft tissue, lung and bone or in a stylised adult.
    /// `compute --capture` keeps a request of your own
    #[arg(
        long,
        value_name = "convolution|convolution-252|convolution-240|twins|layers|body",
        default_value = "layers"
    )]
    case: String,
    /// What decays in layers or in the body
    #[arg(long, value_name = "NAME", default_value = "Lu-177")]
    nuclide: String,
    /// Decays in layers or in the body
    #[arg(long, value_name = "N", default_value_t = 200_000, allow_negative_numbers = true)]
    histories: u64,
    /// The GPU that computes; auto takes software where there is no other
    #[arg(long, value_name = "auto|gpu|gpu:N", default_value = "auto")]
    device: String,
    /// The capture to write
    #[arg(long, value_name = "FILE.dgcap")]
    output: PathBuf,
}

/// Computes a case on a GPU, and writes what it was given.
pub(super) fn run(args: &Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let selector: Option<DeviceSelector> = checks.at("device", args.device.parse());
    let case = args.case(&mut checks);
    check_output(&args.output, "output", &mut checks);
    check_places([], [("output", Some(args.output.as_path()))], &mut checks);
    checks.finish()?;
    let (selector, case) = (selector.expect("it was checked"), case.expect("it was checked"));
    let mut device = open(selector)?;
    stdout::print(&format!("{}\n{}\n", device::chosen(selector, &device.info()), case.title()))?;
    let recording = bench::capture(&mut device, &case, &Control::detached())?;
    write(&args.output, &recording, &case.title(), &device.info())
}

impl Args {
    /// The case; none if a fault was recorded.
    fn case(&self, checks: &mut Checks) -> Option<CaptureCase> {
        let nuclide = checks.at("nuclide", nuclide::find(&self.nuclide));
        if self.histories == 0 || self.histories > u64::from(u32::MAX) {
            checks.fail("histories", format!("is from 1 to {}, got {}", u32::MAX, self.histories));
        }
        if let Some(axes) = UNLIKE_AXES.into_iter().find(|axes| axes.name == self.case) {
            return Some(CaptureCase::UnlikeAxes(axes));
        }
        let (source, spacing_mm) = match self.case.as_str() {
            "convolution" => return Some(CaptureCase::Convolution),
            "twins" => return Some(CaptureCase::Twins),
            "layers" => (BenchSource::Layers, LAYERS_MM),
            "body" => (BenchSource::Body, BODY_MM),
            other => {
                let unlike = UNLIKE_AXES.map(|axes| axes.name).join(", ");
                checks.fail("case", format!("is convolution, {unlike}, twins, layers or body, got `{other}`"));
                return None;
            }
        };
        Some(CaptureCase::Transport { nuclide: nuclide?, source, spacing_mm, histories: self.histories })
    }
}

/// Opens the GPU whose work is to be kept.
///
/// # Errors
/// A fault of `device`, with the devices that exist, if the one that was named does not.
pub(super) fn open(selector: DeviceSelector) -> Result<Device, DoseError> {
    Device::open_portable(selector).map_err(device::by_flag)
}

/// Records a name that a capture does not have.
pub(super) fn check_output(path: &Path, flag: &str, checks: &mut Checks) {
    if path.extension().is_none_or(|extension| extension != EXTENSION) {
        checks.fail(flag, format!("{} does not end with .{EXTENSION}", path.display()));
    }
}

/// Writes what was kept, and says what it is.
pub(super) fn write(path: &Path, recording: &Recording, title: &str, device: &DeviceInfo) -> Result<(), DoseError> {
    let failed = |error| DoseError::Io(format!("cannot write {}: {error}", path.display()));
    let bytes = recording.to_file(title, device).map_err(failed)?;
    write_file(path, |file| file.write_all(&bytes)).map_err(failed)?;
    stdout::print(&format!("{}: {:.1} MB\n", path.display(), bytes.len() as f64 / 1e6))
}
