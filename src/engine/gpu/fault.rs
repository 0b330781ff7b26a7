//! What went wrong on a device, on whichever thread the driver reports it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::DoseError;

/// The first fault of a device, kept until it is reported. No error of the driver ends the process.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Why the device can no longer be used. It stays until the device is opened again.
    lost: Option<String>,
    /// A failed allocation. The device can still be used.
    out_of_memory: Option<String>,
    /// What the driver refused first: a buffer, a stage, a dispatch. Whether the device can still be used is not known.
    refused: Option<String>,
}

impl Faults {
    /// Collects every error that `device` reports from now on.
    pub(super) fn watch(&self, device: &wgpu::Device) {
        let faults = self.clone();
        device.on_uncaptured_error(Arc::new(move |error| faults.record(&error)));
        let faults = self.clone();
        device.set_device_lost_callback(move |reason, message| faults.lost(format!("{reason:?}: {message}")));
    }

    /// Keeps an error of the driver.
    pub(super) fn record(&self, error: &wgpu::Error) {
        let reason = error.to_string();
        self.with(|state| match error {
            wgpu::Error::OutOfMemory { .. } => state.out_of_memory = Some(reason),
            // Whatever fails after memory has run out fails for that reason: the buffer it needs does not exist.
            wgpu::Error::Validation { .. } | wgpu::Error::Internal { .. } if state.out_of_memory.is_some() => {}
            wgpu::Error::Validation { .. } | wgpu::Error::Internal { .. } => {
                state.refused.get_or_insert(reason);
            }
        });
    }

    /// Marks the device as lost.
    pub(super) fn lost(&self, reason: String) {
        self.with(|state| {
            state.lost.get_or_insert(reason);
        });
    }

    /// # Errors
    /// [`DoseError::DeviceLost`], at every call once it happened; [`DoseError::DeviceOutOfMemory`] and
    /// [`DoseError::DeviceRefused`], once.
    pub(super) fn check(&self) -> Result<(), DoseError> {
        self.with(|state| match (&state.lost, state.out_of_memory.take(), state.refused.take()) {
            (Some(reason), _, _) => Err(DoseError::DeviceLost(reason.clone())),
            (None, Some(reason), _) => Err(DoseError::DeviceOutOfMemory(reason)),
            (None, None, Some(reason)) => Err(DoseError::DeviceRefused(reason)),
            (None, None, None) => Ok(()),
        })
    }

    /// Whether there is a fault that was not reported yet. What was made since may be no good.
    pub(super) fn is_pending(&self) -> bool {
        self.with(|state| state.lost.is_some() || state.out_of_memory.is_some() || state.refused.is_some())
    }

    /// Forgets what a request before left that did not ask for it. A loss stays.
    pub(super) fn forgive(&self) {
        self.with(|state| (state.out_of_memory, state.refused) = (None, None));
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out_of_memory() -> wgpu::Error {
        wgpu::Error::OutOfMemory { source: Box::new(std::io::Error::other("no room")) }
    }

    fn validation(what: &str) -> wgpu::Error {
        wgpu::Error::Validation { source: Box::new(std::io::Error::other("bad")), description: what.into() }
    }

    #[test]
    fn a_lack_of_memory_is_reported_once_and_hides_what_follows_from_it() {
        let faults = Faults::default();
        assert_eq!(faults.check(), Ok(()));
        faults.record(&out_of_memory());
        faults.record(&validation("bad pass"));
        assert!(faults.is_pending());
        assert!(matches!(faults.check(), Err(DoseError::DeviceOutOfMemory(_))));
        assert_eq!(faults.check(), Ok(()));
    }

    #[test]
    fn a_refusal_is_reported_once_with_its_first_reason_and_is_no_loss() {
        let faults = Faults::default();
        faults.record(&validation("bad buffer"));
        faults.record(&validation("bad pass"));
        assert_eq!(faults.check(), Err(DoseError::DeviceRefused("bad buffer".into())));
        assert_eq!(faults.check(), Ok(()));
        faults.record(&validation("bad buffer"));
        faults.record(&out_of_memory());
        faults.forgive();
        assert!(!faults.is_pending());
    }

    #[test]
    fn a_loss_stays_with_its_first_reason() {
        let faults = Faults::default();
        faults.record(&validation("bad buffer"));
        faults.lost("gone".into());
        faults.lost("later".into());
        faults.record(&out_of_memory());
        for _ in 0..2 {
            assert_eq!(faults.check(), Err(DoseError::DeviceLost("gone".into())));
            faults.forgive();
        }
    }
}
