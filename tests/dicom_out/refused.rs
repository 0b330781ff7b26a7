//! What cannot be written is refused before any work, without a word of the patient.

use std::fs;

use dosegrid::domain::Invalid;
use dosegrid::formats::dicom::write::{DoseKind, Plan, Reference, RtDose};

use super::support::{CT, Ct, ct, dose};
use crate::support::command::{dosegrid, stderr};

const UPRIGHT: [[f64; 4]; 3] = [[2.0, 0.0, 0.0, -20.0], [0.0, 3.0, 0.0, -15.0], [0.0, 0.0, 4.0, 5.0]];

/// Says why a dose cannot be written.
fn refusal(change: impl FnOnce(&mut [f32]), shift_mm: f64) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    ct(folder.path(), &CT);
    let reference = Reference::read(folder.path()).expect("a CT");
    let mut affine = UPRIGHT;
    affine[2][3] += shift_mm;
    let mut dose = dose(affine, [2.0, 3.0, 4.0]);
    change(dose.as_mut_slice());
    let written = RtDose { dose: &dose, kind: DoseKind::Physical, comment: "", plan: &Plan::None };
    written.object(&reference).expect_err("it cannot be written").0
}

#[test]
fn doses_that_are_none_are_refused() {
    assert!(refusal(|doses| doses[3] = f32::NAN, 0.0).contains("not a number"));
    assert!(refusal(|doses| doses[3] = -1.0, 0.0).contains("below 0"));
    assert!(refusal(|_| (), 200.0).contains("outside the reference CT"));
    for bad in ["", "1", "1.2.", "1.02.3", "PLAN"] {
        assert!(Plan::existing(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_folder_of_several_patients_or_none_is_no_reference() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let reason = |folder: &tempfile::TempDir| {
        let Invalid(reason) = Reference::read(folder.path()).expect_err("no reference");
        assert!(!reason.contains("CANARY") && !reason.contains("1.2.826"), "{reason}");
        reason
    };
    fs::write(folder.path().join("notes.txt"), "not DICOM").expect("a writable folder");
    assert!(reason(&folder).contains("without DICOM files"));
    ct(&folder.path().join("a"), &CT);
    ct(&folder.path().join("b"), &Ct { frame: "1.2.826.9", ..CT });
    for (name, at) in [("a", "0.dcm"), ("b", "1.dcm")] {
        fs::copy(folder.path().join(name).join(at), folder.path().join(at)).expect("it was written");
    }
    assert!(reason(&folder).contains("2 frames of reference"));
    ct(&folder.path().join("b"), &Ct { id: "CANARY-8", ..CT });
    fs::copy(folder.path().join("b/1.dcm"), folder.path().join("1.dcm")).expect("it was written");
    assert!(reason(&folder).contains("2 patients"));
}

#[test]
fn every_fault_of_a_command_is_named_at_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let words = ["convert", "no.nii", "--as=seg", "--output=x.dcm", "--kind=effective", "--plan-uid=x"];
    let output = dosegrid(folder.path(), words);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for flag in ["input", "kind", "plan-uid", "reference"] {
        assert!(said.contains(&format!("error: {flag}: ")), "{flag}: {said}");
    }
    assert!(!folder.path().join("x.dcm").exists());
}
