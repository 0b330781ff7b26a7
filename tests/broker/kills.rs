//! Workers are killed at random points while jobs run, and the broker is killed, paused or cut off: each job ends once,
//! with the bytes that it has when nothing disturbs it. `RELIABILITY_WORKER_KILLS` asks for more.

use std::collections::VecDeque;
use std::time::Duration;

use dosegrid::api::pb::JobState;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::process::Signal;
use tokio::task::block_in_place;

use super::fixture::Site;
use crate::durable::kills::result;
use crate::durable::load::assert_ended_once;
use crate::durable::restart::serve;
use crate::durable::rounds::{Rounds, row, times};
use crate::durable::{Client, local, monte_carlo, request_id};

/// Jobs that are not finished: at a loss, and at the most before the next.
const UNFINISHED: [usize; 2] = [8, 6];
const WORKERS: usize = 3;
/// Losses of workers for one of the broker.
const WORKERS_FOR_BROKER: u32 = 5;

/// Counts of what was lost: workers killed, and the broker killed, paused, cut off.
#[derive(Default)]
struct Lost {
    workers: usize,
    killed: usize,
    paused: usize,
    cut_off: usize,
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn each_job_ends_once_whoever_is_lost() {
    let mut site = Site::start(&[]);
    let ways = [site.way().await, site.way().await];
    let [of_gateway, of_workers] = &ways;
    let (store, url) = (site.store(), of_gateway.url());
    let flags = ["--queue", &url, "--checkpoint-s", "1", "--max-attempts", "1000"];
    let gateway = block_in_place(|| serve(&store, &flags));
    let worker = |site: &Site| block_in_place(|| site.worker_by(&of_workers.url(), &["--lease-s", "1"]));
    let mut workers: VecDeque<_> = (0..WORKERS).map(|_| worker(&site)).collect();
    let mut client = Client::of(&gateway.url).await;
    let specs = [client.upload_job(local(), [4, 4, 4]).await, client.upload_job(monte_carlo(20_000), [6, 6, 6]).await];
    let mut undisturbed = Vec::new();
    for spec in &specs {
        let job = client.create(spec, &request_id()).await.expect("a good job");
        undisturbed.push(result(&mut client, &job.name).await);
    }
    let mut random = ChaCha8Rng::seed_from_u64(times("RELIABILITY_SEED", 29) as u64);
    let (mut waiting, mut lost, mut jobs) = (VecDeque::new(), Lost::default(), 0);
    let rounds = Rounds::of("workers killed, broker killed, paused, cut off", "RELIABILITY_WORKER_KILLS", 6);
    while rounds.next().is_some() {
        while waiting.len() < UNFINISHED[0] {
            let kind = random.random_range(0..2);
            let job = client.create(&specs[kind], &request_id()).await.expect("a good job");
            waiting.push_back((kind, job.name));
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(0..400))).await;
        let pause = Duration::from_millis(random.random_range(0..1000));
        let of_broker = random.random_ratio(1, WORKERS_FOR_BROKER + 1).then(|| random.random_range(0..3));
        match of_broker {
            None => {
                drop(workers.pop_front());
                workers.push_back(worker(&site));
                lost.workers += 1;
            }
            Some(0) => {
                site.stop_broker();
                tokio::time::sleep(pause).await;
                block_in_place(|| site.start_broker());
                lost.killed += 1;
            }
            Some(1) => {
                site.signal_broker(Signal::STOP);
                tokio::time::sleep(pause).await;
                site.signal_broker(Signal::CONT);
                lost.paused += 1;
            }
            Some(_) => {
                ways[random.random_range(0..ways.len())].cut(pause).await;
                lost.cut_off += 1;
            }
        }
        // Some that are old must be done before it goes on.
        while waiting.len() > UNFINISHED[1] {
            let (kind, name) = waiting.pop_front().expect("some wait");
            assert!(result(&mut client, &name).await == undisturbed[kind], "other bytes");
            jobs += 1;
        }
    }
    for (kind, name) in waiting {
        assert!(result(&mut client, &name).await == undisturbed[kind], "other bytes");
        jobs += 1;
    }
    rounds.tell(&format!("{jobs} jobs, each ended once with the same bytes"));
    row("of these, workers killed", lost.workers, "");
    row("broker killed, paused, cut off", format!("{}, {}, {}", lost.killed, lost.paused, lost.cut_off), "");
    let all = client.all().await;
    assert_eq!(all.len(), jobs + specs.len(), "each job that was asked for is there once");
    assert!(all.iter().all(|job| job.state() == JobState::Succeeded), "{all:?}");
    drop(gateway);
    assert_ended_once(&store, all.iter().map(|job| &*job.name));
}
