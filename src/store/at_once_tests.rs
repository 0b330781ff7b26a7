//! What is answered while the disk is busy: refusals, and jobs that are known.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use uuid::Uuid;

use super::change::Done;
use super::conformance::actor;
use super::{Estimate, NewJob, Store, StoreError, StoreOptions};
use crate::jobs::Priority;

pub(super) fn new(request_id: Option<Uuid>, spec: &str) -> NewJob {
    NewJob {
        actor: actor("a"),
        request_id,
        spec: Arc::from(spec.as_bytes()),
        spec_sha256: spec.to_owned(),
        nuclide: "Lu-177".to_owned(),
        method: "local".to_owned(),
        priority: Priority::default(),
        estimate: Estimate::default(),
        inputs: Vec::new(),
        trace: None,
    }
}

#[test]
fn refusals_and_known_jobs_do_not_wait_for_the_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = StoreOptions { reserve_bytes: 0, queue_length: 1, ..StoreOptions::default() };
    let store = Arc::new(Store::open(folder.path(), options).expect("a store"));
    let id = Uuid::new_v4();
    let job = store.create_job(new(Some(id), "one")).expect("room");
    // The thread that writes is held, as by a slow sync.
    let (release, held) = channel::<()>();
    let (begun, begins) = channel();
    let (writing, looking) = (store.clone(), store.clone());
    let writer = std::thread::spawn(move || {
        writing.writer.write(move |_| {
            begun.send(()).expect("the test listens");
            let _ = held.recv();
            Ok(Done::unchanged(()))
        })
    });
    begins.recv().expect("it begins");
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let refused = [
            looking.place("a", Some(Uuid::new_v4())).map(|_| None),
            looking.create_job(new(Some(Uuid::new_v4()), "two")).map(Some),
            looking.create_job(new(None, "three")).map(Some),
            looking.create_job(new(Some(id), "another")).map(Some),
        ];
        let known =
            (looking.place("a", Some(id)).map(|place| place.is_some()), looking.create_job(new(Some(id), "one")));
        let _ = tell.send((refused, known));
    });
    let answers = told.recv_timeout(Duration::from_secs(60));
    drop(release);
    writer.join().expect("no panic").expect("it is sound");
    let (refused, (place, known)) = answers.expect("nobody waits for the disk");
    let [places, busy, checked, used] = refused.map(|refused| refused.expect_err("there is no room"));
    for refusal in [places, busy, checked] {
        assert!(matches!(refusal, StoreError::Busy { .. }), "{refusal}");
    }
    assert_eq!(used, StoreError::RequestIdUsed { job: job.id });
    assert_eq!((place, known.map(|known| known.id)), (Ok(false), Ok(job.id)));
}

#[test]
fn a_job_on_its_way_has_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = StoreOptions { reserve_bytes: 0, queue_length: 3, tenant_jobs: 2, ..StoreOptions::default() };
    let store = Store::open(folder.path(), options).expect("a store");
    let place = |tenant: &str, id: Option<Uuid>| store.place(tenant, id);
    let ids = [(); 4].map(|()| Uuid::new_v4());
    let first = place("a", Some(ids[0])).expect("room").expect("it is new");
    // Once it is in the ledger it counts there alone.
    store.create_job(new(Some(ids[0]), "one")).expect("room");
    let second = place("a", Some(ids[1])).expect("room").expect("it is new");
    let refused = place("a", Some(ids[2])).expect_err("two of this tenant");
    assert!(matches!(refused, StoreError::OverQuota { used: 2, needed: 1, limit: 2, .. }), "{refused}");
    let third = place("b", Some(ids[2])).expect("room").expect("it is new");
    assert!(matches!(place("b", Some(ids[3])), Err(StoreError::Busy { .. })), "three in all");
    assert!(matches!(place("c", None), Err(StoreError::Busy { .. })), "who asks whether there is room hears the same");
    for known in [("a", ids[0]), ("a", ids[1]), ("b", ids[2])] {
        assert!(place(known.0, Some(known.1)).expect("it was asked before").is_none());
    }
    // Whoever gives a place back leaves it to others.
    drop((first, second, third));
    assert!(place("a", Some(ids[0])).expect("it is known").is_none());
    assert!(place("c", None).expect("room").is_none() && place("b", Some(ids[3])).is_ok());
}
