//! The potential of a beta particle: the charge of the daughter's nucleus, spread over a sphere, screened by the
//! electrons around it.

use crate::constants::{ELECTRON_REST_ENERGY_MEV, FINE_STRUCTURE, HBAR_C_MEV_CM};

/// Amplitudes and exponents of the screening function of a neutral atom, fitted to the Thomas-Fermi function.
///
/// Source: G. Molière, Z. Naturforsch. 2a (1947) 133.
const SCREENING: [(f64, f64); 3] = [(0.10, 6.0), (0.55, 1.2), (0.35, 0.3)];
/// Thomas-Fermi length for Z = 1, in Bohr radii: (9π²/128)^(1/3).
const THOMAS_FERMI: f64 = 0.885_341_377;
/// Fraction of the nuclear charge that is neglected.
const NEGLIGIBLE: f64 = 1e-7;

/// Potential energy of a beta particle around a nucleus. Lengths in reduced Compton wavelengths of the electron,
/// energies in its rest energy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Potential {
    /// αZ times the sign of the particle's charge: below 0 for electrons, which are attracted.
    strength: f64,
    /// Radius of the nucleus.
    nucleus: f64,
    /// Length of the screening function; none: a bare nucleus.
    screening: Option<f64>,
}

impl Potential {
    /// The potential of a daughter atom.
    ///
    /// * `sign` – charge of the beta particle, −1 or 1
    pub(super) fn of_atom(sign: f64, atomic_number: u32, mass_number: u32) -> Self {
        let length = THOMAS_FERMI / FINE_STRUCTURE / f64::from(atomic_number).cbrt();
        let screening = (atomic_number > 0).then_some(length);
        Self { screening, ..Self::of_nucleus(sign, atomic_number, nuclear_radius(mass_number)) }
    }

    /// The potential of a nucleus without electrons.
    ///
    /// * `radius` – radius of the nucleus, above 0
    pub(super) fn of_nucleus(sign: f64, atomic_number: u32, radius: f64) -> Self {
        Self { strength: sign * FINE_STRUCTURE * f64::from(atomic_number), nucleus: radius, screening: None }
    }

    /// Radius of the nucleus.
    pub(super) fn nucleus(&self) -> f64 {
        self.nucleus
    }

    /// Potential energy at the radius `r`, above 0.
    pub(super) fn at(&self, r: f64) -> f64 {
        let r_outside = r.max(self.nucleus);
        let inside = 0.5 * (1.0 - (r.min(self.nucleus) / self.nucleus).powi(2)) / self.nucleus;
        self.strength * (self.remaining(r) / r_outside + inside)
    }

    /// Fraction of the nuclear charge that the electrons within the radius `r` do not screen.
    fn remaining(&self, r: f64) -> f64 {
        match self.screening {
            None => 1.0,
            Some(length) => {
                SCREENING.iter().map(|(amplitude, exponent)| amplitude * (-exponent * r / length).exp()).sum()
            }
        }
    }

    /// Whether the field beyond the radius `r` is negligible.
    pub(super) fn ends_at(&self, r: f64) -> bool {
        self.strength == 0.0 || self.remaining(r) < NEGLIGIBLE
    }
}

/// Radius of a sphere of uniform charge with the mean square radius of a nucleus.
///
/// Source: L. R. B. Elton, *Nuclear Sizes* (1961).
fn nuclear_radius(mass_number: u32) -> f64 {
    let a = f64::from(mass_number);
    let femtometres = 1.121 * a.cbrt() + 2.426 / a.cbrt() - 6.614 / a;
    femtometres * 1e-13 * ELECTRON_REST_ENERGY_MEV / HBAR_C_MEV_CM
}
