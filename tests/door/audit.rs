//! The audit log of the built server: what it holds, and that a change is found.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use super::{channel, look_up};
use crate::support::command::{Server, dosegrid, stderr, succeed};

fn verify(store: &Path, more: &[&str]) -> std::process::Output {
    let flag = format!("--store={}", store.display());
    dosegrid(store, ["audit", "verify", &flag].iter().chain(more))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_of_the_server_and_of_refused_callers_and_of_changes_to_itself() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (store, identities) = (folder.path().join("store"), folder.path().join("identities.toml"));
    fs::write(&identities, "").expect("a writable folder");
    let flags = [format!("--store={}", store.display()), format!("--identities={}", identities.display())];
    let server = Server::with("127.0.0.1:0", &flags);
    let channel = channel(&server.url, None).await.expect("the server listens");
    for number in 1..=12 {
        look_up(&channel, Some("Bearer secret-token")).await.expect_err("nobody is known");
        // It stands there before the caller hears of it.
        let log = fs::read_to_string(store.join("audit/000001.log")).expect("a log");
        assert_eq!(log.matches("identity.refused").count(), number.min(10));
    }
    let output = verify(&store, &[]);
    let said = String::from_utf8(output.stdout.clone()).expect("text");
    assert!(output.status.success() && said.contains("the store is in use"), "{said} {}", stderr(&output));
    server.signal(Signal::TERM);
    assert_eq!(server.ended(), Some(0));
    let flag = format!("--store={}", store.display());
    let shown = succeed(folder.path(), ["audit", "show", &flag]);
    let records: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let events: Vec<&str> = records.iter().map(|record| record["event"].as_str().expect("an event")).collect();
    assert_eq!((events[0], events[events.len() - 1]), ("server.started", "server.stopped"));
    // Ten one by one, and how many more there were, told at the end at the latest.
    let refused: Vec<_> = records.iter().filter(|record| record["event"] == "identity.refused").collect();
    assert_eq!((refused.len(), &refused[10]["count"]), (11, &Value::from(2)), "{events:?}");
    assert_eq!(records[1]["reason"], "unknown");
    assert!(records.iter().zip(1..).all(|(record, seq)| record["seq"] == seq) && !shown.contains("secret-token"));
    let output = verify(&store, &[]);
    let said = String::from_utf8(output.stdout.clone()).expect("text");
    assert!(output.status.success() && said.contains("that of the ledger"), "{said} {}", stderr(&output));
    let head = said.split("last hash ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a hash");
    assert!(verify(&store, &["--head", head]).status.success());
    assert_eq!(verify(&store, &["--head", &"1".repeat(64)]).status.code(), Some(1));
    let file = store.join("audit/000001.log");
    let whole = fs::read(&file).expect("a file");
    // A flipped bit of the third record, and a record less at the end.
    let third = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).expect("three lines").0 + 100;
    let mut changed = whole.clone();
    changed[third] ^= 1;
    fs::write(&file, &changed).expect("a writable file");
    let output = verify(&store, &[]);
    assert!(output.status.code() == Some(1) && stderr(&output).contains("record 3 "), "{}", stderr(&output));
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').expect("lines") + 1;
    fs::write(&file, &whole[..last]).expect("a writable file");
    assert_eq!(verify(&store, &[]).status.code(), Some(1), "the ledger knows one more");
    assert_eq!(verify(&store, &["--head", head]).status.code(), Some(1));
}
