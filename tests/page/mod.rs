//! The status page, asked over HTTP as a browser asks.

mod gateway;
mod identities;
mod results;
mod view;

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::support::command::Server;

/// What a page may do in a browser.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// What the page sends with every question for data.
const OWN: &str = "x-dosegrid: 1\r\n";

/// An answer.
struct Answer {
    code: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    /// Code, and the reason that it is refused for.
    fn refusal(&self) -> (u16, String) {
        (self.code, self.json()["reason"].as_str().expect("a reason").to_owned())
    }

    fn has(&self, line: &str) -> bool {
        self.head.lines().any(|found| found.eq_ignore_ascii_case(line))
    }
}

/// Where a status page is.
struct Page(String);

impl Page {
    /// A server with a store and a page.
    fn start(folder: &std::path::Path, more: &[String]) -> (Server, Self) {
        let own = [format!("--store={}", folder.join("store").display()), "--page-listen=127.0.0.1:0".to_owned()];
        let flags: Vec<String> = own.iter().chain(more).cloned().collect();
        let server = Server::with("127.0.0.1:0", &flags);
        loop {
            let line: Value = serde_json::from_str(&server.next_line()).expect("JSON");
            if line["fields"]["message"] == "status page" {
                return (server, Self(line["fields"]["address"].as_str().expect("an address").to_owned()));
            }
        }
    }

    /// * `headers` – lines, each with its end
    fn send(&self, method: &str, path: &str, headers: &str) -> Answer {
        let mut socket = TcpStream::connect(&self.0).expect("it listens");
        let host = if headers.contains("Host:") { String::new() } else { format!("Host: {}\r\n", self.0) };
        write!(socket, "{method} {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\r\n").expect("it is open");
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).expect("it answers");
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(bytes[..end].to_vec()).expect("text");
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a code");
        let answer = Answer { code, head, body: bytes.split_off(end + 4) };
        for line in [format!("content-security-policy: {POLICY}"), "cache-control: no-store".to_owned()] {
            assert!(answer.has(&line), "{path}: {line} is missing in {}", answer.head);
        }
        answer
    }

    /// As the page itself asks.
    fn get(&self, path: &str) -> Answer {
        self.send("GET", path, OWN)
    }
}

#[test]
fn pages_are_of_this_server_and_for_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_server, page) = Page::start(folder.path(), &[]);
    let first = page.send("GET", "/", "");
    assert_eq!(first.code, 200);
    assert!(first.has("content-type: text/html; charset=utf-8") && first.has("x-content-type-options: nosniff"));
    // What the page names is there, and is of this server.
    let text = String::from_utf8(first.body).expect("text");
    let named = |text: &str, mark: &str| -> Vec<String> {
        text.split(mark).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
    };
    let places = [named(&text, "src=\""), named(&text, "href=\"")].concat();
    assert!(places.len() >= 3, "{places:?}");
    for place in places.iter().filter(|place| !place.starts_with('#')) {
        assert!(place.starts_with('/'), "{place}");
        assert_eq!(page.send("GET", place, "").code, 200, "{place}");
    }
    assert_eq!(page.send("GET", "/etc/passwd", "").refusal(), (404, "UNKNOWN_PAGE".to_owned()));
    assert_eq!(page.send("POST", "/", "").refusal(), (405, "UNKNOWN_METHOD".to_owned()));
    assert_eq!(page.get("/api/nothing").refusal(), (404, "UNKNOWN_PAGE".to_owned()));
    assert_eq!(page.send("POST", "/api/jobs", OWN).refusal(), (405, "UNKNOWN_METHOD".to_owned()));
    let elsewhere = format!("{OWN}Host: attacker.example\r\n");
    assert_eq!(page.send("GET", "/api/server", &elsewhere).refusal(), (421, "WRONG_HOST".to_owned()));
    assert_eq!(page.send("GET", "/", "Host: attacker.example\r\n").code, 421);
    for other in ["", "x-dosegrid: 1\r\nSec-Fetch-Site: cross-site\r\n", "Origin: https://attacker.example\r\n"] {
        assert_eq!(page.send("GET", "/api/server", other).refusal(), (403, "NOT_THIS_PAGE".to_owned()), "{other}");
    }
    let server = page.get("/api/server").json();
    assert_eq!(server["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&server["serving_device_id"], &server["devices"][0]["id"]), (&"cpu".into(), &"cpu".into()));
    assert_eq!(server["caller"]["roles"], serde_json::json!(["admin"]));
}
