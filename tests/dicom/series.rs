//! DICOM scans as one series over time: of one nuclide, and after one injection.

use std::fs;
use std::path::Path;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use tempfile::TempDir;

use super::objects::{Made, nm_in_bq};
use crate::support::command::{dosegrid, stderr};

/// Writes a scan of a day in March, ten times less each day.
fn scan(folder: &Path, day: u8, (nuclide, injected): (&str, &str)) {
    let code = Made::item().text(tags::CODE_MEANING, VR::LO, nuclide);
    let drug = Made::item()
        .numbers(tags::RADIONUCLIDE_TOTAL_DOSE, &[7400.0])
        .text(tags::RADIOPHARMACEUTICAL_START_DATE_TIME, VR::DT, injected)
        .items(tags::RADIONUCLIDE_CODE_SEQUENCE, vec![code]);
    let values: Vec<u16> = (1..=8).map(|voxel| voxel * 8000 / u16::from(day)).collect();
    nm_in_bq()
        .text(tags::SERIES_INSTANCE_UID, VR::UI, &format!("1.2.3.3.{day}"))
        .text(tags::SOP_INSTANCE_UID, VR::UI, &format!("1.2.3.1.{day}"))
        .text(tags::ACQUISITION_DATE, VR::DA, &format!("202603{day:02}"))
        .items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![drug])
        .pixels([2, 2, 2], &values)
        .save(&folder.join(format!("{day}")));
}

/// Two scans, and a file that names them.
fn scans(of_second: (&str, &str)) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("scans")).expect("a writable folder");
    scan(&folder.path().join("scans"), 2, LUTETIUM);
    scan(&folder.path().join("scans"), 4, of_second);
    let named = "[[scan]]\nfile = 'scans/2'\n[[scan]]\nfile = 'scans/4'\n";
    fs::write(folder.path().join("series.toml"), named).expect("a writable folder");
    folder
}

const LUTETIUM: (&str, &str) = ("^177^Lutetium", "20260301120000");

/// Exit status, and what is said.
fn integrate(folder: &TempDir, args: &[&str]) -> (Option<i32>, String) {
    let output = dosegrid(folder.path(), ["integrate"].iter().chain(args));
    (output.status.code(), stderr(&output))
}

#[test]
fn scans_of_one_series_are_of_one_nuclide_and_one_injection() {
    for series in ["--series=series.toml", "--series=scans"] {
        let (status, said) = integrate(&scans(LUTETIUM), &[series]);
        assert_eq!(status, Some(0), "{series}: {said}");
        // Another nuclide, be it that of a flag, is no time point of this one.
        let iodine = scans(("^131^Iodine", LUTETIUM.1));
        for flag in [&[][..], &["--nuclide=Lu-177"], &["--nuclide=I-131"]] {
            let (status, said) = integrate(&iodine, &[&[series], flag].concat());
            assert_eq!(status, Some(2), "{series} {flag:?}: {said}");
            let field = if series.ends_with("toml") { "nuclide: " } else { "activity-series: " };
            assert!([field, "I-131", "Lu-177"].iter().all(|part| said.contains(part)), "{series} {flag:?}: {said}");
        }
        let (status, said) = integrate(&scans((LUTETIUM.0, "20260303120000")), &[series]);
        assert_eq!(status, Some(2), "{series}: {said}");
        assert!(said.contains("injection: "), "{series}: {said}");
    }
}
