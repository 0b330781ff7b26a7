//! The native engine: vectors and rayon on all cores.

mod block;
mod buffers;
mod ceilings;
mod core;
mod fft;
mod planes;
mod progress;
pub(crate) mod transport;

use std::ops::Range;

use crate::domain::Tally;
use crate::domain::passes::{BLOCK, largest};
use crate::domain::{Control, DeviceInfo, DeviceKind, DoseError, Stage, Volume};
use crate::physics::kernel::VoxelKernel;
use crate::plan::{Block, ConvolutionPlan};
use crate::prepare::kernel_spectrum::{PreparedKernel, PreparedKernels, power_of_two_below};
use crate::prepare::transport::Scene;

use self::core::DirectCore;
use block::{BlockTransform, Planner};
use buffers::SpectrumBuffers;
pub use ceilings::measure as ceilings;
pub(crate) use fft::with_vectors;
use progress::Tasks;
use rayon::prelude::*;

/// The CPU as a device.
#[derive(Debug, Default)]
pub struct CpuEngine {
    planner: Planner,
    kernels: PreparedKernels,
    buffers: SpectrumBuffers,
}

impl CpuEngine {
    /// Name and threads of the device.
    pub fn info(&self) -> DeviceInfo {
        DeviceInfo {
            id: "cpu".into(),
            kind: DeviceKind::Cpu,
            name: "CPU".into(),
            backend: "native".into(),
            driver: format!("rayon, {} threads", rayon::current_num_threads()),
        }
    }

    /// See [`crate::engine::Device::convolve`]. Every run gives the same bytes, with any number of threads.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub fn convolve(
        &mut self,
        plan: &ConvolutionPlan,
        kernel: &VoxelKernel,
        source: &Volume<f32>,
        control: &Control,
    ) -> Result<Volume<f32>, DoseError> {
        let mut energy = vec![0.0; source.grid().voxels()];
        let most_in = |block: &[f32]| largest(block).unwrap_or_else(|| block.iter().copied().fold(0.0, f32::max));
        let most_decays = source.as_slice().par_chunks(BLOCK).map(most_in).reduce(|| 0.0, f32::max);
        if most_decays > 0.0 {
            let source_unit = power_of_two_below(f64::from(most_decays));
            let plane = plan.shape[0] * plan.shape[1];
            control.checkpoint(Stage::Dose, 0.0)?;
            if plan.is_direct() {
                convolve_directly(plan, &PreparedKernel::direct(kernel), source.as_slice(), &mut energy, control)?;
                return Ok(Volume::from_vec(source.grid().clone(), energy).expect("one energy for each voxel"));
            }
            let tasks =
                Tasks::new(control, plan.blocks.iter().map(|block| BlockTransform::tasks(block, plan.ky_slabs)).sum());
            for block in &plan.blocks {
                let prepared = self.kernels.get(kernel, plan.core_half_width, block.padded_shape, control)?;
                let output = &mut energy[block.output_z.start * plane..block.output_z.end * plane];
                let block = SourceBlock { shape: plan.shape, block, source: source.as_slice(), source_unit };
                for slab in 0..plan.ky_slabs {
                    control.give_way()?;
                    self.convolve_block(&block, [slab, plan.ky_slabs], &prepared, output, &tasks, control)?;
                }
            }
        }
        self.buffers.trim();
        Ok(Volume::from_vec(source.grid().clone(), energy).expect("one energy for each voxel of the source's grid"))
    }

    /// See [`crate::engine::Device::transport`].
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub fn transport(
        &mut self,
        scene: &Scene,
        histories: Range<u64>,
        tally: &mut Tally,
        control: &Control,
    ) -> Result<(), DoseError> {
        transport::transport(scene, histories, tally, control)
    }

    /// * `slab` – number of the slab of ky, and how many there are; the first makes the result, the others add to it
    fn convolve_block(
        &mut self,
        block: &SourceBlock,
        slab: [usize; 2],
        kernel: &PreparedKernel,
        energy: &mut [f32],
        tasks: &Tasks,
        control: &Control,
    ) -> Result<(), DoseError> {
        let transform = BlockTransform::new(block.shape, block.block, slab, &mut self.planner);
        let [nx, ny, _] = block.shape;
        let plane = nx * ny;
        let block_source = &block.source[block.block.source_z.start * plane..block.block.source_z.end * plane];
        let (spectrum, scratch) = self.buffers.room(transform.spectrum_lanes());
        let filled = transform.forward_y(block_source, block.source_unit.recip(), spectrum, scratch, tasks)?;
        control.give_way()?;
        transform.middle(kernel, &filled, spectrum, scratch, tasks)?;
        control.give_way()?;
        let core = DirectCore::new(&kernel.core, block.source, block.shape);
        let (tail_unit, core_unit) = (block.source_unit * kernel.unit_mev, kernel.unit_mev);
        let first_z = block.block.output_z.start;
        transform.inverse_y(
            spectrum,
            energy,
            scratch,
            tasks,
            #[inline(always)]
            |[y, z], pair, tail, energy| {
                let core_unit = if slab[0] == 0 {
                    core.row([y, first_z + z], pair, energy);
                    core_unit
                } else {
                    1.0
                };
                for (energy, &tail) in energy.iter_mut().zip(tail) {
                    #[expect(clippy::cast_possible_truncation, reason = "the stored precision; decays are bounded")]
                    {
                        *energy = (f64::from(tail) * tail_unit + f64::from(*energy) * core_unit) as f32;
                    }
                }
            },
        )
    }
}

/// What a kernel that is all core makes of a source.
fn convolve_directly(
    plan: &ConvolutionPlan,
    kernel: &PreparedKernel,
    source: &[f32],
    energy: &mut [f32],
    control: &Control,
) -> Result<(), DoseError> {
    let [nx, ny, _] = plan.shape;
    let core = DirectCore::new(&kernel.core, source, plan.shape);
    let tasks = Tasks::new(control, plan.shape[2]);
    energy.par_chunks_exact_mut(nx * ny).enumerate().try_for_each(|(z, plane)| {
        let mut pair = Vec::new();
        for (y, row) in plane.chunks_exact_mut(nx).enumerate() {
            core.row([y, z], &mut pair, row);
            for energy in row {
                #[expect(clippy::cast_possible_truncation, reason = "the stored precision; decays are bounded")]
                {
                    *energy = (f64::from(*energy) * kernel.unit_mev) as f32;
                }
            }
        }
        tasks.finish_one()
    })
}

/// A block of a source, and the unit in which its values are transformed.
struct SourceBlock<'a> {
    shape: [usize; 3],
    block: &'a Block,
    source: &'a [f32],
    /// A power of two next to the largest number of decays.
    source_unit: f64,
}
