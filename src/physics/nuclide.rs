//! The radionuclides known to this program: one file each in `data/nuclides/`, embedded in the binary.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use crate::domain::{Invalid, Nuclide};

/// A nuclide and the digest of its data.
struct Entry {
    nuclide: Nuclide,
    sha256: String,
}

static FILES: &[&str] = &[
    include_str!("../../data/nuclides/I-131.toml"),
    include_str!("../../data/nuclides/Lu-177.toml"),
    include_str!("../../data/nuclides/Y-90.toml"),
];

static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let read = |text: &&str| {
        let nuclide: Nuclide = toml::from_str(text).expect("embedded nuclide files are read by a test");
        let nuclide = nuclide.validated().expect("embedded nuclide files are checked by a test");
        let sha256 = Sha256::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
        Entry { nuclide, sha256 }
    };
    FILES.iter().map(read).collect()
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

/// SHA-256 of the data of a nuclide, in hexadecimal.
pub fn data_sha256(nuclide: &Nuclide) -> &'static str {
    let entry = ENTRIES.iter().find(|entry| entry.nuclide.name == nuclide.name);
    &entry.expect("every nuclide comes from this registry").sha256
}
