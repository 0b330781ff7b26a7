//! Places for jobs that are on their way into the ledger, so that whoever finds none is told at once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use uuid::Uuid;

use super::jobs::check_places;
use super::state::{State, Tenant};
use super::{Store, StoreError};

/// A request by its tenant and id.
type Key = (String, Uuid);

/// Requests that have a place, and whose jobs may not be in the ledger yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(Arc<Mutex<BTreeSet<Key>>>);

impl Places {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<Key>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place for a job, until it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Places,
    key: Key,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().remove(&self.key);
    }
}

/// How many jobs are on their way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Coming {
    /// Of all tenants.
    pub(super) all: usize,
    /// Of the one that asks.
    pub(super) own: u64,
}

impl Coming {
    fn of(places: &BTreeSet<Key>, state: &State, tenant: &str, due: SystemTime) -> Self {
        let is_coming = |(owner, id): &&Key| state.tenant(owner).is_none_or(|owner| owner.request(id, due).is_none());
        let mut coming = Self::default();
        for (owner, _) in places.iter().filter(is_coming) {
            coming.all += 1;
            coming.own += u64::from(owner == tenant);
        }
        coming
    }
}

impl Store {
    /// A place for a job, before anything is done for it; none is needed for a request that made a job before, has a
    /// place, or is only checked.
    ///
    /// # Errors
    /// [`StoreError::Busy`], [`StoreError::OverQuota`].
    pub fn place(&self, tenant: &str, request_id: Option<Uuid>) -> Result<Option<Place>, StoreError> {
        let mut places = self.places.lock();
        let key = request_id.map(|id| (tenant.to_owned(), id));
        if key.as_ref().is_some_and(|key| places.contains(key)) {
            return Ok(None);
        }
        let (options, due) = (self.options(), self.clock.due());
        let is_known = self.published.read(|state| {
            let nothing = Tenant::default();
            let own = state.tenant(tenant).unwrap_or(&nothing);
            if request_id.is_some_and(|id| own.request(&id, due).is_some()) {
                return Ok(true);
            }
            check_places(state, own, &options, Coming::of(&places, state, tenant, due)).map(|()| false)
        })?;
        let Some(key) = key.filter(|_| !is_known) else { return Ok(None) };
        places.insert(key.clone());
        Ok(Some(Place { places: self.places.clone(), key }))
    }
}
