//! `dosegrid bench`.

mod compare;
mod rows;
mod table;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::places::check_places;
use super::{capture, device, stdout};
use crate::bench::{self, BenchSource, ConvolutionSize, DeviceReport, Host, Report};
use crate::domain::{Checks, Control, DeviceInfo, DeviceKind, DeviceSelector, DoseError};
use crate::engine::Device;
use crate::formats::atomic::write_file;
use crate::formats::json::write;

/// Nuclides whose transport is measured, and edges of the voxels [mm].
const NUCLIDES: [&str; 4] = ["Lu-177", "Y-90", "I-131", "Ac-225"];
const SPACINGS_MM: [f64; 3] = [1.0, 3.0, 4.8];
/// The body has voxels of its own [mm].
const BODY_MM: f64 = 4.8;
/// The short list: nuclides in voxels of one size.
const QUICK_NUCLIDES: [&str; 2] = ["Lu-177", "Y-90"];
const QUICK_MM: f64 = 3.0;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Device to measure
    #[arg(long, value_name = "auto|cpu|gpu|gpu:N", default_value = "auto")]
    device: String,
    /// Measure a short list, in less than a minute on a GPU
    #[arg(long)]
    quick: bool,
    /// Do not measure the CPU beside a GPU
    #[arg(long)]
    alone: bool,
    /// Write the results to this JSON file, for `bench compare` or to send in
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure nothing here, but write a page to this file that checks and measures the GPU of whoever opens it in a
    /// browser; a GPU of this machine, be it software, computes what theirs is held against
    #[arg(long, value_name = "FILE.html", conflicts_with_all = ["quick", "alone", "json"])]
    page: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Compare the JSON files of two machines or versions, row by row
    Compare(compare::Args),
    /// Show what the JSON files of many machines say as a table in Markdown
    Table(table::Args),
}

/// Measures, a row as soon as it is known.
pub(super) fn run(args: Args) -> Result<(), DoseError> {
    match args.command {
        Some(Command::Compare(args)) => return compare::run(&args),
        Some(Command::Table(args)) => return table::run(&args),
        None => {}
    }
    let mut checks = Checks::new();
    let selector: Option<DeviceSelector> = checks.at("device", args.device.parse());
    check_places([], [("json", args.json.as_deref()), ("page", args.page.as_deref())], &mut checks);
    let Some(selector) = selector else { return checks.finish() };
    checks.finish()?;
    if let Some(path) = &args.page {
        return write_page(path, selector);
    }
    let mut measured = device::open(selector)?;
    let info = measured.info();
    stdout::print(&format!("{}\n", device::chosen(selector, &info)))?;
    let date = jiff::Timestamp::try_from(SystemTime::now())
        .map_err(|error| DoseError::Io(format!("the clock of this machine: {error}")))?;
    let mut devices = vec![measure(&mut measured, args.quick)?];
    if info.kind != DeviceKind::Cpu && !args.alone {
        let mut cpu = Device::open(DeviceSelector::Cpu)?;
        let DeviceInfo { name, driver, .. } = cpu.info();
        stdout::print(&format!("\nbeside it: {name} ({driver})\n"))?;
        devices.push(measure(&mut cpu, args.quick)?);
    }
    let Some(path) = args.json else { return Ok(()) };
    let report = Report {
        schema: bench::SCHEMA.to_owned(),
        schema_version: bench::SCHEMA_VERSION,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: env!("DOSEGRID_COMMIT").to_owned(),
        date: format!("{date:.0}"),
        quick: args.quick,
        host: Host::this(),
        devices,
    };
    write(&path, &report).map_err(|error| DoseError::Io(format!("cannot write {}: {error}", path.display())))
}

/// Writes the page for other machines.
fn write_page(path: &Path, selector: DeviceSelector) -> Result<(), DoseError> {
    let mut device = capture::open(selector)?;
    stdout::print(&format!("{}\n", device::chosen(selector, &device.info())))?;
    let page = bench::page(&mut device, &Control::detached(), |title| stdout::print(&format!("{title}\n")))?;
    let failed = |error| DoseError::Io(format!("cannot write {}: {error}", path.display()));
    write_file(path, |file| file.write_all(page.as_bytes())).map_err(failed)?;
    stdout::print(&format!("{}: {:.1} MB\n", path.display(), page.len() as f64 / 1e6))
}

fn measure(device: &mut Device, quick: bool) -> Result<DeviceReport, DoseError> {
    let (info, control) = (device.info(), Control::detached());
    let is_software = info.kind == DeviceKind::SoftwareGpu;
    let adapter = device.portrait();
    adapter.iter().try_for_each(|portrait| stdout::print(&rows::portrait(portrait)))?;
    let compile = device.compile_times(&control)?;
    stdout::print(&rows::compile(&compile))?;
    let twins = bench::twins(device, &control)?;
    stdout::print(&rows::twins(&twins))?;
    let ceilings = device.ceilings(&control)?;
    stdout::print(&rows::ceilings(&ceilings))?;

    let sizes = convolutions(quick, is_software);
    stdout::print(&format!("\n{} convolutions\n{}", sizes.len(), rows::CONVOLUTION_HEADER))?;
    let mut convolution = Vec::new();
    for size in sizes {
        let figure = bench::convolution(device, size, ceilings.copy_bytes_per_s, &control)?;
        stdout::print(&rows::convolution(&figure))?;
        convolution.push(figure);
    }

    let cases = transports(quick);
    stdout::print(&format!("\ntransport in {} cases\n{}", cases.len(), rows::TRANSPORT_HEADER))?;
    let mut transport = Vec::new();
    for (nuclide, source, spacing_mm) in cases {
        let figure = bench::measured(device, nuclide, source, spacing_mm, &control)?;
        stdout::print(&rows::transport(&figure))?;
        transport.push(figure);
    }

    let end_to_end = bench::end_to_end(device, is_software, &control)?;
    stdout::print(&rows::end_to_end(&end_to_end))?;
    let (checks, submits) = (Vec::new(), None);
    let device = info;
    Ok(DeviceReport { device, adapter, compile, twins, ceilings, convolution, transport, end_to_end, checks, submits })
}

/// The convolutions to measure. Software gets small ones.
fn convolutions(quick: bool, is_software: bool) -> Vec<ConvolutionSize> {
    let size = |edge, half_width, core| ConvolutionSize { edge, half_width, core };
    match (quick, is_software) {
        (_, true) => vec![size(48, 8, None), size(64, 16, None)],
        (true, false) => vec![size(128, 16, None), size(256, 31, None)],
        (false, false) => {
            let by_size = [(64, 16), (128, 16), (256, 31), (512, 31)].map(|(edge, half)| size(edge, half, None));
            let by_core = [1, 2, 4, 8].map(|core| size(256, 31, Some(core)));
            by_size.into_iter().chain(by_core).collect()
        }
    }
}

/// The cases of transport to measure.
fn transports(quick: bool) -> Vec<(&'static str, BenchSource, f64)> {
    let nuclides = if quick { &QUICK_NUCLIDES[..] } else { &NUCLIDES[..] };
    let spacings = if quick { &[QUICK_MM][..] } else { &SPACINGS_MM[..] };
    let of_nuclide = |&nuclide: &&'static str| {
        let grids = spacings.iter();
        let small =
            grids.flat_map(move |&mm| [BenchSource::Voxel, BenchSource::Layers].map(|source| (nuclide, source, mm)));
        small.chain([(nuclide, BenchSource::Body, BODY_MM)]).collect::<Vec<_>>()
    };
    nuclides.iter().flat_map(of_nuclide).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_name_every_nuclide_size_and_source_once() {
        let all = transports(false);
        assert_eq!(all.len(), NUCLIDES.len() * (SPACINGS_MM.len() * 2 + 1));
        for (number, case) in all.iter().enumerate() {
            assert!(!all[..number].contains(case), "{case:?}");
        }
        assert_eq!(transports(true).len(), 6);
        let sizes = convolutions(false, false);
        assert!([1, 2, 4, 8].iter().all(|core| sizes.iter().any(|size| size.core == Some(*core))));
        assert!(convolutions(true, true).iter().all(|size| size.edge <= 64), "software is slow");
    }
}
