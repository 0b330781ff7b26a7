//! Beta spectra.

use std::path::Path;

use dosegrid::domain::nuclide::{BetaSign, Transition};
use dosegrid::domain::{EmissionSpectrum, Particle};
use dosegrid::formats::emissions::read;
use dosegrid::physics::beta::{Branch, Continuum, continuum};
use dosegrid::physics::nuclide::{all, emissions, named};

use crate::support::{csv_records, reference};

const ELECTRON_MEV: f64 = 0.510_998_950_69;

fn transition(text: &str) -> Transition {
    text.trim_end_matches('?').parse().expect("a transition")
}

fn one(sign: BetaSign, atomic_number: u32, mass_number: u32, endpoint_mev: f64, kind: &str) -> Continuum {
    let branch = Branch { endpoint_mev, intensity: 1.0, transition: transition(kind) };
    continuum(sign, atomic_number, mass_number, &[branch])
}

#[test]
fn every_branch_is_normalised_and_its_bins_carry_its_energy() {
    for (sign, z, kind) in [(BetaSign::Minus, 72, "allowed"), (BetaSign::Plus, 28, "1U"), (BetaSign::Minus, 84, "2NU")]
    {
        for endpoint_mev in [0.002, 0.04, 0.5, 3.0] {
            let found = one(sign, z, 2 * z, endpoint_mev, kind);
            let number: f64 = found.yields.iter().sum();
            assert!((number - 1.0).abs() < 1e-12, "{kind} {endpoint_mev}: {number}");
            let energy = found.energy_mev() / found.branch_means_mev[0];
            assert!((energy - 1.0).abs() < 1e-5, "{kind} {endpoint_mev}: {energy}");
            assert!(found.yields.iter().all(|number| *number >= 0.0), "{kind} {endpoint_mev}");
            assert!((found.edges_mev.last().expect("bins") / endpoint_mev - 1.0).abs() < 1e-12);
        }
    }
}

/// For a neutral nucleus the spectrum is pW(W₀ − W)² for an allowed transition, and (p² + q²) times that for a unique
/// one of first order.
#[test]
fn without_charge_the_shape_is_that_of_phase_space() {
    for (kind, factor) in [("allowed", (|_, _| 1.0) as fn(f64, f64) -> f64), ("1U", |p2, q2| p2 + q2)] {
        for endpoint_mev in [0.1, 1.0, 5.0] {
            let (mut number, mut energy) = (0.0, 0.0);
            let steps = 20_000;
            for i in 0..steps {
                let mev = endpoint_mev * (f64::from(i) + 0.5) / f64::from(steps);
                let w = 1.0 + mev / ELECTRON_MEV;
                let (p2, q) = (w * w - 1.0, (endpoint_mev - mev) / ELECTRON_MEV);
                let density = p2.sqrt() * w * q * q * factor(p2, q * q);
                number += density;
                energy += density * mev;
            }
            let found = one(BetaSign::Minus, 0, 10, endpoint_mev, kind).branch_means_mev[0];
            assert!(
                (found / (energy / number) - 1.0).abs() < 2e-4,
                "{kind} {endpoint_mev}: {found} {}",
                energy / number
            );
        }
    }
}

/// The same analytically: slow particles have the mean E₀/3 (√E (E₀ − E)²), fast ones E₀/2 (E² (E₀ − E)²).
#[test]
fn means_without_charge_have_their_limits() {
    let mean =
        |endpoint_mev: f64| one(BetaSign::Minus, 0, 10, endpoint_mev, "allowed").branch_means_mev[0] / endpoint_mev;
    assert!((mean(0.01) - 1.0 / 3.0).abs() < 2e-3, "{}", mean(0.01));
    assert!((mean(1e3) - 0.5).abs() < 2e-3, "{}", mean(1e3));
}

#[test]
fn the_nucleus_keeps_slow_positrons_out_and_draws_slow_electrons() {
    let slow = |sign, z| {
        let found = one(sign, z, 100, 0.5, "allowed");
        found.yields.iter().zip(&found.edges_mev).filter(|(_, low)| **low < 0.02).map(|(number, _)| number).sum::<f64>()
    };
    let free = slow(BetaSign::Minus, 0);
    for z in [10, 30, 60] {
        let (minus, plus) = (slow(BetaSign::Minus, z), slow(BetaSign::Plus, z));
        assert!(plus < 0.6 * free && minus > 1.3 * free, "{z}: {plus} {free} {minus}");
    }
    // The barrier of a heavy nucleus leaves hardly any: 1 % of what phase space allows.
    assert!(slow(BetaSign::Plus, 60) < 0.02 * free);
}

/// Largest allowed difference of the cumulative distributions of betas: the branchings are from another evaluation
/// (DDEP).
const CUMULATIVE: f64 = 0.006;

/// The electron continuum: lower and upper energy of each bin, and its yield.
fn continuum_of(spectrum: &EmissionSpectrum) -> Vec<(f64, f64, f64)> {
    let bins = spectrum.emissions().iter().filter(|e| e.particle == Particle::Electron && e.low_mev < e.high_mev);
    bins.map(|bin| (bin.low_mev, bin.high_mev, bin.yield_per_decay)).collect()
}

fn cumulative(bins: &[(f64, f64, f64)], mev: f64) -> f64 {
    let below = |(low, high, number): &(f64, f64, f64)| number * ((mev - low) / (high - low)).clamp(0.0, 1.0);
    bins.iter().map(below).sum::<f64>() / bins.iter().map(|bin| bin.2).sum::<f64>()
}

#[test]
fn spectra_are_those_that_egsnrc_was_given() {
    for name in ["Lu-177", "Y-90", "I-131"] {
        let path = format!("{}/data/validation/emissions_{name}.csv", env!("CARGO_MANIFEST_DIR"));
        let theirs = continuum_of(&read(Path::new(&path)).expect("a good file"));
        let ours = continuum_of(emissions(named(name).expect("known")));
        assert!(theirs.len() > 20, "{name}: {} bins", theirs.len());
        for (_, mev, _) in &ours {
            let difference = cumulative(&ours, *mev) - cumulative(&theirs, *mev);
            assert!(difference.abs() < CUMULATIVE, "{name} {mev}: {difference}");
        }
    }
}

/// Largest difference of a branch's mean energy from the evaluation's.
const OF_EVALUATION: f64 = 0.005;

/// Nuclides whose evaluated means do not belong to the endpoints listed with them: the decay energy was revised, but
/// not the means.
const STALE_MEANS: [(&str, &str); 5] = [
    ("Ag-111", "3 to 4 keV low throughout: as of endpoints 11 keV lower"),
    ("Br-77", "0.3 keV low: as of an endpoint 1 keV lower"),
    ("La-134", "4 keV high throughout: as of endpoints 11 keV higher"),
    ("Pb-211", "0.2 keV high in two branches of 2e-4 and less: as of endpoints 1 keV higher"),
    ("Tc-99m", "1.3 keV low throughout: as of endpoints 4 keV lower"),
];

/// Why the mean of a branch may differ from the evaluation's.
fn is_explained(name: &str, kind: Transition) -> bool {
    let is_stale = STALE_MEANS.iter().any(|(stale, _)| *stale == name);
    // Treated as unique of one order less here (Mougeot 2015), as allowed in the evaluations.
    let is_higher_non_unique = kind.order > 1 && !kind.is_unique;
    // Some evaluations treat unique transitions as allowed, the others use different Coulomb functions λ. They are
    // compared with an independent calculation below.
    is_stale || is_higher_non_unique || kind.is_unique
}

#[test]
fn mean_energies_are_those_of_the_evaluations_or_explained() {
    let mut compared = 0;
    for nuclide in all() {
        let (mut ours, mut theirs) = (0.0, 0.0);
        for beta in &nuclide.betas {
            let Some(evaluated_mev) = beta.evaluated_mean_mev else { continue };
            ours += beta.intensity * beta.mean_mev;
            theirs += beta.intensity * evaluated_mev;
            compared += 1;
            let difference = beta.mean_mev / evaluated_mev - 1.0;
            let is_near = difference.abs() <= OF_EVALUATION;
            assert!(
                is_near || is_explained(&nuclide.name, beta.transition),
                "{} {} MeV {}: {difference}",
                nuclide.name,
                beta.endpoint_mev,
                beta.transition
            );
        }
        // All betas of a nuclide together, forbidden ones included; if they are rare, relative to the total energy
        // emitted.
        let is_stale = STALE_MEANS.iter().any(|(stale, _)| *stale == nuclide.name);
        let allowed = OF_EVALUATION * theirs + 1e-5 * nuclide.mean_energy_mev.total();
        assert!(is_stale || (ours - theirs).abs() <= allowed, "{}: {ours} {theirs}", nuclide.name);
    }
    assert!(compared > 300, "{compared} branches");
    for (name, _) in STALE_MEANS {
        let nuclide = named(name).expect("a nuclide of the list");
        let is_off = nuclide
            .betas
            .iter()
            .any(|beta| beta.evaluated_mean_mev.is_some_and(|mev| (beta.mean_mev / mev - 1.0).abs() > OF_EVALUATION));
        assert!(is_off, "{name} needs no explanation any more");
    }
}

#[derive(serde::Deserialize)]
struct ComputedBranch {
    nuclide: String,
    kind: String,
    #[serde(rename = "endpoint_keV")]
    endpoint_kev: f64,
    #[serde(rename = "mean_computed_keV")]
    mean_kev: f64,
    transition: String,
    #[serde(rename = "Z_daughter")]
    atomic_number: u32,
    #[serde(rename = "A")]
    mass_number: u32,
}

/// An independent calculation (analytic Fermi function). Its screening is too strong for slow positrons, so only
/// electrons are compared.
#[test]
#[cfg_attr(no_reference, ignore = "the reference data was not found when this was built")]
fn another_calculation_has_the_same_means() {
    let path = reference("physics/decay/beta_branches.csv");
    let rows: Vec<ComputedBranch> = csv_records(&std::fs::read_to_string(path).expect("a readable file"));
    let mut compared = 0;
    for row in rows.iter().filter(|row| row.kind == "beta-") {
        let kind = transition(&row.transition);
        // It treats these as allowed.
        if kind.order > 1 {
            continue;
        }
        let found =
            one(BetaSign::Minus, row.atomic_number, row.mass_number, row.endpoint_kev * 1e-3, &kind.to_string());
        let difference = found.branch_means_mev[0] * 1e3 / row.mean_kev - 1.0;
        assert!(difference.abs() < 0.008, "{} {} keV: {difference}", row.nuclide, row.endpoint_kev);
        compared += 1;
    }
    assert!(compared > 100, "{compared}");
}
