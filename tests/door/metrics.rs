//! Metrics and the pages beside them, over HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use dosegrid::api::pb;

use super::{channel, facts, look_up};
use crate::support::command::Server;

/// After so long, what a test waits for is taken not to come: a safety net, and no measure of speed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The answer to a GET: status line and body.
pub(crate) fn get(address: &str, path: &str) -> (String, String) {
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
    let address = metrics_address(&server);
    (server, address)
}

/// Where the metrics of a server are, from its log.
pub(crate) fn metrics_address(server: &Server) -> String {
    loop {
        let line: serde_json::Value = serde_json::from_str(&server.next_line()).expect("JSON");
        if line["fields"]["message"] == "metrics" {
            return line["fields"]["address"].as_str().expect("an address").to_owned();
        }
    }
}

/// What each figure of the contract must have before anything has happened: its name without `dosegrid_`, and labels.
const FROM_THE_START: &[(&str, &[&str])] = &[
    ("build_info", &["version=", "commit="]),
    ("jobs", &["state=\"queued\",lane=\"small\"", "state=\"running\",lane=\"large\""]),
    ("jobs_finished_total", &["state=\"succeeded\"", "state=\"failed\"", "state=\"cancelled\""]),
    ("job_errors_total", &["INVALID_REQUEST", "COMPUTE_LIMIT", "JOB_POISONOUS", "VOLUME_DAMAGED", "INTERNAL"]),
    ("job_attempts_lost_total", &["cause=\"process\"", "cause=\"worker\"", "cause=\"device\""]),
    ("job_wait_seconds_count", &["lane=\"small\"", "lane=\"large\""]),
    ("job_run_seconds_count", &["local\",size=\"64\"", "kernel\",size=\"512\"", "monte-carlo\",size=\"above\""]),
    ("queue_oldest_seconds", &[]),
    ("device_up", &["device=\"cpu\""]),
    ("device_busy_seconds_total", &["device=\"cpu\""]),
    ("requests_total", &["DoseService/Compute\"", "JobService/WatchJob\"", "VolumeService/PutVolume\"", "unknown"]),
    ("request_seconds_count", &["JobService/CreateJob\"", "grpc.health.v1.Health\""]),
    ("errors_total", &["SERVER_BUSY", "UNAUTHENTICATED", "STORE_FULL", "NO_STORE"]),
    ("received_bytes_total", &[]),
    ("sent_bytes_total", &[]),
    ("connections", &[]),
    ("connections_refused_total", &["tls", "protocol", "handshake_timeout", "connections", "descriptors", "peer"]),
    ("memory_reserved_bytes", &[]),
    ("memory_limit_bytes", &[]),
    ("store_bytes", &["volumes", "results", "uploads", "ledger"]),
    ("store_free_bytes", &[]),
    ("store_commit_seconds_count", &[]),
    ("workers", &["idle", "busy"]),
    ("broker_up", &[]),
    ("audit_records_total", &[]),
];

#[test]
fn every_figure_of_the_contract_is_there_from_the_start() {
    let (_server, address) = server();
    let (_, text) = get(&address, "/metrics");
    let is_sample = |line: &&str| !line.starts_with('#');
    for (name, labels) in FROM_THE_START {
        let name = format!("dosegrid_{name}");
        let samples: Vec<&str> = text
            .lines()
            .filter(is_sample)
            .filter(|line| line.split(['{', ' ']).next() == Some(name.as_str()))
            .collect();
        assert!(!samples.is_empty(), "{name} is missing in\n{text}");
        for label in *labels {
            assert!(samples.iter().any(|line| line.contains(label)), "{name} has no {label}: {samples:?}");
        }
    }
    assert!(text.contains("dosegrid_workers{state=\"idle\"} 1\n"), "this process is its own worker: {text}");
    // What is declared has a sample: no figure appears only after its first event.
    for family in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = family.split(' ').next().expect("a name");
        let has_sample = text.lines().filter(is_sample).any(|line| line.starts_with(name));
        assert!(has_sample, "{name} has no sample in\n{text}");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_busy_while_it_works_for_a_job_and_for_a_call() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("--store={}", folder.path().display());
    let flags = ["--metrics-listen=127.0.0.1:0", &store, "--store-reserve-mib=0"].map(str::to_owned);
    let server = Server::with("127.0.0.1:0", &flags);
    let address = metrics_address(&server);
    let busy = || {
        let (_, text) = get(&address, "/metrics");
        let name = "dosegrid_device_busy_seconds_total{device=\"cpu\"}";
        let sample = text.lines().find_map(|line| line.strip_prefix(name));
        sample.and_then(|value| value.trim().parse::<f64>().ok()).expect("a figure")
    };
    let rises_above = async |before: f64| {
        let rising = async {
            while busy() < before + 0.2 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, rising).await.expect("it rises while the work goes on");
    };
    let mut client = crate::durable::Client::of(&server.url).await;
    let spec = client.upload_job(crate::durable::monte_carlo(60_000_000_000), [8; 3]).await;
    let job = client.create(&spec, &crate::durable::request_id()).await.expect("a good job");
    rises_above(0.0).await;
    client.jobs.cancel_job(pb::CancelJobRequest { name: job.name }).await.expect("it runs");
    let resting = async {
        loop {
            let before = busy();
            tokio::time::sleep(Duration::from_millis(300)).await;
            if busy() == before {
                return before;
            }
        }
    };
    let before = tokio::time::timeout(PATIENCE, resting).await.expect("it rests after a cancel");
    let message = Some(pb::compute_request::Message::Header(spec.compute.expect("a header")));
    let channel = channel(&server.url, None).await.expect("it listens");
    let mut calls = pb::dose_service_client::DoseServiceClient::new(channel);
    let _answer = calls.compute(tokio_stream::iter([pb::ComputeRequest { message }])).await.expect("it begins");
    rises_above(before).await;
}
