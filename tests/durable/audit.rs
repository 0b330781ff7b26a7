//! What the audit log of a store tells of computations: of jobs, and of `Compute`, which stores nothing.

use dosegrid::api::pb::{self, dose_service_client::DoseServiceClient};
use dosegrid::digest::sha256_hex;
use serde_json::Value;

use super::{Server, local, monte_carlo, request_id};

#[tokio::test(flavor = "multi_thread")]
async fn a_computation_is_recorded_with_the_digests_of_what_came_and_what_went() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let mut client = server.client().await;
    let spec = client.upload_job(local(), [4, 3, 2]).await;
    let mut header = spec.compute.expect("a header");
    let mut messages = Vec::new();
    let mut inputs = Vec::new();
    for (role, volume) in
        [(pb::VolumeRole::Activity, &mut header.activity), (pb::VolumeRole::Density, &mut header.density)]
    {
        let digest = std::mem::take(&mut volume.as_mut().expect("given").digest);
        let data = client.get(&digest).await.expect("it is there").into();
        inputs.push(digest);
        let chunk = pb::VolumeChunk { volume: role.into(), offset_bytes: 0, data, index: 0 };
        messages.push(pb::ComputeRequest { message: Some(pb::compute_request::Message::Chunk(chunk)) });
    }
    messages.insert(0, pb::ComputeRequest { message: Some(pb::compute_request::Message::Header(header)) });
    let mut service = DoseServiceClient::connect(server.url.clone()).await.expect("the server listens");
    let mut answers = service.compute(tokio_stream::iter(messages)).await.expect("it begins").into_inner();
    let (mut dose, mut at_first) = (Vec::new(), None);
    let log = || std::fs::read_to_string(folder.path().join("audit/000001.log")).expect("a log");
    while let Some(answer) = answers.message().await.expect("it is computed") {
        if let Some(pb::compute_response::Message::Chunk(chunk)) = answer.message {
            // The record stands there before the dose leaves.
            at_first.get_or_insert_with(log);
            dose.extend_from_slice(&chunk.data);
        }
    }
    let at_first = at_first.expect("a dose came");
    let line = at_first.lines().find(|line| line.contains("compute.finished")).expect("it is recorded");
    let record: Value = serde_json::from_str(&line[65..]).expect("JSON");
    assert_eq!(record["inputs"], Value::from(inputs));
    assert_eq!(record["results"], Value::from(vec![format!("sha256:{}", sha256_hex(&dose))]));
    assert_eq!((record["state"].as_str(), record["nuclide"].as_str()), (Some("succeeded"), Some("Lu-177")));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_values_are_bad_is_recorded_before_its_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let mut client = server.client().await;
    let spec = client.upload_job(local(), [4, 3, 2]).await;
    let mut header = spec.compute.expect("a header");
    let nan = f32::NAN.to_le_bytes().repeat(24);
    let named = header.density.as_ref().expect("given").digest.clone();
    header.activity.as_mut().expect("given").digest.clear();
    let chunk = pb::VolumeChunk {
        volume: pb::VolumeRole::Activity.into(),
        offset_bytes: 0,
        data: nan.clone().into(),
        index: 0,
    };
    let messages = [pb::compute_request::Message::Header(header), pb::compute_request::Message::Chunk(chunk)];
    let messages = messages.map(|message| pb::ComputeRequest { message: Some(message) });
    let mut service = DoseServiceClient::connect(server.url.clone()).await.expect("the server listens");
    let mut answers = service.compute(tokio_stream::iter(messages)).await.expect("it begins").into_inner();
    let refused = loop {
        match answers.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("there is no dose of it"),
            Err(status) => break status,
        }
    };
    assert_eq!(super::reason(&refused), "INVALID_REQUEST");
    let log = std::fs::read_to_string(folder.path().join("audit/000001.log")).expect("a log");
    let line = log.lines().find(|line| line.contains("compute.finished")).expect("it is recorded");
    let record: Value = serde_json::from_str(&line[65..]).expect("JSON");
    assert_eq!(record["inputs"], Value::from(vec![named, format!("sha256:{}", sha256_hex(&nan))]));
    assert_eq!((record["state"].as_str(), record["reason"].as_str()), (Some("failed"), Some("INVALID_REQUEST")));
    assert_eq!((record["nuclide"].as_str(), record["results"].as_array()), (Some("Lu-177"), None));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_job_is_recorded_with_its_state_and_device() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let mut client = server.client().await;
    let spec = client.upload_job(local(), [4, 3, 2]).await;
    let done = client.create(&spec, &request_id()).await.expect("a good job").name;
    client.watch(&done).await.expect("it ends");
    client.jobs.delete_job(pb::DeleteJobRequest { name: done.clone() }).await.expect("it is finished");
    let spec = client.upload_job(monte_carlo(1 << 36), [4, 3, 2]).await;
    let endless = client.create(&spec, &request_id()).await.expect("a good job").name;
    while client.job(&endless).await.expect("it is there").state() != pb::JobState::Running {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    client.jobs.cancel_job(pb::CancelJobRequest { name: endless.clone() }).await.expect("it runs");
    server.stop().await;
    let log = std::fs::read_to_string(folder.path().join("audit/000001.log")).expect("a log");
    let records: Vec<Value> = log.lines().map(|line| serde_json::from_str(&line[65..]).expect("JSON")).collect();
    for (event, job, device, state) in [
        ("job.created", &done, None, None),
        ("job.started", &done, Some("cpu"), None),
        ("job.finished", &done, Some("cpu"), Some("succeeded")),
        ("job.deleted", &done, Some("cpu"), Some("succeeded")),
        ("job.created", &endless, None, None),
        ("job.cancelled", &endless, Some("cpu"), Some("cancelled")),
    ] {
        let found = records.iter().find(|record| record["event"] == event && record["job"] == job.as_str());
        let record = found.unwrap_or_else(|| panic!("{event} of {job}"));
        assert_eq!((record["device"].as_str(), record["state"].as_str()), (device, state), "{event}");
    }
}
