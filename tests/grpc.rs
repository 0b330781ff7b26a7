//! The service from outside: a server in this process on a free loopback port, called as any client would.

mod bad_headers;
mod bad_streams;
mod bed;
mod caches;
mod concurrency;
mod daughters;
mod intake;
mod integrate;
mod lifecycle;
mod logs;
mod merge;
mod monte_carlo;
mod nuclides;
mod resample;
mod script;
mod streaming;
mod warnings;

use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use dosegrid::api::pb::{self, compute_request::Message, dose_service_client::DoseServiceClient};
use dosegrid::api::{
    ServerConfig,
    client::Client,
    server::{Drained, serve_jobs},
};
use dosegrid::domain::{Control, DoseError};
use dosegrid::engine::Device;
use dosegrid::jobs::{LocalJobs, Running};
use script::{Ends, Script};
use tokio::task::JoinHandle;
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, transport::Channel};
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

const MIB: u64 = 1 << 20;
/// After so long, what a test waits for is taken not to come: a safety net, and no measure of speed.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for what must come.
async fn in_time<T>(what: &str, comes: impl Future<Output = T>) -> T {
    let late = |_| panic!("{what}: not within {PATIENCE:?}");
    tokio::time::timeout(PATIENCE, comes).await.unwrap_or_else(late)
}

/// Waits until something holds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let poll = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    in_time(what, poll).await;
}

/// A running server.
struct Server {
    url: String,
    jobs: Arc<LocalJobs>,
    scripts: mpsc::Sender<Script>,
    ends: Ends,
    shutdown: CancellationToken,
    served: JoinHandle<Result<Drained, DoseError>>,
}

/// Limits small enough to run into.
fn small() -> ServerConfig {
    ServerConfig { memory_bytes: 64 * MIB, max_volume_bytes: 16 * MIB, ..ServerConfig::default() }
}

impl Server {
    async fn start(config: ServerConfig) -> Self {
        Self::start_on(config, crate::support::cpu()).await
    }

    async fn start_on(config: ServerConfig, device: Device) -> Self {
        let (scripts, ends, executor) = script::scripted(device, config.plan_limits());
        let jobs = Arc::new(LocalJobs::start_with(executor, config.queue_length).expect("a thread"));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound socket"));
        let shutdown = CancellationToken::new();
        let served = serve_jobs(config, listener, jobs.clone(), shutdown.clone().cancelled_owned());
        Self { url, jobs, scripts, ends, shutdown, served: tokio::spawn(served) }
    }

    async fn client(&self) -> Client {
        Client::connect(&self.url).await.expect("the server listens")
    }

    /// A connection without the comfort of [`Client`].
    async fn raw(&self) -> DoseServiceClient<Channel> {
        connect(self.url.clone()).await
    }

    async fn health(&self) -> HealthClient<Channel> {
        let endpoint = tonic::transport::Endpoint::from_shared(self.url.clone()).expect("a URL");
        HealthClient::new(endpoint.connect().await.expect("the server listens"))
    }

    /// How many jobs wait for the device.
    fn waiting(&self) -> usize {
        self.jobs.queue().waiting()
    }

    /// Puts a job into the queue that does what a test says.
    fn run(&self, script: impl FnOnce(&Control) -> Result<(), DoseError> + Send + 'static) -> Running {
        self.scripts.send(Box::new(script)).expect("the device is there");
        self.jobs.submit(streaming::request([1; 3], streaming::local()), script::OWNER, None).expect("room")
    }

    /// Holds the device until the sender is dropped.
    fn occupy(&self) -> (Running, mpsc::Sender<()>) {
        let (release, held) = mpsc::channel::<()>();
        let (begun, begins) = mpsc::channel();
        let running = self.run(move |_| {
            begun.send(()).expect("the test listens");
            let _ = held.recv();
            Ok(())
        });
        begins.recv().expect("the work begins");
        (running, release)
    }
}

async fn connect(url: String) -> DoseServiceClient<Channel> {
    DoseServiceClient::connect(url).await.expect("the server listens")
}

/// What a good request says: 4×3×2 voxels, Lu-177, local deposition.
pub(crate) fn good_header() -> pb::ComputeHeader {
    let volume = volume([4, 3, 2], pb::ElementType::Float32);
    pb::ComputeHeader {
        activity: Some(volume.clone()),
        activity_unit: Some(pb::ActivityUnit { unit: Some(pb::activity_unit::Unit::BqS(pb::TimeIntegratedBqS {})) }),
        density: Some(volume),
        nuclide: "Lu-177".into(),
        method: Some(pb::Method { method: Some(pb::method::Method::Local(pb::LocalMethod::default())) }),
        ..Default::default()
    }
}

fn volume(shape: [u32; 3], element_type: pb::ElementType) -> pb::VolumeDescriptor {
    pb::VolumeDescriptor {
        grid: Some(pb::VoxelGrid {
            shape: shape.to_vec(),
            spacing_mm: vec![2.0, 3.0, 4.0],
            affine_mm: vec![2.0, 0.0, 0.0, -7.0, 0.0, 3.0, 0.0, 5.0, 0.0, 0.0, 4.0, 1.0],
        }),
        element_type: element_type.into(),
        ..Default::default()
    }
}

fn good_activity() -> Vec<f32> {
    (0..24u8).map(|i| 1e9 * f32::from(i)).collect()
}

fn good_density() -> Vec<f32> {
    (0..24u8).map(|i| 0.01 + 0.07 * f32::from(i)).collect()
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn chunk(volume: pb::VolumeRole, offset_bytes: u64, data: Vec<u8>) -> Message {
    Message::Chunk(pb::VolumeChunk { volume: volume.into(), offset_bytes, data: Bytes::from(data), index: 0 })
}

fn stream_of(messages: Vec<Message>) -> impl Stream<Item = pb::ComputeRequest> + Send + 'static {
    tokio_stream::iter(messages).map(|message| pb::ComputeRequest { message: Some(message) })
}

/// The whole of a request with these values.
fn messages(header: pb::ComputeHeader, activity: &[f32], density: &[f32]) -> Vec<Message> {
    vec![
        Message::Header(header),
        chunk(pb::VolumeRole::Activity, 0, bytes_of(activity)),
        chunk(pb::VolumeRole::Density, 0, bytes_of(density)),
    ]
}

fn good_messages() -> Vec<Message> {
    messages(good_header(), &good_activity(), &good_density())
}

/// What a call gave: dose, uncertainty and tally as they came over the wire, and the provenance.
#[derive(Debug, PartialEq)]
struct Answer {
    dose: Vec<u8>,
    uncertainty: Vec<u8>,
    tally: Vec<u8>,
    provenance: pb::Provenance,
}

async fn compute(
    mut client: DoseServiceClient<Channel>,
    requests: impl Stream<Item = pb::ComputeRequest> + Send + 'static,
) -> Result<Answer, Status> {
    let mut responses = client.compute(requests).await?.into_inner();
    let (mut dose, mut uncertainty, mut tally, mut provenance) = (Vec::new(), Vec::new(), Vec::new(), None);
    while let Some(response) = responses.message().await? {
        match response.message.expect("a server's message says something") {
            pb::compute_response::Message::Progress(_) | pb::compute_response::Message::Understood(_) => {}
            pb::compute_response::Message::Result(result) => provenance = result.provenance,
            pb::compute_response::Message::Chunk(chunk) if chunk.volume() == pb::VolumeRole::Dose => {
                dose.extend_from_slice(&chunk.data);
            }
            pb::compute_response::Message::Chunk(chunk) => {
                assert_eq!(chunk.volume(), pb::VolumeRole::Uncertainty);
                uncertainty.extend_from_slice(&chunk.data);
            }
            pb::compute_response::Message::TallyChunk(chunk) => tally.extend_from_slice(&chunk.data),
        }
    }
    let mut provenance = provenance.expect("a call that succeeds has a result");
    provenance.wall_time.clear();
    provenance.daughter_maps.iter_mut().for_each(|map| map.wall_time.clear());
    Ok(Answer { dose, uncertainty, tally, provenance })
}

/// The reason and the fields that a status names.
fn reason_and_fields(status: &Status) -> (String, Vec<String>) {
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, "dosegrid");
    let violations = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
    assert!(violations.iter().all(|v| !v.description.is_empty()));
    (info.reason.clone(), violations.into_iter().map(|v| v.field).collect())
}

/// A bad request, and what must come of it.
struct Case {
    name: &'static str,
    requests: Vec<pb::ComputeRequest>,
    /// Whether the caller keeps its side open, so that the fault must be found before the next message.
    held_open: bool,
    code: Code,
    reason: &'static str,
    fields: Vec<&'static str>,
}

/// Checks every case, and that the same server's next good answer is bit-identical to the one before.
async fn check_cases(cases: Vec<Case>) {
    let server = Server::start(small()).await;
    let client = server.raw().await;
    let expected = compute(client.clone(), stream_of(good_messages())).await.expect("a good request");
    for Case { name, requests, held_open, code, reason, fields } in cases {
        let given = tokio_stream::iter(requests);
        let outcome = if held_open {
            compute(client.clone(), given.chain(tokio_stream::pending())).await
        } else {
            compute(client.clone(), given).await
        };
        let status = outcome.map(|_| ()).expect_err(name);
        assert_eq!(status.code(), code, "{name}: {status:?}");
        let (found_reason, found_fields) = reason_and_fields(&status);
        assert_eq!(
            (found_reason.as_str(), found_fields),
            (reason, fields.iter().map(ToString::to_string).collect()),
            "{name}"
        );
        let next = compute(client.clone(), stream_of(good_messages())).await.expect("a good request");
        assert_eq!(next, expected, "after {name}");
    }
}
