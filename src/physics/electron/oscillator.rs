//! The electrons of a material as oscillators, from which Sternheimer's density effect and the soft collisions are
//! computed.

use crate::constants::{CLASSICAL_ELECTRON_RADIUS_CM, HBAR_C_MEV_CM};
use crate::domain::Material;
use crate::math::root;

/// The electrons of one subshell in a material.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Oscillator {
    /// Fraction of all electrons of the material.
    pub strength: f64,
    /// Binding energy, scaled by Sternheimer's factor [MeV].
    pub binding_mev: f64,
    /// Resonance energy, which the local field raises above the binding energy [MeV].
    pub resonance_mev: f64,
}

/// All electrons of a material. The resonances are scaled so that their logarithmic mean is the mean excitation energy.
#[derive(Clone, Debug, PartialEq)]
pub struct Oscillators {
    list: Vec<Oscillator>,
    plasma_energy_mev: f64,
}

impl Oscillators {
    /// The oscillators of a material at its nominal density.
    ///
    /// Source: Sternheimer, Phys. Rev. 88 (1952) 851; Sternheimer, Seltzer & Berger, Phys. Rev. B 26 (1982) 6067, eqs.
    /// 8–10, without conduction electrons: tissue and gases are insulators.
    pub fn of(material: &Material) -> Self {
        let electrons_per_g = material.electrons_per_g();
        let per_cm3 = electrons_per_g * material.nominal_density_g_cm3();
        let plasma_energy_mev =
            HBAR_C_MEV_CM * (4.0 * std::f64::consts::PI * per_cm3 * CLASSICAL_ELECTRON_RADIUS_CM).sqrt();
        let mut shells = Vec::new();
        for component in material.components() {
            let part = component.atoms_per_g() / electrons_per_g;
            shells.extend(component.atom.subshells.iter().map(|shell| (shell.electrons * part, shell.binding_mev)));
        }
        let scale = sternheimer_factor(&shells, plasma_energy_mev, material.mean_excitation_energy_mev());
        let oscillator = |&(strength, binding): &(f64, f64)| Oscillator {
            strength,
            binding_mev: scale * binding,
            resonance_mev: resonance(strength, scale * binding, plasma_energy_mev),
        };
        Self { list: shells.iter().map(oscillator).collect(), plasma_energy_mev }
    }

    /// The oscillators, by element and subshell.
    pub fn list(&self) -> &[Oscillator] {
        &self.list
    }

    /// ħ times the plasma frequency of all electrons, as if free [MeV].
    pub fn plasma_energy_mev(&self) -> f64 {
        self.plasma_energy_mev
    }

    /// Density-effect correction δ of the stopping power, at a speed β.
    ///
    /// Source: Sternheimer, Seltzer & Berger (1982), eqs. 6 and 7.
    pub fn density_effect(&self, beta_squared: f64) -> f64 {
        let omega2 = self.plasma_energy_mev.powi(2);
        let slowness = 1.0 / beta_squared - 1.0;
        // The response Σ f/(ν² + l²) is falling and convex in l², so Newton steps from 0 rise to the root and never
        // pass it.
        let mut l2 = 0.0;
        for _ in 0..100 {
            let (mut response, mut slope) = (-slowness, 0.0);
            for o in &self.list {
                let width = 1.0 / (o.binding_mev.powi(2) / omega2 + l2);
                response += o.strength * width;
                slope += o.strength * width * width;
            }
            if response <= 1e-14 * slowness {
                break;
            }
            l2 += response / slope;
        }
        if l2 == 0.0 {
            return 0.0;
        }
        let polarised = |o: &Oscillator| o.strength * (l2 * omega2 / o.resonance_mev.powi(2)).ln_1p();
        (self.list.iter().map(polarised).sum::<f64>() - l2 * (1.0 - beta_squared)).max(0.0)
    }
}

/// Resonance energy of an oscillator in the local field of the others.
fn resonance(strength: f64, binding_mev: f64, plasma_energy_mev: f64) -> f64 {
    (binding_mev.powi(2) + 2.0 / 3.0 * strength * plasma_energy_mev.powi(2)).sqrt()
}

/// The factor on all binding energies that makes the logarithmic mean of the resonances the mean excitation energy.
fn sternheimer_factor(shells: &[(f64, f64)], plasma_energy_mev: f64, mean_excitation_mev: f64) -> f64 {
    let excess = |ln_scale: f64| -> f64 {
        let log = |&(f, binding): &(f64, f64)| f * resonance(f, ln_scale.exp() * binding, plasma_energy_mev).ln();
        mean_excitation_mev.ln() - shells.iter().map(log).sum::<f64>()
    };
    root::of_falling(-5.0, 5.0, excess).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::electron::speed_squared;
    use crate::physics::material;

    fn oscillators(name: &str) -> Oscillators {
        Oscillators::of(material::find(name).expect("a known material"))
    }

    #[test]
    fn the_strengths_sum_to_one_and_the_resonances_mean_the_excitation_energy() {
        for material in material::all() {
            let oscillators = Oscillators::of(material);
            let strength: f64 = oscillators.list().iter().map(|o| o.strength).sum();
            assert!((strength - 1.0).abs() < 1e-4, "{}: {strength}", material.name());
            let log: f64 = oscillators.list().iter().map(|o| o.strength * o.resonance_mev.ln()).sum();
            assert!((log - material.mean_excitation_energy_mev().ln()).abs() < 1e-10, "{}", material.name());
        }
    }

    #[test]
    fn the_plasma_energy_of_water_is_that_of_icru_37() {
        // ICRU 37 (1984), table 4.3: 21.469 eV.
        assert!((oscillators("water").plasma_energy_mev() / 21.469e-6 - 1.0).abs() < 1e-3);
    }

    #[test]
    fn slow_electrons_in_insulators_feel_no_density_effect() {
        assert_eq!(oscillators("water").density_effect(speed_squared(0.1)), 0.0);
        assert_eq!(oscillators("air").density_effect(speed_squared(1.0)), 0.0);
    }

    #[test]
    fn fast_electrons_feel_the_asymptotic_density_effect() {
        // δ → 2 ln(ħω_p βγ/I) − 1 (Sternheimer 1952) for any oscillators.
        let (water, energy) = (material::find("water").expect("water"), 1e5);
        let oscillators = Oscillators::of(water);
        let beta2 = speed_squared(energy);
        let ratio = oscillators.plasma_energy_mev() / water.mean_excitation_energy_mev();
        let expected = 2.0 * (ratio * (beta2 / (1.0 - beta2)).sqrt()).ln() - 1.0;
        assert!((oscillators.density_effect(beta2) / expected - 1.0).abs() < 1e-3);
    }
}
