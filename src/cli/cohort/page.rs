//! The page of a cohort.

use std::collections::BTreeSet;

use super::Cohort;
use super::collect::{Collected, Row};
use crate::domain::DoseError;
use crate::report::cohort_page::{CohortPage, Spread, Value};
use crate::report::page;

/// A quantity that is compared: its name, and its value of a row.
type Quantity = (&'static str, fn(&Row) -> Option<f64>);

/// Dose for each GBq; where the activity is not known, the dose; and the coefficient.
const QUANTITIES: [Quantity; 3] = [
    ("mean absorbed dose per administered activity [Gy/GBq]", |row| row.mean_by_mass_gy_per_injected_gbq),
    ("mean absorbed dose [Gy]", |row| match row.mean_by_mass_gy_per_injected_gbq {
        Some(_) => None,
        None => row.mean_by_mass_gy,
    }),
    ("time-integrated activity coefficient [h]", |row| row.time_integrated_activity_coefficient_h),
];

/// The page as HTML.
///
/// # Errors
/// If it cannot be written as text.
pub(super) fn text(cohort: &Cohort, collected: &Collected) -> Result<String, DoseError> {
    let rows = &collected.rows;
    let groups: BTreeSet<(&str, &str)> = rows.iter().map(|row| (row.organ.as_str(), row.nuclide.as_str())).collect();
    let mut spreads = Vec::new();
    for (organ, nuclide) in groups {
        for (quantity, of) in QUANTITIES {
            let own = rows.iter().filter(|row| row.organ == organ && row.nuclide == nuclide);
            let value = |row: &Row| {
                let centre = if row.centre.is_empty() { "(no centre)" } else { &row.centre };
                Some(Value { centre: centre.to_owned(), study: row.study.clone(), value: of(row)? })
            };
            spreads.extend(Spread::of(organ, nuclide, quantity, own.filter_map(value).collect()));
        }
    }
    let failed = collected.studies.iter().filter(|study| study.state == "failed");
    let patients: BTreeSet<&str> = collected.studies.iter().map(|study| study.patient.as_str()).collect();
    let centres: BTreeSet<&str> = collected.studies.iter().map(|study| study.centre.as_str()).collect();
    let left = cohort.lines.len() - collected.done() - collected.failed();
    let facts = vec![
        (
            "studies",
            format!("{}: {} done, {} failed, {left} left", cohort.lines.len(), collected.done(), collected.failed()),
        ),
        ("patients", patients.len().to_string()),
        ("centres", centres.iter().filter(|centre| !centre.is_empty()).count().to_string()),
        ("dosegrid", format!("{} ({})", env!("CARGO_PKG_VERSION"), env!("DOSEGRID_COMMIT"))),
    ];
    let failed = failed.map(|study| (study.study.clone(), study.line.to_string(), study.reason.clone())).collect();
    page::render(&CohortPage { facts, spreads, failed })
}
