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
    assert!(text.contains("error: server: it went away") && !text.contains("Unknown"), "{text}");
}
