//! Callers at work while something is lost, and the check that nothing is missing of what they were answered.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dosegrid::api::pb::{self, JobState};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::Semaphore;

use super::{Client, local, monte_carlo, name, pieces, request_id};
use crate::support::command::{dosegrid, stderr};

/// After so long, callers are taken not to be answered.
const PATIENCE: Duration = Duration::from_secs(120);
/// Jobs that need not have ended before the next loss.
const UNFINISHED: usize = 12;
/// Kinds of jobs: local deposition, Monte Carlo, and one that meets several losses.
const KINDS: usize = 3;
/// One job of so many is of the last kind.
const ONE_LONG_OF: u32 = 40;

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

/// A job that was answered.
struct Asked {
    /// The number of its kind.
    kind: usize,
    /// Its state, if that is final.
    ended: Option<JobState>,
}

/// What one caller was answered, and what was cut.
#[derive(Default)]
pub(super) struct Answered {
    /// Jobs by their names.
    jobs: BTreeMap<String, Asked>,
    volumes: Vec<String>,
    /// A volume of which not all was answered.
    upload: Option<(String, Vec<u8>)>,
    /// A job that may have been made: its kind and its request id.
    job: Option<(usize, String)>,
}

/// Uploads volumes and creates jobs until a call fails.
pub(super) async fn load(mut client: Client, specs: [pb::JobSpec; KINDS], seed: u64, at_work: AtWork) -> Answered {
    let (mut answered, mut random) = (Answered::default(), ChaCha8Rng::seed_from_u64(seed));
    loop {
        // Some are in several files' worth of messages, most are small.
        let most = if random.random_ratio(1, 8) { 400_000 } else { 20_000 };
        let mut bytes = vec![0; random.random_range(1..most)];
        random.fill(&mut bytes[..]);
        let digest = name(&bytes);
        let messages = tokio_stream::iter(pieces(&digest, &bytes, 0, 64 << 10));
        if client.volumes.put_volume(messages).await.is_err() {
            answered.upload = Some((digest, bytes));
            return answered;
        }
        answered.volumes.push(digest);
        if answered.volumes.len() == 1 {
            at_work.0.add_permits(1);
        }
        let kind = if random.random_ratio(1, ONE_LONG_OF) { KINDS - 1 } else { random.random_range(0..KINDS - 1) };
        let id = request_id();
        let Ok(job) = client.create(&specs[kind], &id).await else {
            answered.job = Some((kind, id));
            return answered;
        };
        answered.jobs.insert(job.name.clone(), Asked { kind, ended: None });
        if random.random_ratio(3, 10) {
            match client.watch(&job.name).await {
                Ok((_, ended)) => _ = answered.jobs.insert(job.name, Asked { kind, ended: Some(ended.state()) }),
                Err(_) => return answered,
            }
        }
    }
}

/// The names of all volumes of a result.
fn volumes_of(result: pb::ComputeResult) -> Vec<String> {
    let digests = [result.dose, result.uncertainty].map(|volume| volume.map(|volume| volume.digest));
    digests.into_iter().flatten().chain(Some(result.tally_digest).filter(|digest| !digest.is_empty())).collect()
}

/// Jobs, and the names of their results when nothing disturbs them. A name is that of the bytes.
pub(super) struct Known {
    pub(super) specs: [pb::JobSpec; KINDS],
    undisturbed: [Vec<String>; KINDS],
}

impl Known {
    /// Uploads the volumes of all, and computes each.
    ///
    /// * `long` – histories of the last kind
    pub(super) async fn new(client: &mut Client, long: u64) -> Self {
        let specs = Self::upload(client, long).await;
        let mut undisturbed: [Vec<String>; KINDS] = Default::default();
        for (spec, digests) in specs.iter().zip(&mut undisturbed) {
            let job = client.create(spec, &request_id()).await.expect("a good job");
            let (_, ended) = client.watch(&job.name).await.expect("it ends");
            *digests = volumes_of(ended.result.expect("a result"));
        }
        Self { specs, undisturbed }
    }

    /// Uploads the volumes of all to a store: their jobs.
    pub(super) async fn upload(client: &mut Client, long: u64) -> [pb::JobSpec; KINDS] {
        let (small, shape) = (client.upload_job(local(), [4, 4, 4]).await, [6, 6, 6]);
        [small, client.upload_job(monte_carlo(10_000), shape).await, client.upload_job(monte_carlo(long), shape).await]
    }
}

/// All that callers of one store were answered.
#[derive(Default)]
pub(super) struct Due {
    /// Reasons for which a job may fail.
    reasons: Vec<&'static str>,
    volumes: Vec<String>,
    /// Jobs whose end was not looked at yet.
    unfinished: BTreeMap<String, Asked>,
    ended: BTreeSet<String>,
    /// Results of those.
    results: BTreeSet<String>,
}

impl Due {
    /// Nothing yet.
    ///
    /// * `reasons` – for which a job may fail
    pub(super) fn but(reasons: &[&'static str]) -> Self {
        Self { reasons: reasons.to_vec(), ..Self::default() }
    }

    /// How many jobs and volumes were answered.
    pub(super) fn counts(&self) -> [usize; 2] {
        [self.unfinished.len() + self.ended.len(), self.volumes.len()]
    }

    /// Checks that what one caller was answered is there. What was cut is sent again, and then answered too.
    pub(super) async fn add(&mut self, known: &Known, client: &mut Client, mut answered: Answered, round: &str) {
        if let Some((digest, bytes)) = answered.upload.take() {
            let committed = client.check(&digest).await.committed_bytes;
            let rest = pieces(&digest, &bytes, usize::try_from(committed).expect("no more than was sent"), 64 << 10);
            client.volumes.put_volume(tokio_stream::iter(rest)).await.expect("it goes on from what is there");
            answered.volumes.push(digest);
        }
        if let Some((kind, id)) = answered.job.take() {
            let job = client.create(&known.specs[kind], &id).await.expect("the same again");
            answered.jobs.insert(job.name, Asked { kind, ended: None });
        }
        for digest in answered.volumes {
            assert!(name(&client.get(&digest).await.expect("it was answered")) == digest, "{round}");
            self.volumes.push(digest);
        }
        self.unfinished.append(&mut answered.jobs);
    }

    /// Checks the jobs that have not been seen to end. All but a few have ended then, once and with the same bytes.
    pub(super) async fn check(&mut self, known: &Known, client: &mut Client, round: &str) {
        self.check_all_but(UNFINISHED, known, client, round).await;
    }

    async fn check_all_but(&mut self, left: usize, known: &Known, client: &mut Client, round: &str) {
        // The oldest first.
        for (name, asked) in std::mem::take(&mut self.unfinished) {
            let mut job = client.job(&name).await.expect("it was answered");
            assert!(asked.ended.is_none_or(|state| job.state() == state), "{round}: a final state has changed");
            let is_open = [JobState::Queued, JobState::Running].contains(&job.state());
            if is_open && self.unfinished.len() < left {
                self.unfinished.insert(name, asked);
                continue;
            }
            if is_open {
                job = client.watch(&name).await.expect("it ends").1;
            }
            match job.error.take() {
                Some(error) => assert!(self.reasons.contains(&&*error.reason), "{round}: {error:?}"),
                None => {
                    assert_eq!(job.state(), JobState::Succeeded, "{round}");
                    let found = volumes_of(job.result.take().expect("a result"));
                    assert!(found == known.undisturbed[asked.kind], "{round}: other bytes");
                    self.results.extend(found);
                }
            }
            self.ended.insert(name);
        }
    }

    /// Waits until all jobs have ended, and checks all that was ever answered: volumes and results by their bytes, and
    /// that there is no job that nobody has asked for.
    ///
    /// * `others` – jobs that others have asked for
    pub(super) async fn finish(&mut self, known: &Known, client: &mut Client, others: usize) {
        self.check_all_but(0, known, client, "at the end").await;
        let jobs = client.all().await;
        assert_eq!(jobs.len(), self.ended.len() + others, "each job that was asked for is there once");
        let there: BTreeSet<&str> = jobs.iter().map(|job| &*job.name).collect();
        assert!(self.ended.iter().all(|name| there.contains(&**name)), "it was answered");
        let succeeded = |job: &pb::Job| job.state() == JobState::Succeeded || !self.reasons.is_empty();
        assert!(jobs.iter().all(succeeded), "a final state has changed");
        for digest in self.volumes.iter().chain(&self.results) {
            assert!(name(&client.get(digest).await.expect("it was answered")) == *digest, "at the end");
        }
    }

    /// Checks a store that no server has, and that its audit log has the end of each job once.
    pub(super) fn check_files(&self, store: &Path) {
        check_files(store);
        assert_ended_once(store, self.ended.iter().map(String::as_str));
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

/// Checks that the audit log of a store has the end of each of these jobs once.
pub(crate) fn assert_ended_once<'a>(store: &Path, jobs: impl Iterator<Item = &'a str>) {
    let mut ended: BTreeMap<String, usize> = BTreeMap::new();
    for entry in std::fs::read_dir(store.join("audit")).expect("a folder") {
        let log = std::fs::read_to_string(entry.expect("an entry").path()).expect("a log is text");
        for line in log.lines() {
            let (_, record) = line.split_once(' ').expect("a digest comes first");
            let record: serde_json::Value = serde_json::from_str(record).expect("a record");
            if record["event"] == "job.finished" {
                *ended.entry(record["job"].as_str().expect("a name").to_owned()).or_default() += 1;
            }
        }
    }
    for name in jobs {
        assert_eq!(ended.get(name), Some(&1), "{name} ended once");
    }
}
