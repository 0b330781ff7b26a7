//! A store whose disk fails: what was answered is there after a restart, and a failed sync is never tried again.

use std::io::Write;
use std::path::Path;

use uuid::Uuid;

use super::at_once_tests::new;
use super::{Actor, Beginning, Store, StoreError, StoreKeys, StoreOptions, VolumeDigest};
use crate::faults::Faults;
use crate::jobs::JobState;

fn actor() -> Actor {
    Actor { tenant: "a".into(), name: "test".into(), peer: String::new() }
}

fn open(folder: &Path, faults: &str, is_sealed: bool) -> Store {
    let keys = if is_sealed { StoreKeys::parse(&"0c".repeat(32)).expect("a key") } else { StoreKeys::default() };
    let faults = Faults::parse(faults).expect("known faults");
    Store::open(folder, StoreOptions { reserve_bytes: 0, keys, faults, ..StoreOptions::default() }).expect("a store")
}

fn bytes(number: u8) -> Vec<u8> {
    (0..70_000u32).map(|i| i.to_le_bytes()[1] ^ number).collect()
}

/// Uploads a volume in pieces. Ok: it was answered that it is there.
fn put(store: &Store, number: u8) -> Result<VolumeDigest, StoreError> {
    let bytes = bytes(number);
    let name = VolumeDigest::of_bytes(&bytes);
    let mut upload = match store.upload(&actor(), name, bytes.len() as u64, 0)? {
        Beginning::Complete(_) => return Ok(name),
        Beginning::Open(upload) => upload,
    };
    let sent = bytes.chunks(20_000).try_for_each(|piece| store.add(&mut upload, piece).map(drop));
    let left = store.leave(&upload);
    sent?;
    assert!(left?.is_complete());
    Ok(name)
}

fn whole(store: &Store, name: VolumeDigest) -> Vec<u8> {
    let (mut reading, mut all) = (store.read_volume("a", name).expect("it is there"), Vec::new());
    while let Some((_, piece)) = reading.next(store).expect("it is whole") {
        all.extend(piece);
    }
    all
}

#[test]
fn what_was_answered_survives_every_failed_sync() {
    let (mut refused, mut answered) = (0, 0);
    for at in 1..=14 {
        let folder = tempfile::tempdir().expect("a folder");
        let is_sealed = at % 2 == 0;
        let store = open(folder.path(), &format!("fsync={at}"), is_sealed);
        let outcomes: Vec<_> = (0..3).map(|number| put(&store, number)).collect();
        if let Some(first) = outcomes.iter().position(Result::is_err) {
            refused += 1;
            assert!(!store.is_sound(), "{at}");
            assert!(outcomes[first..].iter().all(|outcome| *outcome == Err(StoreError::Unavailable)), "{outcomes:?}");
        }
        drop(store);
        let store = open(folder.path(), "", is_sealed);
        for (number, outcome) in (0..).zip(outcomes) {
            if let Ok(name) = outcome {
                assert!(whole(&store, name) == bytes(number), "{at}");
                answered += 1;
            }
            let name = put(&store, number).expect("the disk is well again");
            assert!(whole(&store, name) == bytes(number), "{at}");
        }
    }
    assert!(refused >= 8 && answered >= 8, "{refused} {answered}");
}

#[test]
fn a_full_disk_is_refused_by_name_and_the_rest_goes_on() {
    for at in 1..=12 {
        for is_sealed in [false, true] {
            let folder = tempfile::tempdir().expect("a folder");
            let store = open(folder.path(), &format!("disk-full={at}"), is_sealed);
            let outcomes: Vec<_> = (0..3).map(|number| put(&store, number)).collect();
            assert_eq!(outcomes.iter().filter(|outcome| **outcome == Err(StoreError::Full)).count(), 1, "{outcomes:?}");
            assert!(store.is_sound());
            for number in 0..3 {
                let name = put(&store, number).expect("there is room again");
                assert!(whole(&store, name) == bytes(number));
            }
        }
    }
}

#[test]
fn half_a_write_is_none() {
    for at in 1..=4 {
        for is_sealed in [false, true] {
            let folder = tempfile::tempdir().expect("a folder");
            let store = open(folder.path(), &format!("short-write={at}"), is_sealed);
            put(&store, 0).expect_err("a write failed");
            drop(store);
            let store = open(folder.path(), "", is_sealed);
            let name = put(&store, 0).expect("the disk is well again");
            assert!(whole(&store, name) == bytes(0));
        }
    }
}

#[test]
fn a_file_that_is_left_in_its_middle_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path(), "disk-full=2", true);
    let count = || std::fs::read_dir(folder.path().join("incoming")).expect("it is there").count();
    let mut file = store.new_file().expect("room");
    file.write_all(&bytes(1)).expect("room");
    assert_eq!(count(), 1);
    file.write_all(&bytes(2)).expect_err("the disk is full");
    drop(file);
    assert_eq!(count(), 0);
    let file = store.new_file().expect("room").finish().expect("room");
    assert_eq!(count(), 1);
    drop(file);
    assert_eq!(count(), 0);
}

#[test]
fn a_checkpoint_takes_nothing_of_what_is_kept_free() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = StoreOptions { reserve_bytes: u64::MAX, ..StoreOptions::default() };
    let job = {
        let store = open(folder.path(), "", false);
        store.create_job(new(Some(Uuid::new_v4()), "one")).expect("room").id
    };
    let store = Store::open(folder.path(), options).expect("a store");
    let (attempt, ()) = store.take(|_| true, |_| Some((String::new(), ()))).expect("sound").expect("it waits");
    let file = store.new_file().expect("room").finish().expect("room");
    assert_eq!(store.keep_checkpoint(&attempt, file, 1.0), Err(StoreError::Full));
    assert!(store.job("a", job).is_some_and(|job| attempt.is_current(&job) && job.checkpoint == 0));
    assert_eq!(std::fs::read_dir(folder.path().join("incoming")).expect("it is there").count(), 0);
}

#[test]
fn without_room_for_the_ledger_all_is_refused_and_the_store_stays_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let job = {
        let store = open(folder.path(), "", false);
        store.create_job(new(Some(Uuid::new_v4()), "one")).expect("room").id
    };
    let options = StoreOptions { reserve_bytes: 0, ledger_bytes: u64::MAX, ..StoreOptions::default() };
    let store = Store::open(folder.path(), options).expect("it is read");
    assert_eq!(store.check_disk(0), Err(StoreError::Full), "volumes leave it to the ledger");
    assert_eq!(store.cancel_job("a", job, &actor()).map(drop), Err(StoreError::Full));
    assert_eq!(store.take(|_| true, |_| Some((String::new(), ()))).map(drop), Err(StoreError::Full));
    assert!(store.is_sound() && !store.has_ledger_room() && store.job("a", job).is_some());
    drop(store);
    let store = open(folder.path(), "", false);
    assert!(store.has_ledger_room());
    let cancelled = store.cancel_job("a", job, &actor()).expect("there is room");
    assert_eq!(cancelled.state(), JobState::Cancelled);
}
