//! All maps of a computation, put on the grid of the dose.

use std::sync::Arc;

use serde::Serialize;

use super::{AIR_G_CM3, Resampler, share_outside};
use crate::domain::{
    ActivityUnit, Amount, Control, Invalid, LabelMap, Organ, Organs, RigidTransform, Volume, VoxelGrid,
};

/// Part of the activity that may lie outside the CT before a computation is refused.
pub const MAX_SHARE_OUTSIDE: f64 = 0.01;

/// Part of an organ that may lie outside the grid of the dose without a warning.
pub const MAX_ORGAN_OUTSIDE: f64 = 0.01;

/// In whose coordinates a map lies: a transform leads from those of the activity to those of the CT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Those of the activity.
    Activity,
    /// Those of the CT.
    Ct,
}

/// From maps to the grid of the dose.
#[derive(Clone, Debug)]
pub struct Placing {
    grid: Arc<VoxelGrid>,
    space: Space,
    /// From points of the activity to those of the CT.
    transform: RigidTransform,
    control: Option<Control>,
}

/// What resampling did to the maps of a computation.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PlacingAccount {
    /// Decays or activity before and after, in the unit of the map; of a concentration, in that unit times mL.
    pub activity: Option<[f64; 2]>,
    /// Mass before and after [g].
    pub mass_g: Option<[f64; 2]>,
    /// Part of the activity that lies outside the CT or density map.
    pub activity_outside_density: f64,
}

impl PlacingAccount {
    /// The activity before and after as decays [Bq·s].
    ///
    /// * `unit` – of the activity map
    pub fn decays(&self, unit: ActivityUnit) -> Option<[f64; 2]> {
        // Totals of a concentration are times mL.
        let per_unit = unit.to_bq_s(1.0).unwrap_or(1.0);
        self.activity.map(|totals| totals.map(|total| total * per_unit))
    }
}

impl Placing {
    /// * `grid` – of the dose
    /// * `space` – in whose coordinates it lies
    /// * `transform` – from points of the activity to those of the CT
    pub fn new(grid: Arc<VoxelGrid>, space: Space, transform: RigidTransform) -> Self {
        Self { grid, space, transform, control: None }
    }

    /// The same, which gives up as [`Resampler::until`].
    #[must_use]
    pub fn until(self, control: Control) -> Self {
        Self { control: Some(control), ..self }
    }

    /// The grid of the dose.
    pub fn grid(&self) -> &Arc<VoxelGrid> {
        &self.grid
    }

    /// In whose coordinates the dose lies.
    pub fn space(&self) -> Space {
        self.space
    }

    /// An activity, its total kept; with its totals before and after.
    ///
    /// * `amount` – what its values belong to
    ///
    /// # Errors
    /// As [`Resampler::redistribute`].
    pub fn activity(&self, map: &Volume<f32>, amount: Amount) -> Result<(Volume<f32>, [f64; 2]), Invalid> {
        let moved = self.resampler(map.grid(), Space::Activity).redistribute(map)?;
        let totals = [moved.total_before, moved.total_after];
        match amount {
            Amount::PerVoxel => Ok((moved.volume, totals)),
            Amount::PerMl => {
                let [before_ml, after_ml] = [map.grid(), &self.grid].map(|grid| grid.voxel_volume_cm3());
                #[expect(clippy::cast_possible_truncation, reason = "the stored precision")]
                let per_ml = moved.volume.map(|&value| (f64::from(value) * before_ml / after_ml) as f32);
                Ok((per_ml, totals.map(|total| total * before_ml)))
            }
        }
    }

    /// A density, its mass kept, air around it; with the mass before and after [g].
    ///
    /// # Errors
    /// As [`Resampler::average`].
    pub fn density(&self, map: &Volume<f32>) -> Result<(Volume<f32>, [f64; 2]), Invalid> {
        let moved = self.resampler(map.grid(), Space::Ct).average(map, AIR_G_CM3)?;
        Ok((moved.volume, [moved.integral_before, moved.integral_after]))
    }

    /// Organs, by shares of voxels. Those on the grid of the activity lie where it does, others where the CT does.
    ///
    /// # Errors
    /// As [`Resampler::organs`].
    pub fn organs(&self, organs: &Organs, activity: &VoxelGrid) -> Result<Organs, Invalid> {
        self.resampler(organs.grid(), space_of(organs.grid(), activity)).organs(organs)
    }

    /// Organs of which more than [`MAX_ORGAN_OUTSIDE`] lies outside the grid of the dose, each with that part.
    ///
    /// * `placed` – what [`Placing::organs`] made of them
    pub fn organs_outside(&self, organs: &Organs, placed: &Organs, activity: &VoxelGrid) -> Vec<(Organ, f64)> {
        let resampler = self.resampler(organs.grid(), space_of(organs.grid(), activity));
        let pairs = organs.organs().iter().zip(placed.organs());
        let outside = pairs.map(|(organ, placed)| (organ, resampler.organ_outside(organ, placed)));
        outside.filter(|(_, part)| *part > MAX_ORGAN_OUTSIDE).map(|(organ, part)| (organ.clone(), part)).collect()
    }

    /// A map of materials, the one with the largest share of each voxel.
    ///
    /// # Errors
    /// If a value is no whole number, and as [`Resampler::organs`].
    pub fn materials(&self, map: &Volume<f32>, activity: &VoxelGrid) -> Result<Volume<f32>, Invalid> {
        let organs = Organs::of_map(&LabelMap::new(map)?)?;
        Ok(self.organs(&organs, activity)?.label_map().labels().map(|&label| f32::from(label)))
    }

    /// A dose on another grid, such as that of the CT, by interpolation.
    ///
    /// # Errors
    /// As [`Resampler::interpolate`].
    pub fn dose_on(&self, dose: &Volume<f32>, grid: &Arc<VoxelGrid>, space: Space) -> Result<Volume<f32>, Invalid> {
        let resampler = Resampler::new(&self.grid, grid, &self.between(space, self.space));
        resampler.interpolate(dose).map(|found| found.volume)
    }

    /// The part of an activity that lies outside a CT or density map.
    pub fn activity_outside(&self, activity: &Volume<f32>, view: &Arc<VoxelGrid>) -> f64 {
        share_outside(activity, view, &self.between(Space::Activity, Space::Ct))
    }

    fn resampler(&self, source: &Arc<VoxelGrid>, space: Space) -> Resampler {
        let resampler = Resampler::new(source, &self.grid, &self.between(self.space, space));
        match &self.control {
            Some(control) => resampler.until(control.clone()),
            None => resampler,
        }
    }

    /// From points of one space to those of another.
    fn between(&self, from: Space, to: Space) -> RigidTransform {
        leading(&self.transform, from, to)
    }
}

/// From points of one space to those of another.
///
/// * `transform` – from points of the activity to those of the CT
pub fn leading(transform: &RigidTransform, from: Space, to: Space) -> RigidTransform {
    match (from, to) {
        (Space::Activity, Space::Ct) => transform.clone(),
        (Space::Ct, Space::Activity) => transform.inverse(),
        (Space::Activity, Space::Activity) | (Space::Ct, Space::Ct) => RigidTransform::IDENTITY,
    }
}

/// Where a map of organs lies: with the activity if it has its grid, else with the CT.
fn space_of(grid: &VoxelGrid, activity: &VoxelGrid) -> Space {
    if activity.check_same(grid).is_ok() { Space::Activity } else { Space::Ct }
}

/// # Errors
/// If more of the activity lies outside the CT than is allowed: how much, and what to do.
pub fn check_share_outside(share: f64, most: f64) -> Result<(), Invalid> {
    if share <= most {
        return Ok(());
    }
    Err(Invalid::new(format!(
        "{:.2} % of the activity lies outside its field of view, more than {:.2} %; is it of the same patient, and the \
         transform the right way round? --max-activity-outside allows more, with air there",
        share * 100.0,
        most * 100.0
    )))
}

/// # Errors
/// If more of a daughter's decays than is allowed lie outside the grid of the dose, where nothing counts them.
///
/// * `totals` – before and after resampling
pub fn check_share_kept([before, after]: [f64; 2], most: f64) -> Result<(), Invalid> {
    let share = if before > 0.0 { 1.0 - after / before } else { 0.0 };
    if share <= most {
        return Ok(());
    }
    Err(Invalid::new(format!(
        "{:.2} % of its decays lie outside the grid of the dose, more than {:.2} %, and would be lost; is the map of \
         the same patient? A grid of the dose that holds it keeps them, and --max-activity-outside allows more",
        share * 100.0,
        most * 100.0
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of voxels along x that begins at a place.
    fn line(voxels: u64, edge: f64, start: f64) -> Arc<VoxelGrid> {
        let affine = [[edge, 0.0, 0.0, start], [0.0, 4.0, 0.0, 0.0], [0.0, 0.0, 4.0, 0.0]];
        let grid = VoxelGrid::new([voxels, 1, 1], [edge, 4.0, 4.0]).and_then(|grid| grid.with_affine(affine));
        Arc::new(grid.expect("a good grid"))
    }

    fn map(grid: &Arc<VoxelGrid>, values: &[f32]) -> Volume<f32> {
        Volume::from_vec(grid.clone(), values.to_vec()).expect("a value for each voxel")
    }

    #[test]
    fn a_transform_leads_from_the_activity_to_the_ct() {
        // The CT lies 10 mm further along x than the activity says.
        let (spect, ct) = (line(4, 4.0, 2.0), line(8, 2.0, 11.0));
        let shift = [[1.0, 0.0, 0.0, 10.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
        let transform = RigidTransform::new(shift).expect("a shift");
        let density = map(&ct, &[0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 0.0, 0.0]);
        let activity = map(&spect, &[0.0, 8.0, 4.0, 0.0]);
        let onto_spect = Placing::new(spect.clone(), Space::Activity, transform.clone());
        let (moved, mass) = onto_spect.density(&density).expect("its grid");
        assert_eq!(moved.as_slice(), [0.0, 1.0, 2.0, 0.0]);
        assert!((mass[0] - mass[1]).abs() < 1e-9);
        assert_eq!(onto_spect.activity(&activity, Amount::PerVoxel).expect("its grid").0, activity);
        let onto_ct = Placing::new(ct.clone(), Space::Ct, transform);
        let (moved, totals) = onto_ct.activity(&activity, Amount::PerVoxel).expect("its grid");
        assert_eq!((moved.as_slice(), totals), (&[0.0, 0.0, 4.0, 4.0, 2.0, 2.0, 0.0, 0.0][..], [12.0, 12.0]));
        // A voxel of the CT has half the volume: the same concentration, the same total.
        let (moved, totals) = onto_ct.activity(&activity, Amount::PerMl).expect("its grid");
        assert_eq!(moved.as_slice(), [0.0, 0.0, 8.0, 8.0, 4.0, 4.0, 0.0, 0.0]);
        assert!(totals.iter().all(|total| (total / (12.0 * 0.064) - 1.0).abs() < 1e-12), "{totals:?}");
        assert_eq!(onto_ct.density(&density).expect("its grid").0, density);
        let dose = map(&spect, &[0.0, 1.0, 2.0, 0.0]);
        let on_ct = onto_spect.dose_on(&dose, &ct, Space::Ct).expect("its grid");
        assert_eq!(on_ct.as_slice(), [0.0, 0.25, 0.75, 1.25, 1.75, 1.5, 0.5, 0.0]);
        assert_eq!(onto_spect.activity_outside(&activity, &ct), 0.0);
    }

    #[test]
    fn activity_outside_the_ct_is_told() {
        let (spect, ct) = (line(4, 4.0, 2.0), line(2, 4.0, 6.0));
        let placing = Placing::new(spect.clone(), Space::Activity, RigidTransform::IDENTITY);
        let share = placing.activity_outside(&map(&spect, &[1.0, 5.0, 3.0, 1.0]), &ct);
        assert!((share - 0.2).abs() < 1e-12, "{share}");
        assert!(check_share_outside(share, 0.2 + 1e-9).is_ok());
        let Invalid(reason) = check_share_outside(share, MAX_SHARE_OUTSIDE).expect_err("too much");
        assert!(reason.contains("20.00 % of the activity"), "{reason}");
    }
}
