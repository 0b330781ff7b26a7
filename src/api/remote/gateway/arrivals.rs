//! What workers report: checkpoints and results go into the store, first and once.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::super::messages::{GATEWAY, Lease, Made, Report, What, read};
use super::Gateway;
use super::fleet::Held;
use crate::api::durable::{blocking, storing};
use crate::broker::{Delivery, Lane as Stream};
use crate::store::{NewFile, Outcome, StoreError, StoredFile};

/// How long a report may be dealt with before the broker hands it out again.
const AGAIN_AFTER: Duration = Duration::from_secs(120);
/// How often the broker hands out a report that nobody understands.
const MOST_DELIVERIES: i64 = 5;
/// Pieces that may wait to be written.
const PIECES: usize = 8;
/// Longest result, as bytes of the protocol.
const MOST_RESULT_BYTES: u64 = 256 << 20;

/// Why a report is not used now.
enum Unusable {
    /// The broker is gone, or has lost bytes: the worker sends all again.
    Lost,
    Store(tonic::Status),
}

impl From<tonic::Status> for Unusable {
    fn from(status: tonic::Status) -> Self {
        Self::Store(status)
    }
}

impl Gateway {
    pub(super) async fn take_reports(self: Arc<Self>) {
        let mut inbox = self.broker.inbox(Stream::Done, GATEWAY, AGAIN_AFTER, MOST_DELIVERIES);
        loop {
            let delivery = inbox.next().await;
            match read::<Report>(&delivery) {
                None => tracing::warn!("a report of an unknown version is left alone"),
                Some(mut report) => {
                    report.device_s = self.plausible(report.lease, report.device_s);
                    self.deal_with(report, delivery).await;
                }
            }
        }
    }

    /// What may be true of the time on the device that a worker reports: not longer than all workers together may have
    /// had it. What is no time is none.
    ///
    /// * `device_s` – as reported [s]
    fn plausible(&self, lease: Lease, device_s: f64) -> f64 {
        let started = self.fleet.get(lease).and_then(|held| held.attempt.job.life.started());
        // A clock that was set back tells nothing.
        let held = started.and_then(|started| started.elapsed().ok()).unwrap_or(self.fleet.lease);
        let workers = u32::try_from(self.fleet.names().len().max(1)).unwrap_or(u32::MAX);
        plausible(device_s, held.saturating_mul(workers))
    }

    async fn deal_with(self: &Arc<Self>, report: Report, delivery: Delivery) {
        let lease = report.lease;
        let Some(held) = self.fleet.of_worker(lease, &report.worker) else {
            // It came too late, and is not used.
            self.stop(&report.worker, lease).await;
            self.remove(&objects(&report.what)).await;
            return delivery.done().await;
        };
        if let What::Checkpoint(made) = &report.what {
            // One after another: an older one never takes the place of a newer.
            self.keep(&held, made, report.device_s).await;
            self.remove(&objects(&report.what)).await;
            return delivery.done().await;
        }
        if !self.fleet.begin_end(lease) {
            // The same report is being dealt with.
            return delivery.done().await;
        }
        let gateway = self.clone();
        drop(tokio::spawn(async move {
            gateway.finish(&held, report).await;
            delivery.done().await;
        }));
    }

    async fn keep(&self, held: &Held, made: &Made, device_s: f64) {
        if let Err(error) = self.durable.store.check_disk(made.size_bytes) {
            return tracing::warn!(%error, job = %held.attempt.job.id, "the job goes on without a new checkpoint");
        }
        let file = match self.fetch(made).await {
            Ok(file) => file,
            Err(_) => return tracing::warn!(job = %held.attempt.job.id, "a checkpoint did not come whole"),
        };
        let attempt = held.attempt.clone();
        let kept = blocking(&self.durable, move |store| store.keep_checkpoint(&attempt, file, device_s)).await;
        if let Err(status) = kept {
            tracing::warn!(code = ?status.code(), "the job goes on without a new checkpoint");
        }
    }

    /// Ends an attempt with what its worker reports.
    async fn finish(&self, held: &Held, report: Report) {
        let objects = objects(&report.what);
        let outcome = match report.what {
            What::Succeeded { result, volumes } => match self.fetch_all(&result, &volumes).await {
                Ok(outcome) => outcome,
                Err(Unusable::Store(status)) => Outcome::Failed(crate::api::runner::fault(&status)),
                Err(Unusable::Lost) => {
                    tracing::warn!(job = %report.lease.job, "a result did not come whole; its worker sends it again");
                    // The broker may name an object of which it has lost bytes: its worker puts what is not there.
                    self.remove(&objects).await;
                    return self.fleet.cancel_end(report.lease);
                }
            },
            What::Failed(fault) => Outcome::Failed(fault),
            What::DeviceLost => Outcome::Lost { cause: "device" },
            // Checkpoints were dealt with.
            What::Released | What::Checkpoint(_) => Outcome::Released,
        };
        self.end(held, &report.device, outcome, report.device_s).await;
        self.remove(&objects).await;
        self.remove(&[Lease::of(&held.attempt).checkpoint_object()]).await;
    }

    async fn fetch_all(&self, result: &Made, volumes: &[Made]) -> Result<Outcome, Unusable> {
        if result.size_bytes > MOST_RESULT_BYTES {
            return Err(Unusable::Lost);
        }
        let mut files = Vec::new();
        for made in volumes {
            files.push(self.fetch(made).await?);
        }
        let file = self.fetch(result).await?;
        let read = move || {
            let failed = |error| StoreError::of_io("reading a result", &error);
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut file.open().map_err(failed)?, &mut bytes).map_err(failed)?;
            Ok(bytes)
        };
        let result = storing(read).await?;
        Ok(Outcome::Succeeded { result: Arc::from(result), volumes: files })
    }

    /// Brings an object into a file of the store, synced, with its digest checked.
    async fn fetch(&self, made: &Made) -> Result<StoredFile, Unusable> {
        let lost = |_| Unusable::Lost;
        let mut incoming = self.broker.get(&made.object).await.map_err(lost)?.ok_or(Unusable::Lost)?;
        if incoming.size_bytes() != made.size_bytes {
            return Err(Unusable::Lost);
        }
        let file = blocking(&self.durable, |store| store.new_file()).await?;
        let (send, mut pieces) = mpsc::channel::<Vec<u8>>(PIECES);
        let write = move || -> Result<NewFile, StoreError> {
            let mut file = file;
            while let Some(piece) = pieces.blocking_recv() {
                file.write_all(&piece).map_err(|error| StoreError::of_io("writing a result", &error))?;
            }
            Ok(file)
        };
        let writing = tokio::spawn(storing(write));
        let mut read = 0;
        let outcome = loop {
            match incoming.next().await {
                Ok(Some(piece)) => {
                    read += piece.len() as u64;
                    if read > made.size_bytes || send.send(piece).await.is_err() {
                        break Err(());
                    }
                }
                Ok(None) => break Ok(()),
                Err(_) => break Err(()),
            }
        };
        drop(send);
        // Whoever writes tells why it stopped.
        let file = writing.await.map_err(|_| Unusable::Lost)??;
        outcome.map_err(|()| Unusable::Lost)?;
        let stored = storing(move || file.finish()).await?;
        if stored.digest() == made.digest { Ok(stored) } else { Err(Unusable::Lost) }
    }

    async fn remove(&self, objects: &[String]) {
        for object in objects {
            // What stays is found by the janitor.
            let _ = self.broker.remove(object).await;
        }
    }
}

/// A time on the device that may be true [s].
///
/// * `device_s` – as reported [s]
/// * `most` – no longer than this
fn plausible(device_s: f64, most: Duration) -> f64 {
    // `max` and `min` take the other number in place of one that is none.
    device_s.max(0.0).min(most.as_secs_f64())
}

/// The objects of a report.
fn objects(what: &What) -> Vec<String> {
    match what {
        What::Checkpoint(made) => vec![made.object.clone()],
        What::Succeeded { result, volumes } => {
            std::iter::once(result).chain(volumes).map(|made| made.object.clone()).collect()
        }
        What::Failed(_) | What::DeviceLost | What::Released => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reported_time_is_one_that_may_be_true() {
        let most = Duration::from_secs(90);
        let reported = [0.0, 1.5, 90.0, 1e300, f64::INFINITY, f64::NAN, -1.0, f64::NEG_INFINITY, f64::MIN];
        let found = reported.map(|device_s| plausible(device_s, most));
        assert_eq!(found, [0.0, 1.5, 90.0, 90.0, 90.0, 0.0, 0.0, 0.0, 0.0]);
        assert!(found.map(Duration::from_secs_f64).iter().all(|time| *time <= most));
    }
}
