//! Maps on grids of their own, put on the grid of the dose.

use std::sync::Arc;

use crate::domain::{Amount, Checks, Control, DensityMap, Organs, RigidTransform, Volume, VoxelGrid};
use crate::resample::{
    DoseGrid, MAX_SHARE_OUTSIDE, Placing, PlacingAccount, Resampler, Space, check_share_outside, dose_grid,
    has_same_voxels, leading, reorder,
};

/// What a caller chose of grids.
#[derive(Clone, Debug, PartialEq)]
pub struct GridChoice {
    /// The grid of the dose; none: that of the activity.
    pub dose_grid: Option<DoseGrid>,
    /// From points of the activity to those of the CT; none: they have the same coordinates.
    pub transform: Option<RigidTransform>,
    /// Part of the activity that may lie outside the CT or density, 0 to 1.
    pub max_activity_outside: f64,
}

impl Default for GridChoice {
    fn default() -> Self {
        Self { dose_grid: None, transform: None, max_activity_outside: MAX_SHARE_OUTSIDE }
    }
}

/// Maps as they came, then on the grid of the dose. One that is at fault is absent.
#[derive(Clone, Debug, Default)]
pub struct Maps {
    /// Activity of the first nuclide.
    pub activity: Option<Volume<f32>>,
    /// Mass density.
    pub density: Option<DensityMap>,
    /// Organs; those of one entry are on one grid.
    pub organs: Vec<Organs>,
    /// What the voxels are made of, by label.
    pub materials: Option<Volume<f32>>,
    /// Activity of each daughter with a map of its own.
    pub daughters: Vec<Option<Volume<f32>>>,
}

/// Where the dose is computed, and what resampling did.
#[derive(Clone, Debug)]
pub struct Placed {
    /// From maps to the grid of the dose.
    pub placing: Placing,
    /// What resampling did; none if nothing was resampled.
    pub account: Option<PlacingAccount>,
    /// Whether the dose lies on the grid of the CT or density.
    pub on_ct: bool,
    /// Whether the dose has the grid of one of the maps.
    pub of_a_map: bool,
    /// Grid of the CT or density, as it came.
    pub ct: Option<Arc<VoxelGrid>>,
}

impl GridChoice {
    /// Whether maps are resampled. Without a choice nothing is: what has the same voxels in another order is put in
    /// order, and what lies elsewhere is a fault.
    pub fn resamples(&self) -> bool {
        self.dose_grid.is_some() || self.transform.is_some()
    }

    /// In whose coordinates the dose lies.
    pub fn space(&self) -> Space {
        match self.dose_grid {
            Some(DoseGrid::Ct) => Space::Ct,
            None | Some(DoseGrid::Activity | DoseGrid::Spacing(_)) => Space::Activity,
        }
    }

    /// From points of the dose to those of a space.
    pub fn dose_to(&self, space: Space) -> RigidTransform {
        leading(self.transform.as_ref().unwrap_or(&RigidTransform::IDENTITY), self.space(), space)
    }

    /// The grid of the dose and its place, from those of the maps alone; none if a fault was recorded.
    pub fn placing(&self, activity: &Arc<VoxelGrid>, ct: Option<&VoxelGrid>, checks: &mut Checks) -> Option<Placing> {
        let transform = self.transform.clone().unwrap_or(RigidTransform::IDENTITY);
        match self.dose_grid {
            None | Some(DoseGrid::Activity) => Some(Placing::new(activity.clone(), Space::Activity, transform)),
            Some(choice @ (DoseGrid::Ct | DoseGrid::Spacing(_))) => {
                let grid = checks.at("dose_grid", dose_grid(choice, activity, ct))?;
                Some(Placing::new(Arc::new(grid), self.space(), transform))
            }
        }
    }

    /// Puts all maps on the grid of the dose. Without a choice what lies elsewhere stays as it is.
    ///
    /// * `amount` – what the values of an activity map belong to: of the first map by 0, of the first daughter's by 1
    /// * `density` – path of what the density comes from: `density` or `ct`
    pub fn place(
        &self,
        maps: &mut Maps,
        amount: impl Fn(usize) -> Amount,
        density: &str,
        checks: &mut Checks,
    ) -> Option<Placed> {
        self.place_until(maps, amount, density, checks, &Control::detached())
    }

    /// As [`GridChoice::place`]; gives up as [`Resampler::until`].
    pub fn place_until(
        &self,
        maps: &mut Maps,
        amount: impl Fn(usize) -> Amount,
        density: &str,
        checks: &mut Checks,
        control: &Control,
    ) -> Option<Placed> {
        let ct = maps.density.as_ref().map(|map| map.g_cm3().grid().clone());
        let activity = maps.activity.as_ref()?.grid().clone();
        let placing = self.placing(&activity, ct.as_deref(), checks)?.until(control.clone());
        if !self.resamples() {
            in_order(maps, &activity, density, checks);
            return Some(Placed { placing, account: None, on_ct: false, of_a_map: true, ct });
        }
        let account = resampled(maps, &placing, amount, density, checks)?;
        checks.at(density, check_share_outside(account.activity_outside_density, self.max_activity_outside));
        let (on_ct, of_a_map) =
            (self.dose_grid == Some(DoseGrid::Ct), !matches!(self.dose_grid, Some(DoseGrid::Spacing(_))));
        Some(Placed { placing, account: Some(account), on_ct, of_a_map, ct })
    }
}

/// Maps that have the voxels of the activity in another order are put in its order.
fn in_order(maps: &mut Maps, activity: &Arc<VoxelGrid>, density: &str, checks: &mut Checks) {
    let stored_otherwise = |grid: &VoxelGrid| activity.check_same(grid).is_err();
    if let Some(map) = maps.density.take_if(|map| stored_otherwise(map.g_cm3().grid())) {
        let found = reorder(map.g_cm3(), activity);
        maps.density = found.map_or(Some(map), |found| checks.at(density, DensityMap::new(found)));
    }
    for map in maps.materials.iter_mut().chain(maps.daughters.iter_mut().flatten()) {
        if stored_otherwise(map.grid())
            && let Some(found) = reorder(map, activity)
        {
            *map = found;
        }
    }
    for organs in maps.organs.iter_mut().filter(|organs| stored_otherwise(organs.grid())) {
        let resampler = Resampler::new(organs.grid(), activity, &RigidTransform::IDENTITY);
        if has_same_voxels(organs.grid(), activity)
            && let Some(found) = checks.at("labels", resampler.organs(organs))
        {
            *organs = found;
        }
    }
}

/// All maps on the grid of the dose.
fn resampled(
    maps: &mut Maps,
    placing: &Placing,
    amount: impl Fn(usize) -> Amount,
    density: &str,
    checks: &mut Checks,
) -> Option<PlacingAccount> {
    let mut account = PlacingAccount::default();
    let activity = maps.activity.take()?;
    if let Some(map) = maps.density.take() {
        account.activity_outside_density = placing.activity_outside(&activity, map.g_cm3().grid());
        let (moved, mass_g) = checks.at(density, placing.density(map.g_cm3()))?;
        maps.density = checks.at(density, DensityMap::new(moved));
        account.mass_g = Some(mass_g);
    }
    let organs = std::mem::take(&mut maps.organs);
    maps.organs.extend(organs.iter().filter_map(|organs| checks.at("labels", placing.organs(organs, activity.grid()))));
    if let Some(map) = maps.materials.take() {
        maps.materials = checks.at("materials", placing.materials(&map, activity.grid()));
    }
    for (number, map) in maps.daughters.iter_mut().enumerate() {
        let field = format!("daughter_maps[{number}].activity");
        let moved = map.take().and_then(|map| checks.at(field, placing.activity(&map, amount(number + 1))));
        *map = moved.map(|(map, _)| map);
    }
    let (moved, totals) = checks.at("activity", placing.activity(&activity, amount(0)))?;
    account.activity = Some(totals);
    maps.activity = Some(moved);
    Some(account)
}
