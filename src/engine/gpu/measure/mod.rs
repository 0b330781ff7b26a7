//! What `dosegrid bench` wants to know of a device. Nothing here takes part in a dose.

mod ceilings;
mod compile;
mod portrait;
mod stopwatch;

pub(super) use stopwatch::Stopwatch;

use super::GpuEngine;
use super::transport::twins;
use crate::domain::{Control, DoseError};
use crate::engine::measures::{Ceilings, CompileTime, Portrait, TransportWork, TwinFigure};
use crate::prepare::transport::Scene;

impl GpuEngine {
    /// What the adapter is and offers.
    pub fn portrait(&self) -> Portrait {
        portrait::of(&self.session.context)
    }

    /// Compiles every stage twice.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`], [`DoseError::DeviceLost`].
    pub fn compile_times(&self, control: &Control) -> Result<Vec<CompileTime>, DoseError> {
        compile::times(&self.session.context, control)
    }

    /// Measures what the device can do at most.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`], [`DoseError::DeviceLost`], [`DoseError::DeviceOutOfMemory`].
    pub fn ceilings(&mut self, control: &Control) -> Result<Ceilings, DoseError> {
        self.session.release();
        ceilings::measure(&mut self.session, control)
    }

    /// Compares each body of the transport with its twin on the CPU.
    ///
    /// * `scene` – has the tables that the bodies read
    /// * `cases` – random inputs of each body
    ///
    /// # Errors
    /// [`DoseError::Cancelled`], [`DoseError::DeviceLost`], [`DoseError::DeviceOutOfMemory`].
    pub fn twins(&mut self, scene: &Scene, cases: usize, control: &Control) -> Result<Vec<TwinFigure>, DoseError> {
        if control.is_cancelled() {
            return Err(DoseError::Cancelled);
        }
        twins::figures(&mut self.session, scene, cases)
    }

    /// Whether the time of each stage is taken from now on. It never is on a device without timestamps.
    pub fn watch_stages(&mut self, is_watched: bool) {
        if let Some(stopwatch) = &self.session.context.stopwatch {
            stopwatch.watch(is_watched);
        }
    }

    /// Time that each stage ran since it was last asked [s], by the device's own clock. Empty if no time was taken.
    pub fn take_stage_seconds(&mut self) -> Vec<(String, f64)> {
        self.session.context.stopwatch.as_ref().map(Stopwatch::take).unwrap_or_default()
    }

    /// What the transport did since it was last asked.
    pub fn take_transport_work(&mut self) -> TransportWork {
        self.session.transport.as_mut().map(|stages| std::mem::take(&mut stages.done)).unwrap_or_default()
    }
}
