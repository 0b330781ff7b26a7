//! Jobs are cancelled at random points, tables included: the device is free for the next one, which is printed with its
//! time, and a cancelled job stays so. `RELIABILITY_CANCELS` asks for more.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use dosegrid::api::pb::{self, JobState};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::kills::serve;
use super::latency::told;
use super::rounds::Rounds;
use super::{Client, monte_carlo, request_id};

/// Cancels where nobody asks for more.
const FEW: usize = 12;

/// Waits until a job runs; since when.
async fn running(client: &mut Client, name: &str) -> Instant {
    let running = async {
        while client.job(name).await.expect("it is there").state() != JobState::Running {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), running).await.expect("the device is free for it");
    Instant::now()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_makes_room_for_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = serve(folder.path());
    let mut client = Client::of(&server.url).await;
    let mut random = ChaCha8Rng::seed_from_u64(17);
    // No two have the same tables: they are made anew.
    let mut spec = client.upload_job(monte_carlo(1 << 36), [24, 24, 24]).await;
    let mut next = async |client: &mut Client, number: usize| {
        let method = spec.compute.as_mut().and_then(|header| header.method.as_mut()).expect("a method");
        if let Some(pb::method::Method::MonteCarlo(options)) = &mut method.method {
            let cuts = pb::TransportCuts { photon_mev: Some(0.005 + 1e-6 * number as f64), ..Default::default() };
            options.cuts = Some(cuts);
        }
        client.create(&spec, &request_id()).await.expect("a good job").name
    };
    let (mut answered, mut free) = (Vec::new(), Vec::new());
    let mut job = next(&mut client, 0).await;
    let mut waiting = VecDeque::from([next(&mut client, 1).await]);
    running(&mut client, &job).await;
    let mut cancelled = Vec::new();
    let rounds = Rounds::of("a job is cancelled", "RELIABILITY_CANCELS", FEW);
    while let Some(number) = rounds.next() {
        // Some as soon as they have begun: what comes after them waits already.
        let most_us = if random.random_ratio(1, 2) { 300_000 } else { 3_000 };
        tokio::time::sleep(Duration::from_micros(random.random_range(0..most_us))).await;
        let begun = Instant::now();
        let request = pb::CancelJobRequest { name: job.clone() };
        let ended = client.jobs.cancel_job(request).await.expect("it is there").into_inner().job.expect("a job");
        answered.push(begun.elapsed());
        assert_eq!(ended.state(), JobState::Cancelled);
        let next_one = waiting.pop_front().expect("one waits");
        free.push(running(&mut client, &next_one).await - begun);
        cancelled.push(std::mem::replace(&mut job, next_one));
        // One ahead, or two where the next cancel comes at once.
        if waiting.is_empty() {
            for ahead in 0..random.random_range(1..4) {
                waiting.push_back(next(&mut client, 2 + 4 * number + ahead).await);
            }
        }
    }
    told("CancelJob", answered);
    told("from CancelJob to the next job on the device", free);
    for name in cancelled {
        assert_eq!(client.job(&name).await.expect("it is there").state(), JobState::Cancelled);
    }
}
