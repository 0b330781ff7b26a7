//! Integrals of a table.

use std::path::Path;

use super::outputs::{Report, Row};
use super::{Args, finished};
use crate::clinic::single_time_point::{Measurement, integrate_one};
use crate::clinic::{Series, integrate};
use crate::domain::{Checks, DoseError};
use crate::formats::curve_table::{self, RegionPoints};

use super::options::Asked;

/// Integrates every region of a table.
///
/// # Errors
/// Every bad flag; then every bad line and region.
pub(super) fn integrate_table(args: &Args, path: &Path) -> Result<Report, DoseError> {
    let mut checks = Checks::new();
    let asked = args.curve.check([None, None], &mut checks);
    if args.curve.activity_sigma.is_some() {
        checks.fail("activity-sigma", "is for maps: a table has a column sigma");
    }
    let regions = checks.at("table", curve_table::read(path));
    checks.finish()?;
    let (Some(nuclide), Some(regions)) = (asked.nuclide, regions) else {
        return Err(DoseError::Internal("a fault was not recorded".into()));
    };
    let mut checks = Checks::new();
    let mut report = Report::new(nuclide, &args.curve);
    for region in &regions {
        match one(args, &asked, nuclide.half_life_s, region) {
            Ok(row) => report.rows.push(row),
            Err(DoseError::Invalid(faults)) => {
                for fault in faults {
                    let (field, reason) = (by_line(&fault.field, region), fault.reason);
                    checks.fail("table", format!("{}: {field}: {reason}", region.name));
                }
            }
            Err(other) => return Err(other),
        }
    }
    report.look_for_corrected_values();
    finished(checks, report)
}

fn one(args: &Args, asked: &Asked, half_life_s: f64, region: &RegionPoints) -> Result<Row, DoseError> {
    let mut draft = args.curve.draft(half_life_s, asked.refers_to);
    draft.points.clone_from(&region.points);
    let series = Series::new(&draft)?;
    let of_one = if series.points().len() == 1 { asked.kinetics(&region.name) } else { None };
    let Some(kinetics) = of_one else {
        return Ok(Row::of_series(&region.name, &series, integrate(&series, &asked.curve)?));
    };
    let point = series.points()[0];
    let measured = Measurement {
        time_h: point.time_h,
        activity_mbq: point.activity_mbq,
        activity_relative_sigma: point.sigma_mbq.map(|sigma| sigma / point.activity_mbq),
    };
    let found = integrate_one(&measured, &kinetics)?;
    Ok(Row::of_one(&region.name, &series, &found))
}

/// The line of a point in place of its number.
fn by_line(field: &str, region: &RegionPoints) -> String {
    let of_point = field.strip_prefix("point_").and_then(|rest| rest.split_once('.'));
    let line = of_point.and_then(|(number, name)| Some((region.lines.get(number.parse::<usize>().ok()? - 1)?, name)));
    line.map_or_else(|| field.to_owned(), |(line, name)| format!("line {line}, {name}"))
}
