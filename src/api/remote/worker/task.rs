//! One order on its way: fetched, computed, reported.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::super::messages::{Lease, Order, What};
use super::Worker;
use super::desk::RemoteDesk;
use super::lead::{self, Lead};
use super::reports;
use crate::api::attempt;
use crate::api::desk::Desk;
use crate::domain::{DoseError, Progress};
use crate::store::Outcome;

/// Reasons of a failed attempt that are those of the disk where it was worked on.
const OF_THE_DISK: [&str; 2] = ["STORE_FULL", "STORE_UNAVAILABLE"];

pub(super) fn cache_fault(reason: &str) -> DoseError {
    DoseError::Io(format!("the cache cannot be used: {reason}"))
}

/// What is known of an order that is worked on.
#[derive(Debug)]
pub(super) struct Doing {
    lease: Lease,
    is_gone: AtomicBool,
    changes: watch::Sender<u64>,
    progress: Mutex<Option<Progress>>,
}

impl Doing {
    pub(super) fn new(lease: Lease) -> Self {
        Self { lease, is_gone: AtomicBool::new(false), changes: watch::channel(0).0, progress: Mutex::default() }
    }

    pub(super) fn lease(&self) -> Lease {
        self.lease
    }

    /// The job went on without this worker, or all is dealt with.
    pub(super) fn leave(&self) {
        self.is_gone.store(true, Ordering::Release);
        self.changes.send_modify(|count| *count += 1);
    }

    pub(super) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Waits until it is gone.
    pub(super) async fn gone(&self) {
        let mut changes = self.changes();
        while !self.is_gone() {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    pub(super) fn note(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }

    pub(super) fn progress(&self) -> Option<Progress> {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Works on an order to its end, which is when the gateway has dealt with it or given the job to another.
pub(super) async fn perform(worker: &Arc<Worker>, order: Order, doing: &Arc<Doing>) {
    let lead = if order.is_small { None } else { Some(Arc::new(Lead::new(worker.shared.budget.clone()))) };
    let fetched = tokio::select! {
        fetched = RemoteDesk::fetch(worker, order, doing) => Some(fetched),
        () = doing.gone() => return,
        () = worker.shared.draining.cancelled() => None,
    };
    let desk = match fetched {
        Some(Err(error)) => {
            worker.fail(cache_fault(&error.to_string()));
            None
        }
        Some(Ok(desk)) => Some(desk),
        None => None,
    };
    let (what, device_s) = match desk {
        None => (Some((What::Released, Vec::new())), 0.0),
        Some(desk) => {
            let (outcome, device_s) = match lead {
                None => attempt::perform(&worker.shared, &(Arc::new(desk) as Arc<dyn Desk>)).await,
                Some(lead) => {
                    let desk: Arc<dyn Desk> = Arc::new(desk.leading(lead.clone()));
                    let done = tokio::select! {
                        done = attempt::perform(&worker.shared, &desk) => done,
                        never = lead::answer(worker, doing, &lead) => match never {},
                    };
                    if lead.added() > 0 {
                        tracing::info!(job = %doing.lease().job, parts = lead.added(), "helpers ran parts of the job");
                    }
                    done
                }
            };
            let what = match outcome {
                None => None,
                Some(Outcome::Succeeded { result, volumes }) => {
                    Some(reports::results(worker, doing.lease(), &result, volumes))
                }
                // There is no store here: it is the disk of this worker that is full, or fails.
                Some(Outcome::Failed(fault)) if OF_THE_DISK.contains(&&*fault.reason) => {
                    worker.fail(cache_fault(&fault.message));
                    Some((What::Released, Vec::new()))
                }
                Some(Outcome::Failed(fault)) => Some((What::Failed(fault), Vec::new())),
                Some(Outcome::Lost { .. }) => Some((What::DeviceLost, Vec::new())),
                Some(Outcome::Released) => {
                    worker.check_device();
                    Some((What::Released, Vec::new()))
                }
            };
            (what, device_s)
        }
    };
    if matches!(what, Some((What::Released, _))) {
        // Told before, it would be given to this worker again.
        tokio::select! {
            () = worker.shared.draining.cancelled() => {}
            () = doing.gone() => {}
        }
    }
    match what {
        None => tracing::info!(job = %doing.lease().job, "an order is gone"),
        Some((what, files)) => reports::report(worker, doing, what, files, device_s).await,
    }
}
