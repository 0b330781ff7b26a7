//! Collisions with single electrons at rest: Møller scattering of electrons, Bhabha scattering of positrons.

use super::collision::largest_loss;
use super::{Charge, collision_strength, tau};
use crate::constants::ELECTRON_REST_ENERGY_MEV;
use crate::math::quadrature::integrate_log;

/// Differential cross section of one electron for a loss `loss_mev`, per MeV of loss [cm²/MeV]; 0 beyond the largest
/// loss.
///
/// Source: Møller, Ann. Phys. 14 (1932) 531; Bhabha, Proc. R. Soc. A 154 (1936) 195; both as in ICRU 37 (1984),
/// section 2.
pub fn differential(charge: Charge, kinetic_mev: f64, loss_mev: f64) -> f64 {
    if loss_mev > largest_loss(charge, kinetic_mev) {
        return 0.0;
    }
    collision_strength(kinetic_mev) / loss_mev.powi(2)
        * rutherford_ratio(charge, tau(kinetic_mev), loss_mev / kinetic_mev)
}

/// Ratio to the Rutherford cross section, for a loss of the fraction κ of the energy.
pub fn rutherford_ratio(charge: Charge, tau: f64, kappa: f64) -> f64 {
    match charge {
        Charge::Electron => {
            let a = (tau / (tau + 1.0)).powi(2);
            let ratio = kappa / (1.0 - kappa);
            1.0 + ratio * ratio - (1.0 - a) * ratio + a * kappa * kappa
        }
        Charge::Positron => {
            let [b1, b2, b3, b4] = bhabha(tau);
            1.0 - kappa * (b1 - kappa * (b2 - kappa * (b3 - kappa * b4)))
        }
    }
}

/// Bhabha's four coefficients.
fn bhabha(tau: f64) -> [f64; 4] {
    let gamma = tau + 1.0;
    let scale = (tau / gamma).powi(2);
    let g2 = (gamma + 1.0).powi(2);
    [
        scale * (2.0 * g2 - 1.0) / (gamma * gamma - 1.0),
        scale * (3.0 * g2 + 1.0) / g2,
        scale * 2.0 * gamma * tau / g2,
        scale * tau * tau / g2,
    ]
}

/// Cross section of one electron for losses above `cut_mev` [cm²].
pub fn cross_section(charge: Charge, kinetic_mev: f64, cut_mev: f64) -> f64 {
    let w_max = largest_loss(charge, kinetic_mev);
    if cut_mev >= w_max {
        return 0.0;
    }
    let integral = |kappa: f64| primitive(charge, tau(kinetic_mev), kappa);
    let between = integral(w_max / kinetic_mev) - integral(cut_mev / kinetic_mev);
    collision_strength(kinetic_mev) / kinetic_mev * between
}

/// Integral of `rutherford_ratio(κ)/κ²`.
fn primitive(charge: Charge, tau: f64, kappa: f64) -> f64 {
    match charge {
        Charge::Electron => {
            let a = (tau / (tau + 1.0)).powi(2);
            -1.0 / kappa + 1.0 / (1.0 - kappa) + (1.0 - a) * ((1.0 - kappa) / kappa).ln() + a * kappa
        }
        Charge::Positron => {
            let [b1, b2, b3, b4] = bhabha(tau);
            -1.0 / kappa - b1 * kappa.ln() + kappa * (b2 - kappa * (b3 / 2.0 - kappa * b4 / 3.0))
        }
    }
}

/// Energy lost to one electron by losses above `cut_mev` [MeV·cm²].
pub fn stopping(charge: Charge, kinetic_mev: f64, cut_mev: f64) -> f64 {
    let w_max = largest_loss(charge, kinetic_mev);
    integrate_log(cut_mev, w_max, |loss| loss * differential(charge, kinetic_mev, loss))
}

/// Cosine of the deflection angle of the projectile when it loses `loss_mev` to an electron at rest.
///
/// Source: conservation of energy and momentum.
pub fn deflection_cosine(kinetic_mev: f64, loss_mev: f64) -> f64 {
    (1.0 - deflection_sine_squared(kinetic_mev, loss_mev)).max(0.0).sqrt()
}

/// Square of the sine of the same angle.
pub(super) fn deflection_sine_squared(kinetic_mev: f64, loss_mev: f64) -> f64 {
    let m = ELECTRON_REST_ENERGY_MEV;
    2.0 * m * loss_mev / (kinetic_mev * (kinetic_mev - loss_mev + 2.0 * m))
}

/// Cosine of the angle between the secondary electron and the projectile.
pub fn recoil_cosine(kinetic_mev: f64, loss_mev: f64) -> f64 {
    let m = ELECTRON_REST_ENERGY_MEV;
    (loss_mev * (kinetic_mev + 2.0 * m) / (kinetic_mev * (loss_mev + 2.0 * m))).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::electron::momentum_squared_mev2;

    #[test]
    fn the_total_is_the_integral_of_the_differential() {
        for charge in Charge::ALL {
            for energy in [0.01, 0.1, 1.0, 10.0] {
                for part in [1e-3, 0.05, 0.3] {
                    let cut = part * energy;
                    let total = cross_section(charge, energy, cut);
                    let sum = integrate_log(cut, largest_loss(charge, energy), |w| differential(charge, energy, w));
                    assert!((sum / total - 1.0).abs() < 1e-10, "{charge:?} {energy} {cut}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_hard_above_the_largest_loss() {
        assert_eq!(cross_section(Charge::Electron, 1.0, 0.5), 0.0);
        assert_eq!(cross_section(Charge::Positron, 1.0, 1.0), 0.0);
        assert_eq!(differential(Charge::Electron, 1.0, 0.51), 0.0);
        assert!(differential(Charge::Positron, 1.0, 0.51) > 0.0);
    }

    #[test]
    fn moller_is_symmetric_in_the_two_electrons() {
        for tau in [0.1, 2.0] {
            for kappa in [0.1, 0.3] {
                let over = |k: f64| rutherford_ratio(Charge::Electron, tau, k) / (k * k);
                assert!((over(kappa) / over(1.0 - kappa) - 1.0).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn momentum_is_conserved() {
        for energy in [0.01, 0.3, 5.0] {
            for part in [1e-3, 0.1, 0.5, 0.9] {
                let loss = part * energy;
                let momentum = |e: f64| momentum_squared_mev2(e).sqrt();
                let (p, k) = (deflection_cosine(energy, loss), recoil_cosine(energy, loss));
                let along = momentum(energy - loss) * p + momentum(loss) * k;
                let across = momentum(energy - loss) * (1.0 - p * p).sqrt() - momentum(loss) * (1.0 - k * k).sqrt();
                assert!((along / momentum(energy) - 1.0).abs() < 1e-12 && (across / momentum(energy)).abs() < 1e-7);
            }
        }
    }
}
