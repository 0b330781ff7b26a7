//! All nuclides, each read on first use: a beta spectrum takes a few milliseconds.

use std::sync::OnceLock;

use rayon::prelude::*;

use super::emissions::nuclide;
use super::file::File;
use super::written::Name;
use crate::digest::sha256_hex;
use crate::domain::{EmissionSpectrum, Nuclide, Violation};

// `FILES`: names and texts, by name.
include!(concat!(env!("OUT_DIR"), "/nuclide_files.rs"));

/// The data of a nuclide.
#[derive(Debug)]
struct NuclideData {
    nuclide: Nuclide,
    emissions: EmissionSpectrum,
    sha256: String,
}

static ENTRIES: [OnceLock<NuclideData>; FILES.len()] = [const { OnceLock::new() }; FILES.len()];

/// # Errors
/// Every fault of the file.
fn read(name: &str, text: &str) -> Result<NuclideData, Vec<Violation>> {
    let fault = |field: &str, reason: String| vec![Violation { field: field.into(), reason }];
    let file = File::read(text)?;
    if file.name != name {
        return Err(fault("name", format!("is {}, not that of the file, {name}", file.name)));
    }
    let mass_number = Name::parse(name).ok_or_else(|| fault("name", "is none".into()))?.mass_number;
    let (nuclide, emissions) = nuclide(file, mass_number).map_err(|invalid| fault("lines", invalid.0))?;
    let sha256 = sha256_hex(text);
    Ok(NuclideData { nuclide, emissions, sha256 })
}

/// Reads the text of a nuclide's file; for fuzz targets.
///
/// # Errors
/// Every fault of the file.
#[doc(hidden)]
pub fn read_file(name: &str, text: &str) -> Result<Nuclide, Vec<Violation>> {
    read(name, text).map(|entry| entry.nuclide)
}

fn entry(index: usize) -> &'static NuclideData {
    let (name, text) = FILES[index];
    ENTRIES[index].get_or_init(|| read(name, text).expect("embedded nuclide files are read by a test"))
}

fn index(name: &str) -> Option<usize> {
    FILES.binary_search_by(|(known, _)| (*known).cmp(name)).ok()
}

/// Names of all nuclides, ascending.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

/// How many nuclides there are.
pub fn count() -> usize {
    FILES.len()
}

/// The same name, if there is a nuclide of it.
pub(super) fn known(name: &str) -> Option<&'static str> {
    index(name).map(|index| FILES[index].0)
}

/// The content of all files. Quick, since no spectra are computed.
pub(super) fn files() -> impl Iterator<Item = (&'static str, File)> {
    FILES.iter().map(|(name, text)| (*name, File::read(text).expect("embedded nuclide files are read by a test")))
}

/// All nuclides, by name.
pub fn all() -> impl Iterator<Item = &'static Nuclide> {
    (0..FILES.len()).into_par_iter().for_each(|index| {
        entry(index);
    });
    (0..FILES.len()).map(|index| &entry(index).nuclide)
}

/// As [`all`]; each is read when it is taken.
pub fn one_by_one() -> impl Iterator<Item = &'static Nuclide> {
    (0..FILES.len()).map(|index| &entry(index).nuclide)
}

/// The nuclide with exactly this name, in the form `Lu-177`.
pub fn named(name: &str) -> Option<&'static Nuclide> {
    index(name).map(|index| &entry(index).nuclide)
}

/// Emissions of a decay of this nuclide alone, without alpha particles, recoils and annihilation photons.
pub fn emissions(nuclide: &Nuclide) -> &'static EmissionSpectrum {
    &of(nuclide).emissions
}

/// SHA-256 of the data of a nuclide, in hexadecimal.
pub fn data_sha256(nuclide: &Nuclide) -> &'static str {
    &of(nuclide).sha256
}

fn of(nuclide: &Nuclide) -> &'static NuclideData {
    entry(index(&nuclide.name).expect("every nuclide comes from this registry"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Particle;

    #[test]
    fn every_embedded_file_is_good() {
        assert!(FILES.len() >= 3);
        for (name, text) in FILES {
            if let Err(faults) = read(name, text) {
                panic!("{name}: {faults:?}");
            }
        }
    }

    #[test]
    fn emissions_carry_the_mean_energies() {
        for nuclide in all() {
            let (spectrum, mean) = (emissions(nuclide), nuclide.mean_energy_mev);
            let charged = spectrum.mean_energy_mev(Particle::Electron) + spectrum.mean_energy_mev(Particle::Positron);
            let photons = spectrum.mean_energy_mev(Particle::Photon) + nuclide.radiation_mev.annihilation;
            for (found, expected) in [(charged, mean.electron), (photons, mean.photon)] {
                assert!((found - expected).abs() <= 1e-9 * expected, "{}: {found} {expected}", nuclide.name);
            }
            let of_branches: f64 = nuclide.betas.iter().map(|beta| beta.intensity * beta.mean_mev).sum();
            let of_bins = nuclide.radiation_mev.beta + nuclide.radiation_mev.positron;
            assert!((of_branches - of_bins).abs() <= 1e-6 * of_branches, "{}: {of_branches} {of_bins}", nuclide.name);
        }
    }

    #[test]
    fn digests_differ() {
        let digests: std::collections::HashSet<_> = all().map(data_sha256).collect();
        assert_eq!(digests.len(), FILES.len());
        assert!(digests.iter().all(|digest| digest.len() == 64));
    }

    #[test]
    fn only_exact_names_are_exact() {
        assert_eq!(named("Lu-177").expect("known").name, "Lu-177");
        assert!(named("Lu177").is_none() && named("").is_none());
    }
}
