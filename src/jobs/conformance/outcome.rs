//! What a job gives, and what those who follow it see.

use super::Subject;
use super::subject::{dose, volumes};
use crate::domain::{DoseError, Progress, Stage};
use crate::jobs::{JobState, Priority};

pub(super) fn a_dose_reaches_the_caller_once(open: fn(usize) -> Subject) {
    let subject = open(1);
    let job = subject.submit("a");
    assert!(subject.callers.claim(&job.id).is_none(), "it is not finished");
    let lease = subject.take();
    assert_eq!(lease.job.spec, job.spec);
    let expected = dose();
    assert!(subject.workers.finish(&lease, Ok(expected.clone())));
    assert_eq!(subject.state(&job), JobState::Succeeded);
    assert!(!subject.workers.finish(&lease, Err(DoseError::Internal("late".into()))), "the lease is gone");
    assert_eq!(subject.callers.claim(&job.id), Some(Ok(expected)));
    assert!(subject.callers.claim(&job.id).is_none() && subject.callers.get(&job.id).is_none());
}

pub(super) fn a_failure_says_why(open: fn(usize) -> Subject) {
    let subject = open(1);
    for failure in [DoseError::DeviceLost("on purpose".into()), DoseError::invalid("activity", "is bad")] {
        let job = subject.submit("a");
        assert!(subject.workers.finish(&subject.take(), Err(failure.clone())));
        let failed = subject.callers.get(&job.id).expect("it is there");
        let error = failed.error.as_ref().expect("a job that failed says why");
        assert_eq!((failed.state(), error.message.as_str()), (JobState::Failed, failure.to_string().as_str()));
        assert_eq!(error.reason, failure.reason());
        let bad_fields = usize::from(matches!(failure, DoseError::Invalid(_)));
        assert_eq!(error.field_violations.len(), bad_fields);
        assert_eq!(subject.callers.claim(&job.id), Some(Err(failure)));
    }
}

pub(super) fn volumes_are_free_before_the_job_is_finished(open: fn(usize) -> Subject) {
    let subject = open(1);
    let job = subject.submit("a");
    let lease = subject.take();
    assert!(subject.holds_volumes_of(&job), "a job that runs holds its volumes");
    let mut watch = subject.callers.watch(&job.id).expect("it is there");
    std::thread::scope(|scope| {
        let finished = scope.spawn(|| subject.workers.finish(&lease, Ok(dose())));
        while !watch.job.borrow_and_update().state().is_final() {
            std::thread::yield_now();
        }
        assert!(!subject.holds_volumes_of(&job));
        assert!(finished.join().expect("no panic"));
    });
}

pub(super) fn volumes_that_jobs_share_are_kept_for_the_last_of_them(open: fn(usize) -> Subject) {
    let subject = open(2);
    let submit = || {
        let (mut new, _) = subject.new_job("a", Priority::Normal);
        let (volumes, _hold) = (subject.put_content)(&volumes());
        new.spec.volumes = volumes;
        subject.callers.submit(new).expect("there is room")
    };
    let [first, second] = [submit(), submit()];
    assert_eq!(first.spec.volumes, second.spec.volumes);
    subject.callers.cancel(&first.id);
    assert!(subject.holds_volumes_of(&second));
    subject.workers.finish(&subject.take(), Ok(dose()));
    assert!(!subject.holds_volumes_of(&second));
}

pub(super) fn progress_is_the_latest_value(open: fn(usize) -> Subject) {
    let subject = open(1);
    let job = subject.submit("a");
    let mut watch = subject.callers.watch(&job.id).expect("it is there");
    assert_eq!(*watch.progress.borrow_and_update(), Progress::new(Stage::Queued, 0.0));
    let lease = subject.take();
    let revision = subject.callers.get(&job.id).expect("it is there").life.revision();
    for step in 0..100 {
        lease.control.checkpoint(Stage::Dose, f64::from(step) / 100.0).expect("nobody cancels");
    }
    assert_eq!(lease.control.times_asked(), 100);
    assert_eq!(*watch.progress.borrow_and_update(), Progress::new(Stage::Dose, 0.99));
    let now = subject.callers.get(&job.id).expect("it is there");
    assert_eq!(now.life.revision(), revision, "progress is not a change of the job");
}

pub(super) fn a_slow_watcher_sees_the_latest_state(open: fn(usize) -> Subject) {
    let subject = open(1);
    let job = subject.submit("a");
    let mut watch = subject.callers.watch(&job.id).expect("it is there");
    assert_eq!(watch.job.borrow_and_update().state(), JobState::Queued, "the first state is there at once");
    subject.workers.finish(&subject.take(), Ok(dose()));
    assert!(watch.job.has_changed().expect("the job is there"));
    assert_eq!(watch.job.borrow_and_update().state(), JobState::Succeeded);
    assert!(!watch.job.has_changed().expect("the job is there"), "one value stands for all changes");
}
