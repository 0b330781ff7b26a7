//! Results that several jobs make: each job keeps them to its own end, whatever becomes of those of the others.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::at_once_tests::new;
use super::change::{Change, What};
use super::conformance::actor;
use super::endings::gone;
use super::record::{RequestRecord, VolumeRecord};
use super::state::State;
use super::{Beginning, JobRecord, Outcome, Phase, Store, StoreOptions, VolumeDigest};

const BYTES: &[u8] = b"a dose";

fn open(folder: &std::path::Path, options: StoreOptions) -> Store {
    Store::open(folder, StoreOptions { reserve_bytes: 0, ..options }).expect("a store")
}

/// A job that succeeded, with the same result as all others.
fn made(store: &Store) -> Arc<JobRecord> {
    let job = store.create_job(new(Some(Uuid::new_v4()), "one")).expect("room");
    let taken = store.take(|_| true, |_| Some(("cpu".to_owned(), ()))).expect("it can be written");
    let (attempt, ()) = taken.expect("it waits");
    let mut file = store.new_file().expect("room");
    file.write_all(BYTES).expect("room");
    let volumes = vec![file.finish().expect("room")];
    let outcome = Outcome::Succeeded { result: Arc::from(&b"a result"[..]), volumes };
    assert!(store.end_attempt(&attempt, 0.0, outcome).expect("it can be written"));
    store.job("a", job.id).expect("it is there")
}

fn known(store: &Store) -> Option<VolumeRecord> {
    store.volume("a", &VolumeDigest::of_bytes(BYTES))
}

#[test]
fn a_job_that_lost_its_result_takes_none_of_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let digest = VolumeDigest::of_bytes(BYTES);
    let store = open(folder.path(), StoreOptions::default());
    let first = made(&store);
    let second = made(&store);
    store.delete_volume(&actor("a"), digest).expect("no job needs it");
    assert!(known(&store).is_none());
    let lost = store.job("a", first.id).expect("it stays");
    assert_eq!((&lost.results, &lost.life), (&vec![], &first.life), "what callers see of it stays as it was");
    assert_eq!(lost.all_results().collect::<Vec<_>>(), [&digest], "the audit log and exports name it");
    let third = made(&store);
    store.delete_job("a", first.id, &actor("a")).expect("it is finished");
    assert_eq!(known(&store).map(|volume| volume.results), Some(1));
    drop(store);
    let store = open(folder.path(), StoreOptions::default());
    store.delete_job("a", second.id, &actor("a")).expect("it is finished");
    assert!(store.read_volume("a", digest).is_ok(), "the third has it still");
    store.delete_job("a", third.id, &actor("a")).expect("it is finished");
    assert!(known(&store).is_none());
}

#[test]
fn a_job_that_expired_takes_nothing_that_came_after() {
    let folder = tempfile::tempdir().expect("a folder");
    let ttl = Duration::from_secs(2);
    let store =
        open(folder.path(), StoreOptions { job_ttl: ttl, volume_ttl: Duration::ZERO, ..StoreOptions::default() });
    let expires = made(&store).expires.expect("it is finished");
    std::thread::sleep(expires.duration_since(SystemTime::now()).unwrap_or_default());
    assert!(known(&store).is_none());
    // Before the sweep, somebody sends the same bytes, and another job makes them.
    let begun = store.upload(&actor("a"), VolumeDigest::of_bytes(BYTES), BYTES.len() as u64, 0).expect("room");
    let Beginning::Open(mut upload) = begun else { panic!("it had expired") };
    store.add(&mut upload, BYTES).expect("room");
    store.leave(&upload).expect("room");
    let until = made(&store).expires.expect("it is finished");
    store.remove_expired(until - Duration::from_millis(1)).expect("it can be written");
    assert_eq!(store.published.read(|state| state.tenants["a"].jobs.len()), 1, "the first was swept");
    let digest = VolumeDigest::of_bytes(BYTES);
    let kept = store.published.read(|state| state.tenants["a"].volumes.get(&digest).map(|volume| volume.results));
    assert_eq!(kept, Some(1), "the second keeps it");
}

#[test]
fn a_result_is_counted_until_the_last_of_its_expired_jobs_is_swept() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path(), StoreOptions::default());
    let job = made(&store);
    let until = job.expires.expect("it is finished");
    let digest = job.results[0];
    let shared = VolumeRecord {
        size_bytes: 1,
        phase: Phase::Complete,
        inputs: 0,
        results: 2,
        kept_until: None,
        results_until: Some(until),
        key: None,
    };
    let (mut state, name) = (State::default(), Arc::from("a"));
    state.apply(&Change::new(&name, What::Volume(digest, shared)));
    for left in [Some(1), None] {
        let changes = gone(&state, &name, &job, until, until);
        changes.iter().for_each(|change| state.apply(change));
        let volume = state.tenants["a"].volumes.get(&digest);
        assert_eq!(volume.map(|volume| volume.results), left);
        assert!(volume.is_none_or(|volume| volume.is_expired(until)), "nobody sees it");
    }
}

#[test]
fn a_request_id_is_kept_for_a_day_from_the_end_of_its_job() {
    const DAY: Duration = Duration::from_secs(86_400);
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path(), StoreOptions::default());
    let kept = |id: Uuid| store.published.read(|state| state.tenants["a"].requests.get(&id).cloned());
    // Deleted: from then on.
    let deleted = made(&store);
    let before = SystemTime::now();
    store.delete_job("a", deleted.id, &actor("a")).expect("it is finished");
    let until = kept(deleted.request_id).and_then(|request| request.kept_until).expect("it is kept");
    assert!((before + DAY..=SystemTime::now() + DAY).contains(&until));
    // Expired: from its time on, however late the sweep comes.
    let expired = made(&store);
    let expires = expired.expires.expect("it is finished");
    store.remove_expired(expires + DAY / 2).expect("it can be written");
    let until = kept(expired.request_id).and_then(|request| request.kept_until);
    assert_eq!(until, Some(expires + DAY));
    let later = made(&store);
    let expires = later.expires.expect("it is finished");
    store.remove_expired(expires + 2 * DAY).expect("it can be written");
    store.remove_expired(expires + 2 * DAY).expect("it can be written");
    assert_eq!(kept(later.request_id), None);
}

#[test]
fn a_request_id_is_free_before_the_sweep_and_its_next_job_keeps_it() {
    let ended = SystemTime::now();
    let (id, digest) = (Uuid::new_v4(), VolumeDigest::of_bytes(BYTES));
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path(), StoreOptions::default());
    let old = JobRecord { request_id: id, expires: Some(ended), results: vec![digest], ..(*made(&store)).clone() };
    let request = |job: Uuid| RequestRecord { spec_sha256: String::new(), job, kept_until: None };
    let (mut state, name) = (State::default(), Arc::from("a"));
    state.apply(&Change::new(&name, What::Job(Arc::new(old.clone()))));
    state.apply(&Change::new(&name, What::Request(id, request(old.id))));
    let is_known =
        |state: &State, after: u64| state.tenants["a"].request(&id, ended + Duration::from_secs(after)).is_some();
    assert!(is_known(&state, 86_399) && !is_known(&state, 86_400));
    let next = Uuid::new_v4();
    state.apply(&Change::new(&name, What::Request(id, request(next))));
    let changes = gone(&state, &name, &old, ended, ended);
    changes.iter().for_each(|change| state.apply(change));
    let kept = state.tenants["a"].requests.get(&id).map(|request| (request.job, request.kept_until));
    assert_eq!(kept, Some((next, None)), "the old job leaves it to the next");
}
