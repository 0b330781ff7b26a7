//! What decays and what it emits: a nuclide and the daughters that decay in the same place, or a spectrum that the
//! caller gives.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Daughters, EmissionSpectrum, Invalid, Nuclide, Particle};
use crate::constants::ELECTRON_REST_ENERGY_MEV;

/// Name of a source without a nuclide.
pub const CUSTOM: &str = "custom";

/// What decays in an activity map, and what it emits per decay of the map's nuclide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    members: Vec<Member>,
    /// Which daughters are among the members; none for a spectrum that the caller gave.
    daughters: Option<Daughters>,
    left_out: Vec<LeftOut>,
    #[serde(with = "shared")]
    emissions: Arc<EmissionSpectrum>,
    local: LocalEnergy,
    data_sha256: String,
}

/// Why a daughter is counted in no map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftOutReason {
    /// It lives too long to be in equilibrium with the nuclide of the map.
    LongLived,
    /// It is a gas that leaves the tissue before it decays.
    NobleGas,
}

/// A radioactive daughter that is not counted in any map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its name.
    pub name: String,
    /// Its half-life [s].
    pub half_life_s: f64,
    /// Why it is left out.
    pub reason: LeftOutReason,
}

/// A nuclide that decays in a map, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its half-life [s].
    pub half_life_s: f64,
    /// Its decays per decay of the map's nuclide.
    pub decays_per_decay: f64,
}

/// Energy absorbed at the point of decay [MeV per decay].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalEnergy {
    /// Of alpha particles.
    pub alpha_mev: f64,
    /// Of the recoil nuclei that the alpha particles leave.
    pub recoil_mev: f64,
}

impl Member {
    /// * `decays_per_decay` – per decay of the nuclide that the map is of
    pub fn of(nuclide: &Nuclide, decays_per_decay: f64) -> Self {
        Self { name: nuclide.name.clone(), half_life_s: nuclide.half_life_s, decays_per_decay }
    }
}

impl LocalEnergy {
    /// All of it.
    pub fn total_mev(&self) -> f64 {
        self.alpha_mev + self.recoil_mev
    }
}

impl Source {
    /// * `members` – the map's nuclide and the daughters that decay with it; at least one
    /// * `emissions`, `local` – of all members together, per decay of the first
    /// * `data_sha256` – of the data of all members
    pub(crate) fn of_members(
        members: Vec<Member>,
        daughters: Daughters,
        emissions: Arc<EmissionSpectrum>,
        local: LocalEnergy,
        data_sha256: String,
    ) -> Self {
        Self { members, daughters: Some(daughters), left_out: Vec::new(), emissions, local, data_sha256 }
    }

    /// The same source, with the daughters that are counted in no map.
    pub(crate) fn without(self, left_out: Vec<LeftOut>) -> Self {
        Self { left_out, ..self }
    }

    /// A source with emissions that the caller gives.
    ///
    /// * `nuclide` – the nuclide they stand for, if any; they replace everything that it and its daughters emit
    ///
    /// # Errors
    /// If the nuclide emits alpha particles: a spectrum has none, so they would be lost.
    pub fn with_emissions(nuclide: Option<&Nuclide>, emissions: EmissionSpectrum) -> Result<Self, Invalid> {
        match nuclide {
            Some(nuclide) if nuclide.mean_energy_mev.alpha > 0.0 => Err(Invalid::new(format!(
                "cannot replace those of {}: its alpha particles, of which a spectrum has none, would be lost",
                nuclide.name
            ))),
            _ => Ok(Self {
                members: nuclide.map(|nuclide| Member::of(nuclide, 1.0)).into_iter().collect(),
                daughters: None,
                left_out: Vec::new(),
                local: LocalEnergy::default(),
                data_sha256: emissions.sha256(),
                emissions: Arc::new(emissions),
            }),
        }
    }

    /// Name of the map's nuclide, or [`CUSTOM`].
    pub fn name(&self) -> &str {
        self.parent().map_or(CUSTOM, |parent| &parent.name)
    }

    /// The map's nuclide, if it has one.
    pub fn parent(&self) -> Option<&Member> {
        self.members.first()
    }

    /// The nuclide and the daughters that decay with it.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Whether the nuclide of this name is among the members.
    pub fn counts(&self, name: &str) -> bool {
        self.members.iter().any(|member| member.name == name)
    }

    /// Everything that is emitted and transported.
    pub fn emissions(&self) -> &Arc<EmissionSpectrum> {
        &self.emissions
    }

    /// The caller's own spectrum, if there is one.
    pub fn own_emissions(&self) -> Option<&EmissionSpectrum> {
        self.daughters.is_none().then_some(&self.emissions)
    }

    /// Which daughters are among the members; none for a spectrum of the caller's own.
    pub fn daughters(&self) -> Option<Daughters> {
        self.daughters
    }

    /// Radioactive daughters that are counted in no map.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Energy absorbed at the point of decay.
    pub fn local(&self) -> LocalEnergy {
        self.local
    }

    /// Total energy absorbed at the point of decay [MeV per decay].
    pub fn local_mev(&self) -> f64 {
        self.local.total_mev()
    }

    /// Energy of everything that is emitted and transported, including the rest energy of positrons and of the
    /// electrons they annihilate with [MeV per decay].
    pub fn followed_mev(&self) -> f64 {
        let annihilation = 2.0 * ELECTRON_REST_ENERGY_MEV * self.emissions.yield_per_decay(Particle::Positron);
        self.emissions.total_mev() + annihilation
    }

    /// Everything that a decay releases except neutrinos [MeV per decay].
    pub fn released_mev(&self) -> f64 {
        self.followed_mev() + self.local_mev()
    }

    /// Kinetic energy of charged particles [MeV per decay].
    pub fn charged_mev(&self) -> f64 {
        let mean = |particle| self.emissions.mean_energy_mev(particle);
        mean(Particle::Electron) + mean(Particle::Positron) + self.local_mev()
    }

    /// # Errors
    /// If a source that was read from a file has neither members nor a spectrum that a caller gave, or if a number of
    /// decays, a half-life or an energy is out of range.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        let is_number = |value: f64| value.is_finite() && value >= 0.0;
        let is_member = |member: &Member| is_number(member.decays_per_decay) && member.half_life_s > 0.0;
        let is_whole = !self.members.is_empty() || self.daughters.is_none();
        if is_whole
            && self.members.iter().all(is_member)
            && is_number(self.local.alpha_mev)
            && is_number(self.local.recoil_mev)
        {
            Ok(())
        } else {
            Err(Invalid::new("is not a valid source"))
        }
    }

    /// SHA-256 of the data of all members, or of the caller's own spectrum, in hexadecimal.
    pub fn data_sha256(&self) -> &str {
        &self.data_sha256
    }
}

/// A shared spectrum is stored like any other.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::EmissionSpectrum;

    pub(super) fn serialize<S: Serializer>(value: &Arc<EmissionSpectrum>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_ref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<EmissionSpectrum>, D::Error> {
        EmissionSpectrum::deserialize(from).map(Arc::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::nuclide::MeanEnergy;
    use crate::domain::{Emission, Particle};

    fn spectrum() -> EmissionSpectrum {
        let line = |particle, mev| Emission { particle, low_mev: mev, high_mev: mev, yield_per_decay: 1.0 };
        let emissions = vec![line(Particle::Photon, 0.1), line(Particle::Positron, 0.3), line(Particle::Electron, 0.2)];
        EmissionSpectrum::new(emissions).expect("a good spectrum")
    }

    #[test]
    fn a_spectrum_needs_no_nuclide() {
        let source = Source::with_emissions(None, spectrum()).expect("a source");
        assert_eq!((source.name(), source.parent(), source.own_emissions()), (CUSTOM, None, Some(&spectrum())));
        assert_eq!(source.data_sha256(), spectrum().sha256());
    }

    #[test]
    fn energies_are_told_apart() {
        let source = Source::with_emissions(None, spectrum()).expect("a source");
        assert!((source.charged_mev() - 0.5).abs() < 1e-15);
        assert!((source.released_mev() - (0.6 + 2.0 * 0.510_998_950_69)).abs() < 1e-12);
    }

    #[test]
    fn alpha_particles_are_not_lost_in_silence() {
        let mean_energy_mev = MeanEnergy { alpha: 5.0, ..MeanEnergy::default() };
        let emitter = Nuclide { name: "Aa-1".into(), mean_energy_mev, ..Nuclide::default() };
        assert!(Source::with_emissions(Some(&emitter), spectrum()).is_err());
    }
}
