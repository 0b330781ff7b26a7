//! A BED as a caller on the wire asks for it: by region, or from dose maps that will come.

use std::sync::Arc;

use super::{BedMaps, BedOfMaps, BedPlan, BedRegion, BedRegions, BedVolumes, MAX_REGIONS};
use crate::domain::method::DEFAULT_MINIMUM_DENSITY_G_CM3;
use crate::domain::{
    Checks, DensityMap, DoseError, Invalid, LabelMap, Organ, Organs, Part, Violation, Volume, VolumeHeader, VolumeRole,
    VoxelGrid, Warning,
};
use crate::intake::options::resolve_organs;
use crate::intake::{InputRole, RawOrganVolume};
use crate::math::watch::Watch;
use crate::request::{MISSING, RawVolume};

/// Bytes of a value of a map, as it comes and as it is kept.
const VALUE_BYTES: u64 = 4;
/// Bytes of a voxel while its BED is computed: labels, shares, masses, sums; and of each of its cycles.
const VOXEL_BYTES: u64 = 180;
const CYCLE_BYTES: u64 = 24;
/// Bytes of a voxel of an organ: its index and share.
const SHARE_BYTES: u64 = 8;

/// What a caller says, not yet checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawBed {
    /// Regions, tissue, kinetics; without maps doses too.
    pub plan: BedPlan,
    /// Dose map of each cycle [Gy], in order.
    pub doses: Vec<Part<RawVolume>>,
    /// Regions by label.
    pub labels: Part<RawVolume>,
    /// Regions in volumes of their own.
    pub organ_volumes: Vec<RawOrganVolume>,
    /// Density [g/cm³].
    pub density: Part<RawVolume>,
    /// Voxels of a lower density have no dose [g/cm³].
    pub minimum_density_g_cm3: Option<f64>,
    /// Which maps are wanted.
    pub volumes: BedVolumes,
}

/// What will be done, and what volumes will come.
#[derive(Clone, Debug)]
pub struct BedWork {
    plan: BedPlan,
    regions: BedRegions,
    arrivals: Vec<(InputRole, VolumeHeader)>,
    organ_labels: Vec<u16>,
    grid: Option<Arc<VoxelGrid>>,
    minimum_density_g_cm3: f64,
    volumes: BedVolumes,
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum BedAnswer {
    /// Of the doses of the plan.
    Regions(Vec<BedRegion>),
    /// Of dose maps.
    Maps(Box<BedOfMaps>),
}

impl RawBed {
    /// # Errors
    /// [`DoseError::Invalid`] with every fault, by its path on the wire.
    pub fn check(self) -> Result<BedWork, DoseError> {
        let mut checks = Checks::new();
        let has_maps = !self.doses.is_empty();
        if !has_maps {
            for (field, is_given) in [
                ("labels", self.labels.is_given()),
                ("organ_volumes", !self.organ_volumes.is_empty()),
                ("density", self.density.is_given()),
                ("minimum_density_g_cm3", self.minimum_density_g_cm3.is_some()),
                ("return_bed", self.volumes.bed),
                ("return_eqd2", self.volumes.eqd2),
            ] {
                if is_given {
                    checks.fail(field, "has no effect without dose maps");
                }
            }
        } else if !self.labels.is_given() && self.organ_volumes.is_empty() {
            checks.fail("labels", "are needed with dose maps: every region has its own tissue and kinetics");
        }
        let mut of_plan = Checks::new();
        let regions = self.plan.check(has_maps.then_some(self.doses.len()), &mut of_plan);
        for fault in of_plan.into_violations() {
            let Violation { field, reason } = on_the_wire(fault, self.plan.names());
            checks.fail(field, reason);
        }
        if has_maps {
            let regions = self.plan.region.iter().take(MAX_REGIONS).enumerate();
            for (at, _) in regions.filter(|(_, region)| region.label.is_none()) {
                checks.fail(format!("regions[{at}].label"), MISSING);
            }
        }
        let (arrivals, organ_labels) = arrivals(self.doses, self.labels, self.organ_volumes, self.density, &mut checks);
        let grid = arrivals.first().map(|(_, volume)| Arc::new(volume.grid.clone()));
        for (role, volume) in arrivals.iter().skip(1) {
            if let Some(Err(Invalid(reason))) = grid.as_ref().map(|grid| grid.check_same(&volume.grid)) {
                checks.fail(format!("{}.grid", role.field()), format!("is not that of the first map: {reason}"));
            }
        }
        let minimum_density_g_cm3 = self.minimum_density_g_cm3.unwrap_or(DEFAULT_MINIMUM_DENSITY_G_CM3);
        if !(minimum_density_g_cm3 >= 0.0 && minimum_density_g_cm3.is_finite()) {
            checks.fail("minimum_density_g_cm3", "must be 0 or more and finite");
        }
        checks.finish()?;
        let regions = regions.ok_or_else(|| DoseError::Internal("a fault was not recorded".into()))?;
        let (plan, volumes) = (self.plan, self.volumes);
        Ok(BedWork { plan, regions, arrivals, organ_labels, grid, minimum_density_g_cm3, volumes })
    }
}

/// The volumes that will come, and the labels of the organs with volumes of their own. Faults are recorded.
fn arrivals(
    doses: Vec<Part<RawVolume>>,
    labels: Part<RawVolume>,
    organ_volumes: Vec<RawOrganVolume>,
    density: Part<RawVolume>,
    checks: &mut Checks,
) -> (Vec<(InputRole, VolumeHeader)>, Vec<u16>) {
    let mut arrivals = Vec::new();
    for (number, dose) in doses.into_iter().enumerate().take(super::MAX_CYCLES) {
        let role = InputRole::Dose(number);
        if !dose.is_given() {
            checks.fail(role.field(), MISSING);
        }
        arrivals.extend(dose.resolve(&role.field(), checks, RawVolume::resolve).into_good().map(|one| (role, one)));
    }
    for (part, role) in [(labels, VolumeRole::Labels), (density, VolumeRole::Density)] {
        let volume = part.resolve(&role.field(), checks, RawVolume::resolve);
        arrivals.extend(volume.into_good().map(|volume| (InputRole::from(role), volume)));
    }
    let (organ_labels, organs) = resolve_organs(organ_volumes, checks);
    let organs = organs.into_iter().enumerate();
    arrivals.extend(organs.filter_map(|(number, part)| Some((InputRole::Organ(number), part.into_good()?))));
    (arrivals, organ_labels)
}

/// A fault of a plan by its path on the wire: `regions[0].cycles[1].dose_gy` for `region.kidneys.cycle[1].dose_gy`.
///
/// * `names` – of the regions
pub fn on_the_wire<'a>(fault: Violation, names: impl Iterator<Item = &'a str>) -> Violation {
    let Violation { field, reason } = fault;
    Violation { field: path_on_the_wire(field, names), reason }
}

/// The path on the wire of a field of a plan.
fn path_on_the_wire<'a>(field: String, names: impl Iterator<Item = &'a str>) -> String {
    let Some(rest) = field.strip_prefix("region") else { return field };
    let of = |(at, name): (usize, &'a str)| {
        let own = rest.strip_prefix('.')?.strip_prefix(name)?;
        (own.is_empty() || own.starts_with('.')).then_some((name.len(), at, own))
    };
    // Of two names of which one begins the other, the longer is meant.
    let found = names.enumerate().filter_map(of).max_by_key(|(length, ..)| *length);
    let field = |(_, at, own): (usize, usize, &str)| format!("regions[{at}]{}", own.replacen(".cycle", ".cycles", 1));
    found.map_or_else(|| format!("regions{rest}"), field)
}

/// Warnings of a plan with the paths of their fields on the wire.
///
/// * `names` – of the regions, in order
pub fn warnings_on_the_wire<'a>(warnings: Vec<Warning>, names: impl Iterator<Item = &'a str> + Clone) -> Vec<Warning> {
    let of = |warning: Warning| Warning { field: path_on_the_wire(warning.field, names.clone()), ..warning };
    warnings.into_iter().map(of).collect()
}

impl BedWork {
    /// The volumes that the caller will send, as it will.
    pub fn arrivals(&self) -> &[(InputRole, VolumeHeader)] {
        &self.arrivals
    }

    /// What is implausible of what was asked for, by the paths of its fields on the wire.
    pub fn warnings(&self) -> Vec<Warning> {
        warnings_on_the_wire(self.plan.warnings(), self.plan.names())
    }

    /// What was asked for, as it was written.
    pub fn plan(&self) -> &BedPlan {
        &self.plan
    }

    /// Labels of the organs with volumes of their own, in the order of the volumes.
    pub fn organ_labels(&self) -> &[u16] {
        &self.organ_labels
    }

    /// The grid of all maps, if there are any.
    pub fn grid(&self) -> Option<&Arc<VoxelGrid>> {
        self.grid.as_ref()
    }

    /// Voxels of a lower density have no dose [g/cm³].
    pub fn minimum_density_g_cm3(&self) -> f64 {
        self.minimum_density_g_cm3
    }

    /// Which maps are wanted.
    pub fn volumes(&self) -> BedVolumes {
        self.volumes
    }

    /// Most host memory that it takes with its volumes [bytes].
    pub fn host_bytes(&self) -> u64 {
        let voxels = self.grid.as_ref().map_or(0, |grid| grid.voxels() as u64);
        // A voxel may belong to several organs.
        let layers = 1 + self.organ_labels.len() as u64;
        let maps = 2 * VALUE_BYTES * self.arrivals.len() as u64 + 2 * VALUE_BYTES;
        let cycles = self.arrivals.iter().filter(|(role, _)| matches!(role, InputRole::Dose(_))).count() as u64;
        voxels.saturating_mul(maps + VOXEL_BYTES + CYCLE_BYTES * cycles + SHARE_BYTES * layers)
    }

    /// Computes it.
    ///
    /// * `volumes` – all that were announced; or why one is not there
    /// * `watch` – is told what part of the voxels is done, and may stop it
    ///
    /// # Errors
    /// Every volume that is not there or has bad values; regions without a voxel that has a dose.
    pub fn run(
        &self,
        volumes: impl IntoIterator<Item = (InputRole, Result<Volume<f32>, Invalid>)>,
        watch: &dyn Watch,
    ) -> Result<BedAnswer, DoseError> {
        let Some(grid) = &self.grid else { return Ok(BedAnswer::Regions(self.regions.results())) };
        let mut checks = Checks::new();
        let (mut doses, mut organs, mut density) = (Vec::new(), Vec::new(), None);
        for (role, volume) in volumes {
            let field = role.field();
            let Some(volume) = checks.at(&field, volume) else { continue };
            match role {
                InputRole::Dose(_) => {
                    checks.at(&field, BedMaps::check_dose(&volume));
                    doses.push(volume);
                }
                InputRole::OfRequest(VolumeRole::Density) => density = checks.at(&field, DensityMap::new(volume)),
                InputRole::Organ(number) => {
                    organs.extend(checks.at(&field, Organ::of_shares(self.organ_labels[number], None, &volume)));
                }
                InputRole::OfRequest(_) | InputRole::Ct | InputRole::Source | InputRole::Scan(_) => {
                    let found = LabelMap::new(&volume).and_then(|map| Organs::of_map(&map));
                    organs.extend(checks.at(&field, found).iter().flat_map(|organs| organs.organs().to_vec()));
                }
            }
        }
        let organs = checks.at("organ_volumes", Organs::new(grid.clone(), organs));
        checks.finish()?;
        let organs = organs.ok_or_else(|| DoseError::Internal("a fault was not recorded".into()))?;
        let maps = BedMaps::new(doses, organs, density, self.minimum_density_g_cm3);
        let on_wire = |error: DoseError| error.with_faults(|fault| on_the_wire(fault, self.plan.names()));
        let found = self.regions.of_maps(&maps, self.volumes, watch).map_err(on_wire)?;
        Ok(BedAnswer::Maps(Box::new(found)))
    }
}
