//! What is known before: a dry run that says what then happens, and rules whose faults are found as they are read.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::open_file;

use super::patients::{Kind, make};
use super::site::{Site, files, study};

/// Changes an attribute of files whose name begins so.
fn change(folder: &Path, start: &str, tag: Tag, vr: VR, value: &str) {
    let is_meant = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start));
    for path in files(folder).into_iter().filter(|path| is_meant(path)) {
        let mut object = open_file(&path).expect("a DICOM file");
        object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
        object.write_to_file(&path).expect("a writable folder");
        set_modified(&path, SystemTime::now() - Duration::from_secs(3600));
    }
}

fn set_modified(path: &Path, time: SystemTime) {
    fs::File::options().append(true).open(path).and_then(|file| file.set_modified(time)).expect("a file of ours");
}

/// What a dry run says of the inbox, and then the state and reason of the only item.
fn foretold(site: &Site) -> (String, [String; 2]) {
    let said = site.asked(&["--dry-run", "in"]);
    site.run();
    let item = site.item();
    (said, ["state", "reason"].map(|key| item[key].as_str().expect("text").to_owned()))
}

#[test]
fn a_dry_run_has_the_words_of_what_then_happens() {
    for kind in Kind::ALL.into_iter().filter(|kind| kind.aside().is_some()) {
        let site = Site::new("", "effective_half_life = '60h'");
        make(&site.path().join("in"), 1, kind);
        if kind == Kind::Missing {
            fs::remove_file(site.path().join("in/ct-05.dcm")).expect("it is there");
        }
        let (said, [state, reason]) = foretold(&site);
        assert!(state == "aside" && said.contains(&reason), "{kind:?}: {state}: {reason}\n{said}");
    }
    // An instance that is there again with other bytes, and what is no part of the study.
    let site = Site::new("", "effective_half_life = '60h'");
    make(&site.path().join("in"), 1, Kind::Plain);
    fs::copy(site.path().join("in/nm-0.dcm"), site.path().join("in/nm-1.dcm")).expect("a writable folder");
    change(&site.path().join("in"), "nm-1", tags::SERIES_DESCRIPTION, VR::LO, "changed");
    let (said, [state, reason]) = foretold(&site);
    assert!(state == "aside" && reason.contains("came again with other bytes"), "{reason}");
    assert!(said.contains(&format!("aside      {reason}")), "{reason}\n{said}");
}

#[test]
fn files_of_two_patients_are_no_study() {
    for (tag, vr) in [(tags::PATIENT_BIRTH_DATE, VR::DA), (tags::ISSUER_OF_PATIENT_ID, VR::LO)] {
        let site = Site::new("", "effective_half_life = '60h'");
        make(&site.path().join("in"), 1, Kind::Plain);
        change(&site.path().join("in"), "nm", tag, vr, "19600102");
        change(&site.path().join("in"), "ct", tag, vr, "19910304");
        let (said, [state, reason]) = foretold(&site);
        assert_eq!(state, "aside", "{reason}");
        assert_eq!(reason, "it holds files of 2 patients (Patient ID with its issuer, or date of birth)");
        assert!(said.contains(&format!("aside      {reason}")), "{said}");
        assert!(!said.contains("1960") && !reason.contains("1960"));
    }
    // One that does not say it is not another.
    let site = Site::new("", "effective_half_life = '60h'");
    make(&site.path().join("in"), 1, Kind::Plain);
    change(&site.path().join("in"), "nm", tags::PATIENT_BIRTH_DATE, VR::DA, "19600102");
    assert_eq!(foretold(&site).1[0], "held");
}

#[test]
fn files_from_tomorrow_are_taken_once_they_rest() {
    let site = Site::new("", "effective_half_life = '60h'");
    site.put(study(), &["spect-2", "spect-3", "organs"]);
    let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
    files(&site.path().join("in")).iter().for_each(|path| set_modified(path, tomorrow));
    site.run();
    assert_eq!(site.item()["state"], "held");
}

#[test]
fn what_a_computation_would_refuse_has_its_line_before_anything_begins() {
    let compute = "method = 'monte-carlo'\nhistories = 1.5\nmodel = 'cubic'\ntime_limit = '0s'\neffective_half_life = '0s'\n\
                   dose_grid = 'finest'\nmax_activity_outside = 2\ntarget_uncertainty = 3\ndevice = 'abacus'\n\
                   hu_curve = 'gateway.toml'\nvoxelwise = true\n";
    let site = Site::new("", "");
    let text = fs::read_to_string(site.path().join("gateway.toml")).expect("it is there");
    fs::write(site.path().join("gateway.toml"), text.replace("method = 'local'\n", compute))
        .expect("a writable folder");
    let said = site.refused(&["list"]);
    let lines: Vec<&str> = said.lines().collect();
    for (line, key) in [
        (21, "histories"),
        (22, "model"),
        (23, "time_limit"),
        (24, "effective_half_life"),
        (25, "dose_grid"),
        (26, "max_activity_outside"),
        (27, "target_uncertainty"),
        (28, "device"),
        (29, "hu_curve"),
    ] {
        let start = format!("error: config: line {line}: rule.compute.{key} ");
        assert!(lines.iter().any(|fault| fault.starts_with(&start)), "{start}: {said}");
    }
    let site = Site::new("", "single_time_point = 'population_half_life'");
    let said = site.refused(&["list"]);
    assert!(said.contains("rule.compute.half_life_h population_half_life needs"), "{said}");
}
