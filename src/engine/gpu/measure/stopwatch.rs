//! How long each stage runs, by the device's own clock.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::domain::DoseError;
use crate::engine::gpu::context::Context;

/// Most passes of one submit that are timed.
const MAX_PASSES: u32 = 1024;
/// Bytes of a time.
const TIME_BYTES: usize = 8;

/// Times the passes of a device that has timestamps. It stands still until it is told to watch.
#[derive(Debug)]
pub(in crate::engine::gpu) struct Stopwatch {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    staging: wgpu::Buffer,
    /// Seconds of one tick.
    tick_s: f64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_watched: bool,
    /// The stages of the passes of the submit that is being made.
    passes: Vec<&'static str>,
    /// When the first of them was begun.
    began: Option<Instant>,
    seconds: BTreeMap<&'static str, f64>,
}

impl Stopwatch {
    /// A stopwatch for a device; none if it has no timestamps.
    pub(in crate::engine::gpu) fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Option<Self> {
        if !device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return None;
        }
        let label = Some("times");
        let (count, size) = (2 * MAX_PASSES, bytes_of(2 * MAX_PASSES));
        let buffer =
            |usage| device.create_buffer(&wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false });
        Some(Self {
            queries: device.create_query_set(&wgpu::QuerySetDescriptor {
                label,
                ty: wgpu::QueryType::Timestamp,
                count,
            }),
            resolved: buffer(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC),
            staging: buffer(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST),
            tick_s: f64::from(queue.get_timestamp_period()) * 1e-9,
            state: Mutex::default(),
        })
    }

    /// Whether passes are timed from now on.
    pub(in crate::engine::gpu) fn watch(&self, is_watched: bool) {
        self.state().is_watched = is_watched;
    }

    /// Whether passes are timed.
    pub(in crate::engine::gpu) fn is_watching(&self) -> bool {
        self.state().is_watched
    }

    /// Where the next pass of this submit writes its times, unless it is not timed.
    pub(in crate::engine::gpu) fn next(&self, stage: &'static str) -> Option<wgpu::ComputePassTimestampWrites<'_>> {
        let mut state = self.state();
        let number = u32::try_from(state.passes.len()).ok().filter(|&number| number < MAX_PASSES)?;
        if !state.is_watched {
            return None;
        }
        state.began.get_or_insert_with(Instant::now);
        state.passes.push(stage);
        Some(wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(2 * number),
            end_of_pass_write_index: Some(2 * number + 1),
        })
    }

    /// Ends a submit: its times go to where they can be fetched.
    pub(in crate::engine::gpu) fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        let passes = u32::try_from(self.state().passes.len()).expect("at most MAX_PASSES");
        if passes > 0 {
            encoder.resolve_query_set(&self.queries, 0..2 * passes, &self.resolved, 0);
            encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.staging, 0, bytes_of(2 * passes));
        }
    }

    /// Adds the times of the submit that the device has done.
    ///
    /// # Errors
    /// [`DoseError::DeviceLost`].
    pub(in crate::engine::gpu) fn collect(&self, context: &Context) -> Result<(), DoseError> {
        let (passes, began) = {
            let mut state = self.state();
            (std::mem::take(&mut state.passes), state.began.take())
        };
        if passes.is_empty() {
            return Ok(());
        }
        let bytes = (2 * passes.len() * TIME_BYTES) as u64;
        let faults = context.faults.clone();
        self.staging.map_async(wgpu::MapMode::Read, 0..bytes, move |mapped| {
            if let Err(error) = mapped {
                faults.lost(format!("reading times: {error}"));
            }
        });
        context.wait()?;
        let lost = |error| DoseError::DeviceLost(format!("reading times: {error}"));
        let view = self.staging.get_mapped_range(0..bytes).map_err(lost)?;
        let time = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        let times: Vec<[u64; 2]> = view
            .chunks_exact(2 * TIME_BYTES)
            .map(|times| times.split_at(TIME_BYTES))
            .map(|(start, end)| [time(start), time(end)])
            .collect();
        drop(view);
        self.staging.unmap();
        let wall_s = began.map_or(0.0, |began| began.elapsed().as_secs_f64());
        let mut state = self.state();
        for (stage, seconds) in passes.into_iter().zip(seconds(&times, self.tick_s, wall_s).into_iter().flatten()) {
            *state.seconds.entry(stage).or_default() += seconds;
        }
        Ok(())
    }

    /// Seconds of each stage since they were last taken.
    pub(super) fn take(&self) -> Vec<(String, f64)> {
        let seconds = std::mem::take(&mut self.state().seconds);
        seconds.into_iter().map(|(stage, seconds)| (stage.to_owned(), seconds)).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds of each pass of a submit, from its first and last tick; none if a driver did not write them all, as Metal's
/// now and then does not (zeros, or its value for an error), or set its clock back.
///
/// * `wall_s` – from the beginning of the first pass until all times were there
fn seconds(times: &[[u64; 2]], tick_s: f64, wall_s: f64) -> Option<Vec<f64>> {
    let of_one = |&[start, end]: &[u64; 2]| {
        let is_written = start > 0 && end < u64::MAX;
        let ticks = end.checked_sub(start).filter(|_| is_written)?;
        Some(ticks as f64 * tick_s).filter(|seconds| *seconds <= wall_s)
    };
    times.iter().map(of_one).collect()
}

/// Bytes of so many times.
fn bytes_of(times: u32) -> u64 {
    u64::from(times) * TIME_BYTES as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_were_not_all_written_are_none() {
        let good = [[1_000, 1_500], [1_500, 4_000]];
        assert_eq!(seconds(&good, 1e-3, 5.0), Some(vec![0.5, 2.5]));
        for bad in [[0, 0], [0, 1_500], [1_500, 0], [1_500, 1_000], [1_000, u64::MAX], [1_000, 9_000]] {
            assert_eq!(seconds(&[good[0], bad], 1e-3, 5.0), None, "{bad:?}");
        }
    }
}
