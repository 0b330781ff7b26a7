//! A curve for every voxel of a map series.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::Serialize;

use super::integrate::integrate_decided;
use super::pieces::{Knot, merged, of_knots};
use super::voxel_mono::{MonoFit, MonoGrid};
use super::{CurveOptions, Flag, Frames, ModelChoice, PieceRules, Shape};
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
    /// From point to point, with a physical tail.
    Pieces,
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
            ModelChoice::TrapezoidTail => Ok(Self::Pieces),
            ModelChoice::Exponentials(Shape::BiUptake | Shape::BiWashout | Shape::TriUptake)
            | ModelChoice::Physical => {
                Err(Invalid::new(format!("a voxel gets mono, trapezoid_tail or auto, not {}", model.name())))
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
    /// Whether the standard deviation of each integral is wanted: that which the one of the activities gives.
    pub with_sigma: bool,
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
            with_sigma: false,
            sigma_floor_of_its_maximum: FLOOR,
            pieces: PieceRules::default(),
        }
    }
}

impl VoxelOptions {
    /// A model, and the relative σ of an activity where it is given.
    pub fn of(model: VoxelModel, relative_sigma: Option<f64>) -> Self {
        let standard = Self { model, ..Self::default() };
        match relative_sigma {
            None => standard,
            Some(relative_sigma) => {
                let sigma_floor_of_its_maximum = FLOOR / RELATIVE_SIGMA * relative_sigma;
                Self { relative_sigma, sigma_floor_of_its_maximum, ..standard }
            }
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
    /// By pieces, and 0 where they are below 0: no exponential with a finite amplitude fits, or they were asked for.
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
            Self::Pieces => "pieces and physical tail",
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
    /// One standard deviation of that, if it was wanted [MBq·h]: 0 without activity, NaN where it does not exist.
    pub tia_sigma_mbq_h: Option<Vec<f64>>,
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
    // Without σ, of no length: chunks of it are empty then.
    let mut sigmas = vec![0.0; if options.with_sigma { voxels } else { 0 }];
    let (tasks, done) = (voxels.div_ceil(TASK).max(1), AtomicUsize::new(0));
    let task = |(task, ((tia, kinds), sigmas)): (usize, Piece)| {
        watch.check()?;
        let (mut activities, mut weights) = (vec![0.0; frames.count()], vec![0.0; frames.count()]);
        for (number, (tia, kind)) in tia.iter_mut().zip(kinds).enumerate() {
            frames.voxel(maps, task * TASK + number, &mut activities);
            let found = solver.integrate(&activities, &mut weights);
            (*tia, *kind) = (found.tia_mbq_h, found.kind);
            if let Some(sigma) = sigmas.get_mut(number) {
                *sigma = found.sigma_mbq_h;
            }
        }
        watch.report((1 + done.fetch_add(1, Ordering::Relaxed)) as f64 / tasks as f64)
    };
    let pieces = tia_mbq_h.par_chunks_mut(TASK).zip(kinds.par_chunks_mut(TASK));
    let done = if options.with_sigma {
        pieces.zip(sigmas.par_chunks_mut(TASK)).enumerate().try_for_each(task)
    } else {
        pieces.map(|piece| (piece, &mut [][..])).enumerate().try_for_each(task)
    };
    done.map_err(|Interrupted| DoseError::Cancelled)?;
    Ok(VoxelIntegrals { tia_mbq_h, tia_sigma_mbq_h: options.with_sigma.then_some(sigmas), kinds })
}

/// Integrals, kinds and σ of the voxels of one task.
type Piece<'a> = ((&'a mut [f64], &'a mut [VoxelKind]), &'a mut [f64]);

/// The integral of a voxel.
struct Found {
    tia_mbq_h: f64,
    /// NaN where it does not exist or was not wanted.
    sigma_mbq_h: f64,
    kind: VoxelKind,
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
    fn integrate(&self, activities: &[f64], weights: &mut [f64]) -> Found {
        if activities.iter().all(|activity| *activity <= 0.0) {
            return Found { tia_mbq_h: 0.0, sigma_mbq_h: 0.0, kind: VoxelKind::NoActivity };
        }
        match self.options.model {
            VoxelModel::Auto => return self.chosen(activities, weights),
            VoxelModel::Pieces => return self.pieces(activities, VoxelKind::Pieces),
            VoxelModel::Mono => {}
        }
        let largest = self.weigh(activities, weights);
        let sigma = |[amplitude, rate]: [f64; 2], is_held: bool| match self.options.with_sigma {
            true => largest * self.grid.integral_sigma([amplitude, rate], is_held, weights),
            false => f64::NAN,
        };
        match self.grid.fit(activities, weights) {
            MonoFit::Falls([amplitude, rate]) => Found {
                tia_mbq_h: amplitude / rate,
                sigma_mbq_h: sigma([amplitude, rate], false),
                kind: VoxelKind::Fitted,
            },
            MonoFit::SlowerThanPhysical => match self.grid.held(activities, weights) {
                amplitude if amplitude > 0.0 => {
                    let rate = self.frames.template().physical_rate_per_h();
                    Found {
                        tia_mbq_h: amplitude / rate,
                        sigma_mbq_h: sigma([amplitude, rate], true),
                        kind: VoxelKind::HeldAtPhysical,
                    }
                }
                _ => self.pieces(activities, VoxelKind::Pieces),
            },
            MonoFit::Rises => self.pieces(activities, VoxelKind::Rising),
            MonoFit::Unbounded => self.pieces(activities, VoxelKind::Pieces),
        }
    }

    /// Weights of the activities: their σ is the largest activity over the root of the weight. That activity [MBq].
    fn weigh(&self, activities: &[f64], weights: &mut [f64]) -> f64 {
        let largest = activities.iter().map(|activity| activity.abs()).fold(0.0, f64::max);
        let floor = self.options.sigma_floor_of_its_maximum * largest;
        for (weight, activity) in weights.iter_mut().zip(activities) {
            let sigma = (self.options.relative_sigma * activity.abs()).max(floor);
            *weight = (largest / sigma).powi(2);
        }
        largest
    }

    /// By pieces; a map has no integral below 0.
    fn pieces(&self, activities: &[f64], kind: VoxelKind) -> Found {
        let template = self.frames.template();
        let mut weights = vec![0.0; activities.len()];
        let largest = self.weigh(activities, &mut weights);
        let knots = template.points().iter().zip(activities).zip(&weights).map(|((point, activity), weight)| Knot {
            time_h: point.time_h + 0.5 * point.duration_h,
            activity_mbq: *activity,
            variance: self.options.with_sigma.then(|| largest * largest / weight),
        });
        let mut knots: Vec<Knot> = knots.collect();
        knots.sort_by(|a, b| a.time_h.total_cmp(&b.time_h));
        let found = of_knots(&merged(&knots), template.physical_rate_per_h(), self.options.pieces);
        let sigma_mbq_h = found.tia_sigma_mbq_h.unwrap_or(f64::NAN);
        Found { tia_mbq_h: found.tia_mbq_h.max(0.0), sigma_mbq_h, kind }
    }

    /// By the choice that a region gets.
    ///
    /// * `weights` – a buffer
    fn chosen(&self, activities: &[f64], weights: &mut [f64]) -> Found {
        let largest = self.weigh(activities, weights);
        let sigmas: Vec<f64> = weights.iter().map(|weight| largest / weight.sqrt()).collect();
        let series = self.frames.series(activities, Some(&sigmas));
        let options = CurveOptions { pieces: self.options.pieces, ..CurveOptions::default() };
        let Ok(found) = integrate_decided(&series, &options) else {
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
        let sigma_mbq_h = found.tia_sigma_mbq_h.unwrap_or(f64::NAN);
        Found { tia_mbq_h: found.tia_mbq_h.max(0.0), sigma_mbq_h, kind }
    }
}

#[cfg(test)]
mod tests;
