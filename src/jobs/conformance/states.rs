//! The states that callers see.

use rand::{RngExt, SeedableRng};

use super::Subject;
use super::subject::dose;
use crate::domain::{DoseError, Stage};
use crate::jobs::{Job, JobEvent, JobFilter, JobId, JobState, Lease, Priority};

pub(super) fn a_job_that_waits_is_cancelled_at_once(open: fn(usize) -> Subject) {
    let subject = open(2);
    let (job, next) = (subject.submit("a"), subject.submit("a"));
    assert!(subject.holds_volumes_of(&job));
    let cancelled = subject.callers.cancel(&job.id).expect("it is there");
    assert_eq!(cancelled.state(), JobState::Cancelled);
    assert!(!subject.holds_volumes_of(&job), "its memory is free at once");
    assert_eq!(subject.callers.waiting(), 1, "its place is free at once");
    subject.submit("a");
    assert_eq!(subject.callers.cancel(&job.id), Some(cancelled), "a second time changes nothing");
    assert_eq!(subject.take().job.id, next.id, "it is never handed out");
    assert_eq!(subject.callers.claim(&job.id), Some(Err(DoseError::Cancelled)));
}

pub(super) fn a_job_that_runs_is_cancelled_for_good(open: fn(usize) -> Subject) {
    let subject = open(1);
    let job = subject.submit("a");
    let lease = subject.take();
    lease.control.checkpoint(Stage::Dose, 0.5).expect("nobody has cancelled");
    let cancelled = subject.callers.cancel(&job.id).expect("it is there");
    assert_eq!(cancelled.state(), JobState::Cancelled);
    assert_eq!(lease.control.checkpoint(Stage::Dose, 0.6), Err(DoseError::Cancelled));
    assert!(!subject.workers.finish(&lease, Ok(dose())), "the first final state is the last");
    assert!(!subject.workers.put_back(&lease));
    assert_eq!(subject.callers.get(&job.id), Some(cancelled));
    assert_eq!(subject.callers.claim(&job.id), Some(Err(DoseError::Cancelled)));
}

pub(super) fn a_job_put_back_goes_first_and_its_old_lease_is_void(open: fn(usize) -> Subject) {
    let subject = open(2);
    let (job, other) = (subject.submit("a"), subject.submit("a"));
    let old = subject.take();
    assert!(subject.workers.put_back(&old));
    assert_eq!(subject.state(&job), JobState::Queued);
    assert_eq!(old.control.checkpoint(Stage::Dose, 0.5), Err(DoseError::Cancelled), "its worker stops");
    let progress = subject.callers.watch(&job.id).expect("it is there").progress;
    assert_eq!(progress.borrow().stage, Stage::Queued);
    let new = subject.take();
    assert_eq!((&new.job.id, new.job.life.attempts()), (&job.id, 2), "before a job that came later");
    new.control.checkpoint(Stage::Dose, 0.1).expect("the new lease is good");
    assert!(!subject.workers.finish(&old, Ok(dose())) && !subject.workers.put_back(&old));
    assert_eq!(subject.state(&job), JobState::Running);
    assert!(subject.holds_volumes_of(&job));
    assert!(subject.workers.finish(&new, Ok(dose())));
    assert_eq!(subject.state(&job), JobState::Succeeded);
    assert_eq!(subject.take().job.id, other.id);
}

pub(super) fn jobs_are_listed_newest_first(open: fn(usize) -> Subject) {
    let subject = open(4);
    let [a, b, c] = ["a", "b", "a"].map(|owner| subject.submit(owner));
    let ids = |filter: JobFilter| subject.callers.list(&filter).into_iter().map(|job| job.id).collect::<Vec<_>>();
    assert_eq!(ids(JobFilter::default()), [c.id.clone(), b.id.clone(), a.id.clone()]);
    let of_a = JobFilter { owner: Some("a".into()), ..JobFilter::default() };
    assert_eq!(ids(of_a.clone()), [c.id.clone(), a.id.clone()]);
    subject.take();
    subject.callers.cancel(&c.id);
    let in_states = |states: &[JobState]| ids(JobFilter { states: states.to_vec(), ..of_a.clone() });
    assert_eq!(in_states(&[JobState::Running]), std::slice::from_ref(&a.id));
    assert_eq!(in_states(&[JobState::Cancelled, JobState::Running]), [c.id.clone(), a.id]);
    assert_eq!(in_states(&[JobState::Queued]), []);
    subject.callers.claim(&c.id);
    assert_eq!(in_states(&[JobState::Cancelled]), [], "a job that was claimed is gone");
}

pub(super) fn unknown_jobs_are_not_there(open: fn(usize) -> Subject) {
    let subject = open(1);
    subject.submit("a");
    for text in ["", "0", "01", "none", "18446744073709551616", "-1"] {
        let id = JobId::new(text);
        assert!(subject.callers.get(&id).is_none() && subject.callers.watch(&id).is_none(), "{id}");
        assert!(subject.callers.cancel(&id).is_none() && subject.callers.claim(&id).is_none(), "{id}");
    }
}

/// Any order of calls: whatever is seen before and after a call is a transition of the table.
pub(super) fn only_allowed_transitions_are_seen(open: fn(usize) -> Subject) {
    let subject = open(4);
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let (mut leases, mut seen): (Vec<Lease>, Vec<Job>) = (Vec::new(), Vec::new());
    let dose = dose();
    for _ in 0..2000 {
        let lease = (!leases.is_empty()).then(|| &leases[random.random_range(0..leases.len())]);
        match (random.random_range(0..6), lease) {
            (0, _) if seen.len() < 200 && subject.callers.check_room().is_ok() => seen.push(subject.submit("a")),
            (1, _) if subject.callers.waiting() > 0 => leases.push(subject.take()),
            (2, Some(lease)) => drop(subject.workers.finish(lease, Ok(dose.clone()))),
            (3, Some(lease)) => drop(subject.workers.finish(lease, Err(DoseError::DeviceLost("x".into())))),
            (4, Some(lease)) if subject.callers.check_room().is_ok() => drop(subject.workers.put_back(lease)),
            (5, Some(lease)) if random.random_range(0..4) == 0 => drop(subject.callers.cancel(&lease.job.id)),
            _ => continue,
        }
        for before in &mut seen {
            let now = subject.callers.get(&before.id).expect("nobody claims it");
            let (from, to) = (before.state(), now.state());
            let is_allowed = JobEvent::ALL.iter().any(|step| from.after(*step) == Some(to));
            assert!(now == *before || is_allowed, "{from:?} to {to:?}");
            assert_eq!(now == *before, now.life.revision() == before.life.revision());
            assert!(now.life.revision() >= before.life.revision());
            assert_eq!(subject.holds_volumes_of(&now), !to.is_final(), "volumes are held until the end");
            *before = now;
        }
    }
    let ended = |state| seen.iter().any(|job| job.state() == state);
    assert!(
        ended(JobState::Succeeded) && ended(JobState::Failed) && ended(JobState::Cancelled),
        "the walk is too short"
    );
}

pub(super) fn jobs_are_data(open: fn(usize) -> Subject) {
    let subject = open(4);
    let (new, _hold) = subject.new_job("clinic", Priority::High);
    let json = serde_json::to_string(&new).expect("it is data");
    subject.callers.submit(serde_json::from_str(&json).expect("the same job")).expect("there is room");
    for owner in ["a", "b", "c"] {
        subject.submit(owner);
    }
    subject.workers.finish(&subject.take(), Ok(dose()));
    subject.workers.finish(&subject.take(), Err(DoseError::invalid("density", "is bad")));
    subject.take();
    let jobs = subject.callers.list(&JobFilter::default());
    let states: Vec<JobState> = jobs.iter().map(Job::state).collect();
    assert_eq!(states, [JobState::Queued, JobState::Running, JobState::Failed, JobState::Succeeded]);
    for job in jobs {
        let json = serde_json::to_string(&job).expect("it is data");
        assert_eq!(serde_json::from_str::<Job>(&json).expect("the same job"), job);
    }
}
