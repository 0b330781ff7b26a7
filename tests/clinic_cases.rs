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
