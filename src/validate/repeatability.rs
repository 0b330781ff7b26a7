//! The same histories give the same bytes, however they are run.

use std::ops::Range;

use super::Check;
use super::findings::{Findings, Row};
use super::layered;
use super::phantom::Phantom;
use super::rig::Rig;
use crate::domain::DoseError;
use crate::domain::Tally;
use crate::physics::nuclide;

pub(super) const CHECK: Check = Check {
    name: "repeatability",
    title: "The same seed, the same bytes",
    meaning: "Histories are numbered, and each has its own random numbers. Run twice, on one thread, in ranges and \
        in another order, they must give the same tally to the last bit. Another seed must give another tally.",
    tolerance: "None: energy is added up in whole numbers.",
    measure,
};

/// Number of histories: few, because the last bit of each counts.
const HISTORIES: u64 = 40_000;

fn measure(rig: &mut Rig) -> Result<Findings, DoseError> {
    let spectrum = nuclide::emissions(nuclide::find("I-131").expect("a known nuclide")).clone();
    let phantom = layered::phantom(spectrum);
    let n = rig.histories(HISTORIES).min(HISTORIES);
    let all = 0..n;
    let whole = std::slice::from_ref(&all);
    let first = run(rig, &phantom, whole)?;
    let again = run(rig, &phantom, whole)?;
    let split = run(rig, &phantom, &[n / 3..n, 0..7, 7..n / 3])?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|error| DoseError::Internal(format!("a thread cannot be started: {error}")))?;
    let one_thread = pool.install(|| run(rig, &phantom, whole))?;
    let other = run(rig, &Phantom { seed: phantom.seed + 1, ..phantom.clone() }, whole)?;
    Ok(compare(&first, &[("run again", again), ("run in ranges", split), ("run on one thread", one_thread)], &other))
}

/// Runs ranges of histories separately and adds their tallies.
fn run(rig: &mut Rig, phantom: &Phantom, ranges: &[Range<u64>]) -> Result<Tally, DoseError> {
    let scene = phantom.scene();
    let mut sum = Tally::new(phantom.groups, phantom.grid.voxels());
    for range in ranges {
        let mut tally = Tally::new(phantom.groups, phantom.grid.voxels());
        rig.device.transport(&scene, range.clone(), &mut tally, rig.control)?;
        sum.add(&tally);
    }
    Ok(sum)
}

fn compare(first: &Tally, same: &[(&str, Tally)], other_seed: &Tally) -> Findings {
    let same = same.iter().map(|(how, tally)| {
        Row::none_of(
            format!("figures of {} histories that differ when {how}", first.histories()),
            differences(first, tally),
        )
    });
    let reached = first.groups.iter().flat_map(|group| group.energy.iter()).filter(|&energy| energy > 0).count();
    let equal = reached.saturating_sub(differences(first, other_seed));
    let lucky = Row {
        tolerance: 0.01 * reached as f64,
        ..Row::none_of(format!("of {reached} figures, those equal with another seed"), equal)
    };
    Findings { rows: same.chain([lucky]).collect(), figures: vec![] }
}

/// The count of numbers that differ between two tallies.
fn differences(a: &Tally, b: &Tally) -> usize {
    if (a.groups.len(), a.voxels()) != (b.groups.len(), b.voxels()) {
        return usize::MAX;
    }
    let groups = a.groups.iter().zip(&b.groups).map(|(a, b)| {
        let book =
            [a.histories != b.histories, a.emitted != b.emitted, a.deposited != b.deposited, a.escaped != b.escaped];
        let voxels = a.energy.iter().zip(b.energy.iter()).filter(|(a, b)| a != b).count();
        voxels + book.into_iter().filter(|differs| *differs).count()
    });
    groups.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(seed: u64) -> Tally {
        let mut tally = Tally::new(4, 100);
        for (number, group) in (0u64..).zip(&mut tally.groups) {
            (group.histories, group.emitted) = (10, 7);
            group.energy = (0..100).map(|voxel| 1 + (voxel * 31 + number * 7 + seed * 13) % 1009).collect();
        }
        tally
    }

    #[test]
    fn one_bit_anywhere_fails_and_so_does_a_seed_without_effect() {
        let first = tally(0);
        assert!(compare(&first, &[("again", tally(0))], &tally(1)).passes());
        assert!(!compare(&first, &[("again", tally(0))], &tally(0)).passes());
        let (mut energy, mut book) = (tally(0), tally(0));
        energy.groups[3].energy.add(99, 1);
        book.groups[1].escaped += 1;
        for wrong in [energy, book, Tally::new(2, 2)] {
            assert!(!compare(&first, &[("again", wrong)], &tally(1)).passes());
        }
    }
}
