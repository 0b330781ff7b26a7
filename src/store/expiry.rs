//! The sweep: once a minute, what is past its time goes.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::change::{Change, Done, What};
use super::endings::gone;
use super::record::{Phase, VolumeRecord};
use super::state::State;
use super::told::by_itself;
use super::{Store, StoreError, VolumeDigest};
use crate::audit::{Event, Record};

/// Time between two sweeps.
const PAUSE: Duration = Duration::from_secs(60);
/// Most things that one transaction removes.
const MOST_TOGETHER: usize = 1000;

impl Store {
    /// Begins to sweep. It ends when the store is dropped.
    ///
    /// # Errors
    /// [`std::io::Error`] if the system has no thread left.
    pub fn start_sweep(self: &Arc<Self>) -> std::io::Result<()> {
        let store = Arc::downgrade(self);
        thread::Builder::new().name("store sweep".into()).spawn(move || sweep(&store)).map(drop)
    }

    /// Removes what is past its time. The number of things that were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn remove_expired(&self, now: SystemTime) -> Result<usize, StoreError> {
        // What arrived since it was noted last keeps its upload for the full time.
        self.sync_uploads();
        let mut all = 0;
        // Those who write do not wait for a look that finds nothing.
        while self.published.read(|state| has_expired(state, now)) {
            let removed = self.writer.write(move |state| {
                let (changes, events) = expired(state, now);
                Ok(Done { value: changes.len(), changes, events })
            })?;
            all += removed;
            if removed < MOST_TOGETHER {
                break;
            }
        }
        self.forget_uploads(|tenant, digest, upload| {
            let phase = self.volume(tenant, digest).map(|volume| volume.phase);
            !matches!(phase, Some(Phase::Uploading { upload: own, .. }) if own == upload)
        });
        Ok(all)
    }
}

/// What becomes of a volume that is past its time; none of one that stays, or goes with the last of its jobs.
fn past(digest: VolumeDigest, volume: &VolumeRecord, now: SystemTime) -> Option<What> {
    if !volume.is_expired(now) {
        None
    } else if !volume.is_referenced() {
        Some(What::NoVolume(digest))
    } else if volume.is_uploading() {
        // Jobs refer to it from before it was damaged, and nobody goes on with sending it again.
        Some(What::Volume(digest, VolumeRecord { phase: Phase::Damaged, ..volume.clone() }))
    } else {
        None
    }
}

fn has_expired(state: &State, now: SystemTime) -> bool {
    state.tenants.values().any(|tenant| {
        tenant.jobs.values().any(|job| job.is_expired(now))
            || tenant.volumes.iter().any(|(digest, volume)| past(*digest, volume, now).is_some())
            || tenant.requests.values().any(|request| request.is_over(now))
    })
}

/// What is past its time: jobs with their results, then volumes and uploads, then request ids.
fn expired(state: &State, now: SystemTime) -> (Vec<Change>, Vec<Record>) {
    let (mut changes, mut events) = (Vec::new(), Vec::new());
    for (name, tenant) in &state.tenants {
        // Jobs may share results: each sees what the ones before let go of. Of all else nothing is copied.
        let (mut work, mut seen) = (State::default(), BTreeSet::new());
        for job in tenant.jobs.values().filter(|job| job.is_expired(now)) {
            if changes.len() >= MOST_TOGETHER {
                break;
            }
            let request = tenant.requests.get(&job.request_id);
            let request = request.map(|request| What::Request(job.request_id, request.clone()));
            let results = job.results.iter().filter(|digest| seen.insert(**digest));
            let results = results.filter_map(|digest| Some(What::Volume(*digest, tenant.volumes.get(digest)?.clone())));
            request.into_iter().chain(results).for_each(|what| work.apply(&Change::new(name, what)));
            let made = gone(&work, name, job, job.expires.unwrap_or(now), now);
            made.iter().for_each(|change| work.apply(change));
            changes.extend(made);
            events.push(by_itself(Event::JobExpired, name, job));
        }
        for (digest, volume) in &tenant.volumes {
            if changes.len() >= MOST_TOGETHER {
                break;
            }
            if let Some(what) = past(*digest, volume, now) {
                changes.push(Change::new(name, what));
                let results = vec![digest.to_string()];
                let tenant = Some(name.to_string());
                events.push(Record { tenant, results, ..Record::now(Event::VolumeExpired) });
            }
        }
        for (id, _) in tenant.requests.iter().filter(|(_, request)| request.is_over(now)) {
            if changes.len() >= MOST_TOGETHER {
                break;
            }
            changes.push(Change::new(name, What::NoRequest(*id)));
        }
    }
    (changes, events)
}

fn sweep(store: &Weak<Store>) {
    let mut next = Instant::now() + PAUSE;
    loop {
        // Short naps, so that a store that is dropped is not held.
        thread::sleep(Duration::from_millis(500));
        let Some(store) = store.upgrade() else { return };
        if Instant::now() < next {
            continue;
        }
        next = Instant::now() + PAUSE;
        if !store.clock.is_right(&store.options().faults) {
            return;
        }
        match store.remove_expired(store.clock.due()) {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "things past their time were removed"),
            Err(error) => tracing::error!(%error, "what is past its time cannot be removed"),
        }
    }
}
