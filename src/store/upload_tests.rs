//! Uploads that meet others of the same bytes, deletion, and results.

use std::io::Write;
use std::sync::Arc;

use uuid::Uuid;

use super::at_once_tests::new;
use super::conformance::actor;
use super::volumes::{Begun, Open};
use super::{Beginning, Outcome, Store, StoreError, StoreOptions, Upload, VolumeDigest};

const BYTES: &[u8] = b"the bytes of a volume";

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path(), StoreOptions { reserve_bytes: 0, ..StoreOptions::default() });
    (folder, store.expect("a store"))
}

fn digest() -> VolumeDigest {
    VolumeDigest::of_bytes(BYTES)
}

fn begin(store: &Store) -> Upload {
    match store.upload(&actor("a"), digest(), BYTES.len() as u64, 0).expect("room") {
        Beginning::Open(upload) => upload,
        Beginning::Complete(volume) => panic!("{volume:?}"),
    }
}

/// What a caller hears of the ledger, who then takes its time.
fn heard(store: &Store) -> Open {
    match store.begin_upload("a", digest(), BYTES.len() as u64, 0).expect("room") {
        Begun::Open(open) => open,
        Begun::Complete(volume) => panic!("{volume:?}"),
    }
}

/// The whole volume, as it is read.
fn read(store: &Store) -> Result<Vec<u8>, StoreError> {
    let mut reading = store.read_volume("a", digest())?;
    let mut whole = Vec::new();
    while let Some((_, piece)) = reading.next(store)? {
        whole.extend(piece);
    }
    Ok(whole)
}

/// A caller who heard of an upload before it was over leaves the volume as it is.
fn joins_late(store: &Store, open: Open) {
    match store.join_upload(&actor("a"), digest(), BYTES.len() as u64, 0, open).expect("it is there") {
        Beginning::Complete(volume) => assert!(volume.is_complete()),
        Beginning::Open(mut upload) => {
            store.add(&mut upload, &BYTES[..3]).expect("room");
            store.leave(&upload).expect("it is there");
        }
    }
    assert_eq!(read(store).expect("whole"), BYTES);
}

#[test]
fn what_another_caller_completed_is_not_begun_anew() {
    let (_folder, store) = store();
    let mut first = begin(&store);
    let open = heard(&store);
    store.add(&mut first, BYTES).expect("room").expect("complete");
    store.leave(&first).expect("complete");
    joins_late(&store, open);
}

#[test]
fn a_result_is_not_taken_for_a_part_of_an_upload() {
    for is_begun in [false, true] {
        let (_folder, store) = store();
        let open = heard(&store);
        if is_begun {
            // A caller that was cut off.
            let mut cut = begin(&store);
            store.add(&mut cut, &BYTES[..5]).expect("room");
            store.leave(&cut).expect("room");
        }
        store.create_job(new(Some(Uuid::new_v4()), "one")).expect("room");
        let taken = store.take(|_| true, |_| Some(("cpu".to_owned(), ()))).expect("it can be written");
        let (attempt, ()) = taken.expect("it waits");
        let mut file = store.new_file().expect("room");
        file.write_all(BYTES).expect("room");
        let volumes = vec![file.finish().expect("room")];
        let outcome = Outcome::Succeeded { result: Arc::from(&b"a result"[..]), volumes };
        assert!(store.end_attempt(&attempt, 0.0, outcome).expect("it can be written"));
        joins_late(&store, open);
    }
}

#[test]
fn an_upload_that_was_deleted_does_not_end_the_next() {
    let (_folder, store) = store();
    let mut deleted = begin(&store);
    store.add(&mut deleted, &BYTES[..5]).expect("room");
    store.delete_volume(&actor("a"), digest()).expect("no job needs it");
    assert_eq!(store.check_volumes("a", &[digest()]), Ok(vec![None]), "there is nothing of it");
    let mut deleted = begin(&store);
    store.add(&mut deleted, &BYTES[..5]).expect("room");
    store.delete_volume(&actor("a"), digest()).expect("no job needs it");
    let mut next = begin(&store);
    store.add(&mut next, &BYTES[..7]).expect("room");
    assert_eq!(store.leave(&deleted), Err(StoreError::VolumeNotFound));
    // A third caller goes on with the second upload, and takes nothing from it.
    let mut third = begin(&store);
    store.add(&mut third, &BYTES[..9]).expect("room");
    let complete = store.add(&mut next, &BYTES[7..]).expect("room").expect("complete");
    assert!(complete.is_complete());
    assert_eq!(store.leave(&third).map(|volume| volume.is_complete()), Ok(true));
    assert_eq!(read(&store).expect("whole"), BYTES);
}
