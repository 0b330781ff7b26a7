//! A series of maps of one grid, and when they were made.

use super::{Point, PointDraft, Series, SeriesDraft};
use crate::domain::{Checks, DoseError, Warning, words};

/// When the maps of a series were made, checked; the times of a map series are those of its regions and voxels.
#[derive(Clone, Debug)]
pub struct Frames {
    /// A series with an activity of 1 at each time.
    template: Series,
    /// Numbers of the maps by time.
    order: Vec<usize>,
    /// Mean over the scan for each unit of a map, by time.
    factors: Vec<f64>,
}

impl Frames {
    /// Checks the times of some maps.
    ///
    /// * `draft` – a point for each map; its activity and σ are not looked at
    ///
    /// # Errors
    /// As [`Series::new`], and if all maps are of one time.
    pub fn new(draft: &SeriesDraft) -> Result<Self, DoseError> {
        let unit = |point: &PointDraft| PointDraft { activity_mbq: 1.0, sigma_mbq: None, ..point.clone() };
        let units = SeriesDraft { points: draft.points.iter().map(unit).collect(), ..draft.clone() };
        let template = Series::new(&units)?;
        if template.distinct_times() < 2 {
            return Err(DoseError::invalid("points", "maps of one time need a method by name, by region or for all"));
        }
        let alone = |point: &PointDraft| -> Result<Point, DoseError> {
            let series = Series::new(&SeriesDraft { points: vec![point.clone()], ..units.clone() })?;
            Ok(series.points()[0])
        };
        let points: Vec<Point> = units.points.iter().map(alone).collect::<Result<_, _>>()?;
        let mut order: Vec<usize> = (0..points.len()).collect();
        order.sort_by(|a, b| points[*a].time_h.total_cmp(&points[*b].time_h));
        let factors = order.iter().map(|place| points[*place].activity_mbq).collect();
        let sorted = order.iter().map(|place| points[*place]).collect();
        Ok(Self { template: template.with_points(sorted), order, factors })
    }

    /// The times and all that belongs to them, with an activity of 1 each.
    pub(super) fn template(&self) -> &Series {
        &self.template
    }

    /// How many maps there are.
    pub fn count(&self) -> usize {
        self.order.len()
    }

    /// Start of each scan [h], the first first.
    pub fn times_h(&self) -> Vec<f64> {
        self.template.points().iter().map(|point| point.time_h).collect()
    }

    /// Measured means by time, without standard deviations.
    ///
    /// * `activities_mbq` – of a region or a voxel
    pub fn points(&self, activities_mbq: &[f64]) -> Vec<Point> {
        self.series(activities_mbq, None).points().to_vec()
    }

    /// Start of the scan of each map [h], in the order of the maps.
    pub fn starts_h(&self) -> Vec<f64> {
        let mut starts = vec![0.0; self.count()];
        self.order.iter().zip(self.times_h()).for_each(|(map, time_h)| starts[*map] = time_h);
        starts
    }

    /// What to look at.
    pub fn warnings(&self) -> &[Warning] {
        self.template.warnings()
    }

    /// How long the infusion took [h].
    pub fn infusion_h(&self) -> f64 {
        self.template.infusion_h()
    }

    /// A series with other activities, by time.
    ///
    /// * `sigmas_mbq` – standard deviation of each, if they are given
    pub(super) fn series(&self, activities_mbq: &[f64], sigmas_mbq: Option<&[f64]>) -> Series {
        let points = self.template.points().iter().zip(activities_mbq).enumerate();
        let point = |(place, (point, activity)): (usize, (&Point, &f64))| Point {
            activity_mbq: *activity,
            sigma_mbq: sigmas_mbq.map(|sigmas| sigmas[place]),
            ..*point
        };
        self.template.with_points(points.map(point).collect())
    }

    /// Checks maps against the times.
    ///
    /// # Errors
    /// If their number or sizes differ, or a voxel is not finite: how many are not, by the number of the map from 1.
    pub(super) fn check(&self, maps: &[&[f32]], voxels: usize) -> Result<(), DoseError> {
        let mut checks = Checks::new();
        if maps.len() != self.count() {
            checks.fail("maps", format!("there are {} for {} times", maps.len(), self.count()));
        }
        for (number, map) in maps.iter().enumerate() {
            let field = format!("map_{}", number + 1);
            let bad = map.iter().filter(|value| !value.is_finite()).count();
            if map.len() != voxels {
                checks.fail(field, format!("has {} voxels, {voxels} are needed: resample it first", map.len()));
            } else if bad > 0 {
                checks.fail(field, format!("{} {} not finite", words::voxels(bad), words::are(bad)));
            }
        }
        checks.finish()
    }

    /// Activities of a voxel by time [MBq], into a buffer.
    pub(super) fn voxel(&self, maps: &[&[f32]], voxel: usize, into: &mut [f64]) {
        for ((value, place), factor) in into.iter_mut().zip(&self.order).zip(&self.factors) {
            *value = f64::from(maps[*place][voxel]) * factor;
        }
    }

    /// Sums over some voxels by time [MBq].
    pub(super) fn sums(&self, maps: &[&[f32]], voxels: &[u32]) -> Vec<f64> {
        let sum = |(place, factor): (&usize, &f64)| {
            factor * voxels.iter().map(|voxel| f64::from(maps[*place][*voxel as usize])).sum::<f64>()
        };
        self.order.iter().zip(&self.factors).map(sum).collect()
    }

    /// The map of a time, by its place among the times.
    pub(super) fn map<'a>(&self, maps: &[&'a [f32]], at: usize) -> &'a [f32] {
        maps[self.order[at]]
    }
}
