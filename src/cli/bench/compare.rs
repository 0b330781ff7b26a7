//! `dosegrid bench compare`.

use std::path::{Path, PathBuf};

use super::super::stdout;
use crate::bench::{Comparison, Report, compare};
use crate::domain::{Checks, DoseError, Invalid};
use crate::report::numbers::significant;

/// Significant digits of a measured figure.
const DIGITS: usize = 3;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Report of the first machine or version
    #[arg(value_name = "A.json")]
    first: PathBuf,
    /// Report of the second
    #[arg(value_name = "B.json")]
    second: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let first = checks.at("first", read(&args.first));
    let second = checks.at("second", read(&args.second));
    let (Some(first), Some(second)) = (first, second) else { return checks.finish() };
    let (rows, alone) = compare([&first, &second]).map_err(|invalid| DoseError::invalid("second", invalid.0))?;
    let named = |report: &Report| {
        let info = &report.devices[0].device;
        format!("{} ({}), dosegrid {} of {}", info.name, info.driver, report.version, report.date)
    };
    stdout::print(&format!("A  {}\nB  {}\n\n", named(&first), named(&second)))?;
    stdout::print(&format!("{:<52} {:>11} {:>11} {:<7} B is faster by\n", "", "A", "B", ""))?;
    for row in &rows {
        stdout::print(&line(row))?;
    }
    if !alone.is_empty() {
        stdout::print(&format!("\nin one of them only: {}\n", alone.join("; ")))?;
    }
    Ok(())
}

fn line(Comparison { name, unit, values: [a, b], speed_up }: &Comparison) -> String {
    format!("{name:<52} {:>11} {:>11} {unit:<7} {speed_up:.2}\n", significant(*a, DIGITS), significant(*b, DIGITS))
}

/// Reads a report.
///
/// # Errors
/// If the file cannot be read, or is none.
pub(super) fn read(path: &Path) -> Result<Report, Invalid> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Invalid::new(format!("cannot read {}: {error}", path.display())))?;
    let report: Report = serde_json::from_str(&text).map_err(|error| {
        Invalid::new(format!("{} is no report of `dosegrid bench --json`: {error}", path.display()))
    })?;
    Ok(report)
}
