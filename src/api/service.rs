//! The RPCs. No logic: each decodes, asks the job layer or a table, and encodes.

use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Request, Response, Status, Streaming};

use super::call::{self, Responses};
use super::off_thread::off_thread;
use super::{ServerConfig, decode, encode, pb, provenance};
use crate::domain::{DeviceInfo, DoseError, Invalid, Source, Stage};
use crate::engine::list_devices;
use crate::jobs::{Budget, Queue};
use crate::physics::kernel::{VoxelKernel, voxel_kernel};
use crate::physics::nuclide;

/// What all calls share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: ServerConfig,
    pub(super) queue: Arc<Queue>,
    pub(super) budget: Arc<Budget>,
    /// Running `Compute` calls; closed when the server drains.
    pub(super) calls: TaskTracker,
    /// Cancelled when the server waits no longer for them.
    pub(super) abort: CancellationToken,
    devices: OnceCell<Vec<DeviceInfo>>,
}

impl Shared {
    pub(super) fn new(config: ServerConfig, queue: Arc<Queue>) -> Self {
        let budget = Budget::new(config.memory_bytes);
        let (calls, abort) = (TaskTracker::new(), CancellationToken::new());
        Self { config, queue, budget, calls, abort, devices: OnceCell::new() }
    }

    fn check_open(&self) -> Result<(), DoseError> {
        if self.calls.is_closed() { Err(DoseError::ShuttingDown) } else { Ok(()) }
    }
}

/// `dosegrid.v1.DoseService`.
#[derive(Clone, Debug)]
pub(super) struct Service(pub(super) Arc<Shared>);

#[tonic::async_trait]
impl pb::dose_service_server::DoseService for Service {
    type ComputeStream = Responses;

    async fn compute(
        &self,
        request: Request<Streaming<pb::ComputeRequest>>,
    ) -> Result<Response<Self::ComputeStream>, Status> {
        self.0.check_open()?;
        Ok(Response::new(call::begin(&self.0, request)))
    }

    async fn compute_kernel(
        &self,
        request: Request<pb::ComputeKernelRequest>,
    ) -> Result<Response<pb::ComputeKernelResponse>, Status> {
        self.0.check_open()?;
        let request = request.into_inner();
        let radius_voxels = request.radius_voxels;
        let (source, spec) = off_thread(move || decode::kernel(&request)).await?;
        let mut running =
            self.0.queue.submit(move |_, control| Ok(voxel_kernel(&spec, &control.at_stage(Stage::Kernel))?))?;
        let kernel = running.finished().await?;
        Ok(Response::new(encode_kernel(&kernel, &source, radius_voxels)))
    }

    async fn list_nuclides(
        &self,
        _request: Request<pb::ListNuclidesRequest>,
    ) -> Result<Response<pb::ListNuclidesResponse>, Status> {
        let nuclides = off_thread(|| Ok(nuclide::all().map(encode::nuclide::brief).collect())).await?;
        Ok(Response::new(pb::ListNuclidesResponse { nuclides }))
    }

    async fn get_nuclide(
        &self,
        request: Request<pb::GetNuclideRequest>,
    ) -> Result<Response<pb::GetNuclideResponse>, Status> {
        let name = request.into_inner().name;
        if name.is_empty() {
            return Err(DoseError::invalid("name", "is missing").into());
        }
        let unknown = |Invalid(reason)| DoseError::UnknownNuclide(reason);
        let look_up = move || nuclide::find(&name).map(encode::nuclide::detail).map_err(unknown);
        Ok(Response::new(off_thread(look_up).await?))
    }

    async fn list_devices(
        &self,
        _request: Request<pb::ListDevicesRequest>,
    ) -> Result<Response<pb::ListDevicesResponse>, Status> {
        let list = || async { tokio::task::spawn_blocking(list_devices).await };
        let devices = self.0.devices.get_or_try_init(list).await;
        let devices = devices.map_err(|_| DoseError::Internal("the devices could not be listed".into()))?;
        Ok(Response::new(pb::ListDevicesResponse {
            devices: devices.iter().cloned().map(provenance::encode_device).collect(),
            serving_device_id: self.0.queue.device().id.clone(),
        }))
    }

    async fn get_server_info(
        &self,
        _request: Request<pb::GetServerInfoRequest>,
    ) -> Result<Response<pb::GetServerInfoResponse>, Status> {
        let config = &self.0.config;
        Ok(Response::new(pb::GetServerInfoResponse {
            version: env!("CARGO_PKG_VERSION").into(),
            commit: env!("DOSEGRID_COMMIT").into(),
            device: Some(provenance::encode_device(self.0.queue.device().clone())),
            limits: Some(pb::ServerLimits {
                max_message_bytes: config.max_message_bytes as u64,
                max_volume_bytes: config.max_volume_bytes,
                memory_bytes: config.memory_bytes,
                queue_length: u32::try_from(config.queue_length).unwrap_or(u32::MAX),
                idle_timeout_s: config.idle_timeout.as_secs_f64(),
            }),
        }))
    }
}

fn encode_kernel(kernel: &VoxelKernel, source: &Source, radius_voxels: u32) -> pb::ComputeKernelResponse {
    let s_values = kernel.s_values_gy();
    pb::ComputeKernelResponse {
        s_gy_per_decay: s_values.as_slice_memory_order().expect("an octant is contiguous").to_vec(),
        radius_voxels,
        captured_fraction: kernel.captured_mev / source.released_mev(),
        nuclide_data_sha256: source.data_sha256().to_owned(),
    }
}
