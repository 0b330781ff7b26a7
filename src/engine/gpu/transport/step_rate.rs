//! How much work a device does in a second, and how much it is therefore given at a time.

use std::time::Duration;

use super::constants::EMISSION_WORK;

/// Intended duration of a batch: short enough for cancellation and for a driver's watchdog [s].
const BATCH_SECONDS: f64 = 0.04;
/// Most cycles of one batch.
const MAX_CYCLES: u32 = 256;
/// The part of the most work of a lane that each is thought to have at least. A batch whose lanes suddenly have all
/// that they can have lasts longer than intended by this factor, which is still short for a driver's watchdog.
const LEAST_WORK: f64 = 1.0 / 8.0;
/// Fewest lanes of a dispatch: a few workgroups.
const MIN_LANES: u32 = 128;
/// Most bytes of the tally on the device.
const MAX_TALLY_BYTES: u64 = 1 << 30;
/// Most emissions of a launch, which are counted in one word.
const MAX_ITEMS: u64 = 1 << 31;
/// Steps per second assumed before the first batch of a device. They are lower than real ones, so that it is short.
const FIRST_STEPS_PER_S_HARDWARE: f64 = 2e8;
const FIRST_STEPS_PER_S_SOFTWARE: f64 = 1e6;

/// Bounds of a launch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quota {
    /// Particles of a queue.
    pub(super) capacity: u32,
    /// Condensed steps of one particle in one dispatch.
    pub(super) charged_steps: u32,
    /// Faces and interactions of one photon in one dispatch.
    pub(super) photon_steps: u32,
    /// Most bytes of the tally on the device, which holds as many groups as fit.
    pub(super) tally_bytes: u64,
    /// Most emissions of a launch.
    pub(super) items: u64,
}

impl Quota {
    /// Bounds that suit a device.
    ///
    /// * `binding_bytes` – largest binding; each place of a queue takes [`super::QUEUE_BYTES`] of it
    pub(super) fn of_device(is_software: bool, binding_bytes: u64) -> Self {
        let wanted: u32 = if is_software { 1 << 15 } else { 1 << 21 };
        let fitting = u32::try_from(binding_bytes / super::QUEUE_BYTES).unwrap_or(u32::MAX);
        Self {
            capacity: wanted.min(fitting),
            charged_steps: 16,
            photon_steps: 32,
            tally_bytes: binding_bytes.min(MAX_TALLY_BYTES),
            items: MAX_ITEMS,
        }
    }

    /// Most steps that one lane of each stage does in a cycle.
    fn work_per_lane(&self) -> u32 {
        EMISSION_WORK + self.charged_steps + self.photon_steps
    }
}

/// Steps that a device does in a second and those that a lane has in a cycle, measured on its last batches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct StepRate {
    steps_per_s: f64,
    /// Of all stages. Few lanes have as many as they can: most decays leave nothing that moves on.
    steps_per_lane: Option<f64>,
}

/// What one batch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) cycles: u32,
    /// Most particles that one dispatch works on.
    pub(super) lanes: u32,
}

impl StepRate {
    pub(super) fn new(is_software: bool) -> Self {
        let steps_per_s = if is_software { FIRST_STEPS_PER_S_SOFTWARE } else { FIRST_STEPS_PER_S_HARDWARE };
        Self { steps_per_s, steps_per_lane: None }
    }

    /// The next batch.
    ///
    /// * `last` – the batch before
    /// * `particles` – those on their way
    /// * `is_emitting` – whether there are decays left to emit
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, which is meant")]
    pub(super) fn next(&self, last: Batch, particles: u32, is_emitting: bool, quota: &Quota) -> Batch {
        let work = self.steps_per_s * BATCH_SECONDS;
        let most_per_lane = f64::from(quota.work_per_lane());
        let per_lane =
            self.steps_per_lane.map_or(most_per_lane, |steps| steps.clamp(LEAST_WORK * most_per_lane, most_per_lane));
        let lanes = ((work / per_lane) as u32).clamp(MIN_LANES, (quota.capacity / 4).max(MIN_LANES));
        // The particles that they set free are added to them.
        let moving = if is_emitting { lanes } else { particles.saturating_mul(2).clamp(1, lanes) };
        let cycles = (work / (f64::from(moving) * per_lane)) as u32;
        // Cycles with little to do take time too: the rate does not show it.
        Batch { cycles: cycles.clamp(1, MAX_CYCLES.min(2 * last.cycles)), lanes: moving.max(MIN_LANES) }
    }

    /// Learns from a batch. One with little work says nothing of the rate.
    ///
    /// * `work` – steps that it did
    pub(super) fn learn(&mut self, batch: Batch, work: u64, elapsed: Duration) {
        let per_lane = work as f64 / (f64::from(batch.lanes) * f64::from(batch.cycles));
        // Another slot of the emissions may have more.
        self.steps_per_lane = Some(self.steps_per_lane.map_or(per_lane, |before| per_lane.max(before / 2.0)));
        let seconds = elapsed.as_secs_f64().max(1e-6);
        let measured = work as f64 / seconds;
        if seconds > 0.2 * BATCH_SECONDS || measured > self.steps_per_s {
            self.steps_per_s = measured.clamp(self.steps_per_s / 4.0, self.steps_per_s * 4.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_grows_with_the_device_and_stays_short() {
        let quota = Quota::of_device(false, 1 << 31);
        let mut step_rate = StepRate::new(true);
        let mut batch = Batch { cycles: 1, lanes: 0 };
        for steps_per_second in [1e5, 1e8, 1e12] {
            for _ in 0..20 {
                batch = step_rate.next(batch, 0, true, &quota);
                let work = batch.cycles * batch.lanes * quota.work_per_lane();
                step_rate.learn(batch, work.into(), Duration::from_secs_f64(f64::from(work) / steps_per_second));
            }
            let seconds = f64::from(batch.cycles * batch.lanes * quota.work_per_lane()) / steps_per_second;
            assert!(
                batch.lanes == MIN_LANES
                    || (0.5..1.01).contains(&(seconds / BATCH_SECONDS))
                    || batch.cycles == MAX_CYCLES
            );
        }
        assert_eq!(batch, Batch { cycles: MAX_CYCLES, lanes: 1 << 19 });
    }

    #[test]
    fn the_last_particles_get_few_lanes() {
        let quota = Quota::of_device(false, 1 << 31);
        let step_rate = StepRate { steps_per_s: 1e12, steps_per_lane: None };
        let lanes = |particles, is_emitting| {
            step_rate.next(Batch { cycles: 64, lanes: 0 }, particles, is_emitting, &quota).lanes
        };
        assert_eq!([0, 5, 1000, u32::MAX].map(|particles| lanes(particles, true)), [1 << 19; 4]);
        assert_eq!([5, 1000, u32::MAX].map(|particles| lanes(particles, false)), [MIN_LANES, 2000, 1 << 19]);
    }

    #[test]
    fn little_work_says_nothing_of_the_rate() {
        let mut step_rate = StepRate::new(true);
        step_rate.learn(Batch { cycles: 1, lanes: 128 }, 10, Duration::from_millis(1));
        assert!(step_rate.steps_per_s.total_cmp(&FIRST_STEPS_PER_S_SOFTWARE).is_eq());
    }

    #[test]
    fn lanes_with_little_to_do_are_given_more_but_never_so_much_that_a_batch_becomes_long() {
        let quota = Quota::of_device(false, 1 << 31);
        let (per_lane, steps_per_s) = (f64::from(quota.work_per_lane()), 1e8);
        let mut step_rate = StepRate { steps_per_s, steps_per_lane: None };
        let mut batch = Batch { cycles: 1, lanes: 0 };
        // Each lane has a fifth of what it can have, then nearly nothing.
        for part in [0.2, 1e-3] {
            for _ in 0..20 {
                batch = step_rate.next(batch, 0, true, &quota);
                let steps = f64::from(batch.lanes) * f64::from(batch.cycles) * per_lane;
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of few steps")]
                let work = (part * steps) as u64;
                step_rate.learn(batch, work, Duration::from_secs_f64(work as f64 / steps_per_s));
            }
            let most_s = f64::from(batch.lanes) * f64::from(batch.cycles) * per_lane / steps_per_s;
            let expected_s = BATCH_SECONDS / f64::max(part, LEAST_WORK);
            assert!((0.5..1.01).contains(&(most_s / expected_s)), "{part}: {most_s} s, not {expected_s}");
        }
        // Suddenly all lanes have all that they can have: the next batch is as long as intended.
        let all = u64::from(batch.lanes * batch.cycles * quota.work_per_lane());
        step_rate.learn(batch, all, Duration::from_secs_f64(all as f64 / steps_per_s));
        batch = step_rate.next(batch, 0, true, &quota);
        let most_s = f64::from(batch.lanes) * f64::from(batch.cycles) * per_lane / steps_per_s;
        assert!(most_s <= 1.01 * BATCH_SECONDS, "{most_s} s");
    }
}
