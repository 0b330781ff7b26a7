//! `dosegrid validate`.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use super::places::check_places;
use super::{device, stdout};
use crate::domain::{Checks, Control, DeviceSelector, DoseError, Invalid};
use crate::formats::{atomic::write_bytes, json};
use crate::validate::report::Report;
use crate::validate::{CHECKS, Check, Effort, Outcome, Rig};

/// File name of the report in a folder.
const REPORT: &str = "report.html";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Device to check
    #[arg(long, value_name = "auto|cpu|gpu|gpu:N", default_value = "auto")]
    device: String,
    /// Run ten times as many histories, for a third of the statistical uncertainty
    #[arg(long)]
    thorough: bool,
    /// Run only this check; may be given several times
    #[arg(long, value_name = "NAME")]
    check: Vec<String>,
    /// HTML report to write, or a folder for report.html
    #[arg(long, value_name = "DIR|FILE.html", default_value = "dosegrid-validation.html")]
    output: PathBuf,
    /// Also write the results to this JSON file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Print no progress
    #[arg(long)]
    quiet: bool,
}

/// Runs the checks and reports them. A failed check is an error.
pub(super) fn run(args: Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let selector: Option<DeviceSelector> = checks.at("device", args.device.parse());
    let chosen = checks.at("check", chosen(&args.check));
    let output = checks.at("output", report_path(&args.output));
    check_places([], [("output", output.as_deref()), ("json", args.json.as_deref())], &mut checks);
    let (Some(selector), Some(chosen), Some(output)) = (selector, chosen, output) else { return checks.finish() };
    checks.finish()?;

    let mut device = device::open_aloud(selector, args.quiet)?;
    let info = device.info();
    let effort = Effort::of(info.kind, args.thorough);
    let (began, start) = (now(), Instant::now());
    let control = Control::detached();
    let mut rig = Rig { device: &mut device, effort, control: &control };
    let outcomes = run_checks(&chosen, &mut rig, args.quiet);
    let report = Report { device: info, effort, began, took: start.elapsed(), outcomes };

    written(&output, write_bytes(&output, report.html()?.as_bytes()))?;
    if let Some(path) = &args.json {
        written(path, json::write(path, &report.json()))?;
    }
    stdout::print(&format!("{}\n{}\nreport: {}\n", report.table(), report.summary(), output.display()))?;
    verdict(&report)
}

/// The time to the second.
fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default()
}

/// An error if a check failed, for the exit status.
fn verdict(report: &Report) -> Result<(), DoseError> {
    if report.passes() {
        return Ok(());
    }
    let (failed, all) = (report.failed(), report.outcomes.len());
    Err(DoseError::NotPhysical(format!("{} of {all} checks failed: {}", failed.len(), failed.join(", "))))
}

/// All checks, or those named.
fn chosen(names: &[String]) -> Result<Vec<&'static Check>, Invalid> {
    let known: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
    if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(Invalid::new(format!("`{name}` is not a check; the checks are {}", known.join(", "))));
    }
    Ok(CHECKS.iter().filter(|check| names.is_empty() || names.iter().any(|name| name == check.name)).collect())
}

/// Path of the report, checked before minutes of work. A folder is created if needed.
fn report_path(output: &Path) -> Result<PathBuf, Invalid> {
    if output.extension().is_some_and(|extension| extension == "html") {
        folder_exists(output)?;
        return Ok(output.to_owned());
    }
    fs::create_dir_all(output).map_err(|error| Invalid::new(format!("{}: {error}", output.display())))?;
    Ok(output.join(REPORT))
}

fn folder_exists(file: &Path) -> Result<(), Invalid> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let is_file = file.file_name().is_some() && !file.is_dir();
    if is_file && folder.is_dir() {
        Ok(())
    } else {
        Err(Invalid::new(format!("{} is not a file in a folder that exists", file.display())))
    }
}

fn run_checks(chosen: &[&'static Check], rig: &mut Rig, quiet: bool) -> Vec<Outcome> {
    let bar = if quiet || !std::io::stderr().is_terminal() { ProgressBar::hidden() } else { bar(chosen.len()) };
    let plain = !quiet && !std::io::stderr().is_terminal();
    let outcomes = chosen.iter().map(|check| {
        bar.set_message(check.title);
        let outcome = check.run(rig);
        let word = if outcome.passes() { "pass" } else { "FAIL" };
        let line = format!("{word}  {:6.1} s  {}", outcome.took.as_secs_f64(), check.title);
        if plain {
            tell!("{line}");
        } else {
            bar.println(line);
        }
        bar.inc(1);
        outcome
    });
    let outcomes = outcomes.collect();
    bar.finish_and_clear();
    outcomes
}

fn bar(checks: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("[{bar:20}] {pos}/{len} {elapsed} {msg}")
        .expect("the template is fixed and good")
        .progress_chars("=> ");
    let bar = ProgressBar::new(checks as u64).with_style(style);
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar
}

fn written(path: &Path, result: io::Result<()>) -> Result<(), DoseError> {
    result.map_err(|error| DoseError::Io(format!("cannot write {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::validate::{Findings, Row};

    #[test]
    fn checks_are_chosen_by_name() {
        assert_eq!(chosen(&[]).expect("all").len(), CHECKS.len());
        let names = ["fano".to_owned(), "energy-balance".to_owned(), "fano".to_owned()];
        assert_eq!(chosen(&names).expect("known ones").len(), 2);
        let error = chosen(&["phano".to_owned()]).expect_err("not a check").to_string();
        assert!(error.contains("`phano`") && error.contains("fano"), "{error}");
    }

    #[test]
    fn a_failed_check_is_an_error_that_names_it() {
        let device = crate::engine::Device::open(DeviceSelector::Cpu).expect("the CPU is always there").info();
        let outcome = |faults: usize| {
            let findings = Findings { rows: vec![Row::none_of("faults", faults)], figures: vec![] };
            Outcome { check: &CHECKS[0], findings: Ok(findings), took: Duration::ZERO }
        };
        let report = |outcomes| Report {
            device: device.clone(),
            effort: Effort::Standard,
            began: now(),
            took: Duration::ZERO,
            outcomes,
        };
        assert!(verdict(&report(vec![outcome(0)])).is_ok());
        let error = verdict(&report(vec![outcome(0), outcome(1)])).expect_err("one failed").to_string();
        assert!(error.contains("1 of 2") && error.contains(CHECKS[0].name), "{error}");
    }

    #[test]
    fn the_report_goes_to_a_file_or_into_a_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        assert_eq!(report_path(&path("a.html")).expect("a file"), path("a.html"));
        assert_eq!(report_path(&path("new/folder")).expect("a folder"), path("new/folder/report.html"));
        assert!(report_path(&path("nowhere/a.html")).is_err());
        assert!(folder_exists(&path("new")).is_err() && folder_exists(&path("x.json")).is_ok());
    }
}
