//! The request, once all volumes are there.

use std::sync::Arc;

use super::merging::check_numbers;
use super::{AIR_HU, InputRole, Intake, Maps, Placed, density_of_ct_watched, without_nan};
use crate::domain::{
    Checks, Control, DensityMap, DoseError, DoseRequest, Invalid, LabelMap, LabelMaps, Organ, Organs, Repair,
    RequestVolumes, Stage, TimeIntegratedActivity, Volume, VolumeRole, VoxelGrid, Warning, repair_activity, warning,
};
use crate::resample::{PlacingAccount, Space};

/// A request, and what its volumes say beside it.
#[derive(Clone, Debug)]
pub struct Assembled {
    /// The request.
    pub request: DoseRequest,
    /// The organs, on the grid of the dose; they may overlap.
    pub organs: Option<Organs>,
    /// What was done.
    pub account: IntakeAccount,
    /// Where the dose lies.
    placed: Placed,
}

/// How the volumes were understood, and what was done to them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IntakeAccount {
    /// Where the density came from: `density`, `ct, Schneider 2000`, `ct, own calibration` or `none`.
    pub density: String,
    /// What was done to values of the activity map and of each daughter's, in their order. Sums are decays [Bq·s].
    pub repairs: Vec<Repair>,
    /// Voxels of NaN in density or CT that were filled.
    pub density_nan_voxels: usize,
    /// What resampling did; none if nothing was resampled.
    pub placing: Option<PlacingAccount>,
    /// The activity before and after it, as decays [Bq·s].
    pub placed_decays: Option<[f64; 2]>,
    /// What looks wrong in the volumes but may be meant.
    pub warnings: Vec<Warning>,
}

impl Assembled {
    /// Checks that nothing is implausible, if the caller takes warnings for errors.
    ///
    /// # Errors
    /// [`DoseError::Implausible`] with every warning that is known before any work.
    pub fn check_if_strict(&self) -> Result<(), DoseError> {
        if !self.request.header().strict() {
            return Ok(());
        }
        let mut known = self.account.warnings.clone();
        Warning::add(&mut known, Warning::of_request(&self.request));
        Warning::check(&known, true)
    }

    /// The dose on the grid of the CT or density, 0 outside that of the dose.
    ///
    /// # Errors
    /// If there is neither, or the dose is on another grid.
    pub fn dose_on_ct(&self, dose: &Volume<f32>) -> Result<Volume<f32>, Invalid> {
        let ct: &Arc<VoxelGrid> =
            self.placed.ct.as_ref().ok_or_else(|| Invalid::new("there is no CT and no density"))?;
        self.placed.placing.dose_on(dose, ct, Space::Ct)
    }
}

/// Volumes and what was done to them, while the request is made.
#[derive(Default)]
struct Work {
    maps: Maps,
    account: IntakeAccount,
    checks: Checks,
    /// Organs of their own volumes.
    single: Vec<Organs>,
}

impl Intake {
    /// The request. This takes as long as reading and resampling the volumes.
    ///
    /// * `volumes` – all that were announced, in the order of [`Intake::arrivals`]; or why one is not there
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every volume that is not there or has bad values; [`DoseError::Cancelled`].
    pub fn assemble(
        &self,
        volumes: impl IntoIterator<Item = (InputRole, Result<Volume<f32>, Invalid>)>,
        control: &Control,
    ) -> Result<Assembled, DoseError> {
        let mut work = Work::default();
        work.account.density = self.density_source().to_owned();
        for (role, volume) in volumes {
            self.take(&mut work, role, volume, control)?;
        }
        let Work { mut maps, mut account, mut checks, single } = work;
        maps.organs.extend(single);
        let density = self.density_field();
        // On grids of their own, maps need one another: a fault of one would be told as that of another.
        let can_place = checks.is_empty() || !self.choice.resamples();
        let amount = |map| self.unit(map).amount();
        let placed = can_place.then(|| self.choice.place_until(&mut maps, amount, density, &mut checks, control));
        let placed = placed.flatten();
        // What resampling gave up half-way is of no use.
        going_on(control)?;
        account.warnings.extend(placed.iter().flat_map(|placed| placed.warnings.clone()));
        if let Some(moved) = placed.as_ref().and_then(|placed| placed.account.clone()) {
            account.placed_decays = moved.decays(self.unit(0));
            account.placing = Some(moved);
        }
        let organs = self.organs(maps.organs.split_off(0), &mut checks);
        let volumes = self.volumes(maps, organs.as_ref(), &mut checks);
        checks.finish()?;
        let whole = "without a fault all is there";
        let request = DoseRequest::of(&self.header, volumes.expect(whole))?;
        Ok(Assembled { request, organs, account, placed: placed.expect(whole) })
    }

    /// Where the density comes from, in words.
    fn density_source(&self) -> &'static str {
        match (self.density_field(), &self.curve) {
            ("ct", Some(_)) => "ct, own calibration",
            ("ct", None) => "ct, Schneider 2000",
            _ if self.ct_grid().is_some() => "density",
            _ => "none",
        }
    }

    /// Checks a volume by what it is.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    fn take(
        &self,
        work: &mut Work,
        role: InputRole,
        volume: Result<Volume<f32>, Invalid>,
        control: &Control,
    ) -> Result<(), DoseError> {
        going_on(control)?;
        let field = role.field();
        let Work { maps, account, checks, single } = work;
        match role {
            InputRole::OfRequest(VolumeRole::Activity) => {
                maps.activity = self.activity(volume, &field, 0, account, checks);
            }
            InputRole::OfRequest(VolumeRole::DaughterActivity(number)) => {
                maps.daughters.push(self.activity(volume, &field, number + 1, account, checks));
            }
            InputRole::OfRequest(VolumeRole::Density) => {
                let filled = volume.and_then(|map| without_nan(map, self.nan, 0.0));
                maps.density = checks.at(&field, filled).and_then(|(map, count, warning)| {
                    account.density_nan_voxels = count;
                    account.tell_of(&field, warning);
                    checks.at(&field, DensityMap::new(map))
                });
            }
            InputRole::Ct => {
                let filled = volume.and_then(|map| without_nan(map, self.nan, AIR_HU));
                if let Some((ct, count, warning)) = checks.at(&field, filled) {
                    account.density_nan_voxels = count;
                    account.tell_of("ct", warning);
                    let made = density_of_ct_watched(&ct, self.curve.as_ref(), &control.at_stage(Stage::Tables))?;
                    maps.density = checks.at(&field, made).map(|made| {
                        account.warnings.extend(made.warnings);
                        made.density
                    });
                }
            }
            InputRole::OfRequest(VolumeRole::Labels) => {
                let organs = volume.and_then(|map| Organs::of_map(&LabelMap::new(&map)?));
                maps.organs.extend(checks.at(&field, organs));
            }
            InputRole::Organ(number) => {
                let organ = volume.and_then(|map| {
                    let organ = Organ::of_shares(self.organ_labels[number], None, &map)?;
                    Organs::new(map.grid().clone(), vec![organ])
                });
                single.extend(checks.at(&field, organ));
            }
            InputRole::OfRequest(VolumeRole::Materials) => maps.materials = checks.at(&field, volume),
            InputRole::Source | InputRole::Scan(_) | InputRole::Dose(_) => {
                checks.fail(&field, "is no volume of a dose");
            }
        }
        Ok(())
    }

    /// An activity map with its values repaired as asked.
    ///
    /// * `map` – 0 for the first, 1 for that of the first daughter
    fn activity(
        &self,
        volume: Result<Volume<f32>, Invalid>,
        field: &str,
        map: usize,
        account: &mut IntakeAccount,
        checks: &mut Checks,
    ) -> Option<Volume<f32>> {
        let repaired = volume.and_then(|volume| repair_activity(volume, self.nan, self.negative));
        let (volume, repair) = checks.at(field, repaired)?;
        let per_unit = self.unit(map).to_bq_s(volume.grid().voxel_volume_cm3()).unwrap_or(1.0);
        account.tell_of(field, repair.words(per_unit));
        account.repairs.push(Repair {
            negative_sum: repair.negative_sum * per_unit,
            total_before: repair.total_before * per_unit,
            total_after: repair.total_after * per_unit,
            ..repair
        });
        Some(volume)
    }

    /// What the numbers of a map mean; 0 is the first map, 1 that of the first daughter.
    fn unit(&self, map: usize) -> crate::domain::ActivityUnit {
        let daughter = map.checked_sub(1).map(|number| self.header.daughters()[number].activity_unit);
        daughter.unwrap_or(self.header.activity_unit())
    }

    /// All organs together, on the grid of the dose.
    fn organs(&self, all: Vec<Organs>, checks: &mut Checks) -> Option<Organs> {
        if !self.has_organs() || all.is_empty() {
            return None;
        }
        let organs: Vec<Organ> = all.iter().flat_map(|organs| organs.organs().to_vec()).collect();
        check_numbers(organs.len(), self.dose_volume_points().unwrap_or(0), checks);
        let field = if self.organ_labels.is_empty() { "labels" } else { "organ_volumes" };
        checks.at(field, Organs::new(self.placing.grid().clone(), organs))
    }

    /// The volumes of the request, every value checked; none if there was a fault.
    fn volumes(&self, maps: Maps, organs: Option<&Organs>, checks: &mut Checks) -> Option<RequestVolumes> {
        let mut activity = |map: Option<Volume<f32>>, number: usize| {
            let field = match number.checked_sub(1) {
                None => VolumeRole::Activity.field(),
                Some(daughter) => VolumeRole::DaughterActivity(daughter).field(),
            };
            checks.at(field, TimeIntegratedActivity::new(map?, self.unit(number)))
        };
        let first = activity(maps.activity, 0);
        let daughters: Vec<_> =
            maps.daughters.into_iter().enumerate().filter_map(|(number, map)| activity(map, number + 1)).collect();
        let materials = maps.materials.and_then(|map| checks.at("materials", LabelMap::new(&map)));
        // Transport has one region a voxel.
        let regions = organs.filter(|_| self.header.labels().is_some()).map(Organs::label_map);
        Some(RequestVolumes {
            activity: first?,
            density: maps.density,
            labels: LabelMaps { regions, materials },
            daughters,
        })
    }
}

/// # Errors
/// [`DoseError::Cancelled`] if nobody waits any more.
fn going_on(control: &Control) -> Result<(), DoseError> {
    if control.is_cancelled() { Err(DoseError::Cancelled) } else { Ok(()) }
}

impl IntakeAccount {
    fn tell_of(&mut self, field: &str, words: Option<String>) {
        self.warnings.extend(words.map(|words| Warning::new(warning::VALUES_REPLACED, field, words)));
    }
}
