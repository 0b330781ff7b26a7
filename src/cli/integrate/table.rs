//! Integrals of a table.

use std::path::Path;

use super::options::Asked;
use super::outputs::{Report, Row};
use super::removed::as_json;
use super::{Args, finished};
use crate::api::status::in_words_of_flags;
use crate::cli::remote::Remote;
use crate::domain::{Checks, Control, DoseError, Violation};
use crate::formats::curve_table::{self, RegionPoints};
use crate::intake::curves::{CurvesPlan, MeasuredRegion, RegionFound};

/// Integrates every region of a table, here or on a server.
///
/// # Errors
/// Every bad flag; then every bad line and region.
pub(super) fn integrate_table(args: &Args, path: &Path, remote: Option<&Remote>) -> Result<Report, DoseError> {
    let mut checks = Checks::new();
    let asked = args.curve.check([None, None], &mut checks);
    if args.curve.activity_sigma.is_some() {
        checks.fail("activity-sigma", "is for maps: a table has a column sigma");
    }
    let regions = checks.at("table", curve_table::read(path));
    let removals = args.removal.check(args.curve.infusion.unwrap_or(0.0), remote.is_some(), &mut checks);
    checks.finish()?;
    let (Some(nuclide), Some(regions)) = (asked.nuclide, regions) else {
        return Err(DoseError::Internal("a fault was not recorded".into()));
    };
    let plan = CurvesPlan {
        nuclide,
        draft: args.curve.draft(nuclide.half_life_s, asked.refers_to),
        options: asked.curve,
        regions: regions.iter().map(|region| measured(region, &asked)).collect(),
    };
    let in_words = |error: DoseError| error.with_faults(|fault| in_words(fault, &regions));
    let found = match remote {
        None => plan.integrate_removed(&removals, &Control::detached()),
        // Checked here too: what is wrong with a table is known before anything is sent.
        Some(remote) => plan.series().and_then(|_| remote.call(async |client| client.integrate_curves(&plan).await)),
    };
    let found = found.map_err(in_words)?;
    let mut report = Report::new(nuclide, &args.curve);
    if !removals.is_empty() {
        report.say("taken_away", as_json(&removals));
    }
    for ((region, series), found) in regions.iter().zip(plan.series().map_err(in_words)?).zip(found) {
        report.rows.push(match found {
            RegionFound::Curve(integration) => Row::of_series(&region.name, &series, *integration, &removals),
            RegionFound::OnePoint(found) => Row::of_one(&region.name, &series, &found),
        });
    }
    report.look_over(nuclide);
    finished(Checks::new(), report)
}

fn measured(region: &RegionPoints, asked: &Asked) -> MeasuredRegion {
    let of_one = if region.points.len() == 1 { asked.kinetics(&region.name) } else { None };
    MeasuredRegion { name: region.name.clone(), points: region.points.clone(), of_one }
}

/// A fault in the words of the table: region, line and column in place of their numbers.
fn in_words(Violation { field, reason }: Violation, regions: &[RegionPoints]) -> Violation {
    let reason = in_words_of_flags(&reason);
    match of_table(&field, regions) {
        Some(place) => Violation { field: "table".to_owned(), reason: format!("{place}: {reason}") },
        None => Violation { field: flag(&field), reason },
    }
}

/// The place of a path such as `regions[0].points[2].sigma_mbq`.
fn of_table(field: &str, regions: &[RegionPoints]) -> Option<String> {
    let (number, rest) = field.strip_prefix("regions[")?.split_once(']')?;
    let region = regions.get(number.parse::<usize>().ok()?)?;
    let name = &region.name;
    let point = rest.strip_prefix(".points[").and_then(|rest| rest.split_once("]."));
    let line = point.and_then(|(number, column)| Some((region.lines.get(number.parse::<usize>().ok()?)?, column)));
    Some(match (line, rest.strip_prefix('.')) {
        (Some((line, column)), _) => format!("{name}: line {line}, {column}"),
        (None, Some(rest)) => format!("{name}: {rest}"),
        (None, None) => name.clone(),
    })
}

/// The flag of a field.
fn flag(field: &str) -> String {
    match field {
        "administered_activity_mbq" => "administered-activity".to_owned(),
        "infusion_h" => "infusion".to_owned(),
        "value_refers_to" => "value-refers-to".to_owned(),
        "regions" => "table".to_owned(),
        other => other.to_owned(),
    }
}
