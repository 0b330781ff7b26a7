//! Cumulative dose-volume histograms of organs, CSV.

use std::io::{self, Write};
use std::path::Path;

use super::atomic::write_file;
use crate::dosimetry::{CumulativeHistogram, OrganDose};

/// The header.
const COLUMNS: [&str; 5] = ["label", "name", "dose_gy", "volume_fraction", "volume_cm3"];

/// Writes a table to a file.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, organs: &[OrganDose], histograms: &[Option<CumulativeHistogram>]) -> io::Result<()> {
    write_file(path, |file| encode(file, organs, histograms))
}

/// Writes one row for each dose of each organ: the part of the organ's counted volume that receives at least this dose,
/// and that volume. An organ without a dose has no row.
///
/// * `histograms` – one for each organ, in their order
///
/// # Errors
/// If the output cannot be written.
pub fn encode(
    output: &mut impl Write,
    organs: &[OrganDose],
    histograms: &[Option<CumulativeHistogram>],
) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(output);
    table.write_record(COLUMNS)?;
    for (organ, histogram) in organs.iter().zip(histograms) {
        let Some(CumulativeHistogram { dose_gy, volume_fraction }) = histogram else { continue };
        for (dose_gy, fraction) in dose_gy.iter().zip(volume_fraction) {
            table.serialize((organ.label, &organ.name, dose_gy, fraction, fraction * organ.counted_volume_cm3))?;
        }
    }
    table.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dose_of_an_organ_has_a_row() {
        let organ = |label: u16| OrganDose {
            label,
            name: format!("organ_{label}"),
            counted_volume_cm3: 8.0,
            ..OrganDose::default()
        };
        let histogram = CumulativeHistogram { dose_gy: vec![0.0, 2.5], volume_fraction: vec![1.0, 0.25] };
        let mut text = Vec::new();
        encode(&mut text, &[organ(1), organ(2)], &[None, Some(histogram)]).expect("memory");
        let text = String::from_utf8(text).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines, [COLUMNS.join(",").as_str(), "2,organ_2,0.0,1.0,8.0", "2,organ_2,2.5,0.25,2.0"]);
    }
}
