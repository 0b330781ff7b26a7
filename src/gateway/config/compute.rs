//! How a dose is computed: keys of a rule, and the flags of `dosegrid study` that they stand for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Limits;
use super::section::{Faults, Section, time_of};
use crate::domain::{Invalid, Violation};
use crate::physics::nuclide;

/// Limits where nothing is said.
const MEMORY_MIB: u32 = 16_384;
const TIME: Duration = Duration::from_secs(4 * 3600);
/// A Monte Carlo run without a limit of its own ends after five minutes; with it in the result, so is the machine.
const METHODS: [&str; 3] = ["local", "kernel", "monte-carlo"];

/// What a value has to be.
#[derive(Clone, Copy)]
enum Check {
    Number,
    Time,
    Text,
    File,
    Words(&'static [&'static str]),
    Switch,
}

/// Keys, their flags, and what their values have to be.
const KEYS: [(&str, &str, Check); 22] = [
    ("method", "--method", Check::Words(&METHODS)),
    ("effective_half_life", "--effective-half-life", Check::Time),
    (
        "single_time_point",
        "--single-time-point",
        Check::Words(&["physical", "population_half_life", "haenscheid", "prior_curve"]),
    ),
    ("half_life_h", "--half-life", Check::Number),
    ("half_life_sd", "--half-life-sd", Check::Number),
    ("model", "--model", Check::Text),
    ("infusion_h", "--infusion", Check::Number),
    ("calibration", "--calibration", Check::Number),
    ("acquisition_seconds", "--acquisition-seconds", Check::Number),
    ("dose_grid", "--dose-grid", Check::Text),
    ("hu_curve", "--hu-curve", Check::File),
    ("max_activity_outside", "--max-activity-outside", Check::Number),
    ("negative", "--negative", Check::Words(&["refuse", "zero", "zero-keep-total"])),
    ("histories", "--histories", Check::Number),
    ("target_uncertainty", "--target-uncertainty", Check::Number),
    ("time_limit", "--time-limit", Check::Time),
    ("device", "--device", Check::Text),
    ("report_language", "--report-language", Check::Words(&["en", "nl", "fr"])),
    ("strict", "--strict", Check::Switch),
    ("aligned", "--aligned", Check::Switch),
    ("voxelwise", "--voxelwise", Check::Switch),
    ("weighting", "--weighting", Check::Words(&["sigma", "relative", "poisson", "none"])),
];

/// How a dose is computed.
#[derive(Default)]
pub(super) struct Options {
    pub(super) words: Vec<(&'static str, String)>,
    pub(super) calibration: Option<(f64, Option<f64>)>,
    pub(super) files: Vec<PathBuf>,
}

pub(super) fn options(section: Option<Section<'_, '_>>, base: &Path, faults: &mut Faults<'_>) -> Options {
    let mut options = Options::default();
    let Some(mut section) = section else { return options };
    let before = faults.count();
    if let Some(name) = section.text("nuclide", faults) {
        match nuclide::find(&name) {
            Ok(nuclide) => options.words.push(("--nuclide", nuclide.name.clone())),
            Err(Invalid(reason)) => section.fault("nuclide", &reason, faults),
        }
    }
    let mut numbers = (None, None);
    for (key, flag, check) in KEYS {
        let value = match check {
            Check::Switch => section.is_set(key, faults).then(String::new),
            Check::Number => {
                let number = section.number(key, faults);
                match key {
                    "calibration" => numbers.0 = number,
                    "acquisition_seconds" => numbers.1 = number,
                    _ => {}
                }
                number.map(|number| number.to_string())
            }
            Check::Text | Check::File | Check::Time | Check::Words(_) => section.text(key, faults),
        };
        let Some(value) = value else { continue };
        match check {
            Check::Time if value != "physical" && time_of(&value).is_none() => {
                let reason = format!("is a number with the unit s, min, h or d, such as 50h; got `{value}`");
                section.fault(key, &reason, faults);
            }
            Check::Words(words) if !words.contains(&value.as_str()) => {
                section.fault(key, &format!("is one of {}; got `{value}`", words.join(", ")), faults);
            }
            Check::File => {
                let path = base.join(&value);
                if !path.is_file() {
                    section.fault(key, &format!("{} is no file", path.display()), faults);
                }
                options.words.push((flag, path.display().to_string()));
                options.files.push(path);
                continue;
            }
            Check::Number | Check::Time | Check::Text | Check::Words(_) | Check::Switch => {}
        }
        options.words.push((flag, value));
    }
    let has = |flag: &str| options.words.iter().any(|(own, _)| *own == flag);
    if has("--effective-half-life") && has("--single-time-point") {
        section.fault("effective_half_life", "and single_time_point are two ways; take one", faults);
    }
    if has("--acquisition-seconds") && !has("--calibration") {
        section.fault("acquisition_seconds", "has no effect without `calibration`", faults);
    }
    if faults.count() == before {
        judge(&section, &options.words, faults);
    }
    options.calibration = numbers.0.map(|cps| (cps, numbers.1));
    section.finish(faults);
    options
}

/// Records what `study` would refuse when it runs, at the keys of its flags.
fn judge(section: &Section<'_, '_>, words: &[(&'static str, String)], faults: &mut Faults<'_>) {
    let mut line = Vec::new();
    for (flag, value) in words {
        line.push((*flag).to_owned());
        line.extend((!value.is_empty()).then(|| value.clone()));
    }
    for Violation { field, reason } in faults.judged(&line) {
        let key = KEYS.iter().find(|(_, flag, _)| flag.trim_start_matches('-') == field).map(|(key, ..)| *key);
        match key.or((field == "nuclide").then_some("nuclide")) {
            Some(key) => section.fault(key, &reason, faults),
            None => faults.at(section.place(""), format!("rule.compute: {field}: {reason}")),
        }
    }
}

pub(super) fn limits(section: Option<Section<'_, '_>>, faults: &mut Faults<'_>) -> Limits {
    let Some(mut section) = section else { return Limits { memory_mib: MEMORY_MIB.into(), time: TIME } };
    let memory_mib = section.count("memory_mib", faults).unwrap_or(MEMORY_MIB).into();
    let time = section.time("time", TIME, faults);
    section.finish(faults);
    Limits { memory_mib, time }
}
