//! From a request's header to what will be done: padded shapes, blocks, bytes. Pure; knows no device and no volume.

pub mod convolution;
mod core;
mod kernel;
pub mod transport;

use crate::domain::{DoseError, Method, RequestHeader, Source};
use crate::math::watch::{Unwatched, Watch};

pub use convolution::{Block, ConvolutionPlan};
pub use kernel::{CoarsePlan, Convolution, KernelWork, SplitWork};
pub use transport::{ChosenCuts, HistoryCuts, TransportPlan};

/// What a process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Host memory for one request: volumes, kernel and workspace [bytes].
    pub host_bytes: u64,
    /// Workspace for one block of a convolution, on the device that runs it [bytes].
    pub workspace_bytes: u64,
}

impl Default for Limits {
    /// 8 GiB in all, 2 GiB of them for one block of a convolution.
    fn default() -> Self {
        Self { host_bytes: 8 << 30, workspace_bytes: 2 << 30 }
    }
}

/// What will be done for a request.
#[derive(Clone, Debug, PartialEq)]
pub struct DosePlan {
    /// The work of each map, in their order.
    pub works: Vec<Work>,
    /// Host memory that the request will take at most, from its first chunk to its last result [bytes].
    pub host_bytes: u64,
}

/// The work of a method.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// Charged-particle energy stays in its voxel.
    Local,
    /// Convolution with a voxel kernel.
    Kernel(Box<KernelWork>),
    /// Monte Carlo transport.
    MonteCarlo(TransportPlan),
}

/// Plans a request. Several maps are computed one after another.
///
/// # Errors
/// [`DoseError::TooLarge`] if the request would not fit even on its own; [`DoseError::Invalid`] for history numbers out
/// of range, or energies beyond the kernels.
pub fn plan(header: impl AsRef<RequestHeader>, limits: &Limits) -> Result<DosePlan, DoseError> {
    plan_watched(header, limits, &Unwatched)
}

/// As [`plan`]; `watch` is asked whether to go on while kernels of many emissions are summed.
///
/// # Errors
/// As [`plan`]; [`DoseError::Cancelled`].
pub fn plan_watched(
    header: impl AsRef<RequestHeader>,
    limits: &Limits,
    watch: &dyn Watch,
) -> Result<DosePlan, DoseError> {
    let header = header.as_ref();
    let grid = header.grid();
    let (mut works, mut work_bytes) = (Vec::new(), 0);
    for source in header.sources() {
        let (work, bytes) = plan_work(header, source, limits, watch)?;
        works.push(work);
        work_bytes = bytes.max(work_bytes);
    }
    // Held at the same time, per voxel in f32: the activity of each map, density and dose; with several maps also the
    // sum of dose and uncertainty so far.
    let several = if works.len() > 1 { 3 } else { 0 };
    let volumes = works.len() + 2 + several + usize::from(header.weighting().is_some());
    let volume_bytes = (size_of::<f32>() * volumes) as u64 * grid.voxels() as u64;
    let host_bytes = volume_bytes.saturating_add(work_bytes);
    if host_bytes > limits.host_bytes {
        return Err(DoseError::TooLarge {
            what: "the request",
            needed_bytes: host_bytes,
            limit_bytes: limits.host_bytes,
        });
    }
    Ok(DosePlan { works, host_bytes })
}

/// The work of one map, and its host memory beside the volumes [bytes].
fn plan_work(
    header: &RequestHeader,
    source: &Source,
    limits: &Limits,
    watch: &dyn Watch,
) -> Result<(Work, u64), DoseError> {
    let grid = header.grid();
    match header.method() {
        Method::Local(_) => Ok((Work::Local, 0)),
        Method::Kernel(options) => {
            let work = KernelWork::new(grid, source, options, limits.workspace_bytes, watch)?;
            let bytes = work.host_bytes(grid.voxels());
            Ok((Work::Kernel(Box::new(work)), bytes))
        }
        Method::MonteCarlo(options) => {
            let label_maps = usize::from(header.labels().is_some()) + usize::from(header.materials().is_some());
            let transport = TransportPlan::new(grid, source, options, label_maps)?;
            let bytes = transport.host_bytes(grid.voxels());
            Ok((Work::MonteCarlo(transport), bytes))
        }
    }
}
