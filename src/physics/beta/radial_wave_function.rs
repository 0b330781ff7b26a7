//! Radial wave functions of a beta particle at the nucleus: the Dirac equation, integrated outwards from the nucleus.
//!
//! Source: H. Behrens and W. Bühring, *Electron Radial Wave Functions and Nuclear Beta-decay* (1982), ch. 3 and 4.
//! Units are ħ = m_e = c = 1.

use super::potential::Potential;
use crate::math::{bessel, runge_kutta};

/// Where the integration begins, in nuclear radii: the error of the first terms of the series is its square.
const START: f64 = 1e-3;
/// Longest step as a fraction of the radius, for j = 1/2.
const STEP_OF_RADIUS: f64 = 0.1;
/// Longest step in radians of the local wave.
const STEP_OF_PHASE: f64 = 0.15;
/// Largest relative change of the local momentum over one radian at which a wave counts as free.
const ADIABATIC: f64 = 2e-4;
/// Smallest phase at which a wave is compared with a free one.
const LEAST_PHASE: f64 = 12.0;

/// The functions u = rg and v = rf, with r^k divided out.
type Components = [f64; 2];

/// A radial wave function of given energy and angular momentum.
struct RadialWaveFunction<'a> {
    potential: &'a Potential,
    /// Total energy W.
    w: f64,
    /// The angular momentum is j = k − 1/2.
    k: u32,
    kappa: Kappa,
}

/// Sign of the quantum number κ = ±k.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kappa {
    /// κ = −k: the large component g reaches the nucleus.
    Minus,
    /// κ = k: the small component f does.
    Plus,
}

impl Kappa {
    /// −κ/k.
    fn minus_sign(self) -> f64 {
        match self {
            Self::Minus => 1.0,
            Self::Plus => -1.0,
        }
    }
}

/// F_k = (α²₋ₖ + α²ₖ)/p² with the Coulomb amplitudes α, scaled to 1 for a free particle. F₁ is the Fermi function, with
/// the size of the nucleus and the screening; F_k/F₁ is λ_k.
///
/// * `w` – total energy W, above 1
/// * `k` – angular momentum j + 1/2, from 1
pub(super) fn fermi_function(potential: &Potential, w: f64, k: u32) -> f64 {
    let part = |kappa: Kappa| {
        (w + kappa.minus_sign()) / (2.0 * w) / RadialWaveFunction { potential, w, k, kappa }.squared_amplitude()
    };
    part(Kappa::Minus) + part(Kappa::Plus)
}

impl RadialWaveFunction<'_> {
    /// Square of the amplitude far away, if the function at the nucleus is that of a free particle of amplitude 1.
    fn squared_amplitude(&self) -> f64 {
        let (mut r, mut components) = self.start();
        while !self.is_free(r) {
            let step = self.step(r);
            components = runge_kutta::step(r, step, components, |r, components| self.derivatives(r, components));
            r += step;
        }
        let (w, w_here) = (self.w, self.w - self.potential.at(r));
        let (p, p_here) = ((w * w - 1.0).sqrt(), (w_here * w_here - 1.0).sqrt());
        // While the potential changes slowly, the current A²p/W is conserved.
        self.free_squared_amplitude(r, components) * p_here / w_here * w / p
    }

    /// First radius, and the components there: x^k/(2k − 1)!! of a free wave of amplitude 1, and the first term of the
    /// other component.
    fn start(&self) -> (f64, Components) {
        let (w, k) = (self.w, f64::from(self.k));
        let r = START * self.potential.nucleus();
        let p = (w * w - 1.0).sqrt();
        let double_factorial: f64 = (1..=self.k).map(|n| f64::from(2 * n - 1)).product();
        let sign = self.kappa.minus_sign();
        let main = ((w + sign) / (2.0 * w)).sqrt() * p.powi(self.k.cast_signed()) / double_factorial;
        let other = (w - self.potential.at(r) - sign) * r / (2.0 * k + 1.0) * main;
        match self.kappa {
            Kappa::Minus => (r, [main, -other]),
            Kappa::Plus => (r, [other, main]),
        }
    }

    /// Square of the local momentum at `r`.
    fn squared_momentum(&self, r: f64) -> f64 {
        (self.w - self.potential.at(r)).powi(2) - 1.0
    }

    fn step(&self, r: f64) -> f64 {
        let of_radius = STEP_OF_RADIUS / f64::from(self.k) * r;
        of_radius.min(STEP_OF_PHASE / self.squared_momentum(r).abs().sqrt())
    }

    /// Whether the wave from `r` on is that of a free particle whose momentum changes slowly.
    fn is_free(&self, r: f64) -> bool {
        let p2 = self.squared_momentum(r);
        if self.w - self.potential.at(r) < 1.0 || p2 * r * r < LEAST_PHASE.powi(2) {
            return false;
        }
        if self.potential.ends_at(r) {
            return true;
        }
        let nearby = 1.01 * r;
        let change = (self.potential.at(nearby) - self.potential.at(r)).abs() / (nearby - r);
        change * self.w / (p2 * p2.sqrt()) < ADIABATIC
    }

    /// Derivatives of the components with r^k divided out: u' = −κu/r + (W − V + 1)v, v' = κv/r − (W − V − 1)u.
    fn derivatives(&self, r: f64, [u, v]: Components) -> Components {
        let kinetic = self.w - self.potential.at(r);
        let decline = 2.0 * f64::from(self.k) / r;
        let (of_u, of_v) = match self.kappa {
            Kappa::Minus => (0.0, decline),
            Kappa::Plus => (decline, 0.0),
        };
        [(kinetic + 1.0) * v - of_u * u, -(kinetic - 1.0) * u - of_v * v]
    }

    /// Square of the amplitude of the free wave, of the local momentum, that continues this one.
    fn free_squared_amplitude(&self, r: f64, [u, v]: Components) -> f64 {
        let w = self.w - self.potential.at(r);
        let x = (w * w - 1.0).sqrt() * r;
        let scale = r.powi(self.k.cast_signed());
        let (u, v) = (scale * u / ((w + 1.0) / (2.0 * w)).sqrt(), scale * v / ((w - 1.0) / (2.0 * w)).sqrt());
        let (main, other) = match self.kappa {
            Kappa::Minus => (u, -v),
            Kappa::Plus => (v, u),
        };
        let [low, high] = [self.k - 1, self.k].map(|order| bessel::riccati(order, x));
        (main * high[1] - other * low[1]).powi(2) + (main * high[0] - other * low[0]).powi(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constants::FINE_STRUCTURE;

    const KINETIC: [f64; 5] = [2e-4, 0.02, 0.2, 2.0, 10.0];

    #[test]
    fn without_charge_every_wave_is_free() {
        let neutral = Potential::of_atom(-1.0, 0, 100);
        for (kinetic, k) in KINETIC.into_iter().flat_map(|kinetic| (1..=4).map(move |k| (kinetic, k))) {
            let found = fermi_function(&neutral, 1.0 + kinetic, k);
            assert!((found - 1.0).abs() < 1e-4, "{kinetic} {k}: {found}");
        }
    }

    /// For slow particles and small charges: F = 2πη/(1 − exp(−2πη)) (Sommerfeld), times (2pR)^(2γ − 2), with
    /// corrections of the order of (αZ)².
    #[test]
    fn slow_particles_are_attracted_or_kept_out_as_sommerfeld_says() {
        let radius: f64 = 0.01;
        for (sign, z) in [(-1.0, 1), (-1.0, 5), (1.0, 1), (1.0, 5)] {
            for kinetic in [1e-3, 1e-2, 0.1] {
                let w: f64 = 1.0 + kinetic;
                let p = (w * w - 1.0).sqrt();
                let strength = FINE_STRUCTURE * f64::from(z);
                let turn = -sign * std::f64::consts::TAU * strength * w / p;
                let expected = turn / -(-turn).exp_m1() * (2.0 * p * radius).powf(-strength * strength);
                let found = fermi_function(&Potential::of_nucleus(sign, z, radius), w, 1);
                let allowed = 3.0 * strength * strength + 2e-4;
                assert!((found / expected - 1.0).abs() < allowed, "{sign} {z} {kinetic}: {found} {expected}");
            }
        }
    }
}
