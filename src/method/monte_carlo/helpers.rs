//! Histories that others run a part of, and a part of the histories of others. Sums of whole numbers do not depend on
//! who ran what: the tally is that of one run, byte by byte.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::balance::check_book;
use super::batches::{HistoryBatches, RunState};
use crate::domain::{Checkpoints, DoseError, Helpers, Helping, RunPoint, SharedPart, Stage, Stretch, Tally};
use crate::engine::Device;

/// Time of histories that are offered at once: long enough that the wait for the last part is little of it.
const STRETCH: Duration = Duration::from_secs(20);
/// Least time of histories that are worth sharing.
const LEAST: Duration = Duration::from_secs(1);

impl HistoryBatches<'_> {
    /// The number of histories up to which others may help; none if nobody does, or it is not worth it.
    pub(super) fn stretch(&self, state: &RunState, goal: u64) -> Option<u64> {
        let count = self.control.checkpoints()?.helpers()?.count();
        let per_second = state.throughput.per_second()?;
        let time = self.time_left().map_or(STRETCH, |left| left.min(STRETCH));
        let histories = |time: Duration| per_second * time.as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "above 0; beyond the range it saturates"
        )]
        let all = (histories(time) * (count + 1) as f64) as u64;
        let length = all.min(goal - state.done);
        let is_worth_it = count > 0 && time > LEAST && length as f64 > histories(LEAST);
        is_worth_it.then_some(state.done + length)
    }

    /// Runs the histories up to a number together with others.
    ///
    /// # Errors
    /// As those of a batch.
    pub(super) fn run_with_helpers(
        &mut self,
        device: &mut Device,
        end: u64,
        tally: &mut Tally,
        state: &mut RunState,
    ) -> Result<(), DoseError> {
        let Some(helpers) = self.control.checkpoints().and_then(Checkpoints::helpers) else { return Ok(()) };
        let first = self.plan.first_history;
        let (begun, away) = (Instant::now(), self.began);
        helpers.offer(Stretch {
            scene_sha256: self.scene_sha256.to_owned(),
            histories: first + state.done..first + end,
            groups: tally.groups.len(),
            voxels: tally.voxels(),
        });
        let outcome = self.run_offered(device, helpers, tally, state);
        helpers.withdraw();
        outcome?;
        // What others had of the device is no time of this run.
        state.took += begun.elapsed().saturating_sub(self.began - away);
        state.done = end;
        let done = first..first + end;
        check_book(tally, std::slice::from_ref(&done), &self.expected)
    }

    fn run_offered(
        &mut self,
        device: &mut Device,
        helpers: &dyn Helpers,
        tally: &mut Tally,
        state: &mut RunState,
    ) -> Result<(), DoseError> {
        loop {
            let length = state.throughput.next_batch(self.batch_time(device));
            let own = helpers.take(length);
            let is_waiting = own.is_none();
            if let Some(histories) = own {
                self.transport(device, histories, tally, state)?;
            }
            loop {
                match helpers.part(is_waiting) {
                    SharedPart::Done(part) => tally.add(&part),
                    SharedPart::Pending => break,
                    SharedPart::All if is_waiting => return Ok(()),
                    SharedPart::All => break,
                }
            }
            self.pause_between(state)?;
        }
    }

    /// Lets others have the device, and stops if it must.
    fn pause_between(&mut self, state: &RunState) -> Result<(), DoseError> {
        if let Some(checkpoints) = self.control.checkpoints() {
            // What was done since the last whole stretch is done again elsewhere.
            if checkpoints.must_stop() {
                return Err(DoseError::Cancelled);
            }
            self.began += checkpoints.let_others_in();
        }
        self.control.report(self.progress(state))
    }

    /// Runs histories for another run until there are no more, or something fails. There is no dose of them: what ends
    /// it is always an error, in most cases [`DoseError::Cancelled`].
    pub(super) fn help(&mut self, device: &mut Device, helping: &dyn Helping, voxels: usize) -> DoseError {
        let mut state = RunState::default();
        while let Some(histories) = helping.next(self.scene_sha256, state.throughput.per_second()) {
            match self.run_for(device, &histories, voxels, &mut state) {
                Ok((point, tally)) => helping.give(&point, &tally),
                Err(error) => return error,
            }
        }
        DoseError::Cancelled
    }

    fn run_for(
        &mut self,
        device: &mut Device,
        histories: &Range<u64>,
        voxels: usize,
        state: &mut RunState,
    ) -> Result<(RunPoint, Tally), DoseError> {
        let (mut tally, mut next) = (Tally::new(self.plan.groups, voxels), histories.start);
        while next < histories.end {
            let length = state.throughput.next_batch(self.batch_time(device)).min(histories.end - next);
            self.transport(device, next..next + length, &mut tally, state)?;
            next += length;
            self.pause_between(state)?;
        }
        check_book(&tally, std::slice::from_ref(histories), &self.expected)?;
        self.control.checkpoint(Stage::Dose, 0.0)?;
        let point = RunPoint {
            scene_sha256: self.scene_sha256.to_owned(),
            engine: device.info().key(),
            first_history: histories.start,
            histories: histories.end - histories.start,
            next_look: None,
            relative_sigma: None,
            seen_at: 0,
            spent_s: 0.0,
        };
        Ok((point, tally))
    }
}
