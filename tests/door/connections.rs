//! Connections: silent ones, strange ones, many of them; and the end of a server.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use dosegrid::api::pb::dose_service_client::DoseServiceClient;
use dosegrid::api::pb::{self, compute_request::Message};
use rustix::process::Signal;
use tokio_stream::StreamExt;
use tonic_types::StatusExt;

use super::{channel, look_up};
use crate::support::command::Server;

/// After so long, what a test waits for is taken not to come: a safety net, and no measure of speed.
const PATIENCE: Duration = Duration::from_secs(60);

fn server(flags: &[&str]) -> Server {
    Server::with("127.0.0.1:0", &flags.iter().map(|flag| (*flag).to_owned()).collect::<Vec<_>>())
}

fn socket(server: &Server) -> TcpStream {
    let address = server.url.strip_prefix("http://").expect("no TLS");
    let socket = TcpStream::connect(address).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time");
    socket
}

/// Reads until the server closes the connection, and gives what came.
fn until_closed(mut socket: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match socket.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("it is not closed: {error}"),
    }
    bytes
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A frame of settings without any.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

#[tokio::test(flavor = "multi_thread")]
async fn silent_and_strange_connections_are_closed_and_lock_nobody_out() {
    let server = server(&["--handshake-timeout-s=1", "--connection-idle-s=1", "--max-connections=6"]);
    let silent: Vec<TcpStream> = (0..5).map(|_| socket(&server)).collect();
    let mut half = socket(&server);
    half.write_all(&PREFACE[..20]).expect("it is open");
    // There is no room until the silent ones are gone.
    let channel = channel(&server.url, None).await.expect("there is room again");
    look_up(&channel, None).await.expect("it is served");
    for socket in silent.into_iter().chain([half]) {
        assert_eq!(until_closed(socket), b"", "nothing is said to who says nothing");
    }
    for strange in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], &[0x16, 3, 1, 2, 0], &[PREFACE, &[0; 9]].concat()] {
        let mut socket = socket(&server);
        socket.write_all(strange).expect("it is open");
        until_closed(socket);
    }
    let mut idle = socket(&server);
    idle.write_all(&[PREFACE, SETTINGS].concat()).expect("it is open");
    let said = until_closed(idle);
    assert!(said.len() > 9, "it was told the settings, and that it has to go: {said:?}");
    while !server.next_line().contains("handshake_timeout") {}
}

#[test]
fn a_server_without_calls_ends_well_at_the_first_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let server = server(&[]);
        server.signal(signal);
        assert_eq!(server.ended(), Some(0));
    }
}

/// A call that never ends by itself.
async fn endless(server: &Server) -> tonic::Streaming<pb::ComputeResponse> {
    let channel = channel(&server.url, None).await.expect("the server listens");
    let header = crate::grpc::good_header();
    let requests = tokio_stream::iter([pb::ComputeRequest { message: Some(Message::Header(header)) }]);
    let requests = requests.chain(tokio_stream::pending());
    let answer = DoseServiceClient::new(channel).compute(requests).await;
    answer.expect("the call begins").into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_cut_and_a_second_signal_make_it_end_with_1() {
    let drained = server(&["--drain-timeout-s=1"]);
    let mut answer = endless(&drained).await;
    drained.signal(Signal::TERM);
    let status = answer.message().await.expect_err("it is cut");
    assert_eq!(super::facts(&status, "").1, "SHUTTING_DOWN");
    drop(answer);
    assert_eq!(drained.ended(), Some(1));
    let twice = server(&["--drain-timeout-s=3600"]);
    let _answer = endless(&twice).await;
    twice.signal(Signal::TERM);
    while !twice.next_line().contains("draining") {}
    twice.signal(Signal::INT);
    assert_eq!(twice.ended(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn long_headers_are_refused_by_name() {
    let server = server(&[]);
    let channel = channel(&server.url, None).await.expect("it listens");
    for (bytes, is_taken) in [(15_000, true), (17_000, false), (60_000, false)] {
        let mut request = tonic::Request::new(pb::GetServerInfoRequest {});
        request.metadata_mut().insert("x-long", "x".repeat(bytes).parse().expect("printable"));
        let answer = DoseServiceClient::new(channel.clone()).get_server_info(request).await;
        let Err(refused) = answer else {
            assert!(is_taken, "{bytes}");
            continue;
        };
        assert!(!is_taken, "{bytes}: {refused:?}");
        let details = refused.get_error_details();
        assert_eq!(details.error_info().map(|info| info.reason.as_str()), Some("INVALID_REQUEST"));
        let fields = details.bad_request().map(|bad| bad.field_violations[0].field.as_str());
        assert_eq!(fields, Some("headers"), "{bytes}");
    }
}
