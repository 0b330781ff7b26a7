//! What will be done, from what is in the folder and what the flags say. Nothing is computed before it is complete.

use std::path::PathBuf;

use super::Args;
use super::ct::{PlannedCt, check_any_ct, choose_ct};
use super::labels::{PlannedLabels, choose_labels};
use crate::cli::integrate::maps::{By, voxel_model};
use crate::cli::integrate::options::Asked;
use crate::cli::time_points::{Chosen, Said, TimeLine};
use crate::domain::{Checks, DoseError, Invalid};
use crate::formats::dicom::{self, Inventory, Place};
use crate::formats::volume_file::is_volume_name;

/// How activities become decays.
pub(super) enum Integrated {
    /// By curves, of regions or of voxels; of one time point, by a method that was named.
    ByCurves(By),
    /// With one effective half-life, as `compute` does it.
    ByHalfLife(String),
}

/// What will be done.
pub(super) struct Plan {
    pub(super) folder: PathBuf,
    pub(super) inventory: Inventory,
    pub(super) line: TimeLine,
    pub(super) chosen: Chosen,
    /// Number of the time point that all others are put on.
    pub(super) reference: usize,
    pub(super) ct: PlannedCt,
    pub(super) labels: Option<PlannedLabels>,
    pub(super) asked: Asked,
    pub(super) integrated: Integrated,
}

impl Plan {
    /// # Errors
    /// Everything that the files do not say and may not be assumed, each by the flag that says it.
    pub(super) fn of(args: &Args, chosen: Chosen) -> Result<Self, DoseError> {
        let place = Place::of(&args.folder);
        if place.series.is_some() || !place.path.is_dir() || !place.is_dicom(is_volume_name) {
            let reason = format!("{} is no folder of DICOM files", args.folder.display());
            return Err(DoseError::invalid("folder", reason));
        }
        let inventory = dicom::read_inventory(place, chosen.calibration)
            .map_err(|Invalid(reason)| DoseError::invalid("folder", reason))?;
        let mut checks = Checks::new();
        let said = Said {
            nuclide: args.curve.nuclide.as_deref(),
            injection: args.curve.injection.as_deref(),
            administered_mbq: args.curve.administered_activity,
        };
        let line = TimeLine::of(&inventory, &chosen, &said, &mut checks);
        let mut assumed = Vec::new();
        let labels = choose_labels(args, &inventory, &mut assumed, &mut checks);
        // The flags of curves are checked even where the time points are at fault; the nuclide has its own fault.
        let named = line.as_ref().map(|line| line.nuclide.name.as_str());
        let asked = named.map(|named| args.curve.check([Some(named), None], &mut checks));
        let (Some(mut line), Some(asked)) = (line, asked) else { return Err(unfinished(checks)) };
        line.assumed.append(&mut assumed);
        if !line.is_whole {
            check_any_ct(&inventory, &mut checks);
            return Err(unfinished(checks));
        }
        let reference = reference(args, &line, labels.as_ref(), &inventory, &mut checks);
        let integrated = integrated(args, &line, &asked, &mut checks);
        let Some(reference) = reference else { return Err(unfinished(checks)) };
        line.check_frames(reference, &chosen, &mut checks);
        let ct =
            choose_ct(args, &inventory, &line.points[reference], chosen.is_aligned, &mut line.assumed, &mut checks);
        checks.finish()?;
        let (Some(ct), Some(integrated)) = (ct, integrated) else {
            return Err(DoseError::Internal("a fault was not recorded".into()));
        };
        Ok(Self { folder: args.folder.clone(), inventory, line, chosen, reference, ct, labels, asked, integrated })
    }
}

fn unfinished(checks: Checks) -> DoseError {
    checks.finish().err().unwrap_or_else(|| DoseError::Internal("a fault was not recorded".into()))
}

/// The time point that all others are put on.
fn reference(
    args: &Args,
    line: &TimeLine,
    labels: Option<&PlannedLabels>,
    inventory: &Inventory,
    checks: &mut Checks,
) -> Option<usize> {
    if let Some(uid) = &args.reference_series {
        let found = line.points.iter().position(|point| point.series == *uid);
        if found.is_none() {
            checks.fail("reference-series", format!("{uid} is none of the time points"));
        }
        return found;
    }
    if let Some(frame) = labels.and_then(|labels| labels.frame.as_deref()) {
        let found = line.in_frame(frame);
        if found.is_none() && args.transform.is_none() {
            let words = format!(
                "lie in the frame of reference {frame}, in which there is no time point; give --reference-series and \
                 --transform, or --no-labels"
            );
            checks.fail("labels-series", words);
            return None;
        }
        if found.is_some() {
            return found;
        }
    }
    let has_ct = |frame: &str| inventory.series.iter().any(|entry| ct_frame(entry) == Some(frame));
    let with_ct = line.points.iter().position(|point| point.frame.as_deref().is_some_and(has_ct));
    Some(with_ct.unwrap_or(0))
}

/// The frame of reference of a CT that can be read; none of what is no such CT.
pub(super) fn ct_frame(entry: &dicom::SeriesEntry) -> Option<&str> {
    let is_ct = entry.modality == "CT" && entry.refused.is_none() && entry.quantity == Some(dicom::Quantity::Hu);
    if is_ct { entry.frame_of_reference.as_deref() } else { None }
}

/// How activities become decays; a fault is recorded.
fn integrated(args: &Args, line: &TimeLine, asked: &Asked, checks: &mut Checks) -> Option<Integrated> {
    let is_one = line.points.len() == 1;
    match (&args.effective_half_life, is_one) {
        (Some(half_life), true) => {
            if args.voxelwise {
                checks.fail("voxelwise", "has no effect with --effective-half-life, which holds for every voxel");
            }
            return Some(Integrated::ByHalfLife(half_life.clone()));
        }
        (Some(_), false) => {
            let count = line.points.len();
            let words = format!("is for one time point, and there are {count}: name one with --activity-series");
            checks.fail("effective-half-life", words);
            return None;
        }
        (None, _) => {}
    }
    if is_one && args.curve.single_time_point.is_none() {
        let words = "is needed, or --single-time-point METHOD: there is one time point, and no way from it to decays may \
                     be assumed";
        checks.fail("effective-half-life", words);
        return None;
    }
    if is_one && args.voxelwise {
        checks.fail("voxelwise", "needs several time points");
    }
    if args.voxelwise {
        return voxel_model(asked.curve.model, &args.curve, checks).map(|model| Integrated::ByCurves(By::Voxel(model)));
    }
    Some(Integrated::ByCurves(By::Region { reference_time_h: None }))
}
