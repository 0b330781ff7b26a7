//! Workers and the broker are killed, and the broker paused, at random points while jobs run: each job ends once, with
//! the bytes that it has when nothing disturbs it. `RELIABILITY_WORKER_KILLS` asks for more.

use std::collections::VecDeque;
use std::time::Duration;

use dosegrid::api::pb::{self, JobState};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::process::Signal;

use super::fixture::Site;
use crate::durable::kills::{result, times};
use crate::durable::{Client, local, monte_carlo, request_id};

/// Jobs that are not finished, at any time.
const UNFINISHED: usize = 6;

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn each_job_ends_once_whoever_is_killed() {
    let mut site = Site::start(&[]);
    let gateway = site.gateway(&["--checkpoint-s", "1", "--max-attempts", "1000"]);
    let worker = |site: &Site| site.worker(&["--lease-s", "1"]);
    let mut workers = VecDeque::from([worker(&site), worker(&site)]);
    let mut client = Client::of(&gateway.url).await;
    let specs = [client.upload_job(local(), [4, 4, 4]).await, client.upload_job(monte_carlo(40_000), [6, 6, 6]).await];
    let mut undisturbed = Vec::new();
    for spec in &specs {
        let job = client.create(spec, &request_id()).await.expect("a good job");
        undisturbed.push(result(&mut client, &job.name).await);
    }
    let mut random = ChaCha8Rng::seed_from_u64(times("RELIABILITY_SEED", 29) as u64);
    let (mut waiting, mut counts, mut jobs) = (VecDeque::new(), [0; 3], 0);
    for _ in 0..times("RELIABILITY_WORKER_KILLS", 4) {
        while waiting.len() < UNFINISHED {
            let kind = random.random_range(0..2);
            let job = client.create(&specs[kind], &request_id()).await.expect("a good job");
            waiting.push_back((kind, job.name));
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(0..500))).await;
        // Most often a worker.
        let what = [0, 0, 1, 2][random.random_range(0..4)];
        match what {
            0 => {
                drop(workers.pop_front());
                workers.push_back(worker(&site));
            }
            1 => {
                site.stop_broker();
                tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
                site.start_broker();
            }
            _ => {
                site.signal_broker(Signal::STOP);
                tokio::time::sleep(Duration::from_millis(random.random_range(0..1500))).await;
                site.signal_broker(Signal::CONT);
            }
        }
        counts[what] += 1;
        // Some that are old must be done before it goes on.
        while waiting.len() > UNFINISHED / 2 {
            let (kind, name) = waiting.pop_front().expect("some wait");
            assert!(result(&mut client, &name).await == undisturbed[kind], "other bytes");
            jobs += 1;
        }
    }
    for (kind, name) in waiting {
        assert!(result(&mut client, &name).await == undisturbed[kind], "other bytes");
        jobs += 1;
    }
    let [killed, broker, paused] = counts;
    println!("{killed} workers killed, broker {broker} times killed and {paused} paused: {jobs} jobs");
    // By the audit log, each ended once.
    let list = pb::ListJobsRequest { page_size: 1000, ..Default::default() };
    let all = client.jobs.list_jobs(list).await.expect("an answer").into_inner().jobs;
    assert!(all.iter().all(|job| job.state() == JobState::Succeeded), "{all:?}");
    let log = std::fs::read_to_string(site.store().join("audit/000001.log")).expect("a log");
    let ended = |job: &pb::Job| {
        log.lines().filter(|line| line.contains("\"event\":\"job.finished\"") && line.contains(&job.name)).count()
    };
    assert!(all.iter().all(|job| ended(job) == 1));
}
