//! Tables of electrons and positrons against ESTAR, ELSEPA, and Seltzer and Berger.

use dosegrid::domain::element;
use dosegrid::domain::{Material, MaterialDefinition};
use dosegrid::math::log_grid::{LogGrid, LogTable};
use dosegrid::physics::electron::bremsstrahlung::BremsstrahlungSpectrum;
use dosegrid::physics::electron::range::SlowingDown;
use dosegrid::physics::electron::{Charge, ElectronTables, TransportCuts, elastic, speed_squared};
use dosegrid::physics::energy_grid::energies;
use dosegrid::physics::material;

use crate::support::{AgainstEstar, Worst, csv_records, pure, reference};

/// ESTAR's δ is rounded and interpolated, which limits the agreement of collision stopping powers. Adipose tissue has
/// the largest difference: 3e-4.
const COLLISION_REL: f64 = 5e-4;
/// The published spectra of Seltzer and Berger, when integrated, give up to 0.7 % less than ESTAR (bone, 50 keV); our
/// fit to them adds 0.15 %.
const RADIATIVE_REL: f64 = 8.5e-3;
/// From the stopping powers, and from the integration steps of ESTAR.
const RANGE_REL: f64 = 1e-3;
/// ESTAR and we use different conventions for the last keV [g/cm²].
const RANGE_BELOW_1_KEV: f64 = 1e-6;

#[derive(serde::Deserialize)]
struct EstarRow {
    material: String,
    energy_mev: f64,
    collision: f64,
    radiative: f64,
    delta: f64,
    csda_range: f64,
    radiation_yield: f64,
}

fn estar() -> Vec<EstarRow> {
    csv_records(include_str!("golden/estar.csv"))
}

/// A material of the golden table: a known material, or an ICRP composition as listed by NIST.
fn golden_material(name: &str) -> Material {
    let (density, excitation, fractions) = match name {
        "BONE_CORTICAL_ICRP" => (1.85, 106.4, BONE_CORTICAL_ICRP),
        "LUNG_ICRP" => (1.05, 75.3, LUNG_ICRP),
        "ADIPOSE_TISSUE_ICRP" => (0.92, 63.2, ADIPOSE_TISSUE_ICRP),
        known => return material::find(known).expect("a known material").clone(),
    };
    Material::new(MaterialDefinition {
        name: name.into(),
        source: "NIST".into(),
        nominal_density_g_cm3: density,
        density_range_g_cm3: None,
        mean_excitation_energy_ev: excitation,
        mass_fractions: fractions.iter().map(|&(symbol, part)| (symbol.to_owned(), part)).collect(),
    })
    .expect("NIST's compositions are good")
}

const BONE_CORTICAL_ICRP: &[(&str, f64)] = &[
    ("H", 0.047234),
    ("C", 0.144330),
    ("N", 0.041990),
    ("O", 0.446096),
    ("Mg", 0.002200),
    ("P", 0.104970),
    ("S", 0.003150),
    ("Ca", 0.209930),
    ("Zn", 0.000100),
];

const LUNG_ICRP: &[(&str, f64)] = &[
    ("H", 0.101278),
    ("C", 0.102310),
    ("N", 0.028650),
    ("O", 0.757072),
    ("Na", 0.001840),
    ("Mg", 0.000730),
    ("P", 0.000800),
    ("S", 0.002250),
    ("Cl", 0.002660),
    ("K", 0.001940),
    ("Ca", 0.000090),
    ("Fe", 0.000370),
    ("Zn", 0.000010),
];

const ADIPOSE_TISSUE_ICRP: &[(&str, f64)] = &[
    ("H", 0.119477),
    ("C", 0.637240),
    ("N", 0.007970),
    ("O", 0.232333),
    ("Na", 0.000500),
    ("Mg", 0.000020),
    ("P", 0.000160),
    ("S", 0.000730),
    ("Cl", 0.001190),
    ("K", 0.000320),
    ("Ca", 0.000020),
    ("Fe", 0.000020),
    ("Zn", 0.000020),
];

#[test]
fn stopping_powers_and_density_effect_are_those_of_estar() {
    let mut worst = AgainstEstar::default();
    for row in estar() {
        worst.see(&golden_material(&row.material), row.energy_mev, [row.collision, row.radiative, row.delta]);
    }
    worst.assert_below([COLLISION_REL, RADIATIVE_REL, 0.01]);
}

#[test]
fn ranges_and_radiation_yields_are_those_of_estar() {
    let (mut range, mut radiated) = (Worst::default(), Worst::default());
    let rows = estar();
    for rows in rows.chunk_by(|a, b| a.material == b.material) {
        let slowing = SlowingDown::of(&golden_material(&rows[0].material), Charge::Electron, energies());
        for row in rows {
            let at = || format!("{} {} MeV", row.material, row.energy_mev);
            // Allow for the different conventions for the last keV.
            let found = slowing.csda_range.value(row.energy_mev);
            let difference = found - row.csda_range;
            assert!(difference.abs() < RANGE_BELOW_1_KEV + RANGE_REL * found, "range at {}: {difference}", at());
            if row.energy_mev >= 0.1 {
                range.see(found, row.csda_range, at);
                radiated.see(slowing.radiation_yield.value(row.energy_mev), row.radiation_yield, at);
            }
        }
    }
    range.assert_below(RANGE_REL, "CSDA range against ESTAR, from 0.1 MeV");
    radiated.assert_below(RADIATIVE_REL, "radiation yield against ESTAR, from 0.1 MeV");
}

/// ELSEPA's cross sections of one element, charge and energy [cm²].
struct ElsepaRow {
    z: u8,
    energy_mev: f64,
    charge: Charge,
    first: f64,
    second: f64,
}

fn elsepa(path: &std::path::Path) -> Vec<ElsepaRow> {
    let text = std::fs::read_to_string(path).expect("the reference can be read");
    let rows: Vec<(u8, [f64; 7])> = csv_records(&text);
    let both = |(z, [energy_ev, _, first, second, _, positron_first, positron_second]): (u8, [f64; 7])| {
        let row = |charge, first, second| ElsepaRow { z, energy_mev: energy_ev * 1e-6, charge, first, second };
        [row(Charge::Electron, first, second), row(Charge::Positron, positron_first, positron_second)]
    };
    rows.into_iter().flat_map(both).collect()
}

#[test]
#[cfg_attr(no_reference, ignore = "the reference data was not found when this was built")]
fn elastic_transport_cross_sections_are_those_of_elsepa() {
    let path = reference("physics/charged/elsepa_transport_cross_sections.csv");
    let (mut first, mut heavy_first) = (Worst::default(), Worst::default());
    let (mut light_second, mut second) = (Worst::default(), Worst::default());
    for row in elsepa(&path) {
        let found = elastic::atom(row.z, row.charge, row.energy_mev);
        let at = || format!("Z {} {:?} {} MeV", row.z, row.charge, row.energy_mev);
        if row.z > 20 { &mut heavy_first } else { &mut first }.see(found.first_transport, row.first, at);
        if row.energy_mev > 0.0099 && row.z <= 20 {
            if row.z <= 8 { &mut light_second } else { &mut second }.see(found.second_transport, row.second, at);
        }
    }
    // Residuals of the fit, largest for hydrogen, whose reference jumps by 0.5 % between two methods near 20 keV.
    first.assert_below(6.5e-3, "first transport cross section, up to calcium");
    heavy_first.assert_below(7e-3, "first transport cross section, iron and iodine");
    // A single screening parameter cannot fit the second moment as well. The difference grows towards low energy and
    // high Z, and is largest for positrons.
    light_second.assert_below(0.019, "second transport cross section, up to oxygen, from 10 keV");
    second.assert_below(0.062, "second transport cross section, sodium to calcium, from 10 keV");
}

#[test]
#[cfg_attr(no_reference, ignore = "the reference data was not found when this was built")]
fn bremsstrahlung_spectra_are_those_of_seltzer_and_berger() {
    let path = reference("physics/charged/seltzer_berger_brems.csv");
    let text = std::fs::read_to_string(path).expect("the reference can be read");
    let header: Vec<&str> = text.lines().next().expect("a header").split(',').collect();
    let kappas: Vec<f64> = header.iter().filter_map(|name| name.strip_prefix("k/T=")).map(parse).collect();
    let (mut light, mut hydrogen, mut squares, mut count) = (Worst::default(), Worst::default(), 0.0, 0.0);
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let (z, energy) = (parse(fields[0]), parse(fields[2]));
        let material = pure(fields[1]);
        let spectrum = BremsstrahlungSpectrum::of(&material, Charge::Electron, energy);
        // [mb] per atom, times β²/Z².
        let scale = speed_squared(energy) / (z * z) / material.components()[0].atoms_per_g() * 1e27;
        for (kappa, expected) in kappas.iter().zip(fields[3..].iter().map(|field| parse(field))) {
            let found = spectrum.scaled(*kappa) * scale;
            let at = || format!("Z {z} {energy} MeV κ {kappa}");
            if z > 1.0 { &mut light } else { &mut hydrogen }.see(found, expected, at);
            if z > 1.0 {
                squares += (found / expected - 1.0f64).powi(2);
                count += 1.0;
            }
        }
    }
    // As reported by the script that made the fit.
    light.assert_below(0.055, "bremsstrahlung spectrum, carbon and heavier");
    hydrogen.assert_below(0.10, "bremsstrahlung spectrum, hydrogen");
    let rms = f64::sqrt(squares / count);
    println!("bremsstrahlung spectrum, carbon and heavier: rms {rms:.2e}");
    assert!(rms < 6e-3, "{rms}");
}

/// Every table; those that are 0 below a cut come last.
fn all(tables: &ElectronTables) -> ([&LogTable; 15], [&LogTable; 4]) {
    let slow = &tables.slowing_down;
    let above_0 = [
        &slow.collision,
        &slow.radiative,
        &slow.csda_range,
        &slow.radiation_yield,
        &tables.soft_stopping,
        &tables.soft_range,
        &tables.soft_variance,
        &tables.soft_third_moment,
        &tables.soft_first_transport,
        &tables.soft_second_transport,
        &tables.soft_third_transport,
        &tables.elastic,
        &tables.elastic_first_transport,
        &tables.elastic_second_transport,
        &tables.elastic_third_transport,
    ];
    (above_0, [&slow.annihilation_yield, &tables.hard_collision, &tables.bremsstrahlung, &tables.annihilation])
}

#[test]
fn every_table_of_every_material_is_physical() {
    let elements = element::tabulated().map(|element| pure(element.symbol));
    let grid = LogGrid::new(1e-3, 10.0, 64).expect("a good grid");
    for material in material::all().iter().cloned().chain(elements) {
        for (charge, cut) in [(Charge::Electron, 0.001), (Charge::Positron, 0.1)] {
            let cuts = TransportCuts::new(cut, cut).expect("good cuts");
            let tables = ElectronTables::new(&material, charge, cuts, grid);
            let (above_0, from_0) = all(&tables);
            let values = |table: &LogTable| table.bins().as_flattened().to_vec();
            let name = material.name();
            for (number, table) in above_0.iter().enumerate() {
                let bad = values(table).into_iter().find(|v| !(v.is_finite() && *v > 0.0));
                assert_eq!(bad, None, "{name} {charge:?}, table {number}");
            }
            assert!(from_0.iter().flat_map(|t| values(t)).all(|v| v.is_finite() && v >= 0.0), "{name} {charge:?}");
            let range = values(&tables.soft_range);
            assert!(range.is_sorted(), "{name} {charge:?}: ranges grow with the energy");
        }
    }
}

fn parse(text: &str) -> f64 {
    text.parse().expect("a number")
}
