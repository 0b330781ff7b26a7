//! The sweep: once a minute, what is past its time goes.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::change::{Change, Done, What};
use super::jobs::gone;
use super::record::VolumeRecord;
use super::told::by_itself;
use super::{Store, StoreError};
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
        let mut all = 0;
        loop {
            let removed = self.writer.write(move |state| {
                let (changes, events) = expired(state, now);
                Ok(Done { value: changes.len(), changes, events })
            })?;
            all += removed;
            if removed < MOST_TOGETHER {
                break;
            }
        }
        self.forget_uploads(|tenant, digest| self.volume(tenant, digest).is_none());
        Ok(all)
    }
}

/// What is past its time: jobs with their results, then volumes and uploads, then request ids.
fn expired(state: &super::state::State, now: SystemTime) -> (Vec<Change>, Vec<Record>) {
    let (mut work, mut changes, mut events) = (state.clone(), Vec::new(), Vec::new());
    for (name, tenant) in &state.tenants {
        for job in tenant.jobs.values().filter(|job| job.is_expired(now)) {
            if changes.len() >= MOST_TOGETHER {
                break;
            }
            // Jobs may share results: each sees what the ones before let go of.
            let made = gone(&work, name, job, now, now);
            made.iter().for_each(|change| work.apply(change));
            changes.extend(made);
            events.push(by_itself(Event::JobExpired, name, job));
        }
    }
    // Results go with the last of their jobs.
    let is_gone = |volume: &VolumeRecord| !volume.is_referenced() && volume.is_expired(now);
    for (name, tenant) in &work.tenants {
        for (digest, _) in tenant.volumes.iter().filter(|(_, volume)| is_gone(volume)) {
            if changes.len() >= MOST_TOGETHER {
                break;
            }
            changes.push(Change::new(name, What::NoVolume(*digest)));
            let results = vec![digest.to_string()];
            let tenant = Some(name.to_string());
            events.push(Record { tenant, results, ..Record::now(Event::VolumeExpired) });
        }
        let is_over = |kept_until: Option<SystemTime>| kept_until.is_some_and(|at| at <= now);
        for (id, _) in tenant.requests.iter().filter(|(_, request)| is_over(request.kept_until)) {
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
        if !store.clock.is_right(&store.options.faults) {
            return;
        }
        match store.remove_expired(store.clock.due()) {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "things past their time were removed"),
            Err(error) => tracing::error!(%error, "what is past its time cannot be removed"),
        }
    }
}
