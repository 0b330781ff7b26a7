//! The table of organ doses, CSV.

use std::io::{self, Write};
use std::path::Path;

use super::atomic::write_file;
use crate::dosimetry::OrganDose;

/// The header of a table without rows.
const COLUMNS: [&str; 23] = [
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
