//! What a gateway does where a part of it, or of its sources, fails.

use std::time::SystemTime;

use rustix::fs::{Mode, OFlags};

use super::*;
use crate::domain::Invalid;
use crate::formats::dicom::Unread;

#[test]
fn several_items_are_changed_all_or_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    let held = item(&gateway, State::Held, |_| {});
    let ids = |names: [&str; 2]| names.map(str::to_owned).to_vec();
    let refused = gateway.answer(&Asked::Release(ids(["study-1", "nothing-1"])), "uid 0").expect_err("there is one");
    assert_eq!((refused.as_str(), now(&gateway)), ("there is no item `nothing-1`", held.clone()));
    let second = Item { id: "study-2".into(), version: 2, ..held };
    gateway.ledger.change(|change| change.put(Table::Items, "study-2", &second)).expect("room");
    let done = gateway.answer(&Asked::Release(ids(["study-1", "study-2"])), "uid 0").expect("both are held");
    assert!(done.iter().all(|item| item.state == State::Released) && done.len() == 2, "{done:?}");
    // Each has its line.
    assert_eq!(gateway.chain.lock().expect("no panic").head().records, 2);
}

#[test]
fn nothing_is_changed_that_the_audit_log_cannot_tell_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    let held = item(&gateway, State::Held, |_| {});
    gateway.check_audit().expect("it is whole");
    gateway.chain.lock().expect("no panic").break_it();
    gateway.answer(&Asked::Release(vec!["study-1".into()]), "uid 0").expect_err("nothing could tell of it");
    assert_eq!(now(&gateway), held);
    gateway.check_audit().expect_err("the gateway is to end");
}

#[test]
fn an_older_version_that_is_dropped_leaves_the_files_to_the_newer_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    let kept = gateway.study_folder("study").join("file");
    fs::create_dir_all(gateway.study_folder("study")).and_then(|()| fs::write(&kept, "slice")).expect("room");
    gateway.ledger.change(|change| change.put(Table::Instances, "study/1.2", &"known")).expect("room");
    version(&gateway, 1, State::Aside, delivery(DeliveryState::Failed));
    let newer = Item { state: State::Received, ..Item::new("study", 2, 5) };
    gateway.ledger.change(|change| change.put(Table::Items, "study-2", &newer)).expect("room");
    gateway.answer(&Asked::Drop(vec!["study-1".into()]), "uid 0").expect("it follows");
    assert!(kept.exists() && now(&gateway).state == State::Skipped);
    gateway.answer(&Asked::Drop(vec!["study-2".into()]), "uid 0").expect("it follows");
    assert!(!kept.exists());
}

#[test]
fn a_result_that_is_not_what_was_computed_is_not_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    version(&gateway, 1, State::Released, delivery(DeliveryState::Waiting));
    let place = gateway.results("study-1");
    fs::create_dir_all(&place).and_then(|()| fs::write(place.join("dose.dcm"), "other bytes")).expect("room");
    deliver_due(&gateway).expect("no failure");
    let Item { state, reason, .. } = now(&gateway);
    assert_eq!(state, State::Aside, "{reason}");
    assert!(reason.contains("is not what was computed any more"), "{reason}");
    assert!(!folder.path().join("1.2").exists());
}

#[test]
fn what_is_to_be_sent_again_to_one_is_sent_before_the_other_puts_it_aside() {
    use DeliveryState::{Failed, Stored, Waiting};
    let item = |states: &[DeliveryState]| Item {
        state: State::Sent,
        deliveries: states.iter().copied().map(delivery).collect(),
        ..Item::new("study", 1, 5)
    };
    let next = |states: &[DeliveryState]| super::super::delivery::conclusion(&item(states)).map(|(state, _)| state);
    assert_eq!(next(&[Waiting, Failed]), Some(State::Released));
    assert_eq!(next(&[Stored, Failed]), None);
    assert_eq!(next(&[Failed, Failed]), Some(State::Aside));
}

#[test]
fn a_folder_that_cannot_be_read_holds_up_no_other_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = "n".repeat(250);
    let inbox = (0..5).fold(folder.path().to_owned(), |path, _| path.join(&long));
    fs::create_dir_all(&inbox).expect("a writable folder");
    let gateway = gateway(folder.path());
    let dicom = [&[0; 128][..], b"DICM"].concat();
    for name in ["first.dcm", "last.dcm"] {
        fs::write(inbox.join(name), &dicom).expect("a writable folder");
        let file = File::options().write(true).open(inbox.join(name)).expect("it is there");
        file.set_modified(SystemTime::now() - Duration::from_secs(60)).expect("its own file");
    }
    // Their paths are longer than any that can be opened, also by root.
    let (flags, mode) = (OFlags::DIRECTORY | OFlags::RDONLY, Mode::RWXU);
    let mut at = rustix::fs::open(&inbox, flags, mode).expect("a folder");
    for _ in 0..12 {
        rustix::fs::mkdirat(&at, &long, mode).expect("a writable folder");
        at = rustix::fs::openat(&at, &long, flags, mode).expect("a folder");
    }
    let source = gateway.config.sources[0].clone();
    gateway.scan_folder(&source, &inbox, false).expect_err("a folder in it cannot be read");
    let spooled = || fs::read_dir(gateway.at("spool")).expect("a folder").count();
    assert_eq!(spooled(), 2, "all others were taken");
}

#[test]
fn a_file_that_came_is_dropped_for_what_it_is_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    let path = Path::new("file.dcm");
    let why = || Invalid::new("cannot be read");
    for _ in 0..100 {
        assert!(gateway.is_read_again(path, &Unread::NoProcess(why())), "the machine may get what it lacks");
    }
    assert!(gateway.rests_in_spool(path) && !gateway.rests_in_spool(Path::new("other.dcm")));
    assert!(gateway.is_read_again(path, &Unread::Ended(why())) && gateway.is_read_again(path, &Unread::Ended(why())));
    assert!(!gateway.is_read_again(path, &Unread::Ended(why())), "three readings tell");
    assert!(!gateway.is_read_again(Path::new("other.dcm"), &Unread::Refused(why())));
}

#[test]
fn an_instance_that_an_archive_does_not_give_holds_up_no_other_for_good() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    let source = gateway.config.sources[0].clone();
    let is_given_up = |status: u16| gateway.is_given_up(&source, "aa-bb", status).expect("no failure");
    // Of the whole server.
    assert!((0..100).all(|_| !is_given_up(503)) && gateway.ledger.items().expect("readable").is_empty());
    assert_eq!((0..30).position(|_| is_given_up(500)), Some(19));
    let items = gateway.ledger.items().expect("readable");
    assert!(items.len() == 1 && items[0].state == State::Aside, "{items:?}");
    assert!(items[0].reason.starts_with("an instance of inbox is not given: HTTP status 500, 20 times"), "{items:?}");
    assert!(!items[0].reason.contains("aa-bb") && !items[0].id.contains("aa-bb"));
}
