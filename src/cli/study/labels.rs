//! The organs of a study.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::Args;
use crate::cli::time_points::series_path;
use crate::domain::{Checks, words};
use crate::formats::dicom::{Inventory, SeriesEntry};

/// Most names that are listed.
const MAX_LISTED: usize = 12;

/// The series that the organs come from.
pub(super) struct PlannedLabels {
    pub(super) series: String,
    pub(super) modality: String,
    /// As every command takes it.
    pub(super) path: PathBuf,
    /// UID of the coordinates of the images that they were drawn on.
    pub(super) frame: Option<String>,
    pub(super) names: Vec<String>,
}

/// The organs that are meant; none where there are none, or with a fault, which is recorded.
pub(super) fn choose_labels(
    args: &Args,
    inventory: &Inventory,
    assumed: &mut Vec<String>,
    checks: &mut Checks,
) -> Option<PlannedLabels> {
    let all: Vec<&SeriesEntry> =
        inventory.series.iter().filter(|entry| matches!(entry.modality.as_str(), "SEG" | "RTSTRUCT")).collect();
    if args.no_labels {
        return None;
    }
    let entry = meant(args, &all, assumed, checks)?;
    if let Some(reason) = &entry.refused {
        checks.fail("labels-series", format!("{} {reason}; or --no-labels", entry.series_uid));
        return None;
    }
    Some(planned(args, inventory, entry))
}

/// The series that is meant; none where there is none, or with a fault, which is recorded.
fn meant<'a>(
    args: &Args,
    all: &[&'a SeriesEntry],
    assumed: &mut Vec<String>,
    checks: &mut Checks,
) -> Option<&'a SeriesEntry> {
    if let Some(uid) = &args.labels_series {
        let found = all.iter().copied().find(|entry| entry.series_uid == *uid);
        if found.is_none() {
            checks.fail("labels-series", format!("the folder holds no segmentation or structure set {uid}"));
        }
        return found;
    }
    match all {
        [] => {
            assumed.push("no organs: the folder holds no segmentation and no structure set".into());
            None
        }
        [one] => Some(*one),
        several => match same_organs(several) {
            Some(entry) => {
                let others: Vec<&str> = several
                    .iter()
                    .filter(|other| other.series_uid != entry.series_uid)
                    .map(|other| other.series_uid.as_str())
                    .collect();
                assumed.push(format!(
                    "the organs are those of the segmentation {}; {} names the same ones on the same images",
                    entry.series_uid,
                    others.join(", ")
                ));
                Some(entry)
            }
            None => {
                let list: Vec<String> = several.iter().map(|entry| listed(entry)).collect();
                let words = format!("is needed (or --no-labels): several may be meant: {}", list.join("; "));
                checks.fail("labels-series", words);
                None
            }
        },
    }
}

/// The segmentation among series that all name the same organs on the same images; none if they do not.
fn same_organs<'a>(several: &[&'a SeriesEntry]) -> Option<&'a SeriesEntry> {
    let of = |entry: &SeriesEntry| {
        (entry.goes_with.clone(), entry.names.iter().map(|name| words::same_name(name)).collect::<BTreeSet<String>>())
    };
    let first = of(several.first()?);
    let mut segmentations = several.iter().filter(|entry| entry.modality == "SEG");
    let segmentation = segmentations.next().filter(|_| segmentations.next().is_none())?;
    (first.0.is_some() && several.iter().all(|entry| of(entry) == first)).then_some(*segmentation)
}

fn planned(args: &Args, inventory: &Inventory, entry: &SeriesEntry) -> PlannedLabels {
    let images = entry.goes_with.as_ref().and_then(|uid| inventory.series.iter().find(|one| one.series_uid == *uid));
    PlannedLabels {
        series: entry.series_uid.clone(),
        modality: entry.modality.clone(),
        path: series_path(&args.folder, &entry.series_uid),
        frame: images.and_then(|images| images.frame_of_reference.clone()).or_else(|| entry.frame_of_reference.clone()),
        names: entry.names.clone(),
    }
}

fn listed(entry: &SeriesEntry) -> String {
    let names: Vec<&str> = entry.names.iter().take(MAX_LISTED).map(String::as_str).collect();
    format!("{} ({}: {})", entry.series_uid, entry.modality, names.join(", "))
}
