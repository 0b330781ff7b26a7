//! How a library was made.

use crate::digest::Digest;
use crate::domain::Material;

/// How a library was made, as stored in its file.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LibraryHeader {
    /// Version of the format.
    pub format: u32,
    /// Description of the numbers.
    pub content: String,
    /// The medium, by the name of its material.
    pub medium: String,
    /// Density for which its stopping powers were computed [g/cm³]. Lengths are in g/cm².
    pub nominal_density_g_cm3: f64,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Histories of each kernel.
    pub histories: u64,
    /// SHA-256 of the data behind the transport tables, in hexadecimal.
    pub data_sha256: String,
    /// Kernels numbers of electron, positron and photon kernels.
    pub kernels: [usize; 3],
}

/// Versions of the format: with columns for bone, and without. Only the medium with this name has them: in another the
/// photons' dose is one to that medium.
const WITH_BONE: &str = "water";
pub(super) const FORMAT: u32 = 2;
pub(super) const FORMAT_WITHOUT_BONE: u32 = 1;

/// Descriptions in the embedded files: a change would change their bytes.
const CONTENT: &str = "little-endian f32 after the line ---: for each electron, then positron, kinetic energy [MeV], \
    CSDA range [g/cm2], part left by charged particles, that part by bins of r / range (100 of 0.0125), the rest by \
    bins of r [g/cm2] (one to 2^-10, then 16 to an octave up to 2^8), what cortical bone there would absorb of it by \
    the same bins; for each photon, energy [MeV], mean free path [g/cm2], part absorbed by bins of r / mean free path \
    (one to 2^-12, then 16 to an octave up to 2^5), what cortical bone there would absorb by the same bins";
const CONTENT_WITHOUT_BONE: &str = "little-endian f32 after the line ---: for each electron, then positron, kinetic \
    energy [MeV], CSDA range [g/cm2], part left by charged particles, that part by bins of r / range (100 of 0.0125), \
    the rest by bins of r [g/cm2] (one to 2^-10, then 16 to an octave up to 2^8); for each photon, energy [MeV], mean \
    free path [g/cm2], part absorbed by bins of r / mean free path (one to 2^-12, then 16 to an octave up to 2^5)";

/// The data behind the transport tables: the first column of each is the atomic number of an element.
const DATA: [&str; 7] = [
    include_str!("../../../../data/elements.csv"),
    include_str!("../../../../data/subshells.csv"),
    include_str!("../../../../data/electron/bremsstrahlung_fit.csv"),
    include_str!("../../../../data/electron/elastic_screening.csv"),
    include_str!("../../../../data/photon/attenuation.csv"),
    include_str!("../../../../data/photon/k_shells.csv"),
    include_str!("../../../../data/photon/scattering.csv"),
];

impl LibraryHeader {
    /// * `kernels` – numbers of electron, positron and photon kernels
    pub(crate) fn new(medium: &Material, seed: u64, histories: u64, kernels: [usize; 3]) -> Self {
        let (format, content) =
            if has_bone(medium) { (FORMAT, CONTENT) } else { (FORMAT_WITHOUT_BONE, CONTENT_WITHOUT_BONE) };
        Self {
            format,
            content: content.into(),
            medium: medium.name().into(),
            nominal_density_g_cm3: medium.nominal_density_g_cm3(),
            seed,
            histories,
            data_sha256: data_sha256(medium),
            kernels,
        }
    }
}

/// Whether the kernels of a medium say what bone in it would absorb.
pub(crate) fn has_bone(medium: &Material) -> bool {
    medium.name() == WITH_BONE
}

/// SHA-256 of the data behind the transport tables of a medium: those of its elements only, so that the tables can gain
/// elements.
pub fn data_sha256(medium: &Material) -> String {
    let mut digest = Digest::new();
    let own = format!("{:?}", (medium.definition().mass_fractions.clone(), medium.mean_excitation_energy_mev()));
    for text in DATA.into_iter().map(|table| rows_of(medium, table)).chain([own]) {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text);
    }
    digest.hex()
}

/// The header of a table, and its rows for the elements of a medium.
fn rows_of(medium: &Material, table: &str) -> String {
    let is_of_medium = |line: &&str| {
        let z = line.split(',').next().and_then(|field| field.parse::<u8>().ok());
        z.is_none_or(|z| medium.components().iter().any(|component| component.element.z == z))
    };
    table.lines().filter(is_of_medium).flat_map(|line| [line, "\n"]).collect()
}
