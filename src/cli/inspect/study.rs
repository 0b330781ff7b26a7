//! A folder of DICOM files, series by series.

use std::fmt::Write;

use serde::Serialize;

use crate::formats::dicom::{Inventory, SeriesEntry};
use crate::report::numbers::significant;

/// Significant digits of a figure.
const DIGITS: usize = 6;

/// What is there.
#[derive(Serialize)]
pub(super) struct Study {
    pub(super) folder: String,
    #[serde(flatten)]
    pub(super) inventory: Inventory,
}

/// The study for a reader.
pub(super) fn text(Study { folder, inventory }: &Study) -> String {
    let mut text = format!("{folder}\n");
    for series in &inventory.series {
        text += &series_text(series);
    }
    let mut line = |words: String| writeln!(text, "  {words}").expect("a string takes all text");
    if let Some(injection) = &inventory.injection {
        let time = injection.time.as_deref().unwrap_or("time not given");
        let activity = injection.mbq.map_or_else(|| "activity not given".to_owned(), |mbq| format!("{mbq} MBq"));
        line(format!("injection   {time}, {activity}"));
    }
    line(format!("patients    {}, time points {}", inventory.patients, inventory.time_points));
    if inventory.other_files > 0 {
        line(format!("            {} files are not DICOM", inventory.other_files));
    }
    inventory.problems.iter().for_each(|problem| line(format!("problem     {problem}")));
    text
}

fn series_text(series: &SeriesEntry) -> String {
    let mut text = String::new();
    let mut line = |name: &str, words: &str| writeln!(text, "  {name:<10}  {words}").expect("a string takes all text");
    let shape = series.shape.map_or_else(String::new, |[nx, ny, nz]| format!(", {nx} × {ny} × {nz}"));
    let quantity = series.quantity.map_or("", |quantity| quantity.words());
    let files = if series.files == 1 { "1 file".to_owned() } else { format!("{} files", series.files) };
    line(&series.modality, &format!("{}  {files}{shape} {quantity}", series.series_uid));
    if let Some(frame) = &series.frame_of_reference {
        line("", &format!("frame of reference {frame}"));
    }
    if let Some(activity) = &series.activity {
        let time = series.reference_time.as_deref().unwrap_or("time not given");
        let event = activity.reference_event.as_deref().unwrap_or_default();
        let after = series
            .hours_after_injection
            .map_or_else(String::new, |hours| format!(", {} h after injection", significant(hours, DIGITS)));
        line("", &format!("{} MBq at {time} ({event}){after}", significant(activity.total_mbq, DIGITS)));
        line("", &format!("scale: {}", activity.scale));
    }
    if !series.names.is_empty() {
        line("", &format!("labels: {}", series.names.join(", ")));
    }
    if let Some(other) = &series.goes_with {
        line("", &format!("goes with {other}"));
    }
    if let Some(other) = &series.same_acquisition_as {
        line("", &format!("another reconstruction of {other}: one time point"));
    }
    series.refused.iter().for_each(|reason| line("refused", reason));
    series.warnings.iter().for_each(|warning| line("warning", warning));
    text
}
