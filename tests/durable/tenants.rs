//! What belongs to another tenant does not exist.

use std::sync::Arc;

use dosegrid::domain::Invalid;
use dosegrid::jobs::Priority;
use dosegrid::store::{
    Actor, Beginning, Estimate, JobRecord, Needed, NewJob, Store, StoreError, StoreOptions, VolumeDigest,
};
use uuid::Uuid;

fn actor(tenant: &str) -> Actor {
    Actor { tenant: tenant.to_owned(), name: "test".to_owned(), peer: String::new() }
}

fn store(tenant_bytes: u64) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let options = StoreOptions { reserve_bytes: 0, tenant_bytes, ..StoreOptions::default() };
    let store = Store::open(&folder.path().join("store"), options).expect("a store");
    (folder, store)
}

fn put(store: &Store, tenant: &str, bytes: &[u8]) -> Result<VolumeDigest, StoreError> {
    let name = VolumeDigest::parse(&super::name(bytes)).map_err(|Invalid(reason)| panic!("{reason}"))?;
    if let Beginning::Open(mut upload) = store.upload(&actor(tenant), name, bytes.len() as u64, 0)? {
        store.add(&mut upload, bytes)?.expect("all bytes are there");
    }
    Ok(name)
}

fn create(store: &Store, tenant: &str, input: VolumeDigest, result_bytes: u64) -> Result<Arc<JobRecord>, StoreError> {
    store.create_job(NewJob {
        actor: actor(tenant),
        request_id: Some(Uuid::new_v4()),
        spec: Arc::from(&b"a specification"[..]),
        spec_sha256: String::new(),
        nuclide: "Lu-177".to_owned(),
        method: "local".to_owned(),
        priority: Priority::Normal,
        estimate: Estimate { result_bytes, ..Estimate::default() },
        inputs: vec![Needed { field: "activity.digest".to_owned(), digest: input, size_bytes: 4 }],
        trace: None,
    })
}

#[test]
fn one_tenant_finds_nothing_of_another() {
    let (_folder, store) = store(1000);
    let name = put(&store, "a", b"abcd").expect("room");
    let job = create(&store, "a", name, 10).expect("a good job");
    assert_eq!(store.read_volume("b", name).expect_err("another's"), StoreError::VolumeNotFound);
    assert_eq!(store.check_volumes("b", &[name]).expect("readable"), [None]);
    assert_eq!(store.delete_volume(&actor("b"), name).expect_err("another's"), StoreError::VolumeNotFound);
    assert_eq!(create(&store, "b", name, 10).expect_err("not there"), StoreError::VolumesMissing(vec![name]));
    assert!(store.job("b", job.id).is_none() && store.jobs("b", None, &[], 10).is_empty());
    for refused in [
        store.cancel_job("b", job.id, &actor("b")).map(drop),
        store.delete_job("b", job.id, &actor("b")),
        store.spec("b", job.id).map(drop),
    ] {
        assert_eq!(refused.expect_err("another's"), StoreError::JobNotFound);
    }
    assert_eq!(store.job("a", job.id).as_deref(), Some(&*job));
    // The same bytes are stored twice: neither quota tells of the other's.
    assert_eq!(put(&store, "b", b"abcd").expect("room"), name);
    store.delete_volume(&actor("b"), name).expect("its own");
    assert_eq!(store.read_volume("a", name).expect("its own").size_bytes(), 4);
}

#[test]
fn results_are_reserved_and_quotas_are_each_tenants_own() {
    let (_folder, store) = store(100);
    let name = put(&store, "a", b"abcd").expect("room");
    let job = create(&store, "a", name, 90).expect("94 of 100");
    let refused = create(&store, "a", name, 7).expect_err("they are reserved");
    assert!(matches!(refused, StoreError::OverQuota { used: 94, limit: 100, needed: 7, .. }), "{refused:?}");
    let other = put(&store, "b", b"abcd").expect("its own quota");
    create(&store, "b", other, 90).expect("its own quota");
    store.cancel_job("a", job.id, &actor("a")).expect("it is there");
    create(&store, "a", name, 96).expect("they are free again");
}

#[test]
fn what_was_answered_is_there_when_the_store_is_opened_again() {
    let (folder, store) = store(1 << 20);
    let name = put(&store, "a", b"abcd").expect("room");
    let job = create(&store, "a", name, 10).expect("a good job");
    let (taken, ()) = store.take(|_| true, |_| Some(("cpu".to_owned(), ()))).expect("sound").expect("it waits");
    assert_eq!((taken.job.id, taken.job.life.attempts()), (job.id, 1));
    drop(store);
    let store = Store::open(&folder.path().join("store"), StoreOptions::default()).expect("the same");
    let again = store.job("a", job.id).expect("it is there");
    assert_eq!((again.life.attempts(), again.is_first), (1, true), "it waits again");
    assert_eq!(store.spec("a", job.id).expect("it is there"), b"a specification");
    assert_eq!(store.read_volume("a", name).expect("it is there").size_bytes(), 4);
    let audit = dosegrid::audit::verify(&folder.path().join("store/audit"), None).expect("readable").expect("intact");
    assert_eq!(audit.records, 3, "stored, created, started");
}
