//! Cuts of Monte Carlo transport and its statistical groups, from the grid.

use std::sync::LazyLock;

use crate::domain::{Checks, VoxelGrid};
use crate::physics::constants::ELECTRON_REST_ENERGY_MEV;
use crate::physics::electron::Charge;
use crate::physics::electron::range::SlowingDown;
use crate::physics::log_grid::{LogGrid, LogTable, MAX_ENERGY_MEV, MIN_ENERGY_MEV};
use crate::physics::material;

/// Part of the smallest voxel edge that an absorbed electron could still have gone, in lung.
const ABSORBED_RANGE: f64 = 0.01;
/// Density for which that holds: the thinnest lung [g/cm³].
const THIN_G_CM3: f64 = 0.1;
/// Most energy at which charged particles are absorbed, unless the caller says otherwise [MeV].
const MAX_ABSORPTION_MEV: f64 = 0.05;
/// Most energy of a secondary electron that is not followed, unless the caller says otherwise [MeV].
const MAX_COLLISION_MEV: f64 = 0.02;
/// Most energy at which photons are absorbed, unless the caller says otherwise [MeV]: 5 keV go 0.2 mm in water.
const MAX_PHOTON_MEV: f64 = 0.005;
/// Part of the smallest voxel edge that an electron set free by a photon may go, in water, where its track is not followed for its own sake.
const SECONDARY_RANGE: f64 = 0.2;
/// Density for which that holds [g/cm³].
const SOFT_G_CM3: f64 = 1.0;

/// Energies at which transport changes its ways [MeV].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HistoryCuts {
    /// Electrons and positrons of less kinetic energy are absorbed where they are.
    pub absorption_mev: f64,
    /// Collisions that set free an electron of more are simulated one by one.
    pub collision_mev: f64,
    /// Bremsstrahlung photons of more are simulated one by one; photons of less are absorbed where they are.
    pub photon_mev: f64,
    /// Photons of less are scored along their track; 0: none are.
    pub track_length_mev: f64,
}

/// Cuts that a caller chose; each that is none follows from the grid.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ChosenCuts {
    /// See [`HistoryCuts::absorption_mev`].
    pub absorption_mev: Option<f64>,
    /// See [`HistoryCuts::collision_mev`].
    pub collision_mev: Option<f64>,
    /// See [`HistoryCuts::photon_mev`].
    pub photon_mev: Option<f64>,
    /// See [`HistoryCuts::track_length_mev`].
    pub track_length_mev: Option<f64>,
}

impl ChosenCuts {
    /// # Errors
    /// Every cut outside the energies of the tables, by its name.
    pub fn check(&self) -> Result<(), Checks> {
        let mut checks = Checks::new();
        let cuts = [
            ("absorption_mev", self.absorption_mev),
            ("collision_mev", self.collision_mev),
            ("photon_mev", self.photon_mev),
            // 0 switches it off.
            ("track_length_mev", self.track_length_mev.filter(|&mev| mev != 0.0)),
        ];
        for (name, mev) in cuts {
            if let Some(mev) = mev.filter(|mev| !(MIN_ENERGY_MEV..=MAX_ENERGY_MEV).contains(mev)) {
                checks.fail(name, format!("must be from {MIN_ENERGY_MEV} to {MAX_ENERGY_MEV} MeV, got {mev}"));
            }
        }
        if checks.is_empty() { Ok(()) } else { Err(checks) }
    }
}

impl HistoryCuts {
    /// The cuts for a grid, those that the caller chose as they are.
    pub fn new(grid: &VoxelGrid, chosen: &ChosenCuts) -> Self {
        let edge_cm = grid.spacing_cm().into_iter().fold(f64::INFINITY, f64::min);
        let absorption = WATER_RANGE.invert(ABSORBED_RANGE * THIN_G_CM3 * edge_cm);
        let absorption = absorption.clamp(MIN_ENERGY_MEV, MAX_ABSORPTION_MEV);
        let secondary = WATER_RANGE.invert(SECONDARY_RANGE * SOFT_G_CM3 * edge_cm);
        let track_length = photon_of_compton_edge(secondary).min(MAX_ENERGY_MEV);
        let photon_mev = chosen.photon_mev.unwrap_or(absorption.min(MAX_PHOTON_MEV));
        Self {
            absorption_mev: chosen.absorption_mev.unwrap_or(absorption),
            collision_mev: chosen.collision_mev.unwrap_or(absorption.min(MAX_COLLISION_MEV)),
            photon_mev,
            track_length_mev: chosen.track_length_mev.unwrap_or(track_length),
        }
    }
}

/// CSDA range of electrons in water [g/cm²].
static WATER_RANGE: LazyLock<LogTable> = LazyLock::new(|| {
    let water = material::find("water").expect("water is among the materials");
    SlowingDown::of(water, Charge::Electron, LogGrid::energies()).csda_range
});

/// Energy of the photon whose Compton edge is at `edge_mev` [MeV].
fn photon_of_compton_edge(edge_mev: f64) -> f64 {
    0.5 * (edge_mev + (edge_mev * (edge_mev + 2.0 * ELECTRON_REST_ENERGY_MEV)).sqrt())
}

/// Number of statistical groups: a power of two from the number of voxels alone, so that all runs of one map can be merged.
pub fn groups(voxels: usize) -> u32 {
    match voxels {
        0..=0x10_0000 => 32,
        0x10_0001..=0x100_0000 => 16,
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts(spacing_mm: [f64; 3], chosen: &ChosenCuts) -> HistoryCuts {
        HistoryCuts::new(&VoxelGrid::new([1; 3], spacing_mm).expect("a good grid"), chosen)
    }

    #[test]
    fn cuts_follow_the_smallest_edge() {
        let of = |mm| cuts([5.0, mm, 5.0], &ChosenCuts::default());
        // CSDA range in water, ICRU 37: 4.32e-4 g/cm² at 13.4 keV by log-log interpolation of 2.515e-4 (10) and 8.566e-4 (20 keV).
        let clinical = of(4.8);
        assert!((0.013..0.0155).contains(&clinical.absorption_mev), "{clinical:?}");
        assert_eq!((clinical.collision_mev, clinical.photon_mev), (clinical.absorption_mev, MAX_PHOTON_MEV));
        // 0.096 g/cm² are the range of 326 keV, the Compton edge of 493 keV.
        assert!((0.45..0.55).contains(&clinical.track_length_mev), "{clinical:?}");
        let fine = of(0.01);
        assert_eq!((fine.absorption_mev, fine.photon_mev), (MIN_ENERGY_MEV, MIN_ENERGY_MEV));
        assert!(fine.track_length_mev > 0.03 && fine.track_length_mev < 0.1, "{fine:?}");
        let coarse = cuts([1000.0; 3], &ChosenCuts::default());
        assert_eq!((coarse.absorption_mev, coarse.collision_mev), (MAX_ABSORPTION_MEV, MAX_COLLISION_MEV));
        assert_eq!(coarse.track_length_mev, MAX_ENERGY_MEV);
    }

    #[test]
    fn the_compton_edge_is_inverted() {
        for photon in [0.001, 0.1, 0.511, 5.0] {
            let edge = photon / (1.0 + ELECTRON_REST_ENERGY_MEV / (2.0 * photon));
            assert!((photon_of_compton_edge(edge) / photon - 1.0).abs() < 1e-12, "{photon}");
        }
    }

    #[test]
    fn a_callers_cuts_take_precedence() {
        let chosen = ChosenCuts {
            absorption_mev: Some(0.2),
            collision_mev: Some(0.1),
            photon_mev: Some(0.01),
            track_length_mev: Some(0.0),
        };
        let expected = HistoryCuts { absorption_mev: 0.2, collision_mev: 0.1, photon_mev: 0.01, track_length_mev: 0.0 };
        assert_eq!(cuts([3.0; 3], &chosen), expected);
        assert!(chosen.check().is_ok());
    }

    #[test]
    fn cuts_outside_the_tables_are_named() {
        let chosen = ChosenCuts {
            absorption_mev: Some(0.0),
            collision_mev: Some(f64::NAN),
            photon_mev: Some(11.0),
            track_length_mev: Some(-1.0),
        };
        let faults = chosen.check().expect_err("all are bad").into_violations();
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["absorption_mev", "collision_mev", "photon_mev", "track_length_mev"]);
    }

    #[test]
    fn groups_follow_the_number_of_voxels() {
        assert_eq!([1, 1 << 20, (1 << 20) + 1, 1 << 24, (1 << 24) + 1].map(groups), [32, 32, 16, 16, 8]);
    }
}
