//! The server is killed at random points, again and again: what was answered is there, and results are the same bytes.
//! `RELIABILITY_KILLS` and `RELIABILITY_FLIPS` ask for more of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dosegrid::api::pb::{self, JobState};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::Semaphore;

use super::{Client, local, monte_carlo, name, pieces, request_id};
use crate::support::command::{Server, dosegrid, stderr};

/// After so long, callers are taken not to be answered.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn times(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

pub(super) fn serve(folder: &Path) -> Server {
    serve_with(folder, &[])
}

pub(super) fn serve_with(folder: &Path, variables: &[(&str, &str)]) -> Server {
    let folder = folder.to_str().expect("a path of text");
    let flags = ["--store", folder, "--store-reserve-mib", "0", "--checkpoint-s", "1", "--max-attempts", "1000"];
    Server::with_variables("127.0.0.1:0", &flags.map(String::from), variables)
}

/// What was answered before the server was killed.
#[derive(Default)]
pub(super) struct Answered {
    /// Names of jobs by their request ids, and their states where they are final.
    pub(super) jobs: BTreeMap<String, (String, Option<JobState>)>,
    pub(super) volumes: Vec<(String, Vec<u8>)>,
}

/// Tells when callers are at work: each has had an answer.
#[derive(Clone)]
pub(super) struct AtWork(Arc<Semaphore>);

impl AtWork {
    pub(super) fn nobody() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Waits until so many are.
    pub(super) async fn until(&self, callers: u32) {
        let all = tokio::time::timeout(PATIENCE, self.0.acquire_many(callers)).await;
        drop(all.expect("callers are answered").expect("it is not closed"));
    }
}

/// Uploads volumes and creates jobs until the server is gone.
pub(super) async fn load(mut client: Client, specs: [pb::JobSpec; 2], seed: u64, at_work: AtWork) -> Answered {
    let (mut answered, mut random) = (Answered::default(), ChaCha8Rng::seed_from_u64(seed));
    loop {
        let bytes: Vec<u8> = (0..random.random_range(1..400_000)).map(|_| random.random()).collect();
        let digest = name(&bytes);
        let messages = tokio_stream::iter(pieces(&digest, &bytes, 0, 64 << 10));
        if client.volumes.put_volume(messages).await.is_err() {
            return answered;
        }
        answered.volumes.push((digest, bytes));
        if answered.volumes.len() == 1 {
            at_work.0.add_permits(1);
        }
        let id = request_id();
        let Ok(job) = client.create(&specs[random.random_range(0..2)], &id).await else { return answered };
        answered.jobs.insert(id.clone(), (job.name.clone(), None));
        if random.random_bool(0.3) {
            match client.watch(&job.name).await {
                Ok((_, ended)) => _ = answered.jobs.insert(id, (job.name, Some(ended.state()))),
                Err(_) => return answered,
            }
        }
    }
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

/// Two jobs, and the bytes of their results when nothing disturbs them.
pub(super) struct Known {
    pub(super) specs: [pb::JobSpec; 2],
    undisturbed: Vec<Vec<Vec<u8>>>,
}

impl Known {
    /// Uploads the volumes of both jobs, and computes both.
    pub(super) async fn new(client: &mut Client) -> Self {
        let transport = client.upload_job(monte_carlo(40_000), [6, 6, 6]).await;
        let specs = [client.upload_job(local(), [4, 4, 4]).await, transport];
        let mut undisturbed = Vec::new();
        for spec in &specs {
            let job = client.create(spec, &request_id()).await.expect("a good job");
            undisturbed.push(result(client, &job.name).await);
        }
        Self { specs, undisturbed }
    }

    /// Checks that all that was answered is there, and that each job ends once and with the same bytes, or for one of
    /// these reasons.
    pub(super) async fn check_but(&self, client: &mut Client, answered: &Answered, round: &str, reasons: &[&str]) {
        for (digest, bytes) in &answered.volumes {
            assert!(client.get(digest).await.expect("it was answered") == *bytes, "{round}");
        }
        for (name, ended) in answered.jobs.values() {
            let job = client.job(name).await.expect("it was answered");
            assert!(ended.is_none_or(|state| job.state() == state), "{round}: a final state has changed");
            let (_, ended) = client.watch(name).await.expect("it ends");
            if ended.error.is_some_and(|error| reasons.contains(&&*error.reason)) {
                continue;
            }
            let is_transport = job.spec.as_ref().and_then(|spec| spec.compute.clone()) == self.specs[1].compute;
            let found = result(client, name).await;
            assert!(found == self.undisturbed[usize::from(is_transport)], "{round}: other bytes");
        }
    }

    /// As [`Known::check_but`], for no reason at all.
    pub(super) async fn check(&self, client: &mut Client, answered: &Answered, round: &str) {
        self.check_but(client, answered, round, &[]).await;
    }
}

/// Checks a store that no server has, and its audit log.
pub(super) fn check_files(store: &Path) {
    let flag = format!("--store={}", store.display());
    for words in [["store", "check"], ["audit", "verify"]] {
        let output = dosegrid(store, words.into_iter().chain([&*flag]));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_nothing_that_was_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut random = ChaCha8Rng::seed_from_u64(times("RELIABILITY_SEED", 7) as u64);
    let mut server = serve(folder.path());
    let mut client = Client::of(&server.url).await;
    let known = Known::new(&mut client).await;
    let (mut jobs, mut volumes, mut slowest) = (0, 0, Duration::ZERO);
    let kills = times("RELIABILITY_KILLS", 4);
    for round in 0..kills {
        let at_work = AtWork::nobody();
        let begin = |seed| tokio::spawn(load(client.clone(), known.specs.clone(), seed, at_work.clone()));
        let callers = [random.random(), random.random()].map(begin);
        at_work.until(2).await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..500))).await;
        // SIGKILL.
        drop(server);
        let begun = Instant::now();
        server = serve(folder.path());
        slowest = slowest.max(begun.elapsed());
        client = Client::of(&server.url).await;
        for caller in callers {
            let answered = caller.await.expect("no panic");
            volumes += answered.volumes.len();
            jobs += answered.jobs.len();
            known.check(&mut client, &answered, &format!("round {round}")).await;
        }
    }
    assert!(volumes >= 2 * kills, "each kill meets callers at work");
    println!("{kills} kills: {jobs} jobs and {volumes} volumes answered; listening again within {slowest:?}");
    drop(server);
    check_files(folder.path());
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
    for number in 0..times("RELIABILITY_FLIPS", 9) {
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
}
