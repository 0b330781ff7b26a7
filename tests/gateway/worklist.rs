//! Studies that are computed for workitems of a worklist.

use std::fs;
use std::thread;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::network::{Habit, archive, text};
use super::site::{Site, study};
use super::ups::{Shared, worklist};
use crate::study::servers::web;
use crate::support::command::{dosegrid, stderr};

/// A workitem that is meant, and one that is not.
const MEANT: &str = "2.25.101";
const OTHER: &str = "2.25.102";

/// The study of the demonstration.
fn study_uid() -> String {
    let path = study().join("ct/001.dcm");
    let object = dicom_object::open_file(path).expect("a DICOM file");
    let uid = object.element(dicom_dictionary_std::tags::STUDY_INSTANCE_UID).expect("a study");
    uid.to_str().expect("text").trim_matches(['\0', ' ']).to_owned()
}

/// A gateway from a folder to a folder, whose rule has a worklist.
fn site(rule: &str) -> (Site, Shared) {
    let site = Site::new(rule, "");
    let shared = with_worklist(&site);
    (site, shared)
}

/// Gives the rule of a gateway a worklist.
fn with_worklist(site: &Site) -> Shared {
    let (url, shared) = worklist();
    let place = site.path().join("gateway.toml");
    let file = fs::read_to_string(&place).expect("the file");
    let table = format!("[[worklist]]\nname = 'ris'\nurl = '{url}'\n[[source]]");
    let rule = "name = 'lu'\nworklist = 'ris'\nworkitem = { label = ['*dosimetry*'], code = 'D-1' }";
    let file = file.replacen("[[source]]", &table, 1).replacen("name = 'lu'", rule, 1);
    fs::write(&place, file).expect("a writable folder");
    shared
}

/// Asserts that a workitem ended with what was made.
fn completed(site: &Site, shared: &Shared, uid: &str) {
    let worklist = shared.lock().expect("no panic");
    assert_eq!(worklist.state(uid), "COMPLETED", "{:?}", worklist.told);
    assert_eq!(worklist.faults, [""; 0]);
    let performed = worklist.performed(uid);
    let (begun, ended) = (&performed["00404050"]["Value"][0], &performed["00404051"]["Value"][0]);
    assert!(begun.as_str() <= ended.as_str() && begun.is_string(), "{performed}");
    assert_eq!(performed["00404019"]["Value"][0]["00080100"]["Value"][0], "D-1");
    let item = site.items().into_iter().find(|item| item["state"] == "verified").expect("a dose");
    let (made, object) = (&performed["00404033"]["Value"][0], &item["objects"][0]);
    assert_eq!(made["00081199"]["Value"][0]["00081155"]["Value"][0], object["instance"]);
    assert_eq!(made["00081199"]["Value"][0]["00081150"]["Value"][0], object["class"]);
    assert_eq!((&made["0020000D"]["Value"][0], &made["0020000E"]["Value"][0]), (&object["study"], &object["series"]));
    assert_eq!(item["workitem"]["state"], "completed");
}

#[test]
fn a_study_waits_for_a_workitem_and_completes_it() {
    let (site, shared) = site("release = 'wait'");
    let schedule = |uid: &str, study: &str, label: &str, priority: &str| {
        shared.lock().expect("no panic").schedule(uid, study, label, priority);
    };
    schedule(OTHER, &study_uid(), "registration", "HIGH");
    schedule("2.25.103", "1.2.3", "dosimetry", "HIGH");
    site.put(study(), &[]);
    let log = site.run();
    assert_eq!(site.states(), [("ready".to_owned(), "waits for a workitem of ris".to_owned())]);
    schedule("2.25.104", &study_uid(), "Lu-177 dosimetry", "LOW");
    schedule(MEANT, &study_uid(), "Dosimetry", "MEDIUM");
    let log = log + &site.run();
    assert_eq!(site.item()["state"], "held");
    let id = site.item()["id"].as_str().expect("an id").to_owned();
    assert!(site.asked(&["show", &id]).contains(&format!("{MEANT} of ris: in progress")));
    site.asked(&["release", &id]);
    let log = log + &site.run();
    completed(&site, &shared, MEANT);
    let worklist = shared.lock().expect("no panic");
    for uid in [OTHER, "2.25.103", "2.25.104"] {
        assert_eq!(worklist.state(uid), "SCHEDULED", "{uid}");
    }
    assert!(worklist.told.iter().all(|(uid, _)| uid == MEANT), "{:?}", worklist.told);
    let told: Vec<&str> = worklist.told.iter().map(|(_, words)| words.as_str()).collect();
    assert!(told.contains(&"computed; waits for a release"), "{told:?}");
    assert_eq!((told[0], told[told.len() - 1]), ("IN PROGRESS", "COMPLETED"));
    assert_eq!(worklist.progress(MEANT)["00741004"]["Value"][0], 100);
    drop(worklist);
    site.tells_nobody(&log);
    assert!(!log.contains("CANARY"), "{log}");
}

#[test]
fn what_is_put_aside_gives_its_workitem_up_with_the_reason() {
    let (url, _) = web(archive(Habit::Refuses));
    let site = Site::with(&text("kind = 'folder'\npath = 'in'", &format!("kind = 'dicom-web'\nurl = '{url}'")));
    let shared = with_worklist(&site);
    shared.lock().expect("no panic").schedule(MEANT, &study_uid(), "dosimetry", "HIGH");
    site.put(study(), &[]);
    site.run();
    assert_eq!((&site.item()["state"], &site.item()["workitem"]["state"]), (&"aside".into(), &"canceled".into()));
    let worklist = shared.lock().expect("no panic");
    assert_eq!((worklist.state(MEANT).as_str(), worklist.faults.len()), ("CANCELED", 0));
    let progress = worklist.progress(MEANT);
    let reason = progress["00741238"]["Value"][0].as_str().expect("a reason");
    assert!(reason.contains("0110H failure in processing"), "{reason}");
    assert_eq!(progress["0074100E"]["Value"][0]["00080102"]["Value"][0], "DCM");
}

#[test]
fn a_workitem_that_another_has_is_left_to_it() {
    let (site, shared) = site("release = 'auto'");
    {
        let mut worklist = shared.lock().expect("no panic");
        worklist.schedule(OTHER, &study_uid(), "dosimetry", "HIGH");
        worklist.claim(OTHER);
    }
    site.put(study(), &[]);
    site.run();
    assert_eq!(site.item()["state"], "ready");
    shared.lock().expect("no panic").schedule(MEANT, &study_uid(), "dosimetry", "LOW");
    site.run();
    completed(&site, &shared, MEANT);
    assert_eq!(shared.lock().expect("no panic").state(OTHER), "IN PROGRESS");
}

#[test]
fn a_worklist_that_asks_for_less_and_says_less_is_served() {
    let (site, shared) = site("release = 'auto'");
    {
        let mut worklist = shared.lock().expect("no panic");
        worklist.is_plain = true;
        // What it cannot choose comes before, more than a page of it.
        for number in 0..120 {
            worklist.schedule(&format!("2.25.1.{number}"), "1.2.3", "dosimetry", "HIGH");
        }
        worklist.schedule(MEANT, &study_uid(), "dosimetry", "LOW");
    }
    site.put(study(), &[]);
    site.run();
    completed(&site, &shared, MEANT);
    assert_eq!(shared.lock().expect("no panic").progress(MEANT)["00741004"]["Value"][0], 100);
}

#[test]
fn a_claim_that_is_refused_by_400_is_lost() {
    let (site, shared) = site("release = 'auto'");
    {
        let mut worklist = shared.lock().expect("no panic");
        worklist.is_plain = true;
        worklist.schedule(MEANT, &study_uid(), "dosimetry", "HIGH");
        // Another is quicker, between the answer to the question and the claim.
        worklist.locks_at_claim = true;
        worklist.schedule(OTHER, &study_uid(), "dosimetry", "LOW");
    }
    site.put(study(), &[]);
    // A worklist is asked once in a poll: this run finds what is left, or the next one.
    site.run();
    site.run();
    completed(&site, &shared, OTHER);
    assert_eq!(shared.lock().expect("no panic").state(MEANT), "IN PROGRESS");
}

#[test]
fn what_a_worklist_warns_of_is_said() {
    let (site, shared) = site("release = 'auto'");
    {
        let mut worklist = shared.lock().expect("no panic");
        worklist.schedule(MEANT, &study_uid(), "dosimetry", "HIGH");
        worklist.warning = Some("299 ris: The UPS of CANARY^WORKLIST was updated with modifications.");
    }
    site.put(study(), &[]);
    let log = site.run();
    completed(&site, &shared, MEANT);
    let words = "the worklist says: the change was made with modifications";
    let said = site.item()["workitem"]["said"].as_str().expect("text").to_owned();
    assert_eq!(said, format!("completed; {words}"));
    assert!(log.contains(words) && !log.contains("CANARY"), "{log}");
    let id = site.item()["id"].as_str().expect("an id").to_owned();
    assert!(site.asked(&["show", &id]).contains(words));
}

#[test]
fn a_workitem_is_claimed_and_ended_once_whatever_is_lost() {
    let (site, shared) = site("release = 'auto'");
    {
        let mut worklist = shared.lock().expect("no panic");
        worklist.schedule(MEANT, &study_uid(), "dosimetry", "HIGH");
        worklist.loses = 3;
    }
    site.put(study(), &[]);
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for _ in 0..8 {
        let running = site.start();
        thread::sleep(Duration::from_millis(rng.random_range(50..1500)));
        running.kill();
    }
    let running = site.start();
    site.wait_for("it is completed", |items| items.first().is_some_and(|one| one["workitem"]["state"] == "completed"));
    drop(running);
    completed(&site, &shared, MEANT);
    let worklist = shared.lock().expect("no panic");
    let states = |state: &str| worklist.told.iter().filter(|(_, words)| words == state).count();
    assert_eq!((states("IN PROGRESS"), states("COMPLETED"), states("CANCELED")), (1, 1, 0), "{:?}", worklist.told);
}

#[test]
fn faults_of_worklists_are_named() {
    let rule = "release = 'auto'\nworklist = 'ris'\nworkitem = { labels = 'x' }";
    for (rule, words) in [
        (rule, "rule.worklist names `ris`, which is not there"),
        (rule, "rule.workitem.labels is not a key; there is `label`"),
        ("workitem = { label = 'x' }", "rule.workitem has no effect without `worklist`"),
    ] {
        let site = Site::new(rule, "");
        let output = dosegrid(site.path(), ["gateway", "--config", "gateway.toml"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(words), "{words}: {}", stderr(&output));
    }
}
