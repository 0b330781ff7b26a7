//! Flags of grids, and what may be done to values that are no activity. Every map is put on the grid of the dose.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::{
    Amount, Checks, DensityMap, Invalid, NanRule, NegativeRule, Organs, RigidTransform, Volume, VoxelGrid,
};
use crate::formats::transform;
use crate::resample::{
    DoseGrid, MAX_SHARE_OUTSIDE, Placing, PlacingAccount, Resampler, Space, check_share_outside, dose_grid, reorder,
};

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Grids")]
pub(super) struct GridArgs {
    /// Grid of the dose: that of the activity, that of the CT or density, or cubic voxels of this edge in mm. Maps on
    /// other grids are resampled onto it [default: the activity's, and all maps must be on it]
    #[arg(long, value_name = "activity|ct|MM", allow_negative_numbers = true)]
    dose_grid: Option<String>,
    /// Rigid transform between the activity and the CT: of ITK (activity fixed, CT moving), or of FSL (flirt -in CT
    /// -ref ACTIVITY)
    #[arg(long, value_name = "FILE")]
    transform: Option<PathBuf>,
    /// Use the transform the other way round
    #[arg(long)]
    invert_transform: bool,
    /// Part of the activity that may lie outside the CT or density [default: 0.01]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    max_activity_outside: Option<String>,
    /// NaN in activity, density or CT: refuse it, or take it as 0, 0 and air
    #[arg(long, value_name = "refuse|zero", default_value = "refuse")]
    nan: String,
    /// Values below 0 in the activity: refuse them, set them to 0, or set them to 0 and keep the total
    #[arg(long, value_name = "refuse|zero|zero-keep-total", default_value = "refuse")]
    negative: String,
    /// The dose on the grid of the CT or density too, by linear interpolation
    #[arg(long, value_name = "FILE")]
    pub(super) dose_on_ct: Option<PathBuf>,
}

/// Maps as they are in their files, then on the grid of the dose. One that is at fault is absent.
#[derive(Default)]
pub(super) struct Maps {
    pub(super) activity: Option<Volume<f32>>,
    pub(super) density: Option<DensityMap>,
    pub(super) organs: Option<Organs>,
    pub(super) materials: Option<Volume<f32>>,
    pub(super) daughters: Vec<Option<Volume<f32>>>,
}

/// Where the dose is computed, and what resampling did.
pub(super) struct Placed {
    pub(super) placing: Placing,
    pub(super) account: Option<PlacingAccount>,
    /// Whether the dose lies on the grid of the CT.
    pub(super) on_ct: bool,
    /// Whether the dose has the grid of one of the files.
    pub(super) of_a_file: bool,
    /// Grid of the CT or the density, as it is in its file.
    pub(super) ct: Option<Arc<VoxelGrid>>,
}

impl GridArgs {
    /// What to do with values that are no activity.
    pub(super) fn rules(&self, checks: &mut Checks) -> (NanRule, NegativeRule) {
        let nan = checks.at("nan", NanRule::parse(&self.nan));
        let negative = checks.at("negative", NegativeRule::parse(&self.negative));
        (nan.unwrap_or_default(), negative.unwrap_or_default())
    }

    /// Files that these flags name.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.transform.iter().map(PathBuf::as_path)
    }

    /// Puts all maps on the grid of the dose. Without a flag that asks for it nothing is resampled: what has the same
    /// voxels in another order is put in order, and what lies elsewhere stays as it is.
    ///
    /// * `amount` – what the values of activity maps belong to
    /// * `density` – the flag that gives the density
    pub(super) fn place(
        &self,
        maps: &mut Maps,
        amount: Amount,
        density: &'static str,
        checks: &mut Checks,
    ) -> Option<Placed> {
        let choice = self.dose_grid.as_deref().map(|word| checks.at("dose-grid", DoseGrid::parse(word)));
        let most = self.share_allowed(checks);
        if self.invert_transform && self.transform.is_none() {
            checks.fail("invert-transform", "has no effect without --transform");
        }
        let ct = maps.density.as_ref().map(|map| map.g_cm3().grid().clone());
        let activity = maps.activity.as_ref()?.grid().clone();
        if choice.is_none() && self.transform.is_none() {
            in_order(maps, &activity, density, checks);
            let placing = Placing::new(activity, Space::Activity, RigidTransform::IDENTITY);
            return Some(Placed { placing, account: None, on_ct: false, of_a_file: true, ct });
        }
        let choice = choice.unwrap_or(Some(DoseGrid::Activity))?;
        let on_ct = choice == DoseGrid::Ct;
        let grid = checks.at("dose-grid", dose_grid(choice, &activity, ct.as_deref()))?;
        let transform = self.read_transform(ct.as_deref(), &activity, checks)?;
        let space = if on_ct { Space::Ct } else { Space::Activity };
        let placing = Placing::new(Arc::new(grid), space, transform);
        let account = resampled(maps, &placing, amount, density, checks)?;
        checks.at(density, check_share_outside(account.activity_outside_density, most));
        let of_a_file = !matches!(choice, DoseGrid::Spacing(_));
        Some(Placed { placing, account: Some(account), on_ct, of_a_file, ct })
    }

    fn share_allowed(&self, checks: &mut Checks) -> f64 {
        let Some(text) = &self.max_activity_outside else { return MAX_SHARE_OUTSIDE };
        let share = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
        let share = share.ok_or_else(|| Invalid::new("is a part from 0 to 1"));
        checks.at("max-activity-outside", share).unwrap_or(MAX_SHARE_OUTSIDE)
    }

    /// From points of the activity to those of the CT.
    fn read_transform(
        &self,
        ct: Option<&VoxelGrid>,
        activity: &VoxelGrid,
        checks: &mut Checks,
    ) -> Option<RigidTransform> {
        let Some(path) = &self.transform else { return Some(RigidTransform::IDENTITY) };
        let file = checks.at("transform", transform::read(path))?;
        let ct = ct.ok_or_else(|| Invalid::new("has no effect without --ct or --density"));
        let transform = checks.at("transform", ct.and_then(|ct| file.between(ct, activity)))?;
        Some(if self.invert_transform { transform.inverse() } else { transform })
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
    if let Some(organs) = maps.organs.as_mut().filter(|organs| stored_otherwise(organs.grid())) {
        let resampler = Resampler::new(organs.grid(), activity, &RigidTransform::IDENTITY);
        if resampler.is_reordering()
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
    amount: Amount,
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
    if let Some(organs) = maps.organs.take() {
        maps.organs = checks.at("labels", placing.organs(&organs, activity.grid()));
    }
    if let Some(map) = maps.materials.take() {
        maps.materials = checks.at("material-map", placing.materials(&map, activity.grid()));
    }
    for map in &mut maps.daughters {
        let moved = map.take().and_then(|map| checks.at("daughter-activity", placing.activity(&map, amount)));
        *map = moved.map(|(map, _)| map);
    }
    let (moved, totals) = checks.at("activity", placing.activity(&activity, amount))?;
    account.activity = Some(totals);
    maps.activity = Some(moved);
    Some(account)
}
