//! The side of a device: takes orders, computes, and reports until the gateway has dealt with it.

mod cache;
mod desk;
mod help;
mod lead;
mod reports;
mod task;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use self::cache::Cache;
use self::task::Doing;
use super::messages::{BEATS, Beat, Gone, HELLO, Lease, Order, Versioned, heard, helps_of, read, stops_of};
use crate::api::ServerConfig;
use crate::api::service::Shared;
use crate::broker::{Broker, Lane as Stream};
use crate::domain::DoseError;
use crate::jobs::LocalJobs;
use crate::metrics::Metrics;
pub use cache::CacheOptions;

/// Shortest time between two beats that only tell of progress.
const PROGRESS_PAUSE: Duration = Duration::from_millis(250);
/// How often the broker hands out an order that this worker does not understand.
const MOST_DELIVERIES: i64 = 3;
/// Rest after a failure of the broker.
const REST: Duration = Duration::from_millis(500);
/// How long a worker that ends waits for the gateway to deal with its last reports.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// What a worker needs.
#[derive(Debug)]
pub struct WorkerParts {
    /// The way to the gateway.
    pub broker: Broker,
    /// Queue and device.
    pub jobs: Arc<LocalJobs>,
    /// Where volumes are kept.
    pub cache: CacheOptions,
    /// How long it may be silent before its jobs are given to others.
    pub lease: Duration,
}

/// A worker.
#[derive(Debug)]
pub(super) struct Worker {
    id: String,
    device: String,
    /// What the device is, as far as results depend on it.
    device_key: String,
    shared: Arc<Shared>,
    broker: Broker,
    cache: Cache,
    lease: Duration,
    /// Where threads without one of their own wait for the broker.
    runtime: Handle,
    doing: Mutex<HashMap<Lease, Arc<Doing>>>,
    /// The job of another worker that this one helps with.
    helps: Mutex<Option<Arc<Doing>>>,
    /// There is something to tell.
    news: Notify,
    /// Why it cannot work any more.
    fault: watch::Sender<Option<DoseError>>,
}

/// Works until `shutdown` ends, then lets go of what it does: at the next checkpoint, or when it is done, within the
/// drain timeout. So it does if it cannot work any more: what it was given waits for others, and does not count.
///
/// # Errors
/// [`DoseError::Io`] if the cache cannot be used, or not any more; [`DoseError::DeviceUnavailable`] if the device does
/// not come back.
pub async fn work(
    config: ServerConfig,
    parts: WorkerParts,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), DoseError> {
    let WorkerParts { broker, jobs, cache, lease } = parts;
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"), env!("DOSEGRID_COMMIT")));
    let (cache, device, drain) = (Cache::open(&cache)?, jobs.device().name.clone(), config.drain_timeout);
    let shared = Arc::new(Shared::new(config, jobs, None, metrics));
    let id = format!("worker-{}", Uuid::new_v4().simple());
    let (doing, helps, news, fault) = (Mutex::default(), Mutex::default(), Notify::new(), watch::channel(None).0);
    let device_key = shared.jobs.device().key();
    let worker = Arc::new(Worker {
        id,
        device,
        device_key,
        helps,
        shared,
        broker,
        cache,
        lease,
        runtime: Handle::current(),
        doing,
        news,
        fault,
    });
    let orders = tokio::spawn(worker.clone().take_orders());
    let parts = [
        tokio::spawn(worker.clone().beat()),
        tokio::spawn(worker.clone().hear_stops()),
        tokio::spawn(worker.clone().hear_hellos()),
        tokio::spawn(worker.clone().hear_helps()),
    ];
    tokio::select! {
        () = shutdown => {}
        () = worker.has_failed() => {}
    }
    tracing::info!(running = worker.lock().len(), "draining");
    orders.abort();
    // What it begins until it has ended is among what this worker tells of now: the rest is given to others at once.
    let _ = orders.await;
    // First, so that what this worker lets go of is not given to it again.
    let leaving = Versioned::new(Beat { is_draining: true, ..worker.beat_now() });
    let _ = timeout(LAST_WORDS, worker.broker.ask::<Versioned<Gone>>(BEATS, &leaving)).await;
    worker.shared.draining.cancel();
    worker.stop_helping();
    worker.news.notify_one();
    worker.shared.attempts.close();
    if timeout(drain, worker.shared.attempts.wait()).await.is_err() {
        tracing::warn!("the drain timeout has passed; what runs is stopped");
        worker.shared.abort.cancel();
        let _ = timeout(LAST_WORDS, worker.shared.attempts.wait()).await;
    }
    parts.iter().for_each(tokio::task::JoinHandle::abort);
    let _ = worker.broker.forget_reader(Stream::Work, &worker.id).await;
    let fault = worker.fault.borrow().clone();
    fault.map_or(Ok(()), Err)
}

impl Worker {
    fn lock(&self) -> MutexGuard<'_, HashMap<Lease, Arc<Doing>>> {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take_orders(self: Arc<Self>) {
        let mut inbox = self.broker.inbox(Stream::Work, &self.id, self.lease, MOST_DELIVERIES);
        loop {
            let delivery = inbox.next().await;
            match read::<Order>(&delivery) {
                None => tracing::warn!("an order of an unknown version is left alone"),
                Some(order) => {
                    self.begin(order);
                    delivery.done().await;
                }
            }
        }
    }

    /// Works on an order beside all else. The same order twice is one.
    fn begin(self: &Arc<Self>, order: Order) {
        let lease = order.lease;
        let doing = {
            let mut all = self.lock();
            if all.contains_key(&lease) {
                return;
            }
            let doing = Arc::new(Doing::new(lease));
            all.insert(lease, doing.clone());
            doing
        };
        // The device is wanted, for a small job too. After the order is known: help that begins sees it.
        self.stop_helping();
        self.news.notify_one();
        tracing::info!(job = %lease.job, attempt = lease.attempt, "an order was taken");
        let worker = self.clone();
        self.shared.attempts.spawn(async move {
            task::perform(&worker, order, &doing).await;
            worker.lock().remove(&lease);
            worker.news.notify_one();
        });
    }

    fn beat_now(&self) -> Beat {
        Beat {
            worker: self.id.clone(),
            lease_s: self.lease.as_secs_f64(),
            device: self.device.clone(),
            memory_bytes: self.shared.config.memory_bytes,
            is_draining: self.shared.draining.is_cancelled(),
            holds: self.cache.holds(),
            device_key: self.device_key.clone(),
            helps: self.lock_helps().as_ref().map(|doing| doing.lease()),
            tasks: self.lock().iter().map(|(lease, doing)| (*lease, doing.progress())).collect(),
        }
    }

    /// Says that it lives, every third of the lease and whenever there is something to tell.
    async fn beat(self: Arc<Self>) {
        loop {
            let asked = self.broker.ask::<Versioned<Gone>>(BEATS, &Versioned::new(self.beat_now())).await;
            match asked.map(Versioned::known) {
                Ok(Some(Gone { leases })) => leases.into_iter().for_each(|lease| self.drop_lease(lease)),
                Ok(None) => tracing::warn!("the gateway has another version"),
                Err(error) => tracing::debug!(%error, "no gateway heard that this worker lives"),
            }
            sleep(PROGRESS_PAUSE).await;
            let _ = timeout(self.lease / 3, self.news.notified()).await;
        }
    }

    fn lock_helps(&self) -> MutexGuard<'_, Option<Arc<Doing>>> {
        self.helps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop_helping(&self) {
        if let Some(doing) = &*self.lock_helps() {
            doing.leave();
        }
    }

    /// Helps with a job, if there is nothing else to do.
    fn help(self: &Arc<Self>, order: Order) {
        let doing = Arc::new(Doing::new(order.lease));
        {
            let mut helps = self.lock_helps();
            let is_busy = !self.lock().is_empty() || self.shared.draining.is_cancelled();
            if is_busy || helps.is_some() {
                return;
            }
            *helps = Some(doing.clone());
        }
        self.news.notify_one();
        let worker = self.clone();
        self.shared.attempts.spawn(async move {
            help::help(&worker, order, &doing).await;
            *worker.lock_helps() = None;
            worker.news.notify_one();
        });
    }

    async fn hear_helps(self: Arc<Self>) {
        loop {
            if let Ok(mut words) = self.broker.hear(&helps_of(&self.id)).await {
                while let Some(said) = words.next().await {
                    heard::<Order>(&said).into_iter().for_each(|order| self.help(order));
                }
            }
            sleep(REST).await;
        }
    }

    /// Has this worker end: it cannot work any more. The first reason is the one that it ends with.
    fn fail(&self, fault: DoseError) {
        tracing::error!(%fault, "this worker cannot work any more, and ends");
        self.fault.send_if_modified(|known| {
            let is_first = known.is_none();
            known.get_or_insert(fault);
            is_first
        });
    }

    /// Has this worker end after an attempt that was let go although nobody asked for that: the device is not there.
    fn check_device(&self) {
        if !self.shared.draining.is_cancelled() {
            self.fail(DoseError::DeviceUnavailable(self.shared.jobs.device().id.clone()));
        }
    }

    async fn has_failed(&self) {
        // The sender lives in this worker.
        let _ = self.fault.subscribe().wait_for(Option::is_some).await;
    }

    fn drop_lease(&self, lease: Lease) {
        if let Some(doing) = self.lock().get(&lease) {
            doing.leave();
        }
    }

    async fn hear_stops(self: Arc<Self>) {
        loop {
            if let Ok(mut words) = self.broker.hear(&stops_of(&self.id)).await {
                while let Some(said) = words.next().await {
                    heard::<Lease>(&said).into_iter().for_each(|lease| self.drop_lease(lease));
                }
            }
            sleep(REST).await;
        }
    }

    async fn hear_hellos(self: Arc<Self>) {
        loop {
            if let Ok(mut words) = self.broker.hear(HELLO).await {
                while words.next().await.is_some() {
                    self.news.notify_one();
                }
            }
            sleep(REST).await;
        }
    }
}
