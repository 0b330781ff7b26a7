//! Listens, serves, and drains.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::Layer;

use super::door::{Authority, Bounds, Complete, Credentials, Gate, Hears, WINDOW, connections_within};
use super::job_calls::Jobs;
use super::log::LogLayer;
use super::pb::dose_service_server::{DoseServiceServer, SERVICE_NAME};
use super::pb::job_service_server::{self, JobServiceServer};
use super::pb::volume_service_server::{self, VolumeServiceServer};
use super::service::{Service, Shared};
use super::status_page::{self, StatusPage};
use super::volume_calls::Volumes;
use super::{ServerConfig, figures, metrics_page, pb, remote, runner};
use crate::audit::{Event, Record};
use crate::broker::Broker;
use crate::domain::DoseError;
use crate::engine::Device;
use crate::jobs::LocalJobs;
use crate::metrics::Metrics;
use crate::store::{Store, StoreError};

/// How long the last bytes may take to leave once all calls are done and nothing moves any more.
const LAST_BYTES: Duration = Duration::from_secs(2);
/// How long calls that are cut at once may take to make safe what arrived of them.
const AT_ONCE: Duration = Duration::from_millis(400);
/// How long their answers may take to leave.
const LAST_ANSWERS: Duration = Duration::from_millis(100);
/// Names that health is asked by, of what says whether new work is taken.
const READY: [&str; 4] = ["", SERVICE_NAME, volume_service_server::SERVICE_NAME, job_service_server::SERVICE_NAME];
/// The name that health is asked by to hear whether the process answers.
const LIVE: &str = "live";

/// How a server has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// All calls were done.
    Complete,
    /// Calls were cut when the drain timeout had passed.
    Cut,
    /// It was told not to wait.
    AtOnce,
}

/// What a server needs beside its configuration.
#[derive(Debug)]
pub struct Parts {
    /// Listens already.
    pub listener: TcpListener,
    /// Listens already, for metrics.
    pub metrics_listener: Option<TcpListener>,
    /// Who the server is and who may call.
    pub credentials: Arc<Credentials>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Queue and device.
    pub jobs: Arc<LocalJobs>,
    /// The status page.
    pub page: Option<StatusPage>,
    /// Volumes and jobs that last.
    pub store: Option<Arc<Store>>,
    /// The way to workers that compute the jobs of the store, and how long a silent one keeps a job. None: they are
    /// computed here.
    pub queue: Option<(Broker, Duration)>,
    /// Cancelled while the server drains: what runs is cut, and what arrived of it is safe before the server ends.
    pub at_once: CancellationToken,
}

/// Serves until `shutdown` ends and all calls are done, or the drain timeout has passed.
///
/// # Errors
/// [`DoseError::Io`] if the transport or the compute thread cannot be set up.
pub async fn serve(
    config: ServerConfig,
    listener: TcpListener,
    device: Device,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<Drained, DoseError> {
    let jobs = LocalJobs::start(device, config.plan_limits(), config.queue_length)?;
    serve_jobs(config, listener, Arc::new(jobs), shutdown).await
}

/// As [`serve`], in front of a queue and a device that others may use as well.
///
/// # Errors
/// As [`serve`].
pub async fn serve_jobs(
    config: ServerConfig,
    listener: TcpListener,
    jobs: Arc<LocalJobs>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<Drained, DoseError> {
    let credentials = Credentials::load(&config.credentials)?;
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"), env!("DOSEGRID_COMMIT")));
    let parts = Parts {
        listener,
        metrics_listener: None,
        page: None,
        credentials,
        metrics,
        jobs,
        store: None,
        queue: None,
        at_once: CancellationToken::new(),
    };
    serve_parts(config, parts, shutdown).await
}

/// As [`serve`], with all that a server needs.
///
/// # Errors
/// As [`serve`].
pub async fn serve_parts(
    config: ServerConfig,
    parts: Parts,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<Drained, DoseError> {
    let Parts { listener, metrics_listener, page, credentials, metrics, jobs, store, queue, at_once } = parts;
    let (health, health_service) = tonic_health::server::health_reporter();
    for name in READY.into_iter().chain([LIVE]) {
        health.set_service_status(name, ServingStatus::Serving).await;
    }
    let refusals = store.clone();
    let on_refused: Hears = Box::new(move |why, peer, count| {
        let peer = Some(peer.to_string());
        let record = Record { peer, reason: Some(why.into()), count, ..Record::now(Event::IdentityRefused) };
        let store = refusals.clone();
        Box::pin(async move { noted(&store, record).await })
    });
    let gate = Gate::new(config.clone(), credentials, metrics.clone(), on_refused);
    let shared = Arc::new(Shared::new(config.clone(), jobs, store.clone(), metrics.clone()));
    figures::watch(&metrics, &shared, &gate, queue.is_some());
    let of_server = |event| Record {
        device: Some(shared.jobs.device().id.clone()),
        version: Some(env!("CARGO_PKG_VERSION").into()),
        ..Record::now(event)
    };
    noted(&store, of_server(Event::ServerStarted)).await;
    match (shared.durable.clone(), queue) {
        (Some(durable), Some((broker, lease))) => {
            drop(shared.attempts.spawn(remote::run(shared.clone(), durable, broker, lease)));
        }
        (Some(durable), None) => drop(tokio::spawn(runner::run(shared.clone(), durable))),
        (None, _) => {}
    }
    let most = config.max_message_bytes;
    let service = DoseServiceServer::new(Service(shared.clone()))
        .max_decoding_message_size(most)
        .max_encoding_message_size(usize::MAX);
    let volumes = VolumeServiceServer::new(Volumes(shared.clone()))
        .max_decoding_message_size(most)
        .max_encoding_message_size(usize::MAX);
    let jobs = JobServiceServer::new(Jobs(shared.clone()))
        .max_decoding_message_size(most)
        .max_encoding_message_size(usize::MAX);
    let mut routes = Routes::new(service).add_service(volumes).add_service(jobs).add_service(health_service);
    if config.has_reflection() {
        routes = add_reflection(routes)?;
    }
    let bounded = Bounds::new(routes.prepare(), shared.clone());
    let complete = Complete::new(Authority::new(bounded, gate.clone()), most);
    let calls = LogLayer::new(metrics.clone()).layer(complete);
    let max_connections = connections_within(config.max_connections);
    let accepting = tokio::spawn(gate.clone().accept(listener, max_connections, calls.clone()));
    let unready = gate.draining.child_token();
    if let Some(store) = &store {
        tokio::spawn(tell_of_failure(store.clone(), health.clone(), unready.clone()));
    }
    tokio::spawn(tell_of_refusals(gate.clone()));
    let serve_metrics = async {
        match metrics_listener {
            Some(listener) => match metrics_page::serve(listener, metrics, unready).await {},
            None => std::future::pending().await,
        }
    };
    let serve_page = async {
        match page {
            Some(StatusPage { listener, gateway }) => {
                let site = status_page::Site { calls, gate: gate.clone(), shared: shared.clone(), gateway };
                match status_page::serve(listener, site).await {}
            }
            None => std::future::pending().await,
        }
    };
    let work = async {
        shutdown.await;
        let end = Instant::now() + config.drain_timeout;
        gate.draining.cancel();
        let drained = drain(&shared, health, end, &at_once).await;
        gate.ended.cancel();
        gate.connections.close();
        // Connections whose bytes still leave get the rest of the time.
        let latest = end.max(Instant::now() + LAST_BYTES);
        let hurry = async {
            at_once.cancelled().await;
            sleep_until(Instant::now() + LAST_ANSWERS).await;
        };
        tokio::select! {
            _ = timeout_at(latest, gate.connections.wait()) => {}
            () = hurry => {}
        }
        if at_once.is_cancelled() { Drained::AtOnce } else { drained }
    };
    let drained = tokio::select! {
        drained = work => drained,
        () = serve_metrics => Drained::Complete,
        () = serve_page => Drained::Complete,
    };
    gate.cut.cancel();
    let _ = accepting.await;
    gate.tell_counted(Duration::ZERO).await;
    noted(&store, of_server(Event::ServerStopped)).await;
    Ok(drained)
}

/// Says that no work is taken, once the store cannot write any more.
///
/// * `unready` – cancelled then, or when the server drains
async fn tell_of_failure(store: Arc<Store>, health: HealthReporter, unready: CancellationToken) {
    let mut changes = store.changes();
    while store.is_sound() {
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = unready.cancelled() => return,
        }
    }
    unready.cancel();
    for name in READY {
        health.set_service_status(name, ServingStatus::NotServing).await;
    }
}

/// Tells minute by minute of refusals that were only counted, until the connections are cut.
async fn tell_of_refusals(gate: Arc<Gate>) {
    let mut minutes = interval(WINDOW);
    loop {
        tokio::select! {
            _ = minutes.tick() => gate.tell_counted(WINDOW).await,
            () = gate.cut.cancelled() => return,
        }
    }
}

/// As [`note`], and waits until it is written.
async fn noted(store: &Option<Arc<Store>>, record: Record) {
    if let Some(writing) = note(store, record) {
        // It fails only where a store that cannot write has said so in the log.
        let _ = writing.await;
    }
}

/// Writes a record into the audit log of the store, if there is one, beside whatever else happens.
fn note(store: &Option<Arc<Store>>, record: Record) -> Option<JoinHandle<Result<(), StoreError>>> {
    store.clone().map(|store| tokio::task::spawn_blocking(move || store.note(record)))
}

fn add_reflection(routes: Routes) -> Result<Routes, DoseError> {
    let failed = |error: tonic_reflection::server::Error| DoseError::Io(format!("the server cannot run: {error}"));
    let descriptors = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(pb::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let reflection = descriptors().build_v1().map_err(failed)?;
    let reflection_alpha = descriptors().build_v1alpha().map_err(failed)?;
    Ok(routes.add_service(reflection).add_service(reflection_alpha))
}

/// Refuses new calls, waits for those that run, and ends the calls that watch the health.
async fn drain(shared: &Shared, mut health: HealthReporter, end: Instant, at_once: &CancellationToken) -> Drained {
    tracing::info!(running = shared.calls.len(), "draining");
    shared.calls.close();
    shared.draining.cancel();
    for name in READY {
        health.set_service_status(name, ServingStatus::NotServing).await;
    }
    shared.attempts.close();
    let all = async { tokio::join!(shared.calls.wait(), shared.attempts.wait()) };
    let mut drained = Drained::Complete;
    let why = tokio::select! {
        biased;
        _ = all => None,
        () = at_once.cancelled() => Some(("told to end at once", AT_ONCE)),
        () = sleep_until(end) => Some(("the drain timeout has passed", LAST_BYTES)),
    };
    if let Some((why, long)) = why {
        let calls = shared.calls.len();
        tracing::warn!(running = calls, why, "what runs is stopped");
        if calls > 0 {
            drained = Drained::Cut;
        }
        shared.abort.cancel();
        // What a job has reached is in its checkpoint: it goes back to the queue.
        let all = async { tokio::join!(shared.calls.wait(), shared.attempts.wait()) };
        let _ = timeout(long, all).await;
    }
    for name in READY.into_iter().chain([LIVE]) {
        health.clear_service_status(name).await;
    }
    drained
}
