//! What is written as DICOM, read again with the library alone: every voxel at its place, and whose it is.

mod refused;
mod segments;
pub(crate) mod support;

use std::fs;
use std::path::Path;

use dosegrid::domain::{Volume, grid::Affine};
use dosegrid::formats::dicom::write::{DoseKind, Plan, Reference, RtDose};
use dosegrid::formats::volume_file::read_volume;

use crate::support::command::{dosegrid, stderr, succeed};
use support::{CT, Read, ct, dose, number, numbers, text};

/// Part of a quantum by which a dose may be off: half, and the rounding of the comparison itself.
const HALF: f64 = 0.5 * (1.0 + 1e-6);

/// Columns of a grid of 2 × 3 × 4 mm, turned about two axes.
fn oblique() -> Affine {
    let ((s, c), (t, d)) = (0.4f64.sin_cos(), 0.7f64.sin_cos());
    let rotation = [[c, -s, 0.0], [d * s, d * c, -t], [t * s, t * c, d]];
    let mut affine = [[0.0, 0.0, 0.0, -20.0], [0.0, 0.0, 0.0, -15.0], [0.0, 0.0, 0.0, 5.0]];
    for (row, turned) in affine.iter_mut().zip(rotation) {
        (0..3).for_each(|axis| row[axis] = turned[axis] * [2.0, 3.0, 4.0][axis]);
    }
    affine
}

/// Every dose of a map is in the file within half a quantum, where it lies in the map.
fn check_doses(read: &Read, dose: &Volume<f32>) {
    let quantum = number(&read.object, "DoseGridScaling");
    let mut most = 0.0f64;
    for ((x, y, z), &gy) in dose.data().indexed_iter() {
        let found = quantum * f64::from(read.word_at(dose.grid().affine(), [x, y, z]));
        assert!((found - f64::from(gy)).abs() <= HALF * quantum, "[{x}, {y}, {z}]: {found} for {gy}");
        most = most.max(found);
    }
    let peak = f64::from(dose.as_slice().iter().copied().fold(0.0, f32::max));
    assert!((most - peak).abs() <= HALF * quantum, "the peak is {most}, not {peak}");
    assert_eq!(read.words.len(), dose.grid().voxels());
}

#[test]
fn any_grid_comes_back_within_half_a_quantum() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    ct(folder.path(), &CT);
    let reference = Reference::read(folder.path()).expect("a CT");
    let upright = [[2.0, 0.0, 0.0, -20.0], [0.0, 3.0, 0.0, -15.0], [0.0, 0.0, 4.0, 5.0]];
    let sagittal = [[0.0, 0.0, -4.0, 20.0], [2.0, 0.0, 0.0, -15.0], [0.0, 3.0, 0.0, 5.0]];
    for (affine, spacing_mm) in [(upright, [2.0, 3.0, 4.0]), (sagittal, [2.0, 3.0, 4.0]), (oblique(), [2.0, 3.0, 4.0])]
    {
        let dose = dose(affine, spacing_mm);
        let written = RtDose { dose: &dose, kind: DoseKind::Physical, comment: "", plan: &Plan::None };
        let path = folder.path().join("dose");
        written.object(&reference).expect("a good dose").write(&path).expect("a writable folder");
        let read = Read::open(&path);
        check_doses(&read, &dose);
        assert_eq!(numbers(&read.object, "GridFrameOffsetVector")[0], 0.0);
        assert_eq!(text(&read.object, "FrameIncrementPointer"), "(3004,000C)");
        fs::remove_file(path).expect("it was written");
    }
}

#[test]
fn a_dose_belongs_to_its_ct_and_a_repeat_is_the_same() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    ct(&folder.path().join("ct"), &CT);
    let reference = Reference::read(&folder.path().join("ct")).expect("a CT");
    let map = dose(oblique(), [2.0, 3.0, 4.0]);
    let write = |name: &str, kind: DoseKind, plan: &Plan, comment: &str| {
        let path = folder.path().join(name);
        let written = RtDose { dose: &map, kind, comment, plan };
        written.object(&reference).expect("a good dose").write(&path).expect("a writable folder");
        (fs::read(&path).expect("it was written"), Read::open(&path).object)
    };
    let plan = Plan::minimal(&reference).expect("a plan");
    let existing = Plan::existing("1.2.3.4").expect("a UID");
    let written = [
        write("a", DoseKind::Physical, &Plan::None, ""),
        write("b", DoseKind::Effective, &Plan::None, ""),
        write("c", DoseKind::Uncertainty, &existing, ""),
        write("d", DoseKind::Physical, &plan, ""),
        write("e", DoseKind::Physical, &Plan::None, "Lu-177, kernel\\É"),
    ];
    assert!(written[0].0 == write("again", DoseKind::Physical, &Plan::None, "").0, "a repeat has other bytes");
    let mut uids = vec![CT.series.to_owned(), format!("{}.1", CT.series)];
    for (_, object) in &written {
        for (name, expected) in [
            ("PatientName", CT.name),
            ("PatientID", CT.id),
            ("StudyInstanceUID", CT.study),
            ("FrameOfReferenceUID", CT.frame),
            ("SpecificCharacterSet", "ISO_IR 100"),
            ("Modality", "RTDOSE"),
            ("DoseUnits", "GY"),
            ("OperatorsName", ""),
            ("PatientBirthDate", ""),
        ] {
            assert_eq!(text(object, name), expected, "{name}");
        }
        uids.extend(["SeriesInstanceUID", "SOPInstanceUID"].map(|name| text(object, name)));
    }
    let count = uids.len();
    uids.sort_unstable();
    uids.dedup();
    assert_eq!(uids.len(), count, "two objects have one UID");
    let told = |name: &str| written.each_ref().map(|(_, object)| text(object, name));
    assert_eq!(told("DoseType"), ["PHYSICAL", "EFFECTIVE", "ERROR", "PHYSICAL", "PHYSICAL"]);
    assert_eq!(told("DoseSummationType"), ["PLAN_OVERVIEW", "PLAN_OVERVIEW", "PLAN", "PLAN", "PLAN_OVERVIEW"]);
    assert_eq!(text(&written[4].1, "DoseComment"), "Lu-177, kernel");
    let Plan::Minimal(plan) = plan else { panic!("it is minimal") };
    for ((_, object), uid) in written[2..4].iter().zip(["1.2.3.4", plan.instance_uid()]) {
        let sequence = object.element_by_name("ReferencedRTPlanSequence").expect("a plan is required");
        assert_eq!(text(&sequence.items().expect("a sequence")[0], "ReferencedSOPInstanceUID"), uid);
    }
}

#[test]
#[cfg_attr(no_reference, ignore = "the reference data were not found when this was built")]
fn the_shared_case_is_written_as_it_must_be() {
    let case = crate::support::reference("../cases-dicom/16-rtdose-out-and-in");
    let expected: serde_json::Value =
        serde_json::from_slice(&fs::read(case.join("expected.json")).expect("a case")).expect("JSON");
    let reads = expected["reads"].as_array().expect("reads");
    let mut cases = 0;
    for read in reads.iter().filter(|read| read["result"] == "rtdose") {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (input, ct) = (text_of(&read["path"]), text_of(&read["options"]["reference_ct"]));
        let (input, ct) = (case.join(input), case.join(ct));
        let arguments = ["convert", "--as=rtdose", "--output=dose.dcm"].map(Into::into);
        let places = [input.clone().into_os_string(), "--reference".into(), ct.into_os_string()];
        succeed(folder.path(), arguments.into_iter().chain(places));
        let written = Read::open(&folder.path().join("dose.dcm"));
        let dose = read_volume(&input).expect("a dose").volume;
        check_doses(&written, &dose);
        check_must(&written, &read["must"], read["sum_gy"].as_f64().expect("a sum"));
        cases += 1;
    }
    assert!(cases > 0);
}

fn text_of(value: &serde_json::Value) -> &str {
    value.as_str().expect("a text")
}

/// What the case asks of the header.
fn check_must(written: &Read, must: &serde_json::Value, sum_gy: f64) {
    for (key, name) in [
        ("bits_allocated", "BitsAllocated"),
        ("pixel_representation", "PixelRepresentation"),
        ("dose_units", "DoseUnits"),
        ("dose_type", "DoseType"),
        ("frame_of_reference", "FrameOfReferenceUID"),
        ("study", "StudyInstanceUID"),
        ("patient_name", "PatientName"),
        ("patient_id", "PatientID"),
    ] {
        let expected = must[key].as_str().map_or_else(|| must[key].to_string(), str::to_owned);
        assert_eq!(text(&written.object, name), expected, "{name}");
    }
    let longest = must["decimal_strings_at_most"].as_u64().expect("a length");
    for name in ["DoseGridScaling", "GridFrameOffsetVector", "ImagePositionPatient", "ImageOrientationPatient"] {
        let value = written.object.element_by_name(name).expect("an attribute").to_multi_str().expect("texts");
        assert!(value.iter().all(|text| text.trim().len() as u64 <= longest), "{name}: {value:?}");
    }
    let quantum = number(&written.object, "DoseGridScaling");
    let sum = quantum * written.words.iter().map(|&word| f64::from(word)).sum::<f64>();
    assert!((sum / sum_gy - 1.0).abs() < 1e-7, "{sum}");
    for (axis, row) in must["affine_ras"].as_array().expect("rows").iter().take(3).enumerate() {
        for (column, value) in row.as_array().expect("a row").iter().enumerate() {
            let found = written.affine[axis][column];
            assert!((found - value.as_f64().expect("a number")).abs() < 1e-6, "{:?}", written.affine);
        }
    }
}

#[test]
fn a_computation_writes_its_maps_as_objects() {
    let folder = crate::cli::inputs();
    ct(&folder.path().join("ct"), &CT);
    let run = |with: &[&str]| {
        let arguments = ["--reference=ct", "--plan-output=plan.dcm"];
        dosegrid(folder.path(), crate::cli::flags(&["output"], &[&arguments, with].concat()))
    };
    let output = run(&["--output=dose.dcm"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let dose = Read::open(&folder.path().join("dose.dcm"));
    let plan = support::open(&folder.path().join("plan.dcm"));
    assert_eq!(text(&plan, "Modality"), "RTPLAN");
    assert_eq!(text(&dose.object, "StudyInstanceUID"), CT.study);
    assert!(text(&dose.object, "DoseComment").starts_with("Lu-177, "), "{}", text(&dose.object, "DoseComment"));
    succeed(folder.path(), crate::cli::flags(&["output"], &["--output=dose.nii"]));
    let map = read_volume(&folder.path().join("dose.nii")).expect("a dose").volume;
    check_doses(&dose, &map);
    let output = dosegrid(folder.path(), crate::cli::flags(&["output"], &["--output=other.dcm"]));
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("error: reference: is needed"), "{}", stderr(&output));
    assert!(!Path::new(&folder.path().join("other.dcm")).exists());
}
