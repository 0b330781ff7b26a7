//! The buffers of one block on a device, and the passes over them.

use std::sync::Arc;

use super::batch::{Batches, Pass};
use super::context::Context;
use super::fft::twiddles;
use super::kernel::DeviceKernel;
use super::lines::Lines;
use super::shader::{self, ConvolutionParams, Shader};
use super::tiling::{Chunk, Tiling};

/// The buffers of one block, kept from one request to the next of the same shape.
#[derive(Debug)]
pub(super) struct ConvolutionBuffers {
    pub(super) tiling: Tiling,
    pub(super) chunks: Vec<ChunkBuffers>,
    spectrum: wgpu::Buffer,
    twiddles: [wgpu::Buffer; 3],
}

/// Voxels of one chunk.
#[derive(Debug)]
pub(super) struct ChunkBuffers {
    pub(super) source: wgpu::Buffer,
    pub(super) result: wgpu::Buffer,
}

impl ConvolutionBuffers {
    pub(super) fn new(context: &Context, tiling: Tiling) -> Self {
        let [plane_x, plane_y] = tiling.plane_shape;
        let chunks = tiling.chunks.iter().map(|chunk| ChunkBuffers {
            source: context.storage("source", plane_x * plane_y * chunk.held.len()),
            result: context.storage("result", plane_x * plane_y * chunk.output.len()),
        });
        Self {
            chunks: chunks.collect(),
            spectrum: context.storage("spectrum", 2 * tiling.spectrum_len()),
            twiddles: tiling.padded.map(|n| context.filled("twiddles", &twiddles(n))),
            tiling,
        }
    }

    /// The stages that the passes need, each for its lines.
    pub(super) fn stages(&self) -> [(&'static Shader, Lines); 5] {
        [
            (&shader::FORWARD_X, self.lines(0)),
            (&shader::FORWARD_Y, self.lines(1)),
            (&shader::MULTIPLY_Z, self.lines(2)),
            (&shader::INVERSE_Y, self.lines(1)),
            (&shader::INVERSE_X, self.lines(0)),
        ]
    }

    /// The lines of a workgroup along an axis.
    fn lines(&self, axis: usize) -> Lines {
        let Tiling { padded, tiles, max_lanes, .. } = self.tiling;
        Lines { length: padded[axis], tile: tiles[axis], max_lanes }
    }

    /// All passes of a convolution, in order: slab by slab the transforms there and back.
    pub(super) fn passes(&self, context: &mut Context, batches: &Batches, kernel: &DeviceKernel) -> Vec<Pass> {
        let mut maker = Maker { context, batches, buffers: self, kernel };
        let mut passes = Vec::new();
        for slab in 0..self.tiling.slabs.len() {
            passes.extend(self.tiling.chunks.iter().zip(&self.chunks).map(|(c, b)| maker.forward_x(slab, c, b)));
            passes.push(maker.along_y(&shader::FORWARD_Y, slab, self.tiling.source_z.len()));
            passes.push(maker.multiply_z(slab));
            passes.push(maker.along_y(&shader::INVERSE_Y, slab, self.tiling.output_z.len()));
            passes.extend(self.outputs().map(|(c, b)| maker.inverse_x(slab, c, b)));
        }
        passes
    }

    /// The chunks that have planes of the result.
    pub(super) fn outputs(&self) -> impl Iterator<Item = (&Chunk, &ChunkBuffers)> {
        self.tiling.chunks.iter().zip(&self.chunks).filter(|(chunk, _)| !chunk.output.is_empty())
    }
}

/// What every pass is made from.
struct Maker<'a> {
    context: &'a mut Context,
    batches: &'a Batches,
    buffers: &'a ConvolutionBuffers,
    kernel: &'a DeviceKernel,
}

impl Maker<'_> {
    fn forward_x(&mut self, slab: usize, chunk: &Chunk, buffers: &ChunkBuffers) -> Pass {
        let mut params = self.slab_params(slab);
        params.n_planes = word(chunk.own.len());
        params.first_volume_plane = word(chunk.own.start - chunk.held.start);
        params.first_spectrum_plane = word(chunk.own.start - self.buffers.tiling.source_z.start);
        self.along_x(&shader::FORWARD_X, &[("source", &buffers.source)], params, 0.0)
    }

    /// With the first slab, the core.
    fn inverse_x(&mut self, slab: usize, chunk: &Chunk, buffers: &ChunkBuffers) -> Pass {
        let mut params = self.slab_params(slab);
        params.n_planes = word(chunk.output.len());
        params.first_volume_plane = word(chunk.output.start - chunk.held.start);
        params.volume_planes = word(chunk.held.len());
        params.first_spectrum_plane = word(chunk.output.start - self.buffers.tiling.output_z.start);
        let core_values: u32 = self.kernel.core_half_width.iter().map(|&h| 2 * word(h) + 1).product();
        let core_values = if slab == 0 { f64::from(core_values) } else { 0.0 };
        let named = [("source", &buffers.source), ("core", &self.kernel.core), ("result", &buffers.result)];
        self.along_x(&shader::INVERSE_X, &named, params, core_values)
    }

    /// Rows two by two.
    ///
    /// * `voxel_cost` – what is done for each voxel besides the transform
    fn along_x(
        &mut self,
        shader: &'static Shader,
        volumes: &[(&str, &wgpu::Buffer)],
        params: ConvolutionParams,
        voxel_cost: f64,
    ) -> Pass {
        let buffers = self.buffers;
        let lines = buffers.lines(0);
        let of_lines = [("twiddles", &buffers.twiddles[0]), ("spectrum", &buffers.spectrum)];
        let named: Vec<_> = volumes.iter().copied().chain(of_lines).collect();
        let groups = params.n_y.div_ceil(2 * word(lines.tile)) * params.n_planes;
        let cost = line_cost(lines) + voxel_cost * f64::from(params.n_x) * (2 * lines.tile) as f64;
        self.pass((shader, lines), &named, params, groups, cost)
    }

    fn along_y(&mut self, shader: &'static Shader, slab: usize, planes: usize) -> Pass {
        let (buffers, params) = (self.buffers, self.slab_params(slab));
        let lines = buffers.lines(1);
        let named = [("twiddles", &buffers.twiddles[1]), ("spectrum", &buffers.spectrum)];
        let groups = params.n_kx.div_ceil(word(lines.tile)) * word(planes);
        self.pass((shader, lines), &named, params, groups, line_cost(lines))
    }

    fn multiply_z(&mut self, slab: usize) -> Pass {
        let (buffers, params) = (self.buffers, self.slab_params(slab));
        let lines = buffers.lines(2);
        let named =
            [("twiddles", &buffers.twiddles[2]), ("kernel", &self.kernel.slabs[slab]), ("spectrum", &buffers.spectrum)];
        let groups = params.n_kx.div_ceil(word(lines.tile)) * params.padded_y;
        self.pass((&shader::MULTIPLY_Z, lines), &named, params, groups, 2.0 * line_cost(lines))
    }

    fn pass(
        &mut self,
        (shader, lines): (&'static Shader, Lines),
        named: &[(&str, &wgpu::Buffer)],
        params: ConvolutionParams,
        groups: u32,
        group_cost: f64,
    ) -> Pass {
        let pipeline = self.context.pipeline(shader, Some(lines));
        let of_batches = [("params", self.batches.params()), ("done", self.batches.done())];
        let named: Vec<_> = named.iter().copied().chain(of_batches).collect();
        let bound = pipeline.bind(&self.context.device, &named);
        Pass { pipeline: Arc::clone(&pipeline), bound, params, groups, group_cost }
    }

    fn slab_params(&self, slab: usize) -> ConvolutionParams {
        let slab = &self.buffers.tiling.slabs[slab];
        ConvolutionParams { first_kx: word(slab.start), n_kx: word(slab.len()), ..self.block_params() }
    }

    fn block_params(&self) -> ConvolutionParams {
        let tiling = &self.buffers.tiling;
        let [core_x, core_y, core_z] = self.kernel.core_half_width.map(word);
        ConvolutionParams {
            n_x: word(tiling.plane_shape[0]),
            n_y: word(tiling.plane_shape[1]),
            padded_y: word(tiling.padded[1]),
            row_stride: word(tiling.row_stride),
            n_source_planes: word(tiling.source_z.len()),
            first_result_plane: word(tiling.output_z.start - tiling.source_z.start),
            n_result_planes: word(tiling.output_z.len()),
            core_x,
            core_y,
            core_z,
            ..ConvolutionParams::default()
        }
    }
}

fn word(n: usize) -> u32 {
    u32::try_from(n).expect("what one binding holds is counted in 32 bits")
}

/// Cost of one group, in points times stages of radix 2.
fn line_cost(Lines { length, tile, .. }: Lines) -> f64 {
    (length * tile) as f64 * f64::from(length.ilog2() + 1)
}
