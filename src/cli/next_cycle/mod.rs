//! `dosegrid next-cycle`: the activity of the next cycle that stays within the caller's limits.

mod plan;

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::places::check_places;
use super::twins::warn_of_twins;
use super::{print_warnings, stdout};
use crate::clinic::next_cycle::{Bound, NextCycle, Outlook, next_cycle};
use crate::domain::{Checks, DoseError, Warning, words};
use crate::formats::atomic::write_file;
use crate::formats::organ_table::OrganRow;
use crate::formats::{json, organ_table, toml_file};
use crate::report::numbers::significant;
use plan::Plan;

/// Significant digits of an activity.
const DIGITS: usize = 3;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Activities and doses of earlier cycles, and limits, TOML (docs/clinic.md)
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// Organ table of a cycle, from `compute --organs-output`: doses of the organs of the plan that name none. One for
    /// each cycle, in order
    #[arg(long, value_name = "FILE")]
    organs: Vec<PathBuf>,
    /// The answer, JSON; without --json and --csv it is printed
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// One row for each limit, CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

/// The answer.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    next: NextCycle,
    /// What the planned activity would do, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_planned_activity: Option<Planned>,
    warnings: Vec<Warning>,
}

#[derive(Serialize)]
struct Planned {
    activity_gbq: f64,
    within_limits: bool,
    organs: Vec<Outlook>,
}

pub(super) fn run(args: &Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let plan: Option<Plan> = checks.at("plan", toml_file::read(&args.plan));
    let tables: Vec<Vec<OrganRow>> =
        args.organs.iter().filter_map(|path| checks.at("organs", organ_table::read(path))).collect();
    let outputs = [("json", args.json.as_deref()), ("csv", args.csv.as_deref())];
    check_places(args.organs.iter().map(PathBuf::as_path).chain([args.plan.as_path()]), outputs, &mut checks);
    let Some(plan) = plan else { return checks.finish() };
    if !tables.is_empty() && tables.len() != plan.administered_gbq.len() {
        checks.fail("organs", "one table is needed for each cycle of administered_gbq");
    }
    let dose = |cycle: usize, name: &str| {
        let is_it = |row: &&OrganRow| words::same_name(&row.name) == words::same_name(name);
        tables.get(cycle)?.iter().find(is_it).and_then(|row| row.mean_by_mass_gy)
    };
    let organs = plan.organs(dose, &mut checks);
    checks.finish()?;
    let next = next_cycle(&organs)?;
    let at_planned_activity = plan.planned_gbq.map(|activity_gbq| Planned {
        activity_gbq,
        within_limits: activity_gbq <= next.activity_gbq,
        organs: organs.iter().map(|organ| organ.outlook(activity_gbq)).collect(),
    });
    let warnings = plan.warnings();
    warn_of_twins(&args.organs, &tables);
    print_warnings(&warnings);
    let answer = Answer { next, at_planned_activity, warnings };
    let failed = |flag: &str, error: io::Error| DoseError::Io(format!("{flag}: cannot be written: {error}"));
    if let Some(path) = &args.json {
        json::write(path, &answer).map_err(|error| failed("json", error))?;
    }
    if let Some(path) = &args.csv {
        write_csv(path, &answer.next.bounds).map_err(|error| failed("csv", error))?;
    }
    if args.json.is_none() && args.csv.is_none() { stdout::print(&in_words(&answer)) } else { Ok(()) }
}

/// The answer for people.
fn in_words(answer: &Answer) -> String {
    let next = &answer.next;
    let first = &next.bounds[0];
    let gbq = |value: f64| significant(value, DIGITS);
    let mut text = format!("Within every limit: {} GBq\n", gbq(next.activity_gbq));
    let interval = |ends: Option<[Option<f64>; 2]>| match ends {
        None => "not known: no budget was given".to_owned(),
        Some([low, high]) => {
            format!("{} to {} GBq", gbq(low.unwrap_or(0.0)), high.map_or_else(|| "any".to_owned(), gbq))
        }
    };
    let is_partly_known = first.interval_68_gbq.is_some() && first.interval_is_lower_bound;
    let bound = if is_partly_known { ", at least: a part of the budget is not given" } else { "" };
    let decides = format!("{} decides, by {} of {} Gy", first.organ, first.limit.name(), first.limit_gy);
    writeln!(text, "{decides}; 68 %: {}{bound}", interval(first.interval_68_gbq)).expect("a string takes all text");
    if !next.may_also_decide.is_empty() {
        writeln!(text, "Within that interval these may decide too: {}", next.may_also_decide.join(", "))
            .expect("as above");
    }
    writeln!(text, "\n{:<20} {:<18} {:>9} {:>9} {:>9}", "organ", "limit", "Gy", "used Gy", "GBq").expect("as above");
    for Bound { organ, limit, limit_gy, used_gy, activity_gbq, .. } in &next.bounds {
        let figures = [*limit_gy, *used_gy, *activity_gbq].map(gbq);
        let [limit_gy, used, activity] = &figures;
        writeln!(text, "{organ:<20} {:<18} {limit_gy:>9} {used:>9} {activity:>9}", limit.name()).expect("as above");
    }
    if !next.organs_without_limit.is_empty() {
        writeln!(text, "No limit was given for: {}", next.organs_without_limit.join(", ")).expect("as above");
    }
    if let Some(planned) = &answer.at_planned_activity {
        let within = if planned.within_limits { "within the limits" } else { "NOT within the limits" };
        writeln!(text, "{} GBq as planned: {within}", gbq(planned.activity_gbq)).expect("as above");
    }
    writeln!(text, "{}", next.note).expect("as above");
    text
}

fn write_csv(path: &Path, bounds: &[Bound]) -> io::Result<()> {
    write_file(path, |file| {
        let mut table = csv::Writer::from_writer(file);
        table.write_record([
            "organ",
            "limit",
            "limit_gy",
            "used_gy",
            "activity_gbq",
            "low_68_gbq",
            "high_68_gbq",
            "low_95_gbq",
            "high_95_gbq",
            "interval_is_lower_bound",
        ])?;
        for bound in bounds {
            let [low, high] = bound.interval_68_gbq.unwrap_or_default();
            let [lowest, highest] = bound.interval_95_gbq.unwrap_or_default();
            table.serialize((
                &bound.organ,
                bound.limit.name(),
                bound.limit_gy,
                bound.used_gy,
                bound.activity_gbq,
                low,
                high,
                lowest,
                highest,
                bound.interval_is_lower_bound,
            ))?;
        }
        table.flush()
    })
}
