//! Energy by statistical group and voxel in fixed point: sums of integers do not depend on their order.

use std::ops::Range;

use super::energy_sums::EnergySums;

/// Units of the fixed point in one MeV; a unit is 0.015 eV.
pub const UNITS_PER_MEV: f64 = (1u64 << 26) as f64;

/// Energy of histories, by group. History `h` belongs to group `h mod K` of `K`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The groups, in order.
    pub groups: Vec<GroupTally>,
    unfinished: Option<Unfinished>,
}

/// A run that was cut short.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unfinished {
    histories: Range<u64>,
    /// The number of the first groups that have them.
    groups: usize,
    /// Whether the next group has a part of them.
    is_torn: bool,
}

/// Energy of the histories of one group, in units of `1 / UNITS_PER_MEV` MeV.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupTally {
    /// Number of histories.
    pub histories: u64,
    /// Energy emitted.
    pub emitted: u128,
    /// Energy deposited in the grid, from the account of every particle: `emitted = deposited + escaped` up to
    /// rounding.
    pub deposited: u128,
    /// Energy that left the grid.
    pub escaped: u128,
    /// Rejection loops that reached their bound and took their last draw: 0 unless something is wrong.
    pub exhausted_rejections: u64,
    /// Energy scored in each voxel, x fastest. The same as deposited for charged particles; for photons it may be an
    /// estimate along their track, so that the sum over voxels equals `deposited` only within statistics.
    pub energy: EnergySums,
}

impl Tally {
    /// A tally without histories.
    pub fn new(groups: u32, voxels: usize) -> Self {
        let empty = || GroupTally { energy: EnergySums::new(voxels), ..GroupTally::default() };
        Self::of((0..groups).map(|_| empty()).collect())
    }

    /// * `groups` – all of them, in order
    pub fn of(groups: Vec<GroupTally>) -> Self {
        Self { groups, unfinished: None }
    }

    /// The first group that does not have these histories yet: 0, unless their run was cut short.
    ///
    /// # Panics
    /// If the run of other histories was cut short, and has not been finished.
    pub fn first_without(&self, histories: &Range<u64>) -> usize {
        self.unfinished.as_ref().map_or(0, |unfinished| {
            let same = unfinished.histories == *histories && !unfinished.is_torn;
            assert!(same, "a run that was cut short is finished before another begins");
            unfinished.groups
        })
    }

    /// Whether every group has all histories of a run, or none. If not, the tally must not be used any more.
    pub fn is_intact(&self) -> bool {
        !self.unfinished.as_ref().is_some_and(|unfinished| unfinished.is_torn)
    }

    /// Adds some histories to the first group that does not have them yet. If the run is cut short after it, the next
    /// one goes on with the next group.
    ///
    /// * `histories` – the numbers of the histories of all groups
    /// * `add` – adds those of this group
    ///
    /// # Errors
    /// That of `add`; then the tally is not intact.
    ///
    /// # Panics
    /// As [`Self::first_without`].
    pub fn add_group<E>(
        &mut self,
        histories: &Range<u64>,
        add: impl FnOnce(&mut GroupTally) -> Result<(), E>,
    ) -> Result<(), E> {
        let groups = self.first_without(histories);
        let mut unfinished = Unfinished { histories: histories.clone(), groups, is_torn: true };
        self.unfinished = Some(unfinished.clone());
        add(&mut self.groups[groups])?;
        (unfinished.groups, unfinished.is_torn) = (groups + 1, false);
        self.unfinished = (unfinished.groups < self.groups.len()).then_some(unfinished);
        Ok(())
    }

    /// Adds the histories of another tally, which must be different ones.
    ///
    /// # Panics
    /// If the two differ in groups or voxels, or if a sum overflows. Callers check both before.
    pub fn add(&mut self, other: &Self) {
        assert_eq!(self.groups.len(), other.groups.len(), "tallies that are added have the same groups");
        for (group, other) in self.groups.iter_mut().zip(&other.groups) {
            group.add(other);
        }
    }

    /// Number of voxels.
    pub fn voxels(&self) -> usize {
        self.groups.first().map_or(0, |group| group.energy.len())
    }

    /// Histories of all groups.
    pub fn histories(&self) -> u64 {
        self.groups.iter().map(|group| group.histories).sum()
    }

    /// Rejection loops of all groups that reached their bound.
    pub fn exhausted_rejections(&self) -> u64 {
        self.groups.iter().map(|group| group.exhausted_rejections).sum()
    }

    /// Sum over all groups of one of their energies [MeV].
    pub fn sum_mev(&self, of: impl Fn(&GroupTally) -> u128) -> f64 {
        to_mev(self.groups.iter().map(of).sum())
    }
}

impl GroupTally {
    /// Adds the histories of another tally of the same group.
    ///
    /// # Panics
    /// As [`Tally::add`].
    pub fn add(&mut self, other: &Self) {
        self.add_book(other);
        self.energy.add_all(&other.energy);
    }

    /// The same without the energy of the voxels.
    ///
    /// # Panics
    /// As [`Tally::add`].
    pub fn add_book(&mut self, other: &Self) {
        const NO_OVERFLOW: &str = "the number of histories is bounded so that no tally overflows";
        self.histories = self.histories.checked_add(other.histories).expect(NO_OVERFLOW);
        self.emitted = self.emitted.checked_add(other.emitted).expect(NO_OVERFLOW);
        self.deposited = self.deposited.checked_add(other.deposited).expect(NO_OVERFLOW);
        self.escaped = self.escaped.checked_add(other.escaped).expect(NO_OVERFLOW);
        self.exhausted_rejections =
            self.exhausted_rejections.checked_add(other.exhausted_rejections).expect(NO_OVERFLOW);
    }

    /// Energy scored in all voxels, in units.
    pub fn scored(&self) -> u128 {
        self.energy.iter().map(u128::from).sum()
    }
}

/// Energy of a number of units [MeV].
pub fn to_mev(units: u128) -> f64 {
    units as f64 / UNITS_PER_MEV
}

/// Number of statistical groups: a power of two that depends only on the number of voxels, so that all runs of one map
/// can be merged.
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

    fn tally(values: [u64; 2]) -> Tally {
        let group = |value: u64| GroupTally {
            histories: value,
            emitted: 4 * u128::from(value),
            deposited: 3 * u128::from(value),
            escaped: u128::from(value),
            exhausted_rejections: 2 * value,
            energy: [value, 2 * value].into(),
        };
        Tally::of(values.map(group).to_vec())
    }

    #[test]
    fn adding_is_exact_in_any_order() {
        let parts = [tally([1 << 60, 3]), tally([5, 7]), tally([11, 1 << 59])];
        let mut forward = Tally::new(2, 2);
        parts.iter().for_each(|part| forward.add(part));
        let mut backward = Tally::new(2, 2);
        parts.iter().rev().for_each(|part| backward.add(part));
        assert_eq!(forward, backward);
        assert_eq!(forward, tally([(1 << 60) + 16, (1 << 59) + 10]));
        assert_eq!((forward.voxels(), forward.histories()), (2, (1 << 60) + (1 << 59) + 26));
    }

    #[test]
    fn a_run_that_was_cut_short_goes_on_with_the_next_group() {
        let (before, added) = (tally([1, 2]), tally([30, 40]));
        let (mut whole, mut parts) = (before.clone(), before);
        whole.add(&added);
        assert_eq!(parts.first_without(&(0..70)), 0);
        let add = |parts: &mut Tally, group: usize| {
            parts.add_group(&(0..70), |tally| {
                tally.add(&added.groups[group]);
                Ok::<(), ()>(())
            })
        };
        add(&mut parts, 0).expect("nothing fails");
        assert_eq!((parts.first_without(&(0..70)), &parts.groups[0]), (1, &whole.groups[0]));
        assert!(parts != whole && parts.is_intact());
        let mut torn = parts.clone();
        assert!(torn.add_group(&(0..70), |_| Err(())).is_err() && !torn.is_intact());
        add(&mut parts, 1).expect("nothing fails");
        assert_eq!((parts.first_without(&(70..90)), parts), (0, whole));
    }

    #[test]
    #[should_panic(expected = "finished before another begins")]
    fn a_run_that_was_cut_short_must_be_finished() {
        let mut parts = tally([1, 2]);
        parts.add_group(&(0..70), |_| Ok::<(), ()>(())).expect("nothing fails");
        parts.first_without(&(70..90));
    }

    #[test]
    fn sums_are_in_mev() {
        let tally = tally([1 << 26, 1 << 25]);
        assert_eq!((tally.sum_mev(|g| g.emitted), tally.sum_mev(GroupTally::scored)), (6.0, 4.5));
        assert_eq!((Tally::new(0, 5).voxels(), Tally::new(4, 5).sum_mev(GroupTally::scored)), (0, 0.0));
    }

    #[test]
    #[should_panic(expected = "the same voxels")]
    fn tallies_of_other_grids_are_not_added() {
        Tally::new(2, 2).add(&Tally::new(2, 3));
    }

    #[test]
    fn groups_follow_the_number_of_voxels() {
        assert_eq!([1, 1 << 20, (1 << 20) + 1, 1 << 24, (1 << 24) + 1].map(groups), [32, 32, 16, 16, 8]);
    }
}
