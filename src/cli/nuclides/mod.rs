//! `dosegrid nuclides`.

mod detail;
mod plot;
mod spectrum;

use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::places::check_places;
use super::stdout;
use crate::domain::{Checks, DoseError, Nuclide, nuclide::MeanEnergy};
use crate::physics::nuclide;
use detail::Detail;
use plot::Format;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show this nuclide in detail; written as Lu-177, 177Lu or lutetium-177
    name: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Draw the spectrum of the nuclide, .png or .html
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// `{"nuclides": [...]}`.
#[derive(Serialize)]
struct List<T> {
    nuclides: Vec<T>,
}

/// A nuclide in the list of all.
#[derive(Serialize)]
struct Entry {
    name: &'static str,
    half_life_s: f64,
    decay_modes: Vec<String>,
    mean_energy_mev: MeanEnergy,
    source: &'static str,
    data_sha256: &'static str,
}

impl Entry {
    fn new(nuclide: &'static Nuclide) -> Self {
        Self {
            name: &nuclide.name,
            half_life_s: nuclide.half_life_s,
            decay_modes: nuclide.decays.iter().map(detail::decay).collect(),
            mean_energy_mev: nuclide.mean_energy_mev,
            source: &nuclide.source,
            data_sha256: nuclide::data_sha256(nuclide),
        }
    }
}

pub(super) fn run(args: Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let format = args.plot.as_deref().and_then(|path| checks.at("plot", Format::of(path)));
    check_places([], [("plot", args.plot.as_deref())], &mut checks);
    if args.plot.is_some() && args.name.is_none() {
        checks.fail("plot", "needs the name of a nuclide");
    }
    let nuclide = args.name.as_deref().and_then(|name| checks.at("name", nuclide::find(name)));
    checks.finish()?;
    let Some(nuclide) = nuclide else {
        let nuclides: Vec<Entry> = nuclide::all().map(Entry::new).collect();
        return if args.json { stdout::print_json(&List { nuclides }) } else { stdout::print(&table(&nuclides)) };
    };
    if let (Some(path), Some(format)) = (&args.plot, format) {
        plot::write(nuclide, path, format)?;
    }
    let detail = Detail::new(nuclide);
    if args.json { stdout::print_json(&List { nuclides: vec![detail] }) } else { stdout::print(&detail.text()) }
}

fn table(nuclides: &[Entry]) -> String {
    let mut text = format!(
        "{:<8} {:>12} {:>13} {:>12} {:>12} {:>12}  {}\n",
        "name", "half-life", "electrons MeV", "photons MeV", "alphas MeV", "recoils MeV", "decay"
    );
    for entry in nuclides {
        let MeanEnergy { electron, photon, alpha, recoil } = entry.mean_energy_mev;
        let half_life = detail::duration(entry.half_life_s);
        let decay = entry.decay_modes.join(", ");
        writeln!(
            text,
            "{:<8} {half_life:>12} {electron:>13.5} {photon:>12.5} {alpha:>12.5} {recoil:>12.5}  {decay}",
            entry.name
        )
        .expect("a string takes all text");
    }
    text
}
