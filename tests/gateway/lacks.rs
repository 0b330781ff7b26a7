//! What a machine lacks for a time: its program, while that is exchanged for another, and a folder of another machine.

use std::fs;
use std::process::Command;

use super::network::{free_port, listens, send, text};
use super::site::{Site, files, study};
use crate::study::servers::store_scp_that_echoes;
use crate::support::command::{dosegrid, stderr};

#[test]
fn what_was_answered_as_stored_is_kept_while_it_cannot_be_read() {
    let port = free_port();
    let source = format!("kind = 'c-store'\nlisten = '127.0.0.1:{port}'\ncalled = ['DOSEGRID']");
    let site = Site::with(&text(&source, "kind = 'folder'\npath = 'out'").replace("limit = '2s'", "limit = '1h'"));
    let [program, away] = ["program", "away"].map(|name| site.path().join(name));
    fs::copy(env!("CARGO_BIN_EXE_dosegrid"), &program).expect("room");
    let running = site.start_by(Command::new(&program));
    listens(port);
    fs::rename(&program, &away).expect("a writable folder");
    let output = send(site.path(), &format!("DOSEGRID@127.0.0.1:{port}"), &[]);
    assert!(output.status.success(), "every one is stored");
    let log = || fs::read_to_string(site.path().join("log")).expect("a log");
    let start = std::time::Instant::now();
    while !log().contains("its process does not start") {
        assert!(start.elapsed() < std::time::Duration::from_secs(60), "{}", log());
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(site.items().is_empty());
    assert_eq!(files(&site.path().join("state/spool")).len(), files(study()).len());
    fs::rename(&away, &program).expect("a writable folder");
    site.wait("it is done", |states| states.first().is_some_and(|(state, _)| state == "verified"));
    drop(running);
    assert_eq!(site.items().len(), 1);
    site.tells_nobody("");
}

#[test]
fn an_answer_to_another_message_says_nothing_of_an_instance() {
    let folder = tempfile::tempdir().expect("a folder");
    // The second answer to C-ECHO comes where that to C-STORE is waited for, which is a refusal.
    let (archive, _) = store_scp_that_echoes(2, vec![0xa700]);
    let slice = files(&study().join("ct"))[0].display().to_string();
    let output = dosegrid(folder.path(), ["send", &slice, "--to", &format!("TEST-SCP@{archive}")]);
    assert!(!output.status.success(), "it was not stored");
    assert!(stderr(&output).contains("no answer to what was asked"), "{}", stderr(&output));
}

#[test]
fn no_folder_is_made_where_that_of_a_destination_is_gone() {
    let site = Site::new("", "");
    site.put(study(), &[]);
    site.run();
    let id = site.item()["id"].as_str().expect("an id").to_owned();
    // As where what is mounted there is not.
    let [out, away] = ["out", "away"].map(|name| site.path().join(name));
    let running = site.start();
    // It has read its file once it can be asked.
    let start = std::time::Instant::now();
    while !site.path().join("state/control.sock").exists() {
        assert!(start.elapsed() < std::time::Duration::from_secs(60), "it does not start");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    fs::rename(&out, &away).expect("a writable folder");
    // Its file names a folder that is not there: it is asked by its socket alone.
    fs::create_dir(site.path().join("other")).expect("a writable folder");
    let file = site.path().join("gateway.toml");
    let changed = fs::read_to_string(&file).expect("text").replace("path = 'out'", "path = 'other'");
    fs::write(&file, changed).expect("a writable folder");
    site.asked(&["release", &id]);
    site.wait_for("it was tried", |items| items[0]["deliveries"][0]["attempts"] != 0);
    assert!(!out.exists(), "{:#}", site.item());
    fs::rename(&away, &out).expect("a writable folder");
    site.wait("it is done", |states| states[0].0 == "verified" || states[0].0 == "aside");
    drop(running);
    assert_eq!(files(&out).len(), usize::from(site.item()["state"] == "verified"));
}
