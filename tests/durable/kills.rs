//! Servers are killed at random points, again and again: what was answered is there, and results are the same bytes.
//! `RELIABILITY_KILLS` and `RELIABILITY_FLIPS` ask for more of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dosegrid::api::pb::JobState;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::task::block_in_place;

use super::load::{AtWork, Due, Known, load};
use super::rounds::{Rounds, row, times};
use super::{Client, monte_carlo, request_id};
use crate::support::command::{Server, dosegrid, stderr};

/// Servers side by side, each with a store: while one waits for its disk, the other computes.
const SIDES: usize = 2;
/// Kills where nobody asks for more.
const FEW: usize = 4;
/// Histories of a job that meets several kills, and where there are few.
const LONG: [u64; 2] = [1_500_000, 20_000];

fn flags(folder: &Path) -> [String; 7] {
    let folder = folder.to_str().expect("a path of text");
    ["--store", folder, "--store-reserve-mib", "0", "--checkpoint-s", "1", "--max-attempts=1000"].map(String::from)
}

pub(super) fn serve(folder: &Path) -> Server {
    serve_with(folder, &[])
}

pub(super) fn serve_with(folder: &Path, variables: &[(&str, &str)]) -> Server {
    Server::with_variables("127.0.0.1:0", &flags(folder), variables)
}

pub(crate) async fn result(client: &mut Client, job: &str) -> Vec<Vec<u8>> {
    let (_, job) = client.watch(job).await.expect("it ends");
    assert_eq!(job.state(), JobState::Succeeded, "{:?}", job.error);
    let result = job.result.expect("a result");
    let digests = [result.dose, result.uncertainty].map(|volume| volume.map(|volume| volume.digest));
    let mut all = Vec::new();
    for digest in digests.into_iter().flatten().chain(Some(result.tally_digest).filter(|digest| !digest.is_empty())) {
        all.push(client.get(&digest).await.expect("it is stored"));
    }
    all
}

/// What one server met.
#[derive(Default)]
struct Met {
    jobs: usize,
    volumes: usize,
    at_start: usize,
    /// The longest time until it listened again.
    away: Duration,
}

/// Kills one server after another on the same store, as long as there are rounds.
///
/// * `others` – jobs that the store has already
async fn kill_again_and_again(
    folder: PathBuf,
    known: Arc<Known>,
    rounds: Arc<Rounds>,
    seed: u64,
    others: usize,
) -> Met {
    let (mut random, mut due, mut met) = (ChaCha8Rng::seed_from_u64(seed), Due::default(), Met::default());
    let start = || block_in_place(|| serve(&folder));
    let mut server = start();
    let mut client = Client::of(&server.url).await;
    while let Some(round) = rounds.next() {
        let at_work = AtWork::nobody();
        let begin = |seed| tokio::spawn(load(client.clone(), known.specs.clone(), seed, at_work.clone()));
        let callers = [random.random(), random.random()].map(begin);
        at_work.until(2).await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..250))).await;
        // SIGKILL.
        drop(server);
        // While what is left is read, too.
        while random.random_ratio(1, 4) && rounds.next().is_some() {
            let after = Duration::from_millis(random.random_range(0..400));
            block_in_place(|| Server::kill_at_start(&flags(&folder), after));
            met.at_start += 1;
        }
        let begun = Instant::now();
        server = start();
        met.away = met.away.max(begun.elapsed());
        client = Client::of(&server.url).await;
        let round = format!("round {round}");
        for caller in callers {
            due.add(&known, &mut client, caller.await.expect("no panic"), &round).await;
        }
        due.check(&known, &mut client, &round).await;
    }
    due.finish(&known, &mut client, others).await;
    drop(server);
    due.check_files(&folder);
    [met.jobs, met.volumes] = due.counts();
    met
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_nothing_that_was_answered() {
    let rounds = Arc::new(Rounds::of("SIGKILL under load", "RELIABILITY_KILLS", FEW));
    let long = LONG[usize::from(!rounds.are_more_than(FEW))];
    let folders: [_; SIDES] = std::array::from_fn(|_| tempfile::tempdir().expect("a folder"));
    let (mut known, mut others) = (None, [0; SIDES]);
    for (folder, others) in folders.iter().zip(&mut others) {
        let server = serve(folder.path());
        let mut client = Client::of(&server.url).await;
        match &known {
            None => {
                let new = Known::new(&mut client, long).await;
                *others = new.specs.len();
                known = Some(Arc::new(new));
            }
            Some(known) => assert!(Known::upload(&mut client, long).await == known.specs, "the same volumes"),
        }
    }
    let known = known.expect("there are servers");
    let seed = times("RELIABILITY_SEED", 7);
    let sides = folders.iter().zip(others).enumerate().map(|(side, (folder, others))| {
        let (folder, known, rounds) = (folder.path().to_owned(), known.clone(), rounds.clone());
        tokio::spawn(kill_again_and_again(folder, known, rounds, (SIDES * seed + side) as u64, others))
    });
    let (mut sum, sides) = (Met::default(), sides.collect::<Vec<_>>());
    for side in sides {
        let met = side.await.expect("no panic");
        sum.jobs += met.jobs;
        sum.volumes += met.volumes;
        sum.at_start += met.at_start;
        sum.away = sum.away.max(met.away);
    }
    assert!(sum.volumes >= 2 * (rounds.count() - sum.at_start), "each kill under load meets callers at work");
    rounds.tell(&format!(
        "{} jobs, {} volumes answered, none lost; {} while it started; listening within {:.1} s",
        sum.jobs,
        sum.volumes,
        sum.at_start,
        sum.away.as_secs_f64()
    ));
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn copy(from: &Path, to: &Path) {
    for path in files(from) {
        let target = to.join(path.strip_prefix(from).expect("below"));
        std::fs::create_dir_all(target.parent().expect("a folder")).expect("a writable folder");
        std::fs::copy(&path, &target).expect("room");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_of_any_file_is_named_or_harmless_and_never_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = folder.path().join("whole");
    let server = serve(&whole);
    let mut client = Client::of(&server.url).await;
    let spec = client.upload_job(monte_carlo(20_000), [6, 5, 4]).await;
    let job = client.create(&spec, &request_id()).await.expect("a good job");
    result(&mut client, &job.name).await;
    drop(server);
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let kinds = ["volumes", "ledger", "audit"];
    let flips = times("RELIABILITY_FLIPS", 9);
    for number in 0..flips {
        let kind = kinds[number % kinds.len()];
        let spoilt = folder.path().join(format!("spoilt-{number}"));
        copy(&whole, &spoilt);
        let all = files(&spoilt);
        let of_kind: Vec<_> =
            all.iter().filter(|path| path.strip_prefix(&spoilt).is_ok_and(|path| path.starts_with(kind))).collect();
        let path = of_kind[random.random_range(0..of_kind.len())];
        let mut bytes = std::fs::read(path).expect("a file");
        let (at, bit) = (random.random_range(0..bytes.len()), random.random_range(0..8));
        bytes[at] ^= 1 << bit;
        std::fs::write(path, &bytes).expect("a writable file");
        let flag = format!("--store={}", spoilt.display());
        let output = dosegrid(folder.path(), ["store", "check", &flag]);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
        match kind {
            // The ledger has pages that hold nothing: a bit there is harmless, and all is still read and right.
            "ledger" => assert!(!said.contains("panicked"), "{said}"),
            _ => assert!(output.status.code() == Some(1) && !said.contains("panicked"), "{kind} byte {at}: {said}"),
        }
        std::fs::remove_dir_all(&spoilt).expect("own");
    }
    row("a bit flipped in a volume, the ledger or the audit log", flips, "none was served");
}
