//! Where energy goes, in whole units: sums of whole numbers do not depend on their order.
//! Twin, by whole histories: `shaders/shared/score.wgsl`.

use super::geometry::Position;
use crate::domain::{EnergySums, UNITS_PER_MEV};

/// Units in one MeV, in single precision: a power of two.
#[expect(clippy::cast_possible_truncation, reason = "a power of two")]
const UNITS: f32 = UNITS_PER_MEV as f32;

/// Where histories leave their energy.
///
/// Energy that stays is reported twice: by voxel (`deposit`), in one sum for a whole flight, and at the place where it
/// stays (`spread`, `leave`). A sink uses one of the two and ignores the other, which then costs nothing.
pub(crate) trait Sink {
    /// Whether a particle that cannot leave its voxel may be absorbed where it is.
    const BY_VOXEL: bool;

    /// Energy that a decay emits.
    fn score_emission(&mut self, energy_mev: f32);
    /// Energy that stays in a voxel and is scored there.
    fn deposit(&mut self, voxel: usize, energy_mev: f32);
    /// Energy that stays in the grid, and is scored by track length.
    fn absorb(&mut self, energy_mev: f32);
    /// What a track through a voxel deposits there on average.
    fn score_track(&mut self, voxel: usize, energy_mev: f32);
    /// Energy that leaves the grid.
    fn escape(&mut self, energy_mev: f32);
    /// Energy that stays evenly along a straight flight within a voxel.
    fn spread(&mut self, from: &Position, distance_cm: f32, energy_mev: f32);
    /// Energy that stays in one place.
    fn leave(&mut self, at: &Position, energy_mev: f32);
    /// Rejection loops of a particle that reached their bound.
    fn count_exhausted(&mut self, loops: u32);
    /// A photon interacts: its energy, for sinks that ask what another medium would absorb there.
    #[inline]
    fn collide(&mut self, _at: &Position, _weight: f32, _energy_mev: f32) {}
}

/// The tally of one statistical group.
#[derive(Debug)]
pub(crate) struct Score<'a> {
    /// Energy scored in each voxel.
    pub(crate) energy: &'a mut EnergySums,
    /// Energy emitted by decays.
    pub(crate) emitted: u64,
    /// Energy that particles left in the grid.
    pub(crate) deposited: u64,
    /// Energy that particles carried out of it.
    pub(crate) escaped: u64,
    /// Rejection loops that reached their bound.
    pub(crate) exhausted: u64,
}

/// An energy [MeV] in units, rounded to the nearest.
#[inline]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and below 64 MeV")]
pub(crate) fn units(energy_mev: f32) -> u32 {
    (energy_mev * UNITS + 0.5) as u32
}

impl Sink for Score<'_> {
    const BY_VOXEL: bool = true;

    #[inline]
    fn score_emission(&mut self, energy_mev: f32) {
        self.emitted += u64::from(units(energy_mev));
    }

    #[inline]
    fn deposit(&mut self, voxel: usize, energy_mev: f32) {
        let units = units(energy_mev);
        self.energy.add(voxel, units);
        self.deposited += u64::from(units);
    }

    #[inline]
    fn absorb(&mut self, energy_mev: f32) {
        self.deposited += u64::from(units(energy_mev));
    }

    #[inline]
    fn score_track(&mut self, voxel: usize, energy_mev: f32) {
        self.energy.add(voxel, units(energy_mev));
    }

    #[inline]
    fn escape(&mut self, energy_mev: f32) {
        self.escaped += u64::from(units(energy_mev));
    }

    #[inline]
    fn spread(&mut self, _: &Position, _: f32, _: f32) {}

    #[inline]
    fn leave(&mut self, _: &Position, _: f32) {}

    #[inline]
    fn count_exhausted(&mut self, loops: u32) {
        self.exhausted += u64::from(loops);
    }
}
