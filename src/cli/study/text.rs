//! The plan for a reader.

use std::fmt::Write as _;

use super::Args;
use super::plan::{Integrated, Plan};
use super::steps;
use crate::cli::integrate::maps::By;
use crate::report::numbers::significant;

/// Significant digits of a figure.
const DIGITS: usize = 6;

/// Which series is what, which time, which pairs, and what will be computed and written.
///
/// * `told` – what reading the files has told, beyond their headers
pub(super) fn plan(args: &Args, plan: &Plan, told: &[String]) -> String {
    let mut text = String::new();
    let mut line = |name: &str, words: &str| writeln!(text, "{name:<11}{words}").expect("a string takes all text");
    let Plan { inventory, line: times, .. } = plan;
    line("study", &format!("{} series of {} patient", inventory.series.len(), inventory.patients));
    let injected = times
        .administered_mbq
        .map_or_else(|| "activity not known".to_owned(), |mbq| format!("{} MBq", significant(mbq, DIGITS)));
    line("injection", &format!("{}, {injected} of {}", times.injection, times.nuclide.name));
    for (number, point) in times.points.iter().enumerate() {
        let after = significant(point.hours, DIGITS);
        let total = significant(point.total_mbq, DIGITS);
        line("activity", &format!("{after} h: {total} MBq at {}, series {}", point.time, point.series));
        let registration = plan.chosen.registrations.get(&point.series);
        match (number == plan.reference, registration) {
            (true, _) => line("", "reference: all else is put on its grid, with its total kept"),
            (false, Some((file, _))) => line("", &format!("put on the reference by {}", file.display())),
            (false, None) => {}
        }
    }
    let ct = inventory.series.iter().find(|entry| entry.series_uid == plan.ct.series);
    let slices = ct.and_then(|ct| ct.slices).map_or_else(String::new, |slices| format!(", {slices} slices"));
    line("CT", &format!("series {}{slices}", plan.ct.series));
    if let Some(labels) = &plan.labels {
        line("organs", &format!("{} of the {} {}", labels.names.join(", "), labels.modality, labels.series));
    }
    line("decays", &by(&plan.integrated, args, times.points.len()));
    for words in &times.assumed {
        line("assumed", words);
    }
    for words in ct.iter().flat_map(|ct| &ct.warnings).chain(told) {
        line("told", words);
    }
    for command in steps::commands(args, plan) {
        line("runs", &format!("dosegrid {}", command.join(" ")));
    }
    let files: Vec<&str> = steps::files(plan, args).iter().map(|(_, name)| *name).collect();
    line("writes", &files.join(", "));
    text
}

fn by(integrated: &Integrated, args: &Args, points: usize) -> String {
    let model = args.curve.model.as_deref().unwrap_or("auto");
    match integrated {
        Integrated::ByHalfLife(half_life) => {
            format!("from one time point, with an effective half-life of {half_life} for every voxel")
        }
        Integrated::ByCurves(By::Voxel(_)) => format!("by the curve of every voxel, {points} time points"),
        Integrated::ByCurves(By::Region { .. }) if points == 1 => {
            format!("from one time point by region, {}", args.curve.single_time_point.as_deref().unwrap_or_default())
        }
        Integrated::ByCurves(By::Region { .. }) => {
            format!("by the curve of each region ({model}), {points} time points, shared out to its voxels")
        }
    }
}
