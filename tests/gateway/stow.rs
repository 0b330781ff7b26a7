//! STOW-RS as a source: who may send, what is taken, and what each instance is answered with.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::network::{free_port, listens, text};
use super::site::{NAMES, Site, files, study};
use crate::study::certificates::{authority, issued};
use crate::support::command::{dosegrid, stderr};

/// A request with files as its parts: status, and the answer as JSON where it is some.
fn post(url: &str, kind: &str, token: Option<&str>, parts: &[Vec<u8>]) -> (u16, Value) {
    let mut body = Vec::new();
    for part in parts {
        body.extend(b"--b0undary\r\nContent-Type: application/dicom\r\n\r\n");
        body.extend(part);
        body.extend(b"\r\n");
    }
    body.extend(b"--b0undary--\r\n");
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut request = agent.post(url).header("content-type", kind).header("accept", "application/dicom+json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let mut answer = request.send(&body[..]).expect("an answer");
    let text = answer.body_mut().read_to_string().expect("text");
    (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::Null))
}

const KIND: &str = "multipart/related; type=\"application/dicom\"; boundary=b0undary";

/// UIDs of the instances in a sequence of an answer.
fn uids(answer: &Value, tag: &str) -> Vec<String> {
    let items = answer[tag]["Value"].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item["00081155"]["Value"][0].as_str().expect("a UID").to_owned()).collect()
}

fn reasons(answer: &Value, tag: &str) -> Vec<u64> {
    let items = answer[tag]["Value"].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item["00081197"]["Value"][0].as_u64().expect("a number")).collect()
}

#[test]
fn each_instance_of_a_request_has_its_answer() {
    let port = free_port();
    let source = format!("kind = 'stow-rs'\nlisten = '127.0.0.1:{port}'\ntoken_file = 'token'");
    let inbox = "\n[[source]]\nname = 'inbox'\nkind = 'folder'\npath = 'in'\nquiet = '1s'\nlimit = '1s'";
    let site = Site::with(&text(&format!("{source}{inbox}"), "kind = 'folder'\npath = 'out'"));
    fs::write(site.path().join("token"), "secret-token\n").expect("a writable folder");
    let made = Site::new("release = 'auto'", "");
    made.put(study(), &[]);
    made.run();
    let (_, dose) = made.delivered().remove(0);
    let of_study = made.item()["objects"][0]["study"].as_str().expect("a UID").to_owned();
    let running = site.start();
    listens(port);
    let url = format!("http://127.0.0.1:{port}/studies");
    let token = Some("secret-token");
    let all: Vec<Vec<u8>> = files(study()).iter().map(|path| fs::read(path).expect("a file")).collect();
    // Who may not, what is not asked so, and what is no request.
    assert_eq!(post(&url, KIND, None, &all).0, 401);
    assert_eq!(post(&url, KIND, Some("another"), &all).0, 401);
    assert_eq!(post(&format!("{url}/1.2/series"), KIND, token, &all).0, 404);
    assert_eq!(post(&url, "application/dicom", token, &all).0, 415);
    assert_eq!(post(&url, &KIND.replace("b0undary", "other"), token, &all).0, 400);
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let got = agent.get(&url).header("authorization", "Bearer secret-token").call().expect("an answer");
    assert_eq!(got.status().as_u16(), 405);
    assert!(site.items().is_empty());
    // None can be taken: a dose of our own, another study, no DICOM.
    let (status, answer) = post(&url, KIND, token, &[dose.clone(), b"not DICOM".to_vec()]);
    assert_eq!((status, reasons(&answer, "00081198")), (409, vec![0x0122]), "{answer}");
    assert_eq!(reasons(&answer, "0008119A"), [0xc000]);
    let (status, answer) = post(&format!("{url}/1.2.3"), KIND, token, &all[..1]);
    assert_eq!((status, reasons(&answer, "00081198")), (409, vec![0xa900]), "{answer}");
    assert!(site.items().is_empty());
    // Some, and then the rest.
    let (status, answer) = post(&url, KIND, token, &[all[0].clone(), dose]);
    assert_eq!((status, uids(&answer, "00081199").len()), (202, 1), "{answer}");
    let (status, answer) = post(&format!("{url}/{of_study}"), KIND, token, &all[1..]);
    assert_eq!((status, uids(&answer, "00081199").len()), (200, all.len() - 1), "{answer}");
    let is_whole = |item: &Value| item["inputs"].as_array().is_some_and(|inputs| inputs.len() == all.len());
    site.wait_for("it is verified", |items| items.iter().any(|item| item["state"] == "verified" && is_whole(item)));
    // The same again by another way, where its files have other file meta information.
    let before = site.items();
    site.put(study(), &[]);
    drop(running);
    site.run();
    assert_eq!(site.items(), before);
    let received: Vec<PathBuf> = files(&site.path().join("state/receiving"));
    assert!(received.is_empty(), "{received:?}");
    let log = fs::read_to_string(site.path().join("log")).expect("a log");
    assert!(!log.contains("secret-token") && NAMES.iter().all(|name| !log.contains(name)), "{log}");
}

#[test]
fn a_study_comes_by_stow_rs_over_tls() {
    let port = free_port();
    let source = format!(
        "kind = 'stow-rs'\nlisten = '127.0.0.1:{port}'\ntoken_file = 'token'\n\
         certificate = 'own.pem'\nkey = 'own.key'"
    );
    let site = Site::with(&text(&source, "kind = 'folder'\npath = 'out'"));
    let authority = authority();
    let (certificate, key) = issued(&authority, "localhost");
    for (name, text) in [
        ("token", "secret-token".to_owned()),
        ("ca.pem", authority.pem()),
        ("own.pem", certificate.pem()),
        ("own.key", key.serialize_pem()),
    ] {
        fs::write(site.path().join(name), text).expect("a writable folder");
    }
    let running = site.start();
    listens(port);
    let paths: Vec<String> = files(study()).iter().map(|path| path.display().to_string()).collect();
    let sent = |start: &str, token: &[&str]| {
        let url = format!("--dicom-web={start}://localhost:{port}");
        let words = ["send"].into_iter().chain(paths.iter().map(String::as_str)).chain([url.as_str()]);
        dosegrid(site.path(), words.chain(token.iter().copied()))
    };
    let ca = "--dicom-web-ca=ca.pem";
    assert_eq!(sent("http", &[]).status.code(), Some(1));
    let output = sent("https", &[ca]);
    assert!(stderr(&output).contains("HTTP status 401"), "{}", stderr(&output));
    let output = sent("https", &[ca, "--dicom-web-token-file=token"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    site.wait("it is verified", |states| states.first().is_some_and(|(state, _)| state == "verified"));
    drop(running);
    site.tells_nobody("");
}

#[test]
fn a_token_does_not_come_in_the_clear() {
    let source = "kind = 'stow-rs'\nlisten = '0.0.0.0:1'\ntoken_file = 'token'";
    let site = Site::with(&text(source, "kind = 'folder'\npath = 'out'"));
    fs::write(site.path().join("token"), "secret").expect("a writable folder");
    let output = dosegrid(site.path(), ["gateway", "--config", "gateway.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("source.token_file goes over the network in the clear"), "{}", stderr(&output));
}
