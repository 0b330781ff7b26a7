//! Histories in batches, until a rule stops them. The tally does not depend on how the histories were divided into
//! batches.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::balance::{Expected, check_book};
use super::dosimetry::Decays;
use super::schedule::{Throughput, first_look, next_look};
use super::scored::{Scored, again_if_lost};
use crate::domain::{
    Checkpoints, Control, DeviceKind, DoseError, LabelMap, Progress, RunPoint, Stage, StopReason, StopRule, Summed,
    Tally, TransportProgress,
};
use crate::engine::Device;
use crate::method::mass::DoseScale;
use crate::plan::TransportPlan;
use crate::prepare::transport::Scene;

/// Shortest time between two computations of the uncertainty that only serve to report it.
const LOOK_PAUSE: Duration = Duration::from_secs(5);
/// Most time of a batch on a CPU that others wait for; a GPU's batches have costs of their own.
const SHARED_BATCH_TIME: Duration = Duration::from_millis(200);

/// A scene, and the rules that end its histories.
pub(super) struct HistoryBatches<'a> {
    pub(super) plan: &'a TransportPlan,
    pub(super) scene: &'a Scene,
    pub(super) expected: Expected,
    pub(super) stop: StopRule,
    pub(super) scale: DoseScale<'a>,
    pub(super) decays: Decays<'a>,
    pub(super) labels: Option<&'a LabelMap>,
    pub(super) control: &'a Control,
    /// Digest of the scene.
    pub(super) scene_sha256: &'a str,
    /// When the computation began.
    pub(super) began: Instant,
    /// Whether its whole tally is wanted at the end.
    pub(super) keeps_tally: bool,
}

/// The outcome of all batches.
#[derive(Debug)]
pub(super) struct Done {
    /// Without the energy of the voxels if that was summed up.
    pub(super) tally: Tally,
    pub(super) summed: Option<Summed>,
    pub(super) histories: u64,
    pub(super) stopped_by: StopReason,
    /// Time on the device.
    pub(super) took: Duration,
}

/// Progress of the batches.
#[derive(Default)]
pub(super) struct RunState {
    pub(super) done: u64,
    pub(super) throughput: Throughput,
    pub(super) took: Duration,
    pub(super) losses: u32,
    relative_sigma: Option<f64>,
    /// Number of histories when that was computed.
    seen_at: u64,
}

impl HistoryBatches<'_> {
    /// # Errors
    /// [`DoseError::Cancelled`], a device that fails repeatedly, or a tally that is not possible.
    pub(super) fn run(mut self, device: &mut Device, voxels: usize) -> Result<Done, DoseError> {
        if let Some(helping) = self.control.checkpoints().and_then(Checkpoints::helping) {
            return Err(self.help(device, helping, voxels));
        }
        let (mut state, mut look, mut scored) = match self.checkpoint(voxels, &device.info().key()) {
            Some((point, tally)) => {
                let spent = Duration::try_from_secs_f64(point.spent_s).unwrap_or_default();
                self.began = self.began.checked_sub(spent).unwrap_or(self.began);
                let RunPoint { histories, relative_sigma, seen_at, .. } = point;
                let state = RunState { done: histories, relative_sigma, seen_at, ..RunState::default() };
                (state, point.next_look, Scored::Here(tally))
            }
            None => {
                let look = self.stop.target.map(|_| first_look(voxels, self.plan.groups));
                (RunState::default(), look, Scored::nothing(&self, device, voxels))
            }
        };
        let mut last_look = Instant::now();
        let stopped_by = loop {
            let goal = look.map_or(self.plan.histories, |look| look.min(self.plan.histories));
            match self.stretch(&state, goal) {
                Some(end) => {
                    // What others run comes as tallies.
                    let mut tally = self.take_tally(device, &mut state, scored)?;
                    self.run_with_helpers(device, end, &mut tally, &mut state)?;
                    scored = Scored::Here(tally);
                }
                None => {
                    let length = state.throughput.next_batch(self.batch_time(device)).min(goal - state.done);
                    self.run_batch(device, length, &mut scored, &mut state)?;
                }
            }
            if look == Some(state.done) || look.is_none() && last_look.elapsed() > LOOK_PAUSE {
                state.relative_sigma = self.look(device, &mut state, &scored)?;
                (state.seen_at, last_look) = (state.done, Instant::now());
            }
            if let (Some(target), true) = (self.stop.target, look == Some(state.done)) {
                let excess = state.relative_sigma.map(|sigma| sigma / target.relative);
                if excess.is_some_and(|excess| excess <= 1.0) {
                    break StopReason::TargetUncertainty;
                }
                if excess.is_none() && !(0..voxels).any(|voxel| self.scale.has_dose(voxel)) {
                    break StopReason::NoMoreHistories;
                }
                look = Some(next_look(state.done, excess, self.plan.groups));
            }
            if state.done == self.plan.histories {
                let asked = self.stop.histories.is_some();
                break if asked { StopReason::Histories } else { StopReason::NoMoreHistories };
            }
            if self.time_left() == Some(Duration::ZERO) {
                break StopReason::TimeLimit;
            }
            if self.control.is_enough() {
                break StopReason::Interrupted;
            }
            self.keep_checkpoint(device, &mut state, look, &scored)?;
            // What others had is no time of this run.
            self.began += self.control.checkpoints().map_or(Duration::ZERO, Checkpoints::let_others_in);
            self.control.report(self.progress(&state))?;
        };
        let (tally, summed) = self.outcome(device, &mut state, scored)?;
        Ok(Done { tally, summed, histories: state.done, stopped_by, took: state.took })
    }

    /// The newest checkpoint, if it is one of this run.
    fn checkpoint(&self, voxels: usize, engine: &str) -> Option<(RunPoint, Tally)> {
        let (point, tally) = self.control.checkpoints()?.load()?;
        let is_of_run = point.scene_sha256 == self.scene_sha256
            && point.engine == engine
            && point.first_history == self.plan.first_history
            && point.histories < self.plan.histories
            && point.next_look.is_some() == self.stop.target.is_some()
            && (tally.groups.len(), tally.voxels()) == (self.plan.groups as usize, voxels)
            && tally.histories() == point.histories;
        is_of_run.then_some((point, tally))
    }

    /// Keeps a checkpoint if it is time for one.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`] if the run has to end here, to go on later.
    fn keep_checkpoint(
        &self,
        device: &mut Device,
        state: &mut RunState,
        look: Option<u64>,
        scored: &Scored,
    ) -> Result<(), DoseError> {
        let Some(checkpoints) = self.control.checkpoints() else { return Ok(()) };
        let must_stop = checkpoints.must_stop();
        if must_stop || checkpoints.is_due() {
            let point = RunPoint {
                scene_sha256: self.scene_sha256.to_owned(),
                engine: device.info().key(),
                first_history: self.plan.first_history,
                histories: state.done,
                next_look: look,
                relative_sigma: state.relative_sigma,
                seen_at: state.seen_at,
                spent_s: self.began.elapsed().as_secs_f64(),
            };
            checkpoints.keep(&point, self.tally(device, state, scored, &mut None)?);
        }
        if must_stop { Err(DoseError::Cancelled) } else { Ok(()) }
    }

    /// Runs the next histories. If the device is lost, it is opened again and runs them again.
    fn run_batch(
        &self,
        device: &mut Device,
        length: u64,
        scored: &mut Scored,
        state: &mut RunState,
    ) -> Result<(), DoseError> {
        let first = self.plan.first_history + state.done;
        let done = self.plan.first_history..first + length;
        let check = |tally: &Tally| check_book(tally, std::slice::from_ref(&done), &self.expected);
        match scored {
            Scored::Here(tally) => {
                let took = self.transport(device, first..first + length, tally, state)?;
                state.took += took;
                state.done += length;
                check(tally)
            }
            Scored::OnDevice(_) => {
                let begun = Instant::now();
                let ask = |device: &mut Device, (): &mut ()| device.hold(self.scene, &done, self.control);
                let books = again_if_lost(device, state, &mut (), ask, |()| true)?;
                state.throughput.record(length, begun.elapsed());
                state.took += begun.elapsed();
                state.done += length;
                check(&Tally::of(books))
            }
        }
    }

    /// Runs some histories. The time that they took.
    pub(super) fn transport(
        &self,
        device: &mut Device,
        histories: Range<u64>,
        tally: &mut Tally,
        state: &mut RunState,
    ) -> Result<Duration, DoseError> {
        let begun = Instant::now();
        let ask = |device: &mut Device, tally: &mut Tally| {
            device.transport(self.scene, histories.clone(), tally, self.control)
        };
        again_if_lost(device, state, tally, ask, |tally| tally.is_intact())?;
        let took = begun.elapsed();
        state.throughput.record(histories.end - histories.start, took);
        Ok(took)
    }

    /// Most time of the next batch; none if nothing bounds it. Between batches others may have the device.
    pub(super) fn batch_time(&self, device: &Device) -> Option<Duration> {
        let is_shared = self.control.checkpoints().is_some() && device.info().kind == DeviceKind::Cpu;
        let shared = is_shared.then_some(SHARED_BATCH_TIME);
        self.time_left().into_iter().chain(shared).min()
    }

    pub(super) fn time_left(&self) -> Option<Duration> {
        let limit = Duration::try_from_secs_f64(self.stop.time_limit_s?).unwrap_or(Duration::MAX);
        Some(limit.saturating_sub(self.began.elapsed()))
    }

    /// Progress towards the rule that will stop first, extrapolated from the run so far.
    pub(super) fn progress(&self, state: &RunState) -> Progress {
        let per_second = if state.took > Duration::ZERO { state.done as f64 / state.took.as_secs_f64() } else { 0.0 };
        // The uncertainty falls with the square root of the number of histories.
        let by_target = self
            .stop
            .target
            .zip(state.relative_sigma)
            .map(|(target, sigma)| state.seen_at as f64 * (sigma / target.relative).powi(2));
        let all = by_target.map_or(f64::INFINITY, |all| all.max(state.done as f64)).min(self.plan.histories as f64);
        let bounded = by_target.is_some() || self.stop.histories.is_some();
        let seconds = Some((all - state.done as f64) / per_second).filter(|s| bounded && s.is_finite());
        let limit = self.time_left().map(|left| left.as_secs_f64());
        let time_left_s = match (seconds, limit) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let spent = self.began.elapsed().as_secs_f64();
        let fraction = time_left_s.map_or(0.0, |left| spent / (spent + left).max(f64::MIN_POSITIVE));
        let histories = state.done;
        let transport = TransportProgress { histories, relative_sigma: state.relative_sigma, time_left_s };
        Progress { stage: Stage::Dose, fraction, transport: Some(transport) }
    }
}
