//! Options of Monte Carlo transport.

use serde::{Deserialize, Serialize};

use super::method::DEFAULT_MINIMUM_DENSITY_G_CM3;
use super::range::MINIMUM_DENSITY_G_CM3;
use super::{Checks, Medium, StopRule, VoxelGrid};
use crate::constants::ELECTRON_REST_ENERGY_MEV;

/// Seed where none is given. Fixed, so that the same request gives the same bytes.
pub const DEFAULT_SEED: u64 = 1;
/// Lowest energy of the tables [MeV].
pub const MIN_CUT_MEV: f64 = 1e-3;
/// Highest energy of the tables [MeV].
pub const MAX_CUT_MEV: f64 = 10.0;
/// Practical range in water, as a part of the smallest edge of a voxel, of the electrons that a caller may at most have
/// absorbed on the spot or not set free. Above it the dose would depend on the cut: with secondaries of 0.03 and 0.3
/// edges that are not followed, electrons of 0.2 MeV in voxels of 0.1 mm leave 0.9 and 5 % too little where they end.
const NOT_FOLLOWED: f64 = 0.01;
/// Mean free path in water, as a part of the smallest edge of a voxel, of the photons that a caller may at most have
/// absorbed on the spot: emitted ones too. The default stays below it: 0.29 edges at 0.8 mm, 0.06 at 4 mm.
const NOT_FLOWN: f64 = 1.0 / 3.0;
/// Practical range in water, as a part of the smallest edge of a voxel, of the Compton electrons of photons that a
/// caller may at most have scored along their track: twice the default.
const NOT_CARRIED: f64 = 0.04;

/// Options of [`super::Method::MonteCarlo`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonteCarloOptions {
    /// When to stop.
    pub stop: StopRule,
    /// What the voxels are made of.
    pub medium: Medium,
    /// Seed of the random numbers.
    pub seed: u64,
    /// Number of the first history. Runs of other numbers can be merged with this one.
    pub first_history: u64,
    /// Voxels of a lower density get no dose [g/cm³]; 0 gives one to every voxel that has a mass.
    pub minimum_density_g_cm3: f64,
    /// Energies at which the transport switches its model, as far as the caller chose them.
    pub cuts: ChosenCuts,
    /// What is returned besides the dose.
    pub extras: Extras,
}

impl Default for MonteCarloOptions {
    fn default() -> Self {
        Self {
            stop: StopRule::default(),
            medium: Medium::default(),
            seed: DEFAULT_SEED,
            first_history: 0,
            minimum_density_g_cm3: DEFAULT_MINIMUM_DENSITY_G_CM3,
            cuts: ChosenCuts::default(),
            extras: Extras::default(),
        }
    }
}

impl MonteCarloOptions {
    /// Records every option with a bad value, by the name of its field.
    pub(super) fn check(&self, prefix: &str, checks: &mut Checks) {
        self.stop.check(prefix, checks);
        let minimum = MINIMUM_DENSITY_G_CM3.check(self.minimum_density_g_cm3);
        checks.at(format!("{prefix}.minimum_density_g_cm3"), minimum);
        if let Err(faults) = self.cuts.check() {
            checks.extend(&format!("{prefix}.cuts"), faults.into_violations());
        }
    }
}

/// What is returned besides the dose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extras {
    /// The uncertainty of the dose in each voxel.
    pub uncertainty: bool,
    /// The tally, to merge with others.
    pub tally: bool,
}

/// Energies at which the transport switches its model [MeV].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryCuts {
    /// Electrons and positrons with less kinetic energy are absorbed on the spot.
    pub absorption_mev: f64,
    /// Collisions that set free an electron above this energy are simulated one by one.
    pub collision_mev: f64,
    /// Bremsstrahlung photons above this energy are simulated one by one. All photons below it are absorbed on the
    /// spot, those that a decay emits too.
    pub photon_mev: f64,
    /// Photons below this energy are scored along their track; 0: none are.
    pub track_length_mev: f64,
}

/// Cuts that a caller chose. Each one not given follows from the grid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// The cuts that are used in voxels of this grid: lowered where particles below them would go too far to be left
    /// out.
    #[must_use]
    pub fn lowered(&self, grid: &VoxelGrid) -> Self {
        let edge_cm = grid.spacing_cm().into_iter().fold(f64::INFINITY, f64::min);
        let electron_mev = energy_of_range(NOT_FOLLOWED * edge_cm);
        let photon_mev = energy_of_mean_free_path(NOT_FLOWN * edge_cm);
        let track_length_mev = photon_of_compton_edge(energy_of_range(NOT_CARRIED * edge_cm)).min(MAX_CUT_MEV);
        let at_most = |chosen: Option<f64>, most_mev: f64| chosen.map(|mev| mev.min(most_mev));
        Self {
            absorption_mev: at_most(self.absorption_mev, electron_mev),
            collision_mev: at_most(self.collision_mev, electron_mev),
            photon_mev: at_most(self.photon_mev, photon_mev),
            track_length_mev: at_most(self.track_length_mev, track_length_mev),
        }
    }

    /// # Errors
    /// Every cut outside the energies of the tables, by its name.
    pub fn check(&self) -> Result<(), Checks> {
        let mut checks = Checks::new();
        let in_tables = |mev: f64| (MIN_CUT_MEV..=MAX_CUT_MEV).contains(&mev);
        let must = format!("must be from {MIN_CUT_MEV} to {MAX_CUT_MEV} MeV");
        let cuts = [
            ("absorption_mev", self.absorption_mev),
            ("collision_mev", self.collision_mev),
            ("photon_mev", self.photon_mev),
        ];
        for (name, mev) in cuts {
            if let Some(mev) = mev.filter(|&mev| !in_tables(mev)) {
                checks.fail(name, format!("{must}, got {mev}"));
            }
        }
        if let Some(mev) = self.track_length_mev.filter(|&mev| !(mev == 0.0 || in_tables(mev))) {
            checks.fail("track_length_mev", format!("{must}, or 0 for never; got {mev}"));
        }
        if checks.is_empty() { Ok(()) } else { Err(checks) }
    }
}

/// Energy of the electrons that have a practical range in water [MeV], within the energies of the tables.
///
/// * `range` – [g/cm²]
///
/// Source: Katz & Penfold, Rev. Mod. Phys. 24 (1952) 28, R = 0.412·E^(1.265 − 0.0954 ln E), solved for ln E.
fn energy_of_range(range: f64) -> f64 {
    let (slope, bend) = (1.265f64, 0.0954);
    let discriminant = slope.powi(2) - 4.0 * bend * (range / 0.412).ln();
    let log_energy = (slope - discriminant.max(0.0).sqrt()) / (2.0 * bend);
    log_energy.exp().clamp(MIN_CUT_MEV, MAX_CUT_MEV)
}

/// Energy of the photons that have a mean free path in water [MeV], within the energies of the tables: μ = 5.33 (10
/// keV/E)³ /cm, which is right within 1 % from 5 to 10 keV, and too small above, so that the energy is too low there.
///
/// * `path` – [cm]
///
/// Source: NIST XCOM, water with coherent scattering, 5.33 cm²/g at 10 keV; photoelectric absorption falls with E³.
fn energy_of_mean_free_path(path: f64) -> f64 {
    (0.01 * (5.33 * path).cbrt()).clamp(MIN_CUT_MEV, MAX_CUT_MEV)
}

/// Energy of the photon whose Compton edge is at `edge_mev` [MeV].
pub(crate) fn photon_of_compton_edge(edge_mev: f64) -> f64 {
    0.5 * (edge_mev + (edge_mev * (edge_mev + 2.0 * ELECTRON_REST_ENERGY_MEV)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Method, Region, TargetUncertainty};

    fn faults(edit: impl FnOnce(&mut MonteCarloOptions)) -> Vec<String> {
        let mut options = MonteCarloOptions::default();
        edit(&mut options);
        match Method::MonteCarlo(Box::new(options)).check() {
            Ok(()) => vec![],
            Err(checks) => checks.into_violations().into_iter().map(|fault| fault.field).collect(),
        }
    }

    #[test]
    fn every_option_at_fault_is_named() {
        assert_eq!(faults(|_| {}), [""; 0]);
        let found = faults(|options| {
            let region = Region::AboveDoseFraction(1.5);
            options.stop = StopRule {
                histories: Some(31),
                target: Some(TargetUncertainty { relative: 1.0, region }),
                time_limit_s: Some(f64::INFINITY),
            };
            options.minimum_density_g_cm3 = -1.0;
            options.cuts = ChosenCuts {
                absorption_mev: Some(0.0),
                collision_mev: Some(f64::NAN),
                photon_mev: Some(11.0),
                track_length_mev: Some(-1.0),
            };
        });
        let expected = [
            "histories",
            "target_uncertainty.relative",
            "target_uncertainty.dose_fraction",
            "time_limit_s",
            "minimum_density_g_cm3",
            "cuts.absorption_mev",
            "cuts.collision_mev",
            "cuts.photon_mev",
            "cuts.track_length_mev",
        ];
        assert_eq!(found, expected.map(|field| format!("monte_carlo.{field}")));
    }

    #[test]
    fn cuts_are_lowered_to_what_voxels_allow() {
        // 0.412·0.1^(1.265 − 0.0954 ln 0.1) g/cm² = 0.01350 and 0.412·0.02^(1.265 − 0.0954 ln 0.02) = 6.783e-4.
        for (energy, range) in [(0.1, 0.013_50), (0.02, 6.783e-4), (2.0, 0.9456)] {
            let found = energy_of_range(range);
            assert!((found / energy - 1.0).abs() < 5e-4, "{range} g/cm²: {found} MeV");
        }
        assert_eq!((energy_of_range(1e-12), energy_of_range(1e9)), (MIN_CUT_MEV, MAX_CUT_MEV));
        let cuts = |kev: f64| ChosenCuts {
            absorption_mev: Some(1e-3 * kev),
            collision_mev: Some(1e-3 * kev),
            photon_mev: Some(0.004),
            track_length_mev: None,
        };
        let lowered = |mm: f64, kev: f64| cuts(kev).lowered(&VoxelGrid::new([1; 3], [9.0, mm, 9.0]).expect("a grid"));
        assert_eq!(lowered(4.42, 50.0), cuts(50.0));
        let small = lowered(0.1, 50.0);
        assert!((0.007..0.009).contains(&small.collision_mev.expect("chosen")), "{small:?}");
        assert_eq!(small.absorption_mev, small.collision_mev);
        assert_eq!(
            ChosenCuts::default().lowered(&VoxelGrid::new([1; 3], [0.1; 3]).expect("a grid")),
            ChosenCuts::default()
        );
    }

    #[test]
    fn cuts_of_photons_are_lowered_too() {
        // Mean free paths in water (XCOM): 0.188 cm at 10 keV, 0.0235 cm at 5 keV.
        for (mev, path) in [(0.01, 0.188), (0.005, 0.0235)] {
            let found = energy_of_mean_free_path(path);
            assert!((found / mev - 1.0).abs() < 0.01, "{path} cm: {found} MeV");
        }
        let high = ChosenCuts { photon_mev: Some(0.5), track_length_mev: Some(10.0), ..ChosenCuts::default() };
        let used = |mm: f64| {
            let cuts = high.lowered(&VoxelGrid::new([1; 3], [9.0, mm, 9.0]).expect("a grid"));
            [cuts.photon_mev.expect("chosen"), cuts.track_length_mev.expect("chosen")]
        };
        let [photon, track_length] = used(4.0);
        assert!((0.0085..0.0095).contains(&photon) && (0.2..0.3).contains(&track_length), "{photon} {track_length}");
        let [photon, track_length] = used(1.0);
        assert!((0.005..0.006).contains(&photon) && (0.08..0.15).contains(&track_length), "{photon} {track_length}");
        let none = ChosenCuts { track_length_mev: Some(0.0), ..ChosenCuts::default() };
        assert_eq!(none.lowered(&VoxelGrid::new([1; 3], [4.0; 3]).expect("a grid")), none);
    }

    #[test]
    fn targets_are_parts_and_regions_exist() {
        for relative in [0.0, -0.1, f64::NAN] {
            let target = Some(TargetUncertainty { relative, region: Region::AllRegions });
            assert_eq!(faults(|o| o.stop.target = target), ["monte_carlo.target_uncertainty.relative"], "{relative}");
        }
        let target = Some(TargetUncertainty { relative: 0.01, region: Region::Label(0) });
        assert_eq!(faults(|o| o.stop.target = target), ["monte_carlo.target_uncertainty.label"]);
        assert_eq!(faults(|o| o.cuts.track_length_mev = Some(0.0)), [""; 0]);
    }
}
