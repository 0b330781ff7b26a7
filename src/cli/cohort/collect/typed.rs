//! The table with a type for each column, as Parquet has it: names and order of the columns are those of the CSV.

use super::Row;
use crate::formats::parquet_table::Column;

pub(super) fn columns(rows: &[Row]) -> Vec<(&'static str, Column)> {
    let text = |of: fn(&Row) -> &String| Column::Text(rows.iter().map(of).cloned().collect());
    let real = |of: fn(&Row) -> Option<f64>| Column::Real(rows.iter().map(of).collect());
    let whole = |of: fn(&Row) -> Option<i64>| Column::Whole(rows.iter().map(of).collect());
    vec![
        ("patient", text(|row| &row.patient)),
        ("study", text(|row| &row.study)),
        ("centre", text(|row| &row.centre)),
        ("cycle", text(|row| &row.cycle)),
        ("nuclide", text(|row| &row.nuclide)),
        ("organ", text(|row| &row.organ)),
        ("label", whole(|row| row.label.map(i64::from))),
        ("volume_cm3", real(|row| row.volume_cm3)),
        ("counted_mass_g", real(|row| row.counted_mass_g)),
        ("mean_by_mass_gy", real(|row| row.mean_by_mass_gy)),
        ("mean_by_mass_sigma_gy", real(|row| row.mean_by_mass_sigma_gy)),
        ("d98_gy", real(|row| row.d98_gy)),
        ("d50_gy", real(|row| row.d50_gy)),
        ("d2_gy", real(|row| row.d2_gy)),
        ("administered_mbq", real(|row| row.administered_mbq)),
        ("mean_by_mass_gy_per_injected_gbq", real(|row| row.mean_by_mass_gy_per_injected_gbq)),
        ("time_integrated_activity_mbq_h", real(|row| row.time_integrated_activity_mbq_h)),
        ("time_integrated_activity_sigma_mbq_h", real(|row| row.time_integrated_activity_sigma_mbq_h)),
        ("time_integrated_activity_coefficient_h", real(|row| row.time_integrated_activity_coefficient_h)),
        ("time_points", whole(|row| i64::try_from(row.time_points).ok())),
        ("model", text(|row| &row.model)),
        ("effective_half_life_h", real(|row| row.effective_half_life_h)),
        ("flags", text(|row| &row.flags)),
        ("alpha_beta_gy", real(|row| row.alpha_beta_gy)),
        ("bed_of_mean_dose_gy", real(|row| row.bed_of_mean_dose_gy)),
        ("eqd2_of_mean_dose_gy", real(|row| row.eqd2_of_mean_dose_gy)),
        ("outlier", Column::Truth(rows.iter().map(|row| row.outlier).collect())),
        ("method", text(|row| &row.method)),
        ("version", text(|row| &row.version)),
        ("commit", text(|row| &row.commit)),
        ("nuclide_data_sha256", text(|row| &row.nuclide_data_sha256)),
        ("inputs_sha256", text(|row| &row.inputs_sha256)),
        ("dose_sha256", text(|row| &row.dose_sha256)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands in a cell of the CSV.
    fn cell(column: &Column, row: usize) -> String {
        match column {
            Column::Text(values) => values[row].clone(),
            Column::Real(values) => values[row].map(|value| value.to_string()).unwrap_or_default(),
            Column::Whole(values) => values[row].map(|value| value.to_string()).unwrap_or_default(),
            Column::Truth(values) => values[row].to_string(),
        }
    }

    #[test]
    fn columns_are_those_of_the_table_of_text() {
        let empty = Row::default();
        // Each field has a value of its own.
        let names: Vec<&str> = columns(&[]).into_iter().map(|(name, _)| name).collect();
        let number = |name: &str| names.iter().position(|own| *own == name).expect("a column") as f64 + 0.5;
        let real = |name: &str| Some(number(name));
        let full = Row {
            patient: "patient".into(),
            study: "study".into(),
            centre: "centre".into(),
            cycle: "cycle".into(),
            nuclide: "nuclide".into(),
            organ: "organ".into(),
            label: Some(65_535),
            volume_cm3: real("volume_cm3"),
            counted_mass_g: real("counted_mass_g"),
            mean_by_mass_gy: real("mean_by_mass_gy"),
            mean_by_mass_sigma_gy: real("mean_by_mass_sigma_gy"),
            d98_gy: real("d98_gy"),
            d50_gy: real("d50_gy"),
            d2_gy: real("d2_gy"),
            administered_mbq: real("administered_mbq"),
            mean_by_mass_gy_per_injected_gbq: real("mean_by_mass_gy_per_injected_gbq"),
            time_integrated_activity_mbq_h: real("time_integrated_activity_mbq_h"),
            time_integrated_activity_sigma_mbq_h: real("time_integrated_activity_sigma_mbq_h"),
            time_integrated_activity_coefficient_h: real("time_integrated_activity_coefficient_h"),
            time_points: 3,
            model: "model".into(),
            effective_half_life_h: real("effective_half_life_h"),
            flags: "flags".into(),
            alpha_beta_gy: real("alpha_beta_gy"),
            bed_of_mean_dose_gy: real("bed_of_mean_dose_gy"),
            eqd2_of_mean_dose_gy: real("eqd2_of_mean_dose_gy"),
            outlier: true,
            method: "method".into(),
            version: "version".into(),
            commit: "commit".into(),
            nuclide_data_sha256: "nuclide_data".into(),
            inputs_sha256: "inputs".into(),
            dose_sha256: "dose".into(),
        };
        let rows = [full, empty];
        let mut text = csv::Writer::from_writer(Vec::new());
        rows.iter().for_each(|row| text.serialize(row).expect("a row"));
        let text = text.into_inner().expect("text");
        let mut text = csv::Reader::from_reader(text.as_slice());
        assert_eq!(text.headers().expect("a header").iter().collect::<Vec<_>>(), names);
        let typed = columns(&rows);
        for (at, row) in text.records().enumerate() {
            let cells: Vec<String> = typed.iter().map(|(_, column)| cell(column, at)).collect();
            assert_eq!(row.expect("a row").iter().collect::<Vec<_>>(), cells);
        }
    }
}
