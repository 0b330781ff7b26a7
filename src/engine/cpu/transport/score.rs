//! Where energy goes, in whole units: sums that do not depend on their order. Twin: `shaders/shared/score.wgsl`.

use crate::engine::transport::UNITS_PER_MEV;

/// Units in one MeV, in single precision: a power of two.
#[expect(clippy::cast_possible_truncation, reason = "a power of two")]
const UNITS: f32 = UNITS_PER_MEV as f32;

/// The tally of one statistical group.
#[derive(Debug)]
pub(crate) struct Score<'a> {
    /// Energy scored in each voxel.
    pub(crate) energy: &'a mut [u64],
    /// Energy emitted by decays.
    pub(crate) emitted: u64,
    /// Energy that particles left in the grid.
    pub(crate) deposited: u64,
    /// Energy that particles carried out of it.
    pub(crate) escaped: u64,
}

/// An energy [MeV] in units; rounded to the nearest.
#[inline]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and below 64 MeV")]
pub(crate) fn units(energy_mev: f32) -> u64 {
    u64::from((energy_mev * UNITS + 0.5) as u32)
}

impl Score<'_> {
    /// Energy that a decay emits.
    #[inline]
    pub(crate) fn emit(&mut self, energy_mev: f32) {
        self.emitted += units(energy_mev);
    }

    /// Energy that stays in a voxel and is scored there.
    #[inline]
    pub(crate) fn deposit(&mut self, voxel: usize, energy_mev: f32) {
        let units = units(energy_mev);
        self.energy[voxel] += units;
        self.deposited += units;
    }

    /// Energy that stays in the grid, and is scored by track length.
    #[inline]
    pub(crate) fn absorb(&mut self, energy_mev: f32) {
        self.deposited += units(energy_mev);
    }

    /// What a track through a voxel deposits there on average.
    #[inline]
    pub(crate) fn track(&mut self, voxel: usize, energy_mev: f32) {
        self.energy[voxel] += units(energy_mev);
    }

    /// Energy that leaves the grid.
    #[inline]
    pub(crate) fn escape(&mut self, energy_mev: f32) {
        self.escaped += units(energy_mev);
    }
}
