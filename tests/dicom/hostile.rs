//! Damaged files: an answer or a reason, never a panic; and no text of a patient in any message.

use std::fs;
use std::path::{Path, PathBuf};

use dicom_core::value::{PrimitiveValue, Value};
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use dosegrid::formats::dicom::{Place, Request, Wanted, read};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::objects::{Made, ct, nm, nm_in_bq, squares, structures};
use crate::support::command::dosegrid;

/// What must be in no message.
const CANARY: &str = "CANARY";

fn wanted() -> [Wanted; 5] {
    [
        Wanted::AnyVolume,
        Wanted::Ct,
        Wanted::Activity { calibration: None },
        Wanted::Labels { grid: None, threshold: Some(0.5) },
        Wanted::Inventory { calibration: None },
    ]
}

#[test]
fn mutants_give_an_answer_or_a_reason() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("mutant");
    let mut random = ChaCha8Rng::seed_from_u64(14);
    let seeds = [nm_in_bq().bytes(), ct(0.0, 50.0).bytes(), structures(vec![squares(1, "A", &[0.0, 5.0])]).bytes()];
    let (mut answers, mut reasons) = (0, 0);
    for seed in &seeds {
        for number in 0..120 {
            let mut bytes = seed.clone();
            if number % 4 == 0 {
                bytes.truncate(random.random_range(0..bytes.len()));
            } else {
                for _ in 0..random.random_range(1..4) {
                    let at = random.random_range(0..bytes.len());
                    bytes[at] = random.random();
                }
            }
            fs::write(&path, &bytes).expect("a writable folder");
            for wanted in wanted() {
                match read(&Request::new(Place::of(&path), wanted)) {
                    Ok(_) => answers += 1,
                    Err(reason) => {
                        assert!(reason.0.len() > 10);
                        reasons += 1;
                    }
                }
            }
        }
    }
    assert!(answers > 100 && reasons > 100, "{answers} answers, {reasons} reasons");
}

/// A seed as the fuzz target reads it: a file, or a folder of several.
fn placed(seed: &Path, folder: &Path) -> PathBuf {
    const BETWEEN: &[u8] = b"<next file>";
    let bytes = fs::read(seed).expect("readable");
    let mut starts: Vec<usize> = vec![0];
    let next = |at: &usize| bytes[*at..].starts_with(BETWEEN);
    starts.extend((0..bytes.len()).filter(next).map(|at| at + BETWEEN.len()));
    if starts.len() == 1 {
        return seed.to_owned();
    }
    let inside = folder.join(seed.file_name().expect("a name"));
    fs::create_dir(&inside).expect("a writable folder");
    for (number, start) in starts.iter().enumerate() {
        let end = starts.get(number + 1).map_or(bytes.len(), |next| next - BETWEEN.len());
        fs::write(inside.join(number.to_string()), &bytes[*start..end]).expect("a writable folder");
    }
    inside
}

#[test]
fn seeds_of_the_fuzz_target_give_an_answer_or_a_reason() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/dicom");
    let (mut answers, mut reasons) = (0, 0);
    let folder = tempfile::tempdir().expect("a temporary folder");
    for entry in fs::read_dir(seeds).expect("the seeds are kept") {
        let path = placed(&entry.expect("an entry").path(), folder.path());
        for wanted in wanted() {
            match read(&Request::new(Place::of(&path), wanted)) {
                Ok(_) => answers += 1,
                Err(reason) => {
                    assert!(reason.0.len() > 10, "{}", path.display());
                    reasons += 1;
                }
            }
        }
    }
    assert!(answers > 20 && reasons > 20, "{answers} answers, {reasons} reasons");
}

/// Puts the canary into every text that is not needed to read the file.
fn with_canaries(made: Made) -> Made {
    fn fill(object: &mut InMemDicomObject) {
        let tags: Vec<_> = object.iter().map(|element| (element.header().tag, element.vr())).collect();
        for (tag, vr) in tags {
            let is_text = matches!(vr, VR::PN | VR::LO | VR::SH | VR::ST | VR::LT | VR::UT);
            if is_text && tag != tags::CODE_VALUE && tag != tags::ROI_NAME {
                object.put(DataElement::new(tag, vr, PrimitiveValue::from(CANARY)));
            }
        }
    }
    let mut made = made;
    for tag in [tags::PATIENT_NAME, tags::REFERRING_PHYSICIAN_NAME, tags::OPERATORS_NAME] {
        made = made.text(tag, VR::PN, CANARY);
    }
    for tag in [
        tags::SERIES_DESCRIPTION,
        tags::STUDY_DESCRIPTION,
        tags::PROTOCOL_NAME,
        tags::INSTITUTION_NAME,
        tags::MANUFACTURER,
        tags::PATIENT_ID,
        tags::RESCALE_TYPE,
    ] {
        made = made.text(tag, VR::LO, CANARY);
    }
    for tag in [tags::PATIENT_COMMENTS, tags::IMAGE_COMMENTS] {
        made = made.text(tag, VR::LT, CANARY);
    }
    fill(&mut made.0);
    made
}

#[test]
fn no_text_of_a_file_is_in_a_message() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    let bad_units = nm().text(tags::UNITS, VR::CS, "GML");
    let objects = [
        ("good", with_canaries(nm_in_bq())),
        ("counts", with_canaries(nm())),
        ("suv", with_canaries(bad_units)),
        ("ct", with_canaries(ct(0.0, 10.0)).text(tags::RESCALE_TYPE, VR::LO, "HU")),
        ("structures", with_canaries(structures(vec![squares(1, "A", &[0.0])]))),
        ("modality", with_canaries(ct(0.0, 10.0)).text(tags::MODALITY, VR::CS, "CANARY^X").without(tags::ROWS)),
    ];
    let mut said = String::new();
    let mut hear = |args: &[&str]| {
        let output = dosegrid(folder.path(), args);
        said += &String::from_utf8_lossy(&output.stdout);
        said += &String::from_utf8_lossy(&output.stderr);
    };
    for (name, made) in &objects {
        made.save(&at(name));
        for target in ["activity", "ct", "dose", "labels"] {
            hear(&["convert", name, "--as", target, "--output", "out.nii", "--json"]);
        }
        hear(&["inspect", name]);
    }
    hear(&["inspect", "."]);
    hear(&["convert", ".", "--as", "activity", "--output", "out.nii"]);
    let args = ["compute", "--activity", "counts", "--ct", "ct", "--output", "dose.nii", "--effective-half-life", "5h"];
    hear(&args);
    assert!(said.len() > 2000 && !said.contains(CANARY), "{said}");
}

#[test]
fn a_file_that_asks_for_too_much_memory_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // A fragment that says it is 4 GB long.
    let mut bytes = ct(0.0, 10.0).without(tags::PIXEL_DATA).bytes();
    bytes.extend([0xE0, 0x7F, 0x10, 0, b'O', b'W', 0, 0, 0xFE, 0xFF, 0xFF, 0xFF]);
    fs::write(folder.path().join("bomb"), &bytes).expect("a writable folder");
    let output = dosegrid(folder.path(), ["convert", "bomb", "--as", "ct", "--output", "out.nii"]);
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("damaged") && !Path::new("out.nii").exists(), "{told}");
    assert!(!matches!(ct(0.0, 1.0).0.get(tags::PIXEL_DATA).map(|one| one.value()), Some(Value::PixelSequence(_))));
}
