//! The energy emitted in a decay, neutrinos included, against the energy released.

use std::collections::BTreeMap;

use dosegrid::domain::Nuclide;
use dosegrid::domain::nuclide::DecayKind;
use dosegrid::physics::nuclide::all;

use super::means::table;
use crate::support::csv_records;

/// Largest difference without a reason, relative to the energy released.
const CLOSED: f64 = 1e-3;
/// Tolerance of the differences in the table of reasons, whose mean beta energies are those of the evaluation; the
/// program computes its own.
const AS_TABLED: f64 = 5e-4;

#[derive(serde::Deserialize)]
struct Binding {
    symbol: String,
    k_kev: f64,
    l1_kev: f64,
    m1_kev: f64,
}

fn binding() -> BTreeMap<String, Binding> {
    let rows: Vec<Binding> = csv_records(include_str!("../golden/binding_energies.csv"));
    rows.into_iter().map(|row| (row.symbol.clone(), row)).collect()
}

/// Energy of neutrinos [MeV per decay]. A captured electron leaves its binding energy to the atom.
fn neutrinos_mev(nuclide: &Nuclide, binding: &BTreeMap<String, Binding>) -> f64 {
    let of_betas: f64 = nuclide.betas.iter().map(|beta| beta.intensity * (beta.endpoint_mev - beta.mean_mev)).sum();
    let capture = nuclide.decays.iter().find(|decay| decay.kind == DecayKind::BetaPlusOrCapture);
    let Some(capture) = capture else { return of_betas };
    let symbol = capture.daughter.split('-').next().expect("a name has a symbol");
    let Binding { k_kev, l1_kev, m1_kev, .. } = binding[symbol];
    let of_captures = nuclide.captures.iter().map(|capture| {
        let rest = (1.0 - capture.k - capture.l).max(0.0);
        let bound_mev = (capture.k * k_kev + capture.l * l1_kev + rest * m1_kev) * 1e-3;
        capture.intensity * (capture.q_mev - bound_mev)
    });
    of_betas + of_captures.sum::<f64>()
}

#[test]
fn energy_set_free_is_energy_emitted_or_the_difference_has_a_reason() {
    let (binding, reasons) = (binding(), table("| nuclide | off [%] | released [keV] | reason in the evaluation |"));
    let mut unexplained = Vec::new();
    let mut explained = 0;
    for nuclide in all() {
        let free: f64 = nuclide.decays.iter().map(|decay| decay.branching * decay.q_mev).sum();
        let emitted = nuclide.mean_energy_mev.total() + neutrinos_mev(nuclide, &binding);
        let off = emitted / free - 1.0;
        let tabled = reasons.iter().find(|row| row[0] == nuclide.name);
        let tabled_off = tabled.map(|row| row[1].parse::<f64>().expect("a number") / 100.0);
        let is_good = match tabled_off {
            None => off.abs() <= CLOSED,
            Some(tabled) => (off - tabled).abs() <= AS_TABLED,
        };
        explained += usize::from(tabled.is_some());
        if !is_good {
            unexplained.push(format!("{}: {:+.4} % (table: {tabled_off:?})", nuclide.name, off * 100.0));
        }
    }
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    assert_eq!(explained, reasons.len(), "the table names a nuclide that is not known");
}
