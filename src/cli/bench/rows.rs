//! The figures of a bench as lines of a table.

use crate::bench::{ConvolutionFigure, EndToEndFigure, TransportFigure};
use crate::engine::measures::{Ceilings, CompileTime, Portrait, TwinFigure};
use crate::report::numbers::significant;

/// Significant digits of a measured figure.
const DIGITS: usize = 3;
const MIB: u64 = 1 << 20;

/// The columns of [`convolution`].
pub(super) const CONVOLUTION_HEADER: &str =
    "volume ∗ kernel, core        median [s]     least      most    voxels/s  of copy rate\n";
/// The columns of [`transport`].
pub(super) const TRANSPORT_HEADER: &str = "nuclide  source   mm   histories  decays/s   on device  1/(σ²T)/s  \
                                           σ [%]   lanes moving  steps planned\n";

/// What an adapter is and offers.
pub(super) fn portrait(portrait: &Portrait) -> String {
    let limit = |name: &str| portrait.limits.get(name).copied().unwrap_or(0);
    let place = if portrait.pci_bus_id.is_empty() { "not told" } else { &portrait.pci_bus_id };
    let used = if portrait.features_used.is_empty() { "none".to_owned() } else { portrait.features_used.join(", ") };
    format!(
        "adapter {:04x}:{:04x}, PCI bus {place}; bindings up to {} MiB, buffers up to {} MiB, {} KiB of workgroup \
         memory; {} features, used of them: {used}\n",
        portrait.vendor,
        portrait.device,
        limit("maxStorageBufferBindingSize") / MIB,
        limit("maxBufferSize") / MIB,
        limit("maxComputeWorkgroupStorageSize") >> 10,
        portrait.features.len(),
    )
}

/// How long each stage took to compile; nothing for a device that compiles none.
pub(super) fn compile(times: &[CompileTime]) -> String {
    if times.is_empty() {
        return String::new();
    }
    let sum = |of: fn(&CompileTime) -> f64| times.iter().map(of).sum::<f64>();
    let mut text = "\ncompiling                first [s]  again\n".to_owned();
    for CompileTime { stage, cold_s, warm_s } in times {
        text += &format!("{stage:<24} {:>9}  {:>6}\n", figure(*cold_s), figure(*warm_s));
    }
    text + &format!("{:<24} {:>9}  {:>6}\n", "all", figure(sum(|t| t.cold_s)), figure(sum(|t| t.warm_s)))
}

/// The bodies of the transport next to those of the CPU; nothing for the CPU itself.
pub(super) fn twins(found: &[TwinFigure]) -> String {
    if found.is_empty() {
        return String::new();
    }
    let mut text = "\nthe same on the CPU       cases  straying  worst difference\n".to_owned();
    for TwinFigure { test, cases, straying, worst, agrees, .. } in found {
        let word = if *agrees { "" } else { "  NOT THE SAME" };
        text += &format!("{test:<24} {cases:>6} {straying:>9} {worst:>17.1e}{word}\n");
    }
    if found.iter().any(|figure| !figure.agrees) {
        text += "this device computes something else than the CPU: do not trust its doses, and send this in\n";
    }
    text
}

/// What the device can do at most.
pub(super) fn ceilings(ceilings: &Ceilings) -> String {
    let scaled = |value: Option<f64>, unit: f64| value.map(|value| figure(value / unit));
    let rows = [
        ("memory: read", scaled(ceilings.read_bytes_per_s, 1e9), "GB/s"),
        ("memory: write", scaled(ceilings.write_bytes_per_s, 1e9), "GB/s"),
        ("memory: copy, both ways", scaled(ceilings.copy_bytes_per_s, 1e9), "GB/s"),
        ("multiply and add, f32", scaled(ceilings.flop_per_s, 1e9), "GFLOP/s"),
        ("integers", scaled(ceilings.integer_per_s, 1e9), "Gop/s"),
        ("upload", scaled(ceilings.upload_bytes_per_s, 1e9), "GB/s"),
        ("read back", scaled(ceilings.readback_bytes_per_s, 1e9), "GB/s"),
        ("empty submit", scaled(ceilings.empty_submit_s, 1e-6), "µs"),
        ("empty dispatch", scaled(ceilings.empty_dispatch_s, 1e-6), "µs"),
    ];
    let mut text = "\nwhat the device can do at most\n".to_owned();
    for (name, value, unit) in rows {
        if let Some(value) = value {
            text += &format!("{name:<24} {value:>9}  {unit}\n");
        }
    }
    for atomic in &ceilings.atomics {
        let name = format!("atomics, {} addresses", atomic.addresses);
        text += &format!("{name:<24} {:>9}  1e9/s\n", figure(atomic.adds_per_s / 1e9));
    }
    text
}

/// One convolution, and its passes if the device has a clock.
pub(super) fn convolution(found: &ConvolutionFigure) -> String {
    let ConvolutionFigure { edge, kernel_edge, core_edge, wall, voxels_per_s, .. } = found;
    let name = format!("{edge}³ ∗ {kernel_edge}³, {core_edge}³");
    let share = found.share_of_copy.map_or_else(|| "-".to_owned(), percent);
    let mut text = format!(
        "{name:<28} {:>10} {:>9} {:>9} {voxels_per_s:>11.3e}  {share:>12}\n",
        figure(wall.median_s),
        figure(wall.least_s),
        figure(wall.most_s),
    );
    for stage in &found.stages {
        let share = found.stage_shares.iter().find(|(name, _)| *name == stage.stage);
        let share = share.map_or_else(|| "-".to_owned(), |(_, share)| percent(*share));
        text += &format!("  {:<26} {:>10} {:>33}  {share:>12}\n", stage.stage, figure(stage.seconds), "");
    }
    text
}

/// The transport of one nuclide in one phantom, and its stages if the device has a clock.
pub(super) fn transport(found: &TransportFigure) -> String {
    let speed = &found.speed;
    let rate = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3e}"));
    let mut text = format!(
        "{:<8} {:<6} {:>5} {:>10.3e} {:>10.3e}  {:>9} {:>10.3e}  {:>6}  {:>12}  {:>13}\n",
        found.nuclide,
        found.source.name(),
        found.spacing_mm,
        speed.histories as f64,
        speed.histories_per_s,
        rate(found.histories_per_device_s),
        speed.efficiency_per_s,
        figure(100.0 * speed.relative_sigma),
        found.lanes_moving.map_or_else(|| "-".to_owned(), percent),
        found.planned_steps_per_history.map_or_else(|| "-".to_owned(), figure),
    );
    if !found.stages.is_empty() {
        let all: f64 = found.stages.iter().map(|stage| stage.seconds).sum();
        let shares = found.stages.iter().map(|s| format!("{} {}", s.stage, percent(s.seconds / all)));
        let shares = shares.collect::<Vec<_>>().join(", ");
        let on_device =
            found.device_share.map_or_else(String::new, |share| format!("device busy {}: ", percent(share)));
        text += &format!("  {on_device}{shares}\n");
    }
    text
}

/// Whole requests, twice each.
pub(super) fn end_to_end(found: &[EndToEndFigure]) -> String {
    let mut text = "\na whole request, Lu-177 in 104×104×96 voxels of 4.8 mm\n".to_owned();
    for EndToEndFigure { method, histories, first_s, second_s, second_stages } in found {
        let histories = histories.map_or_else(String::new, |n| format!(", {n} histories"));
        let stages = second_stages.iter().map(|stage| format!("{} {}", stage.stage, figure(stage.seconds)));
        text += &format!(
            "{method}{histories}: first {} s, again {} s ({})\n",
            figure(*first_s),
            figure(*second_s),
            stages.collect::<Vec<_>>().join(", ")
        );
    }
    text
}

fn figure(value: f64) -> String {
    significant(value, DIGITS)
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}
