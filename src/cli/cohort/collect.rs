//! The results of all studies as one table: a row for each organ of each study.

mod typed;

use std::io;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::ledger::{Entry, Ledger};
use super::manifest::Line;
use super::one::{Task, digest_of};
use super::tissues::{Kinetics, Tissues};
use super::{Cohort, cannot_write, folder_of};
use crate::clinic::{Curve, region_name};
use crate::domain::{DoseError, Invalid};
use crate::formats::atomic::write_file;
use crate::formats::organ_table::{self, OrganRow};
use crate::formats::{parquet_table, prior_curves};
use crate::report::cohort_page::marked;

/// An organ of a study. Columns have their units in their names; what does not exist is empty.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Row {
    pub(super) patient: String,
    pub(super) study: String,
    pub(super) centre: String,
    pub(super) cycle: String,
    pub(super) nuclide: String,
    pub(super) organ: String,
    label: Option<u16>,
    volume_cm3: Option<f64>,
    counted_mass_g: Option<f64>,
    pub(super) mean_by_mass_gy: Option<f64>,
    mean_by_mass_sigma_gy: Option<f64>,
    d98_gy: Option<f64>,
    d50_gy: Option<f64>,
    d2_gy: Option<f64>,
    administered_mbq: Option<f64>,
    pub(super) mean_by_mass_gy_per_injected_gbq: Option<f64>,
    pub(super) time_integrated_activity_mbq_h: Option<f64>,
    time_integrated_activity_sigma_mbq_h: Option<f64>,
    pub(super) time_integrated_activity_coefficient_h: Option<f64>,
    time_points: usize,
    model: String,
    effective_half_life_h: Option<f64>,
    flags: String,
    alpha_beta_gy: Option<f64>,
    bed_of_mean_dose_gy: Option<f64>,
    eqd2_of_mean_dose_gy: Option<f64>,
    /// Whether the dose is marked among those of its organ and nuclide.
    pub(super) outlier: bool,
    method: String,
    version: String,
    commit: String,
    nuclide_data_sha256: String,
    inputs_sha256: String,
    dose_sha256: String,
}

/// A study, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct StudyRow {
    pub(super) line: u64,
    pub(super) patient: String,
    pub(super) study: String,
    pub(super) centre: String,
    pub(super) cycle: String,
    /// done, failed or left.
    pub(super) state: &'static str,
    pub(super) reason: String,
    pub(super) seconds: Option<f64>,
    organs: usize,
    warnings: usize,
}

/// All of it.
pub(super) struct Collected {
    pub(super) rows: Vec<Row>,
    pub(super) studies: Vec<StudyRow>,
}

/// Reads what the studies of the manifest have written. One whose results cannot be read has failed, and is noted so.
///
/// # Errors
/// If that cannot be noted.
pub(super) fn of(cohort: &Cohort, tasks: &[(&Line, Task)], ledger: &Ledger) -> Result<Collected, DoseError> {
    let mut collected = Collected { rows: Vec::new(), studies: Vec::new() };
    for (line, task) in tasks {
        let entry = ledger.last(&task.study).filter(|entry| entry.key == task.key);
        let mut study = StudyRow {
            line: line.number,
            patient: cohort.salt.pseudonym('P', &line.patient),
            study: task.study.clone(),
            centre: line.centre.clone(),
            cycle: line.cycle.clone(),
            state: "left",
            reason: String::new(),
            seconds: entry.as_ref().map(|entry| entry.seconds),
            organs: 0,
            warnings: 0,
        };
        match &entry {
            Some(Entry { reason: Some(reason), .. }) => (study.state, study.reason) = ("failed", reason.clone()),
            Some(entry) => {
                let folder = folder_of(&cohort.args.output, &task.study);
                match rows(&cohort.tissues, line, &study, entry, &folder) {
                    Ok((rows, warnings)) => {
                        (study.state, study.organs, study.warnings) = ("done", rows.len(), warnings);
                        collected.rows.extend(rows);
                    }
                    Err(reason) => {
                        ledger.note(Entry { reason: Some(reason.clone()), ..entry.clone() })?;
                        (study.state, study.reason) = ("failed", reason);
                    }
                }
            }
            None => {}
        }
        collected.studies.push(study);
    }
    collected.mark();
    Ok(collected)
}

/// Why a result does not count; where it lies is left out.
fn unread(name: &str, error: &dyn std::fmt::Display) -> String {
    format!("its {name} cannot be read back: {error}")
}

fn json(folder: &Path, name: &str) -> Result<Value, String> {
    let failed = |error: &dyn std::fmt::Display| unread(name, error);
    let bytes = std::fs::read(folder.join(name)).map_err(|error| failed(&error))?;
    serde_json::from_slice(&bytes).map_err(|error| failed(&error))
}

/// The rows of a study, and how many warnings it has.
fn rows(
    tissues: &Tissues,
    line: &Line,
    study: &StudyRow,
    entry: &Entry,
    folder: &Path,
) -> Result<(Vec<Row>, usize), String> {
    let [about, result] = [json(folder, "study.json")?, json(folder, "result.json")?];
    let organs = organs(folder, about["labels_series_uid"].is_string())?;
    let path = folder.join("curves.json");
    let (curves, parameters) = if path.exists() {
        // By voxel there are no curves of regions.
        (json(folder, "curves.json")?, prior_curves::read(&path).unwrap_or_default())
    } else {
        (Value::Null, Vec::new())
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let common = Row {
        patient: study.patient.clone(),
        study: study.study.clone(),
        centre: line.centre.clone(),
        cycle: line.cycle.clone(),
        nuclide: text(&about["nuclide"]),
        administered_mbq: about["administered_activity_mbq"].as_f64(),
        time_points: about["time_points"].as_array().map_or(0, Vec::len),
        method: text(&result["method"]),
        version: text(&result["version"]),
        commit: text(&result["commit"]),
        nuclide_data_sha256: text(&result["nuclide_data_sha256"]),
        inputs_sha256: entry.inputs_sha256.clone().unwrap_or_default(),
        dose_sha256: digest_of(&folder.join("dose.nii.gz")).map_err(|error| unread("dose", &error))?,
        ..Row::default()
    };
    let infusion_h = about["infusion_h"].as_f64().unwrap_or(0.0);
    let half_life_h = result["activity"]["half_life_s"].as_f64().map(|seconds| seconds / 3600.0);
    let row = |organ: &OrganRow| {
        // As its curve is called: organs may share a name.
        let region = match organ.label {
            Some(label) => region_name(&organ.name, label, organs.iter().map(|other| other.name.as_str())),
            None => organ.name.clone(),
        };
        let curve = &curves["regions"][&region];
        let own = parameters.iter().find(|(name, _)| *name == region).map(|(_, curve)| curve);
        let row = of_organ(&common, organ, region, curve);
        let kinetics = own.map(Kinetics::Curve).or(half_life_h.map(Kinetics::HalfLife));
        with_bed(row, (tissues, infusion_h), &organ.name, kinetics.as_ref(), own)
    };
    let warnings = result["warnings"].as_array().map_or(0, Vec::len);
    Ok((organs.iter().map(row).collect(), warnings))
}

/// The organs of a study; none of one that had no labels.
///
/// * `has_labels` – whether it had
fn organs(folder: &Path, has_labels: bool) -> Result<Vec<OrganRow>, String> {
    let table = folder.join("organs.csv");
    if !has_labels && !table.exists() {
        return Ok(Vec::new());
    }
    let organs = organ_table::read_all(&table).map_err(|Invalid(why)| unread("organs.csv", &why))?;
    if organs.is_empty() {
        return Err(unread("organs.csv", &"it lists no organ, and the study had labels"));
    }
    Ok(organs)
}

/// * `region` – what the organ is called in the table
fn of_organ(common: &Row, organ: &OrganRow, region: String, curve: &Value) -> Row {
    let flags = curve["flags"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let administered_gbq = common.administered_mbq.map(|mbq| mbq / 1e3);
    let by = |value: Option<f64>, given: Option<f64>, divisor: Option<f64>| {
        given.or_else(|| value.zip(divisor).map(|(value, divisor)| value / divisor))
    };
    Row {
        organ: region,
        label: organ.label,
        volume_cm3: organ.volume_cm3,
        counted_mass_g: organ.counted_mass_g,
        mean_by_mass_gy: organ.mean_by_mass_gy,
        mean_by_mass_sigma_gy: organ.mean_by_mass_sigma_gy,
        d98_gy: organ.d98_gy,
        d50_gy: organ.d50_gy,
        d2_gy: organ.d2_gy,
        mean_by_mass_gy_per_injected_gbq: by(
            organ.mean_by_mass_gy,
            organ.mean_by_mass_gy_per_injected_gbq,
            administered_gbq,
        ),
        time_integrated_activity_mbq_h: organ.time_integrated_activity_mbq_h,
        time_integrated_activity_sigma_mbq_h: curve["tia_sigma_mbq_h"].as_f64(),
        time_integrated_activity_coefficient_h: by(
            organ.time_integrated_activity_mbq_h,
            organ.time_integrated_activity_coefficient_h,
            common.administered_mbq,
        ),
        model: curve["model"].as_str().unwrap_or_default().to_owned(),
        flags: flags.collect::<Vec<_>>().join(" "),
        ..common.clone()
    }
}

/// * `infusion_h` – how long the infusion took [h]
/// * `organ` – its own name, by which its tissue is known
fn with_bed(
    row: Row,
    (tissues, infusion_h): (&Tissues, f64),
    organ: &str,
    kinetics: Option<&Kinetics>,
    curve: Option<&Curve>,
) -> Row {
    let effective_half_life_h = match (curve, kinetics) {
        (Some(curve), _) => curve.half_lives_h().first().copied(),
        (None, Some(Kinetics::HalfLife(hours))) => Some(*hours),
        (None, _) => None,
    };
    let found = row
        .mean_by_mass_gy
        .zip(kinetics)
        .and_then(|(dose_gy, kinetics)| tissues.bed(&row.nuclide, organ, (dose_gy, infusion_h), kinetics));
    Row {
        effective_half_life_h,
        alpha_beta_gy: found.as_ref().map(|found| found.alpha_beta_gy),
        bed_of_mean_dose_gy: found.as_ref().map(|found| found.bed_gy),
        eqd2_of_mean_dose_gy: found.as_ref().map(|found| found.eqd2_gy),
        ..row
    }
}

impl Row {
    /// What is compared between studies: dose for each GBq [Gy/GBq], or where the activity is not known the dose [Gy].
    pub(super) fn compared(&self) -> Option<f64> {
        self.mean_by_mass_gy_per_injected_gbq.or(self.mean_by_mass_gy)
    }
}

impl Collected {
    pub(super) fn done(&self) -> usize {
        self.studies.iter().filter(|study| study.state == "done").count()
    }

    pub(super) fn failed(&self) -> usize {
        self.studies.iter().filter(|study| study.state == "failed").count()
    }

    /// Marks outliers among the doses of each organ and nuclide.
    fn mark(&mut self) {
        let group =
            |row: &Row| (row.organ.clone(), row.nuclide.clone(), row.mean_by_mass_gy_per_injected_gbq.is_some());
        let mut groups: Vec<_> = self.rows.iter().map(group).collect();
        groups.sort();
        groups.dedup();
        for one in groups {
            let places: Vec<usize> = (0..self.rows.len())
                .filter(|&at| group(&self.rows[at]) == one && self.rows[at].compared().is_some())
                .collect();
            let values: Vec<f64> = places.iter().filter_map(|&at| self.rows[at].compared()).collect();
            for (at, is_marked) in places.into_iter().zip(marked(&values)) {
                self.rows[at].outlier = is_marked;
            }
        }
    }

    /// Writes the two tables, that of organs with types as well.
    ///
    /// # Errors
    /// If one cannot be written.
    pub(super) fn write(&self, folder: &Path) -> Result<(), DoseError> {
        table(&folder.join("cohort.csv"), &self.rows).map_err(|error| cannot_write("cohort.csv", &error))?;
        parquet_table::write(&folder.join("cohort.parquet"), &typed::columns(&self.rows))
            .map_err(|error| cannot_write("cohort.parquet", &error))?;
        table(&folder.join("studies.csv"), &self.studies).map_err(|error| cannot_write("studies.csv", &error))
    }
}

fn table(path: &Path, rows: &[impl Serialize]) -> io::Result<()> {
    write_file(path, |file| {
        let mut table = csv::Writer::from_writer(file);
        rows.iter().try_for_each(|row| table.serialize(row))?;
        table.flush()
    })
}
