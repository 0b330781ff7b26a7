//! From a result to files and a summary.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use serde::Serialize;

use super::Args;
use super::inputs::Inputs;
use crate::cli::stdout;
use crate::domain::{ActivityUnit, DoseError, DoseResult, Provenance, grid::Affine};
use crate::dosimetry::organs::{OrganInputs, write_csv};
use crate::dosimetry::{DoseDistribution, OrganDose, organ_doses};
use crate::formats::atomic::write_file;
use crate::formats::nifti;

/// `result.json`: the provenance, what it was made from, and what came out. No patient data but the dose itself.
#[derive(Serialize)]
struct ResultFile<'a> {
    #[serde(flatten)]
    provenance: &'a Provenance,
    inputs: InputAccount,
    grid: GridAccount,
    dose: DoseAccount,
    #[serde(skip_serializing_if = "Option::is_none")]
    organs: Option<&'a [OrganDose]>,
}

/// How the input files were understood.
#[derive(Serialize)]
struct InputAccount {
    activity_unit: &'static str,
    effective_half_life_s: Option<f64>,
    density: &'static str,
}

#[derive(Serialize)]
struct GridAccount {
    shape: [usize; 3],
    spacing_mm: [f64; 3],
    affine: Affine,
}

/// The dose over the whole grid, voxels without a dose included as 0.
#[derive(Serialize)]
struct DoseAccount {
    mean_gy: f64,
    max_gy: f64,
}

/// Writes all files that were asked for and prints the summary.
pub(super) fn write(args: &Args, inputs: &Inputs, result: &DoseResult) -> Result<(), DoseError> {
    let organs = inputs.labels.as_ref().map(|labels| {
        organ_doses(&OrganInputs {
            dose: &result.dose,
            activity: inputs.request.activity(),
            density: inputs.request.density(),
            minimum_density_g_cm3: result.provenance.minimum_density_g_cm3,
            labels,
            names: &inputs.names,
        })
    });
    let file = result_file(args, inputs, result, organs.as_deref());
    if let Some(path) = &args.output {
        named("output", nifti::write(path, &result.dose, "dosegrid: absorbed dose [Gy]"))?;
    }
    if let (Some(path), Some(organs)) = (&args.organs_output, &organs) {
        named("organs-output", write_file(path, |output| write_csv(output, organs)))?;
    }
    if let Some(path) = &args.json {
        named("json", write_json(path, &file))?;
    }
    if args.quiet { Ok(()) } else { stdout::print(&summary(&file)) }
}

fn named(flag: &str, written: io::Result<()>) -> Result<(), DoseError> {
    written.map_err(|error| DoseError::Io(format!("{flag}: cannot be written: {error}")))
}

fn write_json(path: &Path, file: &ResultFile) -> io::Result<()> {
    write_file(path, |output| {
        serde_json::to_writer_pretty(&mut *output, file)?;
        output.write_all(b"\n")
    })
}

fn result_file<'a>(
    args: &Args,
    inputs: &Inputs,
    result: &'a DoseResult,
    organs: Option<&'a [OrganDose]>,
) -> ResultFile<'a> {
    let (activity_unit, effective_half_life_s) = match inputs.unit {
        ActivityUnit::BqS => ("bq-s", None),
        ActivityUnit::MbqH => ("mbq-h", None),
        ActivityUnit::Bq { effective_half_life_s } => ("bq", Some(effective_half_life_s)),
    };
    let density = match (&args.density, &args.ct, &args.hu_curve) {
        (Some(_), _, _) => "density",
        (None, Some(_), Some(_)) => "ct, own calibration",
        (None, Some(_), None) => "ct, Schneider 2000",
        (None, None, _) => "none",
    };
    let grid = result.dose.grid();
    let doses = DoseDistribution::new(result.dose.as_slice().to_vec()).expect("a grid has at least one voxel");
    ResultFile {
        provenance: &result.provenance,
        inputs: InputAccount { activity_unit, effective_half_life_s, density },
        grid: GridAccount { shape: grid.shape(), spacing_mm: grid.spacing_mm(), affine: *grid.affine() },
        dose: DoseAccount { mean_gy: doses.mean_gy(), max_gy: doses.max_gy() },
        organs,
    }
}

fn summary(file: &ResultFile) -> String {
    let Provenance { device, method, nuclide, decays, energy, kernel, wall_time, .. } = file.provenance;
    let part = |mev: f64| if energy.emitted_mev > 0.0 { 100.0 * mev / energy.emitted_mev } else { 0.0 };
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        writeln!(text, "{name:<11}{value}").expect("a string takes all text");
    };
    line("device", format!("{} ({}, {}, {})", device.id, device.name, device.backend, device.driver));
    line("method", format!("{method}, {nuclide}, {decays:.4e} decays"));
    line(
        "energy",
        format!(
            "{:.4e} MeV emitted, {:.2} % deposited in the grid, {:.2} % escaped or not followed",
            energy.emitted_mev,
            part(energy.deposited_mev),
            part(energy.escaped_mev)
        ),
    );
    if energy.voxels_without_dose > 0 {
        line(
            "no dose",
            format!(
                "{} voxels below the minimum density, with {:.3} % of the energy",
                energy.voxels_without_dose,
                part(energy.without_dose_mev)
            ),
        );
    }
    if let Some(kernel) = kernel {
        line("kernel", format!("holds {:.2} % of the energy emitted", 100.0 * kernel.captured_fraction));
    }
    line("dose", format!("mean {:.4} Gy, maximum {:.4} Gy over the whole grid", file.dose.mean_gy, file.dose.max_gy));
    let stages: Vec<String> = wall_time.iter().map(|time| format!("{} {:.3} s", time.stage, time.seconds)).collect();
    line("time", stages.join(", "));
    if let Some(organs) = file.organs {
        text.push_str(&organ_table(organs));
    }
    text
}

fn organ_table(organs: &[OrganDose]) -> String {
    let mut text = format!(
        "\n{:>5}  {:<20} {:>8} {:>10} {:>10} {:>10} {:>10}\n",
        "label", "name", "voxels", "mass g", "mean Gy", "max Gy", "D95 Gy"
    );
    let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    for organ in organs {
        writeln!(
            text,
            "{:>5}  {:<20} {:>8} {:>10.2} {:>10} {:>10} {:>10}",
            organ.label,
            organ.name,
            organ.voxels,
            organ.mass_g,
            figure(organ.mean_gy),
            figure(organ.max_gy),
            figure(organ.d95_gy)
        )
        .expect("a string takes all text");
    }
    text
}
