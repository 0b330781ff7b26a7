//! A radionuclide as the methods need it.

use super::Invalid;

/// A radionuclide: how fast it decays, and the mean energy it emits per decay.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nuclide {
    /// Name in the form `Lu-177`.
    pub name: String,
    /// Physical half-life [s].
    pub half_life_s: f64,
    /// Mean energy per decay, by type of radiation.
    pub mean_energy_mev: MeanEnergy,
    /// Where the figures come from.
    pub source: String,
}

/// Mean energy per decay [MeV].
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct MeanEnergy {
    /// Beta particles, conversion and Auger electrons.
    pub electron: f64,
    /// Gamma and X rays.
    pub photon: f64,
    /// Alpha particles and recoils.
    pub alpha: f64,
}

impl MeanEnergy {
    /// All that is emitted [MeV per decay].
    pub fn total(&self) -> f64 {
        self.electron + self.photon + self.alpha
    }

    /// What charged particles carry [MeV per decay].
    pub fn charged(&self) -> f64 {
        self.electron + self.alpha
    }
}

impl Nuclide {
    /// Checks figures read from a data file.
    ///
    /// # Errors
    /// If a figure is not physical or the source is missing.
    pub fn validated(self) -> Result<Self, Invalid> {
        let MeanEnergy { electron, photon, alpha } = self.mean_energy_mev;
        if !(self.half_life_s.is_finite() && self.half_life_s > 0.0) {
            return Err(Invalid::new(format!("{}: the half-life must be above 0", self.name)));
        }
        if ![electron, photon, alpha].iter().all(|e| e.is_finite() && *e >= 0.0) || electron + photon + alpha <= 0.0 {
            return Err(Invalid::new(format!("{}: mean energies must not be negative, nor all 0", self.name)));
        }
        if self.name.is_empty() || self.source.is_empty() {
            return Err(Invalid::new("a nuclide needs a name and a source"));
        }
        Ok(self)
    }
}
