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

/// The radial wave functions of given energy and angular momentum, of both signs of κ. They feel the same potential at
/// the same radii, and so are integrated together.
struct RadialWaveFunctions<'a> {
    potential: &'a Potential,
    /// Total energy W.
    w: f64,
    /// The angular momentum is j = k − 1/2.
    k: u32,
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
    const BOTH: [Self; 2] = [Self::Minus, Self::Plus];

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
    let amplitudes = RadialWaveFunctions { potential, w, k }.squared_amplitudes();
    let part = |(kappa, amplitude): (Kappa, f64)| (w + kappa.minus_sign()) / (2.0 * w) / amplitude;
    Kappa::BOTH.into_iter().zip(amplitudes).map(part).sum()
}

impl RadialWaveFunctions<'_> {
    /// Squares of the amplitudes far away, if the functions at the nucleus are those of a free particle of amplitude 1.
    fn squared_amplitudes(&self) -> [f64; 2] {
        let mut r = START * self.potential.nucleus();
        let mut here = self.potential.at(r);
        let [minus, plus] = Kappa::BOTH.map(|kappa| self.start(kappa, r, here));
        let mut both = [minus[0], minus[1], plus[0], plus[1]];
        while !self.is_free(r, here) {
            let step = self.step(r, here);
            both = runge_kutta::step(r, step, both, |r, both| self.derivatives(r, both));
            r += step;
            here = self.potential.at(r);
        }
        let (w, w_here) = (self.w, self.w - here);
        let (p, p_here) = ((w * w - 1.0).sqrt(), (w_here * w_here - 1.0).sqrt());
        let [u_minus, v_minus, u_plus, v_plus] = both;
        [(Kappa::Minus, [u_minus, v_minus]), (Kappa::Plus, [u_plus, v_plus])].map(|(kappa, components)| {
            // While the potential changes slowly, the current A²p/W is conserved.
            self.free_squared_amplitude(kappa, r, w_here, components) * p_here / w_here * w / p
        })
    }

    /// The components at the first radius: x^k/(2k − 1)!! of a free wave of amplitude 1, and the first term of the
    /// other component.
    fn start(&self, kappa: Kappa, r: f64, potential: f64) -> Components {
        let (w, k) = (self.w, f64::from(self.k));
        let p = (w * w - 1.0).sqrt();
        let double_factorial: f64 = (1..=self.k).map(|n| f64::from(2 * n - 1)).product();
        let sign = kappa.minus_sign();
        let main = ((w + sign) / (2.0 * w)).sqrt() * p.powi(self.k.cast_signed()) / double_factorial;
        let other = (w - potential - sign) * r / (2.0 * k + 1.0) * main;
        match kappa {
            Kappa::Minus => [main, -other],
            Kappa::Plus => [other, main],
        }
    }

    /// Square of the local momentum.
    fn squared_momentum(&self, potential: f64) -> f64 {
        (self.w - potential).powi(2) - 1.0
    }

    fn step(&self, r: f64, potential: f64) -> f64 {
        let of_radius = STEP_OF_RADIUS / f64::from(self.k) * r;
        of_radius.min(STEP_OF_PHASE / self.squared_momentum(potential).abs().sqrt())
    }

    /// Whether the wave from `r` on is that of a free particle whose momentum changes slowly.
    fn is_free(&self, r: f64, potential: f64) -> bool {
        let p2 = self.squared_momentum(potential);
        if self.w - potential < 1.0 || p2 * r * r < LEAST_PHASE.powi(2) {
            return false;
        }
        if self.potential.ends_at(r) {
            return true;
        }
        let nearby = 1.01 * r;
        let change = (self.potential.at(nearby) - potential).abs() / (nearby - r);
        change * self.w / (p2 * p2.sqrt()) < ADIABATIC
    }

    /// Derivatives of the components with r^k divided out, of κ = −k, then k: u' = −κu/r + (W − V + 1)v,
    /// v' = κv/r − (W − V − 1)u.
    fn derivatives(&self, r: f64, [u_minus, v_minus, u_plus, v_plus]: [f64; 4]) -> [f64; 4] {
        let kinetic = self.w - self.potential.at(r);
        let decline = 2.0 * f64::from(self.k) / r;
        [
            (kinetic + 1.0) * v_minus,
            -(kinetic - 1.0) * u_minus - decline * v_minus,
            (kinetic + 1.0) * v_plus - decline * u_plus,
            -(kinetic - 1.0) * u_plus,
        ]
    }

    /// Square of the amplitude of the free wave, of the local energy W and momentum, that continues this one.
    fn free_squared_amplitude(&self, kappa: Kappa, r: f64, w: f64, [u, v]: Components) -> f64 {
        let x = (w * w - 1.0).sqrt() * r;
        let scale = r.powi(self.k.cast_signed());
        let (u, v) = (scale * u / ((w + 1.0) / (2.0 * w)).sqrt(), scale * v / ((w - 1.0) / (2.0 * w)).sqrt());
        let (main, other) = match kappa {
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
