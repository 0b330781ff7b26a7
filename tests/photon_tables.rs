//! Tables of photons against NIST's mass energy-absorption coefficients.

use dosegrid::domain::element;
use dosegrid::physics::energy_grid::energies;
use dosegrid::physics::photon::PhotonTables;

use crate::support::{Worst, csv_records, pure, reference};

/// NIST and XCOM give four digits; the grid adds 1e-4.
const ATTENUATION_REL: f64 = 7e-4;
/// NIST includes the escape of characteristic radiation after impact ionization, and the effect of energy-loss
/// fluctuations on bremsstrahlung: 0.5 % for calcium at 10 MeV. Near the K edges, different fluorescence yields give
/// 0.7 %.
const ABSORPTION_REL: f64 = 7e-3;
/// NIST includes the escape of L-shell fluorescence, which is absorbed on the spot here: 2 % for zinc, 6 % for iodine
/// below 30 keV, 3 % above.
const ABSORPTION_IRON_ZINC_REL: f64 = 0.025;
const ABSORPTION_HEAVY_REL: f64 = 0.035;
const ABSORPTION_IODINE_REL: f64 = 0.065;

#[derive(serde::Deserialize)]
struct NistRow {
    sym: String,
    #[serde(rename = "E_MeV")]
    energy_mev: f64,
    mu_over_rho_cm2_g: f64,
    muen_over_rho_cm2_g: f64,
    edge_side: String,
}

#[test]
#[cfg_attr(no_reference, ignore = "the reference data was not found when this was built")]
fn attenuation_and_energy_absorption_of_elements_are_those_of_nist() {
    let path = reference("physics/photon/nist_muen_elements.csv");
    let text = std::fs::read_to_string(path).expect("the reference can be read");
    let rows: Vec<NistRow> = csv_records(&text);
    for rows in rows.chunk_by(|a, b| a.sym == b.sym) {
        let symbol = &rows[0].sym;
        let tables = PhotonTables::new(&pure(symbol), energies());
        let (mut attenuation, mut soft, mut hard) = (Worst::default(), Worst::default(), Worst::default());
        // At an edge, NIST gives both sides; the tables have the edge at the nearest node.
        for row in rows.iter().filter(|row| row.edge_side.is_empty() && row.energy_mev <= 10.0) {
            let (energy, at) = (row.energy_mev, || format!("{} MeV", row.energy_mev));
            attenuation.see(tables.total.value(energy), row.mu_over_rho_cm2_g, at);
            let absorption = if energy < 0.05 { &mut soft } else { &mut hard };
            absorption.see(tables.energy_absorption.value(energy), row.muen_over_rho_cm2_g, at);
        }
        attenuation.assert_below(ATTENUATION_REL, &format!("{symbol} attenuation"));
        let hard_rel = match element::find(symbol).expect("an element of the tables").0.z {
            0..=20 => ABSORPTION_REL,
            _ => ABSORPTION_HEAVY_REL,
        };
        let soft_rel = match element::find(symbol).expect("an element of the tables").0.z {
            0..=20 => ABSORPTION_REL,
            21..=30 => ABSORPTION_IRON_ZINC_REL,
            _ => ABSORPTION_IODINE_REL,
        };
        soft.assert_below(soft_rel, &format!("{symbol} absorption below 50 keV"));
        hard.assert_below(hard_rel, &format!("{symbol} absorption from 50 keV"));
    }
}
