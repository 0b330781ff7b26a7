//! The table of organ doses, CSV.

use std::io::{self, Write};
use std::path::Path;

use csv::{ReaderBuilder, Trim};
use serde::Deserialize;

use super::atomic::write_file;
use super::toml_file::text;
use crate::domain::{Invalid, words};
use crate::dosimetry::OrganDose;

/// The header of a table without rows.
const COLUMNS: [&str; 32] = [
    "label",
    "name",
    "voxels",
    "mass_g",
    "mean_by_mass_gy",
    "mean_gy",
    "min_gy",
    "max_gy",
    "d95_gy",
    "d50_gy",
    "d2_gy",
    "volume_cm3",
    "decays",
    "voxels_without_dose",
    "mean_sigma_gy",
    "mean_by_mass_sigma_gy",
    "d98_gy",
    "d90_gy",
    "d70_gy",
    "d1cc_gy",
    "counted_volume_cm3",
    "counted_mass_g",
    "excluded_volume_cm3",
    "time_integrated_activity_mbq_h",
    "time_integrated_activity_coefficient_h",
    "mean_by_mass_gy_per_injected_gbq",
    "min_noise_gy",
    "d98_noise_gy",
    "d95_noise_gy",
    "d2_noise_gy",
    "max_noise_gy",
    "moved_by_noise",
];

/// Writes a table to a file.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, organs: &[OrganDose]) -> io::Result<()> {
    write_file(path, |file| encode(file, organs))
}

/// Writes one row for each organ. The columns are the fields of [`OrganDose`]; figures that do not exist are empty.
///
/// # Errors
/// If the output cannot be written.
pub fn encode(output: &mut impl Write, organs: &[OrganDose]) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(output);
    if organs.is_empty() {
        table.write_record(COLUMNS)?;
    }
    for organ in organs {
        table.serialize(organ)?;
    }
    table.flush()
}

/// What is read back of an organ; its other columns are left alone.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct OrganRow {
    /// Its label.
    pub label: Option<u16>,
    /// Its name.
    pub name: String,
    /// [cm³].
    pub volume_cm3: Option<f64>,
    /// Dose that 98 % of the volume has at least [Gy].
    pub d98_gy: Option<f64>,
    /// Median [Gy].
    pub d50_gy: Option<f64>,
    /// Dose that 2 % of the volume has at least [Gy].
    pub d2_gy: Option<f64>,
    /// Time-integrated activity over the injected activity [h].
    pub time_integrated_activity_coefficient_h: Option<f64>,
    /// Absorbed dose, energy over mass [Gy]; none if no voxel has one.
    pub mean_by_mass_gy: Option<f64>,
    /// Statistical 1σ of that [Gy].
    pub mean_by_mass_sigma_gy: Option<f64>,
    /// Mass that the dose is of [g].
    pub counted_mass_g: Option<f64>,
    /// Time-integrated activity [MBq·h].
    pub time_integrated_activity_mbq_h: Option<f64>,
    /// Dose over injected activity [Gy/GBq].
    pub mean_by_mass_gy_per_injected_gbq: Option<f64>,
}

impl OrganRow {
    /// The column of a figure that is below 0 or not finite.
    fn bad_figure(&self) -> Option<&'static str> {
        let figures = [
            ("volume_cm3", self.volume_cm3),
            ("d98_gy", self.d98_gy),
            ("d50_gy", self.d50_gy),
            ("d2_gy", self.d2_gy),
            ("time_integrated_activity_coefficient_h", self.time_integrated_activity_coefficient_h),
            ("mean_by_mass_gy", self.mean_by_mass_gy),
            ("mean_by_mass_sigma_gy", self.mean_by_mass_sigma_gy),
            ("counted_mass_g", self.counted_mass_g),
            ("time_integrated_activity_mbq_h", self.time_integrated_activity_mbq_h),
            ("mean_by_mass_gy_per_injected_gbq", self.mean_by_mass_gy_per_injected_gbq),
        ];
        let is_bad = |value: Option<f64>| value.is_some_and(|value| !(value >= 0.0 && value.is_finite()));
        figures.into_iter().find(|(_, value)| is_bad(*value)).map(|(column, _)| column)
    }
}

/// Reads a table that [`write`] wrote, by the names of its columns.
///
/// # Errors
/// If the file cannot be read, a needed column is missing, a field is no number, a figure is below 0 or not finite, or
/// two organs have one name, of which case and blanks make no other.
pub fn read(path: &Path) -> Result<Vec<OrganRow>, Invalid> {
    let rows = read_all(path)?;
    let mut names: Vec<(String, &str)> =
        rows.iter().map(|row| (words::same_name(&row.name), row.name.as_str())).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some([(_, first), (_, second)]) if first != second => Err(Invalid::new(format!(
            "two organs, {first} and {second}, have names that case or blanks alone tell apart"
        ))),
        Some(pair) => Err(Invalid::new(format!("two organs have the name {}", pair[0].1))),
        None => Ok(rows),
    }
}

/// Reads a table as [`read`] does, also one of organs that share a name and are told by their labels.
///
/// # Errors
/// As [`read`], but for that.
pub fn read_all(path: &Path) -> Result<Vec<OrganRow>, Invalid> {
    let text = text(path)?;
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(text.as_bytes());
    let rows: Result<Vec<OrganRow>, csv::Error> = reader.deserialize().collect();
    let rows = rows.map_err(|error| {
        let line = error.position().map_or(1, csv::Position::line);
        Invalid::new(format!("line {line} is no row of an organ table with the columns name and mean_by_mass_gy"))
    })?;
    if let Some((row, column)) = rows.iter().find_map(|row| Some((row, row.bad_figure()?))) {
        return Err(Invalid::new(format!("{}: {column} is below 0 or not finite", row.name)));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organs() -> Vec<OrganDose> {
        let air = OrganDose {
            label: 3,
            name: "label_3".into(),
            voxels: 1,
            mass_g: 0.01,
            mean_by_mass_gy: None,
            mean_gy: None,
            min_gy: None,
            max_gy: None,
            d95_gy: None,
            d50_gy: None,
            d2_gy: None,
            volume_cm3: 1.0,
            decays: 0.0,
            voxels_without_dose: 1,
            mean_sigma_gy: None,
            mean_by_mass_sigma_gy: None,
            d98_gy: None,
            d90_gy: None,
            d70_gy: None,
            d1cc_gy: None,
            counted_volume_cm3: 0.0,
            counted_mass_g: 0.0,
            excluded_volume_cm3: 1.0,
            time_integrated_activity_mbq_h: 0.0,
            time_integrated_activity_coefficient_h: None,
            mean_by_mass_gy_per_injected_gbq: None,
            min_noise_gy: None,
            d98_noise_gy: None,
            d95_noise_gy: None,
            d2_noise_gy: None,
            max_noise_gy: None,
            moved_by_noise: String::new(),
        };
        let liver = OrganDose { label: 1, name: "liver".into(), voxels: 2, mass_g: 3.0, ..air.clone() };
        vec![liver, air]
    }

    #[test]
    fn a_table_is_read_back_by_its_columns() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("organs.csv");
        write(&path, &organs()).expect("written");
        let rows = read(&path).expect("a table");
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!((names, rows[0].mean_by_mass_gy), (vec!["liver", "label_3"], None));
        for bad in ["name,mean_by_mass_gy\na,1\na,2\n", "name,dose\na,x\n", "name,mean_by_mass_gy\na,x\n"] {
            std::fs::write(&path, bad).expect("written");
            assert_eq!(read(&path).is_err(), bad != "name,dose\na,x\n", "{bad}");
        }
        std::fs::write(&path, "name,mean_by_mass_gy\nLiver,1\nliver ,2\n").expect("written");
        let error = read(&path).expect_err("one organ twice").0;
        assert_eq!(error, "two organs, Liver and liver, have names that case or blanks alone tell apart");
        for bad in ["-5", "NaN", "inf", "1e400"] {
            std::fs::write(&path, format!("name,mean_by_mass_gy\na,{bad}\n")).expect("written");
            let error = read(&path).expect_err("no dose").0;
            assert_eq!(error, "a: mean_by_mass_gy is below 0 or not finite", "{bad}");
        }
        std::fs::write(&path, "name,mean_by_mass_gy\n liver , 3.5\n").expect("written");
        let rows = read(&path).expect("blanks say nothing");
        assert_eq!((rows[0].name.as_str(), rows[0].mean_by_mass_gy), ("liver", Some(3.5)));
    }

    #[test]
    fn the_table_has_the_columns_of_its_fields() {
        let mut text = Vec::new();
        encode(&mut text, &organs()).expect("memory");
        let text = String::from_utf8(text).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], COLUMNS.join(","));
        assert!(lines[1].starts_with("1,liver,2,3.0"), "{text}");
        assert!(lines[2].starts_with("3,label_3,1,0.0") && lines[2].contains(",,,,"), "{text}");
        let mut empty = Vec::new();
        encode(&mut empty, &[]).expect("memory");
        assert_eq!(String::from_utf8(empty).expect("text").trim_end(), COLUMNS.join(","));
    }
}
