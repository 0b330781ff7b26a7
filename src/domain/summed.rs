//! What the groups of a tally say together: the energy of each voxel and how far the groups are apart. All of it
//! follows from whole numbers, so that it is the same wherever it is computed.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::tally::{GroupTally, Tally};

/// The energy of histories, summed up over the groups of a tally.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summed {
    /// Histories of each group.
    pub histories: Vec<u64>,
    /// Energy scored in each voxel by all groups [units], x fastest.
    pub energy: Vec<u64>,
    /// For each number of histories that groups have, that number and, for each voxel, a sum over these groups: of the
    /// squares of the differences between their energy and what they would have if all histories had scored the same
    /// whole number of units, rounded down ([`truncated`]).
    pub squares: Vec<(u64, Vec<f32>)>,
    /// Energy scored by each group in all voxels [units].
    pub scored: Vec<u128>,
    /// What each group scored in each region, by label.
    pub regions: BTreeMap<u16, RegionSums>,
}

/// What each group scored in one region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegionSums {
    /// Energy [units].
    pub energy: Vec<u128>,
    /// Energy of each voxel times its weight.
    pub weighted: Vec<u128>,
}

/// Which voxels are summed up by region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regions {
    /// The labels of the regions.
    pub labels: Vec<u16>,
    /// For each voxel the place of its label among them, counted from 1; 0 outside of all regions.
    pub of_voxel: Vec<u32>,
    /// For each voxel by what its energy is multiplied, at most [`FULL_WEIGHT`].
    pub weights: Vec<u32>,
}

/// The weight of the voxels whose dose is the highest for an energy.
pub const FULL_WEIGHT: u32 = 1 << 31;

impl Regions {
    /// What each group of a tally scored in each region.
    pub fn of(&self, tally: &Tally) -> BTreeMap<u16, RegionSums> {
        let of_group = |group: &GroupTally| {
            let mut sums = vec![[0u128; 2]; self.labels.len() + 1];
            for (voxel, &number) in self.of_voxel.iter().enumerate().filter(|(_, number)| **number != 0) {
                let units = u128::from(group.energy.get(voxel));
                let [energy, weighted] = &mut sums[number as usize];
                *energy += units;
                *weighted += units * u128::from(self.weights[voxel]);
            }
            sums
        };
        let groups: Vec<Vec<[u128; 2]>> = tally.groups.par_iter().map(of_group).collect();
        let of_region = |number: usize| RegionSums {
            energy: groups.iter().map(|sums| sums[number][0]).collect(),
            weighted: groups.iter().map(|sums| sums[number][1]).collect(),
        };
        self.labels.iter().zip(1..).map(|(label, number)| (*label, of_region(number))).collect()
    }
}

/// The largest number of single precision that is not above a whole number. A device finds it without rounding.
pub fn truncated(number: u128) -> f32 {
    let bits = u128::BITS - number.leading_zeros();
    let dropped = bits.saturating_sub(f32::MANTISSA_DIGITS);
    (number >> dropped << dropped) as f32
}

#[cfg(test)]
impl Summed {
    /// What a device must make of a tally.
    pub fn of(tally: &Tally, regions: &Regions) -> Self {
        let histories: Vec<u64> = tally.groups.iter().map(|group| group.histories).collect();
        let all: u64 = histories.iter().sum();
        let of_voxel = |voxel| tally.groups.iter().map(|group| group.energy.get(voxel)).sum();
        let energy: Vec<u64> = (0..tally.voxels()).map(of_voxel).collect();
        let squares = |count: u64| {
            let of_voxel = |(voxel, energy): (usize, &u64)| {
                let due = u128::from(energy / all) * u128::from(count);
                let groups = tally.groups.iter().filter(|group| group.histories == count);
                let distances = groups.map(|group| u128::from(group.energy.get(voxel)).abs_diff(due));
                truncated(distances.map(|distance| distance * distance).sum())
            };
            (count, energy.iter().enumerate().map(of_voxel).collect())
        };
        let counts: std::collections::BTreeSet<u64> = histories.iter().copied().filter(|count| *count > 0).collect();
        let scored = tally.groups.iter().map(GroupTally::scored).collect();
        Self {
            squares: counts.into_iter().map(squares).collect(),
            histories,
            energy,
            scored,
            regions: regions.of(tally),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_truncated_to_what_single_precision_holds() {
        for (number, expected) in [
            (0, 0.0),
            (1, 1.0),
            ((1 << 24) - 1, 16_777_215.0),
            ((1 << 25) - 1, 33_554_430.0),
            ((1 << 100) + 1, 2f32.powi(100)),
            (u128::MAX, f32::MAX),
        ] {
            assert_eq!(truncated(number).to_bits(), f32::to_bits(expected), "{number}");
        }
    }
}
