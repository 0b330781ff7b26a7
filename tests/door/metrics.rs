//! Metrics and the pages beside them, over HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::{channel, facts, look_up};
use crate::support::command::Server;

/// The answer to a GET: status line and body.
fn get(address: &str, path: &str) -> (String, String) {
    let mut socket = TcpStream::connect(address).expect("it listens");
    write!(socket, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("it is open");
    let mut text = String::new();
    socket.read_to_string(&mut text).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("head and body");
    (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
}

/// A server, and where its metrics are.
fn server() -> (Server, String) {
    let server = Server::with("127.0.0.1:0", &["--metrics-listen=127.0.0.1:0".to_owned()]);
    loop {
        let line: serde_json::Value = serde_json::from_str(&server.next_line()).expect("JSON");
        if line["fields"]["message"] == "metrics" {
            let address = line["fields"]["address"].as_str().expect("an address").to_owned();
            return (server, address);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_counted() {
    let (server, address) = server();
    let channel = channel(&server.url, None).await.expect("the server listens");
    look_up(&channel, None).await.expect("this machine needs no identity");
    let path = http::uri::PathAndQuery::from_static("/dosegrid.v1.DoseService/NoSuchCall");
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.expect("connected");
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let status = grpc.unary(tonic::Request::new(()), path, codec).await.expect_err("there is no such call");
    assert_eq!(facts(&status, "").1, "UNKNOWN_METHOD");
    let (status, text) = get(&address, "/metrics");
    assert_eq!(status, "HTTP/1.1 200 OK");
    for line in [
        "dosegrid_requests_total{method=\"dosegrid.v1.DoseService/GetServerInfo\",code=\"OK\"} 1",
        "dosegrid_requests_total{method=\"unknown\",code=\"UNIMPLEMENTED\"} 1",
        "dosegrid_errors_total{reason=\"UNKNOWN_METHOD\"} 1",
        "dosegrid_connections 1",
        "dosegrid_device_up{device=\"cpu\"} 1",
        "dosegrid_memory_reserved_bytes 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
    let sent = text.lines().find_map(|line| line.strip_prefix("dosegrid_sent_bytes_total ")).expect("it is there");
    assert!(sent.parse::<u64>().expect("a number") > 100, "{sent}");
    assert!(text.contains("\nprocess_open_fds ") && !text.contains("NoSuchCall"), "{text}");
    assert_eq!(get(&address, "/live").0, "HTTP/1.1 200 OK");
    assert_eq!(get(&address, "/ready"), ("HTTP/1.1 200 OK".to_owned(), "ready\n".to_owned()));
    assert_eq!(get(&address, "/else").0, "HTTP/1.1 404 Not Found");
}
