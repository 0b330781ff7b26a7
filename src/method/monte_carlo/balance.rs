//! Checks that a tally is possible: failed devices often read back as zeros.

use std::ops::Range;

use super::statistics::Statistics;
use crate::constants::ELECTRON_REST_ENERGY_MEV;
use crate::domain::tally::to_mev;
use crate::domain::{DoseError, EmissionAccount};
use crate::domain::{GroupTally, Tally};
use crate::prepare::transport::emissions::{MAX_WEIGHT, MOST_WEIGHTED_MEV};

/// Largest difference between the energy emitted and the energy found, relative to the energy emitted. Rounding of
/// deposits gives 1e-7.
const BALANCE_TOLERANCE: f64 = 1e-5;
/// Largest relative difference between the mean energy of a spectrum and of the samples from it, due to rounding and
/// tables in single precision.
const EMISSION_TOLERANCE: f64 = 1e-3;
/// If this many events are expected, the probability that none occurs is below 1e-9, so a difference of their energy is
/// not a failure.
const RARE_EVENTS: f64 = 21.0;

/// What histories must give in any scene.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// Mean energy released by followed particles [MeV per history].
    released_mev: f64,
    /// Lower bound of the mean number of particles followed per history.
    events: f64,
    /// Largest energy of one event [MeV].
    event_mev: f64,
}

impl Expected {
    pub(super) fn new(emissions: &EmissionAccount) -> Self {
        // An annihilation also releases the rest energy of two electrons; a photon of at most 2 MeV may represent
        // several.
        let one_mev = emissions.highest_mev + 2.0 * ELECTRON_REST_ENERGY_MEV;
        let event_mev = one_mev.max(f64::from(MAX_WEIGHT) * emissions.highest_mev.min(MOST_WEIGHTED_MEV));
        let released_mev = emissions.released_mev - emissions.local_mev;
        Self { released_mev, events: emissions.particles / f64::from(MAX_WEIGHT), event_mev }
    }
}

/// Checks the energy account; cheap enough for every batch.
///
/// * `numbers` – histories in the tally
///
/// # Errors
/// [`DoseError::NotPhysical`] if histories are missing; [`DoseError::EnergyBalance`] if energy is.
pub(super) fn check_book(tally: &Tally, numbers: &[Range<u64>], expected: &Expected) -> Result<(), DoseError> {
    let groups = tally.groups.len() as u64;
    for (number, group) in tally.groups.iter().enumerate() {
        let due: u64 = numbers.iter().map(|range| members(range, number as u64, groups)).sum();
        if group.histories != due {
            let found = group.histories;
            return Err(DoseError::NotPhysical(format!("group {number} has {found} of its {due} histories")));
        }
        let found = group.deposited.saturating_add(group.escaped);
        if group.emitted.abs_diff(found) as f64 > BALANCE_TOLERANCE * group.emitted as f64 + group.histories as f64 {
            return Err(DoseError::EnergyBalance { expected_mev: to_mev(group.emitted), found_mev: to_mev(found) });
        }
    }
    check_emitted(tally, expected)
}

/// # Errors
/// [`DoseError::EnergyBalance`] if the energy emitted is not that of the source; the probability of a false alarm is
/// below 1e-8.
fn check_emitted(tally: &Tally, expected: &Expected) -> Result<(), DoseError> {
    let histories = tally.histories() as f64;
    let emitted = Statistics::new(tally).estimate(|group| to_mev(tally.groups[group].emitted));
    let due = expected.released_mev;
    let rare = RARE_EVENTS * expected.event_mev / histories.max(1.0);
    let allowed = EMISSION_TOLERANCE * due + quantile(tally.groups.len()) * emitted.sigma + rare;
    let none = emitted.mean == 0.0 && due > 0.0 && expected.events * histories > RARE_EVENTS;
    if !none && (emitted.mean - due).abs() <= allowed || histories == 0.0 {
        Ok(())
    } else {
        Err(DoseError::EnergyBalance { expected_mev: due * histories, found_mev: emitted.mean * histories })
    }
}

/// Checks the energy scored in voxels against the energy deposited.
///
/// # Errors
/// [`DoseError::EnergyBalance`] if they differ by more than statistics explain; the probability of a false alarm is
/// below 1e-8.
///
/// * `scored` – energy in voxels, by group [units]
pub(super) fn check_scored(tally: &Tally, scored: &[u128], expected: &Expected) -> Result<(), DoseError> {
    let scored: Vec<f64> = scored.iter().copied().map(to_mev).collect();
    let deposited = |group: usize| to_mev(tally.groups[group].deposited);
    let difference = Statistics::new(tally).estimate(|group| scored[group] - deposited(group));
    let histories = tally.histories() as f64;
    let (found_mev, expected_mev) = (scored.iter().sum::<f64>(), tally.sum_mev(|group: &GroupTally| group.deposited));
    let rare_mev = RARE_EVENTS * expected.event_mev;
    let allowed_mev = histories * quantile(tally.groups.len()) * difference.sigma + rare_mev;
    let nothing = found_mev == 0.0 && expected_mev > 0.0;
    if !nothing && (found_mev - expected_mev).abs() <= allowed_mev {
        Ok(())
    } else {
        Err(DoseError::EnergyBalance { expected_mev, found_mev })
    }
}

/// Histories of a range that belong to a group.
fn members(range: &Range<u64>, group: u64, groups: u64) -> u64 {
    let below = |end: u64| (end + groups - 1 - group) / groups;
    below(range.end) - below(range.start)
}

/// The number of standard deviations, estimated from this many groups, that a mean exceeds once in 10⁹: Student's t,
/// two-sided.
fn quantile(groups: usize) -> f64 {
    match groups {
        0..16 => 42.8,
        16..32 => 13.4,
        _ => 8.7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEV: u64 = 1 << 26;

    fn expected() -> Expected {
        Expected { released_mev: 0.5, events: 1.0, event_mev: 1.5 }
    }

    fn scored(tally: &Tally) -> Vec<u128> {
        tally.groups.iter().map(GroupTally::scored).collect()
    }

    /// 3200 histories from number 5 on, 0.5 MeV each, of which 0.1 escape.
    fn good() -> Tally {
        let mut tally = Tally::new(32, 2);
        for group in &mut tally.groups {
            group.histories = 100;
            group.emitted = 50 * u128::from(MEV);
            group.deposited = 40 * u128::from(MEV);
            group.escaped = 10 * u128::from(MEV);
            group.energy = [25 * MEV, 15 * MEV].into();
        }
        tally
    }

    fn check(edit: impl Fn(usize, &mut GroupTally)) -> Result<(), DoseError> {
        let mut tally = good();
        tally.groups.iter_mut().enumerate().for_each(|(number, group)| edit(number, group));
        let range = 5..3205;
        check_book(&tally, std::slice::from_ref(&range), &expected())
            .and_then(|()| check_scored(&tally, &scored(&tally), &expected()))
    }

    fn unbalanced(result: Result<(), DoseError>) -> bool {
        matches!(result, Err(DoseError::EnergyBalance { .. }))
    }

    #[test]
    fn a_good_tally_passes_and_so_does_an_empty_one() {
        assert_eq!(check(|_, _| {}), Ok(()));
        let empty = Tally::new(32, 2);
        assert_eq!(
            check_book(&empty, &[], &expected()).and_then(|()| check_scored(&empty, &scored(&empty), &expected())),
            Ok(())
        );
    }

    #[test]
    fn energy_that_is_lost_is_found() {
        assert!(unbalanced(check(|number, group| group.escaped -= if number == 7 { u128::from(MEV) } else { 0 })));
        assert!(unbalanced(check(|_, group| group.deposited += u128::from(MEV / 100))));
        assert_eq!(check(|_, group| group.deposited += 50), Ok(()), "rounding");
    }

    #[test]
    fn a_device_that_reads_back_zeros_is_found() {
        // Everything but the number of histories, which the host may count itself; or only the voxels.
        assert!(unbalanced(check(|_, group| {
            let histories = group.histories;
            *group = GroupTally { histories, energy: [0; 2].into(), ..GroupTally::default() };
        })));
        assert!(unbalanced(check(|_, group| group.energy = [0; 2].into())));
        assert!(unbalanced(check(|_, group| group.energy = [25 * MEV, 0].into())));
        assert!(matches!(check(|_, group| group.histories = 0), Err(DoseError::NotPhysical(_))));
    }

    #[test]
    fn half_of_the_particles_missing_is_found() {
        assert!(unbalanced(check(|_, group| {
            (group.emitted, group.deposited, group.escaped) =
                (group.emitted / 2, group.deposited / 2, group.escaped / 2);
        })));
    }

    #[test]
    fn scores_along_tracks_may_differ_within_statistics() {
        let shifted = |number: usize, group: &mut GroupTally| {
            group.energy = [if number.is_multiple_of(2) { 35 * MEV } else { 15 * MEV }, 15 * MEV].into();
        };
        assert_eq!(check(shifted), Ok(()));
        assert!(unbalanced(check(|_, group| group.energy.add_sum(0, 10 * MEV))));
    }

    #[test]
    fn members_of_a_group_are_counted() {
        for range in [0..0, 0..1, 3..17, 5..3205] {
            for group in 0..4 {
                let counted = range.clone().filter(|history| history % 4 == group).count() as u64;
                assert_eq!(members(&range, group, 4), counted, "{range:?} {group}");
            }
        }
    }
}
