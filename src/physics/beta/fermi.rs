//! The shape of one beta branch, from the Fermi function and its like for higher angular momenta.

use super::potential::Potential;
use super::radial_wave_function::fermi_function;
use crate::constants::ELECTRON_REST_ENERGY_MEV;
use crate::domain::nuclide::{BetaSign, Transition};
use crate::math::spline::CubicSpline;

/// Lowest kinetic energy at which F_k is computed [MeV].
const LOWEST_MEV: f64 = 1e-4;
/// Number of energies at which F_k is computed.
const NODES: u32 = 32;

/// The functions F_k of a daughter nucleus and a beta particle, against the energy.
pub(super) struct FermiFunctions {
    /// For each k, ln(F_k W p^(2k − 1)) over ln T: nearly straight for electrons, and finite at rest.
    splines: Vec<CubicSpline>,
}

impl FermiFunctions {
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
                let (w, p) = energy_and_momentum(ln_t.exp());
                (ln_t, (fermi_function(&potential, w, k) * w).ln() + f64::from(2 * k - 1) * p.ln())
            };
            CubicSpline::new(nodes().map(point))
        };
        Self { splines: (1..=terms).map(spline).collect() }
    }

    /// Spectral density of a branch at a kinetic energy, up to a factor.
    ///
    /// * `terms` – L, at most the largest k
    pub(super) fn spectrum(&self, kinetic_mev: f64, endpoint_mev: f64, terms: u32) -> f64 {
        let q = (endpoint_mev - kinetic_mev) / ELECTRON_REST_ENERGY_MEV;
        let ln_t = kinetic_mev.max(LOWEST_MEV).ln();
        let term = |(k, spline): (u32, &CubicSpline)| {
            let left = terms - k;
            spline.value(ln_t).exp() * q.powi(2 * left.cast_signed()) / (factorial(2 * k - 1) * factorial(2 * left + 1))
        };
        q * q * (1..=terms).zip(&self.splines).map(term).sum::<f64>()
    }
}

/// Number of terms L in the shape of a transition.
pub(super) fn terms(transition: Transition) -> u32 {
    if transition.is_unique { transition.order + 1 } else { transition.order.max(1) }
}

/// Total energy W and momentum p in units of the rest energy.
fn energy_and_momentum(kinetic_mev: f64) -> (f64, f64) {
    let t = kinetic_mev / ELECTRON_REST_ENERGY_MEV;
    (1.0 + t, (t * (t + 2.0)).sqrt())
}

fn factorial(n: u32) -> f64 {
    (1..=n).map(f64::from).product()
}
