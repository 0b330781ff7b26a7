//! Emissions of a decay, as transport samples them: lines and bins of energy, each with its yield.

use serde::{Deserialize, Serialize};

use super::{DoseError, Invalid, Violation};
use crate::digest::Digest;

/// Highest energy of a particle [MeV]: that of the cross-section tables.
pub const MAX_EMISSION_MEV: f64 = 10.0;
/// Least upper energy of a line or bin [MeV]: below it sums of energies are no longer exact to single precision.
pub const MIN_EMISSION_MEV: f64 = 1e-8;
/// Largest number of particles of one kind per decay.
pub const MAX_YIELD_PER_DECAY: f64 = 1000.0;
/// Largest number of lines and bins of a spectrum.
pub const MAX_EMISSIONS: usize = 65_536;
/// Largest number of faults that are listed one by one.
const MAX_LISTED: usize = 10;

/// A kind of particle that transport follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Particle {
    /// Beta-minus particles, conversion and Auger electrons.
    Electron,
    /// Beta-plus particles.
    Positron,
    /// Gamma and X rays.
    Photon,
}

impl Particle {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Electron, Self::Positron, Self::Photon];

    /// Charge in units of the elementary charge, which names the kind in files.
    pub fn charge(self) -> i8 {
        match self {
            Self::Electron => -1,
            Self::Photon => 0,
            Self::Positron => 1,
        }
    }

    /// The kind with this charge, if it is -1, 0 or 1.
    pub fn of_charge(charge: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|particle| i64::from(particle.charge()) == charge)
    }

    /// Name in messages, in the plural.
    pub fn name(self) -> &'static str {
        match self {
            Self::Electron => "electrons",
            Self::Positron => "positrons",
            Self::Photon => "photons",
        }
    }
}

/// Particles of one kind that a decay emits: a line if both energies are equal, otherwise spread evenly between them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Emission {
    /// Kind of particle.
    pub particle: Particle,
    /// Lowest kinetic or photon energy [MeV].
    pub low_mev: f64,
    /// Highest kinetic or photon energy [MeV].
    pub high_mev: f64,
    /// Mean number of these particles per decay.
    pub yield_per_decay: f64,
}

impl Emission {
    /// Mean energy of one such particle [MeV].
    pub fn mean_mev(&self) -> f64 {
        self.low_mev.midpoint(self.high_mev)
    }

    /// # Errors
    /// The first fault: an energy outside 0 to [`MAX_EMISSION_MEV`], energies in descending order, or an invalid yield.
    pub fn check(&self) -> Result<(), Invalid> {
        let Self { low_mev, high_mev, yield_per_decay, .. } = *self;
        let energies = 0.0..=MAX_EMISSION_MEV;
        if !(energies.contains(&low_mev) && energies.contains(&high_mev) && low_mev <= high_mev) {
            return Err(Invalid::new(format!(
                "energies must ascend within 0 to {MAX_EMISSION_MEV} MeV, got {low_mev} to {high_mev}"
            )));
        }
        if high_mev < MIN_EMISSION_MEV {
            return Err(Invalid::new(format!("an energy must be at least {MIN_EMISSION_MEV:e} MeV, got {high_mev:e}")));
        }
        if !(0.0..=MAX_YIELD_PER_DECAY).contains(&yield_per_decay) {
            return Err(Invalid::new(format!(
                "a yield must be from 0 to {MAX_YIELD_PER_DECAY}, got {yield_per_decay}"
            )));
        }
        Ok(())
    }
}

/// All emissions of a decay that transport follows. Alpha particles and recoils are not included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Emission>")]
pub struct EmissionSpectrum(Vec<Emission>);

impl TryFrom<Vec<Emission>> for EmissionSpectrum {
    type Error = DoseError;

    fn try_from(emissions: Vec<Emission>) -> Result<Self, DoseError> {
        Self::or_nothing(emissions).map_err(DoseError::Invalid)
    }
}

impl EmissionSpectrum {
    /// * `emissions` – in any order; where several overlap, their yields add up
    ///
    /// # Errors
    /// Those of [`EmissionSpectrum::or_nothing`], or no energy at all.
    pub fn new(emissions: Vec<Emission>) -> Result<Self, Vec<Violation>> {
        let spectrum = Self::or_nothing(emissions)?;
        let nothing = || Violation { field: "emissions".into(), reason: "hold no energy".into() };
        if spectrum.total_mev() > 0.0 { Ok(spectrum) } else { Err(vec![nothing()]) }
    }

    /// Like [`EmissionSpectrum::new`], for a decay that may emit nothing that is followed, as with some alpha emitters.
    ///
    /// # Errors
    /// Every faulty emission (the first few by their index, such as `emissions[3]`), too many emissions, or too high a
    /// total yield.
    pub fn or_nothing(emissions: Vec<Emission>) -> Result<Self, Vec<Violation>> {
        let violation = |field: String, reason: String| Violation { field, reason };
        let bad = emissions.iter().enumerate().filter_map(|(index, emission)| {
            emission.check().err().map(|Invalid(reason)| violation(format!("emissions[{index}]"), reason))
        });
        let mut violations: Vec<Violation> = bad.collect();
        let more = violations.len().saturating_sub(MAX_LISTED);
        violations.truncate(MAX_LISTED);
        let mut fail = |reason: String| violations.push(violation("emissions".into(), reason));
        if more > 0 {
            fail(format!("has {more} more faulty entries"));
        }
        if emissions.len() > MAX_EMISSIONS {
            fail(format!("has {} lines and bins, at most {MAX_EMISSIONS} are allowed", emissions.len()));
        }
        let spectrum = Self(emissions);
        for particle in Particle::ALL {
            let total = spectrum.yield_per_decay(particle);
            if total > MAX_YIELD_PER_DECAY {
                fail(format!("emit {total} {} per decay, at most {MAX_YIELD_PER_DECAY} are allowed", particle.name()));
            }
        }
        if violations.is_empty() { Ok(spectrum) } else { Err(violations) }
    }

    /// Every line and bin, in the order given.
    pub fn emissions(&self) -> &[Emission] {
        &self.0
    }

    /// Mean number of particles of one kind per decay.
    pub fn yield_per_decay(&self, particle: Particle) -> f64 {
        self.of(particle).map(|emission| emission.yield_per_decay).fold(0.0, std::ops::Add::add)
    }

    /// Mean energy of particles of one kind [MeV per decay].
    pub fn mean_energy_mev(&self, particle: Particle) -> f64 {
        self.of(particle).map(|emission| emission.yield_per_decay * emission.mean_mev()).fold(0.0, std::ops::Add::add)
    }

    /// Mean energy of all particles [MeV per decay].
    pub fn total_mev(&self) -> f64 {
        Particle::ALL.into_iter().map(|particle| self.mean_energy_mev(particle)).sum()
    }

    /// SHA-256 of every line and bin in their order, in hexadecimal.
    pub fn sha256(&self) -> String {
        let mut digest = Digest::new();
        for Emission { particle, low_mev, high_mev, yield_per_decay } in &self.0 {
            digest.update(particle.charge().to_le_bytes());
            [low_mev, high_mev, yield_per_decay].iter().for_each(|value| digest.update(value.to_le_bytes()));
        }
        digest.hex()
    }

    fn of(&self, particle: Particle) -> impl Iterator<Item = &Emission> {
        self.0.iter().filter(move |emission| emission.particle == particle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emission(particle: Particle, low_mev: f64, high_mev: f64, yield_per_decay: f64) -> Emission {
        Emission { particle, low_mev, high_mev, yield_per_decay }
    }

    #[test]
    fn means_are_those_of_lines_and_bins() {
        let spectrum = EmissionSpectrum::new(vec![
            emission(Particle::Electron, 0.0, 1.0, 0.5),
            emission(Particle::Electron, 0.1, 0.1, 2.0),
            emission(Particle::Photon, 0.511, 0.511, 1.8),
            emission(Particle::Positron, 0.2, 0.4, 0.9),
        ])
        .expect("a good spectrum");
        assert!((spectrum.mean_energy_mev(Particle::Electron) - 0.45).abs() < 1e-15);
        assert!((spectrum.mean_energy_mev(Particle::Photon) - 0.9198).abs() < 1e-15);
        assert!((spectrum.total_mev() - (0.45 + 0.9198 + 0.27)).abs() < 1e-14);
        assert_eq!(spectrum.yield_per_decay(Particle::Electron), 2.5);
    }

    #[test]
    fn every_fault_is_named_by_its_index() {
        let nan = f64::NAN;
        let bad = [(-0.1, 0.1, 1.0), (0.2, 0.1, 1.0), (0.1, 10.5, 1.0), (nan, 0.1, 1.0), (0.1, f64::INFINITY, 1.0)];
        let yields = [(0.1, 0.1, -1.0), (0.1, 0.1, nan), (0.1, 0.1, 1001.0)];
        let mut emissions: Vec<Emission> =
            bad.iter().chain(&yields).map(|&(low, high, n)| emission(Particle::Photon, low, high, n)).collect();
        emissions.insert(1, emission(Particle::Photon, 0.1, 0.1, 1.0));
        let violations = EmissionSpectrum::new(emissions).expect_err("all but one are bad");
        let fields: Vec<&str> = violations.iter().map(|v| v.field.as_str()).collect();
        for index in [0, 2, 3, 4, 5, 6, 7, 8] {
            assert!(fields.contains(&format!("emissions[{index}]").as_str()), "{fields:?}");
        }
        assert!(!fields.contains(&"emissions[1]"), "{fields:?}");
    }

    #[test]
    fn many_faults_are_counted_and_nothing_is_no_spectrum() {
        let violations = EmissionSpectrum::new(vec![emission(Particle::Photon, 1.0, 0.0, 1.0); 100]);
        let violations = violations.expect_err("all are bad");
        assert_eq!(violations.len(), MAX_LISTED + 1);
        assert!(violations[MAX_LISTED].reason.contains("90 more"), "{violations:?}");
        for empty in [vec![], vec![emission(Particle::Photon, 0.1, 0.1, 0.0)]] {
            let violations = EmissionSpectrum::new(empty).expect_err("no energy");
            assert_eq!(violations[0].reason, "hold no energy");
        }
        let many = vec![emission(Particle::Positron, 0.1, 0.1, 600.0); 2];
        assert!(EmissionSpectrum::new(many).expect_err("1200 per decay")[0].reason.contains("1200 positrons"));
    }

    #[test]
    fn charges_name_kinds() {
        for particle in Particle::ALL {
            assert_eq!(Particle::of_charge(particle.charge().into()), Some(particle));
        }
        assert_eq!(Particle::of_charge(2), None);
    }
}
