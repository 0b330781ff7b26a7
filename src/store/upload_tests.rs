//! Uploads that meet others of the same bytes, deletion, and results.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::at_once_tests::new;
use super::conformance::actor;
use super::volumes::{Begun, Open};
use super::{Beginning, Needed, NewJob, Outcome, Store, StoreError, StoreOptions, Upload, VolumeDigest};

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

/// A volume that an unfinished job needs, whose file is damaged, and set aside.
fn damaged(store: &Store) {
    let mut whole = begin(store);
    store.add(&mut whole, BYTES).expect("room").expect("complete");
    store.leave(&whole).expect("complete");
    let needed = Needed { field: "activity".to_owned(), digest: digest(), size_bytes: BYTES.len() as u64 };
    let job = NewJob { inputs: vec![needed], ..new(Some(Uuid::new_v4()), "one") };
    store.create_job(job).expect("room");
    std::fs::write(store.folders.volume("a", &digest()), b"other").expect("it is there");
    assert_eq!(read(store), Err(StoreError::VolumeDamaged(digest())));
}

#[test]
fn an_abandoned_upload_in_place_of_a_damaged_volume_expires_before_its_job() {
    let (_folder, store) = store();
    damaged(&store);
    let mut abandoned = begin(&store);
    store.add(&mut abandoned, &BYTES[..5]).expect("room");
    let volume = store.leave(&abandoned).expect("room");
    let expires = volume.expires().expect("an upload expires, whoever needs it");
    assert!(expires <= SystemTime::now() + store.options().upload_ttl);
    let used = || store.published.read(|state| (state.tenant("a").expect("known").bytes, state.reserved_bytes));
    assert_eq!(used(), (BYTES.len() as u64, BYTES.len() as u64 - 5));
    assert_eq!(store.remove_expired(expires - Duration::from_millis(1)), Ok(0));
    assert_eq!(store.remove_expired(expires), Ok(1));
    assert_eq!(used(), (0, 0), "it counts no more");
    assert!(!store.folders.volume("a", &digest()).exists(), "nor does its file stay");
    assert_eq!(read(&store), Err(StoreError::VolumeDamaged(digest())), "the job needs it as before");
    assert_eq!(store.delete_volume(&actor("a"), digest()), Err(StoreError::VolumeInUse));
    assert_eq!(store.remove_expired(expires), Ok(0), "there is nothing more to do");
    let mut again = begin(&store);
    store.add(&mut again, BYTES).expect("room").expect("complete");
    assert_eq!(store.leave(&again).expect("complete").expires(), None, "the job keeps it");
    assert_eq!(read(&store).expect("whole"), BYTES);
}

#[test]
fn the_end_of_its_job_does_not_keep_an_abandoned_upload() {
    let (_folder, store) = store();
    damaged(&store);
    let mut abandoned = begin(&store);
    store.add(&mut abandoned, &BYTES[..5]).expect("room");
    let expires = store.leave(&abandoned).expect("room").expires().expect("an upload expires");
    let job = store.jobs("a", None, &[], 1).remove(0);
    store.cancel_job("a", job.id, &actor("a")).expect("it waits");
    let volume = store.volume("a", &digest()).expect("it is there");
    assert_eq!(volume.expires(), Some(expires), "it goes by its last byte");
    assert_eq!(store.remove_expired(expires), Ok(1));
    assert_eq!(store.volume("a", &digest()), None);
}

#[test]
fn an_upload_that_goes_on_is_kept_from_its_last_byte_on() {
    let (_folder, store) = store();
    let mut upload = begin(&store);
    let expires = store.volume("a", &digest()).and_then(|volume| volume.expires()).expect("an upload expires");
    std::thread::sleep(Duration::from_millis(30));
    store.add(&mut upload, &BYTES[..5]).expect("room");
    // The bytes came too soon after the beginning to be noted by themselves.
    assert_eq!(store.remove_expired(expires + Duration::from_millis(10)), Ok(0));
    let complete = store.add(&mut upload, &BYTES[5..]).expect("room").expect("complete");
    assert!(complete.is_complete());
    assert_eq!(read(&store).expect("whole"), BYTES);
}

#[test]
fn a_sweep_forgets_uploads_that_are_gone_and_no_call_works_on() {
    let (_folder, store) = store();
    let known = || store.uploads.count();
    let upload = begin(&store);
    store.delete_volume(&actor("a"), digest()).expect("no job needs it");
    store.remove_expired(SystemTime::now()).expect("it can be written");
    assert_eq!(known(), 1, "its caller is told how it ended");
    assert_eq!(store.leave(&upload), Err(StoreError::VolumeNotFound));
    let left = begin(&store);
    store.leave(&left).expect("room");
    store.remove_expired(SystemTime::now()).expect("it can be written");
    assert_eq!(known(), 1, "it may go on");
    store.delete_volume(&actor("a"), digest()).expect("no job needs it");
    store.remove_expired(SystemTime::now()).expect("it can be written");
    assert_eq!(known(), 0);
}
