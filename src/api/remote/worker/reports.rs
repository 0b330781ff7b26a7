//! Reports to the gateway. They are sent until it has dealt with them: what the broker loses is sent again.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::super::messages::{GATEWAY, Lease, Made, Report, Versioned, What};
use super::task::{Doing, cache_fault};
use super::{LAST_WORDS, Worker};
use crate::broker::{BrokerError, Lane as Stream};
use crate::store::{StoreError, StoredFile};

/// Bytes that are read at once.
const PIECE_BYTES: usize = 1 << 20;
/// Rest after a failure of the broker.
const REST: Duration = Duration::from_millis(500);
/// Longest time for one report with its objects.
const LONGEST: Duration = Duration::from_secs(600);

/// The report of results, and the files of its objects, the result itself last. If the result cannot be
/// written, this worker ends.
pub(super) fn results(
    worker: &Worker,
    lease: Lease,
    result: &[u8],
    volumes: Vec<StoredFile>,
) -> (What, Vec<Arc<StoredFile>>) {
    let written = (|| {
        let failed = |error| StoreError::of_io("writing a result", &error);
        let mut file = worker.cache.new_file().map_err(failed)?;
        file.write_all(result).map_err(failed)?;
        file.finish()
    })();
    let result = match written {
        Ok(file) => file,
        Err(error) => {
            worker.fail(cache_fault(&error.to_string()));
            return (What::Released, Vec::new());
        }
    };
    let of = |number: usize, file: &StoredFile| made(lease.made_object(number), file);
    let what = What::Succeeded {
        volumes: volumes.iter().enumerate().map(|(number, file)| of(number, file)).collect(),
        result: made(lease.made_object("result"), &result),
    };
    (what, volumes.into_iter().chain([result]).map(Arc::new).collect())
}

/// An object that a file becomes.
pub(super) fn made(object: String, file: &StoredFile) -> Made {
    Made { object, digest: file.digest(), size_bytes: file.size_bytes() }
}

/// Puts a file at the broker, unless it is there.
pub(super) async fn put(worker: &Worker, made: &Made, file: &Arc<StoredFile>) -> Result<(), BrokerError> {
    if worker.broker.size_of(&made.object).await? == Some(made.size_bytes) {
        return Ok(());
    }
    let file = file.clone();
    let produce = move |take: &mut dyn FnMut(Vec<u8>) -> std::io::Result<()>| {
        let mut file = file.open()?;
        loop {
            let mut piece = vec![0; PIECE_BYTES];
            let length = file.read(&mut piece)?;
            if length == 0 {
                return Ok(());
            }
            piece.truncate(length);
            take(piece)?;
        }
    };
    worker.broker.put(&made.object, produce).await
}

/// Reports once.
pub(super) async fn send(worker: &Worker, lease: Lease, what: &What, device_s: f64) -> Result<(), BrokerError> {
    let (name, device) = (worker.id.clone(), worker.device.clone());
    let report = Report { worker: name, device, lease, device_s, what: what.clone() };
    worker.broker.send(Stream::Done, GATEWAY, &Versioned::new(report)).await
}

/// Reports the end of an attempt until the gateway has dealt with it. A worker that ends waits a little.
pub(super) async fn report(worker: &Worker, doing: &Doing, what: What, files: Vec<Arc<StoredFile>>, device_s: f64) {
    let mut up = worker.broker.up();
    let mut telling = std::pin::pin!(async {
        loop {
            // Its sender lives as long as the connection.
            let _ = up.wait_for(|is_up| *is_up).await;
            let all = timeout(LONGEST, send_all(worker, doing.lease(), &what, &files, device_s)).await;
            match all.unwrap_or_else(|_| Err(BrokerError::silent())) {
                // Heard from the gateway, this ends. Not heard of for so long, or with its broker, it may be lost.
                Ok(()) => {
                    let _ = timeout((worker.lease / 3).max(REST), up.changed()).await;
                }
                Err(error) => {
                    tracing::debug!(%error, "a report is sent again");
                    sleep(REST).await;
                }
            }
        }
    });
    let ended = async {
        worker.shared.draining.cancelled().await;
        sleep(LAST_WORDS).await;
    };
    tokio::select! {
        () = doing.gone() => {}
        () = &mut telling => {}
        () = ended => tracing::warn!(job = %doing.lease().job, "the gateway did not say that it has the last report"),
    }
}

async fn send_all(
    worker: &Worker,
    lease: Lease,
    what: &What,
    files: &[Arc<StoredFile>],
    device_s: f64,
) -> Result<(), BrokerError> {
    if let What::Succeeded { result, volumes } = what {
        for (made, file) in volumes.iter().chain([result]).zip(files) {
            put(worker, made, file).await?;
        }
    }
    send(worker, lease, what, device_s).await
}
