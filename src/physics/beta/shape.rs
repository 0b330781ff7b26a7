//! The shape of one beta branch.

use super::potential::Potential;
use super::waves::density;
use crate::constants::ELECTRON_REST_ENERGY_MEV;
use crate::domain::nuclide::{BetaSign, Transition};
use crate::math::spline::CubicSpline;

/// Least kinetic energy at which waves are computed [MeV].
const LOWEST_MEV: f64 = 1e-4;
/// Energies at which waves are computed.
const NODES: u32 = 32;

/// Waves of beta particles at a nucleus, as functions of the energy.
pub(super) struct Waves {
    /// For each k, ln(F_k W p^(2k − 1)) over ln T: nearly straight for electrons, and finite at rest.
    densities: Vec<CubicSpline>,
}

impl Waves {
    /// * `highest_mev` – largest kinetic energy
    /// * `terms` – largest k
    pub(super) fn new(sign: BetaSign, atomic_number: u32, mass_number: u32, highest_mev: f64, terms: u32) -> Self {
        let charge = match sign {
            BetaSign::Minus => -1.0,
            BetaSign::Plus => 1.0,
        };
        let potential = Potential::of_atom(charge, atomic_number, mass_number);
        let highest = highest_mev.max(2.0 * LOWEST_MEV);
        let step = (highest / LOWEST_MEV).ln() / f64::from(NODES - 1);
        let nodes = || (0..NODES).map(move |i| LOWEST_MEV.ln() + f64::from(i) * step);
        let spline = |k: u32| {
            let point = |ln_t: f64| {
                let (w, p) = momentum(ln_t.exp());
                (ln_t, (density(&potential, w, k) * w).ln() + f64::from(2 * k - 1) * p.ln())
            };
            CubicSpline::new(nodes().map(point))
        };
        Self { densities: (1..=terms).map(spline).collect() }
    }

    /// Density of the spectrum of a branch at a kinetic energy, in units of its own.
    ///
    /// * `terms` – L, at most that of these waves
    pub(super) fn spectrum(&self, kinetic_mev: f64, endpoint_mev: f64, terms: u32) -> f64 {
        let q = (endpoint_mev - kinetic_mev) / ELECTRON_REST_ENERGY_MEV;
        let ln_t = kinetic_mev.max(LOWEST_MEV).ln();
        let term = |(k, density): (u32, &CubicSpline)| {
            let left = terms - k;
            density.value(ln_t).exp() * q.powi(2 * left.cast_signed())
                / (factorial(2 * k - 1) * factorial(2 * left + 1))
        };
        q * q * (1..=terms).zip(&self.densities).map(term).sum::<f64>()
    }
}

/// Number of terms L of the shape that a transition has.
pub(super) fn terms(transition: Transition) -> u32 {
    if transition.is_unique { transition.order + 1 } else { transition.order.max(1) }
}

/// Total energy and momentum in units of the rest energy.
fn momentum(kinetic_mev: f64) -> (f64, f64) {
    let t = kinetic_mev / ELECTRON_REST_ENERGY_MEV;
    (1.0 + t, (t * (t + 2.0)).sqrt())
}

fn factorial(n: u32) -> f64 {
    (1..=n).map(f64::from).product()
}
