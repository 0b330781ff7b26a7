//! How dense the wave of a beta particle is at the nucleus, against that of a free particle: Dirac's equation, integrated from the nucleus outwards.

use super::potential::Potential;

/// Where the integration begins, in nuclear radii: the first terms of the series are right to its square.
const START: f64 = 1e-3;
/// Longest step, in parts of the radius, for j = 1/2.
const STEP_OF_RADIUS: f64 = 0.1;
/// Longest step, in radians of the local wave.
const STEP_OF_PHASE: f64 = 0.15;
/// Largest change of the local momentum over one radian, in parts of it, of a wave that is as good as free.
const ADIABATIC: f64 = 2e-4;
/// Least phase at which a wave is compared with a free one.
const LEAST_PHASE: f64 = 12.0;

/// A radial wave: the large and the small component times r, with r^k divided out.
type Components = [f64; 2];

/// A wave of given energy and angular momentum.
struct Wave<'a> {
    potential: &'a Potential,
    /// Total energy in units of the rest energy.
    w: f64,
    /// The angular momentum is j = k − 1/2.
    k: u32,
    /// Whether κ = −k, so that the large component is the one that reaches the nucleus, else κ = k.
    is_large: bool,
}

/// The density ratio F_k: (α²₋ₖ + α²ₖ)/p² with the Coulomb amplitudes α, so that it is 1 for a free particle. F₁ is the Fermi function, with the size of
/// the nucleus and the screening in it; F_k/F₁ is λ_k.
///
/// * `w` – total energy in units of the rest energy, above 1
/// * `k` – angular momentum j + 1/2, from 1
///
/// Source: H. Behrens and W. Bühring, *Electron Radial Wave Functions and Nuclear Beta-decay* (1982), ch. 3 and 4.
pub(super) fn density(potential: &Potential, w: f64, k: u32) -> f64 {
    let part =
        |is_large: bool, rest: f64| (w + rest) / (2.0 * w) / Wave { potential, w, k, is_large }.squared_amplitude();
    part(true, 1.0) + part(false, -1.0)
}

impl Wave<'_> {
    /// Square of the amplitude far away, of a wave that is at the nucleus as a free one of amplitude 1.
    fn squared_amplitude(&self) -> f64 {
        let (mut r, mut wave) = self.start();
        while !self.is_free(r) {
            let step = self.step(r);
            wave = self.advance(r, step, wave);
            r += step;
        }
        let (w, w_here) = (self.w, self.w - self.potential.at(r));
        let (p, p_here) = ((w * w - 1.0).sqrt(), (w_here * w_here - 1.0).sqrt());
        // A slow change of the potential keeps the current, A²p/W.
        self.compare(r, wave) * p_here / w_here * w / p
    }

    /// First radius and the components there, r^k divided out: of a free wave of amplitude 1, x^k/(2k − 1)!! and the first term of the other.
    fn start(&self) -> (f64, Components) {
        let (w, k) = (self.w, f64::from(self.k));
        let r = START * self.potential.nucleus();
        let p = (w * w - 1.0).sqrt();
        let double_factorial: f64 = (1..=self.k).map(|n| f64::from(2 * n - 1)).product();
        let rest = if self.is_large { 1.0 } else { -1.0 };
        let main = ((w + rest) / (2.0 * w)).sqrt() * p.powi(self.k.cast_signed()) / double_factorial;
        let other = (w - self.potential.at(r) - rest) * r / (2.0 * k + 1.0) * main;
        (r, if self.is_large { [main, -other] } else { [other, main] })
    }

    /// Square of the momentum at `r`.
    fn squared_momentum(&self, r: f64) -> f64 {
        (self.w - self.potential.at(r)).powi(2) - 1.0
    }

    fn step(&self, r: f64) -> f64 {
        let of_radius = STEP_OF_RADIUS / f64::from(self.k) * r;
        of_radius.min(STEP_OF_PHASE / self.squared_momentum(r).abs().sqrt())
    }

    /// Whether the wave from `r` on is that of a free particle whose momentum changes slowly.
    fn is_free(&self, r: f64) -> bool {
        let square = self.squared_momentum(r);
        if self.w - self.potential.at(r) < 1.0 || square * r * r < LEAST_PHASE.powi(2) {
            return false;
        }
        if self.potential.ends_at(r) {
            return true;
        }
        let nearby = 1.01 * r;
        let change = (self.potential.at(nearby) - self.potential.at(r)).abs() / (nearby - r);
        change * self.w / (square * square.sqrt()) < ADIABATIC
    }

    /// Slopes of the components with r^k divided out. With u = rg and v = rf: u' = −κu/r + (W − V + 1)v, v' = κv/r − (W − V − 1)u.
    fn slopes(&self, r: f64, [u, v]: Components) -> Components {
        let kinetic = self.w - self.potential.at(r);
        let decline = 2.0 * f64::from(self.k) / r;
        let (of_u, of_v) = if self.is_large { (0.0, decline) } else { (decline, 0.0) };
        [(kinetic + 1.0) * v - of_u * u, -(kinetic - 1.0) * u - of_v * v]
    }

    /// One step of Runge and Kutta.
    fn advance(&self, r: f64, step: f64, wave: Components) -> Components {
        let moved = |slopes: Components, by: f64| [wave[0] + by * slopes[0], wave[1] + by * slopes[1]];
        let a = self.slopes(r, wave);
        let b = self.slopes(r + 0.5 * step, moved(a, 0.5 * step));
        let c = self.slopes(r + 0.5 * step, moved(b, 0.5 * step));
        let d = self.slopes(r + step, moved(c, step));
        [0, 1].map(|i| wave[i] + step / 6.0 * (a[i] + 2.0 * (b[i] + c[i]) + d[i]))
    }

    /// Square of the amplitude of the free wave, of the local momentum, that continues this one.
    fn compare(&self, r: f64, [u, v]: Components) -> f64 {
        let w = self.w - self.potential.at(r);
        let x = (w * w - 1.0).sqrt() * r;
        let scale = r.powi(self.k.cast_signed());
        let (u, v) = (scale * u / ((w + 1.0) / (2.0 * w)).sqrt(), scale * v / ((w - 1.0) / (2.0 * w)).sqrt());
        let (main, other) = if self.is_large { (u, -v) } else { (v, u) };
        let [low, high] = [self.k - 1, self.k].map(|order| riccati_bessel(order, x));
        (main * high[1] - other * low[1]).powi(2) + (main * high[0] - other * low[0]).powi(2)
    }
}

/// x·j(x) and x·y(x) of an order, for x above the order.
fn riccati_bessel(order: u32, x: f64) -> [f64; 2] {
    let (sin, cos) = x.sin_cos();
    // Order −1 and 0.
    let (mut last, mut this) = ([cos, sin], [sin, -cos]);
    for n in 0..order {
        let next = [0, 1].map(|i| f64::from(2 * n + 1) / x * this[i] - last[i]);
        (last, this) = (this, next);
    }
    this
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
            let found = density(&neutral, 1.0 + kinetic, k);
            assert!((found - 1.0).abs() < 1e-4, "{kinetic} {k}: {found}");
        }
    }

    /// For slow particles and small charges: F = 2πη/(1 − exp(−2πη)) (Sommerfeld), times (2pR)^(2γ − 2), with corrections of the order of (αZ)².
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
                let found = density(&Potential::of_nucleus(sign, z, radius), w, 1);
                let allowed = 3.0 * strength * strength + 2e-4;
                assert!((found / expected - 1.0).abs() < allowed, "{sign} {z} {kinetic}: {found} {expected}");
            }
        }
    }
}
