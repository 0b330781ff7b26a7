//! Several destinations, worklists and others who are told, one of which is slow, silent or away.

use std::net::TcpListener;

use super::*;

/// A gateway with two archives, and an item for each of two destinations, whose files are there.
fn two_archives(folder: &Path, listeners: [&TcpListener; 2], to_both: [&str; 2]) -> Gateway {
    let [first, second] = listeners
        .map(|listener| format!("kind = 'dicom-web'\nurl = 'http://{}'", listener.local_addr().expect("an address")));
    let text = format!(
        "folder = 'state'\n\
         [[source]]\nname = 'inbox'\nkind = 'folder'\npath = '.'\n\
         [[destination]]\nname = 'first'\n{first}\n[[destination]]\nname = 'second'\n{second}\n\
         [[rule]]\nname = 'lu'\nto = 'first'\n[rule.compute]\nmethod = 'local'\n"
    );
    let config = Config::parse(&text, folder, &|_| Vec::new()).expect("a good file");
    let gateway = Gateway::open(config, "dosegrid".into()).unwrap_or_else(|_| panic!("a new folder"));
    // The longest there is sent first.
    version(&gateway, 1, State::Released, to(to_both[0], DeliveryState::Waiting));
    let other = Item { id: "other-1".into(), study: "other".into(), since_ms: 6, ..now(&gateway) };
    let other = Item { deliveries: vec![to(to_both[1], DeliveryState::Waiting)], ..other };
    gateway.ledger.change(|change| change.put(Table::Items, "other-1", &other)).expect("room");
    for place in ["study-1", "other-1"].map(|id| gateway.results(id)) {
        fs::create_dir_all(&place).and_then(|()| fs::write(place.join("dose.dcm"), "dose")).expect("room");
    }
    gateway
}

fn other(gateway: &Gateway) -> Item {
    gateway.ledger.get(Table::Items, "other-1").expect("readable").expect("it")
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free port")
}

#[test]
fn what_was_dropped_while_others_were_sent_is_not_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = listener();
    let gateway = two_archives(folder.path(), [&archive, &listener()], ["first", "first"]);
    let address = archive.local_addr().expect("an address");
    thread::scope(|scope| {
        let caller = scope.spawn(|| {
            // An archive that is slow: meanwhile the other is dropped.
            let called = archive.accept().expect("a caller");
            gateway.answer(&Asked::Drop(vec!["other-1".into()]), "uid 0").expect("it follows");
            drop(called);
            archive.accept().expect("a caller").1
        });
        deliver_due(&gateway).expect("no failure");
        let own = std::net::TcpStream::connect(address).expect("it listens");
        assert_eq!(caller.join().expect("no panic"), own.local_addr().expect("an address"), "it was sent");
    });
    assert_eq!(other(&gateway).state, State::Skipped);
    assert_eq!(now(&gateway).deliveries[0].attempts, 1, "the first was tried");
}

#[test]
fn a_silent_destination_holds_up_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let [silent, quick] = [listener(), listener()];
    let gateway = two_archives(folder.path(), [&silent, &quick], ["first", "second"]);
    thread::scope(|scope| {
        let waits = scope.spawn(|| gateway.deliver_due(Line::To("first")));
        // Asked, it says nothing.
        let called = silent.accept().expect("a caller");
        scope.spawn(|| drop(quick.accept().expect("a caller")));
        assert!(gateway.deliver_due(Line::To("second")).expect("no failure"));
        assert_eq!((other(&gateway).deliveries[0].attempts, now(&gateway).deliveries[0].attempts), (1, 0));
        assert!(!waits.is_finished());
        drop(called);
        assert!(waits.join().expect("no panic").expect("no failure"));
        assert_eq!(now(&gateway).deliveries[0].attempts, 1);
    });
}

#[test]
fn what_waits_for_a_destination_is_due_once_it_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = listener();
    let gateway = two_archives(folder.path(), [&archive, &listener()], ["first", "first"]);
    let far = now_ms() + 5_000_000;
    let away = |unanswered: bool| {
        let one = Delivery { attempts: 8, next_ms: far, unanswered, ..to("first", DeliveryState::Waiting) };
        gateway.note("other-1", State::Released, |item| item.deliveries = vec![one]).expect("no failure");
    };
    let answered = |text: &'static str, is_tried: bool| {
        gateway.note("study-1", State::Released, |item| item.deliveries[0].next_ms = 0).expect("no failure");
        let (archive, gateway) = (&archive, &gateway);
        thread::scope(|scope| {
            scope.spawn(move || {
                use std::io::{Read as _, Write as _};
                // The first question is whether it has the object: what it answers is other bytes under the UID.
                let (mut stream, _) = archive.accept().expect("a caller");
                let _ = stream.read(&mut [0; 4096]);
                stream.write_all(text.as_bytes()).expect("a caller that waits");
                // It is away again.
                if is_tried {
                    drop(archive.accept().expect("a caller"));
                }
            });
            assert!(gateway.deliver_due(Line::To("first")).expect("no failure"));
        });
    };
    // It does not answer as an archive does.
    away(true);
    answered("HTTP/1.1 503 busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", false);
    assert_eq!((now(&gateway).deliveries[0].unanswered, other(&gateway).deliveries[0].next_ms), (true, far));
    // What was refused for itself waits for as long as before.
    let has_other = "HTTP/1.1 200 ok\r\ncontent-type: multipart/related; boundary=b\r\ncontent-length: 21\r\n\
        connection: close\r\n\r\n--b\r\n\r\nother\r\n--b--\r\n";
    away(false);
    answered(has_other, false);
    assert_eq!(now(&gateway).deliveries[0].state, DeliveryState::Failed);
    assert_eq!(other(&gateway).deliveries[0].next_ms, far);
    version(&gateway, 1, State::Released, to("first", DeliveryState::Waiting));
    away(true);
    answered(has_other, true);
    let tried = &other(&gateway).deliveries[0];
    assert!(tried.attempts == 9 && tried.unanswered && tried.next_ms > far, "{tried:?}");
}

#[test]
fn a_silent_worklist_holds_up_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let [silent, quick] = [listener(), listener()];
    let url = |listener: &TcpListener| format!("http://{}", listener.local_addr().expect("an address"));
    let text = format!(
        "folder = 'state'\n\
         [[source]]\nname = 'inbox'\nkind = 'folder'\npath = '.'\n\
         [[destination]]\nname = 'out'\nkind = 'folder'\npath = '.'\n\
         [[worklist]]\nname = 'first'\nurl = '{}'\n[[worklist]]\nname = 'second'\nurl = '{}'\n\
         [[rule]]\nname = 'a'\nto = 'out'\nworklist = 'first'\n[rule.compute]\nmethod = 'local'\n\
         [[rule]]\nname = 'b'\nto = 'out'\nworklist = 'second'\n[rule.compute]\nmethod = 'local'\n",
        url(&silent),
        url(&quick)
    );
    let config = Config::parse(&text, folder.path(), &|_| Vec::new()).expect("a good file");
    let gateway = Gateway::open(config, "dosegrid".into()).unwrap_or_else(|_| panic!("a new folder"));
    for (study, rule) in [("study", "a"), ("other", "b")] {
        let record = StudyRecord { uid: "1.2".into(), ..StudyRecord::default() };
        let item = Item { state: State::Ready, rule: Some(rule.into()), ..Item::new(study, 1, 5) };
        let put = |change: &Change<'_>| {
            change.put(Table::Studies, study, &record).and_then(|()| change.put(Table::Items, &item.id, &item))
        };
        gateway.ledger.change(put).expect("room");
    }
    thread::scope(|scope| {
        let waits = scope.spawn(|| gateway.follow_worklist(Line::To("first")));
        // Asked, it says nothing.
        let called = silent.accept().expect("a caller");
        scope.spawn(|| {
            use std::io::{Read as _, Write as _};
            let (mut stream, _) = quick.accept().expect("a caller");
            let _ = stream.read(&mut [0; 4096]);
            stream.write_all(b"HTTP/1.1 204 none\r\nconnection: close\r\n\r\n").expect("a caller that waits");
        });
        gateway.follow_worklist(Line::To("second")).expect("no failure");
        assert_eq!(other(&gateway).reason, "waits for a workitem of second");
        assert!(!waits.is_finished() && gateway.has_to_tell_worklist(&now(&gateway)));
        assert!(!gateway.has_to_tell_worklist(&other(&gateway)), "it was asked");
        drop(called);
        waits.join().expect("no panic").expect("no failure");
    });
}

#[test]
fn a_claim_at_a_worklist_that_is_gone_ends_though_there_is_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    let claim = Claim { state: ClaimState::InProgress, ..Claim::new("gone", "1.2".into(), 0) };
    item(&gateway, State::Verified, |item| item.workitem = Some(claim));
    assert!(gateway.has_work().expect("readable"));
    gateway.follow_worklist(Line::Nowhere).expect("no failure");
    let claim = now(&gateway).workitem.expect("it is noted");
    assert_eq!((claim.state, claim.said.as_str()), (ClaimState::Lost, "there is no such worklist any more"));
    assert!(!gateway.has_work().expect("readable"));
}

/// A gateway with a webhook, and an item of which it is to be told.
fn with_webhook(folder: &Path, webhook: &TcpListener) -> (Gateway, Item) {
    let mut gateway = gateway(folder);
    gateway.config.webhook = Some(format!("http://{}", webhook.local_addr().expect("an address")));
    let held = item(&gateway, State::Held, |_| {});
    (gateway, held)
}

#[test]
fn a_webhook_that_says_nothing_holds_up_no_delivery() {
    let folder = tempfile::tempdir().expect("a folder");
    let silent = listener();
    let (gateway, held) = with_webhook(folder.path(), &silent);
    gateway.ledger.change(|change| change.tell(&held)).expect("room");
    version(&gateway, 1, State::Released, delivery(DeliveryState::Waiting));
    thread::scope(|scope| {
        let tells = scope.spawn(|| gateway.tell_due());
        let called = silent.accept().expect("a caller");
        assert!(gateway.deliver_due(Line::To("out")).expect("no failure"));
        assert_eq!(now(&gateway).deliveries[0].attempts, 1);
        assert!(!tells.is_finished(), "it waits for an answer");
        drop(called);
        tells.join().expect("no panic").expect("no failure");
    });
    // It is told again.
    assert!(gateway.ledger.list::<serde_json::Value>(Table::Notices, "").expect("readable").len() == 1);
}

#[test]
fn a_webhook_that_fails_keeps_no_letter_waiting() {
    let folder = tempfile::tempdir().expect("a folder");
    let webhook = listener();
    let (gateway, held) = with_webhook(folder.path(), &webhook);
    let aside = Item { state: State::Aside, since_ms: 6, ..held.clone() };
    gateway.ledger.change(|change| change.tell(&held).and_then(|()| change.tell(&aside))).expect("room");
    thread::scope(|scope| {
        scope.spawn(|| drop(webhook.accept().expect("a caller")));
        assert!(gateway.tell_due().expect("no failure"));
    });
    // The second was not tried at the webhook yet, and its letter was not kept waiting.
    let notices: Vec<(String, serde_json::Value)> = gateway.ledger.list(Table::Notices, "").expect("readable");
    let attempts: Vec<_> = notices.iter().map(|(_, notice)| notice["attempts"].as_u64()).collect();
    assert_eq!(attempts, [Some(1), Some(0)]);
    assert!(notices.iter().all(|(_, notice)| notice["told"] == serde_json::json!(["mail"])), "{notices:?}");
    assert!(gateway.has_news().expect("readable"), "it is to be tried");
}
