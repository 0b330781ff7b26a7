//! The media of kernels and their embedded libraries.

use std::sync::OnceLock;

use super::library::KernelLibrary;
use crate::constants::WATER_DENSITY_G_CM3;
use crate::digest::sha256_hex;
use crate::domain::{KernelMedium, Provenance};
use crate::physics::material;

/// Nominal density of a medium [g/cm³].
pub fn density_g_cm3(medium: KernelMedium) -> f64 {
    material::find(medium.name()).expect("a medium is a material").nominal_density_g_cm3()
}

/// Mass density by which the energy of every voxel was divided where there is no map of it [g/cm³]: that of the
/// kernel's medium, else that of water.
pub fn uniform_density_g_cm3(provenance: &Provenance) -> f64 {
    let medium = provenance.kernel.as_ref().and_then(|kernel| KernelMedium::of_name(&kernel.medium).ok());
    medium.map_or(WATER_DENSITY_G_CM3, density_g_cm3)
}

/// The embedded library of a medium.
pub fn library(medium: KernelMedium) -> &'static KernelLibrary {
    static LIBRARIES: [OnceLock<KernelLibrary>; KernelMedium::ALL.len()] =
        [const { OnceLock::new() }; KernelMedium::ALL.len()];
    let number = KernelMedium::ALL.iter().position(|known| *known == medium).expect("all media are listed");
    let read = || KernelLibrary::from_bytes(file(medium)).expect("embedded libraries are read by a test");
    LIBRARIES[number].get_or_init(read)
}

/// SHA-256 of the file of a library, in hexadecimal.
pub fn library_sha256(medium: KernelMedium) -> String {
    sha256_hex(file(medium))
}

fn file(medium: KernelMedium) -> &'static [u8] {
    match medium {
        KernelMedium::Water => include_bytes!("../../../data/kernels/water.bin.gz"),
        KernelMedium::SoftTissue => include_bytes!("../../../data/kernels/soft_tissue.bin.gz"),
        KernelMedium::Lung => include_bytes!("../../../data/kernels/lung.bin.gz"),
        KernelMedium::CompactBone => include_bytes!("../../../data/kernels/compact_bone.bin.gz"),
        KernelMedium::CorticalBone => include_bytes!("../../../data/kernels/cortical_bone.bin.gz"),
    }
}
