//! The radionuclides known to this program: one file each in `data/nuclides/`, and a table of its emissions. `build.rs` embeds all that are there.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use crate::domain::{Emission, EmissionSpectrum, Invalid, Nuclide, Particle};

/// The files of one nuclide.
struct Files {
    nuclide: &'static str,
    emissions: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/nuclide_files.rs"));

/// What is known of a nuclide.
pub(super) struct Entry {
    nuclide: Nuclide,
    /// What a decay emits, alpha particles left out.
    emissions: EmissionSpectrum,
    /// Of the text of all its files.
    sha256: String,
}

impl Files {
    fn read(&self) -> Result<Entry, Invalid> {
        let nuclide: Nuclide = toml::from_str(self.nuclide).map_err(|error| Invalid::new(error.to_string()))?;
        let mut digest = Sha256::new();
        for text in [self.nuclide, self.emissions] {
            digest.update((text.len() as u64).to_le_bytes());
            digest.update(text);
        }
        Ok(Entry {
            nuclide: nuclide.validated()?,
            emissions: read_emissions(self.emissions)?,
            sha256: digest.finalize().iter().map(|b| format!("{b:02x}")).collect(),
        })
    }
}

/// # Errors
/// If a row is none, or the spectrum is not good.
fn read_emissions(text: &str) -> Result<EmissionSpectrum, Invalid> {
    let rows = csv::ReaderBuilder::new().has_headers(false).comment(Some(b'#')).from_reader(text.as_bytes());
    let emission = |row: Result<(i64, f64, f64, f64), csv::Error>| {
        let (charge, low_mev, high_mev, yield_per_decay) = row.map_err(|error| Invalid::new(error.to_string()))?;
        let particle = Particle::of_charge(charge).ok_or_else(|| Invalid::new(format!("a charge of {charge}")))?;
        Ok(Emission { particle, low_mev, high_mev, yield_per_decay })
    };
    let emissions = rows.into_deserialize().map(emission).collect::<Result<_, Invalid>>()?;
    EmissionSpectrum::new(emissions).map_err(|faults| Invalid::new(format!("{faults:?}")))
}

static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    FILES.iter().map(|files| files.read().expect("embedded nuclide files are read by a test")).collect()
});

/// All nuclides, by name.
pub fn all() -> impl Iterator<Item = &'static Nuclide> {
    ENTRIES.iter().map(|entry| &entry.nuclide)
}

/// The nuclide of this name.
///
/// # Errors
/// If there is none; the reason lists those there are.
pub fn find(name: &str) -> Result<&'static Nuclide, Invalid> {
    all().find(|nuclide| nuclide.name == name).ok_or_else(|| {
        let known: Vec<&str> = all().map(|nuclide| nuclide.name.as_str()).collect();
        Invalid::new(format!("is not a known nuclide: `{name}`; known are {}", known.join(", ")))
    })
}

/// What a decay of this nuclide emits, alpha particles and recoils left out.
pub fn emissions(nuclide: &Nuclide) -> &'static EmissionSpectrum {
    &data(nuclide).emissions
}

/// SHA-256 of the data of a nuclide, its emissions and kernel tables included, in hexadecimal.
pub fn data_sha256(nuclide: &Nuclide) -> &'static str {
    &data(nuclide).sha256
}

pub(super) fn data(nuclide: &Nuclide) -> &'static Entry {
    let entry = ENTRIES.iter().find(|entry| entry.nuclide.name == nuclide.name);
    entry.expect("every nuclide comes from this registry")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_file_is_good() {
        assert!(FILES.len() >= 3);
        assert!(FILES.iter().all(|files| files.read().is_ok()));
    }

    #[test]
    fn emissions_carry_the_mean_energies() {
        for nuclide in all() {
            let (spectrum, mean) = (emissions(nuclide), nuclide.mean_energy_mev);
            let electron = spectrum.mean_energy_mev(Particle::Electron) + spectrum.mean_energy_mev(Particle::Positron);
            for (found, expected) in
                [(electron, mean.electron), (spectrum.mean_energy_mev(Particle::Photon), mean.photon)]
            {
                assert!((found - expected).abs() <= 1e-3 * expected, "{}: {found} {expected}", nuclide.name);
            }
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = find("Lu177").expect_err("a wrong name").to_string();
        assert!(error.contains("`Lu177`") && error.contains("I-131, Lu-177, Y-90"), "{error}");
    }

    #[test]
    fn digests_differ() {
        let digests: std::collections::HashSet<_> = all().map(data_sha256).collect();
        assert_eq!(digests.len(), all().count());
        assert!(digests.iter().all(|digest| digest.len() == 64));
    }
}
