//! Energy balance: what is emitted is absorbed or escapes.

use super::Check;
use super::findings::{Findings, Row};
use super::phantom::{Phantom, line};
use super::rig::Rig;
use super::statistics::Estimate;
use crate::constants::ELECTRON_REST_ENERGY_MEV;
use crate::domain::tally::to_mev;
use crate::domain::{DoseError, EmissionSpectrum, Particle, Source};
use crate::domain::{GroupTally, Tally};
use crate::physics::{material, nuclide};

pub(super) const CHECK: Check = Check {
    name: "energy-balance",
    title: "Energy balance in every medium",
    meaning: "Electrons, positrons, photons and whole decays are followed through layers of air, lung, soft tissue, \
        bone and vacuum, in voxels with three different edges. The energy emitted must be that of the spectrum. The \
        energy absorbed and the energy that escapes must add up to it. The dose, which photons score along their \
        tracks, must agree with the energy they lose.",
    tolerance: "1e-5 of the energy emitted, because the energy of every particle is rounded to single precision and \
        every deposit to 0.015 eV. The spectrum and the scores along tracks are sampled: four standard deviations.",
    measure,
};

/// Largest fraction of the energy emitted that may be missing.
const TOLERANCE: f64 = 1e-5;
/// Fraction by which the energy of a line may be rounded.
const SINGLE_PRECISION: f64 = 1e-6;
/// Materials of the layers.
const MATERIALS: [&str; 4] = ["air", "lung", "soft_tissue", "cortical_bone"];
/// One nuclide of each kind, with its daughters. A test covers every nuclide.
const NUCLIDES: [&str; 6] = ["Lu-177", "Y-90", "I-131", "Ga-68", "Tb-161", "Ac-225"];
/// Histories of a case.
const HISTORIES: u64 = 100_000;

/// Energy per history of one case [MeV].
#[derive(Clone, Debug)]
pub(super) struct EnergyBalance {
    pub(super) name: String,
    /// Energy that a decay emits by the spectrum, with the rest energy of positrons.
    pub(super) expected_mev: f64,
    pub(super) emitted_mev: Estimate,
    /// Absorbed and escaped energy, over the energy emitted.
    pub(super) found_again: f64,
    /// Energy scored less energy absorbed.
    pub(super) scored_less_absorbed_mev: Estimate,
}

fn measure(rig: &mut Rig) -> Result<Findings, DoseError> {
    let mut spectra: Vec<(String, EmissionSpectrum)> =
        [(Particle::Electron, 3.0), (Particle::Positron, 0.6), (Particle::Photon, 2.5)]
            .map(|(particle, mev)| (format!("{mev} MeV {}", particle.name()), line(particle, mev)))
            .to_vec();
    spectra.extend(NUCLIDES.map(|name| {
        let source = Source::from(nuclide::find(name).expect("a known nuclide"));
        (name.to_owned(), (**source.emissions()).clone())
    }));
    let balances = spectra.into_iter().map(|(name, spectrum)| {
        let tally = rig.transport(&layers(spectrum.clone()), HISTORIES)?;
        Ok(balance(name, &spectrum, &tally))
    });
    Ok(compare(&balances.collect::<Result<Vec<_>, DoseError>>()?))
}

/// Every material in turn along z, then a layer of vacuum. Decays are everywhere but in the vacuum.
fn layers(spectrum: EmissionSpectrum) -> Phantom {
    let materials = MATERIALS.map(|name| material::find(name).expect("a known material").clone());
    let layers = materials.len() + 1;
    let mut phantom = Phantom::uniform([6, 5, 2 * layers as u64], [4.0, 5.0, 3.0], "air", 0.0, spectrum);
    phantom.materials = materials.to_vec();
    for voxel in 0..phantom.grid.voxels() {
        let [_, _, z] = phantom.index(voxel);
        if let Some(material) = materials.get(z / 2) {
            #[expect(clippy::cast_possible_truncation, reason = "single precision")]
            let density = material.nominal_density_g_cm3() as f32;
            phantom.density_g_cm3[voxel] = density;
            phantom.material_of_voxel[voxel] = u8::try_from(z / 2).expect("few materials");
            phantom.decays[voxel] = 1.0;
        }
    }
    phantom
}

fn balance(name: String, spectrum: &EmissionSpectrum, tally: &Tally) -> EnergyBalance {
    let per_history = |of: &dyn Fn(&GroupTally) -> f64| {
        let groups = tally.groups.iter().filter(|group| group.histories > 0);
        Estimate::of_groups(&groups.map(|group| (group.histories as f64, of(group))).collect::<Vec<_>>())
    };
    let rest_mev = 2.0 * ELECTRON_REST_ENERGY_MEV * spectrum.yield_per_decay(Particle::Positron);
    let found_mev = tally.sum_mev(|group| group.deposited) + tally.sum_mev(|group| group.escaped);
    EnergyBalance {
        name,
        expected_mev: spectrum.total_mev() + rest_mev,
        emitted_mev: per_history(&|group| to_mev(group.emitted)),
        found_again: found_mev / tally.sum_mev(|group| group.emitted),
        scored_less_absorbed_mev: per_history(&|group| to_mev(group.scored()) - to_mev(group.deposited)),
    }
}

fn compare(balances: &[EnergyBalance]) -> Findings {
    let mut findings = Findings::default();
    for EnergyBalance { name, expected_mev, emitted_mev, found_again, scored_less_absorbed_mev } in balances {
        let emitted = emitted_mev.scaled(1.0 / expected_mev);
        let scored = scored_less_absorbed_mev.scaled(1.0 / expected_mev);
        findings.rows.extend([
            Row::new(format!("{name}, absorbed and left over emitted"), Estimate::exact(*found_again), 1.0, TOLERANCE),
            Row::statistical(format!("{name}, emitted over spectrum"), emitted, 1.0, SINGLE_PRECISION),
            Row::statistical(format!("{name}, scored less absorbed, over emitted"), scored, 0.0, SINGLE_PRECISION),
        ]);
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right() -> EnergyBalance {
        EnergyBalance {
            name: "a case".into(),
            expected_mev: 0.2,
            emitted_mev: Estimate { mean: 0.2, sigma: 1e-5 },
            found_again: 1.0 + 1e-8,
            scored_less_absorbed_mev: Estimate { mean: 1e-5, sigma: 1e-4 },
        }
    }

    #[test]
    fn every_leak_fails() {
        assert!(compare(&[right()]).passes());
        let leak = EnergyBalance { found_again: 1.0 - 2e-5, ..right() };
        let source = EnergyBalance { emitted_mev: Estimate { mean: 0.202, sigma: 1e-5 }, ..right() };
        let score = EnergyBalance { scored_less_absorbed_mev: Estimate { mean: 0.002, sigma: 1e-4 }, ..right() };
        let nothing = EnergyBalance { found_again: f64::NAN, ..right() };
        for wrong in [leak, source, score, nothing] {
            assert!(!compare(&[right(), wrong.clone()]).passes(), "{wrong:?}");
        }
    }
}
