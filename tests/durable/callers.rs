//! Many callers at once, with small jobs and large ones: the small ones end while the large ones hold the device, and
//! who is refused is told why and when to come again. Nothing is asserted of the clock: the times are printed, for
//! docs/reliability.md. `RELIABILITY_CALLERS` asks for more callers, and then for maps of 64³ and 256³ voxels.

use std::time::{Duration, Instant};

use dosegrid::api::pb::{self, JobState};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::latency::told;
use super::restart::until_running;
use super::rounds::{row, times as asked};
use super::{Client, local, reason, request_id};
use crate::support::command::Server;

/// Callers, where nobody asks for more.
const FEW: usize = 8;
/// Small jobs of each caller.
const ROUNDS: usize = 3;
/// One caller of so many has a large job.
const WITH_LARGE: usize = 4;
/// Longest pause before a refused caller comes again, so that refusals are many.
const PAUSE: Duration = Duration::from_millis(200);
/// After so long, all are taken not to be served.
const PATIENCE: Duration = Duration::from_secs(1800);

/// What one caller met.
#[derive(Default)]
struct Met {
    /// From `CreateJob` to the start of each job.
    waits: Vec<Duration>,
    /// How long each refusal took.
    refusals: Vec<Duration>,
}

/// A job that is accepted, however often it is refused before.
async fn accepted(client: &mut Client, spec: &pb::JobSpec, met: &mut Met) -> pb::Job {
    let id = request_id();
    loop {
        let begun = Instant::now();
        match client.create(spec, &id).await {
            Ok(job) => return job,
            Err(refused) => {
                met.refusals.push(begun.elapsed());
                tokio::time::sleep(told_to_wait(&refused).min(PAUSE)).await;
            }
        }
    }
}

/// When a refused caller is to come again. Each one is told, and why.
fn told_to_wait(refused: &Status) -> Duration {
    assert_eq!((refused.code(), &*reason(refused)), (Code::ResourceExhausted, "SERVER_BUSY"), "{refused:?}");
    let told = refused.get_details_retry_info().and_then(|info| info.retry_delay);
    told.expect("a refused caller is told when to come again")
}

fn since_epoch(time: Option<prost_types::Timestamp>) -> Duration {
    let time = time.expect("it is known");
    Duration::new(u64::try_from(time.seconds).expect("after 1970"), u32::try_from(time.nanos).expect("below 1e9"))
}

/// Small jobs, one after another.
async fn caller(mut client: Client, spec: pb::JobSpec) -> Met {
    let mut met = Met::default();
    for _ in 0..ROUNDS {
        let job = accepted(&mut client, &spec, &mut met).await;
        let (_, ended) = client.watch(&job.name).await.expect("it ends");
        assert_eq!(ended.state(), JobState::Succeeded, "{:?}", ended.error);
        met.waits.push(since_epoch(ended.start_time).saturating_sub(since_epoch(ended.create_time)));
    }
    met
}

/// All callers with small jobs at once; what they met.
async fn all(url: &str, callers: usize, spec: &pb::JobSpec) -> Met {
    let mut tasks = Vec::new();
    for _ in 0..callers {
        tasks.push(tokio::spawn(caller(Client::of(url).await, spec.clone())));
    }
    let mut sum = Met::default();
    for task in tasks {
        let met = tokio::time::timeout(PATIENCE, task).await.expect("all are served").expect("no panic");
        sum.waits.extend(met.waits);
        sum.refusals.extend(met.refusals);
    }
    sum
}

/// Prints what callers met, and how long the server took for each refusal by its own clock: callers of one process
/// wait for each other.
fn print(what: &str, met: Met, server: &Server) {
    told(&format!("wait of a small job, {what}"), met.waits);
    let by_server: Vec<Duration> = server.log_so_far().iter().filter_map(|line| refusal(line)).collect();
    for (clock, times) in [("callers", met.refusals), ("server", by_server)] {
        if !times.is_empty() {
            told(&format!("refused, {what}, by the {clock}"), times);
        }
    }
}

/// How long a call took that a line of the log says was refused for want of room.
fn refusal(line: &str) -> Option<Duration> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let fields = &line["fields"];
    let is_refusal = fields["rpc"] == "dosegrid.v1.JobService/CreateJob" && fields["reason"] == "SERVER_BUSY";
    is_refusal.then(|| fields["duration_s"].as_f64().map(Duration::from_secs_f64)).flatten()
}

/// The most memory that a process ever had [KiB], as Linux says.
fn peak_kib(process: u32) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map(|text| text.trim().to_owned())
}

/// Monte Carlo that does not end by itself, with nothing but dose and uncertainty as its result.
fn endless() -> pb::method::Method {
    let options = pb::MonteCarloMethod { histories: Some(1 << 35), return_uncertainty: true, ..Default::default() };
    pb::method::Method::MonteCarlo(options)
}

#[tokio::test(flavor = "multi_thread")]
async fn small_jobs_of_many_callers_end_while_large_ones_hold_the_device() {
    let folder = tempfile::tempdir().expect("a folder");
    let callers = asked("RELIABILITY_CALLERS", FEW);
    let [small, large] = if callers > FEW { [64, 256] } else { [8, 24] };
    let store = folder.path().to_str().expect("a path of text");
    // Half of all callers find room: the others are refused.
    let room = (callers / 2).to_string();
    let flags = ["--store", store, "--store-reserve-mib", "0", "--job-queue-length", &room];
    let server = Server::with("127.0.0.1:0", &flags.map(String::from));
    let mut client = Client::of(&server.url).await;
    let specs = [client.upload_job(local(), [small; 3]).await, client.upload_job(endless(), [large; 3]).await];
    let with_large = callers / WITH_LARGE;
    let with_small = callers - with_large;
    let met = all(&server.url, with_small, &specs[0]).await;
    print(&format!("{with_small} callers and no large job"), met, &server);
    let mut jobs = Vec::new();
    for _ in 0..with_large {
        // Each has a connection of its own.
        let mut caller = Client::of(&server.url).await;
        let job = accepted(&mut caller, &specs[1], &mut Met::default()).await;
        jobs.push((caller, job.name));
    }
    let (first, name) = &mut jobs[0];
    until_running(first, name).await;
    let met = all(&server.url, with_small, &specs[0]).await;
    print(&format!("{with_small} callers and {with_large} large jobs"), met, &server);
    if let Some(peak) = peak_kib(server.id()) {
        row("most memory of the server of many callers", callers, &peak);
    }
    // The small ones took the device from a large one, and cost it nothing.
    let (first, name) = &mut jobs[0];
    let job = first.job(name).await.expect("it is there");
    assert_eq!((job.state(), job.attempts), (JobState::Running, 1));
    for (mut caller, name) in jobs {
        let request = pb::CancelJobRequest { name };
        let ended = caller.jobs.cancel_job(request).await.expect("it is there").into_inner().job.expect("a job");
        assert_eq!(ended.state(), JobState::Cancelled);
    }
    // Who comes next is not refused.
    let job = client.create(&specs[0], &request_id()).await.expect("there is room");
    assert_eq!(client.watch(&job.name).await.expect("it ends").1.state(), JobState::Succeeded);
}
