//! What happens to an item while something is being done with it.

use std::path::Path;
use std::time::Duration;

use super::control::Asked;
use super::*;

/// A gateway from a folder to a folder.
fn gateway(folder: &Path) -> Gateway {
    let text = "folder = 'state'\n\
        [[source]]\nname = 'inbox'\nkind = 'folder'\npath = '.'\n\
        [[destination]]\nname = 'out'\nkind = 'folder'\npath = '.'\n\
        [[rule]]\nname = 'lu'\nto = 'out'\n[rule.compute]\nmethod = 'local'\n";
    let config = Config::parse(text, folder).expect("a good file");
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

fn delivery(state: DeliveryState) -> Delivery {
    Delivery { object: 0, to: "out".into(), state, attempts: 0, next_ms: 0, said: String::new(), transaction: None }
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
