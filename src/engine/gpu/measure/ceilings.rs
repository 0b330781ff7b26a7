//! What a device can do at most, measured in WGSL (`shaders/probes/`).

use std::time::Instant;

use crate::domain::{Control, DoseError};
use crate::engine::gpu::context::Context;
use crate::engine::gpu::pipeline::{Bound, Pipeline};
use crate::engine::gpu::session::Session;
use crate::engine::gpu::shader::{self, ProbeParams, Shader};
use crate::engine::measures::{AtomicRate, Ceilings};

/// Intended duration of a submit: long against its fixed cost, short against a driver's watchdog [s].
const SUBMIT_SECONDS: f64 = 0.05;
/// Submits that are timed; the median counts.
const REPEATS: usize = 5;
/// Most dispatches of a submit.
const MAX_DISPATCHES: u32 = 4096;
/// Bytes of the buffers that are read and written: far more than a cache holds.
const BUFFER_BYTES_HARDWARE: u64 = 256 << 20;
const BUFFER_BYTES_SOFTWARE: u64 = 64 << 20;
/// Lanes of a dispatch: enough to fill any device.
const LANES_HARDWARE: u32 = 1 << 20;
const LANES_SOFTWARE: u32 = 1 << 14;
/// Rounds of a lane that computes.
const ROUNDS: u32 = 64;
/// Operations of a round, as the probes state them: 8 chains of 4 multiplications with an addition; 5 operations on
/// each of 16 words.
const FLOP_PER_ROUND: f64 = 2.0 * 8.0 * 4.0;
const INTEGER_PER_ROUND: f64 = 5.0 * 16.0;
/// Addresses that atomics share.
const ADDRESSES: [u64; 4] = [1, 32, 1 << 10, 1 << 23];
/// Dispatches whose fixed cost is measured.
const EMPTY_DISPATCHES: u32 = 200;

/// Bytes of an element of the buffers.
const ELEMENT_BYTES: u64 = 16;

/// Measures all that is measured.
pub(super) fn measure(session: &mut Session, control: &Control) -> Result<Ceilings, DoseError> {
    let wanted = if session.is_software { BUFFER_BYTES_SOFTWARE } else { BUFFER_BYTES_HARDWARE };
    let bytes = 1 << wanted.min(session.context.bounds().binding_bytes).ilog2();
    let lanes = if session.is_software { LANES_SOFTWARE } else { LANES_HARDWARE };
    let words = usize::try_from(bytes / 4).expect("what one binding holds");
    let [source, target] = ["source", "target"].map(|label| session.context.storage(label, words));
    let result = session.context.storage("result", lanes as usize);
    let buffers = [("source", &source), ("target_values", &target), ("result", &result), ("words", &target)];
    let elements = u32::try_from(bytes / ELEMENT_BYTES).expect("what one binding holds");
    let context = &session.context;
    let rate = |shader, n, rounds, per_round: f64| -> Result<f64, DoseError> {
        let probe = Probe::new(context, shader, &buffers, ProbeParams { n, rounds }, lanes);
        Ok(f64::from(rounds) * per_round * f64::from(lanes) / probe.seconds_of_dispatch(control)?)
    };
    let passes = (elements / lanes).max(1);
    let moved = ELEMENT_BYTES as f64;
    let empty = Probe::new(context, &shader::PROBE_ATOMICS, &buffers, ProbeParams { n: 1, rounds: 0 }, 1);
    let empty_submit_s = empty.median_of_submits(1, control)?;
    let many_s = empty.median_of_submits(EMPTY_DISPATCHES, control)?;
    let atomics = ADDRESSES.into_iter().filter(|addresses| addresses * 4 <= bytes).map(|addresses| {
        let n = u32::try_from(addresses).expect("few addresses");
        Ok(AtomicRate { addresses, adds_per_s: rate(&shader::PROBE_ATOMICS, n, ROUNDS, 1.0)? })
    });
    let ceilings = Ceilings {
        read_bytes_per_s: Some(rate(&shader::PROBE_READ, elements, passes, moved)?),
        write_bytes_per_s: Some(rate(&shader::PROBE_WRITE, elements, passes, moved)?),
        copy_bytes_per_s: Some(rate(&shader::PROBE_COPY, elements, passes, 2.0 * moved)?),
        flop_per_s: Some(rate(&shader::PROBE_FMA, lanes, 8 * ROUNDS, FLOP_PER_ROUND)?),
        integer_per_s: Some(rate(&shader::PROBE_INTEGER, lanes, 8 * ROUNDS, INTEGER_PER_ROUND)?),
        empty_submit_s: Some(empty_submit_s),
        empty_dispatch_s: Some((many_s - empty_submit_s).max(0.0) / f64::from(EMPTY_DISPATCHES - 1)),
        atomics: atomics.collect::<Result<_, DoseError>>()?,
        ..Ceilings::default()
    };
    let (upload, readback) = transfer_rates(session, &source, words, control)?;
    Ok(Ceilings { upload_bytes_per_s: Some(upload), readback_bytes_per_s: Some(readback), ..ceilings })
}

/// Bytes per second to the device and back.
fn transfer_rates(
    session: &mut Session,
    buffer: &wgpu::Buffer,
    words: usize,
    control: &Control,
) -> Result<(f64, f64), DoseError> {
    let mut values = vec![1_u32; words.min(session.transfer_limit())];
    let bytes = size_of_val(values.as_slice()) as f64;
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for _ in 0..REPEATS {
        stop_if_cancelled(control)?;
        let start = Instant::now();
        session.context.queue.write_buffer(buffer, 0, bytemuck::cast_slice(&values));
        session.context.queue.submit([]);
        session.context.wait()?;
        up.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        session.read_as(buffer, 0, &mut values, |word| word)?;
        down.push(start.elapsed().as_secs_f64());
    }
    Ok((bytes / median(&mut up), bytes / median(&mut down)))
}

/// One probe, ready to run.
struct Probe<'a> {
    context: &'a Context,
    pipeline: Pipeline,
    bound: Bound,
    groups: [u32; 2],
}

impl<'a> Probe<'a> {
    fn new(
        context: &'a Context,
        shader: &'static Shader,
        buffers: &[(&str, &wgpu::Buffer)],
        params: ProbeParams,
        lanes: u32,
    ) -> Self {
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let words = params.words();
        let uniform = context.buffer("probe", words.len(), usage);
        context.queue.write_buffer(&uniform, 0, bytemuck::cast_slice(&words));
        let pipeline = Pipeline::compile(&context.device, shader, &[]);
        let named: Vec<_> = buffers.iter().copied().chain([("probe", &uniform)]).collect();
        let bound = pipeline.bind(&context.device, &named);
        let groups = lanes.div_ceil(shader.lanes);
        let x = groups.min(context.groups_per_axis());
        Self { context, pipeline, bound, groups: [x, groups.div_ceil(x)] }
    }

    /// Time of one dispatch within a submit that lasts about [`SUBMIT_SECONDS`] [s].
    fn seconds_of_dispatch(&self, control: &Control) -> Result<f64, DoseError> {
        // The first submit pays for what the driver does once.
        self.submit(1)?;
        let mut dispatches = 1;
        loop {
            stop_if_cancelled(control)?;
            let seconds = self.submit(dispatches)?;
            if seconds >= SUBMIT_SECONDS / 2.0 || dispatches >= MAX_DISPATCHES {
                break;
            }
            let factor = (SUBMIT_SECONDS / seconds.max(1e-6)).clamp(2.0, 16.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 16 times as many")]
            let wanted = (f64::from(dispatches) * factor) as u32;
            dispatches = wanted.min(MAX_DISPATCHES);
        }
        Ok(self.median_of_submits(dispatches, control)? / f64::from(dispatches))
    }

    /// Median time of submits with so many dispatches [s].
    fn median_of_submits(&self, dispatches: u32, control: &Control) -> Result<f64, DoseError> {
        self.submit(dispatches)?;
        let timed = (0..REPEATS).map(|_| stop_if_cancelled(control).and_then(|()| self.submit(dispatches)));
        Ok(median(&mut timed.collect::<Result<Vec<_>, _>>()?))
    }

    /// Runs the probe some times and waits [s].
    fn submit(&self, dispatches: u32) -> Result<f64, DoseError> {
        let start = Instant::now();
        let label = Some(self.pipeline.shader.name);
        let mut encoder = self.context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label });
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label, timestamp_writes: None });
        pass.set_pipeline(&self.pipeline.compute);
        pass.set_bind_group(0, &self.bound.group, &[0]);
        let [x, y] = self.groups;
        for _ in 0..dispatches {
            pass.dispatch_workgroups(x, y, 1);
        }
        drop(pass);
        self.context.queue.submit([encoder.finish()]);
        self.context.wait()?;
        Ok(start.elapsed().as_secs_f64())
    }
}

fn stop_if_cancelled(control: &Control) -> Result<(), DoseError> {
    if control.is_cancelled() { Err(DoseError::Cancelled) } else { Ok(()) }
}

/// The middle of an odd number of times.
fn median(seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}
