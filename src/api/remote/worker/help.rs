//! Help with a job that another worker leads, for as long as there is nothing else to do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::super::messages::{Asked, Told, Versioned, lead_of};
use super::desk::RemoteDesk;
use super::task::{Doing, cache_fault};
use super::{Worker, reports};
use crate::api::attempt;
use crate::api::desk::Desk;
use crate::domain::{Helping, RunPoint, Tally};
use crate::formats::tally::encode_checkpoint;
use crate::store::{Outcome, StoreError};

/// Rest between two questions for histories.
const PAUSE: Duration = Duration::from_millis(100);
/// How often it says that it works.
const ALIVE: Duration = Duration::from_secs(2);
/// Time of the histories that it asks for, the fewer before it knows how many that are.
const PART: Duration = Duration::from_secs(5);
const FIRST_PART: u64 = 1 << 16;
/// Questions in a row that nobody answers after which the lead is taken to be gone.
const MOST_FAILURES: u32 = 20;

/// The run of a lead, seen by a helper.
#[derive(Debug)]
pub(super) struct Help {
    worker: Arc<Worker>,
    doing: Arc<Doing>,
    parts: AtomicU64,
    /// Says that it works on histories.
    alive: Mutex<Option<JoinHandle<()>>>,
}

impl Help {
    pub(super) fn new(worker: &Arc<Worker>, doing: &Arc<Doing>) -> Self {
        let (parts, alive) = (AtomicU64::new(0), Mutex::default());
        Self { worker: worker.clone(), doing: doing.clone(), parts, alive }
    }

    fn ask(&self, asked: Asked) -> Option<Told> {
        let lead = lead_of(self.doing.lease());
        let asked = Versioned::new(asked);
        let answer = self.worker.broker.ask::<Versioned<Told>>(&lead, &asked);
        self.worker.runtime.block_on(answer).ok()?.known()
    }

    fn say_alive(&self, first: Option<u64>) {
        let saying = first.map(|first| {
            let (worker, doing) = (self.worker.clone(), self.doing.clone());
            self.worker.runtime.spawn(async move {
                loop {
                    sleep(ALIVE).await;
                    let (helper, device) = (worker.id.clone(), worker.device_key.clone());
                    let asked = Versioned::new(Asked::Alive { helper, device, first });
                    // Not heard, it is said again.
                    let _ = worker.broker.ask::<Versioned<Told>>(&lead_of(doing.lease()), &asked).await;
                }
            })
        });
        let before = std::mem::replace(&mut *self.alive.lock().unwrap_or_else(PoisonError::into_inner), saying);
        before.iter().for_each(JoinHandle::abort);
    }

    fn send(&self, point: &RunPoint, tally: &Tally) -> Result<(), StoreError> {
        let failed = |error| StoreError::of_io("writing a part", &error);
        let mut file = self.worker.cache.new_file().map_err(failed)?;
        encode_checkpoint(&mut file, point, tally).map_err(failed)?;
        let file = Arc::new(file.finish()?);
        let (number, helper) = (self.parts.fetch_add(1, Ordering::Relaxed), self.worker.id.clone());
        let object = self.doing.lease().made_object(format_args!("{helper}-{number}"));
        let (made, device) = (reports::made(object, &file), self.worker.device_key.clone());
        let put = self.worker.runtime.block_on(reports::put(&self.worker, &made, &file));
        put.map_err(|_| StoreError::Unavailable)?;
        self.ask(Asked::Done { helper, device, first: point.first_history, made }).ok_or(StoreError::Unavailable)?;
        Ok(())
    }
}

impl Drop for Help {
    fn drop(&mut self) {
        self.say_alive(None);
    }
}

impl Helping for Help {
    fn next(&self, scene_sha256: &str, per_second: Option<f64>) -> Option<std::ops::Range<u64>> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "above 0; beyond the range it saturates"
        )]
        let most = per_second.map_or(FIRST_PART, |rate| (rate * PART.as_secs_f64()) as u64);
        let mut failures = 0;
        while !self.doing.is_gone() && failures < MOST_FAILURES {
            let (helper, device) = (self.worker.id.clone(), self.worker.device_key.clone());
            match self.ask(Asked::Next { helper, device, scene_sha256: scene_sha256.to_owned(), most }) {
                Some(Told::Run(histories)) => {
                    self.say_alive(Some(histories.start));
                    return Some(histories);
                }
                Some(Told::Over) => return None,
                Some(Told::Wait) => failures = 0,
                None => failures += 1,
            }
            std::thread::sleep(PAUSE);
        }
        None
    }

    fn give(&self, point: &RunPoint, tally: &Tally) {
        if let Err(error) = self.send(point, tally) {
            tracing::warn!(%error, "a part of a job did not reach its lead, which runs it again");
        }
        self.say_alive(None);
    }
}

/// Helps until the lead needs no more, or this worker has something of its own to do.
pub(super) async fn help(worker: &Arc<Worker>, order: super::super::messages::Order, doing: &Arc<Doing>) {
    let fetched = tokio::select! {
        fetched = RemoteDesk::fetch(worker, order, doing) => fetched,
        () = doing.gone() => return,
        () = worker.shared.draining.cancelled() => return,
    };
    let desk = match fetched {
        Ok(desk) => desk,
        Err(error) => return worker.fail(cache_fault(&error.to_string())),
    };
    let desk: Arc<dyn Desk> = Arc::new(desk.helping(Help::new(worker, doing)));
    // There is no outcome but that it ends, unless the device is gone.
    let (outcome, seconds) = attempt::perform(&worker.shared, &desk).await;
    if matches!(outcome, Some(Outcome::Released)) {
        worker.check_device();
    }
    tracing::info!(job = %doing.lease().job, seconds, "helped with a job");
}
