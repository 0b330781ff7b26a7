//! The store behind the services of volumes and jobs, and what this process knows of the jobs that run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tonic::{Code, Request, Status};
use uuid::Uuid;

use super::identity::{Role, caller_of};
use super::service::Shared;
use super::status::refused;
use crate::domain::{DoseError, Progress};
use crate::store::{Actor, Store, StoreError};

/// The store, and how far the jobs are that run in this process.
#[derive(Clone, Debug)]
pub(super) struct Durable {
    pub(super) store: Arc<Store>,
    running: Arc<Mutex<HashMap<Uuid, Progress>>>,
}

impl Durable {
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self { store, running: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Progress>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far a job is, while it runs.
    pub(super) fn progress(&self, id: Uuid) -> Option<Progress> {
        self.lock().get(&id).copied()
    }

    /// Notes how far a job is; none once it does not run any more.
    pub(super) fn note_progress(&self, id: Uuid, progress: Option<Progress>) {
        match progress {
            Some(progress) => self.lock().insert(id, progress),
            None => self.lock().remove(&id),
        };
    }
}

impl Shared {
    /// The store.
    ///
    /// # Errors
    /// UNIMPLEMENTED `NO_STORE` if there is none.
    pub(super) fn store(&self) -> Result<&Durable, Status> {
        self.durable.as_ref().ok_or_else(|| {
            let message = "this server has no store; start it with --store, or use Compute, which needs none";
            refused(Code::Unimplemented, "NO_STORE", message, [])
        })
    }

    /// The store, and who acts on it.
    ///
    /// # Errors
    /// UNIMPLEMENTED `NO_STORE` if there is none; UNAVAILABLE while the server drains; PERMISSION_DENIED.
    pub(super) fn durable<T>(&self, request: &Request<T>, role: Role) -> Result<(Durable, Actor), Status> {
        let durable = self.store()?;
        self.check_open()?;
        let caller = caller_of(request.extensions());
        caller.require(role)?;
        let actor = Actor { tenant: caller.tenant, name: caller.name, peer: caller.peer };
        Ok((durable.clone(), actor))
    }
}

/// Works with the store on a thread that serves no connection.
///
/// # Errors
/// As [`storing`].
pub(super) async fn blocking<T: Send + 'static>(
    durable: &Durable,
    work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Status> {
    let store = durable.store.clone();
    storing(move || work(&store)).await
}

/// Reads or writes files on a thread that serves no connection.
///
/// # Errors
/// Those of the work; INTERNAL if it panicked.
pub(super) async fn storing<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Status> {
    let done = tokio::task::spawn_blocking(work).await;
    let panicked = |_| Status::from(DoseError::Internal("a part of the request ended without a result".into()));
    Ok(done.map_err(panicked)??)
}
