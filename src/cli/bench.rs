//! `dosegrid bench`.

use std::path::PathBuf;

use serde_json::json;

use super::{device, stdout};
use crate::bench::{self, ConvolutionSpeed, TransportSpeed};
use crate::domain::{Checks, DeviceKind, DeviceSelector, DoseError, Source};
use crate::formats::json::write;
use crate::physics::nuclide;
use crate::validate::layered;

/// Convolution that is measured: voxels along an edge of the volume, and voxels of the kernel on each side of its
/// centre.
const CONVOLUTION: (u64, usize) = (128, 16);
/// The same for a software adapter.
const SMALL_CONVOLUTION: (u64, usize) = (48, 8);
/// Time for each nuclide [s].
const SECONDS: f64 = 3.0;
/// Nuclides whose transport is measured.
const NUCLIDES: [&str; 4] = ["Lu-177", "Y-90", "I-131", "Ac-225"];

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Device to measure
    #[arg(long, value_name = "auto|cpu|gpu|gpu:N", default_value = "auto")]
    device: String,
    /// Write the results to this JSON file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Measures quickly; `benches/` measures carefully.
pub(super) fn run(args: Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let selector: Option<DeviceSelector> = checks.at("device", args.device.parse());
    let Some(selector) = selector else { return checks.finish() };
    let mut device = device::open(selector)?;
    let info = device.info();
    stdout::print(&format!("{}\n", device::chosen(selector, &info)))?;
    let (edge, half_width) = if info.kind == DeviceKind::SoftwareGpu { SMALL_CONVOLUTION } else { CONVOLUTION };
    let convolution = bench::convolution(&mut device, edge, half_width)?;
    let ConvolutionSpeed { edge, kernel_edge, seconds, voxels_per_s } = convolution;
    stdout::print(&format!("convolution {edge}³ ∗ {kernel_edge}³  {voxels_per_s:.3e} voxels/s  {seconds:.4} s\n"))?;
    let mut transport = serde_json::Map::new();
    for name in NUCLIDES {
        let source = Source::from(nuclide::find(name).expect("a known nuclide"));
        let phantom = layered::phantom((**source.emissions()).clone());
        let speed = bench::transport(&mut device, &phantom, SECONDS)?;
        let TransportSpeed { histories_per_s, efficiency_per_s, .. } = speed;
        stdout::print(&format!(
            "transport {name:<8} {histories_per_s:.3e} histories/s  \
             1/(σ²T) {efficiency_per_s:.3e} per s in source voxels of 3 mm\n"
        ))?;
        transport.insert(name.to_owned(), json!(speed));
    }
    let Some(path) = args.json else { return Ok(()) };
    let figures = json!({
        "version": env!("CARGO_PKG_VERSION"), "commit": env!("DOSEGRID_COMMIT"), "device": info,
        "threads": rayon::current_num_threads(), "convolution": convolution, "transport": transport,
    });
    write(&path, &figures).map_err(|error| DoseError::Io(format!("cannot write {}: {error}", path.display())))
}
