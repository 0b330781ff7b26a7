//! The input files as they are, and what the flags say of them. Every file is read even if another is bad, so that one
//! run names every fault.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Args;
use super::belongings::Belongings;
use super::volumes::read_volume;
use crate::domain::{Checks, Extras, Organs, Part, Volume, VoxelGrid, Warning};
use crate::formats::dicom::{ImageAccount, LabelGrid};
use crate::formats::volume_file::Origin;
use crate::intake::GridChoice;
use crate::request::{RawDaughterMap, RawHeader, RawMedium, RawMethod, RawUnit, RawVolume};
use crate::resample::DoseGrid;

/// The volumes as they are in their files, and the names of their regions.
pub(super) struct Files {
    pub(super) activity: Part<Volume<f32>>,
    pub(super) density: Part<Volume<f32>>,
    pub(super) ct: Part<Volume<f32>>,
    pub(super) organs: Part<Organs>,
    pub(super) names: BTreeMap<u16, String>,
    pub(super) materials: Part<Volume<f32>>,
    /// Name and map of each daughter.
    pub(super) daughters: Vec<(Part<String>, Part<Volume<f32>>)>,
    /// What looks wrong in the files but may be intended.
    pub(super) warnings: Vec<Warning>,
    activity_origin: Origin,
    /// Of the CT or density.
    pub(super) ct_origin: Origin,
    /// What DICOM files say of the activity.
    account: Option<Box<ImageAccount>>,
    /// Whose the DICOM files are, and where they lie.
    pub(super) belongings: Belongings,
}

/// Where the volumes of a header are.
pub(super) struct Described {
    pub(super) activity: Part<RawVolume>,
    pub(super) density: Part<RawVolume>,
    pub(super) labels: Part<RawVolume>,
    pub(super) materials: Part<RawVolume>,
    /// Name and map of each daughter.
    pub(super) daughters: Vec<(Part<String>, Part<RawVolume>)>,
}

/// A volume in single precision on the grid of this one.
pub(super) fn described<T>(map: &Part<Volume<T>>) -> Part<RawVolume> {
    map.as_ref().map(|map| RawVolume::from(&**map.grid()))
}

impl Files {
    pub(super) fn read(args: &Args, checks: &mut Checks) -> Self {
        let mut warnings = Vec::new();
        let mut daughters = Vec::new();
        for daughter in args.source.daughter_files(checks) {
            let name = daughter.as_ref().map(|daughter| daughter.nuclide.to_owned());
            let map = daughter.resolve("daughter-activity", checks, |daughter, flag, checks| {
                read_volume(Some(daughter.file), flag, None, checks, &mut warnings).into_good().map(|file| file.volume)
            });
            daughters.push((name, map));
        }
        let (mut activity_origin, mut ct_origin) = (Origin::default(), Origin::default());
        let (mut account, mut of_ct) = (None, None);
        let activity = args.volumes.read_activity(checks, &mut warnings).map(|file| {
            activity_origin = file.header.origin;
            account = file.header.dicom;
            file.volume
        });
        let [density, ct] = args.volumes.read_densities(checks, &mut warnings).map(|part| {
            part.map(|file| {
                ct_origin = file.header.origin;
                of_ct = file.header.dicom;
                file.volume
            })
        });
        // A CT of DICOM says where it lies: contours of the same frame of reference may be drawn on it.
        let images = ct.good().zip(of_ct.as_deref()).map(|(ct, account)| LabelGrid::of(ct.grid(), Some(account)));
        let (organs, names) = args.outputs.read_labels(images.as_ref(), checks, &mut warnings);
        let belongings = Belongings {
            activity: account.as_ref().map(|account| account.belonging()),
            ct: of_ct.as_ref().map(|account| account.belonging()),
            labels: organs.as_ref().and_then(|files| files.dicom.as_ref()).map(LabelGrid::belonging),
        };
        belongings.check(args.grids.has_transform(), checks);
        let organs =
            if args.outputs.labels.is_empty() { Part::Absent } else { Part::given(organs.map(|files| files.organs)) };
        let materials = args.monte_carlo.material_map.as_deref();
        let materials = read_volume(materials, "material-map", None, checks, &mut warnings).map(|file| file.volume);
        Self {
            activity,
            density,
            ct,
            organs,
            names,
            materials,
            daughters,
            warnings,
            activity_origin,
            ct_origin,
            account,
            belongings,
        }
    }

    /// The grid of the activity, and that of the CT or density.
    pub(super) fn grids(&self) -> [Option<Arc<VoxelGrid>>; 2] {
        let of = |map: &Part<Volume<f32>>| map.good().map(|map| map.grid().clone());
        [of(&self.activity), of(&self.density).or_else(|| of(&self.ct))]
    }

    /// Puts labels where their frame of reference says that they lie, if there is a registration.
    ///
    /// * `choice` – of grids; none: it has a fault
    pub(super) fn place_labels(&mut self, choice: Option<&GridChoice>, checks: &mut Checks) {
        let transform = choice.and_then(|choice| choice.transform.as_ref());
        let (Some(transform), [Some(activity), _]) = (transform, self.grids()) else { return };
        let belongings = &self.belongings;
        let placed = |organs, flag: &str, checks: &mut Checks| {
            checks.at(flag, belongings.placed_labels(organs, transform, &activity))
        };
        self.organs = std::mem::take(&mut self.organs).resolve("labels", checks, placed);
    }

    /// The same flags, with what the files say where they say nothing. Claims that disagree are recorded as faults.
    pub(super) fn complete(&self, args: &Args, checks: &mut Checks) -> Args {
        let mut args = args.clone();
        let Some(account) = self.account.as_ref().and_then(|account| account.activity.as_ref()) else { return args };
        args.volumes = args.volumes.completed(account, checks);
        args.source = args.source.completed(account.nuclide.as_deref(), checks);
        if !args.outputs.quiet {
            let nuclide = args.source.nuclide().map_or_else(String::new, |name| format!(" --nuclide {name}"));
            tell!("from the files: {}{nuclide}", args.volumes.unit_words());
        }
        args
    }

    /// How an output on the grid of the dose says where it lies.
    pub(super) fn origin(&self, dose_grid: Option<DoseGrid>) -> Origin {
        match dose_grid {
            Some(DoseGrid::Ct) => self.ct_origin.clone(),
            Some(DoseGrid::Spacing(_)) => self.activity_origin.on_another_grid(),
            Some(DoseGrid::Activity) | None => self.activity_origin.clone(),
        }
    }
}

/// What the flags and files say, as a caller of the service would write it.
///
/// * `uncertainty` – whether transport is to compute the uncertainty of each voxel
pub(super) fn raw_header(args: &Args, volumes: Described, uncertainty: bool, checks: &mut Checks) -> RawHeader {
    let extras = Extras { uncertainty, tally: args.outputs.tally_output.is_some() };
    let has_labels = !args.outputs.labels.is_empty();
    let method = args.method.raw(|checks| args.monte_carlo.raw(has_labels, extras, checks), checks);
    let has_table = match &method {
        Part::Good(RawMethod::MonteCarlo(options)) => matches!(options.medium, Some(RawMedium::Table(_))),
        Part::Good(RawMethod::Local(_) | RawMethod::Kernel(_) | RawMethod::Unknown) | Part::Absent | Part::Faulty => {
            false
        }
    };
    let activity_unit = args.volumes.unit(checks);
    RawHeader {
        activity: volumes.activity,
        density: volumes.density,
        labels: volumes.labels,
        materials: if has_table { volumes.materials } else { Part::Absent },
        source: args.source.raw(checks),
        daughter_maps: daughter_maps(volumes.daughters, &activity_unit, checks),
        activity_unit,
        method,
        weighting: args.weighting.raw(args.outputs.weighted_output.is_some(), checks),
        injected_activity_bq: args.volumes.injected_bq(checks),
        integrated_from: None,
        strict: args.strict,
    }
}

/// * `unit` – of the activity map, and so of every daughter's
fn daughter_maps(
    daughters: Vec<(Part<String>, Part<RawVolume>)>,
    unit: &Part<RawUnit>,
    checks: &mut Checks,
) -> Vec<RawDaughterMap> {
    let activity_unit = match unit {
        Part::Good(RawUnit::AtMoment(_)) if !daughters.is_empty() => {
            let reason =
                "needs a time-integrated unit, such as bq-s or mbq-h: a daughter does not decay with one half-life";
            checks.fail("daughter-activity", reason);
            Part::Faulty
        }
        Part::Good(unit) => Part::Good(*unit),
        // The fault is that of the activity map.
        Part::Absent | Part::Faulty => Part::Faulty,
    };
    let map = |(nuclide, activity)| RawDaughterMap { nuclide, activity, activity_unit: activity_unit.clone() };
    daughters.into_iter().map(map).collect()
}
