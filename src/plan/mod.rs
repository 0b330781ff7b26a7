//! From a request's header to what will be done: padded shapes, blocks, bytes. Pure; knows no device and no volume.

pub mod convolution;
mod core;
mod kernel;
pub mod transport;

use crate::domain::{DoseError, DoseRequest, Method, Source, VoxelGrid};

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

/// What a request's header says.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The grid of all volumes.
    pub grid: &'a VoxelGrid,
    /// What decays in each map.
    pub sources: Vec<&'a Source>,
    /// How the dose is computed.
    pub method: &'a Method,
    /// Whether a biologically weighted dose is asked for.
    pub is_weighted: bool,
}

impl<'a> From<&'a DoseRequest> for Asked<'a> {
    fn from(request: &'a DoseRequest) -> Self {
        Self {
            grid: request.activity().decays().grid(),
            sources: request.sources().collect(),
            method: request.method(),
            is_weighted: request.weighting().is_some(),
        }
    }
}

/// Plans what is asked for. Several maps are done one after another.
///
/// # Errors
/// [`DoseError::TooLarge`] if it could not run even alone; [`DoseError::Invalid`] for histories that cannot be numbered, or energies that no kernel has.
pub fn plan<'a>(asked: impl Into<Asked<'a>>, limits: &Limits) -> Result<DosePlan, DoseError> {
    let Asked { grid, sources, method, is_weighted } = asked.into();
    let (mut works, mut work_bytes) = (Vec::new(), 0);
    for source in sources {
        let (work, bytes) = plan_work(grid, source, method, limits)?;
        works.push(work);
        work_bytes = bytes.max(work_bytes);
    }
    // Held at once, per voxel in f32: the activity of each map, density, dose; with several maps dose and uncertainty of those before as well.
    let several = if works.len() > 1 { 3 } else { 0 };
    let volumes = works.len() + 2 + several + usize::from(is_weighted);
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
fn plan_work(grid: &VoxelGrid, source: &Source, method: &Method, limits: &Limits) -> Result<(Work, u64), DoseError> {
    match method {
        Method::Local(_) => Ok((Work::Local, 0)),
        Method::Kernel(options) => {
            let work = KernelWork::new(grid, source, options, limits.workspace_bytes)?;
            let bytes = work.host_bytes(grid.voxels());
            Ok((Work::Kernel(Box::new(work)), bytes))
        }
        Method::MonteCarlo(options) => {
            let transport = TransportPlan::new(grid, source, options)?;
            let bytes = transport.host_bytes(grid.voxels());
            Ok((Work::MonteCarlo(transport), bytes))
        }
    }
}
