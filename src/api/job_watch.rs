//! `WatchJob`: a job as it is, again whenever it changes. The latest counts; nothing queues for a slow reader.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tonic::Status;
use uuid::Uuid;

use super::durable::Durable;
use super::job_calls::with_result;
use super::pb;
use super::stream::Exchange;
use super::wire::stored;
use crate::domain::{DoseError, Progress};
use crate::store::StoreError;

/// Least time between two messages of progress.
const PROGRESS_PAUSE: Duration = Duration::from_millis(250);
/// Most time between two messages, less the pause above, with room for a slow clock.
const LONGEST_SILENCE: Duration = Duration::from_secs(9);

/// Sends a job until it is finished.
pub(super) async fn watch(
    durable: Durable,
    tenant: String,
    id: Uuid,
    exchange: Exchange<pb::WatchJobRequest, pb::WatchJobResponse>,
) -> Result<(), Status> {
    let mut changes = durable.store.changes();
    let mut ticks = interval(PROGRESS_PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sent: Option<(u64, Option<Progress>, Instant)> = None;
    loop {
        changes.borrow_and_update();
        let job = durable.store.job(&tenant, id).ok_or(StoreError::JobNotFound)?;
        let (revision, progress) = (job.life.revision(), durable.progress(id));
        let is_due = sent.is_none_or(|(before, seen, at)| {
            let has_moved = seen != progress && at.elapsed() >= PROGRESS_PAUSE;
            before != revision || has_moved || at.elapsed() >= LONGEST_SILENCE
        });
        if is_due {
            let is_final = job.state().is_final();
            let message = match is_final {
                true => with_result(&durable, &tenant, &job).await?,
                false => stored::job(&job, progress),
            };
            exchange.send(pb::WatchJobResponse { job: Some(message) }).await?;
            if is_final {
                return Ok(());
            }
            sent = Some((revision, progress, Instant::now()));
        }
        tokio::select! {
            changed = changes.changed() => changed.map_err(|_| Status::from(StoreError::Unavailable))?,
            _ = ticks.tick() => {}
            () = exchange.shared.draining.cancelled() => return Err(DoseError::ShuttingDown.into()),
        }
    }
}
