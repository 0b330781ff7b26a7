//! Flags of grids, and what may be done to values that are no activity. Every map is put on the grid of the dose.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::flags::recorded;
use crate::cli::serve::memory::check_resampling;
use crate::domain::{Amount, Checks, Invalid, NanRule, NegativeRule, RigidTransform, VoxelGrid};
use crate::formats::transform;
use crate::intake::{GridChoice, Maps, Placed};
use crate::resample::{DoseGrid, MAX_SHARE_OUTSIDE, Resampler};

#[derive(Clone, Debug, clap::Args)]
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

impl GridArgs {
    /// What to do with values that are no activity.
    pub(super) fn rules(&self, checks: &mut Checks) -> (NanRule, NegativeRule) {
        let nan = checks.at("nan", NanRule::parse(&self.nan));
        let negative = checks.at("negative", NegativeRule::parse(&self.negative));
        (nan.unwrap_or_default(), negative.unwrap_or_default())
    }

    /// Whether a registration is given.
    pub(super) fn has_transform(&self) -> bool {
        self.transform.is_some()
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
        let ct = maps.density.as_ref().map(|map| map.g_cm3().grid().clone());
        let choice = self.choice(maps.activity.as_ref().map(|map| &**map.grid()), ct.as_deref(), checks)?;
        checks.at("dose-grid", fits_in_memory(&choice, maps, ct.as_ref()))?;
        let mut faults = Checks::new();
        let placed = choice.place(maps, |_| amount, "density", &mut faults);
        recorded(faults.finish(), density, checks);
        placed
    }

    /// The grid of the dose, if one is chosen.
    pub(super) fn dose_grid(&self) -> Option<DoseGrid> {
        self.dose_grid.as_deref().and_then(|word| DoseGrid::parse(word).ok())
    }

    /// The words of [`GridArgs::rules`].
    pub(super) fn rule_words(&self) -> (String, String) {
        (self.nan.clone(), self.negative.clone())
    }

    /// What these flags choose; none if a fault was recorded.
    ///
    /// * `activity`, `ct` – grids of the maps that there are
    pub(super) fn choice(
        &self,
        activity: Option<&VoxelGrid>,
        ct: Option<&VoxelGrid>,
        checks: &mut Checks,
    ) -> Option<GridChoice> {
        let dose_grid = self.dose_grid.as_deref().map(|word| checks.at("dose-grid", DoseGrid::parse(word)));
        let max_activity_outside = self.share_allowed(checks);
        if self.invert_transform && self.transform.is_none() {
            checks.fail("invert-transform", "has no effect without --transform");
        }
        let transform = match (&self.transform, activity) {
            (None, _) => None,
            (Some(_), None) => return None,
            (Some(path), Some(activity)) => Some(self.read_transform(path, ct, activity, checks)?),
        };
        let dose_grid = match dose_grid {
            Some(choice) => Some(choice?),
            None => None,
        };
        Some(GridChoice { dose_grid, transform, max_activity_outside })
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
        path: &Path,
        ct: Option<&VoxelGrid>,
        activity: &VoxelGrid,
        checks: &mut Checks,
    ) -> Option<RigidTransform> {
        let file = checks.at("transform", transform::read(path))?;
        let ct = ct.ok_or_else(|| Invalid::new("has no effect without --ct or --density"));
        let transform = checks.at("transform", ct.and_then(|ct| file.between(ct, activity)))?;
        Some(if self.invert_transform { transform.inverse() } else { transform })
    }
}

/// # Errors
/// If resampling onto the grid of the dose takes more memory than this process can have.
fn fits_in_memory(choice: &GridChoice, maps: &Maps, ct: Option<&Arc<VoxelGrid>>) -> Result<(), Invalid> {
    let Some(activity) = maps.activity.as_ref().filter(|_| choice.resamples()) else { return Ok(()) };
    // What is wrong with the choice itself is told when maps are placed.
    let Some(target) = choice.placing(activity.grid(), ct.map(|grid| &**grid), &mut Checks::new()) else {
        return Ok(());
    };
    let sources = std::iter::once(activity.grid()).chain(ct);
    let needed = sources.map(|source| Resampler::new(source, target.grid(), &RigidTransform::IDENTITY).host_bytes(2));
    check_resampling(needed.max().unwrap_or(0)).map_err(|error| Invalid::new(error.to_string()))
}
