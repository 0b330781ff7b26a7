//! Interactions of photons: energies and angles. Twin: `shaders/shared/scatter.wgsl`.

use super::elementary::{exponential, natural_log};
use super::lookup::{between, sparse_place};
use super::random::Stream;
use super::sampling::accepted;
use crate::constants::H_C_MEV_ANGSTROM;
use crate::prepare::transport::nodes::INTERVALS;
use crate::prepare::transport::scene::{ELECTRON_REST_MEV, FormFactors};
use crate::prepare::transport::tables::{FORM_FACTOR_BINS, TRANSFER_BINS, TRANSFER_MIN};

/// Momentum transfer [Å⁻¹] of a photon of 1 MeV that is turned back.
#[expect(clippy::cast_possible_truncation, reason = "single precision is what the engines use")]
const TRANSFER_PER_MEV: f32 = (1.0 / H_C_MEV_ANGSTROM) as f32;

/// A photon scattered by an electron.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Compton {
    /// Energy of the scattered photon [MeV].
    pub(crate) photon_mev: f32,
    /// Cosine of its deflection.
    pub(crate) cosine: f32,
    /// Cosine of the angle at which the electron leaves, opposite in azimuth.
    pub(crate) electron_cosine: f32,
}

/// Compton scattering by bound electrons: Klein and Nishina's cross section times the incoherent scattering function. ε
/// is the part of its energy that the photon keeps, and g(ε) = 1 − ε sin²θ / (1 + ε²) the rejection function.
///
/// Source: Klein & Nishina, Z. Phys. 52 (1929) 853; sampled as by Butcher & Messel, Nucl. Phys. 20 (1960) 15.
pub(crate) fn compton(energy_mev: f32, factors: FormFactors<'_>, stream: &mut Stream) -> Compton {
    let k = energy_mev / ELECTRON_REST_MEV;
    let epsilon_0 = 1.0 / (1.0 + 2.0 * k);
    let (alpha_1, alpha_2) = (-natural_log(epsilon_0), 0.5 * (1.0 - epsilon_0 * epsilon_0));
    let (epsilon, one_minus_cos_theta) = accepted(stream, |stream| {
        let epsilon = if stream.next_uniform() * (alpha_1 + alpha_2) < alpha_1 {
            exponential(-alpha_1 * stream.next_uniform())
        } else {
            (epsilon_0 * epsilon_0 + (1.0 - epsilon_0 * epsilon_0) * stream.next_uniform()).sqrt()
        }
        .clamp(epsilon_0, 1.0);
        let one_minus_cos_theta = ((1.0 - epsilon) / (k * epsilon)).clamp(0.0, 2.0);
        let sin_squared_theta = one_minus_cos_theta * (2.0 - one_minus_cos_theta);
        let g = 1.0 - epsilon * sin_squared_theta / (1.0 + epsilon * epsilon);
        let x = energy_mev * TRANSFER_PER_MEV * (0.5 * one_minus_cos_theta).sqrt();
        ((epsilon, one_minus_cos_theta), stream.next_uniform() < g * incoherent(x, factors))
    });
    compton_angles(energy_mev, epsilon, one_minus_cos_theta)
}

/// Angles from the part of its energy that the photon keeps, by conservation of momentum with an electron at rest.
fn compton_angles(energy_mev: f32, epsilon: f32, one_minus_cos_theta: f32) -> Compton {
    let photon_mev = energy_mev * epsilon;
    let cosine = 1.0 - one_minus_cos_theta;
    let forward = energy_mev - photon_mev * cosine;
    let aside = photon_mev * (one_minus_cos_theta * (2.0 - one_minus_cos_theta)).max(0.0).sqrt();
    let electron_cosine = forward / (forward * forward + aside * aside).sqrt().max(1e-20);
    Compton { photon_mev, cosine, electron_cosine: electron_cosine.clamp(-1.0, 1.0) }
}

/// Incoherent scattering function per electron, at a momentum transfer x [Å⁻¹].
fn incoherent(x: f32, factors: FormFactors<'_>) -> f32 {
    if x < TRANSFER_MIN {
        let part = x / TRANSFER_MIN;
        return factors.incoherent[0] * part * part;
    }
    let at = sparse_place(x, INTERVALS / TRANSFER_BINS);
    between(factors.incoherent[at.node], factors.incoherent[at.node + 1], at.fraction)
}

/// Cosine of the deflection of a photon scattered coherently: the form factor by inversion, Thomson's factor by
/// rejection.
///
/// Source: Hubbard et al., J. Phys. Chem. Ref. Data 4 (1975) 471.
pub(crate) fn coherent_cosine(energy_mev: f32, factors: FormFactors<'_>, stream: &mut Stream) -> f32 {
    let x_max = energy_mev * TRANSFER_PER_MEV;
    let whole = cumulative(x_max, factors);
    accepted(stream, |stream| {
        let x = invert(stream.next_uniform() * whole, factors);
        let sin_half_theta = (x / x_max).min(1.0);
        let cos_theta = 1.0 - 2.0 * sin_half_theta * sin_half_theta;
        (cos_theta, 2.0 * stream.next_uniform() < 1.0 + cos_theta * cos_theta)
    })
}

/// Integral of the squared form factor over the squared momentum transfer, up to a transfer x [Å⁻¹].
fn cumulative(x: f32, factors: FormFactors<'_>) -> f32 {
    let at = sparse_place(x, INTERVALS / FORM_FACTOR_BINS);
    between(factors.coherent[at.node], factors.coherent[at.node + 1], at.fraction)
}

/// The momentum transfer [Å⁻¹] up to which the integral has a value: bisection over the bins, then quadratic in the
/// transfer within one.
fn invert(wanted: f32, factors: FormFactors<'_>) -> f32 {
    let (mut low, mut high) = (0, FORM_FACTOR_BINS);
    while high - low > 1 {
        let middle = usize::midpoint(low, high);
        if factors.coherent[middle] <= wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    let (first, second) = (factors.coherent[low], factors.coherent[high]);
    let part = ((wanted - first) / (second - first).max(1e-30)).clamp(0.0, 1.0);
    let (lower, upper) = (factors.transfer[low], factors.transfer[high]);
    // Within a bin the form factor is nearly constant: the integral grows like the square of the transfer.
    (lower * lower + part * (upper * upper - lower * lower)).sqrt()
}

/// Cosine of the angle at which a photoelectron leaves: ν = 1 − cos θ.
///
/// Source: Sauter, Ann. Phys. 11 (1931) 454; sampled as in Salvat, Fernández-Varea & Sempau (2011), section 2.2.1.
pub(crate) fn photoelectron_cosine(kinetic_mev: f32, stream: &mut Stream) -> f32 {
    let gamma = kinetic_mev / ELECTRON_REST_MEV + 1.0;
    let beta = (1.0 - 1.0 / (gamma * gamma)).max(1e-6).sqrt();
    let a = 1.0 / beta - 1.0;
    let b = 0.5 * beta * gamma * (gamma - 1.0) * (gamma - 2.0);
    let g_0 = 2.0 * (1.0 / a + b);
    let nu = accepted(stream, |stream| {
        let xi = stream.next_uniform();
        let a_plus_2_squared = (a + 2.0) * (a + 2.0);
        let nu = 2.0 * a * (2.0 * xi + (a + 2.0) * xi.sqrt()) / (a_plus_2_squared - 4.0 * xi);
        let g = (2.0 - nu) * (1.0 / (a + nu) + b);
        (nu, stream.next_uniform() * g_0 < g)
    });
    (1.0 - nu).clamp(-1.0, 1.0)
}

/// Cosine of the angle at which an electron or positron of a pair leaves.
///
/// Source: the leading term of the distribution of Sauter and of Gluckstern & Hull, as in Salvat, Fernández-Varea &
/// Sempau (2011), section 2.4.
pub(crate) fn pair_cosine(kinetic_mev: f32, stream: &mut Stream) -> f32 {
    let gamma = kinetic_mev / ELECTRON_REST_MEV + 1.0;
    let beta = (1.0 - 1.0 / (gamma * gamma)).max(0.0).sqrt();
    let xi = 2.0 * stream.next_uniform() - 1.0;
    ((xi + beta) / (xi * beta + 1.0)).clamp(-1.0, 1.0)
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "a test of single precision")]
mod tests {
    use super::*;
    use crate::domain::Material;
    use crate::math::quadrature::integrate_log;
    use crate::math::watch::Unwatched;
    use crate::physics::material::{self};
    use crate::physics::photon::klein_nishina;
    use crate::physics::photon::scattering::{self, momentum_transfer};
    use crate::plan::HistoryCuts;
    use crate::prepare::transport::tables::{FlatTables, StepLimits};

    const SAMPLES: u32 = 200_000;

    fn stream(id: u32) -> Stream {
        Stream::new([11, 0, 5, 0], id)
    }

    fn tables(name: &str) -> (&'static Material, FlatTables) {
        let material = material::find(name).expect("known");
        let cuts = HistoryCuts { absorption_mev: 0.01, collision_mev: 0.01, photon_mev: 0.005, track_length_mev: 0.0 };
        let materials = std::slice::from_ref(material);
        let tables = FlatTables::new(materials, &cuts, StepLimits::default(), false, &Unwatched);
        (material, tables.expect("nobody stops it"))
    }

    fn factors(tables: &FlatTables) -> FormFactors<'_> {
        FormFactors { incoherent: &tables.incoherent, coherent: &tables.coherent, transfer: &tables.transfer }
    }

    fn mean(mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let draws: Vec<f64> = (0..SAMPLES).map(|_| draw()).collect();
        let n = f64::from(SAMPLES);
        let mean = draws.iter().sum::<f64>() / n;
        (mean, (draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n / n).sqrt())
    }

    #[test]
    fn compton_scattering_conserves_energy_and_momentum() {
        let (_, tables) = tables("water");
        for energy in [0.006f32, 0.05, 0.2, 1.0, 2.6, 9.0] {
            let mut stream = stream(1);
            for _ in 0..2000 {
                let s = compton(energy, factors(&tables), &mut stream);
                let electron = energy - s.photon_mev;
                let momentum = (electron * (electron + 2.0 * ELECTRON_REST_MEV)).max(0.0).sqrt();
                let along = s.photon_mev * s.cosine + momentum * s.electron_cosine;
                assert!((along / energy - 1.0).abs() < 1e-3, "{energy} {s:?}");
                let sine = |c: f32| (1.0 - c * c).max(0.0).sqrt();
                let aside = s.photon_mev * sine(s.cosine) - momentum * sine(s.electron_cosine);
                assert!((aside / energy).abs() < 3e-3, "{energy} {s:?}");
            }
        }
    }

    #[test]
    fn compton_photons_keep_the_mean_part_of_their_energy() {
        for name in ["water", "cortical_bone"] {
            let (material, tables) = tables(name);
            for energy in [0.01, 0.06, 0.208, 1.0] {
                let mut stream = stream(2);
                let (found, error) =
                    mean(|| f64::from(compton(energy as f32, factors(&tables), &mut stream).photon_mev));
                let k = energy / f64::from(ELECTRON_REST_MEV);
                let weight = |one_minus_cos: f64| {
                    let cosine = 1.0 - one_minus_cos;
                    klein_nishina::differential(energy, cosine)
                        * scattering::incoherent(material, momentum_transfer(energy, cosine))
                };
                let kept = |one_minus_cos: f64| energy / (1.0 + k * one_minus_cos);
                let expected = integrate_log(1e-8, 2.0, |v| kept(v) * weight(v)) / integrate_log(1e-8, 2.0, weight);
                assert!((found - expected).abs() < 4.2 * error, "{name} {energy}: {found} {expected} ± {error}");
            }
        }
    }

    #[test]
    fn coherent_scattering_has_the_mean_of_the_form_factor() {
        for name in ["water", "cortical_bone"] {
            let (material, tables) = tables(name);
            for energy in [0.01, 0.03, 0.1, 0.4] {
                let mut stream = stream(3);
                let (found, error) =
                    mean(|| 1.0 - f64::from(coherent_cosine(energy as f32, factors(&tables), &mut stream)));
                let weight = |one_minus_cos: f64| {
                    let cosine = 1.0 - one_minus_cos;
                    (1.0 + cosine * cosine)
                        * scattering::form_factor_squared(material, momentum_transfer(energy, cosine))
                };
                let expected = integrate_log(1e-10, 2.0, |v| v * weight(v)) / integrate_log(1e-10, 2.0, weight);
                // A bin of the form factor is 6 % wide: 1 %.
                assert!(
                    (found - expected).abs() < 4.2 * error + 0.01 * expected,
                    "{name} {energy}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn photoelectrons_follow_sauter() {
        for kinetic in [0.005f64, 0.03, 0.2, 1.0] {
            let mut stream = stream(4);
            let (found, error) = mean(|| f64::from(photoelectron_cosine(kinetic as f32, &mut stream)));
            let gamma = kinetic / f64::from(ELECTRON_REST_MEV) + 1.0;
            let beta = (1.0 - gamma.powi(-2)).sqrt();
            // Sauter (1931): sin²θ/(1 − β cos θ)⁴·(1 + ½γ(γ − 1)(γ − 2)(1 − β cos θ)).
            let weight = |one_minus_cos: f64| {
                let cosine = 1.0 - one_minus_cos;
                let d = 1.0 - beta * cosine;
                one_minus_cos * (2.0 - one_minus_cos) / d.powi(4)
                    * (1.0 + 0.5 * gamma * (gamma - 1.0) * (gamma - 2.0) * d)
            };
            let expected = integrate_log(1e-9, 2.0, |v| (1.0 - v) * weight(v)) / integrate_log(1e-9, 2.0, weight);
            assert!((found - expected).abs() < 4.2 * error, "{kinetic}: {found} {expected} ± {error}");
        }
    }
}
