//! Listens, serves, and drains.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_stream::Stream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::{Server, server::TcpIncoming};
use tonic_health::{ServingStatus, server::HealthReporter};

use super::job_calls::Jobs;
use super::log::LogLayer;
use super::pb::dose_service_server::{DoseServiceServer, SERVICE_NAME};
use super::pb::job_service_server::JobServiceServer;
use super::pb::volume_service_server::VolumeServiceServer;
use super::service::{Service, Shared};
use super::volume_calls::Volumes;
use super::{ServerConfig, pb, runner};
use crate::domain::DoseError;
use crate::engine::Device;
use crate::jobs::LocalJobs;
use crate::store::Store;

/// How long the last bytes may take to leave once all calls are done.
const LAST_BYTES: Duration = Duration::from_secs(2);
/// Largest HTTP/2 frame taken: one system call for many of the default 16 KiB.
const MAX_FRAME_BYTES: u32 = 1 << 20;

/// Serves until `shutdown` ends and all calls are done, or the drain timeout has passed.
///
/// # Errors
/// [`DoseError::Io`] if the transport or the compute thread cannot be set up.
pub async fn serve(
    config: ServerConfig,
    listener: TcpListener,
    device: Device,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), DoseError> {
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
) -> Result<(), DoseError> {
    serve_store(config, listener, jobs, None, shutdown).await
}

/// As [`serve_jobs`], with volumes and jobs that last.
///
/// # Errors
/// As [`serve`].
pub async fn serve_store(
    config: ServerConfig,
    listener: TcpListener,
    jobs: Arc<LocalJobs>,
    store: Option<Arc<Store>>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), DoseError> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_service_status(SERVICE_NAME, ServingStatus::Serving).await;
    let failed = |error: &dyn std::error::Error| DoseError::Io(format!("the server cannot run: {error}"));
    let descriptors = || {
        let builder = tonic_reflection::server::Builder::configure();
        builder
            .register_encoded_file_descriptor_set(pb::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let reflection = descriptors().build_v1().map_err(|error| failed(&error))?;
    let reflection_alpha = descriptors().build_v1alpha().map_err(|error| failed(&error))?;
    let (draining, drained) = (CancellationToken::new(), CancellationToken::new());
    let shared = Arc::new(Shared::new(config.clone(), jobs, store));
    let volumes = VolumeServiceServer::new(Volumes(shared.clone()))
        .max_decoding_message_size(config.max_message_bytes)
        .max_encoding_message_size(usize::MAX);
    let jobs = JobServiceServer::new(Jobs(shared.clone()))
        .max_decoding_message_size(config.max_message_bytes)
        .max_encoding_message_size(usize::MAX);
    if let Some(durable) = shared.durable.clone() {
        tokio::spawn(runner::run(shared.clone(), durable));
    }
    let service = DoseServiceServer::new(Service(shared.clone()))
        .max_decoding_message_size(config.max_message_bytes)
        .max_encoding_message_size(usize::MAX);
    let incoming = Accepting {
        incoming: Some(TcpIncoming::from(listener).with_nodelay(Some(true))),
        draining: Box::pin(draining.clone().cancelled_owned()),
    };
    let server = Server::builder()
        .initial_stream_window_size(config.window_bytes)
        .initial_connection_window_size(config.window_bytes.saturating_mul(2))
        .max_frame_size(MAX_FRAME_BYTES)
        .http2_keepalive_interval(Some(config.keepalive))
        .layer(LogLayer)
        .add_service(service)
        .add_service(volumes)
        .add_service(jobs)
        .add_service(health_service)
        .add_service(reflection)
        .add_service(reflection_alpha)
        .serve_with_incoming_shutdown(incoming, drained.clone().cancelled_owned());
    let mut server = std::pin::pin!(server);
    let drain = async {
        shutdown.await;
        draining.cancel();
        drain(&shared, health).await;
        drained.cancel();
    };
    tokio::select! {
        outcome = &mut server => return outcome.map_err(|error| failed(&error)),
        () = drain => {}
    }
    // Connections that stay open longer belong to callers who do not read.
    timeout(LAST_BYTES, server).await.unwrap_or(Ok(())).map_err(|error| failed(&error))
}

/// Refuses new calls, waits for those that run, and ends the calls that watch the health.
async fn drain(shared: &Shared, mut health: HealthReporter) {
    tracing::info!(running = shared.calls.len(), "draining");
    shared.calls.close();
    shared.draining.cancel();
    for name in ["", SERVICE_NAME] {
        health.set_service_status(name, ServingStatus::NotServing).await;
    }
    if timeout(shared.config.drain_timeout, shared.calls.wait()).await.is_err() {
        tracing::warn!(running = shared.calls.len(), "the drain timeout has passed; running calls are stopped");
        shared.abort.cancel();
        let _ = timeout(LAST_BYTES, shared.calls.wait()).await;
    }
    for name in ["", SERVICE_NAME] {
        health.clear_service_status(name).await;
    }
}

/// Accepts connections until the server drains. Then the port is free, and open connections stay.
struct Accepting {
    incoming: Option<TcpIncoming>,
    draining: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Stream for Accepting {
    type Item = std::io::Result<TcpStream>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.incoming.is_some() && self.draining.as_mut().poll(context).is_ready() {
            self.incoming = None;
        }
        match &mut self.incoming {
            Some(incoming) => Pin::new(incoming).poll_next(context),
            None => Poll::Pending,
        }
    }
}
