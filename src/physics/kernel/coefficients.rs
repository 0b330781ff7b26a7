//! Attenuation and absorption of photons in the media of kernels and in tissues.

use std::sync::{Arc, LazyLock, OnceLock};

use rayon::prelude::*;

use crate::domain::KernelMedium;
use crate::math::log_grid::LogTable;
use crate::math::watch::Unwatched;
use crate::physics::energy_grid::energies;
use crate::physics::material;
use crate::physics::photon::photon_tables;

use super::library::BONE;

/// Photon energies over which tissues are compared [MeV]: below, photons hardly leave their voxel; above, all tissues
/// absorb nearly alike.
const COMPARED_MEV: [f64; 2] = [0.015, 2.0];

/// Coefficients of one material against the photon energy [MeV], in cm²/g.
#[derive(Debug)]
pub(super) struct PhotonCoefficients {
    /// Mass attenuation coefficient.
    pub(super) attenuation: LogTable,
    /// The part of it that is coherent scattering.
    pub(super) coherent: LogTable,
    /// Mass energy-transfer coefficient.
    pub(super) transfer: LogTable,
    /// Mass energy-absorption coefficient.
    pub(super) absorption: LogTable,
}

/// The coefficients of a known material. Tabulated when first asked for; who asks meanwhile waits for that.
pub(super) fn photon_coefficients(name: &str) -> Arc<PhotonCoefficients> {
    static KNOWN: LazyLock<Vec<OnceLock<Arc<PhotonCoefficients>>>> =
        LazyLock::new(|| material::all().iter().map(|_| OnceLock::new()).collect());
    let number = material::all().iter().position(|material| material.name() == name).expect("a known material");
    // It waits for no other thread, so that those who wait for it may be of any pool.
    let tabulate = || {
        let tables = photon_tables(&material::all()[number], &Unwatched).expect("nobody stops it");
        Arc::new(PhotonCoefficients {
            attenuation: tables.total.clone(),
            coherent: tables.coherent.clone(),
            transfer: tables.energy_transfer.clone(),
            absorption: tables.energy_absorption.clone(),
        })
    };
    Arc::clone(KNOWN[number].get_or_init(tabulate))
}

/// Tabulates all known materials, several at once.
pub(super) fn tabulate_all() {
    material::all().par_iter().for_each(|material| {
        photon_coefficients(material.name());
    });
}

/// How a tissue absorbs photons: as this much water and this much bone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AbsorbsAs {
    /// Parts of water.
    pub water: f64,
    /// Parts of cortical bone.
    pub bone: f64,
}

/// The parts of water and cortical bone whose mass energy-absorption coefficients together are nearest to those of
/// each known material, in the order of [`material::all`].
///
/// Two materials span all tissues, because two processes absorb photons, each with its own dependence on the energy.
///
/// Source: R. E. Alvarez, A. Macovski, Phys. Med. Biol. 21 (1976) 733.
pub fn absorbs_as() -> &'static [AbsorbsAs] {
    static ALL: LazyLock<Vec<AbsorbsAs>> = LazyLock::new(|| {
        let [water, bone] = [KernelMedium::Water.name(), BONE].map(photon_coefficients);
        let of = |material: &crate::domain::Material| {
            let own = photon_coefficients(material.name());
            // Least squares of the relative difference.
            let [mut ww, mut wb, mut bb, mut w, mut b] = [0.0; 5];
            let [low, high] = COMPARED_MEV;
            for energy in energies().nodes().filter(|energy| (low..=high).contains(energy)) {
                let own = own.absorption.value(energy);
                let [x, y] = [water.absorption.value(energy) / own, bone.absorption.value(energy) / own];
                ww += x * x;
                wb += x * y;
                bb += y * y;
                w += x;
                b += y;
            }
            let determinant = ww * bb - wb * wb;
            AbsorbsAs { water: (w * bb - b * wb) / determinant, bone: (b * ww - w * wb) / determinant }
        };
        material::all().iter().map(of).collect()
    });
    // Before the list is made, so that no thread waits for others in the middle of it.
    if LazyLock::get(&ALL).is_none() {
        tabulate_all();
    }
    &ALL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tissues_absorb_as_water_and_bone() {
        let [water, bone] = ["water", BONE].map(photon_coefficients);
        for (material, parts) in material::all().iter().zip(absorbs_as()) {
            if material.density_range_g_cm3().is_none() {
                continue;
            }
            let own = photon_coefficients(material.name());
            for energy in energies().nodes().filter(|energy| (0.02..2.0).contains(energy)) {
                let mixed = parts.water * water.absorption.value(energy) + parts.bone * bone.absorption.value(energy);
                let error = mixed / own.absorption.value(energy) - 1.0;
                let allowed = if material.name() == "adipose" { 0.06 } else { 0.01 };
                assert!(error.abs() < allowed, "{} at {energy} MeV: {error} with {parts:?}", material.name());
            }
        }
    }
}
