//! Times that no ledger can hold: they are bounded or refused, and a store that has some opens again.

use uuid::Uuid;

use super::at_once_tests::new;
use super::{Estimate, NewJob, Outcome, Store, StoreError, StoreOptions};

fn open(folder: &std::path::Path) -> Store {
    Store::open(folder, StoreOptions { reserve_bytes: 0, ..StoreOptions::default() }).expect("a store")
}

#[test]
fn a_store_opens_again_whatever_its_jobs_were_expected_to_take() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    for device_time_s in [1.7e308, 1.7e308, f64::INFINITY, f64::NAN, 2.0] {
        let estimate = Estimate { device_time_s, ..Estimate::default() };
        let new = NewJob { estimate, ..new(Some(Uuid::new_v4()), "one") };
        let job = store.create_job(new).expect("room");
        let told = [job.estimate.device_time_s, job.estimate.wait_time_s];
        assert!(told.iter().all(|s| s.is_finite()), "{told:?} of {device_time_s}");
    }
    drop(store);
    let store = open(folder.path());
    let jobs = store.jobs("a", None, &[], 10);
    assert_eq!((jobs.len(), jobs[0].estimate.device_time_s), (5, 2.0), "what can be held stays");
}

#[test]
fn an_act_that_the_ledger_could_not_hold_is_refused_and_others_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let job = store.create_job(new(Some(Uuid::new_v4()), "one")).expect("room");
    let (attempt, ()) = store.take(|_| true, |_| Some((String::new(), ()))).expect("sound").expect("it waits");
    let refused = store.end_attempt(&attempt, f64::INFINITY, Outcome::Released);
    assert_eq!(refused, Err(StoreError::Unavailable));
    assert!(store.is_sound() && store.job("a", job.id).is_some_and(|job| attempt.is_current(&job)));
    assert_eq!(store.end_attempt(&attempt, 1.0, Outcome::Released), Ok(true));
    drop(store);
    assert_eq!(open(folder.path()).job("a", job.id).map(|job| job.device_s), Some(1.0));
}

#[test]
fn a_time_that_an_earlier_version_lost_counts_as_none() {
    let text = r#"{"memory_bytes":1,"result_bytes":2,"device_time_s":null,"wait_time_s":3.0}"#;
    let read: Estimate = serde_json::from_str(text).expect("a record of an earlier version");
    let told = Estimate { memory_bytes: 1, result_bytes: 2, wait_time_s: 3.0, ..Estimate::default() };
    assert_eq!(read, told);
}
