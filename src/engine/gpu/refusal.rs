//! What becomes of a request, and of the device, when the driver refuses a buffer, a stage or a dispatch.

use super::context::Workgroups;
use super::pipeline::Source;
use super::session::Session;
use super::shader::{PROBE_WRITE, ProbeParams};
use crate::domain::DoseError;

/// Elements that a device is asked to write, four words each: one workgroup.
const TRIED: u32 = 256;

impl Session {
    /// Before a request. What one before it left that ended without looking at it is none of this one's.
    ///
    /// # Errors
    /// [`DoseError::DeviceLost`].
    pub(super) fn begin_request(&mut self) -> Result<(), DoseError> {
        if self.context.faults.is_pending() {
            self.release();
            self.context.faults.forgive();
        }
        self.context.faults.check()
    }

    /// The outcome of a request, with which the device is known to compute, or is lost.
    pub(super) fn settled<T>(&mut self, outcome: Result<T, DoseError>) -> Result<T, DoseError> {
        match outcome {
            Err(DoseError::DeviceRefused(reason)) => Err(self.refused(reason)),
            settled => settled,
        }
    }

    /// A driver that refused something may go on or not. Only a device that still computes is kept: to open it again
    /// would not change what it refuses.
    fn refused(&mut self, reason: String) -> DoseError {
        self.release();
        self.context.faults.forgive();
        match self.try_out() {
            Ok(()) => DoseError::DeviceRefused(reason),
            Err(error) => {
                let reason = format!("it refused what it was given ({reason}), and then failed at a trial ({error})");
                self.context.faults.lost(reason.clone());
                DoseError::DeviceLost(reason)
            }
        }
    }

    /// Has the device write numbers, and looks at them.
    fn try_out(&mut self) -> Result<(), DoseError> {
        let context = &self.context;
        let target = context.storage("trial", 4 * TRIED as usize);
        let words = ProbeParams { n: TRIED, rounds: 1 }.words();
        let uniform = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let params = context.buffer("trial params", words.len(), uniform);
        context.send(&params, 0, bytemuck::cast_slice(&words));
        let stage = context.compile(&PROBE_WRITE, Source::new(&PROBE_WRITE, None), &[]);
        let bound = stage.bind(&context.device, &[("probe", &params), ("target_values", &target)]);
        let label = Some("trial");
        let mut encoder = context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label });
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label, timestamp_writes: None });
        context.dispatch(&mut pass, (&stage, &bound), 0, Workgroups::Given([1, 1]));
        drop(pass);
        context.queue.submit([encoder.finish()]);
        let mut found = vec![0; 4 * TRIED as usize];
        self.read_as(&target, 0, &mut found, |word| word)?;
        let is_right = found.chunks_exact(4).zip(0u16..).all(|(four, at)| four == [f32::from(at).to_bits(); 4]);
        if is_right { Ok(()) } else { Err(DoseError::Internal("it wrote something else".to_owned())) }
    }
}
