//! What happens to an item while something is being done with it.

use std::path::Path;
use std::time::Duration;

use super::control::Asked;
use super::delivery::Line;
use super::record::StudyRecord;
use super::work::Undone;
use super::*;

mod lacks;
mod lines;
mod old;

/// A gateway from a folder to a folder.
fn gateway(folder: &Path) -> Gateway {
    let text = "folder = 'state'\n\
        [[source]]\nname = 'inbox'\nkind = 'folder'\npath = '.'\n\
        [[destination]]\nname = 'out'\nkind = 'folder'\npath = '.'\n\
        [[rule]]\nname = 'lu'\nto = 'out'\n[rule.compute]\nmethod = 'local'\n";
    let config = Config::parse(text, folder, &|_| Vec::new()).expect("a good file");
    Gateway::open(config, "dosegrid".into()).unwrap_or_else(|_| panic!("a new folder"))
}

/// The first version of a study that comes to a state.
fn item(gateway: &Gateway, state: State, more: impl FnOnce(&mut Item)) -> Item {
    let mut item = Item { state, ..Item::new("study", 1, 5) };
    more(&mut item);
    gateway.ledger.change(|change| change.put(Table::Items, &item.id, &item)).expect("room");
    item
}

fn now(gateway: &Gateway) -> Item {
    gateway.ledger.get(Table::Items, "study-1").expect("readable").expect("it")
}

/// Makes what is due of every line, one after the other.
fn deliver_due(gateway: &Gateway) -> Result<bool, DoseError> {
    let lines = gateway.config.destinations.iter().map(|one| Line::To(&one.name)).chain([Line::Nowhere]);
    lines.map(|line| gateway.deliver_due(line)).try_fold(false, |was_due, next| Ok(next? || was_due))
}

fn delivery(state: DeliveryState) -> Delivery {
    Delivery {
        object: 0,
        to: "out".into(),
        state,
        attempts: 0,
        next_ms: 0,
        said: String::new(),
        transaction: None,
        unanswered: false,
    }
}

#[test]
fn a_dose_of_fewer_files_is_not_that_of_an_item_that_is_ready_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    let found = item(&gateway, State::Ready, |item| item.key = Some("without the last slice".into()));
    let whole = item(&gateway, State::Ready, |item| item.key = Some("with it".into()));
    let output = folder.path().join("output");
    fs::create_dir(&output).expect("room");
    gateway.computed(&found, &gateway.config.rules[0], &output, Vec::new()).expect("no failure");
    assert_eq!(now(&gateway), whole);
    assert!(!gateway.results("study-1").exists());
    gateway.computed(&whole, &gateway.config.rules[0], &output, Vec::new()).expect("no failure");
    assert_eq!(now(&gateway).state, State::Held);
}

#[test]
fn what_arrives_while_its_item_is_skipped_is_noted() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    let found = item(&gateway, State::Released, |item| item.deliveries = vec![delivery(DeliveryState::Waiting)]);
    gateway.advance("study-1", State::Skipped, "more came", |_| {}).expect("it follows");
    gateway.attempted(&found, 0, delivery(DeliveryState::Failed)).expect("no failure");
    assert_eq!(now(&gateway).deliveries, found.deliveries);
    gateway.attempted(&found, 0, delivery(DeliveryState::Stored)).expect("no failure");
    let Item { state, reason, deliveries, .. } = now(&gateway);
    assert_eq!((state, deliveries[0].state), (State::Skipped, DeliveryState::Stored));
    assert_eq!(reason, "more came; out had it by then");
}

#[test]
fn a_gateway_that_ends_when_all_is_done_follows_the_last_report() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    for (states, has_work) in [
        (&[DeliveryState::Committed][..], true),
        (&[DeliveryState::Verified, DeliveryState::Stored], true),
        (&[DeliveryState::Unverified, DeliveryState::Failed], true),
        (&[DeliveryState::Verified, DeliveryState::Unverified], true),
    ] {
        item(&gateway, State::Sent, |item| item.deliveries = states.iter().copied().map(delivery).collect());
        assert_eq!(gateway.has_work().expect("readable"), has_work, "{states:?}");
    }
    // Once it is known, and told, that it stays so, nothing is left.
    deliver_due(&gateway).expect("no failure");
    assert!(gateway.has_work().expect("readable"), "somebody is to be told");
    gateway.tell_due().expect("no failure");
    assert!(!gateway.has_work().expect("readable"));
}

#[test]
fn what_waited_for_its_turn_is_looked_at_by_the_rules_of_a_new_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    item(&gateway, State::Ready, |item| item.looked_ms = 7);
    gateway.look_anew().expect("no failure");
    assert_eq!((now(&gateway).state, now(&gateway).looked_ms), (State::Received, 0));
}

#[test]
fn a_study_is_forgotten_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    item(&gateway, State::Held, |_| {});
    let kept = gateway.study_folder("study").join("file");
    let keep = || fs::create_dir_all(gateway.study_folder("study")).and_then(|()| fs::write(&kept, "slice"));
    keep().expect("room");
    // Not while a file of it gets its place.
    let file = gateway.studies.lock();
    thread::scope(|scope| {
        let dropped = scope.spawn(|| gateway.answer(&Asked::Drop(vec!["study-1".into()]), "uid 0"));
        thread::sleep(Duration::from_millis(200));
        assert!(kept.exists() && now(&gateway).state == State::Held);
        drop(file);
        dropped.join().expect("no panic").expect("it follows");
    });
    assert!(!kept.exists());
    // A process that was lost between the ledger and the files.
    keep().expect("room");
    gateway.clear_unfinished().expect("no failure");
    assert!(!kept.exists());
    keep().expect("room");
    gateway.ledger.change(|change| change.put(Table::Instances, "study/1.2", &"known")).expect("room");
    gateway.clear_unfinished().expect("no failure");
    assert!(kept.exists());
}

/// The version of a study with a delivery.
fn version(gateway: &Gateway, number: u32, state: State, one: Delivery) -> Item {
    let object = |digest: &str| Object {
        file: "dose.dcm".into(),
        class: "1.2".into(),
        instance: format!("1.2.{number}"),
        series: "1.2.3".into(),
        study: "1.2".into(),
        digest: digest.into(),
    };
    let item = Item { state, objects: vec![object("0")], deliveries: vec![one], ..Item::new("study", number, 5) };
    gateway.ledger.change(|change| change.put(Table::Items, &item.id, &item)).expect("room");
    item
}

fn asked(gateway: &Gateway, asked: &Asked) -> String {
    gateway.answer(asked, "uid 0").expect_err("refused")
}

#[test]
fn a_destination_that_takes_nothing_is_tried_with_longer_waits_and_an_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    version(&gateway, 1, State::Released, delivery(DeliveryState::Waiting));
    let mut waits = Vec::new();
    for attempts in 1..=10 {
        let before = now_ms();
        assert!(deliver_due(&gateway).expect("no failure"), "attempt {attempts}");
        let one = now(&gateway).deliveries[0].clone();
        assert_eq!(one.attempts, attempts);
        waits.push((one.next_ms - before + 500) / 60_000);
        // Not again at once.
        assert!(!deliver_due(&gateway).expect("no failure"));
        gateway.note("study-1", State::Released, |item| item.deliveries[0].next_ms = 0).expect("no failure");
    }
    assert_eq!(waits[..9], [1, 2, 4, 8, 16, 32, 64, 128, 256]);
    assert_eq!((now(&gateway).state, now(&gateway).deliveries[0].state), (State::Aside, DeliveryState::Failed));
}

#[test]
fn a_computation_that_fails_is_tried_with_longer_waits_and_an_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    item(&gateway, State::Ready, |_| {});
    let undone = Undone { reason: "no space is left".into(), tries: 6 };
    for minutes in [1, 2, 4, 8, 16] {
        let before = now_ms();
        gateway.not_computed(&now(&gateway), &undone).expect("no failure");
        assert_eq!((now(&gateway).next_ms - before + 500) / 60_000, minutes);
        assert!(!gateway.compute_next().expect("no failure"), "not again at once");
    }
    gateway.not_computed(&now(&gateway), &undone).expect("no failure");
    assert_eq!((now(&gateway).state, now(&gateway).failures), (State::Aside, 6));
    assert_eq!(now(&gateway).reason, "no space is left");
}

#[test]
fn a_clock_that_is_set_back_holds_nothing_up() {
    assert!(has_come(0, Duration::ZERO) && has_come(now_ms(), Duration::from_secs(60)));
    assert!(!has_come(now_ms() + 50_000, Duration::from_secs(60)));
    assert!(has_come(now_ms() + 70_000, Duration::from_secs(60)), "it was set before the clock was set back");
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    let year_ms = 365 * 86_400_000;
    // An attempt is made, and the next one by the clock as it is now.
    let late = Delivery { attempts: 1, next_ms: now_ms() + year_ms, ..delivery(DeliveryState::Waiting) };
    version(&gateway, 1, State::Released, late);
    assert!(deliver_due(&gateway).expect("no failure") && !deliver_due(&gateway).expect("no failure"));
    let one = now(&gateway).deliveries[0].clone();
    assert!(one.attempts == 2 && one.next_ms < now_ms() + 121_000, "{one:?}");
    // A study is quiet from now on.
    let record = StudyRecord { source: "inbox".into(), last_ms: now_ms() + year_ms, ..StudyRecord::default() };
    gateway.ledger.change(|change| change.put(Table::Studies, "study", &record)).expect("room");
    item(&gateway, State::Received, |item| item.looked_ms = record.last_ms);
    gateway.look_at_studies().expect("no failure");
    let known: StudyRecord = gateway.ledger.get(Table::Studies, "study").expect("readable").expect("it");
    assert!(known.last_ms <= now_ms() && known.last_ms > now_ms() - 60_000);
    assert_eq!((now(&gateway).state, now(&gateway).looked_ms), (State::Received, known.last_ms));
}

#[test]
fn an_older_version_does_not_follow_a_newer_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    version(&gateway, 1, State::Released, delivery(DeliveryState::Waiting));
    version(&gateway, 2, State::Verified, delivery(DeliveryState::Verified));
    deliver_due(&gateway).expect("no failure");
    let Item { state, reason, deliveries, .. } = now(&gateway);
    assert_eq!((state, deliveries[0].attempts), (State::Skipped, 0));
    assert_eq!(reason, "out: study-2, a later version, was sent there: this one is not sent any more");
    let said = asked(&gateway, &Asked::Retry(vec!["study-1".into()]));
    assert_eq!(said, "study-1 is older than study-2, which was sent: an older dose does not follow a newer one");
    version(&gateway, 1, State::Aside, delivery(DeliveryState::Failed));
    assert_eq!(asked(&gateway, &Asked::Retry(vec!["study-1".into()])), said);
    // What was not sent is no reason.
    version(&gateway, 2, State::Aside, delivery(DeliveryState::Failed));
    gateway.answer(&Asked::Retry(vec!["study-1".into()]), "uid 0").expect("it is tried again");
    assert_eq!(now(&gateway).state, State::Released);
}

#[test]
fn what_was_dropped_is_not_tried_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    item(&gateway, State::Aside, |_| {});
    gateway.ledger.change(|change| change.put(Table::Instances, "study/1.2", &"known")).expect("room");
    gateway.answer(&Asked::Drop(vec!["study-1".into()]), "uid 0").expect("it follows");
    let said = asked(&gateway, &Asked::Retry(vec!["study-1".into()]));
    assert!(said.starts_with("the files of study-1 were dropped, or deleted for their age: send the study"), "{said}");
    assert_eq!((now(&gateway).state, now(&gateway).reason.as_str()), (State::Skipped, "dropped by uid 0"));
}

/// A delivery to a destination by its name.
fn to(name: &str, state: DeliveryState) -> Delivery {
    Delivery { to: name.into(), ..delivery(state) }
}

#[test]
fn an_older_version_goes_where_no_newer_one_came() {
    use DeliveryState::{Failed, Superseded, Verified, Waiting};
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    version(&gateway, 2, State::Verified, to("out", Verified));
    version(&gateway, 1, State::Released, to("out", Waiting));
    let both = |first, second| vec![to("out", first), to("other", second)];
    gateway.note("study-1", State::Released, |item| item.deliveries = both(Waiting, Waiting)).expect("no failure");
    deliver_due(&gateway).expect("no failure");
    let Item { state, deliveries, .. } = now(&gateway);
    // The other destination is not in the file, and is tried all the same.
    assert_eq!((state, deliveries[0].state, deliveries[1].state), (State::Aside, Superseded, Failed));
    gateway.answer(&Asked::Retry(vec!["study-1".into()]), "uid 0").expect("it lacks the newer one there");
    assert_eq!((now(&gateway).state, now(&gateway).deliveries[0].state), (State::Released, Superseded));
    let left = Delivery { said: "it came later".into(), ..to("out", Superseded) };
    let sent = Item { state: State::Sent, deliveries: vec![left, to("other", Verified)], ..now(&gateway) };
    gateway.ledger.change(|change| change.put(Table::Items, "study-1", &sent)).expect("room");
    deliver_due(&gateway).expect("no failure");
    let words = "out: it came later";
    let Item { state, reason, .. } = now(&gateway);
    assert_eq!(state, State::Verified);
    assert_eq!(reason, format!("read back from every destination that it was sent to, and equal; {words}"));
}

#[test]
fn a_computation_of_fewer_files_puts_no_study_aside_that_waits_for_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    let found = item(&gateway, State::Ready, |item| item.key = Some("without the last slice".into()));
    for tries in [1, 6] {
        let undone = Undone { reason: "a slice is missing".into(), tries };
        let waits = item(&gateway, State::Received, |_| {});
        gateway.not_computed(&found, &undone).expect("no failure");
        assert_eq!(now(&gateway), waits);
        let whole = item(&gateway, State::Ready, |item| item.key = Some("with it".into()));
        gateway.not_computed(&found, &undone).expect("no failure");
        assert_eq!(now(&gateway), whole);
    }
}

#[test]
fn all_of_a_gateway_ends_with_a_part_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    let broken = || DoseError::Io("the ledger".into());
    assert!(gateway.repeat(|_| Err(broken())).is_err());
    assert!(gateway.is_stopping());
    gateway.stops.store(false, Ordering::SeqCst);
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        gateway.repeat(|_| panic!("a part of the gateway, as this test wants it"))
    }));
    assert!(failed.is_err() && gateway.is_stopping());
}

#[test]
fn two_states_within_one_millisecond_are_both_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    let held = item(&gateway, State::Held, |_| {});
    let aside = Item { state: State::Aside, ..held.clone() };
    gateway.ledger.change(|change| change.tell(&held).and_then(|()| change.tell(&aside))).expect("room");
    let notices: Vec<(String, serde_json::Value)> = gateway.ledger.list(Table::Notices, "").expect("readable");
    let states: Vec<&str> = notices.iter().filter_map(|(_, notice)| notice["state"].as_str()).collect();
    assert_eq!(states, ["aside", "held"]);
}
