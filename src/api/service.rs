//! The RPCs. Each only decodes, asks the job layer or a table, and encodes.

use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Request, Response, Status, Streaming};

use super::call;
use super::durable::Durable;
use super::gate::Gate;
use super::off_thread::{Watched, for_header, off_thread, watched};
use super::stream::Responses;
use super::turns::Turns;
use super::{ServerConfig, kernel_calls, map_call, merge_call, pb, wire};
use crate::domain::{DeviceInfo, DoseError, Invalid};
use crate::engine::list_devices;
use crate::faults::Faults;
use crate::intake::bed::BedWork;
use crate::intake::{MapIntegration, Regrid};
use crate::jobs::{Budget, LocalJobs};
use crate::math::cache::caches;
use crate::metrics::Metrics;
use crate::physics::nuclide;
use crate::store::Store;

/// What all calls share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: ServerConfig,
    pub(super) jobs: Arc<LocalJobs>,
    pub(super) budget: Arc<Budget>,
    /// `ComputeKernel`.
    pub(super) kernels: Turns,
    /// `Resample`, `Integrate`, `IntegrateCurves`, `MergeTallies`, `ComputeBed` and `ComputeBudget`.
    pub(super) resampling: Turns,
    /// What is counted.
    pub(super) metrics: Arc<Metrics>,
    /// Who has the device, where jobs last.
    pub(super) gate: Arc<Gate>,
    /// The store, if there is one.
    pub(super) durable: Option<Durable>,
    /// Cancelled when the server begins to drain.
    pub(super) draining: CancellationToken,
    /// Jobs of the store that run here.
    pub(super) attempts: TaskTracker,
    /// Running calls with streams; closed when the server drains.
    pub(super) calls: TaskTracker,
    /// Cancelled when the server stops waiting for them.
    pub(super) abort: CancellationToken,
    /// Faults that are injected into calls.
    pub(super) faults: Faults,
    devices: OnceCell<Vec<DeviceInfo>>,
}

impl Shared {
    pub(super) fn new(
        config: ServerConfig,
        jobs: Arc<LocalJobs>,
        store: Option<Arc<Store>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let budget = Budget::with_caches(config.memory_bytes);
        let (calls, attempts, abort) = (TaskTracker::new(), TaskTracker::new(), CancellationToken::new());
        let [kernels, resampling] = [(); 2].map(|()| Turns::new(config.queue_length));
        let durable = store.map(|store| Durable::new(store, metrics.clone()));
        let (draining, devices) = (CancellationToken::new(), OnceCell::new());
        let gate = Gate::new(jobs.has_lanes());
        Self {
            config,
            jobs,
            budget,
            kernels,
            resampling,
            metrics,
            gate,
            durable,
            draining,
            attempts,
            calls,
            abort,
            faults: Faults::of_environment(),
            devices,
        }
    }

    /// # Errors
    /// [`DoseError::TooLarge`] if a caller announces more than is taken of one piece.
    ///
    /// * `what` – it is, in the words of [`DoseError::TooLarge`]
    pub(super) fn check_size(&self, what: &'static str, needed_bytes: u64) -> Result<(), DoseError> {
        let limit_bytes = self.config.max_volume_bytes;
        if needed_bytes > limit_bytes {
            return Err(DoseError::TooLarge { what, needed_bytes, limit_bytes });
        }
        Ok(())
    }

    pub(super) fn check_open(&self) -> Result<(), DoseError> {
        if self.calls.is_closed() { Err(DoseError::ShuttingDown) } else { Ok(()) }
    }
}

/// `dosegrid.v1.DoseService`.
#[derive(Clone, Debug)]
pub(super) struct Service(pub(super) Arc<Shared>);

#[tonic::async_trait]
impl pb::dose_service_server::DoseService for Service {
    type ComputeStream = Responses<pb::ComputeResponse>;

    async fn compute(
        &self,
        request: Request<Streaming<pb::ComputeRequest>>,
    ) -> Result<Response<Self::ComputeStream>, Status> {
        self.0.check_open()?;
        Ok(Response::new(call::begin(&self.0, request)))
    }

    type MergeTalliesStream = Responses<pb::MergeTalliesResponse>;

    async fn merge_tallies(
        &self,
        request: Request<Streaming<pb::MergeTalliesRequest>>,
    ) -> Result<Response<Self::MergeTalliesStream>, Status> {
        self.0.check_open()?;
        Ok(Response::new(merge_call::begin(&self.0, request)))
    }

    type ResampleStream = Responses<pb::ResampleResponse>;

    async fn resample(
        &self,
        request: Request<Streaming<pb::ResampleRequest>>,
    ) -> Result<Response<Self::ResampleStream>, Status> {
        self.0.check_open()?;
        Ok(Response::new(map_call::begin::<Regrid>(&self.0, request)))
    }

    type IntegrateStream = Responses<pb::IntegrateResponse>;

    async fn integrate(
        &self,
        request: Request<Streaming<pb::IntegrateRequest>>,
    ) -> Result<Response<Self::IntegrateStream>, Status> {
        self.0.check_open()?;
        Ok(Response::new(map_call::begin::<MapIntegration>(&self.0, request)))
    }

    type ComputeBedStream = Responses<pb::ComputeBedResponse>;

    async fn compute_bed(
        &self,
        request: Request<Streaming<pb::ComputeBedRequest>>,
    ) -> Result<Response<Self::ComputeBedStream>, Status> {
        self.0.check_open()?;
        Ok(Response::new(map_call::begin::<BedWork>(&self.0, request)))
    }

    async fn integrate_curves(
        &self,
        request: Request<pb::IntegrateCurvesRequest>,
    ) -> Result<Response<pb::IntegrateCurvesResponse>, Status> {
        self.0.check_open()?;
        let request = request.into_inner();
        let place = self.0.resampling.place()?;
        // What is refused waits for no work of others.
        let plan = off_thread(move || wire::curves::plan(request)).await?;
        let Watched { run, stop: _stop } = watched(move |control| wire::curves::integrate(&plan, control));
        Ok(Response::new(place.run(run).await?))
    }

    async fn compute_budget(
        &self,
        request: Request<pb::ComputeBudgetRequest>,
    ) -> Result<Response<pb::ComputeBudgetResponse>, Status> {
        self.0.check_open()?;
        let request = request.into_inner();
        // It takes less time than a turn may take to come: some milliseconds.
        let _place = self.0.resampling.place()?;
        Ok(Response::new(off_thread(move || wire::budget::budgets(request)).await?))
    }

    async fn compute_kernel(
        &self,
        request: Request<pb::ComputeKernelRequest>,
    ) -> Result<Response<pb::ComputeKernelResponse>, Status> {
        self.0.check_open()?;
        let request = request.into_inner();
        let radius_voxels = request.radius_voxels;
        let wanted = for_header(request.emissions.len(), move |_| wire::kernel::decode(request)).await?;
        let (source, kernel) = kernel_calls::compute(&self.0, wanted).await?;
        Ok(Response::new(wire::kernel::encode(&kernel, &source, radius_voxels)))
    }

    async fn list_nuclides(
        &self,
        _request: Request<pb::ListNuclidesRequest>,
    ) -> Result<Response<pb::ListNuclidesResponse>, Status> {
        let nuclides = off_thread(|| Ok(nuclide::all().map(wire::nuclide::brief).collect())).await?;
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
        let look_up = move || nuclide::find(&name).map(wire::nuclide::detail).map_err(unknown);
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
            devices: devices.iter().cloned().map(wire::device::encode).collect(),
            serving_device_id: self.0.jobs.device().id.clone(),
        }))
    }

    async fn get_server_info(
        &self,
        _request: Request<pb::GetServerInfoRequest>,
    ) -> Result<Response<pb::GetServerInfoResponse>, Status> {
        let config = &self.0.config;
        let times = self.0.durable.as_ref().map(|durable| durable.store.options());
        Ok(Response::new(pb::GetServerInfoResponse {
            version: env!("CARGO_PKG_VERSION").into(),
            commit: env!("DOSEGRID_COMMIT").into(),
            device: Some(wire::device::encode(self.0.jobs.device().clone())),
            capabilities: Some(wire::capabilities::encode()),
            caches: caches().into_iter().map(wire::cache::encode).collect(),
            limits: Some(pb::ServerLimits {
                max_message_bytes: config.max_message_bytes as u64,
                max_chunk_bytes: config.max_chunk_bytes() as u64,
                max_volume_bytes: config.max_volume_bytes,
                memory_bytes: config.memory_bytes,
                queue_length: u32::try_from(config.queue_length).unwrap_or(u32::MAX),
                idle_timeout_s: config.idle_timeout.as_secs_f64(),
                compute_limit_s: config.compute_limit.as_secs_f64(),
                volume_ttl_s: times.as_ref().map_or(0.0, |times| times.volume_ttl.as_secs_f64()),
                job_ttl_s: times.map_or(0.0, |times| times.job_ttl.as_secs_f64()),
            }),
        }))
    }
}
