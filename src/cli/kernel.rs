//! `dosegrid kernel`.

use std::io;
use std::path::PathBuf;

use super::compute::source::read_emissions;
use super::daughters::WhichDaughters;
use super::flags::recorded;
use super::places::check_places;
use super::stdout;
use crate::domain::grid::check_spacing;
use crate::domain::{Checks, DoseError, Invalid, KernelMedium, Source};
use crate::formats::s_values;
use crate::math::watch::Unwatched;
use crate::physics::kernel::{KernelSpec, VoxelKernel, density_g_cm3, voxel_kernel};
use crate::request::RawSource;

/// Largest offset that can be asked for: two million rows.
const MAX_RADIUS_VOXELS: usize = 127;

// Fields are text, so that one run reports every fault.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Radionuclide, such as Y-90 (required, unless --emissions is given)
    #[arg(long, required_unless_present = "emissions")]
    nuclide: Option<String>,
    /// Spectrum in place of what the nuclide emits. CSV of charge (-1, 0, 1), lower and upper energy in MeV, yield per
    /// decay
    #[arg(long, value_name = "FILE")]
    emissions: Option<PathBuf>,
    /// Medium of the kernel at its nominal density: water, soft_tissue, lung, compact_bone or cortical_bone
    #[arg(long, value_name = "NAME", default_value = "water")]
    kernel_medium: String,
    #[command(flatten)]
    daughters: WhichDaughters,
    /// Voxel size in mm: one length for cubes, or three as x,y,z
    #[arg(long, allow_hyphen_values = true)]
    spacing: String,
    /// Largest offset to write on each axis, from 0
    #[arg(long, default_value = "5", allow_hyphen_values = true)]
    radius_voxels: String,
    /// CSV file to write; `-` for standard output
    #[arg(long, default_value = "-")]
    output: PathBuf,
}

pub(super) fn run(args: Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let source = source(&args, &mut checks);
    let medium = checks.at("kernel-medium", KernelMedium::of_name(&args.kernel_medium));
    let spacing_mm = checks.at("spacing", parse_spacing(&args.spacing));
    let radius = checks.at("radius-voxels", parse_radius(&args.radius_voxels));
    check_places(args.emissions.as_deref(), [("output", Some(args.output.as_path()))], &mut checks);
    let (Some(source), Some(medium), Some(spacing_mm), Some(radius)) = (source, medium, spacing_mm, radius) else {
        return checks.finish();
    };
    checks.finish()?;
    let to_stdout = args.output.as_os_str() == "-";
    let write_error = |error: io::Error| DoseError::Io(format!("cannot write {}: {error}", args.output.display()));
    let spec = KernelSpec::new(&source, medium, spacing_mm.map(|mm| mm / 10.0), [radius; 3])
        .map_err(|invalid| DoseError::invalid("emissions", invalid.0))?;
    let kernel = voxel_kernel(&spec, &Unwatched)?;
    let s_gy = kernel.s_values_gy();
    let summary = summary(&kernel, &source, medium, spacing_mm);
    if to_stdout {
        let mut text = Vec::new();
        s_values::encode(&mut text, &s_gy).map_err(write_error)?;
        stdout::print_bytes(&text)?;
        tell!("{}", summary.trim_end());
        Ok(())
    } else {
        s_values::write(&args.output, &s_gy).map_err(write_error)?;
        stdout::print(&summary)
    }
}

/// The source; none if a fault was recorded.
fn source(args: &Args, checks: &mut Checks) -> Option<Source> {
    let raw = RawSource {
        nuclide: args.nuclide.clone(),
        emissions: read_emissions(args.emissions.as_deref(), checks),
        daughters: args.daughters.raw(checks),
    };
    let mut faults = Checks::new();
    let source = raw.resolve(&mut faults);
    recorded(faults.finish(), "density", checks)?;
    source
}

fn parse_spacing(text: &str) -> Result<[f64; 3], Invalid> {
    let edges: Option<Vec<f64>> = text.split(',').map(|edge| edge.trim().parse().ok()).collect();
    let spacing_mm = match edges.as_deref() {
        Some(&[edge]) => [edge; 3],
        Some(&[x, y, z]) => [x, y, z],
        _ => return Err(Invalid::new(format!("must be one length in mm, or three as x,y,z, got `{text}`"))),
    };
    check_spacing(spacing_mm)?;
    Ok(spacing_mm)
}

fn parse_radius(text: &str) -> Result<usize, Invalid> {
    match text.parse() {
        Ok(radius) if radius <= MAX_RADIUS_VOXELS => Ok(radius),
        _ => Err(Invalid::new(format!("must be a whole number from 0 to {MAX_RADIUS_VOXELS}, got `{text}`"))),
    }
}

fn summary(kernel: &VoxelKernel, source: &Source, medium: KernelMedium, [dx, dy, dz]: [f64; 3]) -> String {
    let emitted = source.released_mev();
    let percent = |mev: f64| 100.0 * mev / emitted;
    let (cube, captured) = (kernel.energy_in_cube_mev(), kernel.captured_mev);
    format!(
        "{name}, voxels of {dx} × {dy} × {dz} mm, {medium} of {density} g/cm³\n\
         self-dose          {self_gy:.6e} Gy per decay\n\
         emitted            {emitted:.6} MeV per decay\n\
         in these voxels    {cube:.6} MeV per decay ({cube_percent:.2} % of that emitted)\n\
         in all             {captured:.6} MeV per decay ({captured_percent:.2} %), within {end:.4} cm\n",
        name = source.name(),
        medium = medium.name(),
        density = density_g_cm3(medium),
        self_gy = kernel.s_values_gy()[[0, 0, 0]],
        cube_percent = percent(cube),
        captured_percent = percent(captured),
        end = kernel.spec.radial.end_cm(),
    )
}
