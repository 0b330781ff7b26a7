//! The flag of each field of a request: the one place that knows both names.

use crate::domain::{Checks, DoseError, Violation};
use crate::request::{MISSING, pattern};

/// Paths of a header and their flags, without dashes. A `*` at the end stands for anything; the longest entry that
/// matches counts.
const FLAGS: &[(&str, &str)] = &[
    ("activity*", "activity"),
    ("activity_unit", "activity-unit"),
    ("activity_unit.*", "effective-half-life"),
    ("activity_unit.bq.imaged_after_s", "imaged-after"),
    ("activity_unit.bq.decay_corrected_to", "decay-corrected-to"),
    ("activity_unit.kbq.imaged_after_s", "imaged-after"),
    ("activity_unit.kbq.decay_corrected_to", "decay-corrected-to"),
    ("activity_unit.mbq.imaged_after_s", "imaged-after"),
    ("activity_unit.mbq.decay_corrected_to", "decay-corrected-to"),
    ("activity_unit.bq_per_ml.imaged_after_s", "imaged-after"),
    ("activity_unit.bq_per_ml.decay_corrected_to", "decay-corrected-to"),
    ("activity_unit.kbq_per_ml.imaged_after_s", "imaged-after"),
    ("activity_unit.kbq_per_ml.decay_corrected_to", "decay-corrected-to"),
    ("activity_unit.mbq_per_ml.imaged_after_s", "imaged-after"),
    ("activity_unit.mbq_per_ml.decay_corrected_to", "decay-corrected-to"),
    ("density*", "density"),
    ("ct*", "ct"),
    ("ct_calibration*", "hu-curve"),
    ("labels*", "labels"),
    ("organ_volumes*", "labels"),
    ("label_names", "label-names"),
    ("dose_grid*", "dose-grid"),
    ("activity_to_ct_mm", "transform"),
    ("max_activity_outside", "max-activity-outside"),
    ("value_repair.nan", "nan"),
    ("value_repair.negative", "negative"),
    ("return_dose_on_ct", "dose-on-ct"),
    ("materials*", "material-map"),
    ("nuclide", "nuclide"),
    ("emissions*", "emissions"),
    ("daughters", "daughters"),
    ("daughters.in_growth", "integration-time"),
    ("daughter_maps*", "daughter-activity"),
    ("injected_activity_bq", "injected-activity"),
    ("integrated_from*", "activity-unit"),
    ("biological_weighting.alpha", "rbe-alpha"),
    ("biological_weighting.recoil", "rbe-recoil"),
    ("method", "method"),
    ("method.local.minimum_density_g_cm3", "minimum-density"),
    ("method.kernel.minimum_density_g_cm3", "minimum-density"),
    ("method.kernel.medium", "kernel-medium"),
    ("method.kernel.density_correction", "density-correction"),
    ("method.kernel.truncation_radius_mm", "truncation-radius"),
    ("method.monte_carlo.histories", "histories"),
    ("method.monte_carlo.first_history", "first-history"),
    ("method.monte_carlo.target_uncertainty.relative", "target-uncertainty"),
    ("method.monte_carlo.target_uncertainty.dose_fraction", "target-fraction"),
    ("method.monte_carlo.target_uncertainty.label", "target-label"),
    ("method.monte_carlo.time_limit_s", "time-limit"),
    ("method.monte_carlo.minimum_density_g_cm3", "minimum-density"),
    ("method.monte_carlo.cuts.absorption_mev", "absorption-energy"),
    ("method.monte_carlo.cuts.collision_mev", "collision-cut"),
    ("method.monte_carlo.cuts.photon_mev", "photon-cut"),
    ("method.monte_carlo.cuts.track_length_mev", "track-length-below"),
    ("method.monte_carlo.return_tally", "tally-output"),
    ("method.monte_carlo.medium", "material"),
    ("method.monte_carlo.medium.uniform*", "material"),
    ("method.monte_carlo.medium.table*", "material-table"),
];

/// The entry of a path; none for one that no header has.
fn entry(path: &str) -> Option<&'static (&'static str, &'static str)> {
    let path = pattern(path);
    let holds = |key: &str| key.strip_suffix('*').map_or(key == path, |start| path.starts_with(start));
    FLAGS.iter().filter(|(key, _)| holds(key)).max_by_key(|(key, _)| key.len())
}

/// A fault of a header in the words of the command line. A path that does not belong to a header stays as it is.
///
/// * `density` – the flag that gives the density: `density` or `ct`
pub(super) fn by_flag(Violation { field, reason }: Violation, density: &str) -> Violation {
    let Some((_, flag)) = entry(&field) else { return Violation { field, reason } };
    let flag = if *flag == "density" { density } else { *flag };
    // The unit of an activity at one moment, and what of it is at fault.
    let moment = field.strip_prefix("activity_unit.").and_then(|rest| rest.split_once('.'));
    let reason = match (moment, field.as_str(), reason.as_str()) {
        (Some((unit, "half_life")), _, MISSING) => {
            format!("is needed with the unit {}: a time such as 50h, or `physical`", unit.replace('_', "-"))
        }
        (Some((_, "physical")), _, _) => "`physical` needs --nuclide, whose half-life it is".to_owned(),
        (_, "density", _) => reason.replace("a density volume", "--density or --ct"),
        (_, _, MISSING) => format!("--{flag} is needed"),
        (_, _, _) => reason,
    };
    Violation { field: flag.to_owned(), reason }
}

/// What is not at fault; else the faults are recorded by their flags, as [`by_flag`] names them.
pub(super) fn recorded<T>(result: Result<T, DoseError>, density: &str, checks: &mut Checks) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(DoseError::Invalid(faults)) => {
            for fault in faults {
                let Violation { field, reason } = by_flag(fault, density);
                checks.fail(field, reason);
            }
            None
        }
        Err(other) => {
            checks.fail("request", other.to_string());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::intake;
    use crate::request::{OF_PLAN, paths};

    #[test]
    fn every_path_of_a_header_has_a_flag_that_exists() {
        let command = <crate::cli::compute::Args as clap::Args>::augment_args(clap::Command::new("compute"));
        let known: BTreeSet<&str> = command.get_arguments().filter_map(clap::Arg::get_long).collect();
        let mut used = BTreeSet::new();
        let of_intake = intake::paths().iter().copied();
        for path in paths().iter().map(String::as_str).chain(OF_PLAN.iter().copied()).chain(of_intake) {
            let (key, flag) = entry(path).unwrap_or_else(|| panic!("{path} has no flag"));
            assert!(known.contains(flag), "{path}: there is no flag --{flag}");
            used.insert(*key);
        }
        let unused: Vec<&str> = FLAGS.iter().map(|(key, _)| *key).filter(|key| !used.contains(key)).collect();
        assert_eq!(unused, [""; 0], "no path of a header is so");
    }

    #[test]
    fn faults_are_told_in_the_words_of_flags() {
        let told = |field: &str, reason: &str| {
            let told = by_flag(Violation { field: field.into(), reason: reason.into() }, "density");
            format!("{}: {}", told.field, told.reason)
        };
        assert_eq!(told("activity", MISSING), "activity: --activity is needed");
        assert_eq!(told("materials.grid.shape", "is bad"), "material-map: is bad");
        assert_eq!(told("daughter_maps[3].activity_unit", "is bad"), "daughter-activity: is bad");
        assert_eq!(told("chunk.data", "is bad"), "chunk.data: is bad");
        let needs = "the method local needs a density volume";
        assert_eq!(told("density", needs), "density: the method local needs --density or --ct");
    }
}
