//! Gateway and worker are replaced one after the other while callers work: a caller who tries again once, after the
//! time that it was told, meets no failure. `RELIABILITY_RESTARTS` asks for more of it.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dosegrid::api::pb::{self, JobState, dose_service_client::DoseServiceClient};
use rustix::process::Signal;
use tokio::runtime::Handle;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::fixture::{Site, Worker};
use crate::durable::rounds::Rounds;
use crate::durable::{Client, local, monte_carlo, request_id};

const CALLERS: usize = 3;
/// After so long, a new gateway is taken not to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection, once somebody listens.
async fn channel(url: &str) -> Channel {
    let endpoint = Endpoint::from_shared(url.to_owned()).expect("a URL");
    let connect = async {
        loop {
            if let Ok(channel) = endpoint.connect().await {
                return channel;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, connect).await.expect("a gateway comes back")
}

/// One who calls, and calls again once where it is told that it may.
struct Caller {
    url: String,
    channel: Channel,
    calls: u64,
    again: u64,
    /// Rounds that this caller has done.
    rounds: Arc<AtomicU64>,
}

impl Caller {
    /// A call, and the same once more if the server was not there for the first. The second must succeed.
    async fn call<T>(&mut self, what: &str, call: impl AsyncFn(Channel) -> Result<T, Status>) -> T {
        self.calls += 1;
        let first = match call(self.channel.clone()).await {
            Ok(answer) => return answer,
            Err(status) => status,
        };
        // A connection that closes before a call is sent is no answer of the server: the library here says CANCELLED.
        let is_unsent = std::error::Error::source(&first).is_some_and(|why| why.is::<tonic::transport::Error>());
        assert!(first.code() == Code::Unavailable || is_unsent, "{what}: {first:?}");
        self.again += 1;
        let told = first.get_details_retry_info().and_then(|info| info.retry_delay);
        tokio::time::sleep(told.unwrap_or_default()).await;
        self.channel = channel(&self.url).await;
        call(self.channel.clone()).await.unwrap_or_else(|second| panic!("{what}: {first:?}, then {second:?}"))
    }

    /// A job from its volumes to the bytes of its dose.
    async fn round(&mut self, spec: &pb::JobSpec, number: u64) -> Vec<u8> {
        let bytes: Vec<u8> = (0..300_000u64).map(|i| (i * (number + 7) % 251) as u8).collect();
        let digest = self.call("PutVolume", async |to| Client::on(to).try_put(&bytes).await).await;
        assert!(self.call("GetVolume", async |to| Client::on(to).get(&digest).await).await == bytes);
        let id = request_id();
        let job = self.call("CreateJob", async |to| Client::on(to).create(spec, &id).await).await;
        let (_, ended) = self.call("WatchJob", async |to| Client::on(to).watch(&job.name).await).await;
        assert_eq!(ended.state(), JobState::Succeeded, "{:?}", ended.error);
        let list = pb::ListJobsRequest { page_size: 3, ..Default::default() };
        self.call("ListJobs", async |to| Client::on(to).jobs.list_jobs(list.clone()).await).await;
        let header = spec.compute.clone();
        self.call("Compute", async |to| compute(to, header.clone()).await).await;
        let job = self.call("GetJob", async |to| Client::on(to).job(&job.name).await).await;
        let dose = job.result.expect("a result").dose.expect("a dose").digest;
        self.call("GetVolume", async |to| Client::on(to).get(&dose).await).await
    }

    /// Rounds until it is told to stop: how many calls, and how many of them were tried again.
    async fn rounds(mut self, specs: [pb::JobSpec; 2], stop: Arc<AtomicBool>) -> (u64, u64) {
        let mut known: [Option<Vec<u8>>; 2] = Default::default();
        while !stop.load(Ordering::Acquire) {
            let number = self.rounds.load(Ordering::Acquire);
            let kind = usize::from(number % 2 == 1);
            let dose = self.round(&specs[kind], number).await;
            let before = known[kind].get_or_insert_with(|| dose.clone());
            assert!(*before == dose, "other bytes");
            self.rounds.fetch_add(1, Ordering::AcqRel);
        }
        (self.calls, self.again)
    }
}

async fn compute(channel: Channel, header: Option<pb::ComputeHeader>) -> Result<(), Status> {
    let request = pb::ComputeRequest { message: header.map(pb::compute_request::Message::Header) };
    let mut answer = DoseServiceClient::new(channel).compute(tokio_stream::once(request)).await?.into_inner();
    while answer.message().await?.is_some() {}
    Ok(())
}

/// Waits until every caller has done so many more rounds, from none to all of the next.
async fn until_more(rounds: &[Arc<AtomicU64>], more: u64) {
    let before: Vec<u64> = rounds.iter().map(|rounds| rounds.load(Ordering::Acquire)).collect();
    let have = || rounds.iter().zip(&before).all(|(rounds, before)| rounds.load(Ordering::Acquire) >= before + more);
    let waiting = async {
        while !have() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(2 * PATIENCE, waiting).await.expect("callers go on");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn no_call_fails_after_one_retry_while_gateway_and_worker_are_replaced() {
    let site = Site::start(&[]);
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("a bound socket").to_string();
    drop(free);
    let mut gateway = site.gateway_at(&address);
    let mut worker: Worker = site.worker(&[]);
    let url = gateway.url.clone();
    let mut first = Client::of(&url).await;
    let specs = [first.upload_job(local(), [4, 4, 4]).await, first.upload_job(monte_carlo(10_000), [6, 6, 6]).await];
    let stop = Arc::new(AtomicBool::new(false));
    let rounds: [Arc<AtomicU64>; CALLERS] = Default::default();
    let mut callers = Vec::new();
    for rounds in &rounds {
        let (channel, rounds) = (channel(&url).await, rounds.clone());
        let caller = Caller { url: url.clone(), channel, calls: 0, again: 0, rounds };
        let (specs, stop, runtime) = (specs.clone(), stop.clone(), Handle::current());
        callers.push(tokio::task::spawn_blocking(move || runtime.block_on(caller.rounds(specs, stop))));
    }
    let restarts = Rounds::of("gateway and worker replaced under load", "RELIABILITY_RESTARTS", 2);
    let mut longest = Duration::ZERO;
    while restarts.next().is_some() {
        until_more(&rounds, 1).await;
        let begun = Instant::now();
        gateway.signal(Signal::TERM);
        assert_eq!(gateway.ended(), Some(0), "no call is cut");
        gateway = site.gateway_at(&address);
        longest = longest.max(begun.elapsed());
        until_more(&rounds, 1).await;
        let next = site.worker(&[]);
        assert_eq!(std::mem::replace(&mut worker, next).terminate(), Some(0));
    }
    until_more(&rounds, 1).await;
    stop.store(true, Ordering::Release);
    let (mut calls, mut again) = (0, 0);
    for caller in callers {
        let (of_caller, tried_again) = caller.await.expect("no call failed");
        calls += of_caller;
        again += tried_again;
    }
    let away = longest.as_secs_f64();
    restarts
        .tell(&format!("{calls} calls, {again} tried again, none failed; a gateway was away for {away:.1} s at most"));
    assert!(again > 0, "no call met a gateway that was away");
    // A worker that was asked to end counts for nothing.
    let list = pb::ListJobsRequest { page_size: 1000, ..Default::default() };
    let jobs = Client::of(&url).await.jobs.list_jobs(list).await.expect("an answer").into_inner().jobs;
    assert!(jobs.iter().all(|job| job.state() == JobState::Succeeded && job.attempts == 1), "{jobs:?}");
}
