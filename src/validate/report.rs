//! The report of all checks: a table and a page for people, JSON for programs.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::findings::Row;
use super::{Effort, Outcome, page};
use crate::domain::{DeviceInfo, DoseError};

/// The outcomes of all checks of one device.
#[derive(Clone, Debug)]
pub struct Report {
    /// The device.
    pub device: DeviceInfo,
    /// How many histories were run.
    pub effort: Effort,
    /// When it began, to the second.
    pub began: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// The outcome of each check.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// Whether every check ran and passed.
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
                Err(error) => line(format!("      could not run: {error}")),
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

    /// The result in one line.
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

    /// The report as JSON.
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
            "date": self.began.to_string(), "device": self.device, "effort": self.effort.name(),
            "seconds": self.took.as_secs_f64(), "checks": self.outcomes.iter().map(outcome).collect::<Vec<_>>(),
        })
    }

    /// The report as a page that needs no other file.
    ///
    /// # Errors
    /// If a figure cannot be drawn.
    pub fn html(&self) -> Result<String, DoseError> {
        page::html(self)
    }
}

pub(super) fn verdict(passes: bool) -> &'static str {
    if passes { "pass" } else { "FAIL" }
}

/// A figure in five digits.
pub(super) fn figure(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        1e-3..1e6 => {
            let text = format!("{value:.5}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => format!("{value:.2e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CHECKS, Findings};
    use super::*;
    use crate::domain::DeviceKind;
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
        let findings = Findings { rows, figures: vec![] };
        let outcomes = vec![
            outcome(0, Ok(findings)),
            outcome(1, Ok(Findings { rows: vec![Row::none_of("x", 0)], figures: vec![] })),
        ];
        let began = Timestamp::from_second(1_709_164_799).expect("a time of this calendar");
        Report { device, effort: Effort::Standard, began, took: Duration::from_secs(2), outcomes }
    }

    #[test]
    fn the_page_and_the_json_say_what_failed() {
        let (good, bad) = (report(1.005), report(1.05));
        assert!(good.passes() && !bad.passes() && bad.failed() == [CHECKS[0].name]);
        assert!(!good.table().contains("FAIL") && bad.table().contains("FAIL"));
        let html = |report: &Report| report.html().expect("a page");
        assert!(!html(&good).contains("FAIL<") && html(&bad).contains("FAIL<"));
        assert!(html(&good).contains("a &#60;quantity&#62;") && html(&good).contains("2024-02-28T23:59:59Z"));
        assert_eq!((&good.json()["passed"], &bad.json()["passed"]), (&json!(true), &json!(false)));
        assert_eq!(bad.json()["checks"][0]["rows"][1]["passed"], json!(false));
        assert!(!html(&good).contains("http"), "the page needs nothing from elsewhere");
    }

    #[test]
    fn a_check_that_was_not_made_is_in_the_report() {
        let mut report = report(1.0);
        report.outcomes[1].findings = Err(DoseError::DeviceLost("gone".into()));
        assert!(!report.passes());
        for text in [report.table(), report.html().expect("a page"), report.json().to_string()] {
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
    fn dates_are_in_utc_to_the_second() {
        let at = |second| Timestamp::from_second(second).expect("a time of this calendar").to_string();
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
