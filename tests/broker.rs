//! Jobs computed by workers elsewhere: a gateway, NATS, and workers, each a process of its own.

mod faults;
mod fixture;
mod gateways;
mod kills;
mod objects;
mod rolling;
mod secured;
mod way;

use dosegrid::api::pb;
use pb::JobState;

use crate::durable::restart::{results, until_running};
use crate::durable::{Client, local, monte_carlo, request_id};
use fixture::Site;

/// More than any test waits for.
const ENDLESS: u64 = 1 << 36;

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn workers_give_the_bytes_of_one_machine() {
    let alone = tempfile::tempdir().expect("a folder");
    let expected = {
        let server = crate::durable::restart::serve(alone.path(), &[]);
        let mut client = Client::of(&server.url).await;
        let spec = client.upload_job(monte_carlo(60_000), [8, 7, 6]).await;
        let job = client.create(&spec, &request_id()).await.expect("a good job");
        results(&mut client, &job.name).await
    };
    let site = Site::start(&[]);
    let gateway = site.gateway(&[]);
    let workers = [site.worker(&[]), site.worker(&[])];
    let mut client = Client::of(&gateway.url).await;
    let spec = client.upload_job(monte_carlo(60_000), [8, 7, 6]).await;
    let mut names = Vec::new();
    for _ in 0..4 {
        names.push(client.create(&spec, &request_id()).await.expect("a good job").name);
    }
    for name in &names {
        assert_eq!(results(&mut client, name).await, expected);
        assert_eq!(client.job(name).await.expect("it is there").attempts, 1);
    }
    // Faults are told as where one machine computes.
    let nan = client.put(&f32::NAN.to_le_bytes().repeat(24)).await;
    let mut bad = client.upload_job(local(), [4, 3, 2]).await;
    bad.compute.as_mut().expect("a header").activity.as_mut().expect("given").digest = nan;
    let job = client.create(&bad, &request_id()).await.expect("its header is good");
    let (_, ended) = client.watch(&job.name).await.expect("it ends");
    let error = ended.error.expect("it failed");
    assert_eq!((ended.state, error.reason.as_str()), (JobState::Failed.into(), "INVALID_REQUEST"));
    drop(workers);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn jobs_wait_for_a_broker_and_a_worker_and_a_cancelled_one_frees_its_worker() {
    let mut site = Site::start(&[]);
    site.stop_broker();
    let gateway = site.gateway(&[]);
    let mut client = Client::of(&gateway.url).await;
    let long = client.upload_job(monte_carlo(ENDLESS), [6, 5, 4]).await;
    let short = client.upload_job(monte_carlo(20_000), [6, 5, 4]).await;
    let endless = client.create(&long, &request_id()).await.expect("accepted without a broker");
    assert_eq!(client.job(&endless.name).await.expect("it is there").state(), JobState::Queued);
    site.start_broker();
    let worker = site.worker(&[]);
    until_running(&mut client, &endless.name).await;
    // Progress comes from the worker.
    let mut messages = client
        .jobs
        .watch_job(pb::WatchJobRequest { name: endless.name.clone() })
        .await
        .expect("it is there")
        .into_inner();
    while let Some(message) = messages.message().await.expect("it runs") {
        let job = message.job.expect("a job");
        if job.progress.and_then(|progress| progress.transport).is_some_and(|transport| transport.histories > 0) {
            break;
        }
    }
    // The lane of large jobs has one place: another waits until it is free.
    let waits = client.create(&long, &request_id()).await.expect("accepted");
    client.jobs.cancel_job(pb::CancelJobRequest { name: endless.name.clone() }).await.expect("it runs");
    assert_eq!(client.job(&endless.name).await.expect("it is there").state(), JobState::Cancelled);
    until_running(&mut client, &waits.name).await;
    // A small job has a lane of its own.
    let job = client.create(&short, &request_id()).await.expect("accepted");
    results(&mut client, &job.name).await;
    assert_eq!(client.job(&waits.name).await.expect("it is there").state(), JobState::Running);
    client.jobs.cancel_job(pb::CancelJobRequest { name: waits.name }).await.expect("it runs");
    drop(worker);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn a_job_that_workers_share_has_the_bytes_of_one() {
    let site = Site::start(&[]);
    // Every job is large.
    let gateway = site.gateway(&["--small-job-s", "0"]);
    let mut workers = vec![site.worker(&[]), site.worker(&[])];
    let mut client = Client::of(&gateway.url).await;
    let helped = |worker: &fixture::Worker| worker.log().matches("helpers ran parts of the job").count();
    // On a faster machine, one may be done before the other has begun.
    let mut histories = 6_000_000;
    let (spec, shared) = loop {
        let spec = client.upload_job(monte_carlo(histories), [8, 7, 6]).await;
        let job = client.create(&spec, &request_id()).await.expect("a good job");
        let shared = results(&mut client, &job.name).await;
        if workers.iter().map(helped).sum::<usize>() > 0 {
            break (spec, shared);
        }
        histories *= 4;
        assert!(histories < 1_000_000_000, "{}\n{}", workers[0].log(), workers[1].log());
    };
    workers.truncate(1);
    let alone = client.create(&spec, &request_id()).await.expect("a good job");
    assert_eq!(results(&mut client, &alone.name).await, shared);
}
