//! Answers files of cases by the public functions of the library: time-activity curves and what follows from them.
//!
//!     cargo run --release --example clinic_cases -- FOLDER OUT
//!
//! Every `.json` file of FOLDER with a known `format` is read; the answer to each case goes to
//! `OUT/<file without .json>/<case id>.json`, with the names that stand under `expected` there, or `{"error": "…"}`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use dosegrid::domain::{DoseError, Invalid};
use dosegrid::physics::nuclide;
use serde_json::{Value, json};

#[path = "clinic_cases/bed.rs"]
mod bed;
#[path = "clinic_cases/curves.rs"]
mod curves;
#[path = "clinic_cases/dose_volume.rs"]
mod dose_volume;
#[path = "clinic_cases/partial_volume.rs"]
mod partial_volume;
#[path = "clinic_cases/removal.rs"]
mod removal;
#[path = "clinic_cases/single_time_point.rs"]
mod single_time_point;
#[path = "clinic_cases/uncertainty.rs"]
mod uncertainty;
#[path = "clinic_cases/voxels.rs"]
mod voxels;

/// What a case gave: its id and the answer.
type Answers = Vec<(String, Result<Value, DoseError>)>;

/// Answers all cases of a file, with the folder that holds the files it names.
type Reader = fn(&Value, &Path) -> Answers;

/// The formats that are known; one small file for each.
const FORMATS: &[(&str, Reader)] = &[
    ("clinic-bed-1", bed::answers),
    ("clinic-dose-volume-1", dose_volume::answers),
    ("clinic-partial-volume-1", partial_volume::answers),
    ("clinic-curves-1", curves::answers),
    ("clinic-removal-1", removal::answers),
    ("clinic-single-time-point-1", single_time_point::answers),
    ("clinic-voxels-1", voxels::answers),
    ("clinic-uncertainty-1", uncertainty::answers),
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [folder, out] = arguments.as_slice() else {
        return Err("usage: clinic_cases FOLDER OUT".into());
    };
    let entries: Vec<fs::DirEntry> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    let mut files: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    for file in files {
        let name = file.file_stem().ok_or("a file without a name")?;
        let cases: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
        let Some((_, answers)) = FORMATS.iter().find(|(format, _)| cases["format"] == *format) else {
            eprintln!("{}: its format is not known", file.display());
            continue;
        };
        let place = out.join(name);
        fs::create_dir_all(&place)?;
        let answers = answers(&cases, folder);
        println!("{}: {} cases", name.display(), answers.len());
        for (id, answer) in answers {
            let answer = answer.unwrap_or_else(|error| json!({ "error": error.to_string() }));
            fs::write(place.join(format!("{id}.json")), serde_json::to_string_pretty(&answer)? + "\n")?;
        }
    }
    Ok(())
}

/// The cases of a list, each with its id.
fn each<'a>(
    file: &'a Value,
    list: &str,
    answer: impl Fn(&'a Value) -> Result<Value, DoseError> + 'a,
) -> impl Iterator<Item = (String, Result<Value, DoseError>)> + 'a {
    let cases = file[list].as_array().into_iter().flatten();
    cases.map(move |case| (case["id"].as_str().unwrap_or_default().to_owned(), answer(case)))
}

/// A number of a case that it must have; text such as `"NaN"` counts as one.
fn number(value: &Value, name: &str) -> Result<f64, DoseError> {
    optional(value, name)?.ok_or_else(|| DoseError::invalid(name, "is missing"))
}

/// A number of a case that it may have; null is none.
fn optional(value: &Value, name: &str) -> Result<Option<f64>, DoseError> {
    match &value[name] {
        Value::Null => Ok(None),
        Value::Number(number) => Ok(number.as_f64()),
        Value::String(text) if text.parse::<f64>().is_ok() => Ok(text.parse().ok()),
        other @ (Value::String(_) | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            Err(DoseError::invalid(name, format!("must be a number, got {other}")))
        }
    }
}

/// Physical half-life of a case [h]: as it is given, or of the nuclide that it names; none without either.
fn physical_half_life_h(case: &Value) -> Result<Option<f64>, DoseError> {
    let of = |name: &str| nuclide::find(name).map_err(|Invalid(reason)| DoseError::invalid("nuclide", reason));
    let given = optional(case, "physical_half_life_h")?;
    let named = case["nuclide"].as_str().filter(|_| given.is_none()).map(of).transpose()?;
    Ok(given.or(named.map(|nuclide| nuclide.half_life_s / 3600.0)))
}

/// The members of a list of a case that it may have.
fn members<'a>(value: &'a Value, name: &str) -> Result<&'a [Value], DoseError> {
    match &value[name] {
        Value::Null => Ok(&[]),
        Value::Array(members) => Ok(members),
        other @ (Value::Number(_) | Value::String(_) | Value::Bool(_) | Value::Object(_)) => {
            Err(DoseError::invalid(name, format!("must be a list, got {other}")))
        }
    }
}

/// A list of numbers of a case.
fn numbers(value: &Value, name: &str) -> Result<Vec<f64>, DoseError> {
    let number = |member: &Value| member.as_f64().ok_or_else(|| DoseError::invalid(name, "must be a list of numbers"));
    if value[name].is_null() {
        return Err(DoseError::invalid(name, "is missing"));
    }
    members(value, name)?.iter().map(number).collect()
}

/// A value of the library as JSON.
fn written(value: impl serde::Serialize) -> Result<Value, DoseError> {
    serde_json::to_value(value).map_err(|error| DoseError::Internal(error.to_string()))
}
