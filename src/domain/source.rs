//! What decays: a nuclide, or an emission spectrum of the caller's own.

use std::sync::Arc;

use super::{EmissionSpectrum, Invalid, Nuclide};

/// Name of a source that is no nuclide.
pub const CUSTOM: &str = "custom";

/// What decays, and what it emits.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    nuclide: Option<&'static Nuclide>,
    emissions: Option<Arc<EmissionSpectrum>>,
}

impl From<&'static Nuclide> for Source {
    fn from(nuclide: &'static Nuclide) -> Self {
        Self { nuclide: Some(nuclide), emissions: None }
    }
}

impl Source {
    /// A source with emissions of the caller's own.
    ///
    /// * `nuclide` – what they are meant for, if it has a name; they replace all that it emits
    ///
    /// # Errors
    /// If the nuclide emits alpha particles: a spectrum has none, so that they would be lost.
    pub fn with_emissions(nuclide: Option<&'static Nuclide>, emissions: EmissionSpectrum) -> Result<Self, Invalid> {
        match nuclide {
            Some(nuclide) if nuclide.mean_energy_mev.alpha > 0.0 => Err(Invalid::new(format!(
                "cannot replace those of {}: its alpha particles, of which a spectrum has none, would be lost",
                nuclide.name
            ))),
            _ => Ok(Self { nuclide, emissions: Some(Arc::new(emissions)) }),
        }
    }

    /// Name of the nuclide, or [`CUSTOM`].
    pub fn name(&self) -> &str {
        self.nuclide.map_or(CUSTOM, |nuclide| &nuclide.name)
    }

    /// The nuclide, if it has one.
    pub fn nuclide(&self) -> Option<&'static Nuclide> {
        self.nuclide
    }

    /// The caller's own spectrum; none: the nuclide's.
    pub fn own_emissions(&self) -> Option<&EmissionSpectrum> {
        self.emissions.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::nuclide::MeanEnergy;
    use crate::domain::{Emission, Particle};

    fn spectrum() -> EmissionSpectrum {
        let line = Emission { particle: Particle::Photon, low_mev: 0.1, high_mev: 0.1, yield_per_decay: 1.0 };
        EmissionSpectrum::new(vec![line]).expect("a good spectrum")
    }

    #[test]
    fn a_spectrum_needs_no_nuclide() {
        let source = Source::with_emissions(None, spectrum()).expect("a source");
        assert_eq!((source.name(), source.nuclide(), source.own_emissions()), (CUSTOM, None, Some(&spectrum())));
    }

    #[test]
    fn alpha_particles_are_not_lost_in_silence() {
        let emitter = Nuclide {
            name: "Aa-1".into(),
            half_life_s: 1.0,
            mean_energy_mev: MeanEnergy { electron: 0.1, photon: 0.1, alpha: 5.0 },
            source: "a test".into(),
        };
        let emitter: &'static Nuclide = Box::leak(Box::new(emitter));
        assert!(Source::with_emissions(Some(emitter), spectrum()).is_err());
        assert_eq!(Source::from(emitter).name(), "Aa-1");
    }
}
