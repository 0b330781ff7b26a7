//! Volumes and jobs that last, from outside: what was answered is there after the server was killed.

mod audit;
mod callers;
mod cancels;
mod cut;
mod jobs;
pub(crate) mod kills;
mod large;
mod latency;
pub(crate) mod load;
mod memory;
mod power;
pub(crate) mod restart;
pub(crate) mod rounds;
mod soak;
mod tenants;
mod volumes;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use dosegrid::api::pb::job_service_client::JobServiceClient;
use dosegrid::api::pb::volume_service_client::VolumeServiceClient;
use dosegrid::api::server::{Drained, Parts, serve_parts};
use dosegrid::api::{Credentials, ServerConfig, pb};
use dosegrid::digest::sha256_hex;
use dosegrid::domain::DoseError;
use dosegrid::jobs::LocalJobs;
use dosegrid::metrics::Metrics;
use dosegrid::store::{Store, StoreOptions};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::transport::Channel;
use tonic_types::StatusExt;

/// A server in this process, with a store.
struct Server {
    url: String,
    store: Arc<Store>,
    shutdown: CancellationToken,
    served: JoinHandle<Result<Drained, DoseError>>,
}

impl Server {
    async fn start(folder: &Path) -> Self {
        Self::with(folder, StoreOptions { reserve_bytes: 0, ..StoreOptions::default() }).await
    }

    async fn with(folder: &Path, options: StoreOptions) -> Self {
        Self::configured(folder, options, ServerConfig::default()).await
    }

    async fn configured(folder: &Path, options: StoreOptions, config: ServerConfig) -> Self {
        let store = Arc::new(Store::open(folder, options).expect("a store"));
        let jobs = LocalJobs::start_lanes(crate::support::cpu(), config.plan_limits(), 8).expect("a thread");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound socket"));
        let shutdown = CancellationToken::new();
        let ended = shutdown.clone().cancelled_owned();
        let parts = Parts {
            listener,
            metrics_listener: None,
            page: None,
            credentials: Credentials::load(&config.credentials).expect("there are none"),
            metrics: Arc::new(Metrics::new("test", "test")),
            jobs: Arc::new(jobs),
            store: Some(store.clone()),
            queue: None,
            at_once: CancellationToken::new(),
        };
        let served = serve_parts(config, parts, ended);
        Self { url, store, shutdown, served: tokio::spawn(served) }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.served.await.expect("no panic").expect("it ends well");
    }

    async fn client(&self) -> Client {
        Client::of(&self.url).await
    }
}

/// Both services of a server.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) volumes: VolumeServiceClient<Channel>,
    pub(crate) jobs: JobServiceClient<Channel>,
}

impl Client {
    pub(crate) async fn of(url: &str) -> Self {
        let endpoint = tonic::transport::Endpoint::from_shared(url.to_owned()).expect("a URL");
        Self::on(endpoint.connect().await.expect("the server listens"))
    }

    pub(crate) fn on(channel: Channel) -> Self {
        Self { volumes: VolumeServiceClient::new(channel.clone()), jobs: JobServiceClient::new(channel) }
    }

    /// Uploads a volume in pieces; its name.
    pub(crate) async fn put(&mut self, bytes: &[u8]) -> String {
        self.try_put(bytes).await.expect("room")
    }

    /// As [`Client::put`].
    pub(crate) async fn try_put(&mut self, bytes: &[u8]) -> Result<String, Status> {
        let name = name(bytes);
        let pieces = pieces(&name, bytes, 0, 100_000);
        let volume = self.volumes.put_volume(tokio_stream::iter(pieces)).await?.into_inner().volume;
        let volume = volume.expect("a volume");
        assert_eq!((&volume.digest, volume.committed_bytes), (&name, bytes.len() as u64));
        Ok(name)
    }

    /// Downloads a volume.
    pub(crate) async fn get(&mut self, digest: &str) -> Result<Vec<u8>, Status> {
        self.range(digest, 0, 0).await
    }

    /// Downloads a part of a volume.
    async fn range(&mut self, digest: &str, offset_bytes: u64, length_bytes: u64) -> Result<Vec<u8>, Status> {
        let request = pb::GetVolumeRequest { digest: digest.to_owned(), offset_bytes, length_bytes };
        let mut pieces = self.volumes.get_volume(request).await?.into_inner();
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.message().await? {
            assert_eq!(piece.offset_bytes, offset_bytes + bytes.len() as u64, "no gap");
            bytes.extend_from_slice(&piece.data);
        }
        Ok(bytes)
    }

    async fn check(&mut self, digest: &str) -> pb::Volume {
        let request = pb::CheckVolumesRequest { digests: vec![digest.to_owned()] };
        self.volumes.check_volumes(request).await.expect("a digest").into_inner().volumes.remove(0)
    }

    pub(crate) async fn create(&mut self, spec: &pb::JobSpec, request_id: &str) -> Result<pb::Job, Status> {
        let (spec, request_id) = (Some(spec.clone()), request_id.to_owned());
        let request = pb::CreateJobRequest { spec, request_id, validate_only: false };
        Ok(self.jobs.create_job(request).await?.into_inner().job.expect("a job"))
    }

    pub(crate) async fn job(&mut self, name: &str) -> Result<pb::Job, Status> {
        let request = pb::GetJobRequest { name: name.to_owned() };
        Ok(self.jobs.get_job(request).await?.into_inner().job.expect("a job"))
    }

    /// Watches a job to its end; every state that was seen, and the job as it ended.
    pub(crate) async fn watch(&mut self, name: &str) -> Result<(Vec<pb::JobState>, pb::Job), Status> {
        let request = pb::WatchJobRequest { name: name.to_owned() };
        let mut messages = self.jobs.watch_job(request).await?.into_inner();
        let (mut states, mut last) = (Vec::new(), None);
        while let Some(message) = messages.message().await? {
            let job = message.job.expect("a job");
            if states.last() != Some(&job.state()) {
                states.push(job.state());
            }
            last = Some(job);
        }
        Ok((states, last.expect("the state comes first")))
    }

    /// All jobs, page by page, the newest first.
    pub(crate) async fn all(&mut self) -> Vec<pb::Job> {
        let (mut jobs, mut page_token) = (Vec::new(), String::new());
        loop {
            let list = pb::ListJobsRequest { page_size: 1000, page_token, ..Default::default() };
            let page = self.jobs.list_jobs(list).await.expect("an answer").into_inner();
            jobs.extend(page.jobs);
            if page.next_page_token.is_empty() {
                return jobs;
            }
            page_token = page.next_page_token;
        }
    }

    /// A job of two volumes that this uploads.
    pub(crate) async fn upload_job(&mut self, method: pb::method::Method, shape: [u32; 3]) -> pb::JobSpec {
        let voxels = shape.iter().product::<u32>();
        let activity: Vec<f32> = (0..voxels).map(|i| 1e6 * (1 + i % 17) as f32).collect();
        let density: Vec<f32> = (0..voxels).map(|i| 0.9 + 0.01 * (i % 13) as f32).collect();
        let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let activity = self.put(&bytes(&activity)).await;
        let density = self.put(&bytes(&density)).await;
        let volume = |digest: String| {
            let grid = pb::VoxelGrid { shape: shape.to_vec(), spacing_mm: vec![3.0; 3], affine_mm: Vec::new() };
            let element_type = pb::ElementType::Float32.into();
            Some(pb::VolumeDescriptor { grid: Some(grid), element_type, digest, ..Default::default() })
        };
        let compute = pb::ComputeHeader {
            activity: volume(activity),
            activity_unit: Some(pb::ActivityUnit {
                unit: Some(pb::activity_unit::Unit::BqS(pb::TimeIntegratedBqS {})),
            }),
            density: volume(density),
            nuclide: "Lu-177".into(),
            method: Some(pb::Method { method: Some(method) }),
            label_names: BTreeMap::new(),
            ..Default::default()
        };
        pb::JobSpec { compute: Some(compute), priority: pb::JobPriority::Normal.into() }
    }
}

pub(crate) fn local() -> pb::method::Method {
    pb::method::Method::Local(pb::LocalMethod::default())
}

pub(crate) fn monte_carlo(histories: u64) -> pb::method::Method {
    let options = pb::MonteCarloMethod {
        histories: Some(histories),
        return_uncertainty: true,
        return_tally: true,
        ..Default::default()
    };
    pb::method::Method::MonteCarlo(options)
}

fn name(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256_hex(bytes))
}

/// A UUID of its own.
pub(crate) fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The messages of an upload from an offset on.
fn pieces(digest: &str, bytes: &[u8], offset: usize, piece: usize) -> Vec<pb::PutVolumeRequest> {
    let rest = bytes[offset..].chunks(piece).enumerate().map(|(number, data)| pb::PutVolumeRequest {
        offset_bytes: (offset + number * piece) as u64,
        data: Bytes::copy_from_slice(data),
        ..Default::default()
    });
    let mut pieces: Vec<pb::PutVolumeRequest> = rest.collect();
    if pieces.is_empty() {
        pieces.push(pb::PutVolumeRequest { offset_bytes: offset as u64, ..Default::default() });
    }
    pieces[0].digest = digest.to_owned();
    pieces[0].size_bytes = bytes.len() as u64;
    pieces
}

/// The reason of a status, and a fact of it.
fn reason(status: &Status) -> String {
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, "dosegrid");
    info.reason
}

fn fact(status: &Status, key: &str) -> String {
    status.get_details_error_info().expect("a reason").metadata[key].clone()
}
