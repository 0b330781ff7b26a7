//! Where the energy of a run's histories is: in a tally here, or on the device, which then gives no more of it than
//! what is asked for.

use std::ops::Range;

use super::batches::{HistoryBatches, RunState};
use super::dosimetry::Dosimetry;
use super::regions::numbered;
use super::statistics::Statistics;
use crate::domain::{DoseError, Regions, Summed, Tally};
use crate::engine::Device;

/// How often a device may be lost in one run before the run fails.
const MAX_LOSSES: u32 = 3;

/// The energy of the histories so far.
#[derive(Debug)]
pub(super) enum Scored {
    /// In a tally.
    Here(Tally),
    /// On the device, which can sum it up by these regions.
    OnDevice(Regions),
}

impl Scored {
    /// None yet.
    pub(super) fn nothing(batches: &HistoryBatches<'_>, device: &Device, voxels: usize) -> Self {
        if device.can_hold(batches.scene) {
            Self::OnDevice(numbered(batches.labels, &batches.scale, voxels))
        } else {
            Self::Here(Tally::new(batches.plan.groups, voxels))
        }
    }
}

impl HistoryBatches<'_> {
    /// The histories so far.
    fn so_far(&self, state: &RunState) -> Range<u64> {
        self.plan.first_history..self.plan.first_history + state.done
    }

    /// A tally of the histories so far, from wherever their energy is. It stays there.
    ///
    /// # Errors
    /// A device that fails repeatedly, [`DoseError::Cancelled`].
    pub(super) fn tally<'a>(
        &self,
        device: &mut Device,
        state: &mut RunState,
        scored: &'a Scored,
        own: &'a mut Option<Tally>,
    ) -> Result<&'a Tally, DoseError> {
        match scored {
            Scored::Here(tally) => Ok(tally),
            Scored::OnDevice(_) => Ok(own.insert(self.collect(device, state)?)),
        }
    }

    /// The tally of a run at its end. Where it is not wanted as a whole, the device gives what a dose needs of it.
    ///
    /// # Errors
    /// As [`Self::tally`].
    pub(super) fn outcome(
        &self,
        device: &mut Device,
        state: &mut RunState,
        scored: Scored,
    ) -> Result<(Tally, Option<Summed>), DoseError> {
        match &scored {
            Scored::OnDevice(regions) if !self.keeps_tally => {
                let histories = self.so_far(state);
                let ask = |device: &mut Device, (): &mut ()| {
                    let summed = device.summed(self.scene, &histories, regions, self.control)?;
                    Ok((Tally::of(device.hold(self.scene, &histories, self.control)?), Some(summed)))
                };
                again_if_lost(device, state, &mut (), ask, |()| true)
            }
            Scored::OnDevice(_) | Scored::Here(_) => Ok((self.take_tally(device, state, scored)?, None)),
        }
    }

    /// The tally of a run from where on it is kept here.
    ///
    /// # Errors
    /// As [`Self::tally`].
    pub(super) fn take_tally(
        &self,
        device: &mut Device,
        state: &mut RunState,
        scored: Scored,
    ) -> Result<Tally, DoseError> {
        match scored {
            Scored::Here(tally) => Ok(tally),
            Scored::OnDevice(_) => self.collect(device, state),
        }
    }

    fn collect(&self, device: &mut Device, state: &mut RunState) -> Result<Tally, DoseError> {
        let histories = self.so_far(state);
        let ask = |device: &mut Device, (): &mut ()| device.collect(self.scene, &histories, self.control);
        again_if_lost(device, state, &mut (), ask, |()| true)
    }

    /// How uncertain the region is that the rule looks at.
    ///
    /// # Errors
    /// As [`Self::tally`].
    pub(super) fn look(
        &self,
        device: &mut Device,
        state: &mut RunState,
        scored: &Scored,
    ) -> Result<Option<f64>, DoseError> {
        let relative_sigma = |statistics: Statistics<'_>| {
            let dosimetry = Dosimetry { statistics, scale: self.scale, decays: self.decays };
            let reached = dosimetry.relative_sigma(self.stop.region(), self.labels, self.control)?;
            Ok(reached.map(|sigma| sigma.relative))
        };
        match scored {
            Scored::Here(tally) => relative_sigma(Statistics::new(tally)),
            Scored::OnDevice(regions) => {
                let histories = self.so_far(state);
                let ask =
                    |device: &mut Device, (): &mut ()| device.summed(self.scene, &histories, regions, self.control);
                let summed = again_if_lost(device, state, &mut (), ask, |()| true)?;
                relative_sigma(Statistics::of_summed(&summed))
            }
        }
    }
}

/// Asks a device for something. If the device is lost, it is opened again and asked again.
///
/// * `context` – what it changes
/// * `is_intact` – whether that can still be used after the loss
///
/// # Errors
/// What the device says; [`DoseError::DeviceLost`] if it was lost too often.
pub(super) fn again_if_lost<C, T>(
    device: &mut Device,
    state: &mut RunState,
    context: &mut C,
    ask: impl Fn(&mut Device, &mut C) -> Result<T, DoseError>,
    is_intact: impl Fn(&C) -> bool,
) -> Result<T, DoseError> {
    loop {
        match ask(device, context) {
            // A capture is to show how the device was lost.
            Err(DoseError::DeviceLost(detail))
                if state.losses < MAX_LOSSES && is_intact(context) && !device.is_recording() =>
            {
                state.losses += 1;
                tracing::warn!(losses = state.losses, "the device was lost ({detail}); it is opened again");
                device.reopen()?;
            }
            outcome => return outcome,
        }
    }
}
