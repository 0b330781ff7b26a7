//! What each queue has to hold, whatever its interface: the one in memory, the ledger of a store, and that ledger
//! behind a broker. An implementation of [`Queue`] says how a test acts on it; [`every_queue`] lists the checks.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};

use crate::jobs::{JobEvent, JobState, Priority};

/// How a test acts on a queue.
pub(crate) trait Queue {
    /// Submits a job. Its name; none if the queue is full.
    fn submit(&mut self, owner: &str, priority: Priority) -> Option<String>;
    /// Takes the job that goes next; none if none waits.
    fn take(&mut self) -> Option<Taken>;
    /// Ends a job that was taken. False if it went on without it.
    fn finish(&mut self, taken: &Taken, end: End) -> bool;
    /// Loses what computes a job that was taken. False if the job went on without it.
    fn lose(&mut self, taken: &Taken) -> bool;
    /// Cancels a job of an owner. None if there is none.
    fn cancel(&mut self, owner: &str, job: &str) -> Option<Seen>;
    /// A job of an owner as it is.
    fn see(&mut self, owner: &str, job: &str) -> Option<Seen>;
    /// The names of an owner's jobs in some states, or in all.
    fn list(&mut self, owner: &str, states: &[JobState]) -> Vec<String>;
}

/// A job in the hands of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) job: String,
    pub(crate) attempt: u32,
}

/// How a job ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Succeed,
    /// For the reason `INVALID_REQUEST`.
    Fail,
}

/// What callers see of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) state: JobState,
    pub(crate) attempts: u32,
    pub(crate) revision: u64,
    pub(crate) reason: Option<String>,
}

/// One test for each check, on the queue that `$open` opens for [`LENGTH`] waiting jobs; with attributes in brackets
/// before it.
macro_rules! every_queue {
    (@each $attributes:tt $open:expr; $($check:ident),+) => {
        $($crate::jobs::conformance::every_queue! { @one $attributes $open; $check })+
    };
    (@one [$($attribute:tt)*] $open:expr; $check:ident) => {
        #[test]
        $($attribute)*
        fn $check() {
            $crate::jobs::conformance::every::$check(&mut $open);
        }
    };
    ([$($attribute:tt)*] $open:expr) => {
        $crate::jobs::conformance::every_queue! {
            @each [$($attribute)*] $open;
            a_full_queue_refuses_at_once_and_recovers, the_most_urgent_is_taken_first_then_the_oldest,
            a_job_that_waits_is_cancelled_and_never_handed_out, a_job_that_runs_is_cancelled_for_good,
            a_lost_job_goes_first_and_its_old_attempt_is_void, the_first_final_state_is_the_last,
            jobs_are_listed_newest_first_to_their_owner, what_another_owns_is_not_there,
            only_transitions_of_the_table_are_seen
        }
    };
}
pub(crate) use every_queue;

/// How many jobs may wait in a queue that a test opens.
pub(crate) const LENGTH: usize = 6;

fn submit(queue: &mut impl Queue) -> String {
    queue.submit("a", Priority::Normal).expect("there is room")
}

fn take(queue: &mut impl Queue) -> Taken {
    queue.take().expect("one waits")
}

fn state(queue: &mut impl Queue, job: &str) -> JobState {
    queue.see("a", job).expect("it is there").state
}

pub(crate) fn a_full_queue_refuses_at_once_and_recovers(queue: &mut impl Queue) {
    let first = submit(queue);
    for _ in 1..LENGTH {
        submit(queue);
    }
    assert_eq!(queue.submit("a", Priority::High), None, "it is full");
    // What runs does not wait.
    assert_eq!(take(queue).job, first);
    submit(queue);
    assert_eq!(queue.submit("b", Priority::High), None, "it is full, whoever asks");
}

pub(crate) fn the_most_urgent_is_taken_first_then_the_oldest(queue: &mut impl Queue) {
    let order = [Priority::Low, Priority::Normal, Priority::High, Priority::Low, Priority::Normal, Priority::High];
    let jobs: Vec<String> = order.iter().map(|priority| queue.submit("a", *priority).expect("room")).collect();
    let taken: Vec<String> = order.iter().map(|_| take(queue).job).collect();
    assert_eq!(taken, [2, 5, 1, 4, 0, 3].map(|number: usize| jobs[number].clone()));
    assert_eq!(queue.take(), None, "none waits any more");
}

pub(crate) fn a_job_that_waits_is_cancelled_and_never_handed_out(queue: &mut impl Queue) {
    let (job, next) = (submit(queue), submit(queue));
    let cancelled = queue.cancel("a", &job).expect("it is there");
    assert_eq!((cancelled.state, cancelled.attempts), (JobState::Cancelled, 0));
    assert_eq!(queue.cancel("a", &job), Some(cancelled), "a second time changes nothing");
    assert_eq!(take(queue).job, next);
    assert_eq!(queue.take(), None);
}

pub(crate) fn a_job_that_runs_is_cancelled_for_good(queue: &mut impl Queue) {
    let job = submit(queue);
    let taken = take(queue);
    let cancelled = queue.cancel("a", &job).expect("it is there");
    assert_eq!(cancelled.state, JobState::Cancelled);
    assert!(!queue.finish(&taken, End::Succeed) && !queue.lose(&taken), "it went on without its worker");
    assert_eq!(queue.see("a", &job), Some(cancelled));
    assert_eq!(queue.take(), None);
}

pub(crate) fn a_lost_job_goes_first_and_its_old_attempt_is_void(queue: &mut impl Queue) {
    let (job, other) = (submit(queue), submit(queue));
    let old = take(queue);
    assert!(queue.lose(&old));
    assert_eq!(state(queue, &job), JobState::Queued);
    let new = take(queue);
    assert_eq!(new, Taken { job: job.clone(), attempt: 2 }, "before one that came later");
    assert!(!queue.finish(&old, End::Succeed) && !queue.lose(&old));
    assert_eq!(state(queue, &job), JobState::Running);
    assert!(queue.finish(&new, End::Succeed));
    assert_eq!(state(queue, &job), JobState::Succeeded);
    assert_eq!(take(queue).job, other);
}

pub(crate) fn the_first_final_state_is_the_last(queue: &mut impl Queue) {
    for (first, then, ended) in
        [(End::Succeed, End::Fail, JobState::Succeeded), (End::Fail, End::Succeed, JobState::Failed)]
    {
        let job = submit(queue);
        let taken = take(queue);
        assert!(queue.finish(&taken, first));
        let seen = queue.see("a", &job).expect("it is there");
        let reason = (ended == JobState::Failed).then_some("INVALID_REQUEST");
        assert_eq!((seen.state, seen.reason.as_deref()), (ended, reason));
        assert!(!queue.finish(&taken, then) && !queue.lose(&taken));
        assert_eq!(queue.cancel("a", &job), Some(seen.clone()));
        assert_eq!(queue.see("a", &job), Some(seen));
    }
}

pub(crate) fn jobs_are_listed_newest_first_to_their_owner(queue: &mut impl Queue) {
    let [a, b, c] = ["a", "b", "a"].map(|owner| queue.submit(owner, Priority::Normal).expect("there is room"));
    assert_eq!(queue.list("a", &[]), [c.clone(), a.clone()]);
    assert_eq!(queue.list("b", &[]), [b]);
    queue.cancel("a", &c).expect("it is there");
    assert_eq!(queue.list("a", &[JobState::Queued]), std::slice::from_ref(&a));
    assert_eq!(queue.list("a", &[JobState::Cancelled, JobState::Queued]), [c, a]);
    assert_eq!(queue.list("a", &[JobState::Running]), [""; 0]);
}

pub(crate) fn what_another_owns_is_not_there(queue: &mut impl Queue) {
    let job = submit(queue);
    for (owner, job) in [("b", &*job), ("a", ""), ("a", "jobs/none"), ("a", "-1"), ("b", "jobs/")] {
        assert_eq!(queue.see(owner, job), None, "{owner} {job}");
        assert_eq!(queue.cancel(owner, job), None, "{owner} {job}");
    }
    assert_eq!(state(queue, &job), JobState::Queued);
}

/// Any order of calls: whatever is seen before and after a call is a transition of the table.
pub(crate) fn only_transitions_of_the_table_are_seen(queue: &mut impl Queue) {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let (mut taken, mut seen): (Vec<Taken>, BTreeMap<String, Seen>) = (Vec::new(), BTreeMap::new());
    for _ in 0..60 {
        let lease = (!taken.is_empty()).then(|| taken[random.random_range(0..taken.len())].clone());
        match (random.random_range(0..6), lease) {
            (0, _) => {
                if let Some(job) = queue.submit("a", Priority::Normal) {
                    let new = queue.see("a", &job).expect("it is there");
                    assert_eq!((new.state, new.attempts), (JobState::Queued, 0));
                    seen.insert(job, new);
                }
            }
            (1 | 2, _) => taken.extend(queue.take()),
            (3, Some(lease)) => drop(queue.finish(&lease, End::Succeed)),
            (4, Some(lease)) if random.random_range(0..2) == 0 => drop(queue.finish(&lease, End::Fail)),
            (4, Some(lease)) => drop(queue.lose(&lease)),
            (5, Some(lease)) if random.random_range(0..3) == 0 => drop(queue.cancel("a", &lease.job)),
            _ => continue,
        }
        for (job, before) in &mut seen {
            let now = queue.see("a", job).expect("nobody deletes it");
            let is_allowed = JobEvent::ALL.iter().any(|step| before.state.after(*step) == Some(now.state));
            assert!(now == *before || is_allowed, "{before:?} to {now:?}");
            assert_eq!(now == *before, now.revision == before.revision);
            assert!(now.revision >= before.revision && now.attempts >= before.attempts);
            *before = now;
        }
    }
    for state in [JobState::Succeeded, JobState::Failed, JobState::Cancelled] {
        assert!(seen.values().any(|job| job.state == state), "the walk is too short for {state:?}");
    }
    assert!(seen.values().any(|job| job.attempts > 1), "the walk is too short for a second attempt");
}
