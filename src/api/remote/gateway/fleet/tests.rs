use std::time::SystemTime;

use super::*;
use crate::jobs::{JobEvent, Life, Priority};
use crate::store::{Estimate, JobRecord};

const WORKER: &str = "worker-1";

/// A small job that was taken once.
fn attempt(number: u128) -> Attempt {
    let mut life = Life::new(SystemTime::UNIX_EPOCH);
    life.step(JobEvent::Take, SystemTime::UNIX_EPOCH).expect("it waits");
    let job = JobRecord {
        id: Uuid::from_u128(number),
        request_id: Uuid::nil(),
        identity: String::new(),
        nuclide: String::new(),
        method: String::new(),
        life,
        priority: Priority::default(),
        estimate: Estimate::default(),
        is_small: true,
        inputs: Vec::new(),
        results: Vec::new(),
        deleted_results: Vec::new(),
        unproven: 0,
        is_first: false,
        checkpoint: 0,
        device_s: 0.0,
        error: None,
        expires: None,
        device: None,
        trace: None,
    };
    Attempt { tenant: "default".into(), job: job.into() }
}

fn beat(is_draining: bool, tasks: &[Lease]) -> Beat {
    Beat {
        worker: WORKER.into(),
        lease_s: 30.0,
        device: String::new(),
        memory_bytes: 0,
        is_draining,
        holds: Vec::new(),
        tasks: tasks.iter().map(|lease| (*lease, None)).collect(),
        device_key: String::new(),
        helps: None,
    }
}

fn left(fleet: &Fleet, is_draining: bool, tasks: &[Lease]) -> Vec<Lease> {
    let heard = fleet.hear(beat(is_draining, tasks), &|_, _| ());
    heard.left.iter().map(|held| Lease::of(&held.attempt)).collect()
}

#[test]
fn an_order_that_a_worker_leaves_without_is_known_at_once() {
    let fleet = Fleet::new(Duration::from_secs(30));
    let [taken, untaken, late] = [1, 2, 3].map(attempt);
    let [taken_lease, untaken_lease, late_lease] = [&taken, &untaken, &late].map(Lease::of);
    for attempt in [taken, untaken] {
        fleet.hold(attempt.clone(), WORKER.into());
        assert!(fleet.sent(Lease::of(&attempt)).is_none(), "its worker takes orders");
    }
    assert_eq!(left(&fleet, false, &[taken_lease]), [], "it may take the other yet");
    fleet.hold(late, WORKER.into());
    assert_eq!(left(&fleet, true, &[taken_lease]), [untaken_lease], "the third is on its way to the broker");
    let found = fleet.sent(late_lease).expect("its worker ends, and takes no orders any more");
    assert_eq!(Lease::of(&found.attempt), late_lease);
    // It is dealt with once.
    assert!(fleet.begin_end(untaken_lease) && !fleet.begin_end(untaken_lease));
    assert_eq!(left(&fleet, true, &[taken_lease]), [late_lease]);
    fleet.remove(late_lease);
    assert_eq!(left(&fleet, true, &[taken_lease]), []);
}

#[test]
fn an_order_of_a_worker_that_is_gone_waits_for_the_lease_of_the_worker() {
    let fleet = Fleet::new(Duration::from_secs(3600));
    let attempt = attempt(1);
    left(&fleet, false, &[]);
    fleet.hold(attempt.clone(), WORKER.into());
    assert!(fleet.sent(Lease::of(&attempt)).is_none(), "its worker takes orders");
    assert!(fleet.expired().is_empty(), "its worker was heard just now");
    // Its lease is 30 s; that of the gateway, for workers that it does not know, is longer.
    let long_ago = Instant::now().checked_sub(Duration::from_secs(31)).expect("the machine has run for long enough");
    fleet.lock().workers.get_mut(WORKER).expect("it was heard").seen = long_ago;
    let expired: Vec<Lease> = fleet.expired().iter().map(|held| Lease::of(&held.attempt)).collect();
    assert_eq!(expired, [Lease::of(&attempt)]);
    assert_eq!(fleet.expired_after(Duration::from_secs(1)).len(), 1);
    // This process stood still, or the broker was away, and the worker could not be heard.
    assert!(fleet.expired_after(Duration::from_secs(20)).is_empty());
    assert!(fleet.expired_after(Duration::from_secs(1)).is_empty(), "its lease began anew");
    fleet.lock().workers.get_mut(WORKER).expect("it was heard").seen = long_ago;
    fleet.renew_all();
    assert!(fleet.expired().is_empty());
}

#[test]
fn a_worker_that_ends_gets_nothing_more_whatever_comes_late() {
    let fleet = Fleet::new(Duration::from_secs(30));
    left(&fleet, false, &[]);
    assert_eq!(fleet.candidates().len(), 1);
    left(&fleet, true, &[]);
    // It told of its work before the gateway had answered that it ends.
    assert_eq!(left(&fleet, false, &[]), []);
    assert!(fleet.candidates().is_empty());
    let attempt = attempt(1);
    fleet.hold(attempt.clone(), WORKER.into());
    assert!(fleet.sent(Lease::of(&attempt)).is_some(), "an order for it is taken back at once");
}

#[test]
fn what_is_said_of_an_attempt_after_its_release_is_not_of_the_next() {
    let fleet = Fleet::new(Duration::from_secs(30));
    let first = attempt(1);
    let mut job = JobRecord::clone(&first.job);
    for step in [JobEvent::Release, JobEvent::Take] {
        job.life.step(step, SystemTime::UNIX_EPOCH).expect("it runs, then waits");
    }
    let second = Attempt { job: job.into(), ..first.clone() };
    assert_eq!(first.job.life.attempts(), second.job.life.attempts(), "a release does not count");
    fleet.hold(first.clone(), WORKER.into());
    // The next is taken before the first is forgotten.
    fleet.hold(second.clone(), "worker-2".into());
    fleet.remove(Lease::of(&first));
    assert!(fleet.get(Lease::of(&second)).is_some() && fleet.get(Lease::of(&first)).is_none());
    // After a restart it is not known whose the second is; the first's worker tells again.
    let restarted = Fleet::new(Duration::from_secs(30));
    restarted.adopt(vec![second]);
    assert!(restarted.of_worker(Lease::of(&first), WORKER).is_none());
}

#[test]
fn a_worker_can_what_it_has_a_place_and_memory_for() {
    let fleet = Fleet::new(Duration::from_secs(30));
    fleet.hear(Beat { memory_bytes: 1000, ..beat(false, &[]) }, &|_, _| ());
    let candidates = fleet.candidates();
    let [worker] = &candidates[..] else { panic!("one lives") };
    for (memory_bytes, can) in [(1000, true), (1001, false)] {
        let mut job = JobRecord::clone(&attempt(1).job);
        job.estimate.memory_bytes = memory_bytes;
        assert_eq!(worker.can(&job), can, "{memory_bytes}");
    }
}
