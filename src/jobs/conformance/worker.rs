//! A queue with a worker behind it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use super::Subject;
use super::script::{Script, scripted};
use super::subject::dose;
use crate::domain::{DoseError, Stage};
use crate::jobs::{DeviceState, Job, JobState, Priority, Running, start_worker};

/// A worker whose device does as told.
fn work(subject: &Subject, attempts: u32, comes_back: bool) -> mpsc::Sender<Script> {
    let (scripts, executor) = scripted(Arc::new(AtomicBool::new(comes_back)));
    start_worker(subject.workers.clone(), subject.volumes.clone(), executor, attempts, DeviceState::default())
        .expect("a thread");
    scripts
}

/// Submits a job that does this, for a caller who waits.
fn run(subject: &Subject, scripts: &mpsc::Sender<Script>, script: Script) -> (Job, Running) {
    scripts.send(script).expect("the worker runs");
    let job = subject.submit("a");
    let running = Running::new(subject.callers.clone(), job.id.clone()).expect("it is there");
    (job, running)
}

fn finished(mut running: Running) -> Result<(), DoseError> {
    let result = pollster::block_on(running.finished());
    result.map(|result| assert_eq!(result.dose, dose().dose))
}

pub(super) fn a_panic_does_not_lose_the_queue(open: fn(usize) -> Subject) {
    let subject = open(4);
    let scripts = work(&subject, 1, true);
    let (job, running) = run(&subject, &scripts, Box::new(|_| panic!("on purpose")));
    assert!(matches!(finished(running), Err(DoseError::Internal(_))));
    assert!(!subject.holds_volumes_of(&job));
    assert_eq!(finished(run(&subject, &scripts, Box::new(|_| Ok(()))).1), Ok(()));
}

pub(super) fn a_lost_device_fails_the_job_or_puts_it_back(open: fn(usize) -> Subject) {
    let lost = || DoseError::DeviceLost("on purpose".into());
    let lose = move |_: &crate::domain::Control| Err(lost());
    let subject = open(4);
    let scripts = work(&subject, 1, true);
    assert_eq!(finished(run(&subject, &scripts, Box::new(lose)).1), Err(lost()));
    assert_eq!(finished(run(&subject, &scripts, Box::new(|_| Ok(()))).1), Ok(()));
    for (times, outcome) in [(2, Ok(())), (3, Err(lost()))] {
        let subject = open(4);
        let scripts = work(&subject, 3, true);
        (1..times).for_each(|_| scripts.send(Box::new(lose)).expect("the worker runs"));
        scripts.send(Box::new(lose)).expect("the worker runs");
        let (_, running) = run(&subject, &scripts, Box::new(|_| Ok(())));
        assert_eq!(finished(running), outcome, "lost {times} times of 3");
    }
    // What a device refuses is no loss: the job is not repeated, and the device not opened again, which would fail.
    let refused = || DoseError::DeviceRefused("on purpose".into());
    let subject = open(4);
    let scripts = work(&subject, 3, false);
    assert_eq!(finished(run(&subject, &scripts, Box::new(move |_| Err(refused()))).1), Err(refused()));
    assert_eq!(finished(run(&subject, &scripts, Box::new(|_| Ok(()))).1), Ok(()));
}

pub(super) fn a_device_that_does_not_come_back_fails_each_job(open: fn(usize) -> Subject) {
    let subject = open(4);
    let scripts = work(&subject, 1, false);
    let lost = DoseError::DeviceLost("on purpose".into());
    let loses = lost.clone();
    assert_eq!(finished(run(&subject, &scripts, Box::new(move |_| Err(loses))).1), Err(lost));
    for _ in 0..2 {
        let outcome = finished(run(&subject, &scripts, Box::new(|_| Ok(()))).1);
        assert!(matches!(outcome, Err(DoseError::DeviceUnavailable(_))), "{outcome:?}");
    }
}

pub(super) fn a_device_is_looked_for_until_it_is_back(open: fn(usize) -> Subject) {
    let subject = open(4);
    let (comes_back, state) = (Arc::new(AtomicBool::new(false)), DeviceState::default());
    let (scripts, executor) = scripted(comes_back.clone());
    state.is_up.store(true, Ordering::Release);
    start_worker(subject.workers.clone(), subject.volumes.clone(), executor, 1, state.clone()).expect("a thread");
    let lost = DoseError::DeviceLost("on purpose".into());
    let loses = lost.clone();
    assert_eq!(finished(run(&subject, &scripts, Box::new(move |_| Err(loses))).1), Err(lost));
    assert!(!state.is_up.load(Ordering::Acquire), "it is lost");
    comes_back.store(true, Ordering::Release);
    // No job asks for it.
    while !state.is_up.load(Ordering::Acquire) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(finished(run(&subject, &scripts, Box::new(|_| Ok(()))).1), Ok(()));
}

pub(super) fn a_caller_who_leaves_cancels(open: fn(usize) -> Subject) {
    let subject = open(4);
    let scripts = work(&subject, 1, true);
    let (begun, begins) = mpsc::channel();
    let (ended, ends) = mpsc::channel();
    let (tell, told) = mpsc::channel::<Job>();
    let volumes = subject.volumes.clone();
    let until_cancelled: Script = Box::new(move |control| {
        begun.send(()).expect("the test listens");
        let error = loop {
            if let Err(error) = control.checkpoint(Stage::Dose, 0.0) {
                break error;
            }
            std::thread::yield_now();
        };
        let job = told.recv().expect("the test tells");
        let are_held = job.spec.volumes.iter().all(|volume| volumes.get(volume).is_some());
        ended.send((error.clone(), are_held)).expect("the test listens");
        Err(error)
    });
    let (runs, running) = run(&subject, &scripts, until_cancelled);
    begins.recv().expect("the job begins");
    let (waits, waiting) = run(&subject, &scripts, Box::new(|_| Ok(())));
    drop(waiting);
    assert!(subject.callers.get(&waits.id).is_none() && !subject.holds_volumes_of(&waits));
    assert_eq!(subject.callers.waiting(), 0);
    assert_eq!(subject.state(&runs), JobState::Running);
    assert!(subject.holds_volumes_of(&runs));
    drop(running);
    assert!(subject.callers.get(&runs.id).is_none());
    tell.send(runs).expect("the job runs until now");
    let held_to_the_end = (DoseError::Cancelled, true);
    assert_eq!(ends.recv().expect("the job ends"), held_to_the_end, "memory is free when the work is gone, not before");
    // The script of the job that never ran is still there.
    let job = subject.submit("a");
    assert_eq!(finished(Running::new(subject.callers.clone(), job.id).expect("it is there")), Ok(()));
}

pub(super) fn a_job_without_volumes_fails(open: fn(usize) -> Subject) {
    let subject = open(4);
    let (mut new, hold) = subject.new_job("a", Priority::Normal);
    let gone = new.clone();
    drop(hold);
    let refused = subject.callers.submit(gone).expect_err("its volumes are gone");
    assert!(matches!(&refused, DoseError::Invalid(faults) if !faults.is_empty()), "{refused}");
    // Volumes that are there, and not those of the header.
    let (other, _hold) = subject.new_job("a", Priority::Normal);
    new.spec.volumes = other.spec.volumes.into_iter().take(1).collect();
    let job = subject.callers.submit(new).expect("there is room");
    let _scripts = work(&subject, 1, true);
    let outcome = finished(Running::new(subject.callers.clone(), job.id).expect("it is there"));
    assert!(matches!(&outcome, Err(DoseError::Invalid(faults)) if faults[0].field == "density"), "{outcome:?}");
}
