//! Interactions of photons: energies and angles. Twin: `shaders/shared/scatter.wgsl`.

use super::lookup::between;
use super::random::Stream;
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

/// Compton scattering by bound electrons: Klein and Nishina's cross section times the incoherent scattering function.
///
/// Source: Klein & Nishina, Z. Phys. 52 (1929) 853; sampled as by Butcher & Messel, Nucl. Phys. 20 (1960) 15.
pub(crate) fn compton(energy_mev: f32, factors: FormFactors<'_>, stream: &mut Stream) -> Compton {
    let k = energy_mev / ELECTRON_REST_MEV;
    let least = 1.0 / (1.0 + 2.0 * k);
    let (inverse, linear) = (-least.ln(), 0.5 * (1.0 - least * least));
    loop {
        let part = if stream.uniform() * (inverse + linear) < inverse {
            (-inverse * stream.uniform()).exp()
        } else {
            (least * least + (1.0 - least * least) * stream.uniform()).sqrt()
        }
        .clamp(least, 1.0);
        let versine = ((1.0 - part) / (k * part)).clamp(0.0, 2.0);
        let sine_squared = versine * (2.0 - versine);
        let form = 1.0 - part * sine_squared / (1.0 + part * part);
        let transfer = energy_mev * TRANSFER_PER_MEV * (0.5 * versine).sqrt();
        if stream.uniform() < form * incoherent(transfer, factors) {
            return emerging(energy_mev, part, versine);
        }
    }
}

/// From the part of the energy that the photon keeps to angles, by the conservation of momentum with an electron at rest.
fn emerging(energy_mev: f32, part: f32, versine: f32) -> Compton {
    let photon_mev = energy_mev * part;
    let cosine = 1.0 - versine;
    let forward = energy_mev - photon_mev * cosine;
    let aside = photon_mev * (versine * (2.0 - versine)).max(0.0).sqrt();
    let electron_cosine = forward / (forward * forward + aside * aside).sqrt().max(1e-20);
    Compton { photon_mev, cosine, electron_cosine: electron_cosine.clamp(-1.0, 1.0) }
}

/// Incoherent scattering function per electron.
fn incoherent(transfer: f32, factors: FormFactors<'_>) -> f32 {
    if transfer < TRANSFER_MIN {
        let part = transfer / TRANSFER_MIN;
        return factors.incoherent[0] * part * part;
    }
    let place = super::lookup::place(transfer);
    let stride = INTERVALS / TRANSFER_BINS;
    let bin = place.node / stride;
    let along = ((place.node % stride) as f32 + place.fraction) / stride as f32;
    between(factors.incoherent[bin], factors.incoherent[bin + 1], along)
}

/// Cosine of the deflection of a photon scattered coherently: form factor by inversion, Thomson's factor by rejection.
///
/// Source: Hubbard et al., J. Phys. Chem. Ref. Data 4 (1975) 471.
pub(crate) fn coherent(energy_mev: f32, factors: FormFactors<'_>, stream: &mut Stream) -> f32 {
    let largest = energy_mev * TRANSFER_PER_MEV;
    let all = cumulative(largest, factors);
    loop {
        let transfer = invert(stream.uniform() * all, factors);
        let part = (transfer / largest).min(1.0);
        let cosine = 1.0 - 2.0 * part * part;
        if 2.0 * stream.uniform() < 1.0 + cosine * cosine {
            return cosine;
        }
    }
}

/// Integral of the squared form factor over the squared transfer, up to a transfer.
fn cumulative(transfer: f32, factors: FormFactors<'_>) -> f32 {
    let place = super::lookup::place(transfer);
    let stride = INTERVALS / FORM_FACTOR_BINS;
    let bin = place.node / stride;
    let along = ((place.node % stride) as f32 + place.fraction) / stride as f32;
    between(factors.coherent[bin], factors.coherent[bin + 1], along)
}

/// The transfer [Å⁻¹] up to which the integral has a value: bisection over the bins, then quadratic in the transfer within one.
fn invert(value: f32, factors: FormFactors<'_>) -> f32 {
    let (mut low, mut high) = (0, FORM_FACTOR_BINS);
    while high - low > 1 {
        let middle = usize::midpoint(low, high);
        if factors.coherent[middle] <= value {
            low = middle;
        } else {
            high = middle;
        }
    }
    let (first, second) = (factors.coherent[low], factors.coherent[high]);
    let part = ((value - first) / (second - first).max(1e-30)).clamp(0.0, 1.0);
    let (from, to) = (factors.transfer[low], factors.transfer[high]);
    // Within a bin the form factor is nearly constant: the integral grows like the square of the transfer.
    (from * from + part * (to * to - from * from)).sqrt()
}

/// Cosine of the angle at which a photoelectron leaves.
///
/// Source: Sauter, Ann. Phys. 11 (1931) 454; sampled as in Salvat, Fernández-Varea & Sempau (2011), section 2.2.1.
pub(crate) fn photoelectron_cosine(kinetic_mev: f32, stream: &mut Stream) -> f32 {
    let gamma = kinetic_mev / ELECTRON_REST_MEV + 1.0;
    let beta = (1.0 - 1.0 / (gamma * gamma)).max(1e-6).sqrt();
    let a = 1.0 / beta - 1.0;
    let b = 0.5 * beta * gamma * (gamma - 1.0) * (gamma - 2.0);
    let peak = 2.0 * (1.0 / a + b);
    loop {
        let choice = stream.uniform();
        let range = (a + 2.0) * (a + 2.0);
        let versine = 2.0 * a * (2.0 * choice + (a + 2.0) * choice.sqrt()) / (range - 4.0 * choice);
        let form = (2.0 - versine) * (1.0 / (a + versine) + b);
        if stream.uniform() * peak < form {
            return (1.0 - versine).clamp(-1.0, 1.0);
        }
    }
}

/// Cosine of the angle at which an electron or positron of a pair leaves.
///
/// Source: the leading term of Sauter's and Gluckstern & Hull's distribution, as in Salvat, Fernández-Varea & Sempau (2011), section 2.4.
pub(crate) fn pair_cosine(kinetic_mev: f32, stream: &mut Stream) -> f32 {
    let gamma = kinetic_mev / ELECTRON_REST_MEV + 1.0;
    let beta = (1.0 - 1.0 / (gamma * gamma)).max(0.0).sqrt();
    let choice = 2.0 * stream.uniform() - 1.0;
    ((choice + beta) / (choice * beta + 1.0)).clamp(-1.0, 1.0)
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "a test of single precision")]
mod tests {
    use super::*;
    use crate::domain::Material;
    use crate::math::quadrature::integrate_log;
    use crate::physics::material::{self};
    use crate::physics::photon::klein_nishina;
    use crate::physics::photon::scattering::{self, momentum_transfer};
    use crate::plan::HistoryCuts;
    use crate::prepare::transport::tables::FlatTables;

    const SAMPLES: u32 = 200_000;

    fn stream(id: u32) -> Stream {
        Stream::new([11, 0, 5, 0], id)
    }

    fn tables(name: &str) -> (&'static Material, FlatTables) {
        let material = material::find(name).expect("known");
        let cuts = HistoryCuts { absorption_mev: 0.01, collision_mev: 0.01, photon_mev: 0.005, track_length_mev: 0.0 };
        (material, FlatTables::new(std::slice::from_ref(material), &cuts, false))
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
                let weight = |versine: f64| {
                    let cosine = 1.0 - versine;
                    klein_nishina::differential(energy, cosine)
                        * scattering::incoherent(material, momentum_transfer(energy, cosine))
                };
                let kept = |versine: f64| energy / (1.0 + k * versine);
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
                let (found, error) = mean(|| 1.0 - f64::from(coherent(energy as f32, factors(&tables), &mut stream)));
                let weight = |versine: f64| {
                    let cosine = 1.0 - versine;
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
            let weight = |versine: f64| {
                let cosine = 1.0 - versine;
                let d = 1.0 - beta * cosine;
                versine * (2.0 - versine) / d.powi(4) * (1.0 + 0.5 * gamma * (gamma - 1.0) * (gamma - 2.0) * d)
            };
            let expected = integrate_log(1e-9, 2.0, |v| (1.0 - v) * weight(v)) / integrate_log(1e-9, 2.0, weight);
            assert!((found - expected).abs() < 4.2 * error, "{kinetic}: {found} {expected} ± {error}");
        }
    }
}
