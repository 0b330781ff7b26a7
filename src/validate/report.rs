//! What came of all checks: for a person as a table and as a page, for a program as JSON.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::findings::Row;
use super::plot::escaped;
use super::{Effort, Outcome};
use crate::domain::DeviceInfo;

const STYLE: &str = include_str!("report.css");
const SECONDS_A_DAY: u64 = 86_400;

/// All checks of one device.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was checked.
    pub device: DeviceInfo,
    /// How many histories were run.
    pub effort: Effort,
    /// When it began.
    pub began: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// What came of each check.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// Whether every check was made and passed.
    pub fn passes(&self) -> bool {
        !self.outcomes.is_empty() && self.outcomes.iter().all(Outcome::passes)
    }

    /// Names of the checks that did not pass.
    pub fn failed(&self) -> Vec<&'static str> {
        self.outcomes.iter().filter(|outcome| !outcome.passes()).map(|outcome| outcome.check.name).collect()
    }

    /// Every quantity of every check, for a terminal.
    pub fn table(&self) -> String {
        let rows = || self.outcomes.iter().filter_map(|outcome| outcome.findings.as_ref().ok()).flat_map(|f| &f.rows);
        let width = rows().map(|row| row.quantity.chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        let mut line = |line: String| writeln!(text, "{line}").expect("a string takes all text");
        for outcome in &self.outcomes {
            let verdict = verdict(outcome.passes());
            line(format!(
                "\n{verdict}  {} ({}, {:.1} s)",
                outcome.check.title,
                outcome.check.name,
                outcome.took.as_secs_f64()
            ));
            match &outcome.findings {
                Err(error) => line(format!("      could not be made: {error}")),
                Ok(findings) => {
                    let [found, expected, allowed] = ["found", "expected", "allowed ±"];
                    line(format!("      {:width$}  {found:>11}  {expected:>9}  {allowed:>10}", "quantity"));
                    for row in &findings.rows {
                        let mark = if row.passes() { "" } else { "  FAIL" };
                        let [found, expected, allowed] = [row.found, row.expected, row.allowed()].map(figure);
                        line(format!("      {:width$}  {found:>11}  {expected:>9}  {allowed:>10}{mark}", row.quantity));
                    }
                }
            }
        }
        text
    }

    /// One line on the whole.
    pub fn summary(&self) -> String {
        let passed = self.outcomes.iter().filter(|outcome| outcome.passes()).count();
        let DeviceInfo { id, name, backend, driver, .. } = &self.device;
        format!(
            "{} of {} checks passed on {id} ({name}, {backend}, {driver}), effort {}, {:.0} s",
            passed,
            self.outcomes.len(),
            self.effort.name(),
            self.took.as_secs_f64()
        )
    }

    /// For a program.
    pub fn json(&self) -> Value {
        let row = |row: &Row| {
            json!({
                "quantity": row.quantity, "found": row.found, "expected": row.expected, "tolerance": row.tolerance,
                "sigma": row.sigma, "allowed": row.allowed(), "detects": row.detects(), "passed": row.passes(),
            })
        };
        let outcome = |outcome: &Outcome| {
            let rows = outcome.findings.as_ref().map(|findings| findings.rows.iter().map(row).collect::<Vec<_>>());
            json!({
                "name": outcome.check.name, "title": outcome.check.title, "passed": outcome.passes(),
                "seconds": outcome.took.as_secs_f64(), "rows": rows.as_ref().ok(),
                "error": outcome.findings.as_ref().err().map(ToString::to_string),
            })
        };
        json!({
            "passed": self.passes(), "version": env!("CARGO_PKG_VERSION"), "commit": env!("DOSEGRID_COMMIT"),
            "date": date(self.began), "device": self.device, "effort": self.effort.name(),
            "seconds": self.took.as_secs_f64(), "checks": self.outcomes.iter().map(outcome).collect::<Vec<_>>(),
        })
    }

    /// A page that needs nothing else.
    pub fn html(&self) -> String {
        let DeviceInfo { id, name, backend, driver, .. } = &self.device;
        let facts = [
            ("Result", verdict(self.passes()).to_owned()),
            ("Device", format!("{id}: {name}")),
            ("Driver", format!("{backend}, {driver}")),
            ("Program", format!("dosegrid {}, commit {}", env!("CARGO_PKG_VERSION"), env!("DOSEGRID_COMMIT"))),
            ("Date", date(self.began)),
            ("Effort", format!("{} ({} × the standard histories)", self.effort.name(), self.effort.factor())),
            ("Time taken", format!("{:.1} s", self.took.as_secs_f64())),
        ];
        let facts: String = facts
            .iter()
            .map(|(name, value)| format!("<tr><th>{name}</th><td>{}</td></tr>\n", escaped(value)))
            .collect();
        let sections: String = self.outcomes.iter().map(section).collect();
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>dosegrid: physics checks</title>\n\
             <style>{STYLE}</style></head><body>\n<h1>dosegrid: physics checks</h1>\n<table class=\"facts\">{facts}</table>\n\
             <p>A quantity passes if it differs from what is expected by no more than is allowed: its tolerance and some standard deviations (σ) of the run \
             and of the reference. <i>Detects</i> is the least true difference that fails in 99.9 of 100 runs: how much this run can see.</p>\n\
             <table class=\"contents\"><tr><th>Check</th><th>Quantities</th><th>Time</th><th></th></tr>{}</table>\n{sections}</body></html>\n",
            self.outcomes.iter().map(contents_row).collect::<String>()
        )
    }
}

fn verdict(passes: bool) -> &'static str {
    if passes { "pass" } else { "FAIL" }
}

fn contents_row(outcome: &Outcome) -> String {
    let (check, verdict) = (outcome.check, verdict(outcome.passes()));
    let quantities = outcome.findings.as_ref().map_or(0, |findings| findings.rows.len());
    format!(
        "<tr class=\"{verdict}\"><td><a href=\"#{}\">{}</a></td><td>{quantities}</td><td>{:.1} s</td><td>{verdict}</td></tr>\n",
        check.name,
        escaped(check.title),
        outcome.took.as_secs_f64()
    )
}

fn section(outcome: &Outcome) -> String {
    let check = outcome.check;
    let body = match &outcome.findings {
        Err(error) => format!("<p class=\"FAIL\">Could not be made: {}</p>", escaped(&error.to_string())),
        Ok(findings) => {
            let rows: String = findings.rows.iter().map(html_row).collect();
            let plots: String = findings.plots.iter().map(|plot| plot.svg() + "\n").collect();
            format!(
                "<div class=\"plots\">{plots}</div>\n<table class=\"rows\"><tr><th>Quantity</th><th>Found</th><th>Expected</th><th>Tolerance</th>\
                 <th>σ</th><th>Allowed</th><th>Detects</th><th></th></tr>\n{rows}</table>"
            )
        }
    };
    format!(
        "<h2 id=\"{}\">{} <span class=\"{verdict}\">{verdict}</span></h2>\n<p>{}</p>\n<p><b>Tolerance:</b> {}</p>\n{body}\n",
        check.name,
        escaped(check.title),
        escaped(check.meaning),
        escaped(check.tolerance),
        verdict = verdict(outcome.passes()),
    )
}

fn html_row(row: &Row) -> String {
    let figures = [row.found, row.expected, row.tolerance, row.sigma, row.allowed(), row.detects()];
    let cells: String = figures.iter().map(|&value| format!("<td>{}</td>", figure(value))).collect();
    let verdict = verdict(row.passes());
    format!("<tr class=\"{verdict}\"><td>{}</td>{cells}<td>{verdict}</td></tr>\n", escaped(&row.quantity))
}

/// A figure in five digits.
fn figure(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        1e-3..1e6 => {
            let text = format!("{value:.5}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => format!("{value:.2e}"),
    }
}

/// Date and time in UTC, as ISO 8601 has it.
///
/// Source of the calendar: H. Hinnant, *chrono-compatible low-level date algorithms* (2013), `civil_from_days`.
fn date(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, second) = (seconds / SECONDS_A_DAY + 719_468, seconds % SECONDS_A_DAY);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", second % 60)
}

#[cfg(test)]
mod tests {
    use super::super::{CHECKS, Findings};
    use super::*;
    use crate::domain::{DeviceKind, DoseError};
    use crate::validate::statistics::Estimate;

    fn report(found: f64) -> Report {
        let outcome =
            |number: usize, findings| Outcome { check: &CHECKS[number], findings, took: Duration::from_secs(1) };
        let row = Row::new("a <quantity>", Estimate { mean: found, sigma: 0.001 }, 1.0, 0.01);
        let rows = vec![Row::none_of("faults", 0), row];
        let device = DeviceInfo {
            id: "cpu".into(),
            kind: DeviceKind::Cpu,
            name: "a name".into(),
            backend: "native".into(),
            driver: "2 threads".into(),
        };
        let findings = Findings { rows, plots: vec![] };
        let outcomes = vec![
            outcome(0, Ok(findings)),
            outcome(1, Ok(Findings { rows: vec![Row::none_of("x", 0)], plots: vec![] })),
        ];
        let began = UNIX_EPOCH + Duration::from_secs(1_709_164_799);
        Report { device, effort: Effort::Standard, began, took: Duration::from_secs(2), outcomes }
    }

    #[test]
    fn the_page_and_the_json_say_what_failed() {
        let (good, bad) = (report(1.005), report(1.05));
        assert!(good.passes() && !bad.passes() && bad.failed() == [CHECKS[0].name]);
        assert!(!good.table().contains("FAIL") && bad.table().contains("FAIL"));
        assert!(!good.html().contains("FAIL<") && bad.html().contains("FAIL<"));
        assert!(good.html().contains("a &lt;quantity&gt;") && good.html().contains("2024-02-28T23:59:59Z"));
        assert_eq!((&good.json()["passed"], &bad.json()["passed"]), (&json!(true), &json!(false)));
        assert_eq!(bad.json()["checks"][0]["rows"][1]["passed"], json!(false));
        assert!(!good.html().contains("http"), "the page needs nothing from elsewhere");
    }

    #[test]
    fn a_check_that_was_not_made_is_in_the_report() {
        let mut report = report(1.0);
        report.outcomes[1].findings = Err(DoseError::DeviceLost("gone".into()));
        assert!(!report.passes());
        for text in [report.table(), report.html(), report.json().to_string()] {
            assert!(text.contains("device lost: gone"), "{text}");
        }
    }

    #[test]
    fn no_check_at_all_is_no_success() {
        let mut report = report(1.0);
        report.outcomes.clear();
        assert!(!report.passes());
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let at = |seconds| date(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_709_164_800), "2024-02-29T00:00:00Z");
        assert_eq!(at(4_102_444_799), "2099-12-31T23:59:59Z");
    }

    #[test]
    fn figures_are_short_and_keep_their_digits() {
        assert_eq!(
            [0.0, 1.0, 0.99812, 1e-5, -2.5, 1.234567].map(figure),
            ["0", "1", "0.99812", "1.00e-5", "-2.5", "1.23457"]
        );
        assert_eq!(figure(f64::NAN), "NaN");
    }
}
