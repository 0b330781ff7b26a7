//! Mean energies by type of radiation against ICRP Publication 107 and a second evaluation. Every difference must have
//! a reason in `docs/nuclides_differences.md`.

use dosegrid::domain::Nuclide;
use dosegrid::physics::nuclide::{all, named};
use serde_json::Value;

use crate::support::reference;

const DOCUMENT: &str = include_str!("../../docs/nuclides_differences.md");
/// Header of the table of differences.
const DIFFERENCES: &str = "| nuclide | quantity | here | ICRP-107 | off [%] | second | off [%] |";

/// Relative differences that need a reason, also for quantities that are a small part of the energy.
const SMALL: f64 = 0.01;
const SMALL_IF_WEAK: f64 = 0.03;
/// Fractions of the energy that count as a small part, and as nothing.
const WEAK: f64 = 0.05;
const NOTHING: f64 = 1e-4;
/// Tolerance of the figures in the document, whose mean beta energies are those of the evaluation; the program computes
/// its own.
const AS_DOCUMENTED: f64 = 0.008;

/// Cells of each row of the table in the document with this header.
pub(super) fn table(header: &str) -> Vec<Vec<&'static str>> {
    rows(DOCUMENT, header)
}

fn rows<'a>(document: &'a str, header: &str) -> Vec<Vec<&'a str>> {
    let after = document.split_once(header).expect("the table is in the document").1;
    let rows = after.lines().skip(2).take_while(|line| line.starts_with('|'));
    let rows: Vec<Vec<&str>> = rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect();
    assert!(!rows.is_empty(), "{header}");
    rows
}

/// The reason that the document gives for a difference: an item of its list, such as `- Ac-225, photon: …`.
fn reason(nuclide: &str, quantity: &str) -> Option<String> {
    let item = DOCUMENT.split_once(&format!("\n- {nuclide}, {quantity}: "))?.1;
    let lines = item.lines().enumerate().take_while(|(number, line)| *number == 0 || line.starts_with("  "));
    Some(lines.map(|(_, line)| line.trim()).collect::<Vec<_>>().join(" "))
}

fn read(name: &str) -> Value {
    let path = reference(&format!("physics/decay/{name}"));
    serde_json::from_slice(&std::fs::read(path).expect("a readable file")).expect("JSON")
}

/// Electrons, photons including annihilation photons, and alpha particles [MeV per decay].
fn ours(nuclide: &Nuclide) -> [(&'static str, f64); 3] {
    let mean = nuclide.mean_energy_mev;
    [("electron", mean.electron), ("photon", mean.photon), ("alpha", mean.alpha)]
}

/// The same for another evaluation.
fn theirs(means: &Value, quantity: &str) -> f64 {
    let key = if quantity == "alpha" { quantity.to_owned() } else { format!("{quantity}_total") };
    means[&key].as_f64().expect("a number") * 1e-3
}

/// Whether a difference needs a reason.
fn is_different(ours: f64, theirs: f64, total: f64) -> bool {
    let part = if theirs < WEAK * total { SMALL_IF_WEAK } else { SMALL };
    let difference = (ours - theirs).abs();
    difference > part * theirs && difference > NOTHING * total
}

#[test]
#[cfg_attr(no_reference, ignore = "the reference data was not found when this was built")]
fn every_difference_from_other_evaluations_has_a_reason() {
    let rows = table(DIFFERENCES);
    let (icrp, second) = (read("icrp107_means.json"), read("nuclides.json"));
    let mut unexplained = Vec::new();
    let mut compared = 0;
    for (name, means) in icrp["n"].as_object().expect("an object") {
        let Some(nuclide) = named(name) else {
            unexplained.push(format!("{name} is not known"));
            continue;
        };
        for (quantity, mev) in ours(nuclide) {
            compared += 1;
            let total = nuclide.mean_energy_mev.total();
            let others =
                [means, &second["nuclides"][name]["mean_energy_keV_per_decay"]].map(|means| theirs(means, quantity));
            let is_documented = rows.iter().any(|row| row[0] == name && row[1] == quantity)
                && reason(name, quantity).is_some_and(|reason| !reason.is_empty());
            if others.iter().any(|theirs| is_different(mev, *theirs, total)) && !is_documented {
                unexplained.push(format!("{name} {quantity}: {mev} against {others:?}"));
            }
        }
    }
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    assert_eq!(compared, 3 * 58);
}

#[test]
fn the_document_has_the_figures_of_the_program() {
    for row in table(DIFFERENCES) {
        let nuclide = named(row[0]).unwrap_or_else(|| panic!("{} is not known", row[0]));
        let (_, mev) = ours(nuclide).into_iter().find(|(quantity, _)| *quantity == row[1]).expect("a quantity");
        let documented_mev = row[2].parse::<f64>().expect("a number") * 1e-3;
        // Half a unit of the last digit.
        let allowed = AS_DOCUMENTED * documented_mev + 0.5e-5;
        assert!((mev - documented_mev).abs() <= allowed, "{} {}: {mev} {documented_mev}", row[0], row[1]);
        let reason = reason(row[0], row[1]).unwrap_or_default();
        assert!(reason.len() > 10, "{} {} has no reason", row[0], row[1]);
    }
}

#[test]
fn the_table_of_means_has_every_nuclide() {
    let rows = rows(include_str!("../../docs/nuclides.md"), "| nuclide | electrons | photons | alphas |");
    assert_eq!(rows.len(), all().count(), "docs/nuclides.md lists each nuclide once");
    for (nuclide, row) in all().zip(&rows) {
        assert_eq!(row[0], nuclide.name);
        for ((quantity, mev), cell) in ours(nuclide).into_iter().zip(&row[1..]) {
            let documented_kev: f64 = cell.split(' ').next().expect("a figure").parse().expect("a number");
            // Four digits; less than 1e-5 keV is written as 0.
            let allowed_kev = 6e-4 * documented_kev + 1e-5;
            assert!((mev * 1e3 - documented_kev).abs() <= allowed_kev, "{} {quantity}: {mev} {cell}", nuclide.name);
        }
    }
}
