//! The log of the built server: one line a call, whatever comes of it, and the id that the caller has too.

use std::time::Duration;

use dosegrid::api::pb;
use serde_json::Value;
use tokio_stream::StreamExt;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::{Message, chunk, connect, good_header, good_messages, stream_of};
use crate::support::command::Server;

/// A request with an id of the caller's own.
fn with_id<T>(message: T, id: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-request-id", id.parse().expect("printable"));
    request
}

fn id_of(metadata: &tonic::metadata::MetadataMap) -> String {
    metadata.get("x-request-id").expect("every call has an id").to_str().expect("printable").to_owned()
}

/// The next line, without what no test can know.
fn line(server: &Server) -> Value {
    let next = || serde_json::from_str::<Value>(&server.next_line()).expect("JSON");
    // The first line of all names the device.
    let of_call = |line: &Value| line["fields"]["message"] != "computes on this device";
    let mut line = std::iter::repeat_with(next).find(of_call).expect("no end of lines");
    let fields = line["fields"].as_object_mut().expect("an object");
    assert_eq!(fields.remove("message"), Some("call".into()));
    assert!(fields.remove("duration_s").and_then(|seconds| seconds.as_f64()).is_some_and(|seconds| seconds >= 0.0));
    let peer = fields.remove("peer").expect("who called");
    assert!(peer.as_str().is_some_and(|peer| peer.starts_with("127.0.0.1:")), "{peer}");
    if let Some(stages) = fields.remove("stages_s") {
        assert!(stages.as_str().is_some_and(|stages| stages.contains("dose=")), "{stages}");
    }
    serde_json::json!({"level": line["level"], "fields": line["fields"]})
}

/// What a line of a `Compute` call says beside its method and grid.
fn computed(level: &str, id: &str, more: Value) -> Value {
    let mut fields = serde_json::json!({
        "request_id": id, "rpc": "dosegrid.v1.DoseService/Compute",
        "method": "local", "nuclide": "Lu-177", "shape": "4x3x2", "device": "cpu",
    });
    fields.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    serde_json::json!({"level": level, "fields": fields})
}

async fn read(answer: Result<Response<tonic::Streaming<pb::ComputeResponse>>, Status>) -> Result<String, Status> {
    let answer = answer?;
    let id = id_of(answer.metadata());
    let mut messages = answer.into_inner();
    while messages.message().await?.is_some() {}
    Ok(id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_one_line_whether_it_succeeds_or_is_refused() {
    let server = Server::start();
    let mut client = connect(server.url.clone()).await;
    let given = with_id(stream_of(good_messages()), "mine-1");
    assert_eq!(read(client.compute(given).await).await.expect("a dose"), "mine-1");
    assert_eq!(line(&server), computed("INFO", "mine-1", serde_json::json!({"outcome": "OK"})));
    // Refused by its header, with every field; an id that is not well formed is replaced.
    let header = pb::ComputeHeader { nuclide: "Patient Name".into(), density: None, ..good_header() };
    let given = with_id(stream_of(vec![Message::Header(header)]), "not well formed");
    let status = read(client.compute(given).await).await.expect_err("a bad header");
    let id = id_of(status.metadata());
    assert!(!id.contains(' '));
    let refused = serde_json::json!({"level": "WARN", "fields": {
        "request_id": id, "rpc": "dosegrid.v1.DoseService/Compute", "outcome": "INVALID_ARGUMENT",
        "reason": "INVALID_REQUEST", "fields": "nuclide,density",
    }});
    assert_eq!(line(&server), refused);
    // Refused in the middle of its stream.
    let given = vec![Message::Header(good_header()), chunk(pb::VolumeRole::Activity, 4, vec![0; 4])];
    let status = read(client.compute(with_id(stream_of(given), "mine-2")).await).await.expect_err("a gap");
    assert_eq!(id_of(status.metadata()), "mine-2");
    let more = serde_json::json!({
        "outcome": "INVALID_ARGUMENT", "reason": "INVALID_REQUEST", "fields": "chunk.offset_bytes",
    });
    assert_eq!(line(&server), computed("WARN", "mine-2", more));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_streams_are_one_line_too() {
    let server = Server::start();
    let mut client = connect(server.url.clone()).await;
    let source = super::volume([4, 3, 2], pb::ElementType::Uint8);
    let header = pb::ResampleHeader {
        kind: pb::ResampleKind::Dose.into(),
        target: source.grid.clone().map(pb::resample_header::Target::Grid),
        source: Some(source),
        ..Default::default()
    };
    let messages = [
        pb::resample_request::Message::Header(header),
        pb::resample_request::Message::Chunk(pb::VolumeChunk {
            volume: pb::VolumeRole::Source.into(),
            data: vec![1; 24].into(),
            ..Default::default()
        }),
    ];
    let given = messages.map(|message| pb::ResampleRequest { message: Some(message) });
    let answer = client.resample(with_id(tokio_stream::iter(given), "moved")).await.expect("an answer");
    assert_eq!(id_of(answer.metadata()), "moved");
    let mut messages = answer.into_inner();
    while messages.message().await.expect("a volume").is_some() {}
    let expected = serde_json::json!({"level": "INFO", "fields": {
        "request_id": "moved", "rpc": "dosegrid.v1.DoseService/Resample", "outcome": "OK", "shape": "4x3x2",
    }});
    assert_eq!(line(&server), expected);
    let nothing = tokio_stream::iter([pb::MergeTalliesRequest {
        message: Some(pb::merge_tallies_request::Message::Header(pb::MergeTalliesHeader::default())),
    }]);
    let mut messages = client.merge_tallies(with_id(nothing, "sum")).await.expect("an answer").into_inner();
    messages.message().await.expect_err("a bad header");
    let expected = serde_json::json!({"level": "WARN", "fields": {
        "request_id": "sum", "rpc": "dosegrid.v1.DoseService/MergeTallies", "outcome": "INVALID_ARGUMENT",
        "reason": "INVALID_REQUEST", "fields": "grid,tallies",
    }});
    assert_eq!(line(&server), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn unary_calls_are_logged_too_and_health_is_not() {
    let server = Server::start();
    let channel = tonic::transport::Endpoint::from_shared(server.url.clone()).expect("a URL").connect().await;
    let mut health = HealthClient::new(channel.expect("the server listens"));
    health.check(HealthCheckRequest::default()).await.expect("known");
    let mut client = connect(server.url.clone()).await;
    let answer = client.get_server_info(pb::GetServerInfoRequest {}).await.expect("an answer");
    let expected = |level: &str, rpc: &str, id: String, more: Value| {
        let mut fields = serde_json::json!({"request_id": id, "rpc": format!("dosegrid.v1.DoseService/{rpc}")});
        fields.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        serde_json::json!({"level": level, "fields": fields})
    };
    let ok = serde_json::json!({"outcome": "OK"});
    assert_eq!(line(&server), expected("INFO", "GetServerInfo", id_of(answer.metadata()), ok));
    let unknown = client.get_nuclide(pb::GetNuclideRequest { name: "Xx-1".into() }).await.expect_err("unknown");
    let more = serde_json::json!({"outcome": "NOT_FOUND", "reason": "UNKNOWN_NUCLIDE"});
    assert_eq!(line(&server), expected("WARN", "GetNuclide", id_of(unknown.metadata()), more));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_or_is_late_is_logged() {
    let server = Server::start();
    let mut client = connect(server.url.clone()).await;
    let never_ends = || stream_of(vec![Message::Header(good_header())]).chain(tokio_stream::pending());
    // A runtime of its own, so that the caller's connection dies with it, as that of a process does.
    let (url, leaving) = (server.url.clone(), with_id(never_ends(), "leaves"));
    let callers = tokio::runtime::Runtime::new().expect("a runtime");
    let call = callers.spawn(async move { connect(url).await.compute(leaving).await.map(drop) });
    call.await.expect("no panic").expect("it begins");
    callers.shutdown_background();
    let left = line(&server);
    assert_eq!((&left["fields"]["request_id"], &left["fields"]["outcome"]), (&"leaves".into(), &"CANCELLED".into()));
    let mut given = with_id(never_ends(), "late");
    given.set_timeout(Duration::from_secs(3));
    let status = read(client.compute(given).await).await.expect_err("its deadline passes");
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let more = serde_json::json!({"outcome": "DEADLINE_EXCEEDED", "reason": "DEADLINE_EXCEEDED"});
    assert_eq!(line(&server), computed("WARN", "late", more));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unary_call_that_is_late_is_logged() {
    let server = Server::start();
    let mut client = connect(server.url.clone()).await;
    let kernel = pb::ComputeKernelRequest {
        nuclide: "Ra-223".into(),
        spacing_mm: vec![1.0, 1.1, 1.2],
        radius_voxels: 64,
        ..Default::default()
    };
    let mut given = with_id(kernel, "late");
    given.set_timeout(Duration::from_millis(20));
    // This client does not wait for the server to say so.
    client.compute_kernel(given).await.expect_err("its deadline passes");
    let logged = line(&server);
    let fields = &logged["fields"];
    assert_eq!((&fields["request_id"], &fields["reason"]), (&"late".into(), &"DEADLINE_EXCEEDED".into()), "{fields}");
}
