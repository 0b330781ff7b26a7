//! An open device and what it holds, all of which is gone when the device is lost.

use std::ops::Range;
use std::sync::Arc;

use super::batch::Batches;
use super::context::{Context, DeviceLimits};
use super::convolution_buffers::ConvolutionBuffers;
use super::kernel::DeviceKernels;
use super::tiling::Tiling;
use super::transport::TransportStages;
use crate::domain::{Control, DeviceInfo, DeviceKind, DoseError, Stage};
use crate::prepare::kernel_spectrum::PreparedKernel;

/// Cost per second assumed before the first batch of a device. It is lower than the real one: a batch of a twentieth of
/// a second must not take a minute.
const FIRST_RATE_HARDWARE: f64 = 1e9;
const FIRST_RATE_SOFTWARE: f64 = 2e7;
/// Most values that are converted and sent, or fetched, at a time.
const TRANSFER_VALUES: usize = 4 << 20;

/// An open device and what it holds.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) context: Context,
    kernels: DeviceKernels,
    pub(super) batches: Batches,
    pub(super) buffers: Option<ConvolutionBuffers>,
    /// What transport keeps from one call to the next; compiled when first needed.
    pub(super) transport: Option<TransportStages>,
    pub(super) is_software: bool,
    /// Where results are read from; made when first needed.
    staging: Option<wgpu::Buffer>,
}

/// What one block is computed from.
#[derive(Debug)]
pub(super) struct Block<'a> {
    pub(super) tiling: Tiling,
    pub(super) kernel: &'a Arc<PreparedKernel>,
    /// The whole source volume.
    pub(super) source: &'a [f32],
    /// What the source is divided by on the device, so that no scale overflows single precision.
    pub(super) unit_decays: f64,
}

impl Session {
    /// # Errors
    /// [`DoseError::DeviceUnavailable`] if the driver refuses; [`DoseError::DeviceOutOfMemory`].
    pub(super) fn open(adapter: &wgpu::Adapter, info: &DeviceInfo, limits: DeviceLimits) -> Result<Self, DoseError> {
        let context = Context::open(adapter, limits)?;
        let is_software = info.kind == DeviceKind::SoftwareGpu;
        let batches = Batches::new(&context, if is_software { FIRST_RATE_SOFTWARE } else { FIRST_RATE_HARDWARE });
        context.faults.check().map_err(|error| {
            let DoseError::DeviceRefused(reason) = error else { return error };
            DoseError::DeviceUnavailable(format!("{}: {reason}", info.id))
        })?;
        Ok(Self {
            context,
            kernels: DeviceKernels::default(),
            batches,
            buffers: None,
            transport: None,
            is_software,
            staging: None,
        })
    }

    /// Convolves one block: `output` gets the energy of its planes.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`], [`DoseError::DeviceLost`], [`DoseError::DeviceOutOfMemory`].
    pub(super) fn convolve(
        &mut self,
        block: Block<'_>,
        output: &mut [f32],
        control: &Control,
        progress: impl Fn(f64) -> f64,
    ) -> Result<(), DoseError> {
        let Block { tiling, kernel, source, unit_decays } = block;
        let buffers = self.buffers_for(tiling)?;
        self.upload(&buffers, source, unit_decays);
        let on_device = self.kernels.get(&self.context, kernel, &buffers.tiling.slabs);
        self.context.faults.check()?;
        for (shader, lines) in buffers.stages() {
            control.checkpoint(Stage::Dose, progress(0.0))?; // a driver may take long to compile
            self.context.pipeline(shader, Some(lines));
        }
        let passes = buffers.passes(&mut self.context, &self.batches, &on_device);
        if let Some(recorder) = &self.context.recorder {
            recorder.passes(self.batches.params(), &passes);
        }
        self.batches.run(&self.context, &passes, control, progress)?;
        self.check_done()?;
        self.download(&buffers, unit_decays * kernel.unit_mev, output)?;
        self.buffers = Some(buffers);
        Ok(())
    }

    /// Every workgroup that the device was given must have come to its end.
    fn check_done(&mut self) -> Result<(), DoseError> {
        let done = self.batches.done().clone();
        let mut words = vec![0; words_of(&done)];
        self.read_as(&done, 0, &mut words, |word| word)?;
        self.batches.check_done(&words)
    }

    /// The buffers for a block: those of the block before if it has the same tiling.
    fn buffers_for(&mut self, tiling: Tiling) -> Result<ConvolutionBuffers, DoseError> {
        match self.buffers.take() {
            Some(buffers) if buffers.tiling == tiling => Ok(buffers),
            // The old buffers are dropped first: there may not be room for both.
            old => {
                drop(old);
                self.transport.iter_mut().for_each(TransportStages::free);
                let buffers = ConvolutionBuffers::new(&self.context, tiling);
                self.context.faults.check().map(|()| buffers)
            }
        }
    }

    /// Most words that are fetched at a time.
    pub(super) fn transfer_limit(&self) -> usize {
        usize::try_from(self.context.bounds().binding_bytes / 4).unwrap_or(usize::MAX).min(TRANSFER_VALUES)
    }

    /// Frees all memory of the device that another request could need.
    pub(super) fn release(&mut self) {
        self.buffers = None;
        self.transport.iter_mut().for_each(TransportStages::free);
        self.staging = None;
        self.kernels = DeviceKernels::default();
    }

    /// Sends the source, divided by `unit`.
    fn upload(&self, block: &ConvolutionBuffers, source: &[f32], unit: f64) {
        let [nx, ny] = block.tiling.plane_shape;
        for (chunk, buffers) in block.tiling.chunks.iter().zip(&block.chunks) {
            let values = &source[voxels_of(&chunk.held, nx * ny)];
            for (piece, offset) in values.chunks(TRANSFER_VALUES).zip((0..).step_by(TRANSFER_VALUES * 4)) {
                #[expect(clippy::cast_possible_truncation, reason = "the unit is a power of two: nothing is rounded")]
                let scaled: Vec<f32> = piece.iter().map(|&value| (f64::from(value) / unit) as f32).collect();
                self.context.write(&buffers.source, offset, bytemuck::cast_slice(&scaled));
            }
        }
    }

    /// Fetches the result of a block, times `unit`.
    fn download(&mut self, block: &ConvolutionBuffers, unit: f64, result: &mut [f32]) -> Result<(), DoseError> {
        let [nx, ny] = block.tiling.plane_shape;
        let first = block.tiling.output_z.start;
        for (chunk, buffers) in block.outputs() {
            let output = chunk.output.start - first..chunk.output.end - first;
            let values = &mut result[voxels_of(&output, nx * ny)];
            for (piece, offset) in values.chunks_mut(TRANSFER_VALUES).zip((0..).step_by(TRANSFER_VALUES * 4)) {
                self.read(&buffers.result, offset, unit, piece)?;
                let first_voxel = chunk.output.start * nx * ny + offset_voxels(offset);
                self.record_values(&buffers.result, offset, first_voxel, piece.len())?;
            }
        }
        Ok(())
    }

    /// Keeps values as the device left them, if what it is given is kept.
    fn record_values(
        &mut self,
        buffer: &wgpu::Buffer,
        offset: u64,
        first_voxel: usize,
        len: usize,
    ) -> Result<(), DoseError> {
        if self.context.recorder.is_none() {
            return Ok(());
        }
        let mut values = vec![0.0; len];
        self.read_as(buffer, offset, &mut values, f32::from_bits)?;
        let recorder = self.context.recorder.iter();
        recorder.for_each(|recorder| recorder.values(buffer, offset, first_voxel, &values));
        Ok(())
    }

    /// Fetches values from `offset` bytes on, times `unit`.
    pub(super) fn read(
        &mut self,
        buffer: &wgpu::Buffer,
        offset: u64,
        unit: f64,
        values: &mut [f32],
    ) -> Result<(), DoseError> {
        let convert = |found: u32| {
            let scaled = f64::from(f32::from_bits(found)) * unit;
            #[expect(clippy::cast_possible_truncation, reason = "the precision of the result")]
            {
                scaled as f32
            }
        };
        self.read_as(buffer, offset, values, convert)
    }

    /// Fetches at most [`TRANSFER_VALUES`] words from `offset` bytes on, each converted. Waits until the device has
    /// done all that it was given before.
    pub(super) fn read_as<T>(
        &mut self,
        buffer: &wgpu::Buffer,
        offset: u64,
        values: &mut [T],
        convert: impl Fn(u32) -> T,
    ) -> Result<(), DoseError> {
        let limit = self.transfer_limit();
        let Self { context, staging, .. } = self;
        let size = values.len() as u64 * 4;
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = match staging.take() {
            Some(kept) => staging.insert(kept),
            None => {
                let made = context.buffer("staging", limit, usage);
                context.faults.check()?;
                staging.insert(made)
            }
        };
        let label = wgpu::CommandEncoderDescriptor { label: Some("read back") };
        let mut encoder = context.device.create_command_encoder(&label);
        encoder.copy_buffer_to_buffer(buffer, offset, staging, 0, size);
        context.queue.submit([encoder.finish()]);
        context.traffic.fetches(size);
        let played = context.played.reading(staging, offset, values.len());
        let faults = context.faults.clone();
        staging.map_async(wgpu::MapMode::Read, 0..size, move |mapped| {
            if let Err(error) = mapped {
                faults.lost(format!("reading back: {error}"));
            }
        });
        context.wait()?;
        let lost = |error| DoseError::DeviceLost(format!("reading back: {error}"));
        let view = staging.get_mapped_range(0..size).map_err(lost)?;
        let words = view.chunks_exact(4).map(|bytes| u32::from_le_bytes(bytes.try_into().expect("four bytes")));
        for ((number, value), word) in values.iter_mut().enumerate().zip(words) {
            *value = convert(played.word(number, word));
        }
        drop(view);
        staging.unmap();
        Ok(())
    }
}

fn words_of(buffer: &wgpu::Buffer) -> usize {
    usize::try_from(buffer.size() / 4).expect("a small buffer")
}

fn offset_voxels(offset: u64) -> usize {
    usize::try_from(offset / 4).expect("within a volume in memory")
}

fn voxels_of(planes: &Range<usize>, plane_voxels: usize) -> Range<usize> {
    planes.start * plane_voxels..planes.end * plane_voxels
}
