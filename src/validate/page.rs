//! The report as an HTML page.

use askama::Template;

use super::Outcome;
use super::findings::Row;
use super::report::{Report, figure, verdict};
use crate::domain::{DeviceInfo, DoseError};
use crate::report::page::render;

/// Width and height of a figure in the page [pixels].
const FIGURE_SIZE: [u32; 2] = [460, 280];

#[derive(Template)]
#[template(path = "validation.html")]
struct Page {
    /// Names and values of what stands at the top.
    facts: [(&'static str, String); 7],
    checks: Vec<Section>,
}

/// One check.
struct Section {
    name: &'static str,
    title: &'static str,
    meaning: &'static str,
    tolerance: &'static str,
    verdict: &'static str,
    time: String,
    /// Why it could not run.
    error: Option<String>,
    /// SVG elements.
    figures: Vec<String>,
    rows: Vec<Line>,
}

/// One quantity.
struct Line {
    verdict: &'static str,
    quantity: String,
    figures: [String; 6],
}

/// The page of a report.
pub(super) fn html(report: &Report) -> Result<String, DoseError> {
    let DeviceInfo { id, name, backend, driver, .. } = &report.device;
    let effort = report.effort;
    let facts = [
        ("Result", verdict(report.passes()).to_owned()),
        ("Device", format!("{id}: {name}")),
        ("Driver", format!("{backend}, {driver}")),
        ("Program", format!("dosegrid {}, commit {}", env!("CARGO_PKG_VERSION"), env!("DOSEGRID_COMMIT"))),
        ("Date", report.began.to_string()),
        ("Effort", format!("{} ({} × the standard histories)", effort.name(), effort.factor())),
        ("Time taken", format!("{:.1} s", report.took.as_secs_f64())),
    ];
    let checks = report.outcomes.iter().map(section).collect::<Result<_, _>>()?;
    render(&Page { facts, checks })
}

fn section(outcome: &Outcome) -> Result<Section, DoseError> {
    let check = outcome.check;
    let findings = outcome.findings.as_ref();
    let figures = findings.map_or(&[][..], |findings| &findings.figures);
    Ok(Section {
        name: check.name,
        title: check.title,
        meaning: check.meaning,
        tolerance: check.tolerance,
        verdict: verdict(outcome.passes()),
        time: format!("{:.1} s", outcome.took.as_secs_f64()),
        error: findings.err().map(ToString::to_string),
        figures: figures.iter().map(|figure| figure.svg(FIGURE_SIZE)).collect::<Result<_, _>>()?,
        rows: findings.map_or(&[][..], |findings| &findings.rows).iter().map(line).collect(),
    })
}

fn line(row: &Row) -> Line {
    let figures = [row.found, row.expected, row.tolerance, row.sigma, row.allowed(), row.detects()];
    Line { verdict: verdict(row.passes()), quantity: row.quantity.clone(), figures: figures.map(figure) }
}
