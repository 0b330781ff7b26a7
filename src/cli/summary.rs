//! The summary of a result that is printed.

use std::fmt::Write as _;

use super::outputs::ResultFile;
use crate::domain::activity_account::activity_words;
use crate::domain::{
    ActivityAccount, BiologicalWeighting, EnergyAccount, HeldTo, LeftOut, LeftOutReason, MemberAccount,
    MonteCarloAccount, Provenance, RegionDose, SourceAccount, StopReason, TargetAccount, words,
};
use crate::dosimetry::OrganDose;
use crate::dosimetry::noise::MARKED_SHARE;
use crate::report::numbers::{DIGITS, DoseUnit, significant};

/// Marks a figure that noise has moved.
const MOVED: &str = "*";

/// The summary of a result.
pub(super) fn summary(file: &ResultFile) -> String {
    let mut text = String::new();
    for (name, value) in lines(file) {
        writeln!(text, "{name:<11}{value}").expect("a string takes all text");
    }
    if let Some(organs) = file.organs {
        text.push_str(&organ_table(organs));
    }
    text
}

/// The activity of a request, printed before any work.
pub(super) fn activity_lines(account: &ActivityAccount) -> String {
    let mut text = String::new();
    for (name, value) in activity(account) {
        writeln!(text, "{name:<11}{value}").expect("a string takes all text");
    }
    text
}

/// What a computation takes at most, said before it begins.
pub(super) fn memory_line(bytes: u64) -> String {
    // Rounded up, since it is a bound.
    let gigabytes = bytes.div_ceil(10_000_000) as f64 / 100.0;
    format!("{:<11}at most {gigabytes:.2} GB\n", "memory")
}

fn activity(account: &ActivityAccount) -> Vec<(&'static str, String)> {
    let hours = |seconds: f64| seconds / 3600.0;
    let mut lines = Vec::new();
    if let Some(bq) = account.at_imaging_bq {
        let mut text = format!("{} in the map", activity_words(bq));
        if let (Some(at_injection_bq), Some(after_s)) = (account.at_injection_bq, account.imaged_after_s) {
            let (words, after_h) = (activity_words(at_injection_bq), hours(after_s));
            write!(text, " at the image, {words} at the injection {after_h:.2} h before").expect("a string takes all");
        }
        lines.push(("activity", text));
    } else if let Some(bq) = account.equivalent_bq {
        let text = format!("time-integrated: as many decays as {} decaying completely", activity_words(bq));
        lines.push(("activity", text));
    }
    let mut decays = format!("{:.4e} ({:.4e} MBq·h)", account.decays_bq_s, account.decays_bq_s / 3.6e9);
    if let (Some(half_life_s), Some(kind)) = (account.half_life_s, account.half_life) {
        let from = if account.imaged_after_s.is_some() { "injection" } else { "image" };
        write!(decays, ", from the {from} on, with the {} half-life of {:.2} h", kind.name(), hours(half_life_s))
            .expect("a string takes all text");
        if account.decay_corrected_to.as_deref() == Some("injection") {
            decays.push_str("; the map was corrected to the injection, which is undone");
        }
    }
    lines.push(("decays", decays));
    if let (Some(bq), Some(by_gbq), Some(coefficient_h)) =
        (account.injected_bq, account.decays_per_injected_gbq, account.time_integrated_activity_coefficient_h)
    {
        let words = activity_words(bq);
        let text =
            format!("{words}: {by_gbq:.4e} decays per GBq, time-integrated activity coefficient {coefficient_h:.4} h");
        lines.push(("injected", text));
    }
    lines
}

/// Name and value of each line above the organ table.
fn lines(file: &ResultFile) -> Vec<(&'static str, String)> {
    let Provenance { device, method, nuclide, decays, kernel, monte_carlo, wall_time, .. } = file.provenance;
    let mut lines = vec![
        ("device", format!("{} ({}, {}, {})", device.id, device.name, device.backend, device.driver)),
        ("method", format!("{method}, {nuclide}, {decays:.4e} decays")),
    ];
    let maps = std::iter::once(file.provenance).chain(&file.provenance.daughter_maps);
    lines.extend(maps.flat_map(|map| decaying(&map.source)));
    lines.extend(balance(&file.provenance.energy));
    if let Some(kernel) = kernel {
        lines.push(("kernel", format!("holds {:.2} % of the energy emitted", 100.0 * kernel.captured_fraction)));
    }
    lines.extend(monte_carlo.as_ref().map(|account| ("transport", transport(account))));
    lines.extend(monte_carlo.as_ref().and_then(held_to_mean).map(|words| ("no uptake", words)));
    let dose = &file.dose;
    let [mean, maximum] = [dose.mean_gy, dose.max_gy].map(|gy| DoseUnit::fitting(gy).with_unit(gy));
    lines.push(("dose", format!("mean {mean}, maximum {maximum} over the whole grid")));
    if let Some(BiologicalWeighting { alpha, recoil }) = file.provenance.biological_weighting {
        lines.push(("weighted", format!("alpha particles × {alpha}, recoils × {recoil}, in a volume of its own")));
    }
    let stages: Vec<String> = wall_time.iter().map(|time| format!("{} {:.3} s", time.stage, time.seconds)).collect();
    lines.push(("time", stages.join(", ")));
    lines
}

/// Where the energy went, and the voxels that have no dose.
fn balance(energy: &EnergyAccount) -> Vec<(&'static str, String)> {
    let percent = |mev: f64| if energy.emitted_mev > 0.0 { 100.0 * mev / energy.emitted_mev } else { 0.0 };
    let (deposited, escaped) = (percent(energy.deposited_mev), percent(energy.escaped_mev));
    let balance = format!(
        "{:.4e} MeV emitted, {deposited:.2} % deposited in the grid, {escaped:.2} % escaped or not followed",
        energy.emitted_mev
    );
    let mut lines = vec![("energy", balance)];
    if energy.voxels_without_dose > 0 {
        let (voxels, without_dose) = (words::voxels(energy.voxels_without_dose), percent(energy.without_dose_mev));
        let text = format!("{voxels} below the minimum density, with {without_dose:.3} % of the energy");
        lines.push(("no dose", text));
    }
    lines
}

/// The daughters that decay with the nuclide of a map, and those that are left out.
fn decaying(source: &SourceAccount) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let [parent, daughters @ ..] = source.members.as_slice()
        && !daughters.is_empty()
    {
        let how_often = |member: &MemberAccount| format!("{} {:.4}", member.nuclide, member.decays_per_decay);
        let daughters: Vec<String> = daughters.iter().map(how_often).collect();
        lines.push(("daughters", format!("per decay of {}: {}", parent.nuclide, daughters.join(", "))));
    }
    let half_life = |left: &LeftOut| format!("{} ({:.3e} h)", left.name, left.half_life_s / 3600.0);
    for (reason, why) in [
        (LeftOutReason::LongLived, "half-life too long for equilibrium"),
        (LeftOutReason::NobleGas, "as a gas it leaves the tissue; --daughters equilibrium-with-gases counts it"),
    ] {
        let left_out = source.left_out.iter().filter(|left| left.reason == reason);
        let names: Vec<String> = left_out.map(half_life).collect();
        if !names.is_empty() {
            lines.push(("left out", format!("{}: {why}", names.join(", "))));
        }
    }
    lines
}

/// The number of histories, why they stopped, and their uncertainty.
fn transport(account: &MonteCarloAccount) -> String {
    let MonteCarloAccount { histories, seed, stopped_by, relative_sigma, sigma_region, histories_per_s, .. } = account;
    let mut text = format!("{histories} histories, seed {seed}, stopped by {}", stopped_by.name());
    if *stopped_by == StopReason::Interrupted {
        text += ": a part of what was asked for";
    }
    if let Some(rate) = histories_per_s {
        write!(text, ", {rate:.3e} per second").expect("a string takes all text");
    }
    if let Some(sigma) = relative_sigma {
        write!(text, "; 1σ is {:.2} % on average ({sigma_region})", 100.0 * sigma).expect("a string takes all text");
    }
    if let Some(TargetAccount { relative, reached }) = account.target {
        let became = if reached { "reached" } else { "NOT reached" };
        write!(text, "; the target of {} % is {became}", 100.0 * relative).expect("a string takes all text");
    }
    text
}

/// The regions that the target asks for their mean dose alone, and how uncertain their voxels are.
fn held_to_mean(account: &MonteCarloAccount) -> Option<String> {
    let held = account.regions.iter().filter(|region| region.held_to == Some(HeldTo::Mean));
    let words = |region: &RegionDose| match region.voxel_relative_sigma {
        Some(sigma) => format!("{} ({:.1} %)", region.label, 100.0 * sigma),
        None => region.label.to_string(),
    };
    let labels: Vec<String> = held.map(words).collect();
    let text = "the target is one of the mean dose, not of the voxels (their 1σ), for the labels";
    (!labels.is_empty()).then(|| format!("{text} {}", labels.join(", ")))
}

fn organ_table(organs: &[OrganDose]) -> String {
    let largest = organs.iter().filter_map(|organ| organ.max_gy).fold(0.0, f64::max);
    let unit = DoseUnit::fitting(largest);
    let mut text = format!(
        "\n{:>5}  {:<20} {:>8} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}\n",
        "label", "name", "voxels", "mass g", "dose", "1σ %", "by volume", "max", "D95"
    );
    let figure = |gy: Option<f64>| gy.map_or_else(|| "-".to_owned(), |gy| unit.figure(gy));
    for organ in organs {
        let sigma = organ.mean_by_mass_sigma_gy.zip(organ.mean_by_mass_gy).map(|(sigma, mean)| 100.0 * sigma / mean);
        let sigma =
            sigma.filter(|percent| percent.is_finite()).map_or_else(|| "-".to_owned(), |sigma| format!("{sigma:.2}"));
        let marked = |name: &str, value| format!("{}{}", figure(value), if organ.is_moved(name) { MOVED } else { "" });
        writeln!(
            text,
            "{:>5}  {:<20} {:>8} {:>10} {:>10} {sigma:>10} {:>10} {:>10} {:>10}",
            organ.label,
            organ.name,
            organ.voxels,
            significant(organ.mass_g, DIGITS),
            figure(organ.mean_by_mass_gy),
            figure(organ.mean_gy),
            marked("max_gy", organ.max_gy),
            marked("d95_gy", organ.d95_gy)
        )
        .expect("a string takes all text");
    }
    writeln!(text, "Doses in {unit}. dose: energy over mass; by volume: mean of the voxels' doses").expect("as above");
    text.push_str(&not_counted(organs));
    text.push_str(&what_noise_did(organs, unit));
    text
}

/// The volume of each organ that has no dose and is in no figure.
fn not_counted(organs: &[OrganDose]) -> String {
    let excluded = organs.iter().filter(|organ| organ.voxels_without_dose > 0);
    let volumes: Vec<String> = excluded
        .map(|organ| format!("{} {} cm³", organ.name, significant(organ.excluded_volume_cm3, DIGITS)))
        .collect();
    if volumes.is_empty() {
        return String::new();
    }
    format!("Not counted, below the minimum density: {}\n", volumes.join(", "))
}

/// What the mark of moved figures means, and D95 without noise where it has the mark.
fn what_noise_did(organs: &[OrganDose], unit: DoseUnit) -> String {
    if !organs.iter().any(|organ| organ.is_moved("max_gy") || organ.is_moved("d95_gy")) {
        return String::new();
    }
    let share = 100.0 * MARKED_SHARE;
    let mut text = format!("{MOVED} moved by noise by more than {share} % of itself; more histories move it less\n");
    let moved: Vec<&OrganDose> = organs.iter().filter(|organ| organ.is_moved("d95_gy")).collect();
    let estimate = |organ: &&OrganDose| match organ.d95_without_noise_gy() {
        Some(gy) => format!("{} {}", organ.name, unit.figure(gy)),
        None => format!("{} not known", organ.name),
    };
    if !moved.is_empty() {
        let estimates: Vec<String> = moved.iter().map(estimate).collect();
        writeln!(text, "  D95 without noise, estimated: {}", estimates.join(", ")).expect("as above");
    }
    text
}
