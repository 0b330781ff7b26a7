//! From a folder to a folder: what is done once, what waits, what is put aside, and what outlives a loss.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use dicom_object::open_file;
use dicom_transfer_syntax_registry::entries::IMPLICIT_VR_LITTLE_ENDIAN;
use dosegrid::demo::StylisedPhantom;
use dosegrid::formats::dicom::write::{Administration, Reference, ct_slices, nm_tomography};

use super::site::{NAMES, Site, files, study};
use crate::support::command::{dosegrid, stderr, succeed};

/// Goes out on its own.
const AUTO: &str = "release = 'auto'";

fn verified(states: &[(String, String)]) -> usize {
    states.iter().filter(|(state, _)| state == "verified").count()
}

#[test]
fn a_study_goes_from_folder_to_folder_once() {
    let site = Site::new("release = 'auto'\nsend = ['dose', 'summary']", "");
    site.put(study(), &[]);
    let log = site.run();
    let item = site.item();
    assert_eq!(item["state"], "verified", "{item:#}\n{log}");
    assert_eq!(item["inputs"].as_array().expect("inputs").len(), 12 + 3 + 1);
    let first = site.delivered();
    assert_eq!(first.len(), 2);
    for object in item["objects"].as_array().expect("objects") {
        let name = format!("{}.dcm", object["instance"].as_str().expect("a UID"));
        let made = site.path().join("state/results").join(item["id"].as_str().expect("an id"));
        let made = fs::read(made.join(object["file"].as_str().expect("a name"))).expect("the result");
        assert!(first.iter().any(|(path, bytes)| path.ends_with(&name) && *bytes == made), "{name}");
    }
    site.tells_nobody(&log);
    // The same files under other names, and what was made of them: nothing new.
    for (number, path) in files(study()).iter().enumerate() {
        fs::copy(path, site.path().join(format!("in/again-{number}.dcm"))).expect("a writable folder");
    }
    for (number, (path, _)) in first.iter().enumerate() {
        fs::copy(path, site.path().join(format!("in/own-{number}.dcm"))).expect("a writable folder");
    }
    // By a sender who writes no VRs.
    for (number, path) in files(study()).iter().enumerate() {
        let mut object = open_file(path).expect("a file");
        object.update_meta(|meta| meta.set_transfer_syntax(&IMPLICIT_VR_LITTLE_ENDIAN.erased()));
        object.write_to_file(site.path().join(format!("in/implicit-{number}.dcm"))).expect("a writable folder");
    }
    site.run();
    assert_eq!(site.item(), item);
    assert_eq!(site.delivered(), first);
    // With its ledger lost, a gateway knows its own objects by what they say.
    fs::remove_dir_all(site.path().join("state")).expect("it is there");
    site.run();
    assert_eq!(site.item()["objects"], item["objects"]);
    assert_eq!(site.delivered(), first);
}

#[test]
fn a_dry_run_says_what_then_happens() {
    let site = Site::new("release = 'auto'\nactivity = { modality = 'NM' }", "");
    site.put(study(), &[]);
    let said = site.asked(&["--dry-run", "in", "--compute"]);
    assert!(!site.path().join("state").exists());
    site.run();
    let item = site.item();
    let words: Vec<&str> = item["words"].as_array().expect("words").iter().map(|w| w.as_str().expect("text")).collect();
    let object = &item["objects"][0];
    let expected = [
        format!("dosegrid study {}", words.join(" ")),
        format!("16 files; key {}", item["key"].as_str().expect("a key")),
        format!("series {}, instance {}", object["series"], object["instance"]).replace('"', ""),
        "sends      dose.dcm to out (a folder, read back)".to_owned(),
        "rule lu meets it as activity".to_owned(),
        "rule lu meets it as CT".to_owned(),
        format!("study UID  {}", object["study"].as_str().expect("a UID")),
    ];
    for words in expected {
        assert!(said.contains(&words), "{words}: {said}");
    }
    for name in NAMES {
        assert!(!said.contains(name), "{said}");
    }
    let other = Site::new("calling = 'PET*'\nactivity = { modality = 'PT' }", "");
    other.put(study(), &[]);
    let said = other.asked(&["--dry-run", "in"]);
    assert!(said.contains("does not meet it: the calling title is not like PET*"), "{said}");
    let said = other.asked(&["--dry-run", "in", "--calling", "PET1"]);
    assert!(said.contains("rule lu does not meet it as activity: its modality is not of PT"), "{said}");
    assert!(said.contains("no rule meets a series of it"), "{said}");
}

#[test]
fn a_dose_waits_for_a_release_which_is_recorded() {
    let site = Site::new("", "");
    site.put(study(), &["spect-2", "spect-3", "organs"]);
    site.run();
    assert_eq!(site.states()[0].0, "aside", "one time point and no way to decays");
    let text = fs::read_to_string(site.path().join("gateway.toml")).expect("the file");
    fs::write(site.path().join("gateway.toml"), text + "effective_half_life = '60h'\n").expect("a writable folder");
    let id = site.item()["id"].as_str().expect("an id").to_owned();
    site.asked(&["retry", &id]);
    site.run();
    assert_eq!(site.item()["state"], "held");
    assert!(site.delivered().is_empty());
    assert!(site.refused(&["release", "nobody-1"]).contains("there is no item `nobody-1`"));
    let running = site.start();
    site.wait("it runs", |states| states[0].0 == "held");
    site.asked(&["release", &id]);
    site.wait("it is sent", |states| states[0].0 == "verified");
    assert!(site.refused(&["release", &id]).contains("is verified, and cannot become released"));
    drop(running);
    let item = site.item();
    let by = item["released_by"].as_str().expect("somebody");
    let log = succeed(site.path(), ["audit", "show", "--store", "state"]);
    let released: Vec<&str> = log.lines().filter(|line| line.contains(r#""state":"released""#)).collect();
    assert!(released.len() == 1 && released[0].contains(by) && released[0].contains(&id), "{log}");
    let intact = succeed(site.path(), ["audit", "verify", "--store", "state"]);
    assert!(intact.contains("its end is that of the ledger"), "{intact}");
    assert!(site.asked(&["show", &id]).contains("out dose.dcm: verified"));
    site.tells_nobody(&log);
}

#[test]
fn what_is_not_whole_waits_and_what_comes_late_is_a_new_version() {
    let site = Site::new(AUTO, "max_activity_outside = 0.9");
    site.put(study(), &["006", "012"]);
    site.run();
    let (state, reason) = site.states()[0].clone();
    assert!(state == "aside" && reason.contains("slices are missing"), "{state}: {reason}");
    assert!(site.delivered().is_empty());
    site.put(study(), &["012"]);
    site.run();
    assert_eq!(verified(&site.states()), 1, "{:?}", site.states());
    let first = site.delivered();
    site.put(study(), &[]);
    site.run();
    let items = site.items();
    assert_eq!((items.len(), verified(&site.states())), (2, 2), "{items:#?}");
    assert_eq!((&items[0]["version"], &items[1]["version"]), (&1.into(), &2.into()));
    assert_ne!(items[0]["objects"][0]["instance"], items[1]["objects"][0]["instance"]);
    let both = site.delivered();
    assert!(both.len() == 2 && both.contains(&first[0]));
    // Other bytes under a UID that was there.
    let changed = site.path().join("in/changed.dcm");
    let mut bytes = fs::read(study().join("ct/003.dcm")).expect("a slice");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(changed, bytes).expect("a writable folder");
    site.run();
    let (state, reason) = site.states()[2].clone();
    assert!(state == "aside" && reason.contains("came again with other bytes"), "{state}: {reason}");
    assert_eq!(site.delivered(), both);
}

#[test]
fn a_rule_asks_where_the_activity_came_from_whatever_comes_last() {
    let source = |name: &str| {
        format!("[[source]]\nname = '{name}'\nkind = 'folder'\npath = '{name}'\nquiet = '1s'\nlimit = '1s'\n")
    };
    let rest = "[[destination]]\nname = 'out'\nkind = 'folder'\npath = 'out'\n\
        [[rule]]\nname = 'lu'\nsources = 'in'\nto = 'out'\nrelease = 'auto'\n[rule.compute]\nmethod = 'local'\n";
    // Sources are asked in this order.
    for sources in [["in", "archive"], ["archive", "in"]] {
        let sources = sources.map(source).concat();
        let site = Site::with(&format!("folder = 'state'\npoll = '1s'\n{sources}{rest}"));
        site.put(study(), &["ct-"]);
        fs::create_dir(site.path().join("archive")).expect("a writable folder");
        for path in files(&study().join("ct")) {
            fs::copy(&path, site.path().join("archive").join(path.file_name().expect("a name"))).expect("room");
        }
        site.run();
        assert_eq!(verified(&site.states()), 1, "{:?}", site.states());
    }
}

#[test]
fn ct_and_activity_have_to_be_of_one_place() {
    let site = Site::new(AUTO, "");
    site.put(study(), &["ct-", "organs"]);
    site.run();
    let (state, reason) = site.states()[0].clone();
    assert!(state == "aside" && reason.contains("no CT lies in the frame of reference"), "{state}: {reason}");
    let alone = Site::new("activity = { description = 'nothing*' }\nrelease = 'auto'", "");
    alone.put(study(), &[]);
    alone.run();
    let (state, reason) = alone.states()[0].clone();
    assert!(state == "skipped" && reason.contains("no rule meets a series"), "{state}: {reason}");
    let needed = Site::new("organs = 'needed'\nrelease = 'auto'", "");
    needed.put(study(), &["organs"]);
    needed.run();
    assert!(needed.states()[0].1.contains("no organs came"), "{:?}", needed.states());
}

/// A study whose nuclide nobody knows.
fn of_no_nuclide(folder: &Path) {
    let phantom = StylisedPhantom::new([16, 16, 12]).expect("a good shape");
    let reference = Reference::made_up("CANARY", "CANARY-ID", "20260105");
    let slices = ct_slices(&phantom.ct_numbers(), ["20260105", "080000"], &reference).expect("a CT");
    for (number, slice) in slices.iter().enumerate() {
        slice.write(&folder.join(format!("ct-{number}.dcm"))).expect("a writable folder");
    }
    let administration =
        Administration { nuclide: ["C-0", "Unobtainium"], time: "20260105090000", activity_mbq: 7400.0 };
    let activity = phantom.ct_numbers().map(|hu| if *hu > 0.0 { 1e5 } else { 0.0 });
    let time = ["20260106", "090000"];
    let image = nm_tomography(&activity, time, &administration, &reference).expect("an activity");
    image.write(&folder.join("nm.dcm")).expect("a writable folder");
}

#[test]
fn what_may_not_be_assumed_is_put_aside_with_its_reason() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    of_no_nuclide(folder.path());
    let site = Site::new(AUTO, "effective_half_life = '60h'");
    site.put(folder.path(), &[]);
    site.run();
    let (state, reason) = site.states()[0].clone();
    assert!(state == "aside" && reason.contains("nuclide: is needed"), "{state}: {reason}");
    // A rule may say it, for the code that the files have.
    let rule = "release = 'auto'\nactivity = { nuclide_code = 'C-0' }";
    let told = Site::new(rule, "effective_half_life = '60h'\nnuclide = 'Lu-177'");
    told.put(folder.path(), &[]);
    told.run();
    assert_eq!(verified(&told.states()), 1, "{:?}", told.states());

    let counts = tempfile::tempdir().expect("a temporary folder");
    for path in files(study()) {
        let name = path.file_name().expect("a name").to_owned();
        fs::copy(&path, counts.path().join(name)).expect("a writable folder");
    }
    for number in 1..=3 {
        let path = counts.path().join(format!("spect-{number}.dcm"));
        let mut object = dicom_object::open_file(&path).expect("a DICOM file");
        object.remove_element(dicom_dictionary_std::tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE);
        object.write_to_file(&path).expect("a writable folder");
    }
    let site = Site::new(AUTO, "");
    site.put(counts.path(), &[]);
    site.run();
    let (state, reason) = site.states()[0].clone();
    assert!(state == "aside" && reason.contains("calibration"), "{state}: {reason}");
}

#[test]
fn a_hostile_file_is_put_aside_and_harms_nothing() {
    let site = Site::new(AUTO, "");
    site.put(study(), &[]);
    let mut bytes = vec![0; 128];
    bytes.extend(b"DICM");
    bytes.extend([7; 4000]);
    fs::write(site.path().join("in/hostile.dcm"), bytes).expect("a writable folder");
    fs::write(site.path().join("in/notes.txt"), "PHANTOM is the patient").expect("a writable folder");
    let log = site.run();
    let states = site.states();
    assert_eq!((states.len(), verified(&states)), (2, 1), "{states:?}");
    let (_, reason) = states.iter().find(|(state, _)| state == "aside").expect("one aside");
    assert!(reason.contains("from inbox is a damaged DICOM file"), "{reason}");
    assert_eq!(fs::read_dir(site.path().join("state/spool")).expect("a folder").count(), 0);
    site.tells_nobody(&log);
}

#[test]
fn a_gateway_that_is_killed_again_and_again_ends_with_the_same() {
    let undisturbed = Site::new(AUTO, "");
    undisturbed.put(study(), &[]);
    undisturbed.run();
    let names = |site: &Site| -> BTreeSet<(String, Vec<u8>)> {
        let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
        site.delivered().iter().map(|(path, bytes)| (name(path), bytes.clone())).collect()
    };
    let expected = names(&undisturbed);
    assert_eq!(expected.len(), 1);
    let site = Site::new(AUTO, "");
    site.put(study(), &[]);
    // Times that fall into taking, looking, computing and sending.
    for after_ms in [150, 400, 800, 1200, 1600, 2000, 2500, 3000, 4000, 5000, 6000] {
        let running = site.start();
        thread::sleep(Duration::from_millis(after_ms));
        running.kill();
        let found = names(&site);
        assert!(found.is_subset(&expected), "half of a file, or another dose after {after_ms} ms");
    }
    site.run();
    assert_eq!(names(&site), expected);
    let states = site.states();
    assert_eq!((states.len(), verified(&states)), (1, 1), "{states:?}");
    succeed(site.path(), ["audit", "verify", "--store", "state"]);
    site.tells_nobody("");
}

#[test]
fn a_file_with_faults_is_refused_before_anything_begins() {
    let site = Site::new("release = 'maybe'\nsend = 'doses'", "nuclide = 'Xx-1'\nhistories = -1\nspeed = 'high'");
    let output = dosegrid(site.path(), ["gateway", "--config", "gateway.toml"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    for words in [
        "rule.release is one of",
        "rule.send is of",
        "nuclide is not a known",
        "histories is a number",
        "speed is not a key",
    ] {
        let found = said.lines().any(|line| line.starts_with("error: config: line ") && line.contains(words));
        assert!(found, "{words}: {said}");
    }
    assert!(!site.path().join("state").exists());
}
