//! Tallies that will be added, and organs on their grid: what a caller says of them, checked before a byte comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::check::{MAX_ORGANS, in_place};
use super::options::{self, Has, resolve_organs};
use super::{InputRole, MAX_DOSE_VOLUME_VALUES, RawOrganVolume};
use crate::domain::tally::groups;
use crate::domain::{
    Checks, DoseError, Invalid, LabelMap, Organ, Organs, Part, RigidTransform, Volume, VolumeHeader, VolumeRole,
    VoxelGrid,
};
use crate::request::{MISSING, RawGrid, RawVolume};
use crate::resample::Resampler;

/// Most tallies of one call.
pub const MAX_TALLIES: usize = 1024;
/// Largest factor by which the compression of a tally can make it smaller.
const MAX_COMPRESSION: u64 = 1040;
/// Most bytes of a sum of energy: 32 bits for each, as many above in lists that grow by doubling, and their tables.
/// What a tally holds is not known before it is read.
const SUM_BYTES: u64 = 12;
/// Bytes per voxel of activity and density, of dose and uncertainty while they are made, and of sums as they are read.
const MAP_BYTES: u64 = 56;
/// A voxel of an organ: as it comes, its index and part, and while they become labels and a table.
const ORGAN_BYTES: u64 = 90;

/// What a caller says, not yet checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawMerging {
    /// The grid of all tallies.
    pub grid: Part<RawGrid>,
    /// How many bytes each tally has.
    pub tallies_bytes: Vec<u64>,
    /// Organs by label.
    pub labels: Part<RawVolume>,
    /// Organs in volumes of their own.
    pub organ_volumes: Vec<RawOrganVolume>,
    /// Names of labels.
    pub label_names: Vec<(u32, String)>,
    /// Points of a dose-volume histogram for each organ.
    pub dose_volume_points: Option<u32>,
    /// Whether the uncertainty of the dose is wanted as a volume.
    pub return_uncertainty: bool,
    /// Whether the sum is wanted as a tally.
    pub return_tally: bool,
}

/// What will come, and what is wanted of it.
#[derive(Clone, Debug)]
pub struct Merging {
    grid: Arc<VoxelGrid>,
    tallies_bytes: Vec<u64>,
    organ_labels: Vec<u16>,
    arrivals: Vec<(InputRole, VolumeHeader)>,
    names: BTreeMap<u16, String>,
    dose_volume_points: Option<usize>,
    /// Whether the uncertainty of the dose is wanted as a volume.
    pub return_uncertainty: bool,
    /// Whether the sum is wanted as a tally.
    pub return_tally: bool,
}

impl RawMerging {
    /// # Errors
    /// [`DoseError::Invalid`] with every fault, by its path on the wire.
    pub fn check(self) -> Result<Merging, DoseError> {
        let mut checks = Checks::new();
        if !self.grid.is_given() {
            checks.fail("grid", MISSING);
        }
        let grid = self.grid.resolve("grid", &mut checks, |grid, field, checks| {
            RawGrid::resolve(Some(grid), field, checks).map(Arc::new)
        });
        check_sizes(&self.tallies_bytes, grid.good().map(|grid| &**grid), &mut checks);
        let labels = self.labels.resolve("labels", &mut checks, RawVolume::resolve);
        let (organ_labels, organs) = resolve_organs(self.organ_volumes, &mut checks);
        let has = Has { density: true, organs: labels.is_given() || !organs.is_empty() };
        let names = options::names(self.label_names, &has, &mut checks);
        let dose_volume_points = options::points(self.dose_volume_points, &has, &mut checks);
        let organs = organs.into_iter().enumerate();
        let organs = organs.filter_map(|(number, part)| Some((InputRole::Organ(number), part.into_good()?)));
        let labels = labels.into_good().map(|volume| (VolumeRole::Labels.into(), volume));
        let arrivals: Vec<(InputRole, VolumeHeader)> = labels.into_iter().chain(organs).collect();
        if let Some(grid) = grid.good() {
            for (role, volume) in arrivals.iter().filter(|(_, volume)| in_place(grid, &volume.grid).is_none()) {
                let [own, shape] = [volume.grid.shape(), grid.shape()];
                let reason = format!("is not that of the tallies; its shape is {own:?}, theirs {shape:?}");
                checks.fail(format!("{}.grid", role.field()), reason);
            }
        }
        checks.finish()?;
        Ok(Merging {
            grid: grid.into_good().expect("without a fault it is there"),
            tallies_bytes: self.tallies_bytes,
            organ_labels,
            arrivals,
            names,
            dose_volume_points,
            return_uncertainty: self.return_uncertainty,
            return_tally: self.return_tally,
        })
    }
}

/// Records tallies that cannot hold what the grid says.
fn check_sizes(tallies_bytes: &[u64], grid: Option<&VoxelGrid>, checks: &mut Checks) {
    if tallies_bytes.is_empty() || tallies_bytes.len() > MAX_TALLIES {
        let reason = format!("are {}; from 1 to {MAX_TALLIES} are merged", tallies_bytes.len());
        checks.fail("tallies", reason);
    }
    let Some(grid) = grid else { return };
    let least = sums(grid) / MAX_COMPRESSION;
    for (number, size) in tallies_bytes.iter().enumerate().filter(|(_, size)| **size <= least) {
        let reason = format!("is {size}; a tally of {} voxels has more than {least} bytes", grid.voxels());
        checks.fail(format!("tallies[{number}].size_bytes"), reason);
    }
}

/// Sums of energy of a tally: one for each voxel and statistical group.
fn sums(grid: &VoxelGrid) -> u64 {
    u64::from(groups(grid.voxels())).saturating_mul(grid.voxels() as u64)
}

impl Merging {
    /// The grid of all tallies.
    pub fn grid(&self) -> &Arc<VoxelGrid> {
        &self.grid
    }

    /// How many bytes each tally has.
    pub fn tallies_bytes(&self) -> &[u64] {
        &self.tallies_bytes
    }

    /// The volumes that the caller will send, as it will.
    pub fn arrivals(&self) -> &[(InputRole, VolumeHeader)] {
        &self.arrivals
    }

    /// Labels of the organs with volumes of their own, in the order of the volumes.
    pub fn organ_labels(&self) -> &[u16] {
        &self.organ_labels
    }

    /// Names of labels.
    pub fn names(&self) -> &BTreeMap<u16, String> {
        &self.names
    }

    /// Points of a dose-volume histogram for each organ.
    pub fn dose_volume_points(&self) -> Option<usize> {
        self.dose_volume_points
    }

    /// Most host memory that it takes [bytes]: the sum and the tally that is added to it, the bytes of that one, the
    /// dose, and organs.
    pub fn host_bytes(&self) -> u64 {
        let voxels = self.grid.voxels() as u64;
        let tally = SUM_BYTES.saturating_mul(sums(&self.grid));
        let arriving = self.tallies_bytes.iter().copied().max().unwrap_or(0);
        // The text in a tally's header takes more once it is understood, and the sum is compressed to be sent.
        let kept = (2 + u64::from(self.return_tally)).saturating_mul(tally).saturating_add(4 * arriving);
        let organs = ORGAN_BYTES.saturating_mul(voxels).saturating_mul(self.arrivals.len() as u64);
        kept.saturating_add(MAP_BYTES * voxels).saturating_add(organs)
    }

    /// The organs, in the order of the tallies' voxels; none if none were announced.
    ///
    /// * `volumes` – all that were announced, in the order of [`Merging::arrivals`]; or why one is not there
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every volume that is not there or has bad values.
    pub fn organs(
        &self,
        volumes: impl IntoIterator<Item = (InputRole, Result<Volume<f32>, Invalid>)>,
    ) -> Result<Option<Organs>, DoseError> {
        let (mut checks, mut all) = (Checks::new(), Vec::new());
        for (role, volume) in volumes {
            let found = volume.and_then(|map| match role {
                InputRole::Organ(number) => {
                    let organ = Organ::of_shares(self.organ_labels[number], None, &map)?;
                    Organs::new(map.grid().clone(), vec![organ])
                }
                InputRole::OfRequest(_)
                | InputRole::Ct
                | InputRole::Source
                | InputRole::Scan(_)
                | InputRole::Dose(_) => Organs::of_map(&LabelMap::new(&map)?),
            });
            let found = checks.at(role.field(), found.and_then(|organs| organs_in_order(&organs, &self.grid)));
            all.extend(found.iter().flat_map(|organs| organs.organs().to_vec()));
        }
        check_numbers(all.len(), self.dose_volume_points.unwrap_or(0), &mut checks);
        let organs = checks.at("organ_volumes", Organs::new(self.grid.clone(), all));
        checks.finish()?;
        Ok(organs.filter(|_| !self.arrivals.is_empty()))
    }
}

/// Records more organs, or more points of histograms, than are sent.
///
/// * `points` – for each organ
pub(super) fn check_numbers(organs: usize, points: usize, checks: &mut Checks) {
    if organs > MAX_ORGANS {
        checks.fail("labels", format!("hold {organs} organs, at most {MAX_ORGANS} are taken"));
    }
    let values = organs * points;
    if values > MAX_DOSE_VOLUME_VALUES {
        let reason = format!(
            "make {values} values for {organs} organs, at most {MAX_DOSE_VOLUME_VALUES} are sent; ask for fewer points"
        );
        checks.fail("dose_volume_points", reason);
    }
}

/// The organs in the order of a grid's voxels.
///
/// # Errors
/// If they lie elsewhere.
pub fn organs_in_order(organs: &Organs, grid: &Arc<VoxelGrid>) -> Result<Organs, Invalid> {
    let resampler = Resampler::new(organs.grid(), grid, &RigidTransform::IDENTITY);
    if resampler.is_reordering() {
        return resampler.organs(organs);
    }
    grid.check_same(organs.grid())?;
    Organs::new(grid.clone(), organs.organs().to_vec())
}
