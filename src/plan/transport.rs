//! Plan of Monte Carlo transport: cuts and statistical groups from the grid, limits on the histories, memory.

use std::sync::LazyLock;

use crate::domain::UNITS_PER_MEV;
use crate::domain::energy_sums::energy_sums_bytes;
use crate::domain::monte_carlo::photon_of_compton_edge;
use crate::domain::stop::MIN_HISTORIES;
use crate::domain::tally::groups;
pub use crate::domain::{ChosenCuts, HistoryCuts};
use crate::domain::{DoseError, Medium, MonteCarloOptions, Source, VoxelGrid};
use crate::math::log_grid::LogTable;
use crate::physics::electron::Charge;
use crate::physics::energy_grid::{MAX_ENERGY_MEV, MIN_ENERGY_MEV};
use crate::physics::known::{PHOTON_CUT_MEV, csda_range};
use crate::physics::material;

/// Range of an electron at the absorption energy in lung, as a fraction of the smallest voxel edge.
const ABSORBED_RANGE: f64 = 0.01;
/// Density for [`ABSORBED_RANGE`]: the lowest of lung [g/cm³].
const THIN_G_CM3: f64 = 0.1;
/// Highest default energy at which charged particles are absorbed [MeV].
const MAX_ABSORPTION_MEV: f64 = 0.05;
/// Highest default energy of secondary electrons that are not followed [MeV].
const MAX_COLLISION_MEV: f64 = 0.02;
/// Highest default energy at which photons are absorbed [MeV]: at 5 keV they travel 0.2 mm in water.
const MAX_PHOTON_MEV: f64 = PHOTON_CUT_MEV;
/// Range in water of the secondary electrons that are not followed in track-length scoring of photons, as a fraction of
/// the smallest voxel edge. The energy that they would carry out of the first voxel is not replaced there: at 0.03 the
/// photon dose of that voxel is 2 % too high, at 0.12 it is 7 %.
const SECONDARY_RANGE: f64 = 0.02;
/// Density for [`SECONDARY_RANGE`] [g/cm³].
const SOFT_G_CM3: f64 = 1.0;

/// Largest part of the range of a tally that histories may fill on average: the energy that they emit fluctuates.
const TALLY_FILL: f64 = 0.5;
/// Bytes of the tables of one material for photons, electrons and positrons, on the host and in transfer to a device.
const TABLE_BYTES: u64 = 4 << 20;
/// Bytes per voxel of a scene: density and material; if all voxels are active, also their numbers, where each ends on
/// the cumulative activity, and a quarter of a cell of the guide to them.
const SCENE_BYTES: u64 = 4 + 4 + 8 + 1;
/// Bytes per voxel of the dose, which the caller counts.
const DOSE_BYTES: u64 = 4;
/// Bytes per voxel of a map of labels.
const LABEL_BYTES: u64 = 2;
/// Part by which the energy scored may exceed what the histories emit on average.
const FLUCTUATION: f64 = 0.1;
/// Bytes of a sum in a file, before it is compressed: seven bits of it in each.
const FILE_SUM_BYTES: u64 = 5;

/// What will be run, on any device.
#[derive(Clone, Debug, PartialEq)]
pub struct TransportPlan {
    /// Statistical groups.
    pub groups: u32,
    /// Cuts of the transport.
    pub cuts: HistoryCuts,
    /// Number of the first history.
    pub first_history: u64,
    /// Largest number of histories that will be run.
    pub histories: u64,
    /// Number of histories that this scene can have, counted from 0.
    pub max_histories: u64,
    /// Largest number of voxels' sums of one group that exceed 32 bits, of all groups together.
    above_low: u64,
    /// Largest number of materials.
    materials: u64,
    /// Maps of labels that come with the request.
    label_maps: u64,
    /// Whether the tally is also returned as a file.
    with_file: bool,
}

impl TransportPlan {
    /// # Errors
    /// [`DoseError::Invalid`] if the requested histories are more than can be numbered, or would overflow a tally.
    ///
    /// * `label_maps` – maps of regions and of materials
    pub fn new(
        grid: &VoxelGrid,
        source: &Source,
        options: &MonteCarloOptions,
        label_maps: usize,
    ) -> Result<Self, DoseError> {
        let groups = groups(grid.voxels());
        let max_histories = max_histories(groups, source.followed_mev());
        let first_history = options.first_history;
        let left = max_histories.saturating_sub(first_history);
        if left < MIN_HISTORIES {
            let reason =
                format!("must be below {}: histories beyond that cannot be numbered", max_histories - MIN_HISTORIES);
            return Err(DoseError::invalid("method.monte_carlo.first_history", reason));
        }
        let stop = options.stop.in_force();
        let histories = stop.histories.unwrap_or(left);
        // A bound that nobody chose gives way.
        let histories = if options.stop.is_default() { histories.min(left) } else { histories };
        if histories > left {
            let reason = format!("must be at most {left}: histories beyond that cannot be numbered, got {histories}");
            return Err(DoseError::invalid("method.monte_carlo.histories", reason));
        }
        let materials = match &options.medium {
            Medium::ByDensity => material::all().len(),
            Medium::Uniform(_) => 1,
            Medium::Map(table) => table.materials().len(),
        };
        Ok(Self {
            groups,
            cuts: HistoryCuts::new(grid, &options.cuts),
            first_history,
            histories,
            max_histories,
            above_low: above_low(histories, source.followed_mev()),
            materials: materials as u64,
            label_maps: label_maps as u64,
            with_file: options.extras.tally,
        })
    }

    /// Upper bound of the host memory besides activity, density and dose: the tally, its file if requested, maps, scene
    /// and tables. A tally fills its memory only as far as histories reach.
    pub fn host_bytes(&self, voxels: usize) -> u64 {
        let (voxels, groups) = (voxels as u64, u64::from(self.groups));
        let tally = energy_sums_bytes(voxels, groups, self.above_low);
        let file = if self.with_file { groups * FILE_SUM_BYTES + 2 * size_of::<f32>() as u64 } else { 0 };
        // The dose and its uncertainty, which are smaller, take the place of the scene.
        let a_voxel = file + SCENE_BYTES - DOSE_BYTES + self.label_maps * LABEL_BYTES;
        let maps = a_voxel.saturating_mul(voxels);
        tally.saturating_add(maps).saturating_add(self.materials * TABLE_BYTES)
    }
}

/// Most sums above 32 bits. Each holds at least 64 MeV of what the histories emit.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "above 0; beyond the range it saturates")]
fn above_low(histories: u64, followed_mev: f64) -> u64 {
    let emitted_mev = histories as f64 * followed_mev;
    ((1.0 + FLUCTUATION) * emitted_mev * UNITS_PER_MEV / 2f64.powi(32)) as u64
}

/// Largest number of histories: the rank in a group and the end of a range of ranks have 32 bits, and no sum over a
/// tally may overflow 64 bits.
fn max_histories(groups: u32, followed_mev: f64) -> u64 {
    let by_rank = u64::from(groups) * u64::from(u32::MAX);
    let by_energy = TALLY_FILL * 2f64.powi(64) / UNITS_PER_MEV / followed_mev;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "above 0; beyond the range it saturates"
    )]
    let by_energy = by_energy as u64;
    by_rank.min(by_energy)
}

impl HistoryCuts {
    /// The cuts for a grid; those chosen by the caller are kept as far as the voxels allow ([`ChosenCuts::lowered`]).
    pub fn new(grid: &VoxelGrid, chosen: &ChosenCuts) -> Self {
        let chosen = chosen.lowered(grid);
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
    csda_range(water, Charge::Electron)
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constants::ELECTRON_REST_ENERGY_MEV;

    fn cuts(spacing_mm: [f64; 3], chosen: &ChosenCuts) -> HistoryCuts {
        HistoryCuts::new(&VoxelGrid::new([1; 3], spacing_mm).expect("a good grid"), chosen)
    }

    #[test]
    fn cuts_follow_the_smallest_edge() {
        let of = |mm| cuts([5.0, mm, 5.0], &ChosenCuts::default());
        // CSDA range in water, ICRU 37: 4.32e-4 g/cm² at 13.4 keV by log-log interpolation of 2.515e-4 (10) and
        // 8.566e-4 (20 keV).
        let clinical = of(4.8);
        assert!((0.013..0.0155).contains(&clinical.absorption_mev), "{clinical:?}");
        assert_eq!((clinical.collision_mev, clinical.photon_mev), (clinical.absorption_mev, MAX_PHOTON_MEV));
        // 0.0096 g/cm² is the range at 79 keV, the Compton edge of 187 keV.
        assert!((0.18..0.195).contains(&clinical.track_length_mev), "{clinical:?}");
        let fine = of(0.01);
        assert_eq!((fine.absorption_mev, fine.photon_mev), (MIN_ENERGY_MEV, MIN_ENERGY_MEV));
        assert!((0.015..0.04).contains(&fine.track_length_mev), "{fine:?}");
        let coarse = cuts([1000.0; 3], &ChosenCuts::default());
        assert_eq!((coarse.absorption_mev, coarse.collision_mev), (MAX_ABSORPTION_MEV, MAX_COLLISION_MEV));
        // 2 g/cm² is the range at 4.1 MeV.
        assert!((4.0..4.8).contains(&coarse.track_length_mev), "{coarse:?}");
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
            absorption_mev: Some(0.04),
            collision_mev: Some(0.03),
            photon_mev: Some(0.008),
            track_length_mev: Some(0.0),
        };
        let expected =
            HistoryCuts { absorption_mev: 0.04, collision_mev: 0.03, photon_mev: 0.008, track_length_mev: 0.0 };
        assert_eq!(cuts([3.0; 3], &chosen), expected);
        assert!(chosen.check().is_ok());
    }

    #[test]
    fn what_is_the_default_may_be_chosen() {
        for mm in [0.01, 0.03, 0.1, 0.3, 0.7, 1.0, 2.0, 4.0, 10.0, 100.0] {
            let own = cuts([mm; 3], &ChosenCuts::default());
            let chosen = ChosenCuts {
                photon_mev: Some(own.photon_mev),
                track_length_mev: Some(own.track_length_mev),
                ..ChosenCuts::default()
            };
            assert_eq!(cuts([mm; 3], &chosen), own, "{mm} mm");
        }
    }

    fn plan(edit: impl FnOnce(&mut MonteCarloOptions)) -> Result<TransportPlan, DoseError> {
        let grid = VoxelGrid::new([10, 10, 10], [4.0; 3]).expect("a good grid");
        let mut options = MonteCarloOptions::default();
        edit(&mut options);
        let source = crate::physics::nuclide::find("Lu-177").expect("a known nuclide").into();
        TransportPlan::new(&grid, &source, &options, 0)
    }

    #[test]
    fn histories_end_where_numbers_end() {
        let all = 32 * u64::from(u32::MAX);
        let by_default = plan(|_| {}).expect("a good plan");
        assert_eq!(by_default.histories, crate::domain::stop::DEFAULT_HISTORIES);
        assert_eq!(plan(|options| options.first_history = all - 100).expect("just fits").histories, 100);
        let timed = plan(|options| options.stop.time_limit_s = Some(1.0)).expect("a good plan");
        assert_eq!((timed.histories, timed.max_histories), (all, all));
        let last = plan(|options| (options.first_history, options.stop.histories) = (all - 100, Some(100)));
        assert_eq!(last.expect("just fits").histories, 100);
        let field = |result: Result<TransportPlan, DoseError>| match result {
            Err(DoseError::Invalid(faults)) => faults[0].clone(),
            other => panic!("not refused: {other:?}"),
        };
        let over = field(plan(|options| (options.first_history, options.stop.histories) = (all - 100, Some(101))));
        assert_eq!(over.field, "method.monte_carlo.histories");
        assert!(over.reason.contains("at most 100"), "{}", over.reason);
        let over = field(plan(|options| options.first_history = u64::MAX));
        assert_eq!(over.field, "method.monte_carlo.first_history");
    }

    #[test]
    fn a_tally_cannot_overflow() {
        // A thousand photons of 10 MeV per decay: 2^64 units hold 2.7e7 of these decays.
        let histories = max_histories(32, 1e4);
        assert!(histories as f64 * 1e4 * UNITS_PER_MEV <= 0.5 * 2f64.powi(64));
        assert!((1.3e7..1.4e7).contains(&(histories as f64)), "{histories}");
    }

    #[test]
    fn memory_is_that_of_the_tally_and_more() {
        let plain = plan(|_| {}).expect("a good plan");
        let with_file = plan(|options| options.extras.tally = true).expect("a good plan");
        let tally = 32 * 4 * 1000;
        assert!(plain.host_bytes(1000) > tally);
        assert_eq!(with_file.host_bytes(1000), plain.host_bytes(1000) + 32 * 5 * 1000 + 8 * 1000);
        assert_eq!(plain.host_bytes(usize::MAX), u64::MAX);
    }

    #[test]
    fn large_grids_take_little_more_than_their_sums() {
        let bytes = |edge: u64, histories| {
            let grid = VoxelGrid::new([edge; 3], [2.0; 3]).expect("a good grid");
            let mut options = MonteCarloOptions::default();
            options.stop.histories = histories;
            let source = crate::physics::nuclide::find("Lu-177").expect("a known nuclide").into();
            let plan = TransportPlan::new(&grid, &source, &options, 1).expect("a good plan");
            // With activity, density and dose.
            plan.host_bytes(grid.voxels()) as f64 + 12.0 * grid.voxels() as f64
        };
        let of_default = |edge| bytes(edge, None) / 1e9;
        assert!((1.6..1.7).contains(&of_default(256)), "{}", of_default(256));
        assert!((8.0..8.3).contains(&of_default(512)), "{}", of_default(512));
        // Every sum may be above 32 bits after so many, and 16 bits more are enough for all.
        let most = bytes(256, Some(1 << 33)) / of_default(256) / 1e9;
        assert!((1.2..1.4).contains(&most), "{most}");
    }
}
