//! Workers, broker and gateway are killed in the middle of jobs.

use std::time::Duration;

use dosegrid::api::pb::{self, JobState};
use dosegrid::broker::{Broker, BrokerOptions, Lane};
use rustix::process::Signal;

use super::ENDLESS;
use super::fixture::Site;
use crate::durable::restart::{checkpointed, results, until_checkpoint, until_running};
use crate::durable::{Client, monte_carlo, request_id};

pub(super) const SHAPE: [u32; 3] = [8, 8, 8];

/// The bytes of the same job where nothing happens, and what was disturbed has them.
pub(super) async fn assert_undisturbed(client: &mut Client, name: &str, spec: &pb::JobSpec) {
    let disturbed = results(client, name).await;
    let again = client.create(spec, &request_id()).await.expect("a good job");
    assert_eq!(results(client, &again.name).await, disturbed);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn a_job_of_a_killed_worker_goes_on_elsewhere() {
    let site = Site::start(&[]);
    let gateway = site.gateway(&["--checkpoint-s", "1"]);
    let first = site.worker(&["--lease-s", "1"]);
    let mut client = Client::of(&gateway.url).await;
    let (name, spec) = checkpointed(&mut client, &site.store(), SHAPE).await;
    drop(first);
    let second = site.worker(&["--lease-s", "1"]);
    assert_undisturbed(&mut client, &name, &spec).await;
    assert_eq!(client.job(&name).await.expect("it is there").attempts, 2);
    // One that is asked to end lets go of its job at once, which does not count.
    let endless = client.upload_job(monte_carlo(ENDLESS), SHAPE).await;
    let name = client.create(&endless, &request_id()).await.expect("a good job").name;
    until_checkpoint(&site.store()).await;
    assert_eq!(second.terminate(), Some(0));
    assert_released(&mut client, &name).await;
}

/// Waits until a worker has told of histories of a job: an order that it has not begun has a longer lease.
async fn until_computing(client: &mut Client, name: &str) {
    let told = async {
        loop {
            let progress = client.job(name).await.expect("it is there").progress;
            if progress.and_then(|progress| progress.transport).is_some_and(|transport| transport.histories > 0) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), told).await.expect("it computes");
}

/// A job waits again, as if it had not begun, long before a lease of 30 s would end.
async fn assert_released(client: &mut Client, name: &str) {
    // The gateway hears of it through NATS.
    let mut released = client.job(name).await.expect("it is there");
    for _ in 0..400 {
        if released.state() == JobState::Queued {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        released = client.job(name).await.expect("it is there");
    }
    assert_eq!((released.state(), released.attempts), (JobState::Queued, 0));
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn an_order_that_comes_while_its_worker_ends_waits_again_at_once() {
    let site = Site::start(&[]);
    let gateway = site.gateway(&[]);
    let worker = site.worker(&[]);
    let mut client = Client::of(&gateway.url).await;
    let spec = client.upload_job(monte_carlo(20_000), SHAPE).await;
    // That the gateway knows the worker is known once it has done something.
    let job = client.create(&spec, &request_id()).await.expect("a good job");
    results(&mut client, &job.name).await;
    worker.signal(Signal::STOP);
    let long = client.upload_job(monte_carlo(ENDLESS), SHAPE).await;
    let job = client.create(&long, &request_id()).await.expect("a good job");
    until_running(&mut client, &job.name).await;
    // It finds both when it goes on: the order, and that it has to end.
    worker.signal(Signal::TERM);
    worker.signal(Signal::CONT);
    assert_eq!(worker.ended(), Some(0));
    assert_released(&mut client, &job.name).await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn a_worker_that_cannot_write_ends_and_its_job_goes_elsewhere() {
    let site = Site::start(&[]);
    let gateway = site.gateway(&[]);
    let cache = tempfile::tempdir().expect("a folder");
    let worker = site.worker(&["--cache", cache.path().to_str().expect("a path of text")]);
    let mut client = Client::of(&gateway.url).await;
    let spec = client.upload_job(monte_carlo(20_000), SHAPE).await;
    let before = client.create(&spec, &request_id()).await.expect("a good job");
    let before = results(&mut client, &before.name).await;
    // As if its disk were gone.
    std::fs::remove_dir_all(cache.path().join("work")).expect("it has worked there");
    let job = client.create(&spec, &request_id()).await.expect("a good job");
    assert_eq!(worker.ended(), Some(1));
    let _other = site.worker(&[]);
    assert_eq!(results(&mut client, &job.name).await, before);
    assert_eq!(client.job(&job.name).await.expect("it is there").attempts, 1, "the other alone began it");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn each_worker_that_lets_go_of_an_attempt_is_heard() {
    let site = Site::start(&[]);
    let gateway = site.gateway(&[]);
    let mut client = Client::of(&gateway.url).await;
    let spec = client.upload_job(monte_carlo(ENDLESS), SHAPE).await;
    let name = client.create(&spec, &request_id()).await.expect("a good job").name;
    // Both have the first attempt, and tell nothing of it but that they end.
    for _ in 0..2 {
        let worker = site.worker(&[]);
        until_computing(&mut client, &name).await;
        assert_eq!(worker.terminate(), Some(0));
        assert_released(&mut client, &name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn what_waits_is_asked_for_as_soon_as_the_broker_is_back() {
    let mut site = Site::start(&[]);
    let options = BrokerOptions { url: site.url(), ..BrokerOptions::default() };
    let broker = Broker::connect(&options).await.expect("a good address");
    broker.wait_up().await;
    broker.prepare().await.expect("it is there");
    let mut inbox =
        broker.inbox(Lane::Work, "reader", Duration::from_secs(30), 3).with_patience(Duration::from_secs(3600));
    let reading = tokio::spawn(async move { inbox.next().await.words::<u32>() });
    // It has asked, and waits for an answer.
    while !broker.readers(Lane::Work).await.expect("it is there").contains(&"reader".to_owned()) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    site.stop_broker();
    broker.up().wait_for(|is_up| !is_up).await.expect("it is connected");
    site.start_broker();
    broker.wait_up().await;
    broker.send(Lane::Work, "reader", &7).await.expect("it is back");
    // A question that waits for the broker that is gone would wait for hours.
    let read = tokio::time::timeout(Duration::from_secs(60), reading).await.expect("it is asked for at once");
    assert_eq!(read.expect("no panic"), Some(7));
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn a_broker_that_is_lost_costs_nothing() {
    let mut site = Site::start(&[]);
    let gateway = site.gateway(&["--checkpoint-s", "1"]);
    let _worker = site.worker(&[]);
    let mut client = Client::of(&gateway.url).await;
    // Its worker has it then.
    let (name, spec) = checkpointed(&mut client, &site.store(), SHAPE).await;
    site.stop_broker();
    site.start_broker();
    assert_undisturbed(&mut client, &name, &spec).await;
    // And with all that it had.
    let (name, spec) = checkpointed(&mut client, &site.store(), SHAPE).await;
    site.stop_broker();
    site.lose_broker_data();
    site.start_broker();
    assert_undisturbed(&mut client, &name, &spec).await;
    let job = client.job(&name).await.expect("it is there");
    assert_eq!(job.attempts, 1, "the worker kept its job");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn a_killed_gateway_takes_up_what_its_workers_do() {
    let site = Site::start(&[]);
    let gateway = site.gateway(&["--checkpoint-s", "1"]);
    let _worker = site.worker(&[]);
    let mut client = Client::of(&gateway.url).await;
    // Its worker has it then; an order that was not sent would wait for its lease, and count.
    let (name, spec) = checkpointed(&mut client, &site.store(), SHAPE).await;
    drop(gateway);
    let gateway = site.gateway(&["--checkpoint-s", "1"]);
    let mut client = Client::of(&gateway.url).await;
    assert_undisturbed(&mut client, &name, &spec).await;
    assert_eq!(client.job(&name).await.expect("it is there").attempts, 1);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn a_job_that_takes_its_workers_with_it_is_given_up() {
    let site = Site::start(&[]);
    let gateway = site.gateway(&["--max-attempts", "2", "--checkpoint-s", "3600"]);
    let mut client = Client::of(&gateway.url).await;
    let spec = client.upload_job(monte_carlo(ENDLESS), SHAPE).await;
    let poison = client.create(&spec, &request_id()).await.expect("a good job");
    for _ in 0..2 {
        let worker = site.worker(&["--lease-s", "1"]);
        until_computing(&mut client, &poison.name).await;
        drop(worker);
        let put_back = async {
            while client.job(&poison.name).await.expect("it is there").state() == JobState::Running {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(120), put_back).await.expect("its lease ends");
    }
    let (_, ended) = client.watch(&poison.name).await.expect("it has ended");
    let error = ended.error.expect("it failed");
    assert_eq!((error.reason.as_str(), error.metadata["cause"].as_str()), ("JOB_POISONOUS", "worker"));
    // The rest goes on.
    let worker = site.worker(&[]);
    let spec = client.upload_job(monte_carlo(20_000), SHAPE).await;
    let job = client.create(&spec, &request_id()).await.expect("a good job");
    results(&mut client, &job.name).await;
    drop(worker);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn secrets_open_the_broker_and_are_not_shown() {
    let site = Site::start(&["--user", "dose", "--pass", "s3cret"]);
    let secret = site.store().with_file_name("secret");
    std::fs::write(&secret, "dose:s3cret\n").expect("a writable folder");
    let secret = secret.to_str().expect("a path of text");
    let gateway = site.gateway(&["--queue-secret", secret]);
    let worker = site.worker(&["--queue-secret", secret]);
    assert!(!worker.first_line.contains("s3cret"), "{}", worker.first_line);
    let mut client = Client::of(&gateway.url).await;
    let spec = client.upload_job(monte_carlo(20_000), SHAPE).await;
    let job = client.create(&spec, &request_id()).await.expect("a good job");
    results(&mut client, &job.name).await;
}
