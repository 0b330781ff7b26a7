//! Over the network: C-STORE in and out, and archives that refuse, or say that they have what they have not.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::site::{Site, files, study};
use crate::study::servers::{Answer, Asked, store_scp, web};
use crate::support::command::{dosegrid, stderr};
pub(super) use crate::support::ports::free_port;

pub(super) fn text(source: &str, destination: &str) -> String {
    format!(
        "folder = 'state'\npoll = '1s'\n\
         [[source]]\nname = 'in'\nquiet = '2s'\nlimit = '2s'\n{source}\n\
         [[destination]]\nname = 'archive'\nattempts = 2\nbackoff = '1s'\n{destination}\n\
         [[rule]]\nname = 'lu'\nto = 'archive'\nrelease = 'auto'\n[rule.compute]\nmethod = 'local'\n"
    )
}

/// Sends the study, by the command that a user has for it.
pub(super) fn send(folder: &Path, peer: &str, more: &[&str]) -> std::process::Output {
    let paths: Vec<String> = files(study()).iter().map(|path| path.display().to_string()).collect();
    let words = ["send"].into_iter().chain(paths.iter().map(String::as_str)).chain(["--to", peer]);
    dosegrid(folder, words.chain(more.iter().copied()))
}

/// Waits until somebody listens.
pub(super) fn listens(port: u16) {
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(start.elapsed() < Duration::from_secs(60), "nobody listens");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Calls as those do who look whether a port is open, more often than a source has associations; until the source has
/// done with all of them.
pub(super) fn knock(port: u16) {
    for says in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", &[0x16, 3, 1]] {
        let calls = (0..20).map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
            // It may have been refused by then.
            let _ = stream.write_all(says).and_then(|()| stream.shutdown(Shutdown::Write));
            stream
        });
        for mut stream in calls.collect::<Vec<_>>() {
            stream.set_read_timeout(Some(Duration::from_secs(240))).expect("a socket");
            let ended = stream.read(&mut [0]);
            let is_silence = |error: &std::io::Error| {
                matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
            };
            assert!(!ended.as_ref().is_err_and(is_silence), "a source keeps a call that says nothing");
        }
    }
}

#[test]
fn a_study_comes_by_c_store_and_its_dose_goes_by_c_store() {
    let port = free_port();
    let (archive, scp) = store_scp(vec![0]);
    let source = format!("kind = 'c-store'\nlisten = '127.0.0.1:{port}'\ncalled = ['DOSEGRID']\ncalling = ['SPECT-1']");
    let site = Site::with(&text(&source, &format!("kind = 'c-store'\nto = 'TEST-SCP@{archive}'")));
    let running = site.start();
    listens(port);
    knock(port);
    // Titles that are not on the list.
    let output = send(site.path(), &format!("OTHER@127.0.0.1:{port}"), &["--calling", "SPECT-1"]);
    assert!(stderr(&output).contains("called AE title not recognized"), "{}", stderr(&output));
    let output = send(site.path(), &format!("DOSEGRID@127.0.0.1:{port}"), &["--calling", "ANYBODY"]);
    assert!(stderr(&output).contains("calling AE title not recognized"), "{}", stderr(&output));
    assert!(site.items().is_empty());
    let output = send(site.path(), &format!("DOSEGRID@127.0.0.1:{port}"), &["--calling", "SPECT-1"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    // What has no way back is said to be unread, by its reason too.
    site.wait("it is sent", |states| {
        states.first().is_some_and(|(state, reason)| state == "sent" && reason.contains("stored, and not read back"))
    });
    drop(running);
    assert_eq!(site.item()["deliveries"][0]["state"], "unverified");
    let got = scp.join().expect("no panic");
    let object = site.item()["objects"][0].clone();
    assert!(got.len() == 1 && object["instance"] == got[0].0.as_str(), "{object}");
    let result = site.path().join("state/results").join(site.item()["id"].as_str().expect("an id"));
    assert!(fs::read(result.join("dose.dcm")).expect("a dose").ends_with(&got[0].1));
    site.tells_nobody("");
}

#[test]
fn what_is_no_input_is_not_taken_by_c_store() {
    let port = free_port();
    let source = format!("kind = 'c-store'\nlisten = '127.0.0.1:{port}'\ncalled = ['DOSEGRID']");
    let site = Site::with(&text(&source, "kind = 'folder'\npath = 'out'"));
    let running = site.start();
    listens(port);
    let made = Site::new("release = 'auto'", "");
    made.put(study(), &[]);
    made.run();
    let dose = made.delivered()[0].0.display().to_string();
    let output = dosegrid(site.path(), ["send", &dose, "--to", &format!("DOSEGRID@127.0.0.1:{port}")]);
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(said.contains("0122H its class is not supported"), "{said}");
    drop(running);
    assert!(site.items().is_empty());
}

/// How an archive behaves.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Habit {
    Good,
    /// 409 with a reason.
    Refuses,
    /// 200, and nothing is there.
    Forgets,
    /// 200, and what was there before is kept.
    HasOther,
}

/// The instance of a request by STOW-RS: its UID and the file.
pub(super) fn posted(asked: &Asked) -> (String, &[u8]) {
    let start = asked.body.windows(4).position(|four| four == b"\r\n\r\n").expect("a part") + 4;
    let end = asked.body.windows(4).rposition(|four| four == b"\r\n--").expect("an end");
    let file = &asked.body[start..end];
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("came.dcm");
    fs::write(&path, file).expect("a writable folder");
    (dosegrid::pacs::Instance::read(&path).expect("an instance").uid, file)
}

/// A DICOMweb archive; what it has is a file by its UID.
pub(super) fn archive(habit: Habit) -> impl Fn(&Asked) -> Answer + Send + 'static {
    let kept: Arc<Mutex<Option<Vec<u8>>>> = Arc::default();
    move |asked| {
        let json = |status: u16, text: String| (status, "application/dicom+json".to_owned(), text.into_bytes());
        let part = |bytes: &[u8]| {
            let body = [b"--b\r\nContent-Type: application/dicom\r\n\r\n", bytes, b"\r\n--b--\r\n"].concat();
            (200, "multipart/related; type=\"application/dicom\"; boundary=b".to_owned(), body)
        };
        if asked.line.starts_with("POST") {
            let (uid, file) = posted(asked);
            let item = format!(r#"{{"00081155":{{"vr":"UI","Value":["{uid}"]}}"#);
            if habit == Habit::Refuses {
                let failed = format!(
                    r#"{{"00081198":{{"vr":"SQ","Value":[{item},"00081197":{{"vr":"US","Value":[272]}}}}]}}}}"#
                );
                return json(409, failed);
            }
            if habit == Habit::Good {
                *kept.lock().expect("no panic") = Some(file.to_vec());
            }
            return json(200, format!(r#"{{"00081199":{{"vr":"SQ","Value":[{item}}}]}}}}"#));
        }
        match (habit, &*kept.lock().expect("no panic")) {
            (Habit::HasOther, _) => {
                let other = fs::read(study().join("ct/001.dcm")).expect("a file");
                part(&other)
            }
            (_, Some(bytes)) => part(bytes),
            (_, None) => (404, "text/plain".to_owned(), Vec::new()),
        }
    }
}

fn sent_to(habit: Habit) -> (Site, usize) {
    let (url, asked) = web(archive(habit));
    let site = Site::with(&text("kind = 'folder'\npath = 'in'", &format!("kind = 'dicom-web'\nurl = '{url}'")));
    site.put(study(), &[]);
    let log = site.run();
    site.tells_nobody(&log);
    let posts = asked.lock().expect("no panic").iter().filter(|one| one.line.starts_with("POST")).count();
    (site, posts)
}

#[test]
fn a_dose_is_read_back_from_a_good_archive() {
    let (site, posts) = sent_to(Habit::Good);
    let (state, reason) = site.states()[0].clone();
    assert!(state == "verified" && posts == 1, "{state}: {reason}, {posts} posts");
}

#[test]
fn what_an_archive_says_and_does_not_do_ends_in_the_list() {
    for (habit, posts, words) in [
        (Habit::Refuses, 2, "0110H failure in processing"),
        (Habit::Forgets, 2, "said to be stored, and not there"),
        (Habit::HasOther, 0, "other bytes are there under its SOP Instance UID"),
    ] {
        let (site, found) = sent_to(habit);
        let (state, reason) = site.states()[0].clone();
        assert!(state == "aside" && reason.contains(words) && found == posts, "{state}: {reason}, {found} posts");
        // Put right, it is sent again, and not computed again.
        let (url, _) = web(archive(Habit::Good));
        let file = text("kind = 'folder'\npath = 'in'", &format!("kind = 'dicom-web'\nurl = '{url}'"));
        fs::write(site.path().join("gateway.toml"), file).expect("a writable folder");
        let before = site.item();
        site.asked(&["retry", before["id"].as_str().expect("an id")]);
        site.run();
        let after = site.item();
        assert_eq!((&after["state"], &after["objects"]), (&"verified".into(), &before["objects"]));
    }
}

#[test]
fn an_archive_that_is_away_loses_nothing() {
    let port = free_port();
    let site = Site::with(
        &text("kind = 'folder'\npath = 'in'", &format!("kind = 'c-store'\nto = 'PACS@127.0.0.1:{port}'"))
            .replace("attempts = 2", "attempts = 1000"),
    );
    site.put(study(), &[]);
    let running = site.start();
    site.wait("it is computed", |states| states.first().is_some_and(|(state, _)| state == "released"));
    running.kill();
    let running = site.start();
    site.wait_for("it was tried", |items| {
        items[0]["deliveries"][0]["said"].as_str().is_some_and(|said| said.contains("no association with"))
    });
    assert_eq!(site.item()["state"], "released", "it is still to be sent");
    drop(running);
}
