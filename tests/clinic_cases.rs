//! Cases of time integration and what follows from it, with right values from independent code. They may not be
//! redistributed: the test is ignored where the folder is absent.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::{built_example, clinic_cases};

/// Values of a fit besides its parameters: chi-square, criteria, parts of the integral, elements of the covariance.
const FIT_TOLERANCE: f64 = 0.01;
/// Chi-square of a fit to data without noise, and what is nothing beside 1.
const ABSOLUTE: f64 = 1e-6;

/// What a case may be off by, by the names in its `tolerance`.
struct Tolerance<'a>(&'a Value);

impl Tolerance<'_> {
    fn named(&self, name: &str) -> Option<f64> {
        self.0[name].as_f64()
    }

    /// Relative and absolute tolerance of a value, by the path to it.
    fn of(&self, path: &str) -> [f64; 2] {
        let last = path.rsplit('.').next().unwrap_or_default();
        let specific = if last.starts_with("tia_sigma") {
            self.named("tia_sigma_relative").or(self.named("sigma_relative"))
        } else if last.starts_with("tia") || last.contains("sum") {
            self.named("sum_relative").filter(|_| last.contains("sum")).or(self.named("tia_relative"))
        } else if path.contains(".parameters.") || last.starts_with("half_lives") {
            self.named("parameters_relative")
        } else {
            None
        };
        let relative = specific.or(self.named("relative")).unwrap_or(FIT_TOLERANCE);
        [relative, self.named("absolute").unwrap_or(if specific.is_some() { 0.0 } else { ABSOLUTE })]
    }
}

/// Every difference of an answer from what is expected.
fn differences(path: &str, expected: &Value, found: &Value, tolerance: &Tolerance, into: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(members), _) => {
            for (name, member) in members.iter().filter(|(name, _)| !is_for_information(path, name, members)) {
                differences(&format!("{path}.{name}"), member, &found[name], tolerance, into);
            }
        }
        (Value::Array(members), Value::Array(others)) if members.len() == others.len() => {
            for (number, (member, other)) in members.iter().zip(others).enumerate() {
                let at = if member.is_object() { format!("{path}.{number}") } else { path.to_owned() };
                differences(&at, member, other, tolerance, into);
            }
        }
        (Value::Number(_), Value::Number(_)) => {
            let [expected, found] = [expected, found].map(|value| value.as_f64().expect("a number"));
            let [relative, absolute] = tolerance.of(path);
            let is_near = (found - expected).abs() <= relative * expected.abs() + absolute;
            if !is_near {
                into.push(format!("{path}: {found}, expected {expected}"));
            }
        }
        _ if expected == found => {}
        _ => into.push(format!("{path}: {found}, expected {expected}")),
    }
}

/// Figures of a model that was not admitted are not compared: it need not have converged to the same place.
fn is_for_information(path: &str, name: &str, members: &serde_json::Map<String, Value>) -> bool {
    name.starts_with("for_information")
        || name == "note"
        || path.contains(".selection") && members["admitted"] == false && !["model", "admitted"].contains(&name)
}

/// The cases under a name: of a list, or one alone.
fn cases_of<'a>((name, value): (&'a String, &'a Value)) -> Vec<(&'a String, &'a Value)> {
    match value {
        Value::Array(cases) => cases.iter().map(|case| (name, case)).collect(),
        Value::Object(members) if members.contains_key("id") => vec![(name, value)],
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => Vec::new(),
    }
}

#[test]
#[cfg_attr(no_clinic_cases, ignore = "the cases of time integration were not found when this was built")]
fn every_case_has_its_right_values() {
    let folder = clinic_cases();
    let out = tempfile::tempdir().expect("a folder");
    let run = Command::new(built_example("clinic_cases")).arg(&folder).arg(out.path()).output().expect("it runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let (mut compared, mut wrong) = (0, Vec::new());
    // Every file of cases, so that one without an answer is a fault.
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder).expect("cases").map(|file| file.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    for file in files {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let answers = out.path().join(&name);
        let text = fs::read_to_string(&file).expect("the cases");
        let cases: Value = serde_json::from_str(&text).expect("JSON");
        for (list, case) in cases.as_object().expect("an object").iter().flat_map(cases_of) {
            let id = case["id"].as_str().expect("a case has an id");
            let answer = fs::read_to_string(answers.join(format!("{id}.json")));
            let answer = answer.unwrap_or_else(|error| panic!("{name}, {id}: {error}"));
            let answer: Value = serde_json::from_str(&answer).expect("JSON");
            if list == "refusals" {
                assert!(answer["error"].is_string(), "{name}, {id} is not refused: {answer}");
            } else {
                let tolerance = Tolerance(&case["tolerance"]);
                differences(&format!("{name}, {id}"), &case["expected"], &answer, &tolerance, &mut wrong);
            }
            compared += 1;
        }
    }
    println!("{compared} cases");
    assert!(compared >= 79, "only {compared} cases were compared");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn cases_that_are_not_well_formed_are_refused() {
    let bed = serde_json::json!({
        "doses_gy": [1.0, 2.0, 3.0], "effective_half_lives_h": [50.0, 40.0], "interval_h": 1000.0,
        "alpha_beta_gy": 2.6, "repair_half_time_h": 2.8,
    });
    let session = serde_json::json!({ "start_h": 1.0, "duration_h": 4.0, "clearance_half_time_h": 3.0 });
    let removed = |sessions: Value| {
        serde_json::json!({
            "activity_at_zero_mbq": 100.0, "physical_half_life_h": 159.0, "sessions": sessions,
        })
    };
    let region = |more: Value| {
        let mut given = serde_json::json!({ "recovery_coefficient": 0.5, "measured_activity_mbq": 1.0 });
        given.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        given
    };
    let files = [
        ("clinic-bed-1", "cycles", vec![bed]),
        ("clinic-removal-1", "refusals", vec![removed(session.clone()), removed(serde_json::json!("none"))]),
        (
            "clinic-partial-volume-1",
            "refusals",
            vec![
                region(serde_json::json!({ "background_mbq_per_cm3": 0.1 })),
                region(serde_json::json!({ "volume_cm3": -2.0 })),
                region(serde_json::json!({ "already_corrected": "yes" })),
            ],
        ),
    ];
    let (folder, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    for (format, list, cases) in &files {
        let cases: Vec<Value> = cases
            .iter()
            .zip(0..)
            .map(|(given, id)| serde_json::json!({ "id": id.to_string(), "given": given }))
            .collect();
        let file = serde_json::json!({ "format": format, (*list): cases });
        fs::write(folder.path().join(format!("{format}.json")), file.to_string()).expect("a writable folder");
    }
    let run = Command::new(built_example("clinic_cases")).arg(folder.path()).arg(out.path()).output().expect("it runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    for (format, _, cases) in files {
        for (id, given) in cases.iter().enumerate() {
            let answer = fs::read_to_string(out.path().join(format).join(format!("{id}.json"))).expect("an answer");
            let answer: Value = serde_json::from_str(&answer).expect("JSON");
            assert!(answer["error"].is_string(), "{format}, {given}: {answer}");
        }
    }
}

#[test]
fn a_difference_is_found() {
    let case = serde_json::json!({
        "expected": { "tia_mbq_h": 10.0, "flags": ["a"], "model": null, "covariance": [[1.0, 2.0]] },
        "tolerance": { "tia_relative": 1e-4 },
    });
    let found = |answer: Value| {
        let mut wrong = Vec::new();
        differences("x", &case["expected"], &answer, &Tolerance(&case["tolerance"]), &mut wrong);
        wrong.len()
    };
    assert_eq!(found(case["expected"].clone()), 0);
    assert_eq!(found(serde_json::json!({})), 3);
    let other = serde_json::json!({ "tia_mbq_h": 10.002, "flags": ["b"], "model": 1, "covariance": [[1.0, 2.5]] });
    assert_eq!(found(other), 4);
}
