//! Which job goes next: two lanes; in a lane the tenant that had least, within a tenant priority and age.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::record::JobRecord;
use super::state::State;
use crate::jobs::JobState;

/// The part of the device's time that large jobs keep while small ones wait.
const LARGE_SHARE: f64 = 0.25;
/// Time after which what was long ago counts half [s].
const MEMORY_S: f64 = 60.0;

/// Which lane a job stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Small jobs.
    Small,
    /// Large jobs.
    Large,
}

impl Lane {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Small, Self::Large];

    /// The lane of a job.
    pub fn of(job: &JobRecord) -> Self {
        if job.is_small { Self::Small } else { Self::Large }
    }

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Large => "large",
        }
    }
}

/// Who had how much of the device.
#[derive(Debug, Default)]
pub(super) struct Shares {
    /// Time on the device, by lane and tenant [s].
    served: BTreeMap<(Lane, Arc<str>), f64>,
    /// Tenants that had unfinished jobs in a lane when it was last looked at.
    active: BTreeSet<(Lane, Arc<str>)>,
    /// Time of each lane while the other wanted the device too [s].
    lanes: [f64; 2],
}

impl Shares {
    /// Notes that a job had the device.
    pub(super) fn note(&mut self, lane: Lane, tenant: &Arc<str>, seconds: f64) {
        *self.served.entry((lane, tenant.clone())).or_default() += seconds;
        self.lanes[lane as usize] += seconds;
        if self.lanes.iter().sum::<f64>() > MEMORY_S {
            self.lanes.iter_mut().for_each(|seconds| *seconds /= 2.0);
        }
    }

    /// The job that goes next, with its tenant.
    ///
    /// * `can_begin` – whether a job may begin: its lane is free, and what computes has room for it
    pub(super) fn next(
        &mut self,
        state: &State,
        can_begin: impl Fn(&JobRecord) -> bool,
    ) -> Option<(Arc<str>, Arc<JobRecord>)> {
        self.let_in(state);
        let [small, large] = Lane::ALL.map(|lane| self.first(state, lane, &can_begin));
        let all: f64 = self.lanes.iter().sum();
        let large_lacks = self.lanes[Lane::Large as usize] < LARGE_SHARE * all;
        match (small, large) {
            (Some(_), Some(large)) if large_lacks => Some(large),
            (Some(small), _) => Some(small),
            (None, large) => large,
        }
    }

    /// Tenants that come back start level with the least of the others.
    fn let_in(&mut self, state: &State) {
        let unfinished = state.unfinished().map(|(tenant, job)| (Lane::of(job), tenant.clone()));
        let now: BTreeSet<(Lane, Arc<str>)> = unfinished.collect();
        for (lane, tenant) in now.difference(&self.active) {
            let others = self.active.iter().filter(|other| other.0 == *lane && now.contains(*other));
            let least = others.map(|other| self.served.get(other).copied().unwrap_or(0.0)).reduce(f64::min);
            let served = self.served.entry((*lane, tenant.clone())).or_default();
            *served = served.max(least.unwrap_or(0.0));
        }
        self.active = now;
    }

    /// The first job that waits in a lane and can begin.
    fn first(
        &self,
        state: &State,
        lane: Lane,
        can_begin: &impl Fn(&JobRecord) -> bool,
    ) -> Option<(Arc<str>, Arc<JobRecord>)> {
        let waits = |(_, job): &(&Arc<str>, &Arc<JobRecord>)| {
            job.state() == JobState::Queued && Lane::of(job) == lane && can_begin(job)
        };
        let served = |tenant: &Arc<str>| self.served.get(&(lane, tenant.clone())).copied().unwrap_or(0.0);
        let rank = |job: &JobRecord| (Reverse(job.is_first), Reverse(job.priority), job.id);
        let first = state.unfinished().filter(waits).min_by(|(tenant, job), (other, than)| {
            let (a, b) = (rank(job), rank(than));
            let by_tenant = || served(tenant).total_cmp(&served(other)).then_with(|| tenant.cmp(other));
            a.0.cmp(&b.0).then_with(by_tenant).then_with(|| a.cmp(&b))
        });
        first.map(|(tenant, job)| (tenant.clone(), job.clone()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use uuid::Uuid;

    use super::super::change::{Change, What};
    use super::super::record::Estimate;
    use super::*;
    use crate::jobs::{JobEvent, Life, Priority};

    fn job(number: u128, priority: Priority, is_small: bool) -> JobRecord {
        JobRecord {
            id: Uuid::from_u128(number),
            request_id: Uuid::nil(),
            identity: String::new(),
            nuclide: String::new(),
            method: String::new(),
            life: Life::new(SystemTime::UNIX_EPOCH),
            priority,
            estimate: Estimate::default(),
            is_small,
            inputs: Vec::new(),
            results: Vec::new(),
            deleted_results: Vec::new(),
            unproven: 0,
            is_first: false,
            checkpoint: 0,
            device_s: 0.0,
            device: None,
            error: None,
            expires: None,
            trace: None,
        }
    }

    fn put(state: &mut State, tenant: &str, job: JobRecord) {
        let tenant = state.shared_name(tenant);
        state.apply(&Change::new(&tenant, What::Job(Arc::new(job))));
    }

    /// Takes all jobs in turn, each of which has the device for a second.
    fn order(state: &mut State, shares: &mut Shares) -> Vec<u128> {
        let mut taken = Vec::new();
        while let Some((tenant, next)) = shares.next(state, |_| true) {
            let mut ended = (*next).clone();
            ended.life.step(JobEvent::Cancel, SystemTime::UNIX_EPOCH).expect("it waits");
            shares.note(Lane::of(&next), &tenant, 1.0);
            taken.push(next.id.as_u128());
            put(state, &tenant, ended);
        }
        taken
    }

    #[test]
    fn priority_then_age_within_a_tenant_and_turns_between_tenants() {
        let (mut state, mut shares) = (State::default(), Shares::default());
        for (number, priority) in
            [(1, Priority::Low), (2, Priority::Normal), (3, Priority::Normal), (4, Priority::High)]
        {
            put(&mut state, "a", job(number, priority, true));
        }
        put(&mut state, "b", job(5, Priority::Low, true));
        put(&mut state, "b", job(6, Priority::Low, true));
        assert_eq!(order(&mut state, &mut shares), [4, 5, 2, 6, 3, 1]);
        // Who comes back does not make up for the time away.
        put(&mut state, "a", job(7, Priority::Normal, true));
        put(&mut state, "a", job(8, Priority::Normal, true));
        assert_eq!(order(&mut state, &mut shares), [7, 8]);
        for number in [9, 10, 11] {
            put(&mut state, "a", job(number, Priority::Normal, true));
        }
        shares.next(&state, |_| true).expect("a waits");
        for number in [12, 13, 14] {
            put(&mut state, "b", job(number, Priority::Normal, true));
        }
        assert_eq!(order(&mut state, &mut shares), [9, 12, 10, 13, 11, 14]);
    }

    #[test]
    fn one_that_was_put_back_goes_first_and_large_jobs_keep_their_quarter() {
        let (mut state, mut shares) = (State::default(), Shares::default());
        put(&mut state, "a", job(1, Priority::High, true));
        put(&mut state, "b", JobRecord { is_first: true, ..job(2, Priority::Low, true) });
        assert_eq!(order(&mut state, &mut shares), [2, 1]);
        for number in 0..32 {
            put(&mut state, "a", job(100 + number, Priority::Normal, number % 2 == 0));
        }
        let taken = order(&mut state, &mut shares);
        let large = taken.iter().take(16).filter(|number| *number % 2 == 1).count();
        assert!((3..=5).contains(&large), "{large} of the first 16 were large: {taken:?}");
        put(&mut state, "a", job(200, Priority::Normal, true));
        assert!(shares.next(&state, |job| Lane::of(job) == Lane::Large).is_none());
    }

    #[test]
    fn one_that_nothing_has_room_for_keeps_no_others_waiting() {
        let (mut state, mut shares) = (State::default(), Shares::default());
        for (number, is_small) in [(1, true), (2, true), (3, false), (4, false)] {
            let memory_bytes = if number % 2 == 1 { 1000 } else { 10 };
            let estimate = Estimate { memory_bytes, ..Estimate::default() };
            put(&mut state, "a", JobRecord { estimate, ..job(number, Priority::Normal, is_small) });
        }
        let mut taken = Vec::new();
        while let Some((tenant, next)) = shares.next(&state, |job| job.estimate.memory_bytes <= 100) {
            let mut ended = (*next).clone();
            ended.life.step(JobEvent::Cancel, SystemTime::UNIX_EPOCH).expect("it waits");
            taken.push(next.id.as_u128());
            put(&mut state, &tenant, ended);
        }
        assert_eq!(taken, [2, 4]);
    }
}
