//! A server as the command line meets it: where it listens, and what a caller hears when there is none.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use super::{dosegrid, flags, inputs, stderr, succeed};
use crate::support::command::{Server, Stream, first_line};

#[test]
fn a_server_listens_on_a_name() {
    let folder = inputs();
    let server = Server::listening_on("localhost:0");
    let port = server.url.rsplit(':').next().expect("a port");
    succeed(folder.path(), flags(&[], &[&format!("--server=http://localhost:{port}")]));
    for bad in ["localhost", "50051", ":50051", "localhost:port", "localhost:65536", "no host:1", "-1:5"] {
        let output = dosegrid(folder.path(), ["serve", "--device=cpu", "--listen", bad]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{bad}: {said}");
        assert!(said.contains("error: listen: ") && said.contains(bad), "{bad}: {said}");
    }
}

#[test]
fn a_server_says_its_device_and_why() {
    let said = first_line(&["serve", "--listen=127.0.0.1:0", "--device=cpu"], Stream::Stderr);
    assert!(said.contains("device=\"cpu\"") && said.contains("why=\"as requested\""), "{said}");
}

#[test]
fn numbers_of_a_server_below_0_are_refused_by_their_flag() {
    let folder = inputs();
    let output = dosegrid(folder.path(), ["serve", "--device=cpu", "--queue-length", "-1"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("-1") && said.contains("--queue-length"), "{said}");
}

#[test]
fn a_server_that_goes_away_is_said_to_have_gone_away() {
    let folder = inputs();
    let server = Server::start();
    let at_server = format!("--server={}", server.url);
    let with = ["--method=monte-carlo", "--time-limit=2min", &at_server];
    let mut command = Command::new(env!("CARGO_BIN_EXE_dosegrid"));
    command.current_dir(folder.path()).args(flags(&["method"], &with)).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut caller = command.spawn().expect("the binary is built with the tests");
    let mut said = BufReader::new(caller.stderr.take().expect("stderr is piped"));
    let mut text = String::new();
    while !text.contains("dose ") {
        assert!(said.read_line(&mut text).expect("text") > 0, "the caller ended: {text}");
    }
    drop(server);
    said.read_to_string(&mut text).expect("text");
    assert_eq!(caller.wait().expect("it ends").code(), Some(1), "{text}");
    assert!(text.contains("error: server: it went away") && text.contains("https://"), "{text}");
    assert!(!text.contains("Unknown"), "{text}");
}

#[test]
fn a_program_that_starts_a_server_hears_where_it_listens_and_takes_it_along() {
    let folder = inputs();
    let file = folder.path().join("ready.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_dosegrid"));
    command.args(["serve", "--listen=127.0.0.1:0", "--device=cpu", "--end-with-stdin"]);
    command.arg("--ready-file").arg(&file).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = command.spawn().expect("the binary is built with the tests");
    // The file is there as soon as the line is followed by an answer.
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("stdout is piped")).read_line(&mut line).expect("text");
    let address = line.split_whitespace().nth(2).expect("listening on ADDRESS").to_owned();
    succeed(folder.path(), flags(&[], &[&format!("--server=http://{address}")]));
    let text = std::fs::read_to_string(&file).expect("the file is there");
    let ready: serde_json::Value = serde_json::from_str(&text).expect("the file is JSON");
    assert_eq!(ready["address"], address);
    assert_eq!(ready["pid"], server.id());
    assert_eq!((&ready["version"], &ready["tls"]), (&env!("CARGO_PKG_VERSION").into(), &false.into()));
    drop(server.stdin.take());
    assert_eq!(server.wait().expect("it is a child of this process").code(), Some(0));
    let missing = folder.path().join("missing").join("ready.json").display().to_string();
    let output = dosegrid(folder.path(), ["serve", "--listen=127.0.0.1:0", "--device=cpu", "--ready-file", &missing]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("error: ready-file: "), "{}", stderr(&output));
}

#[test]
fn packages_find_completions_and_manual_pages() {
    let folder = inputs();
    for shell in ["bash", "zsh", "fish"] {
        let output = dosegrid(folder.path(), ["completions", shell]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("uncertainty-output"), "{shell}: {}", stderr(&output));
    }
    let pages = folder.path().join("man");
    std::fs::create_dir(&pages).expect("a writable folder");
    let written = dosegrid(folder.path(), ["man", "man"]);
    assert!(written.status.success(), "{}", stderr(&written));
    let page = std::fs::read_to_string(pages.join("dosegrid-serve.1")).expect("a page for each command");
    assert!(page.contains("ready") && pages.join("dosegrid.1").exists());
    assert!(!pages.join("dosegrid-read-dicom.1").exists(), "hidden commands have none");
    let output = dosegrid(folder.path(), ["man", "nowhere"]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("nowhere"), "{}", stderr(&output));
}
