//! `dosegrid nuclides`.

use std::fmt::Write;

use serde::Serialize;

use super::stdout;
use crate::domain::{DoseError, Invalid, Nuclide, nuclide::MeanEnergy};
use crate::physics::nuclide;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only this one, such as Lu-177
    name: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// `{"nuclides": [...]}`.
#[derive(Serialize)]
struct List {
    nuclides: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    name: &'static str,
    half_life_s: f64,
    mean_energy_mev: MeanEnergy,
    source: &'static str,
    data_sha256: &'static str,
}

impl Entry {
    fn new(nuclide: &'static Nuclide) -> Self {
        Self {
            name: &nuclide.name,
            half_life_s: nuclide.half_life_s,
            mean_energy_mev: nuclide.mean_energy_mev,
            source: &nuclide.source,
            data_sha256: nuclide::data_sha256(nuclide),
        }
    }
}

pub(super) fn run(args: Args) -> Result<(), DoseError> {
    let nuclides = match &args.name {
        None => nuclide::all().map(Entry::new).collect(),
        Some(name) => {
            let found = nuclide::find(name).map_err(|Invalid(reason)| DoseError::invalid("name", reason))?;
            vec![Entry::new(found)]
        }
    };
    let list = List { nuclides };
    if args.json { stdout::print_json(&list) } else { stdout::print(&table(&list.nuclides)) }
}

fn table(nuclides: &[Entry]) -> String {
    let mut text = format!(
        "{:<8} {:>14} {:>10} {:>18} {:>18} {:>18} {:>18}\n",
        "name", "half-life s", "h", "electrons MeV", "photons MeV", "alphas MeV", "recoils MeV"
    );
    for entry in nuclides {
        let MeanEnergy { electron, photon, alpha, recoil } = entry.mean_energy_mev;
        let (seconds, hours) = (entry.half_life_s, entry.half_life_s / 3600.0);
        writeln!(
            text,
            "{:<8} {seconds:>14} {hours:>10.3} {electron:>18.5} {photon:>18.5} {alpha:>18.5} {recoil:>18.5}",
            entry.name
        )
        .expect("a string takes all text");
    }
    text
}
