//! Maps on grids of their own, put on the grid of the dose.

use std::sync::Arc;

use crate::domain::warning::ORGAN_CUT_OFF;
use crate::domain::{
    Amount, Checks, Control, DensityMap, Invalid, Organ, Organs, RigidTransform, Volume, VoxelGrid, Warning,
};
use crate::resample::{
    DoseGrid, MAX_SHARE_OUTSIDE, Placing, PlacingAccount, Resampler, Space, check_share_kept, check_share_outside,
    dose_grid, has_same_voxels, leading, reorder,
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
    /// Of organs that the grid of the dose cuts off.
    pub warnings: Vec<Warning>,
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
            return Some(Placed { placing, account: None, on_ct: false, of_a_map: true, ct, warnings: Vec::new() });
        }
        let most = self.max_activity_outside;
        let Moved { account, organs_outside } = resampled(maps, &placing, amount, density, most, checks)?;
        let warnings = of_organs_outside(&organs_outside).into_iter().collect();
        checks.at(density, check_share_outside(account.activity_outside_density, most));
        let (on_ct, of_a_map) =
            (self.dose_grid == Some(DoseGrid::Ct), !matches!(self.dose_grid, Some(DoseGrid::Spacing(_))));
        Some(Placed { placing, account: Some(account), on_ct, of_a_map, ct, warnings })
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

/// What resampling did.
struct Moved {
    account: PlacingAccount,
    /// Organs that the grid of the dose cuts off, each with the part outside.
    organs_outside: Vec<(Organ, f64)>,
}

/// Organs that the grid of the dose cuts off: their rows are those of what is left.
fn of_organs_outside(organs: &[(Organ, f64)]) -> Option<Warning> {
    let words = |(organ, part): &(Organ, f64)| {
        let name = organ.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        format!("label {}{name} {:.1} %", organ.label, 100.0 * part)
    };
    let words = organs.iter().map(words).collect::<Vec<_>>().join(", ");
    (!organs.is_empty()).then(|| {
        let message = format!(
            "some organs reach beyond the grid of the dose; outside it lie of {words}; volume, mass and dose of an \
             organ are those of the rest"
        );
        Warning::new(ORGAN_CUT_OFF, "labels", message)
    })
}

/// All maps on the grid of the dose.
///
/// * `most` – part of a daughter's decays that may lie outside
fn resampled(
    maps: &mut Maps,
    placing: &Placing,
    amount: impl Fn(usize) -> Amount,
    density: &str,
    most: f64,
    checks: &mut Checks,
) -> Option<Moved> {
    let mut account = PlacingAccount::default();
    let activity = maps.activity.take()?;
    let view = maps.density.as_ref().map(|map| map.g_cm3().grid().clone());
    if let Some(map) = maps.density.take() {
        account.activity_outside_density = placing.activity_outside(&activity, map.g_cm3().grid());
        let (moved, mass_g) = checks.at(density, placing.density(map.g_cm3()))?;
        maps.density = checks.at(density, DensityMap::new(moved));
        account.mass_g = Some(mass_g);
    }
    let organs = std::mem::take(&mut maps.organs);
    let mut organs_outside = Vec::new();
    for organs in &organs {
        if let Some(placed) = checks.at("labels", placing.organs(organs, activity.grid())) {
            organs_outside.extend(placing.organs_outside(organs, &placed, activity.grid()));
            maps.organs.push(placed);
        }
    }
    if let Some(map) = maps.materials.take() {
        maps.materials = checks.at("materials", placing.materials(&map, activity.grid()));
    }
    for (number, map) in maps.daughters.iter_mut().enumerate() {
        let field = format!("daughter_maps[{number}].activity");
        let Some(own) = map.take() else { continue };
        let Some((moved, totals)) = checks.at(&field, placing.activity(&own, amount(number + 1))) else { continue };
        checks.at(field, check_share_kept(totals, most));
        if let Some(view) = &view {
            let inside = check_share_outside(placing.activity_outside(&own, view), most);
            let of_daughter = |Invalid(reason)| Invalid::new(format!("of daughter map {}, {reason}", number + 1));
            checks.at(density, inside.map_err(of_daughter));
        }
        *map = Some(moved);
    }
    let (moved, totals) = checks.at("activity", placing.activity(&activity, amount(0)))?;
    account.activity = Some(totals);
    maps.activity = Some(moved);
    Some(Moved { account, organs_outside })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of voxels along x that begins at a place.
    fn line(voxels: u64, edge: f64, start: f64) -> Arc<VoxelGrid> {
        let affine = [[edge, 0.0, 0.0, start + edge / 2.0], [0.0, 4.0, 0.0, 0.0], [0.0, 0.0, 4.0, 0.0]];
        let grid = VoxelGrid::new([voxels, 1, 1], [edge, 4.0, 4.0]).and_then(|grid| grid.with_affine(affine));
        Arc::new(grid.expect("a good grid"))
    }

    fn ones(grid: &Arc<VoxelGrid>) -> Volume<f32> {
        Volume::from_vec(grid.clone(), vec![1.0; grid.voxels()]).expect("a value for each voxel")
    }

    fn place(mut maps: Maps, choice: &GridChoice) -> (Option<Placed>, Vec<(String, String)>) {
        let mut checks = Checks::new();
        let placed = choice.place(&mut maps, |_| Amount::PerVoxel, "density", &mut checks);
        (placed, checks.into_violations().into_iter().map(|fault| (fault.field, fault.reason)).collect())
    }

    #[test]
    fn decays_of_a_daughter_outside_the_grid_of_the_dose_are_no_silent_loss() {
        let parent = line(4, 4.0, 0.0);
        let faults = |daughter: &Arc<VoxelGrid>, max_activity_outside: f64| {
            let (activity, daughters) = (Some(ones(&parent)), vec![Some(ones(daughter))]);
            let choice =
                GridChoice { dose_grid: Some(DoseGrid::Activity), max_activity_outside, ..GridChoice::default() };
            place(Maps { activity, daughters, ..Maps::default() }, &choice).1
        };
        assert!(faults(&parent, 0.01).is_empty());
        let found = faults(&line(4, 4.0, 8.0), 0.01);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, "daughter_maps[0].activity");
        assert!(found[0].1.starts_with("50.00 % of its decays lie outside the grid of the dose"), "{found:?}");
        assert!(faults(&line(4, 4.0, 8.0), 0.5).is_empty());
    }

    #[test]
    fn decays_of_a_daughter_outside_the_ct_are_told_as_those_of_the_nuclide() {
        let (parent, ct) = (line(2, 4.0, 0.0), line(2, 4.0, 0.0));
        let density = DensityMap::new(ones(&ct)).expect("a density");
        let choice = GridChoice { dose_grid: Some(DoseGrid::Activity), ..GridChoice::default() };
        let maps = Maps {
            activity: Some(ones(&parent)),
            density: Some(density),
            daughters: vec![Some(ones(&line(4, 4.0, 0.0)))],
            ..Maps::default()
        };
        let faults = place(maps, &choice).1;
        assert!(
            faults.iter().any(|(field, reason)| field == "density" && reason.contains("of daughter map 1, 50.00 %"))
        );
    }

    #[test]
    fn an_organ_that_the_grid_of_the_dose_cuts_off_is_warned_of() {
        let (activity, labels) = (line(4, 4.0, 0.0), line(16, 2.0, 0.0));
        let organ = |label, name: Option<&str>, voxels: std::ops::Range<u32>| {
            Organ::whole(label, name.map(str::to_owned), voxels.collect()).expect("rising")
        };
        let warned = |organs: Vec<Organ>| {
            let organs = vec![Organs::new(labels.clone(), organs).expect("good organs")];
            let choice = GridChoice { dose_grid: Some(DoseGrid::Activity), ..GridChoice::default() };
            let (placed, faults) = place(Maps { activity: Some(ones(&activity)), organs, ..Maps::default() }, &choice);
            assert!(faults.is_empty(), "{faults:?}");
            placed.expect("without a fault").warnings
        };
        assert!(warned(vec![organ(1, None, 0..4), organ(2, None, 4..8)]).is_empty());
        let found = warned(vec![organ(1, Some("liver"), 4..12), organ(2, None, 0..4), organ(3, None, 12..16)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].reason.as_str(), found[0].field.as_str()), (ORGAN_CUT_OFF, "labels"));
        assert!(found[0].message.contains("label 1 (liver) 50.0 %, label 3 100.0 %;"), "{found:?}");
    }

    #[test]
    fn a_small_organ_in_an_oblique_grid_is_not_cut_off() {
        let cube = |voxels, edge: f64| Arc::new(VoxelGrid::new([voxels; 3], [edge; 3]).expect("a good grid"));
        let (labels, activity) = (cube(8, 2.0), cube(8, 4.0));
        let (sin, cos) = 0.1f64.sin_cos();
        let turn = |x: f64| RigidTransform::new([[cos, -sin, 0.0, x], [sin, cos, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]);
        let warnings = |x: f64| {
            let organ = Organ::whole(1, None, vec![4 + 8 * (4 + 8 * 4)]).expect("one voxel");
            let organs = vec![Organs::new(labels.clone(), vec![organ]).expect("one organ")];
            let choice = GridChoice { transform: Some(turn(x).expect("a rotation")), ..GridChoice::default() };
            let (placed, faults) = place(Maps { activity: Some(ones(&activity)), organs, ..Maps::default() }, &choice);
            assert!(faults.is_empty(), "{faults:?}");
            placed.expect("without a fault").warnings.len()
        };
        assert_eq!((warnings(0.0), warnings(100.0)), (0, 1));
    }
}
