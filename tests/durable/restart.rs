//! The server is killed, and goes on.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use dosegrid::api::pb::{self, JobState};
use dosegrid::store::{Store, StoreOptions};
use rustix::process::Signal;
use tokio_stream::StreamExt;

use super::large::new;
use super::{Client, monte_carlo, request_id};
use crate::door::metrics;
use crate::support::command::{Server, dosegrid, stderr};

/// After so long, nothing is taken to come any more.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn serve(folder: &Path, more: &[&str]) -> Server {
    let folder = folder.to_str().expect("a path of text");
    let flags = [&["--store", folder, "--store-reserve-mib", "0"], more].concat();
    Server::with("127.0.0.1:0", &flags.into_iter().map(String::from).collect::<Vec<_>>())
}

/// The bytes of all results of a job that succeeded.
pub(crate) async fn results(client: &mut Client, name: &str) -> Vec<Vec<u8>> {
    let (_, job) = client.watch(name).await.expect("it ends");
    assert_eq!(job.state(), JobState::Succeeded, "{job:?}");
    let result = job.result.expect("a result");
    let named = |volume: Option<pb::VolumeDescriptor>| volume.expect("it was asked for").digest;
    let mut bytes = Vec::new();
    for digest in [named(result.dose), named(result.uncertainty), result.tally_digest] {
        bytes.push(client.get(&digest).await.expect("it is stored"));
    }
    bytes
}

/// Waits until a job that is long enough to be seen runs.
pub(crate) async fn until_running(client: &mut Client, name: &str) {
    let begun = async {
        loop {
            let state = client.job(name).await.expect("it is there").state();
            if state != JobState::Queued {
                return state;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let state = tokio::time::timeout(PATIENCE, begun).await.expect("it begins");
    assert_eq!(state, JobState::Running);
}

fn checkpoints(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("checkpoints")).expect("a folder").count()
}

/// Waits for a checkpoint of a job that does not end: a file in the store's folder of them.
pub(crate) async fn until_checkpoint(folder: &Path) {
    let there = async {
        while checkpoints(folder) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, there).await.expect("a checkpoint comes");
}

/// The part of a job that was done when its first checkpoint was there: 1 if it ended before.
async fn part_at_checkpoint(client: &mut Client, folder: &Path, name: &str) -> f64 {
    let seen = async {
        loop {
            let is_there = checkpoints(folder) > 0;
            let job = client.job(name).await.expect("it is there");
            let state = job.state();
            if state == JobState::Running && is_there {
                return job.progress.map_or(0.0, |progress| progress.overall_fraction);
            }
            if ![JobState::Queued, JobState::Running].contains(&state) {
                assert_eq!(state, JobState::Succeeded, "{:?}", job.error);
                return 1.0;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(2 * PATIENCE, seen).await.expect("it ends, or has a checkpoint")
}

/// A Monte Carlo job that has a checkpoint and three quarters of its work before it, and what was asked. How many
/// histories that takes is found by trying: machines differ, and so does what else they do.
pub(crate) async fn checkpointed(client: &mut Client, folder: &Path, shape: [u32; 3]) -> (String, pb::JobSpec) {
    let mut histories: u64 = 3_000_000;
    loop {
        let spec = client.upload_job(monte_carlo(histories), shape).await;
        let job = client.create(&spec, &request_id()).await.expect("a good job");
        let part = part_at_checkpoint(client, folder, &job.name).await;
        if part < 0.25 {
            return (job.name, spec);
        }
        // It may have ended since.
        let _ = client.jobs.cancel_job(pb::CancelJobRequest { name: job.name.clone() }).await;
        client.watch(&job.name).await.expect("it ends");
        let gone = async {
            while checkpoints(folder) > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, gone).await.expect("a job that ended needs no checkpoint");
        histories *= if part < 0.5 { 4 } else { 8 };
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_killed_gives_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = serve(folder.path(), &["--checkpoint-s", "1"]);
    let mut client = Client::of(&server.url).await;
    let (name, spec) = checkpointed(&mut client, folder.path(), [8, 8, 8]).await;
    let before = client.job(&name).await.expect("it is there");
    let id = request_id();
    let undisturbed = client.create(&spec, &id).await.expect("a good job");
    drop(server);
    let server = serve(folder.path(), &["--checkpoint-s", "1"]);
    let mut client = Client::of(&server.url).await;
    let again = client.job(&name).await.expect("what was answered is there");
    assert!(again.attempts <= 2 && again.create_time == before.create_time);
    assert_eq!(client.create(&spec, &id).await.expect("the same").name, undisturbed.name);
    let killed = results(&mut client, &name).await;
    let ended = client.job(&name).await.expect("it is there");
    assert_eq!(ended.attempts, 2, "it began twice");
    assert_eq!(results(&mut client, &undisturbed.name).await, killed);
    assert_eq!(checkpoints(folder.path()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_takes_the_process_with_it_is_given_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let flags = ["--max-attempts=1", "--checkpoint-s=3600", "--metrics-listen=127.0.0.1:0"];
    let start = || serve(folder.path(), &flags);
    let server = start();
    let mut client = Client::of(&server.url).await;
    let spec = client.upload_job(monte_carlo(1 << 36), [6, 5, 4]).await;
    let first = client.create(&spec, &request_id()).await.expect("a good job");
    let second = client.create(&spec, &request_id()).await.expect("a good job");
    until_running(&mut client, &first.name).await;
    drop(server);
    let server = start();
    let (_, told) = metrics::get(&metrics::metrics_address(&server), "/metrics");
    for sample in [
        "jobs_finished_total{state=\"failed\"}",
        "job_errors_total{reason=\"JOB_POISONOUS\"}",
        "job_attempts_lost_total{cause=\"process\"}",
    ] {
        assert!(told.contains(&format!("dosegrid_{sample} 1\n")), "{sample} in\n{told}");
    }
    let mut client = Client::of(&server.url).await;
    let (_, ended) = client.watch(&first.name).await.expect("it has ended");
    let error = ended.error.expect("it failed");
    assert_eq!((error.reason.as_str(), error.code), ("JOB_POISONOUS", tonic::Code::Aborted as i32));
    assert_eq!((error.metadata["attempts"].as_str(), error.metadata["cause"].as_str()), ("1", "process"));
    // The rest goes on.
    until_running(&mut client, &second.name).await;
    drop(server);
}

#[test]
fn a_store_has_one_process_and_no_newer_format() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = serve(folder.path(), &["--checkpoint-s", "1"]);
    let store = folder.path().to_str().expect("a path of text");
    let second = || -> Output { dosegrid(folder.path(), ["serve", "--listen", "127.0.0.1:0", "--store", store]) };
    let refused = second();
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("in use"), "{}", stderr(&refused));
    drop(server);
    std::fs::write(folder.path().join("format"), "dosegrid store 99\n").expect("a writable file");
    let before = std::fs::read(folder.path().join("ledger")).expect("a ledger");
    let refused = second();
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("99"), "{}", stderr(&refused));
    assert_eq!(std::fs::read(folder.path().join("ledger")).expect("a ledger"), before, "untouched");
    // Where there can be none, another folder can be named.
    let refused = dosegrid(folder.path(), ["serve", "--listen", "127.0.0.1:0", "--store", "format"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("store: the folder `format`"), "{}", stderr(&refused));
}

#[test]
fn looking_after_a_store_counts_no_job_as_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("store");
    // A service that gives a job more attempts than is usual.
    let open = || {
        let options = StoreOptions { reserve_bytes: 0, max_attempts: 1000, ..StoreOptions::default() };
        Store::open(&store, options).expect("a store")
    };
    open().create_job(new()).expect("room");
    let (flag, exported) = (format!("--store={}", store.display()), folder.path().join("exported"));
    let output = format!("--output={}", exported.display());
    for _ in 0..2 * StoreOptions::default().max_attempts {
        // It runs, and the process is lost.
        let taken = open().take(|_| true, |_| Some(("cpu".to_owned(), ()))).expect("sound");
        assert!(taken.is_some(), "it waits");
        for words in [&["store", "check", &flag][..], &["store", "gc", &flag], &["store", "export", &flag, &output]] {
            let said = dosegrid(folder.path(), words);
            assert_eq!(said.status.code(), Some(0), "{}", stderr(&said));
        }
        std::fs::remove_dir_all(&exported).expect("it was written");
    }
    let jobs = open().jobs("default", None, &[], usize::MAX);
    assert_eq!(jobs.iter().map(|job| job.state()).collect::<Vec<_>>(), [dosegrid::jobs::JobState::Queued]);
}

/// An upload of which half has come, and no more comes.
async fn half_an_upload(server: &Server, bytes: &[u8]) {
    let digest = super::name(bytes);
    let half = super::pieces(&digest, bytes, 0, bytes.len() / 4).into_iter().take(2);
    let half = tokio_stream::iter(half.collect::<Vec<_>>()).chain(tokio_stream::pending());
    let mut caller = Client::of(&server.url).await;
    tokio::spawn(async move { caller.volumes.put_volume(half).await.map(drop) });
    // It shows in the metrics of nothing, so there is a pause. CheckVolumes would make it safe.
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrived_is_safe_after_a_second_signal() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = serve(folder.path(), &["--drain-timeout-s=3600"]);
    let bytes: Vec<u8> = (0..100_000u32).map(|i| (i % 251).to_le_bytes()[0]).collect();
    half_an_upload(&server, &bytes).await;
    server.signal(rustix::process::Signal::TERM);
    while !server.next_line().contains("draining") {}
    let began = std::time::Instant::now();
    server.signal(rustix::process::Signal::INT);
    assert_eq!(server.ended(), Some(1));
    // Within one, where the machine does nothing else.
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let log = std::fs::read_to_string(folder.path().join("audit/000001.log")).expect("a log");
    assert!(log.lines().last().is_some_and(|line| line.contains("server.stopped")), "{log}");
    let server = serve(folder.path(), &[]);
    let mut client = Client::of(&server.url).await;
    let volume = client.check(&super::name(&bytes)).await;
    assert_eq!((volume.size_bytes, volume.committed_bytes), (100_000, 50_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_uploads_too_slowly_is_stopped_and_what_came_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = serve(folder.path(), &["--idle-timeout-s=1"]);
    let mut client = Client::of(&server.url).await;
    let bytes = vec![7; 100_000];
    let digest = super::name(&bytes);
    let crawling = tokio_stream::iter(super::pieces(&digest, &bytes, 0, 100)).then(|piece| async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        piece
    });
    let stopped = client.volumes.put_volume(crawling).await.expect_err("2 kB a second are too few");
    assert_eq!((stopped.code(), super::reason(&stopped).as_str()), (tonic::Code::DeadlineExceeded, "STREAM_STALLED"));
    let committed = client.check(&digest).await.committed_bytes;
    assert!(committed > 0 && committed % 100 == 0 && committed < 100_000, "whole messages count: {committed}");
    assert_eq!(client.put(&bytes).await, digest, "and it goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_a_store_are_read_again_at_a_signal() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = folder.path().join("keys.toml");
    let write = |mib: &str| std::fs::write(&keys, format!("tenant_store_mib = {mib}\n")).expect("a writable folder");
    write("1");
    let config = format!("--config={}", keys.display());
    let server = serve(&folder.path().join("store"), &[&config]);
    let mut client = Client::of(&server.url).await;
    let bytes = vec![7; 3 << 19];
    let over = client.try_put(&bytes).await.expect_err("1 MiB is allowed");
    assert_eq!(super::reason(&over), "QUOTA_EXCEEDED");
    write("2");
    server.signal(Signal::HUP);
    while !server.next_line().contains("limits and times of the store were read again") {}
    client.put(&bytes).await;
    // A fault changes nothing.
    write("none");
    server.signal(Signal::HUP);
    while !server.next_line().contains("limits and times of the store stay as they were") {}
    let over = client.try_put(&vec![8; 1 << 20]).await.expect_err("2 MiB are allowed");
    assert_eq!((super::reason(&over).as_str(), super::fact(&over, "limit").as_str()), ("QUOTA_EXCEEDED", "2097152"));
}
