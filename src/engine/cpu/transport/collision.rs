//! Hard collisions, bremsstrahlung photons, annihilation in flight: the energy of what leaves, and its direction.
//! Twin: `shaders/shared/collision.wgsl`.

use super::elementary::{exponential, natural_log};
use super::lookup::{between, sparse_place};
use super::random::Stream;
use super::sampling::accepted;
use crate::prepare::transport::nodes::OCTAVE_BITS;
use crate::prepare::transport::scene::{ELECTRON_REST_MEV, Spectra};
use crate::prepare::transport::tables::{PHOTON_STEPS, SPECTRUM_ROWS_PER_OCTAVE};

/// Energy and direction of what leaves an interaction; directions are cosines to that of the incoming particle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Emerging {
    /// Energy transferred to the new particle [MeV].
    pub(crate) energy_mev: f32,
    /// Cosine of the angle at which the new particle leaves.
    pub(crate) cosine: f32,
    /// Cosine of the deflection of the incoming particle.
    pub(crate) deflection_cosine: f32,
}

/// A collision of an electron with one at rest. It loses more than `cut_mev` and at most half of its energy.
///
/// Source: Møller, Ann. Phys. 14 (1932) 531; sampled as in Salvat, Fernández-Varea & Sempau (2011), section 3.2.
pub(crate) fn moller(kinetic_mev: f32, cut_mev: f32, stream: &mut Stream) -> Emerging {
    let tau = kinetic_mev / ELECTRON_REST_MEV;
    let a = (tau / (tau + 1.0)) * (tau / (tau + 1.0));
    let kappa_c = cut_mev / kinetic_mev;
    let kappa = accepted(stream, |stream| {
        // The density of κ is 1/κ² from the cut to one half.
        let kappa = kappa_c / (1.0 - stream.next_uniform() * (1.0 - 2.0 * kappa_c));
        let ratio = kappa / (1.0 - kappa);
        let phi = 1.0 + ratio * ratio - (1.0 - a) * ratio + a * kappa * kappa;
        (kappa, stream.next_uniform() * (1.0 + 1.25 * a) < phi)
    });
    binary(kinetic_mev, kappa.min(0.5) * kinetic_mev)
}

/// A collision of a positron with an electron at rest. It loses more than `cut_mev`.
///
/// Source: Bhabha, Proc. R. Soc. A 154 (1936) 195, as in ICRU 37 (1984), section 2.
pub(crate) fn bhabha(kinetic_mev: f32, cut_mev: f32, stream: &mut Stream) -> Emerging {
    let gamma = kinetic_mev / ELECTRON_REST_MEV + 1.0;
    let tau = gamma - 1.0;
    let a = (tau / gamma) * (tau / gamma);
    let g2 = (gamma + 1.0) * (gamma + 1.0);
    let b1 = a * (2.0 * g2 - 1.0) / (gamma * gamma - 1.0);
    let b2 = a * (3.0 * g2 + 1.0) / g2;
    let b3 = a * 2.0 * gamma * tau / g2;
    let b4 = a * tau * tau / g2;
    let kappa_c = cut_mev / kinetic_mev;
    let kappa = accepted(stream, |stream| {
        let kappa = (kappa_c / (1.0 - stream.next_uniform() * (1.0 - kappa_c))).min(1.0);
        let phi = 1.0 - kappa * (b1 - kappa * (b2 - kappa * (b3 - kappa * b4)));
        (kappa, stream.next_uniform() < phi)
    });
    binary(kinetic_mev, kappa * kinetic_mev)
}

/// Angles of a collision with an electron at rest, from the conservation of energy and momentum.
fn binary(kinetic_mev: f32, loss_mev: f32) -> Emerging {
    let twice_rest = 2.0 * ELECTRON_REST_MEV;
    let sine_squared = twice_rest * loss_mev / (kinetic_mev * (kinetic_mev - loss_mev + twice_rest));
    let recoil_squared = loss_mev * (kinetic_mev + twice_rest) / (kinetic_mev * (loss_mev + twice_rest));
    Emerging {
        energy_mev: loss_mev,
        cosine: recoil_squared.min(1.0).sqrt(),
        deflection_cosine: (1.0 - sine_squared).max(0.0).sqrt(),
    }
}

/// A bremsstrahlung photon above `cut_mev`: its energy from the tabulated spectrum, its angle that of a dipole that
/// moves with the electron.
///
/// * `spectra` – those of the material and charge
///
/// Source of the angles: Acosta, Llovet & Salvat, Appl. Phys. Lett. 80 (2002) 3228, without their fit.
pub(crate) fn bremsstrahlung(kinetic_mev: f32, cut_mev: f32, spectra: Spectra<'_>, stream: &mut Stream) -> Emerging {
    let kappa_c = cut_mev / kinetic_mev;
    let log_kappa_c = natural_log(kappa_c);
    let kappa = accepted(stream, |stream| {
        let kappa = exponential(log_kappa_c * stream.next_uniform()).max(kappa_c).min(1.0);
        (kappa, stream.next_uniform() < acceptance(kinetic_mev, kappa, spectra))
    });
    let gamma = kinetic_mev / ELECTRON_REST_MEV + 1.0;
    let beta = (1.0 - 1.0 / (gamma * gamma)).max(0.0).sqrt();
    // The angle in the frame of the electron.
    let cosine = accepted(stream, |stream| {
        let cosine = 2.0 * stream.next_uniform() - 1.0;
        (cosine, 2.0 * stream.next_uniform() < 1.0 + cosine * cosine)
    });
    Emerging { energy_mev: kappa * kinetic_mev, cosine: boosted(cosine, beta), deflection_cosine: 1.0 }
}

/// A cosine in a frame that moves with the speed β, as seen at rest.
fn boosted(cosine: f32, beta: f32) -> f32 {
    ((cosine + beta) / (1.0 + beta * cosine)).clamp(-1.0, 1.0)
}

/// Probability of accepting a photon of the energy κ times that of the electron. Between the nodes it is linear in the
/// energy and in √(1 − κ).
fn acceptance(kinetic_mev: f32, kappa: f32, spectra: Spectra<'_>) -> f32 {
    let at = sparse_place(kinetic_mev, (1 << OCTAVE_BITS) / SPECTRUM_ROWS_PER_OCTAVE);
    let position = (1.0 - kappa).max(0.0).sqrt() * PHOTON_STEPS as f32;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to the number of steps")]
    let step = (position as usize).min(PHOTON_STEPS - 1);
    let within = position - step as f32;
    let value = |row: usize| {
        let first = row * (PHOTON_STEPS + 1) + step;
        between(spectra.0[first], spectra.0[first + 1], within)
    };
    between(value(at.node), value(at.node + 1), at.fraction)
}

/// The two photons of a positron that annihilates in flight: energies [MeV] and cosines to its direction. Their
/// azimuths are opposite. ζ is the part of the total energy that one photon carries.
///
/// Source: Heitler, The Quantum Theory of Radiation (1954), § 27; Nelson, Hirayama & Rogers, SLAC-265 (1985), eq.
/// 2.12.9.
pub(crate) fn annihilation(kinetic_mev: f32, stream: &mut Stream) -> [(f32, f32); 2] {
    let gamma = (kinetic_mev / ELECTRON_REST_MEV + 1.0).max(1.0 + 1e-5);
    let momentum = ((gamma - 1.0) * (gamma + 1.0)).sqrt();
    let zeta_min = 1.0 / (gamma + 1.0 + momentum);
    let linear = gamma * gamma + 4.0 * gamma + 1.0;
    let g_max = linear - 2.0 * (gamma + 1.0);
    let log_range = natural_log((1.0 - zeta_min) / zeta_min);
    let zeta = accepted(stream, |stream| {
        // The density of ζ is 1/ζ from its smallest value to its largest.
        let zeta = zeta_min * exponential(log_range * stream.next_uniform());
        let g = linear - (gamma + 1.0) * (gamma + 1.0) * zeta - 1.0 / zeta;
        (zeta, stream.next_uniform() * g_max < g)
    });
    let total_mev = kinetic_mev + 2.0 * ELECTRON_REST_MEV;
    let cosine = |zeta: f32| ((gamma + 1.0 - 1.0 / zeta) / momentum).clamp(-1.0, 1.0);
    let first_mev = zeta * total_mev;
    [(first_mev, cosine(zeta)), (total_mev - first_mev, cosine(1.0 - zeta))]
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "a test of single precision")]
mod tests {
    use super::*;
    use crate::math::quadrature::integrate_log;
    use crate::physics::electron::photon_spectrum::PhotonSpectrum;
    use crate::physics::electron::{Charge, annihilation as annihilation_theory, hard_collision};
    use crate::physics::material;
    use crate::prepare::transport::tables::SPECTRUM_ROWS;

    const ENERGIES_MEV: [f32; 6] = [0.011, 0.05, 0.2, 1.0, 3.0, 9.0];
    const SAMPLES: u32 = 200_000;

    fn stream(id: u32) -> Stream {
        Stream::new([7, 0, 3, 0], id)
    }

    fn momentum(kinetic_mev: f32) -> f32 {
        (kinetic_mev * (kinetic_mev + 2.0 * ELECTRON_REST_MEV)).sqrt()
    }

    fn sine(cosine: f32) -> f32 {
        (1.0 - cosine * cosine).max(0.0).sqrt()
    }

    /// Mean and its standard error.
    fn mean(mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let (mut sum, mut square) = (0.0, 0.0);
        for _ in 0..SAMPLES {
            let x = draw();
            sum += x;
            square += x * x;
        }
        let n = f64::from(SAMPLES);
        (sum / n, ((square / n - (sum / n).powi(2)) / n).sqrt())
    }

    #[test]
    fn collisions_conserve_momentum() {
        for energy in ENERGIES_MEV {
            let mut stream = stream(1);
            for _ in 0..2000 {
                for collision in [moller(energy, 0.005, &mut stream), bhabha(energy, 0.005, &mut stream)] {
                    let (recoil, left) = (momentum(collision.energy_mev), momentum(energy - collision.energy_mev));
                    let along = recoil * collision.cosine + left * collision.deflection_cosine;
                    let aside = recoil * sine(collision.cosine) - left * sine(collision.deflection_cosine);
                    let scale = momentum(energy);
                    assert!((along / scale - 1.0).abs() < 2e-5, "{energy} {collision:?}");
                    // A sine near 0 is the root of a difference: good to the root of single precision.
                    assert!((aside / scale).abs() < 1e-3, "{energy} {collision:?}");
                }
            }
        }
    }

    #[test]
    fn losses_have_the_mean_of_their_cross_section() {
        for (energy, cut) in [(0.05, 0.005), (0.5, 0.01), (2.0, 0.02), (8.0, 0.001)] {
            for charge in Charge::ALL {
                let mut stream = stream(2);
                let (found, error) = mean(|| {
                    let (energy, cut) = (energy as f32, cut as f32);
                    f64::from(match charge {
                        Charge::Electron => moller(energy, cut, &mut stream).energy_mev,
                        Charge::Positron => bhabha(energy, cut, &mut stream).energy_mev,
                    })
                });
                let expected =
                    hard_collision::stopping(charge, energy, cut) / hard_collision::cross_section(charge, energy, cut);
                // False alarms: 1 in 1000 over all cases.
                assert!((found - expected).abs() < 4.2 * error, "{charge:?} {energy}: {found} {expected} ± {error}");
            }
        }
    }

    #[test]
    fn photons_have_the_mean_of_their_spectrum() {
        let spectrum = PhotonSpectrum::of(material::find("water").expect("water"), Charge::Electron);
        let mut rows = Vec::new();
        for row in 0..SPECTRUM_ROWS {
            let e = crate::prepare::transport::nodes::node(
                row * crate::prepare::transport::nodes::INTERVALS / (SPECTRUM_ROWS - 1),
            );
            rows.extend(
                (0..=PHOTON_STEPS)
                    .map(|i| spectrum.acceptance(e, 1.0 - (i as f64 / PHOTON_STEPS as f64).powi(2)) as f32),
            );
        }
        for (energy, cut) in [(0.1, 0.005), (0.9, 0.01), (2.2, 0.005)] {
            let mut stream = stream(3);
            let (found, error) =
                mean(|| f64::from(bremsstrahlung(energy as f32, cut as f32, Spectra(&rows), &mut stream).energy_mev));
            let least = cut / energy;
            let weight = |kappa: f64| spectrum.acceptance(energy, kappa) / kappa;
            let expected = energy * integrate_log(least, 1.0, |k| k * weight(k)) / integrate_log(least, 1.0, weight);
            // The rows are a quarter of an octave apart: 0.5 %.
            assert!((found - expected).abs() < 4.2 * error + 0.005 * expected, "{energy}: {found} {expected}");
        }
    }

    #[test]
    fn annihilation_conserves_energy_and_momentum() {
        for energy in ENERGIES_MEV {
            let mut stream = stream(4);
            for _ in 0..2000 {
                let [(k1, c1), (k2, c2)] = annihilation(energy, &mut stream);
                let total = energy + 2.0 * ELECTRON_REST_MEV;
                assert!(((k1 + k2) / total - 1.0).abs() < 1e-6, "{energy}");
                let (along, aside) = (k1 * c1 + k2 * c2, k1 * sine(c1) - k2 * sine(c2));
                assert!((along - momentum(energy)).abs() < 2e-4 * total, "{energy}: {along}");
                assert!(aside.abs() < 5e-3 * total, "{energy}: {aside}");
            }
        }
    }

    #[test]
    fn the_softer_photon_has_the_mean_of_the_cross_section() {
        for energy in [0.1, 0.6, 3.0] {
            let mut stream = stream(5);
            let (found, error) = mean(|| {
                let [(k1, _), (k2, _)] = annihilation(energy as f32, &mut stream);
                f64::from(k1.min(k2)) / (energy + 2.0 * f64::from(ELECTRON_REST_MEV))
            });
            let from = annihilation_theory::smallest_part(energy);
            let weight = |part: f64| annihilation_theory::differential(energy, part);
            let expected = integrate_log(from, 0.5, |z| z * weight(z)) / integrate_log(from, 0.5, weight);
            assert!((found - expected).abs() < 4.2 * error, "{energy}: {found} {expected} ± {error}");
        }
    }
}
