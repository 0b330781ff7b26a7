//! Activity maps over time: what a caller says of them, checked before a voxel comes, and their integrals.

mod check;

use std::sync::Arc;

use super::InputRole;
use super::curves::RawKinetics;
use crate::clinic::plausible::{OfRegion, of_regions, of_voxels};
use crate::clinic::shared::RegionIntegral;
use crate::clinic::single_time_point::{Kinetics, SinglePointIntegral};
use crate::clinic::voxels::KindCount;
use crate::clinic::{
    Flag, Frames, OneMapRegion, SeriesDraft, SharingOptions, VoxelOptions, VoxelRegion, integrate_voxels_watched,
    regions_of, share_out, share_out_one,
};
use crate::domain::{
    Checks, DoseError, Invalid, LabelMap, MomentUnit, Organs, Part, Volume, VolumeHeader, VoxelGrid, Warning,
};
use crate::math::watch::Watch;
use crate::physics::nuclide;
use crate::request::RawVolume;

/// Field of the relative σ of an activity.
const ACTIVITY_SIGMA: &str = "activity_relative_sigma";
/// Fields of what values refer to, and of the administered activity.
pub(super) const OF_ALL: [&str; 2] = ["value_refers_to", "administered_activity_mbq"];
/// Most scans of a series.
pub const MAX_SCANS: usize = 16;
/// Bytes of a voxel while it is integrated: its integral, σ, kind, region, and the maps that leave.
const VOXEL_BYTES: u64 = 37;
/// Bytes of a voxel of a map.
const VALUE_BYTES: u64 = 4;
/// Bq in a MBq, and Bq·s in a MBq·h.
const BQ_PER_MBQ: f64 = 1e6;
const BQ_S_PER_MBQ_H: f64 = 3.6e9;

/// What a caller says, not yet checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawIntegration {
    /// The scans.
    pub scans: Vec<RawScan>,
    /// Name of a [`MomentUnit`].
    pub unit: Option<String>,
    /// The nuclide.
    pub nuclide: Option<String>,
    /// Name of a [`ValueRefersTo`].
    pub value_refers_to: Option<String>,
    /// [MBq].
    pub administered_activity_mbq: Option<f64>,
    /// [h].
    pub infusion_h: f64,
    /// Name of a [`ModelChoice`].
    pub model: Option<String>,
    /// Name of a [`Weighting`].
    pub weighting: Option<String>,
    /// A curve for every voxel.
    pub is_voxelwise: bool,
    /// [h].
    pub reference_time_h: Option<f64>,
    /// Regions.
    pub labels: Part<RawVolume>,
    /// Name of a [`BeforeFirst`].
    pub before_first: Option<String>,
    /// Name of a [`Between`].
    pub between: Option<String>,
    /// Of an activity.
    pub activity_relative_sigma: Option<f64>,
    /// Which maps are wanted beside the integrals.
    pub volumes: IntegralVolumes,
    /// What is known of the curve of each label; of one scan.
    pub one_scan: Vec<(u32, RawKinetics)>,
}

/// Which maps are wanted beside the integrals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntegralVolumes {
    /// Their standard deviation.
    pub sigma: bool,
    /// How each voxel was integrated.
    pub kinds: bool,
}

/// A map and its time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawScan {
    /// The map.
    pub volume: Part<RawVolume>,
    /// [h].
    pub time_h: Option<f64>,
    /// [h].
    pub duration_h: Option<f64>,
}

/// How the maps are integrated.
#[derive(Clone, Debug)]
enum By {
    Region(SharingOptions),
    Voxel(VoxelOptions),
    /// One scan, and what is known of the curve of each label.
    One(Vec<(u32, Kinetics)>),
}

/// The integral of a region from one scan.
#[derive(Clone, Debug, PartialEq)]
pub struct OneScanRegion {
    /// Its name.
    pub name: String,
    /// How many voxels it has.
    pub voxels: usize,
    /// Voxels below 0, which count as 0.
    pub negative_voxels: usize,
    /// Start of the scan [h].
    pub time_h: f64,
    /// Mean activity over the scan [MBq].
    pub activity_mbq: f64,
    /// Its integral.
    pub found: SinglePointIntegral,
}

impl From<OneMapRegion> for OneScanRegion {
    fn from(OneMapRegion { name, voxels, series, mut found, negative_voxels }: OneMapRegion) -> Self {
        let point = series.points()[0];
        found.warnings.splice(0..0, series.warnings().iter().cloned());
        Self { name, voxels, negative_voxels, time_h: point.time_h, activity_mbq: point.activity_mbq, found }
    }
}

/// What will be done, and what volumes will come.
#[derive(Clone, Debug)]
pub struct MapIntegration {
    arrivals: Vec<(InputRole, VolumeHeader)>,
    grid: Arc<VoxelGrid>,
    unit: MomentUnit,
    nuclide: &'static str,
    /// The times of several scans.
    frames: Option<Frames>,
    draft: SeriesDraft,
    by: By,
    volumes: IntegralVolumes,
    raw: RawIntegration,
}

/// What was made of the maps.
#[derive(Clone, Debug)]
pub struct IntegratedMaps {
    /// Time-integrated activity [Bq·s a voxel].
    pub tia_bq_s: Volume<f32>,
    /// One standard deviation of that [Bq·s a voxel], if it was wanted and exists.
    pub sigma_bq_s: Option<Volume<f32>>,
    /// Numbers of the [kinds](crate::clinic::VoxelKind) of voxels, if they were wanted.
    pub kinds: Option<Volume<u8>>,
    /// The curve of each region, and its label; 0 where it has none.
    pub regions: Vec<(u16, RegionIntegral)>,
    /// The integral of each region of one scan, and its label.
    pub regions_of_one_scan: Vec<(u16, OneScanRegion)>,
    /// How voxels were integrated.
    pub voxel_kinds: Vec<KindCount>,
    /// Sum over the map [MBq·h].
    pub tia_mbq_h: f64,
    /// What is implausible of all regions, or of all voxels; what is of one region stands there. A server says here
    /// what it says of a region, too.
    pub warnings: Vec<Warning>,
}

impl MapIntegration {
    /// The volumes that the caller will send, as it will.
    pub fn arrivals(&self) -> &[(InputRole, VolumeHeader)] {
        &self.arrivals
    }

    /// What was asked for, as it was written, without its labels.
    pub fn raw(&self) -> &RawIntegration {
        &self.raw
    }

    /// The grid of all maps.
    pub fn grid(&self) -> &Arc<VoxelGrid> {
        &self.grid
    }

    /// Name of the nuclide.
    pub fn nuclide(&self) -> &'static str {
        self.nuclide
    }

    /// Most host memory that it takes with its volumes [bytes].
    pub fn host_bytes(&self) -> u64 {
        let maps = self.arrivals.len() as u64 * VALUE_BYTES;
        self.grid.voxels() as u64 * (2 * maps + VOXEL_BYTES)
    }

    /// Integrates the maps.
    ///
    /// * `volumes` – all that were announced; or why one is not there
    /// * `watch` – is told the progress of voxels, and may stop them
    ///
    /// # Errors
    /// Every volume that is not there or has bad values; regions that cannot be integrated.
    pub fn run(
        &self,
        volumes: impl IntoIterator<Item = (InputRole, Result<Volume<f32>, Invalid>)>,
        watch: &dyn Watch,
    ) -> Result<IntegratedMaps, DoseError> {
        let mut checks = Checks::new();
        let (mut maps, mut labels) = (Vec::new(), None);
        let factor = self.unit.to_bq(self.grid.voxel_volume_cm3()) / BQ_PER_MBQ;
        #[expect(clippy::cast_possible_truncation, reason = "maps have single precision")]
        let in_mbq = |map: Volume<f32>| map.map(|value| (f64::from(*value) * factor) as f32);
        for (role, volume) in volumes {
            let volume = checks.at(role.field(), volume);
            match role {
                InputRole::Scan(_) => maps.extend(volume.map(in_mbq)),
                InputRole::OfRequest(_)
                | InputRole::Ct
                | InputRole::Organ(_)
                | InputRole::Source
                | InputRole::Dose(_) => {
                    let organs = volume.map(|map| LabelMap::new(&map).and_then(|map| Organs::of_map(&map)));
                    labels = organs.and_then(|organs| checks.at(role.field(), organs));
                }
            }
        }
        checks.finish()?;
        let slices: Vec<&[f32]> = maps.iter().map(Volume::as_slice).collect();
        match &self.by {
            By::Voxel(options) => {
                let found = integrate_voxels_watched(self.frames()?, &slices, options, watch)?;
                let kinds: Vec<u8> = found.kinds.iter().map(|kind| kind.number()).collect();
                let kinds = self.volumes.kinds.then_some(kinds);
                let kinds = kinds.map(|kinds| Volume::from_vec(self.grid.clone(), kinds)).transpose().map_err(lost)?;
                let made = self.made(&found.tia_mbq_h, found.tia_sigma_mbq_h.as_deref())?;
                let warnings = of_voxels(self.frames()?, self.raw.activity_relative_sigma, ACTIVITY_SIGMA);
                Ok(IntegratedMaps { kinds, voxel_kinds: found.counts(), warnings, ..made })
            }
            By::Region(options) => {
                let regions = self.regions(labels.as_ref())?;
                let found = share_out(self.frames()?, &slices, &regions, options)?;
                let label = |name: &str| label_of(name, labels.as_ref());
                let of_region = |region: &RegionIntegral| {
                    let is_at_physical_limit = region.integration.flags.contains(&Flag::RateAtPhysicalLimit);
                    self.of_region(&region.name, region.integration.tia_mbq_h, is_at_physical_limit)
                };
                let warnings = self.of_regions(found.regions.iter().map(of_region))?;
                let regions = found.regions.into_iter().map(|region| (label(&region.name), region)).collect();
                Ok(IntegratedMaps {
                    regions,
                    warnings,
                    ..self.made(&found.tia_mbq_h, found.tia_sigma_mbq_h.as_deref())?
                })
            }
            By::One(known) => {
                let regions = self.regions(labels.as_ref())?;
                let map = *slices.first().ok_or_else(|| DoseError::Internal("a scan was not missed".into()))?;
                let label = |name: &str| label_of(name, labels.as_ref());
                let of_label = |wanted: u32| known.iter().find(|(label, _)| *label == wanted).map(|(_, known)| known);
                let kinetics = |name: &str| of_label(label(name).into()).or_else(|| of_label(0)).cloned();
                let found = share_out_one(&self.draft, map, &regions, self.raw.activity_relative_sigma, kinetics)?;
                let of_region = |region: &OneMapRegion| self.of_region(&region.name, region.found.tia_mbq_h, false);
                let warnings = self.of_regions(found.regions.iter().map(of_region))?;
                let regions = found.regions.into_iter().map(|region| (label(&region.name), region.into())).collect();
                let made = self.made(&found.tia_mbq_h, found.tia_sigma_mbq_h.as_deref())?;
                Ok(IntegratedMaps { regions_of_one_scan: regions, warnings, ..made })
            }
        }
    }

    fn frames(&self) -> Result<&Frames, DoseError> {
        self.frames.as_ref().ok_or_else(|| DoseError::Internal("several scans have no times".into()))
    }

    fn regions(&self, labels: Option<&Organs>) -> Result<Vec<VoxelRegion>, DoseError> {
        match labels {
            Some(labels) => regions_of(labels),
            None => Ok(vec![VoxelRegion { name: "all".into(), voxels: (0_u32..).take(self.grid.voxels()).collect() }]),
        }
    }

    /// * `tia_mbq_h`, `sigma_mbq_h` – by voxel [MBq·h]
    fn made(&self, tia_mbq_h: &[f64], sigma_mbq_h: Option<&[f64]>) -> Result<IntegratedMaps, DoseError> {
        #[expect(clippy::cast_possible_truncation, reason = "maps have single precision")]
        let map = |mbq_h: &[f64]| {
            let values = mbq_h.iter().map(|mbq_h| (mbq_h * BQ_S_PER_MBQ_H) as f32).collect();
            Volume::from_vec(self.grid.clone(), values).map_err(lost)
        };
        Ok(IntegratedMaps {
            tia_bq_s: map(tia_mbq_h)?,
            sigma_bq_s: sigma_mbq_h.filter(|_| self.volumes.sigma).map(map).transpose()?,
            kinds: None,
            regions: Vec::new(),
            regions_of_one_scan: Vec::new(),
            voxel_kinds: Vec::new(),
            tia_mbq_h: tia_mbq_h.iter().sum(),
            warnings: Vec::new(),
        })
    }

    /// * `tia_mbq_h` – its integral [MBq·h]
    fn of_region(&self, name: &str, tia_mbq_h: f64, is_at_physical_limit: bool) -> OfRegion {
        let coefficient_h = self.raw.administered_activity_mbq.map(|mbq| tia_mbq_h / mbq);
        OfRegion { name: name.to_owned(), coefficient_h, is_at_physical_limit }
    }

    /// What is implausible of all regions.
    fn of_regions(&self, regions: impl Iterator<Item = OfRegion>) -> Result<Vec<Warning>, DoseError> {
        let nuclide = nuclide::find(self.nuclide).map_err(|Invalid(reason)| DoseError::Internal(reason))?;
        Ok(of_regions(&regions.collect::<Vec<_>>(), nuclide, OF_ALL))
    }
}

/// The label of a region; 0 of what has none.
fn label_of(name: &str, labels: Option<&Organs>) -> u16 {
    let mut own = labels.into_iter().flat_map(Organs::organs).map(|organ| organ.label);
    own.find(|label| name == format!("label_{label}")).unwrap_or(0)
}

fn lost(Invalid(reason): Invalid) -> DoseError {
    DoseError::Internal(format!("a map lost its grid: {reason}"))
}
