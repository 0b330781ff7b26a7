//! Faults of every kind strike while callers work, and the server is killed over it. Only a build with the feature
//! `faults` has any: `RELIABILITY_FAULTS` says which, as `DOSEGRID_FAULTS` does, and `RELIABILITY_KILLS` how often.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Client;
use super::kills::{AtWork, Known, check_files, load, serve, serve_with, times};

/// Reasons for which a job may fail here: what was injected, by its name.
const REASONS: [&str; 4] = ["DEVICE_OUT_OF_MEMORY", "STORE_FULL", "STORE_UNAVAILABLE", "DEVICE_LOST"];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a build with the feature faults: RELIABILITY_FAULTS"]
async fn faults_lose_nothing_that_was_answered() {
    let faults = std::env::var("RELIABILITY_FAULTS").expect("RELIABILITY_FAULTS says which");
    let folder = tempfile::tempdir().expect("a folder");
    let server = serve(folder.path());
    let mut client = Client::of(&server.url).await;
    let known = Known::new(&mut client).await;
    drop(server);
    let mut random = ChaCha8Rng::seed_from_u64(times("RELIABILITY_SEED", 5) as u64);
    let (mut jobs, mut volumes, mut ended) = (0, 0, 0);
    let rounds = times("RELIABILITY_KILLS", 4);
    for round in 0..rounds {
        let server = serve_with(folder.path(), &[("DOSEGRID_FAULTS", &faults)]);
        let mut answered = Vec::new();
        // A caller leaves at the first error, and comes again.
        let last = tokio::time::Instant::now() + Duration::from_millis(random.random_range(500..4000));
        while tokio::time::Instant::now() < last {
            let client = Client::of(&server.url).await;
            let begin = |seed| tokio::spawn(load(client.clone(), known.specs.clone(), seed, AtWork::nobody()));
            let callers = [random.random(), random.random()].map(begin);
            let both = async {
                for caller in callers {
                    answered.push(caller.await.expect("no panic"));
                    ended += 1;
                }
            };
            // Those who meet no fault go on until the kill.
            if tokio::time::timeout_at(last, both).await.is_err() {
                break;
            }
        }
        drop(server);
        let server = serve(folder.path());
        let mut client = Client::of(&server.url).await;
        for answered in &answered {
            volumes += answered.volumes.len();
            jobs += answered.jobs.len();
            known.check_but(&mut client, answered, &format!("round {round}"), &REASONS).await;
        }
        drop(server);
        check_files(folder.path());
    }
    println!("{rounds} rounds, {ended} callers met a fault: {jobs} jobs and {volumes} volumes answered");
    assert!(ended > 0, "no fault was met");
}
