//! Which jobs are accepted, and in which order they are handed out.

use std::{sync::mpsc, thread, time::Duration};

use super::Subject;
use crate::domain::DoseError;
use crate::jobs::Priority;

pub(super) fn a_full_queue_refuses_at_once_and_recovers(open: fn(usize) -> Subject) {
    let subject = open(2);
    let first = subject.submit("a");
    subject.submit("a");
    let (third, hold) = subject.new_job("a", Priority::High);
    let refused = subject.callers.submit(third.clone()).expect_err("two may wait");
    assert!(matches!(refused, DoseError::Busy { what: "the queue", .. }), "{refused}");
    assert!(subject.callers.check_room().is_err());
    assert_eq!(subject.callers.waiting(), 2);
    // What runs does not wait.
    assert_eq!(subject.take().job.id, first.id);
    subject.callers.check_room().expect("one place is free");
    let third = subject.callers.submit(third).expect("one place is free");
    drop(hold);
    assert!(subject.holds_volumes_of(&third), "the queue holds the volumes");
}

pub(super) fn the_most_urgent_is_taken_first_then_the_oldest(open: fn(usize) -> Subject) {
    let subject = open(8);
    let order = [Priority::Low, Priority::Normal, Priority::High, Priority::Low, Priority::Normal, Priority::High];
    let submit = |priority| {
        let (new, _hold) = subject.new_job("a", priority);
        subject.callers.submit(new).expect("there is room").id
    };
    let ids = order.map(submit);
    let taken: Vec<_> = order.iter().map(|_| subject.take().job.id).collect();
    assert_eq!(taken, [2, 5, 1, 4, 0, 3].map(|n: usize| ids[n].clone()));
}

pub(super) fn those_who_wait_know_their_place(open: fn(usize) -> Subject) {
    let subject = open(8);
    let jobs = [(); 3].map(|()| subject.submit("a").id);
    let places = || jobs.each_ref().map(|id| subject.callers.ahead(id));
    assert_eq!(places(), [Some(0), Some(1), Some(2)]);
    subject.take();
    assert_eq!(places(), [None, Some(1), Some(2)]);
    let (urgent, _hold) = subject.new_job("a", Priority::High);
    subject.callers.submit(urgent).expect("there is room");
    assert_eq!(places(), [None, Some(2), Some(3)]);
    subject.callers.cancel(&jobs[1]).expect("it is there");
    assert_eq!(places(), [None, None, Some(2)]);
}

pub(super) fn a_worker_waits_for_work(open: fn(usize) -> Subject) {
    let subject = open(1);
    let workers = subject.workers.clone();
    let (send, taken) = mpsc::channel();
    let worker = thread::spawn(move || send.send(workers.take().map(|lease| lease.job.id)));
    assert!(taken.recv_timeout(Duration::from_millis(20)).is_err(), "there is nothing to take");
    let job = subject.submit("a");
    assert_eq!(taken.recv().expect("the worker goes on"), Some(job.id));
    worker.join().expect("no panic").expect("the test listens");
}

pub(super) fn a_closed_queue_hands_out_what_it_accepted(open: fn(usize) -> Subject) {
    let subject = open(2);
    let job = subject.submit("a");
    let (late, _hold) = subject.new_job("a", Priority::Normal);
    subject.workers.close();
    assert_eq!(subject.callers.submit(late).expect_err("it is closed"), DoseError::ShuttingDown);
    assert_eq!(subject.take().job.id, job.id);
    assert!(subject.workers.take().is_none());
}
