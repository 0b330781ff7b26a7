//! The emissions of a decay, from the lines and beta branches of the nuclide.

use super::file::{Beta, File};
use crate::constants::ELECTRON_REST_ENERGY_MEV;
use crate::domain::nuclide::{BetaBranch, BetaSign, EmissionLine, MeanEnergy, RadiationEnergy};
use crate::domain::{Emission, EmissionSpectrum, Invalid, Nuclide, Particle};
use crate::physics::beta::{Branch, Continuum, continuum};

/// Energy of the electrons that represent the emissions of atoms below 1 keV [MeV]: their range is 20 nm.
const RELAXATION_ELECTRON_MEV: f64 = 0.0005;
/// Mass of an alpha particle in atomic mass units. CODATA 2022.
const ALPHA_MASS_U: f64 = 4.001_506;

/// The nuclide of a file, and the emissions of its decay that transport follows: no alpha particles, no recoils, and no
/// annihilation photons, which transport produces itself.
///
/// # Errors
/// If its yields or energies are too large.
pub(super) fn nuclide(file: File, mass_number: u32) -> Result<(Nuclide, EmissionSpectrum), Invalid> {
    let [minus, plus] = BetaSign::ALL.map(|sign| of_sign(&file.betas, sign));
    let spectrum = spectrum(&file, &minus.1, &plus.1)?;
    let radiation_mev = means(&file, &minus.1, &plus.1, mass_number);
    let nuclide = Nuclide {
        name: file.name,
        half_life_s: file.half_life_s,
        half_life_uncertainty_s: file.half_life_uncertainty_s,
        decays: file.decays.into_iter().map(Into::into).collect(),
        betas: [minus.0, plus.0].concat(),
        captures: file.captures,
        lines: file.lines,
        mean_energy_mev: MeanEnergy::from(radiation_mev),
        radiation_mev,
        source: file.source.trim().to_owned(),
        corrections: file.corrections,
    };
    Ok((nuclide, spectrum))
}

/// The branches of one sign, and their spectrum.
fn of_sign(betas: &[Beta], sign: BetaSign) -> (Vec<BetaBranch>, Continuum) {
    let betas: Vec<&Beta> = betas.iter().filter(|beta| beta.mode == sign).collect();
    let Some(first) = betas.first() else { return Default::default() };
    let branch = |beta: &&Beta| Branch {
        endpoint_mev: beta.endpoint_mev,
        intensity: beta.intensity,
        transition: beta.transition,
    };
    let branches: Vec<Branch> = betas.iter().map(branch).collect();
    let continuum = continuum(sign, first.daughter_atomic_number, first.mass_number, &branches);
    let with_mean = |(beta, mean_mev): (&&Beta, &f64)| BetaBranch {
        sign,
        endpoint_mev: beta.endpoint_mev,
        mean_mev: *mean_mev,
        evaluated_mean_mev: (beta.mean_mev > 0.0).then_some(beta.mean_mev),
        intensity: beta.intensity,
        transition: beta.transition,
        level_mev: beta.level_mev,
    };
    (betas.iter().zip(&continuum.branch_means_mev).map(with_mean).collect(), continuum)
}

fn spectrum(file: &File, minus: &Continuum, plus: &Continuum) -> Result<EmissionSpectrum, Invalid> {
    let line = |particle, energy_mev, yield_per_decay| Emission {
        particle,
        low_mev: energy_mev,
        high_mev: energy_mev,
        yield_per_decay,
    };
    let lines = |particle, lines: &[EmissionLine]| -> Vec<Emission> {
        lines.iter().map(|EmissionLine { energy_mev, intensity }| line(particle, *energy_mev, *intensity)).collect()
    };
    let relaxation = (file.relaxation_mev > 0.0)
        .then(|| line(Particle::Electron, RELAXATION_ELECTRON_MEV, file.relaxation_mev / RELAXATION_ELECTRON_MEV));
    let emissions = [
        bins(Particle::Electron, minus),
        bins(Particle::Positron, plus),
        lines(Particle::Electron, &file.lines.conversion),
        lines(Particle::Electron, &file.lines.auger),
        relaxation.into_iter().collect(),
        lines(Particle::Photon, &file.lines.gamma),
        lines(Particle::Photon, &file.lines.x_ray),
    ];
    EmissionSpectrum::or_nothing(emissions.concat()).map_err(|faults| Invalid::new(format!("{faults:?}")))
}

fn bins(particle: Particle, continuum: &Continuum) -> Vec<Emission> {
    let bins = continuum.edges_mev.windows(2).zip(&continuum.yields);
    let bin = |(ends, &yield_per_decay): (&[f64], &f64)| Emission {
        particle,
        low_mev: ends[0],
        high_mev: ends[1],
        yield_per_decay,
    };
    bins.map(bin).collect()
}

fn means(file: &File, minus: &Continuum, plus: &Continuum, mass_number: u32) -> RadiationEnergy {
    let energy = |lines: &[EmissionLine]| lines.iter().fold(0.0, |sum, line| sum + line.energy_mev * line.intensity);
    let alpha = energy(&file.lines.alpha);
    RadiationEnergy {
        beta: minus.energy_mev(),
        positron: plus.energy_mev(),
        conversion: energy(&file.lines.conversion),
        auger: energy(&file.lines.auger),
        relaxation: file.relaxation_mev,
        gamma: energy(&file.lines.gamma),
        x_ray: energy(&file.lines.x_ray),
        annihilation: 2.0 * ELECTRON_REST_ENERGY_MEV * plus.yields.iter().fold(0.0, |sum, number| sum + number),
        alpha,
        // Two bodies of equal momentum share their energy inversely to their masses.
        recoil: alpha * ALPHA_MASS_U / f64::from(mass_number.saturating_sub(4).max(1)),
    }
}
