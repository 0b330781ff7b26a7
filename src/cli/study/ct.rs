//! The CT of a study.

use std::path::PathBuf;

use super::Args;
use super::plan::ct_frame;
use crate::cli::time_points::{TimePoint, series_path};
use crate::domain::Checks;
use crate::formats::dicom::Inventory;

/// The CT that gives the density.
pub(super) struct PlannedCt {
    pub(super) series: String,
    /// As every command takes it.
    pub(super) path: PathBuf,
    /// UID of its coordinates.
    pub(super) frame: Option<String>,
}

/// The CT of the time point that counts; a fault is recorded.
pub(super) fn choose_ct(
    args: &Args,
    inventory: &Inventory,
    reference: &TimePoint,
    is_aligned: bool,
    assumed: &mut Vec<String>,
    checks: &mut Checks,
) -> Option<PlannedCt> {
    let cts: Vec<(&str, &str)> =
        inventory.series.iter().filter_map(|entry| Some((entry.series_uid.as_str(), ct_frame(entry)?))).collect();
    let planned = |series: &str| {
        let frame = cts.iter().find(|(uid, _)| *uid == series).map(|(_, frame)| (*frame).to_owned());
        Some(PlannedCt { series: series.into(), path: series_path(&args.folder, series), frame })
    };
    let list = |cts: &[(&str, &str)]| cts.iter().map(|(uid, _)| *uid).collect::<Vec<_>>().join(", ");
    if let Some(uid) = &args.ct_series {
        let Some((_, frame)) = cts.iter().find(|(series, _)| series == uid) else {
            let refused = inventory.series.iter().find(|entry| entry.series_uid == *uid);
            let why = refused.and_then(|entry| entry.refused.as_deref()).unwrap_or("is no CT of the folder");
            checks.fail("ct-series", format!("{uid} {why}"));
            return None;
        };
        let is_alike = reference.frame.as_deref() == Some(*frame);
        if !is_alike && args.transform.is_none() {
            if is_aligned {
                assumed.push(format!("the CT {uid} lies on {}, as --aligned says", reference.series));
            } else {
                let words = format!(
                    "is needed: the CT {uid} lies in another frame of reference than the activity {}; or --aligned if \
                     they lie on each other",
                    reference.series
                );
                checks.fail("transform", words);
            }
        }
        return planned(uid);
    }
    if args.transform.is_some() {
        checks.fail("ct-series", "is needed with --transform: the CT that it leads to");
        return None;
    }
    let same: Vec<(&str, &str)> =
        cts.iter().copied().filter(|(_, frame)| reference.frame.as_deref() == Some(*frame)).collect();
    match (same.as_slice(), cts.as_slice()) {
        ([(one, _)], _) => planned(one),
        ([], []) => {
            check_any_ct(inventory, checks);
            None
        }
        ([], others) => {
            let words = format!(
                "is needed, with --transform FILE: no CT lies in the frame of reference of the activity {}; there are: {}",
                reference.series,
                list(others)
            );
            checks.fail("ct-series", words);
            None
        }
        (several, _) => {
            checks.fail("ct-series", format!("is needed: several CTs may be meant: {}", list(several)));
            None
        }
    }
}

/// Records that no CT can be read, where that is so.
pub(super) fn check_any_ct(inventory: &Inventory, checks: &mut Checks) {
    if inventory.series.iter().any(|entry| ct_frame(entry).is_some()) {
        return;
    }
    let of_ct = inventory.series.iter().filter(|entry| entry.modality == "CT");
    let why = of_ct.filter_map(|entry| Some(format!("{} {}", entry.series_uid, entry.refused.as_deref()?)));
    let why = why.collect::<Vec<_>>().join("; ");
    let why = if why.is_empty() { why } else { format!(": {why}") };
    let words = format!("is needed: the folder holds no CT that can be read, and a dose needs the densities{why}");
    checks.fail("ct-series", words);
}
