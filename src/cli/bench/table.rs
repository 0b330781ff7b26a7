//! `dosegrid bench table`.

use std::path::{Path, PathBuf};

use super::super::stdout;
use super::compare::read;
use crate::bench::{BenchSource, ConvolutionFigure, DeviceReport, Report};
use crate::domain::{Checks, DeviceInfo, DeviceKind, DoseError};
use crate::report::numbers::significant;

/// Significant digits of a measured figure.
const DIGITS: usize = 3;
/// The transport that is shown.
const NUCLIDE: &str = "Lu-177";
const SPACING_MM: f64 = 3.0;
/// How browsers name themselves in what they say of themselves, each before those that it also names.
const BROWSERS: [&str; 6] = ["Edg/", "OPR/", "Firefox/", "HeadlessChrome/", "Chrome/", "Version/"];

/// Most letters of a name, so that a row stays readable.
const MOST_LETTERS: usize = 40;

const DEVICES: &str = "| file | device | driver |\n|---|---|---|\n";
const FIGURES: &str = "\
| file | date | version | results | copy [GB/s] | convolution [ms] | Lu-177 [10⁶ decays/s] |
|---|---|---|---|---|---|---|
";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Reports of `bench --json`, or of the page
    #[arg(value_name = "FILE.json", required = true)]
    files: Vec<PathBuf>,
}

/// Prints two tables in Markdown, a row for each report: hardware first, then by name.
pub(super) fn run(args: &Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let reports = args.files.iter().map(|path| checks.at("files", read(path)).map(|report| (stem(path), report)));
    let reports: Vec<(String, Report)> = reports.collect::<Vec<_>>().into_iter().flatten().collect();
    checks.finish()?;
    stdout::print(&tables(&reports))
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn tables(reports: &[(String, Report)]) -> String {
    let mut rows: Vec<_> =
        reports.iter().filter_map(|(file, report)| Some((file, report, report.devices.first()?))).collect();
    rows.sort_by_key(|(file, _, measured)| (measured.device.kind == DeviceKind::SoftwareGpu, *file));
    let devices = rows.iter().map(|(file, _, measured)| row(&[(*file).clone(), device(measured), driver(measured)]));
    let figures = rows.iter().map(|(file, report, measured)| row(&figures(file, report, measured)));
    [DEVICES, &devices.collect::<String>(), "\n", FIGURES, &figures.collect::<String>()].concat()
}

fn row(cells: &[String]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "/")).collect();
    format!("| {} |\n", cells.join(" | "))
}

fn device(measured: &DeviceReport) -> String {
    let software = if measured.device.kind == DeviceKind::SoftwareGpu { ", software" } else { "" };
    short(&measured.device.name) + software
}

fn figures(file: &str, report: &Report, measured: &DeviceReport) -> [String; 7] {
    let copy = measured.ceilings.copy_bytes_per_s.map(|rate| significant(rate / 1e9, DIGITS));
    let convolution = measured.convolution.first().map(|ConvolutionFigure { edge, kernel_edge, wall, .. }| {
        format!("{} ({edge}³ ∗ {kernel_edge}³)", significant(1e3 * wall.median_s, DIGITS))
    });
    let is_shown = |nuclide: &str, source, mm| nuclide == NUCLIDE && source == BenchSource::Layers && mm == SPACING_MM;
    let transport = measured.transport.iter().find(|found| is_shown(&found.nuclide, found.source, found.spacing_mm));
    let decays = transport.map(|found| significant(found.speed.histories_per_s / 1e6, DIGITS));
    [
        file.to_owned(),
        report.date.split('T').next().unwrap_or_default().to_owned(),
        report.version.clone(),
        results(measured),
        copy.unwrap_or_default(),
        convolution.unwrap_or_default(),
        decays.unwrap_or_default(),
    ]
}

fn short(name: &str) -> String {
    if name.chars().count() <= MOST_LETTERS {
        return name.to_owned();
    }
    name.chars().take(MOST_LETTERS - 1).chain(['…']).collect()
}

/// What ran it: a driver, or a browser with its version.
fn driver(measured: &DeviceReport) -> String {
    let DeviceInfo { backend, driver, .. } = &measured.device;
    let words = || driver.split(' ');
    let browser = BROWSERS.iter().find_map(|name| words().find(|word| word.starts_with(name)));
    match browser.filter(|_| backend == "webgpu") {
        Some(browser) => browser.replace("Version/", "Safari/"),
        None => short(&format!("{driver}, {backend}")),
    }
}

/// Whether the device computed what it must, as far as that was checked.
fn results(measured: &DeviceReport) -> String {
    let checks = measured.checks.iter().map(|check| (check.title.as_str(), check.is_right));
    let twins = measured.twins.iter().map(|twin| (twin.test.as_str(), twin.agrees));
    let all: Vec<(&str, bool)> = checks.chain(twins).collect();
    match all.iter().find(|(_, is_right)| !is_right) {
        Some((wrong, _)) => format!("WRONG: {wrong}"),
        None if all.is_empty() => "not checked".to_owned(),
        None => format!("right ({})", all.len()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Files that were sent in, and the page that shows them.
    fn sent_in() -> (Vec<(String, Report)>, String) {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        let files = fs::read_dir(docs.join("gpus")).expect("the folder of what was sent in");
        let paths = files.map(|file| file.expect("a file").path());
        let reports = paths.map(|path| (stem(&path), read(&path).expect("a report")));
        (reports.collect(), fs::read_to_string(docs.join("gpus.md")).expect("the page is there"))
    }

    #[test]
    fn the_page_shows_what_was_sent_in() {
        let (reports, page) = sent_in();
        assert!(
            !reports.is_empty() && page.contains(&tables(&reports)),
            "docs/gpus.md must have\n{}",
            tables(&reports)
        );
    }

    #[test]
    fn what_is_wrong_and_what_was_not_checked_is_said() {
        let (reports, _) = sent_in();
        let of_page = |(_, report): &&(String, Report)| !report.devices[0].checks.is_empty();
        let page = reports.iter().find(of_page).expect("one of a browser").1.clone();
        let mut wrong = page.clone();
        wrong.devices[0].checks[1].is_right = false;
        let mut unchecked = page.clone();
        unchecked.devices[0].checks.clear();
        unchecked.devices[0].twins.clear();
        unchecked.devices[0].device.kind = DeviceKind::DiscreteGpu;
        let right = format!("right ({})", page.devices[0].checks.len() + page.devices[0].twins.len());
        let at_fault = format!("WRONG: {}", wrong.devices[0].checks[1].title);
        let named = [("a", page), ("b", wrong), ("c", unchecked)];
        let reports = named.map(|(name, report)| (name.to_owned(), report));
        let made = tables(&reports);
        let rows: Vec<&str> = made.lines().skip(8).collect();
        assert!(rows[0].contains("not checked"), "hardware comes first: {made}");
        assert!(rows[1].contains(&right) && rows[2].contains(&at_fault), "{made}");
    }

    #[test]
    fn a_browser_is_named_by_what_it_is() {
        let (reports, _) = sent_in();
        let said = |backend: &str, driver_said: &str| {
            let mut measured = reports[0].1.devices[0].clone();
            measured.device = DeviceInfo { backend: backend.into(), driver: driver_said.into(), ..measured.device };
            driver(&measured)
        };
        let edge = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/150.0.0.0 Safari/537.36 Edg/150.0.0.0";
        assert_eq!(said("webgpu", edge), "Edg/150.0.0.0");
        let safari = "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15";
        assert_eq!(said("webgpu", safari), "Safari/26.1");
        assert_eq!(said("vulkan", "llvmpipe Mesa 22.3.6"), "llvmpipe Mesa 22.3.6, vulkan");
    }
}
