//! The radionuclides known to this program: one file each in `data/nuclides/`, and two tables of the same name in `data/kernels/`. `build.rs`
//! embeds all that are there.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use super::kernel::{RadialKernel, read_tables};
use crate::domain::{Invalid, Nuclide};

/// The files of one nuclide.
struct Files {
    nuclide: &'static str,
    kernel_fine: &'static str,
    kernel_coarse: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/nuclide_files.rs"));

/// What is known of a nuclide.
pub(super) struct Entry {
    nuclide: Nuclide,
    /// Energy around a point source in water.
    pub(super) radial_kernel: RadialKernel,
    /// Of the text of all its files.
    sha256: String,
}

impl Files {
    fn read(&self) -> Result<Entry, Invalid> {
        let nuclide: Nuclide = toml::from_str(self.nuclide).map_err(|error| Invalid::new(error.to_string()))?;
        let mut digest = Sha256::new();
        for text in [self.nuclide, self.kernel_fine, self.kernel_coarse] {
            digest.update((text.len() as u64).to_le_bytes());
            digest.update(text);
        }
        Ok(Entry {
            nuclide: nuclide.validated()?,
            radial_kernel: read_tables(self.kernel_fine, self.kernel_coarse)?,
            sha256: digest.finalize().iter().map(|b| format!("{b:02x}")).collect(),
        })
    }
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

/// SHA-256 of the data of a nuclide, its kernel tables included, in hexadecimal.
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
    fn every_embedded_file_is_good_and_its_kernel_holds_the_energy_emitted() {
        assert!(FILES.len() >= 3);
        for files in FILES {
            let entry = files.read().expect("good files");
            let emitted = entry.nuclide.mean_energy_mev.total();
            let captured = entry.radial_kernel.captured_mev() / emitted;
            let charged = entry.nuclide.mean_energy_mev.charged() / emitted;
            assert!((charged * 0.98..1.0).contains(&captured), "{}: {captured}", entry.nuclide.name);
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
