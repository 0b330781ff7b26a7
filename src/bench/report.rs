//! What a laboratory measured, as one file with a stable schema.

use serde::{Deserialize, Serialize};

use super::{ConvolutionFigure, EndToEndFigure, TransportFigure};
use crate::domain::DeviceInfo;
use crate::engine::measures::{Ceilings, CompileTime, Portrait, TwinFigure};

/// What the file is.
pub const SCHEMA: &str = "dosegrid.bench";
/// Its version. Fields are added without a new one; one that changes its meaning needs it.
pub const SCHEMA_VERSION: u32 = 1;

/// All that was measured in one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// What the file is: `dosegrid.bench`.
    pub schema: String,
    /// Its version.
    pub schema_version: u32,
    /// Version of dosegrid.
    pub version: String,
    /// Commit it was built from.
    pub commit: String,
    /// When the run began, UTC.
    pub date: String,
    /// Whether only the short list was measured.
    pub quick: bool,
    /// The machine around the devices.
    pub host: Host,
    /// The device that was asked for, then the CPU beside it if that is another.
    pub devices: Vec<DeviceReport>,
}

/// The machine around the devices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Host {
    /// Operating system, such as `linux`.
    pub os: String,
    /// Instruction set, such as `x86_64`.
    pub arch: String,
    /// Threads that the program uses.
    pub threads: usize,
}

impl Host {
    /// This machine.
    pub fn this() -> Self {
        let (os, arch) = (std::env::consts::OS.to_owned(), std::env::consts::ARCH.to_owned());
        Self { os, arch, threads: rayon::current_num_threads() }
    }
}

/// All that was measured on one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DeviceReport {
    /// Its name, driver and kind.
    pub device: DeviceInfo,
    /// What the adapter is and offers; none for the CPU.
    pub adapter: Option<Portrait>,
    /// How long the stages took to compile.
    pub compile: Vec<CompileTime>,
    /// The bodies of its transport next to those of the CPU; none for the CPU itself.
    #[serde(default)]
    pub twins: Vec<TwinFigure>,
    /// What it can do at most.
    pub ceilings: Ceilings,
    /// Convolutions.
    pub convolution: Vec<ConvolutionFigure>,
    /// Transport.
    pub transport: Vec<TransportFigure>,
    /// Whole requests.
    pub end_to_end: Vec<EndToEndFigure>,
    /// Results that were held against those of another device; none where that was not done.
    #[serde(default)]
    pub checks: Vec<CheckFigure>,
    /// How long a browser waited for the device; none where that was not measured.
    #[serde(default)]
    pub submits: Option<SubmitFigures>,
}

/// A result that was held against that of another device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CheckFigure {
    /// What was computed.
    pub title: String,
    /// Whether the result is right.
    pub is_right: bool,
    /// How far the two are apart.
    pub said: Vec<String>,
    /// What is wrong.
    pub faults: Vec<String>,
}

/// The submits of a page, which draws nothing as long as one lasts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SubmitFigures {
    /// Those that were waited for.
    pub count: u64,
    /// How long none should last [s].
    pub limit_s: f64,
    /// Those that lasted longer.
    pub over: u64,
    /// The longest, until it was done [s].
    pub longest_s: f64,
    /// The same by the clock of the device, without the wait for a busy machine [s]; none if the device has no clock.
    pub longest_on_device_s: Option<f64>,
    /// What it did.
    pub longest_of: String,
    /// What lasts longer than the limit even in its smallest pieces.
    pub too_slow: Vec<String>,
}

/// One number of a report, with its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What was measured: the same in every report.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// Whether more of it is better.
    pub is_rate: bool,
}

impl DeviceReport {
    /// The numbers that two reports are compared by.
    pub fn figures(&self) -> Vec<Figure> {
        let rate = |name: String, value: f64, unit| Figure { name, value, unit, is_rate: true };
        let time = |name: String, value: f64| Figure { name, value, unit: "s", is_rate: false };
        let ceilings = &self.ceilings;
        let rates = [
            ("memory read", ceilings.read_bytes_per_s, "B/s"),
            ("memory write", ceilings.write_bytes_per_s, "B/s"),
            ("memory copy", ceilings.copy_bytes_per_s, "B/s"),
            ("multiply and add", ceilings.flop_per_s, "FLOP/s"),
            ("integer", ceilings.integer_per_s, "op/s"),
            ("upload", ceilings.upload_bytes_per_s, "B/s"),
            ("read back", ceilings.readback_bytes_per_s, "B/s"),
        ];
        let times = [("empty submit", ceilings.empty_submit_s), ("empty dispatch", ceilings.empty_dispatch_s)];
        let mut all = Vec::new();
        all.extend(rates.into_iter().filter_map(|(name, value, unit)| Some(rate(name.to_owned(), value?, unit))));
        all.extend(times.into_iter().filter_map(|(name, value)| Some(time(name.to_owned(), value?))));
        for atomic in &ceilings.atomics {
            all.push(rate(format!("atomics, {} addresses", atomic.addresses), atomic.adds_per_s, "1/s"));
        }
        for CompileTime { stage, cold_s, .. } in &self.compile {
            all.push(time(format!("compile {stage}"), *cold_s));
        }
        for figure in &self.convolution {
            let ConvolutionFigure { edge, kernel_edge, core_edge, .. } = figure;
            let name = format!("convolution {edge}³ ∗ {kernel_edge}³, core {core_edge}³");
            all.push(time(name, figure.wall.median_s));
        }
        for figure in &self.transport {
            let name = format!("{} {} {} mm", figure.nuclide, figure.source.name(), figure.spacing_mm);
            all.push(rate(format!("decays/s, {name}"), figure.speed.histories_per_s, "1/s"));
            all.push(rate(format!("1/(σ²T), {name}"), figure.speed.efficiency_per_s, "1/s"));
            let on_device = figure.histories_per_device_s;
            all.extend(on_device.map(|value| rate(format!("decays/s of the device, {name}"), value, "1/s")));
        }
        for EndToEndFigure { method, first_s, second_s, .. } in &self.end_to_end {
            all.push(time(format!("first request, {method}"), *first_s));
            all.push(time(format!("second request, {method}"), *second_s));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `bench --json` and the page write, for those who read it with other programs.
    const PUBLISHED: &str = include_str!("../../docs/bench.schema.json");

    #[test]
    fn the_published_schema_is_that_of_the_report() {
        let schema = serde_json::to_string_pretty(&schemars::schema_for!(Report)).expect("a schema is JSON") + "\n";
        assert!(schema == PUBLISHED, "docs/bench.schema.json must be:\n{schema}");
    }
}
