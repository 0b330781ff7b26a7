//! Faults of every kind strike while callers work, and the server is killed over it. Only a build with the feature
//! `faults` has any: `RELIABILITY_FAULTS` says which, as `DOSEGRID_FAULTS` does, and `RELIABILITY_SOAKS` how often.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::Client;
use super::kills::{serve, serve_with};
use super::load::{AtWork, Due, Known, check_files, load};
use super::rounds::{Rounds, times};

/// Reasons for which a job may fail here: what was injected, by its name.
const REASONS: [&str; 4] = ["DEVICE_OUT_OF_MEMORY", "STORE_FULL", "STORE_UNAVAILABLE", "DEVICE_LOST"];
const CALLERS: usize = 2;
/// Rest of a caller that met a fault.
const REST: Duration = Duration::from_millis(50);
/// Most rounds that are added until a caller has met a fault.
const MOST_MORE_ROUNDS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a build with the feature faults: RELIABILITY_FAULTS"]
async fn faults_lose_nothing_that_was_answered() {
    let faults = std::env::var("RELIABILITY_FAULTS").expect("RELIABILITY_FAULTS says which");
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = serve(folder.path());
    let mut client = Client::of(&server.url).await;
    let known = Known::new(&mut client, 40_000).await;
    let mut random = ChaCha8Rng::seed_from_u64(times("RELIABILITY_SEED", 5) as u64);
    let (mut due, mut met) = (Due::but(&REASONS), 0);
    let rounds = Rounds::of("faults of all kinds, and a kill", "RELIABILITY_SOAKS", 4);
    // On a busy machine a few short rounds may meet none.
    let mut more = rounds.all()..rounds.all() + MOST_MORE_ROUNDS;
    while let Some(round) = rounds.next().or_else(|| more.next().filter(|_| met == 0)) {
        drop(server);
        server = serve_with(folder.path(), &[("DOSEGRID_FAULTS", &faults)]);
        let (mut callers, mut answered) = (JoinSet::new(), Vec::new());
        let last = Instant::now() + Duration::from_millis(random.random_range(500..4000));
        while Instant::now() < last {
            // A caller leaves at the first error, and another comes.
            while callers.len() < CALLERS {
                let client = Client::of(&server.url).await;
                callers.spawn(load(client, known.specs.clone(), random.random(), AtWork::nobody()));
            }
            if let Ok(Some(caller)) = timeout_at(last, callers.join_next()).await {
                answered.push(caller.expect("no panic"));
                met += 1;
                sleep(REST).await;
            }
        }
        // Those who met no fault go on until the kill.
        drop(server);
        answered.extend(callers.join_all().await);
        check_files(folder.path());
        server = serve(folder.path());
        client = Client::of(&server.url).await;
        let round = format!("round {round}");
        for answered in answered {
            due.add(&known, &mut client, answered, &round).await;
        }
        due.check(&known, &mut client, &round).await;
    }
    due.finish(&known, &mut client, known.specs.len()).await;
    drop(server);
    due.check_files(folder.path());
    let [jobs, volumes] = due.counts();
    rounds.tell(&format!("{met} callers met a fault; {jobs} jobs, {volumes} volumes answered, none lost"));
    assert!(met > 0, "no fault was met");
}
