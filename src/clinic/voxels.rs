//! A curve for every voxel of a map series.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::Serialize;

use super::pieces::{Knot, merged, of_knots};
use super::voxel_mono::{MonoFit, MonoGrid};
use super::{CurveOptions, Flag, Frames, ModelChoice, PieceRules, Shape, integrate};
use crate::domain::{Checks, DoseError, Invalid};
use crate::math::watch::{Interrupted, Unwatched, Watch};

/// Relative standard deviation of the activity of a voxel, where none is given.
const RELATIVE_SIGMA: f64 = 0.05;
/// Least standard deviation of it, beside the largest value of the voxel, where none is given.
const FLOOR: f64 = 0.01 * RELATIVE_SIGMA;
/// Voxels of one task.
const TASK: usize = 4096;

/// Which curve a voxel gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VoxelModel {
    /// One exponential.
    #[default]
    Mono,
    /// The choice that a region gets: slow.
    Auto,
}

impl VoxelModel {
    /// The curve that a voxel gets.
    ///
    /// * `is_named` – whether the caller named the model
    ///
    /// # Errors
    /// If voxels do not get such a curve.
    pub fn of(model: ModelChoice, is_named: bool) -> Result<Self, Invalid> {
        match model {
            ModelChoice::Auto if is_named => Ok(Self::Auto),
            ModelChoice::Auto | ModelChoice::Exponentials(Shape::Mono) => Ok(Self::Mono),
            ModelChoice::Exponentials(Shape::BiUptake | Shape::BiWashout | Shape::TriUptake)
            | ModelChoice::Physical
            | ModelChoice::TrapezoidTail => {
                Err(Invalid::new(format!("a voxel gets mono or auto, not {}", model.name())))
            }
        }
    }
}

/// How voxels are integrated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VoxelOptions {
    /// The curve.
    pub model: VoxelModel,
    /// Relative standard deviation of an activity.
    pub relative_sigma: f64,
    /// Least standard deviation of an activity, as a part of the largest of its voxel.
    pub sigma_floor_of_its_maximum: f64,
    /// Rules of the integral by pieces.
    pub pieces: PieceRules,
}

impl Default for VoxelOptions {
    fn default() -> Self {
        Self {
            model: VoxelModel::Mono,
            relative_sigma: RELATIVE_SIGMA,
            sigma_floor_of_its_maximum: FLOOR,
            pieces: PieceRules::default(),
        }
    }
}

/// How the integral of a voxel was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoxelKind {
    /// By the fit.
    Fitted,
    /// No value is above 0: the integral is 0.
    NoActivity,
    /// The fitted rate was below that of physical decay, and is held there.
    HeldAtPhysical,
    /// The activity does not fall: by pieces with a physical tail.
    Rising,
    /// No exponential with a finite amplitude fits: by pieces, and 0 where they are below 0.
    Pieces,
}

impl VoxelKind {
    /// Every one, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Fitted, Self::NoActivity, Self::HeldAtPhysical, Self::Rising, Self::Pieces];

    /// Its number in maps of kinds.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fitted => "fitted",
            Self::NoActivity => "no activity",
            Self::HeldAtPhysical => "held at physical decay",
            Self::Rising => "rising: pieces and physical tail",
            Self::Pieces => "no exponential fits: pieces and physical tail",
        }
    }
}

/// How many voxels are of a kind, and what they carry.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KindCount {
    /// The kind, in words.
    pub kind: &'static str,
    /// How many voxels.
    pub voxels: usize,
    /// Their time-integrated activity [MBq·h].
    pub tia_mbq_h: f64,
    /// Part of the time-integrated activity of the map.
    pub fraction: f64,
}

/// Time-integrated activity by voxel.
#[derive(Clone, Debug, PartialEq)]
pub struct VoxelIntegrals {
    /// By voxel [MBq·h].
    pub tia_mbq_h: Vec<f64>,
    /// By voxel.
    pub kinds: Vec<VoxelKind>,
}

impl VoxelIntegrals {
    /// Their sum [MBq·h].
    pub fn sum_mbq_h(&self) -> f64 {
        self.tia_mbq_h.iter().fold(0.0, |sum, tia| sum + tia)
    }

    /// Kind by kind.
    pub fn counts(&self) -> Vec<KindCount> {
        let whole = self.sum_mbq_h();
        let count = |kind: VoxelKind| {
            let of_kind = || self.kinds.iter().zip(&self.tia_mbq_h).filter(|(found, _)| **found == kind);
            let tia_mbq_h = of_kind().fold(0.0, |sum, (_, tia)| sum + tia);
            let fraction = if whole > 0.0 { tia_mbq_h / whole } else { 0.0 };
            KindCount { kind: kind.name(), voxels: of_kind().count(), tia_mbq_h, fraction }
        };
        VoxelKind::ALL.into_iter().map(count).collect()
    }
}

/// Integrates every voxel by itself. Whether the maps lie on each other is for the caller to see to.
///
/// * `maps` – activities [MBq], in the order of the times that the frames were made from
///
/// # Errors
/// If the maps do not suit the times, or the options are not finite and above 0.
pub fn integrate_voxels(frames: &Frames, maps: &[&[f32]], options: &VoxelOptions) -> Result<VoxelIntegrals, DoseError> {
    integrate_voxels_watched(frames, maps, options, &Unwatched)
}

/// As [`integrate_voxels`], with somebody who is told the progress and may end it.
///
/// # Errors
/// As there, and [`DoseError::Cancelled`].
pub fn integrate_voxels_watched(
    frames: &Frames,
    maps: &[&[f32]],
    options: &VoxelOptions,
    watch: &dyn Watch,
) -> Result<VoxelIntegrals, DoseError> {
    let voxels = maps.first().map_or(0, |map| map.len());
    check(options)?;
    frames.check(maps, voxels)?;
    let solver = Solver { frames, options, grid: MonoGrid::new(frames.template()) };
    let (mut tia_mbq_h, mut kinds) = (vec![0.0; voxels], vec![VoxelKind::NoActivity; voxels]);
    let (tasks, done) = (voxels.div_ceil(TASK).max(1), AtomicUsize::new(0));
    let task = |(task, (tia, kinds)): (usize, (&mut [f64], &mut [VoxelKind]))| {
        watch.check()?;
        let (mut activities, mut weights) = (vec![0.0; frames.count()], vec![0.0; frames.count()]);
        for (number, (tia, kind)) in tia.iter_mut().zip(kinds).enumerate() {
            frames.voxel(maps, task * TASK + number, &mut activities);
            (*tia, *kind) = solver.integrate(&activities, &mut weights);
        }
        watch.report((1 + done.fetch_add(1, Ordering::Relaxed)) as f64 / tasks as f64)
    };
    tia_mbq_h
        .par_chunks_mut(TASK)
        .zip(kinds.par_chunks_mut(TASK))
        .enumerate()
        .try_for_each(task)
        .map_err(|Interrupted| DoseError::Cancelled)?;
    Ok(VoxelIntegrals { tia_mbq_h, kinds })
}

fn check(options: &VoxelOptions) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let both = [
        ("relative_sigma", options.relative_sigma),
        ("sigma_floor_of_its_maximum", options.sigma_floor_of_its_maximum),
    ];
    for (field, value) in both.into_iter().filter(|(_, value)| !(value.is_finite() && *value > 0.0)) {
        checks.fail(field, format!("must be finite and above 0, got {value}"));
    }
    checks.finish()
}

struct Solver<'a> {
    frames: &'a Frames,
    options: &'a VoxelOptions,
    grid: MonoGrid,
}

impl Solver<'_> {
    /// The integral of one voxel.
    ///
    /// * `weights` – a buffer
    fn integrate(&self, activities: &[f64], weights: &mut [f64]) -> (f64, VoxelKind) {
        if activities.iter().all(|activity| *activity <= 0.0) {
            return (0.0, VoxelKind::NoActivity);
        }
        if self.options.model == VoxelModel::Auto {
            return self.chosen(activities);
        }
        let largest = activities.iter().map(|activity| activity.abs()).fold(0.0, f64::max);
        let floor = self.options.sigma_floor_of_its_maximum * largest;
        for (weight, activity) in weights.iter_mut().zip(activities) {
            let sigma = (self.options.relative_sigma * activity.abs()).max(floor);
            *weight = (largest / sigma).powi(2);
        }
        match self.grid.fit(activities, weights) {
            MonoFit::Falls([amplitude, rate]) => (amplitude / rate, VoxelKind::Fitted),
            MonoFit::SlowerThanPhysical => match self.grid.held(activities, weights) {
                amplitude if amplitude > 0.0 => {
                    (amplitude / self.frames.template().physical_rate_per_h(), VoxelKind::HeldAtPhysical)
                }
                _ => self.pieces(activities, VoxelKind::Pieces),
            },
            MonoFit::Rises => self.pieces(activities, VoxelKind::Rising),
            MonoFit::Unbounded => self.pieces(activities, VoxelKind::Pieces),
        }
    }

    /// By pieces; a map has no integral below 0.
    fn pieces(&self, activities: &[f64], kind: VoxelKind) -> (f64, VoxelKind) {
        let template = self.frames.template();
        let knots = template.points().iter().zip(activities).map(|(point, activity)| Knot {
            time_h: point.time_h + 0.5 * point.duration_h,
            activity_mbq: *activity,
            variance: None,
        });
        let mut knots: Vec<Knot> = knots.collect();
        knots.sort_by(|a, b| a.time_h.total_cmp(&b.time_h));
        let found = of_knots(&merged(&knots), template.physical_rate_per_h(), self.options.pieces);
        (found.tia_mbq_h.max(0.0), kind)
    }

    /// By the choice that a region gets.
    fn chosen(&self, activities: &[f64]) -> (f64, VoxelKind) {
        let series = self.frames.series(activities, Some(self.options.relative_sigma));
        let options = CurveOptions { pieces: self.options.pieces, ..CurveOptions::default() };
        let Ok(found) = integrate(&series, &options) else {
            return self.pieces(activities, VoxelKind::Pieces);
        };
        let kind = if found.flags.contains(&Flag::Rising) {
            VoxelKind::Rising
        } else if found.flags.contains(&Flag::RateAtPhysicalLimit) {
            VoxelKind::HeldAtPhysical
        } else if found.curve.is_none() {
            VoxelKind::Pieces
        } else {
            VoxelKind::Fitted
        };
        (found.tia_mbq_h.max(0.0), kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clinic::{Moment, PointDraft, SeriesDraft, ValueRefersTo};

    const TIMES_H: [f64; 4] = [24.0, 48.0, 96.0, 168.0];

    fn frames(times_h: &[f64], duration_h: f64) -> Frames {
        let point = |time_h: &f64| PointDraft {
            time: Moment::Hours(*time_h),
            activity_mbq: f64::NAN,
            sigma_mbq: None,
            duration_h: Some(duration_h),
        };
        Frames::new(&SeriesDraft {
            points: times_h.iter().map(point).collect(),
            injection: None,
            physical_half_life_h: 159.5,
            administered_activity_mbq: None,
            infusion_h: 0.0,
            refers_to: ValueRefersTo::AcquisitionMean,
        })
        .expect("times")
    }

    /// Voxels that fall, scatter, rise, or hold little: by place.
    fn voxel(place: usize) -> [f32; 4] {
        let rate = [0.003, 0.006, 0.012, 0.03, 0.09, -0.004][place % 6];
        let scatter = |at: usize| 1.0 + 0.3 * (12.9 * place as f64 + 78.2 * at as f64).sin();
        let value = |at: usize| {
            let fallen =
                (-rate * TIMES_H[at]).exp() * scatter(at) - 0.02 * f64::from(u8::from(place.is_multiple_of(7)));
            #[expect(clippy::cast_possible_truncation, reason = "a map has single precision")]
            {
                fallen as f32
            }
        };
        [0, 1, 2, 3].map(value)
    }

    fn maps(voxels: usize) -> Vec<Vec<f32>> {
        (0..4).map(|at| (0..voxels).map(|place| voxel(place)[at]).collect()).collect()
    }

    fn integrals(frames: &Frames, maps: &[Vec<f32>]) -> VoxelIntegrals {
        let maps: Vec<&[f32]> = maps.iter().map(Vec::as_slice).collect();
        integrate_voxels(frames, &maps, &VoxelOptions::default()).expect("maps")
    }

    #[test]
    fn a_voxel_gets_what_a_region_of_its_values_gets() {
        let found = integrals(&frames(&TIMES_H, 0.5), &maps(600));
        let mut kinds = std::collections::BTreeSet::new();
        for (place, (tia, kind)) in found.tia_mbq_h.iter().zip(&found.kinds).enumerate() {
            let activities = voxel(place).map(f64::from);
            let series = frames(&TIMES_H, 0.5).series(&activities, None);
            let options = CurveOptions {
                model: crate::clinic::ModelChoice::Exponentials(crate::clinic::Shape::Mono),
                ..CurveOptions::default()
            };
            let right = integrate(&series, &options).expect("an integral");
            let off = (tia - right.tia_mbq_h).abs() / right.tia_mbq_h.abs();
            assert!(off < 1e-6, "{place} {activities:?}: {tia} {kind:?}, {right:?}");
            kinds.insert(kind.number());
        }
        assert!(kinds.contains(&0) && kinds.contains(&2) && kinds.contains(&3), "{kinds:?}");
    }

    #[test]
    fn the_order_of_the_maps_changes_no_byte() {
        let maps = maps(300);
        let right = integrals(&frames(&TIMES_H, 0.0), &maps);
        let order = [2, 0, 3, 1];
        let shuffled: Vec<Vec<f32>> = order.iter().map(|place| maps[*place].clone()).collect();
        let times_h = order.map(|place| TIMES_H[place]);
        assert_eq!(integrals(&frames(&times_h, 0.0), &shuffled), right);
    }

    #[test]
    fn what_is_known_is_kept() {
        #[expect(clippy::cast_possible_truncation, reason = "a map has single precision")]
        let decay = |rate: f64| TIMES_H.map(|time_h| (50.0 * (-rate * time_h).exp()) as f32);
        let columns = [decay(0.0133), decay(0.2), [0.0; 4], [-1.0, 0.0, -2.0, 0.0]];
        let maps: Vec<Vec<f32>> = (0..4).map(|at| columns.iter().map(|column| column[at]).collect()).collect();
        let found = integrals(&frames(&TIMES_H, 0.0), &maps);
        assert!((found.tia_mbq_h[0] * 0.0133 / 50.0 - 1.0).abs() < 1e-6, "{found:?}");
        assert!((found.tia_mbq_h[1] * 0.2 / 50.0 - 1.0).abs() < 1e-4, "{found:?}");
        assert_eq!(found.tia_mbq_h[2..], [0.0, 0.0]);
        let counts = found.counts();
        assert_eq!((counts[0].voxels, counts[1].voxels), (2, 2));
        assert!((counts[0].fraction - 1.0).abs() < 1e-12);
    }

    #[test]
    fn bad_maps_are_counted_and_named() {
        let frames = frames(&TIMES_H, 0.0);
        let mut bad = maps(9);
        bad[1][3] = f32::NAN;
        bad[2].pop();
        let maps: Vec<&[f32]> = bad.iter().map(Vec::as_slice).collect();
        let error = integrate_voxels(&frames, &maps, &VoxelOptions::default()).expect_err("bad").to_string();
        assert!(error.contains("map_2: 1 voxel is not finite") && error.contains("map_3: has 8 voxels"), "{error}");
        assert!(integrate_voxels(&frames, &maps[..3], &VoxelOptions::default()).is_err());
    }
}
