//! Attempts at one job: which is which, and what one leaves to the next.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::at_once_tests::new;
use super::{Attempt, Outcome, Store, StoreKeys, StoreOptions, VolumeDigest};

const BYTES: &[u8] = b"a dose";

fn open(folder: &Path, keys: StoreKeys) -> Store {
    Store::open(folder, StoreOptions { reserve_bytes: 0, keys, ..StoreOptions::default() }).expect("a store")
}

fn take(store: &Store) -> Attempt {
    store.take(|_| true, |_| Some((String::new(), ()))).expect("it can be written").expect("one waits").0
}

#[test]
fn an_attempt_that_was_released_is_not_the_next_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path(), StoreKeys::default());
    store.create_job(new(Some(Uuid::new_v4()), "one")).expect("room");
    let first = take(&store);
    assert_eq!(store.end_attempt(&first, 0.0, Outcome::Released), Ok(true));
    let second = take(&store);
    assert_eq!(second.job.life.attempts(), 1, "a release does not count");
    assert!(first.revision() != second.revision() && !first.is_current(&second.job));
    assert_eq!(store.end_attempt(&first, 0.0, Outcome::Released), Ok(false), "it was heard before");
    assert!(store.job("a", second.job.id).is_some_and(|job| second.is_current(&job)));
}

#[test]
fn two_that_were_lost_together_run_one_at_a_time_before_one_is_given_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = || open(folder.path(), StoreKeys::default());
    let take_beside = |store: &Store| {
        let taken = store.take(store.may_begin(), |_| Some((String::new(), ())));
        taken.expect("it can be written").map(|(attempt, ())| attempt)
    };
    let mut store = open();
    for spec in ["one", "two"] {
        store.create_job(new(Some(Uuid::new_v4()), spec)).expect("room");
    }
    for lost in 1..StoreOptions::default().max_attempts {
        let both = [take_beside(&store), take_beside(&store)];
        assert!(both.iter().flatten().all(|attempt| attempt.job.life.attempts() == lost), "{both:?}");
        assert!(both.iter().all(Option::is_some), "{lost}: {both:?}");
        // The process is lost.
        drop(store);
        store = open();
    }
    let first = take_beside(&store).expect("one begins");
    assert!(take_beside(&store).is_none(), "the next loss would be the last of both");
    store.create_job(new(Some(Uuid::new_v4()), "three")).expect("room");
    let other = take_beside(&store).expect("one that was never lost begins");
    assert_eq!(other.job.life.attempts(), 1);
    // The first has shown that it is not the cause.
    let mut file = store.new_file().expect("room");
    file.write_all(BYTES).expect("room");
    assert_eq!(store.keep_checkpoint(&first, file.finish().expect("room"), 0.0), Ok(true));
    assert!(take_beside(&store).is_some_and(|attempt| attempt.job.life.attempts() == 3));
}

#[test]
fn one_attempt_alone_holds_nothing_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = StoreOptions { reserve_bytes: 0, max_attempts: 1, ..StoreOptions::default() };
    let store = Store::open(folder.path(), options).expect("a store");
    for spec in ["one", "two"] {
        store.create_job(new(Some(Uuid::new_v4()), spec)).expect("room");
        let taken = store.take(store.may_begin(), |_| Some((String::new(), ())));
        assert!(taken.expect("it can be written").is_some(), "{spec}");
    }
}

#[test]
fn time_that_checkpoints_told_of_counts_when_the_worker_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path(), StoreKeys::default());
    let job = store.create_job(new(Some(Uuid::new_v4()), "one")).expect("room");
    let mut spent = 0.0;
    for lost_after_s in [30.0, 12.0] {
        let attempt = take(&store);
        let mut file = store.new_file().expect("room");
        file.write_all(BYTES).expect("room");
        assert_eq!(store.keep_checkpoint(&attempt, file.finish().expect("room"), lost_after_s), Ok(true));
        assert_eq!(store.end_attempt(&attempt, 0.0, Outcome::Lost { cause: "worker" }), Ok(true));
        spent += lost_after_s;
        assert_eq!(store.job("a", job.id).map(|job| job.device_s), Some(spent));
    }
}

#[test]
fn a_result_of_before_the_first_key_stays_plain_when_it_is_made_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = VolumeDigest::of_bytes(BYTES);
    let make = |store: &Store| {
        store.create_job(new(Some(Uuid::new_v4()), "one")).expect("room");
        let attempt = take(store);
        let mut file = store.new_file().expect("room");
        file.write_all(BYTES).expect("room");
        let volumes = vec![file.finish().expect("room")];
        let outcome = Outcome::Succeeded { result: Arc::from(&b"a result"[..]), volumes };
        assert_eq!(store.end_attempt(&attempt, 0.0, outcome), Ok(true));
    };
    let store = open(folder.path(), StoreKeys::default());
    make(&store);
    drop(store);
    let store = open(folder.path(), StoreKeys::parse(&"0c".repeat(32)).expect("a key"));
    let mut before = store.read_volume("a", name).expect("it is there");
    make(&store);
    let volume = store.volume("a", &name).expect("it is there");
    assert_eq!((volume.results, volume.key), (2, None));
    assert_eq!(std::fs::read(store.folders.volume("a", &name)).expect("it is there"), BYTES);
    for reading in [&mut before, &mut store.read_volume("a", name).expect("it is there")] {
        assert_eq!(reading.next(&store), Ok(Some((0, BYTES.to_vec()))));
    }
}
