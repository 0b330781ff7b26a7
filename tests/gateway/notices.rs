//! Word to others: by mail and by a webhook, to servers that are busy or away.

use std::fs;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::network::free_port;
use super::post_office::{Letter, Post, Speech, post_office};
use super::site::{NAMES, Site, study};
use crate::study::certificates::tls_server;
use crate::study::servers::web;
use crate::support::command::{dosegrid, stderr};

/// A gateway with a table of mail, or other keys before its sources.
fn site(rule: &str, keys: &str) -> Site {
    let site = Site::new(rule, "");
    let place = site.path().join("gateway.toml");
    let file = fs::read_to_string(&place).expect("the file");
    fs::write(&place, file.replacen("[[source]]", &format!("{keys}\n[[source]]"), 1)).expect("a writable folder");
    site
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

fn letters(post: &Post) -> Vec<Letter> {
    post.lock().expect("no panic").0.clone()
}

/// The value of a header.
fn header<'a>(letter: &'a Letter, name: &str) -> &'a str {
    let line = letter.text.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name}: {}", letter.text))
}

#[test]
fn a_dose_that_waits_and_one_that_is_done_are_written_of() {
    let (listener, port) = listener();
    let (authority, config) = tls_server("localhost", false);
    let post = post_office(listener, Speech::StartTls(Arc::new(config)), 1);
    let site = site(
        "release = 'wait'",
        &format!(
            "[mail]\nserver = 'localhost:{port}'\nca = 'ca.pem'\nuser = 'dose'\npassword_file = 'password'\n\
             from = 'Dosegrid <dose@hospital.example>'\nto = ['a@hospital.example', 'B <b@hospital.example>']"
        ),
    );
    fs::write(site.path().join("ca.pem"), authority.pem()).expect("a writable folder");
    fs::write(site.path().join("password"), "secret of the test\n").expect("a writable folder");
    site.put(study(), &[]);
    let running = site.start();
    site.wait_for("it is written of", |_| letters(&post).len() == 1);
    let id = site.item()["id"].as_str().expect("an id").to_owned();
    site.asked(&["release", &id]);
    site.wait_for("it is written of again", |_| letters(&post).len() == 2);
    drop(running);
    assert_eq!(post.lock().expect("no panic").1, 1, "the first was turned away, and sent again");
    let letters = letters(&post);
    for (letter, state) in letters.iter().zip(["held", "verified"]) {
        assert_eq!(header(letter, "Subject"), format!("dosegrid: {id} {state}"));
        assert_eq!((letter.from.as_str(), letter.is_secret), ("dose@hospital.example", true));
        assert_eq!(letter.to, ["a@hospital.example", "b@hospital.example"]);
        let login = STANDARD.decode(letter.login.as_ref().expect("a login")).expect("base64");
        assert_eq!(login, b"\0dose\0secret of the test");
        assert!(header(letter, "Message-ID").contains(&id), "{}", letter.text);
        assert!(letter.text.contains("rule   lu"), "{}", letter.text);
    }
    tells_nothing(&site, &letters);
    let log = fs::read_to_string(site.path().join("log")).expect("a log");
    assert!(!log.contains("secret of the test"), "{log}");
}

/// Asserts that letters tell nothing of a patient: neither a name nor a UID.
fn tells_nothing(site: &Site, letters: &[Letter]) {
    let item = site.item();
    let inputs = item["inputs"].as_array().into_iter().flatten().map(|input| input[0].as_str().expect("a UID"));
    let uids: Vec<&str> = inputs.chain(item["objects"][0]["study"].as_str()).chain(NAMES).collect();
    for letter in letters {
        assert!(uids.iter().all(|word| !letter.text.contains(word)), "{}", letter.text);
    }
}

#[test]
fn what_is_put_aside_is_written_of_though_the_server_and_the_gateway_were_away() {
    let port = free_port();
    let (authority, config) = tls_server("localhost", false);
    let keys = format!(
        "[mail]\nserver = 'localhost:{port}'\ntls = 'implicit'\nca = 'ca.pem'\nfrom = 'dose@hospital.example'\n\
         to = 'a@hospital.example'\nstates = 'aside'"
    );
    let site = site("release = 'auto'", &keys);
    fs::write(site.path().join("ca.pem"), authority.pem()).expect("a writable folder");
    fs::write(site.path().join("in/broken.dcm"), [&[0; 128][..], b"DICM", &[0xff; 64]].concat()).expect("a file");
    let log = site.run();
    assert!(log.contains("nobody was told"), "{log}");
    assert_eq!(site.item()["state"], "aside");
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("it is free");
    let post = post_office(listener, Speech::Implicit(Arc::new(config)), 0);
    let running = site.start();
    site.wait_for("it is written of", |_| !letters(&post).is_empty());
    drop(running);
    let letters = letters(&post);
    let id = site.item()["id"].as_str().expect("an id").to_owned();
    assert_eq!((letters.len(), header(&letters[0], "Subject")), (1, format!("dosegrid: {id} aside").as_str()));
    // It is told once: nothing is left.
    assert!(!site.run().contains("nobody was told"));
}

#[test]
fn a_server_of_mail_that_cannot_be_trusted_gets_no_letter() {
    for (speech, words) in [("another authority", "certificate"), ("no TLS", "STARTTLS")] {
        let (listener, port) = listener();
        let (_, config) = tls_server("localhost", false);
        let speech = if speech == "no TLS" { Speech::Plain } else { Speech::StartTls(Arc::new(config)) };
        let (authority, _) = tls_server("localhost", false);
        let post = post_office(listener, speech, 0);
        let keys =
            format!("[mail]\nserver = 'localhost:{port}'\nca = 'ca.pem'\nfrom = 'a@x.example'\nto = 'b@x.example'");
        let site = site("release = 'wait'", &keys);
        fs::write(site.path().join("ca.pem"), authority.pem()).expect("a writable folder");
        site.put(study(), &[]);
        let log = site.run();
        assert!(log.contains("nobody was told") && log.contains(words), "{words}: {log}");
        assert!(letters(&post).is_empty());
    }
}

#[test]
fn a_webhook_that_fails_is_told_again() {
    let count = AtomicUsize::new(0);
    let (url, asked) = web(move |_| {
        let status = if count.fetch_add(1, Ordering::SeqCst) == 0 { 500 } else { 200 };
        (status, "text/plain".to_owned(), Vec::new())
    });
    let site = site("release = 'wait'", &format!("webhook = '{url}'"));
    site.put(study(), &[]);
    let running = site.start();
    site.wait_for("it was told again", |_| asked.lock().expect("no panic").len() == 2);
    drop(running);
    let id = site.item()["id"].as_str().expect("an id").to_owned();
    for one in asked.lock().expect("no panic").iter() {
        let told: Value = serde_json::from_slice(&one.body).expect("JSON");
        let mut keys: Vec<&String> = told.as_object().expect("an object").keys().collect();
        keys.sort();
        assert_eq!(keys, ["item", "rule", "since", "state"]);
        assert_eq!((told["item"].as_str(), told["state"].as_str()), (Some(id.as_str()), Some("held")));
    }
}

#[test]
fn every_fault_of_a_table_of_mail_is_named() {
    let keys = "[mail]\nserver = 'smtp.example'\ntls = 'none'\nca = 'none.pem'\nuser = 'dose'\nfrom = 'nobody'\n\
                states = ['held', 'ready']\nsubject = 'x'";
    let faults = |keys: &str| {
        let site = site("release = 'auto'", keys);
        let output = dosegrid(site.path(), ["gateway", "--config", "gateway.toml"]);
        assert_eq!(output.status.code(), Some(2));
        stderr(&output)
    };
    let said = faults(keys);
    for words in [
        "mail.server is a host and a port",
        "mail.ca has no effect with tls = \"none\"",
        "none.pem cannot be read",
        "mail.user and password_file go together",
        "mail.from is an address such as",
        "mail.to is needed",
        "mail.states is of held, sent, verified, aside; got `ready`",
        "mail.subject is not a key",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let open = "[mail]\nserver = 'smtp.example:25'\ntls = 'none'\nuser = 'dose'\npassword_file = 'gateway.toml'\n\
                from = 'a@x.example'\nto = 'b@x.example'";
    assert!(faults(open).contains("the password would go over the network in the clear"));
}
