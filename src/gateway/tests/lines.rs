//! Deliveries to several destinations, one of which is slow, silent or away.

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
