//! The server is killed, and goes on.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use dosegrid::api::pb::{self, JobState};

use super::{Client, monte_carlo, request_id};
use crate::support::command::{Server, dosegrid, stderr};

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

pub(crate) async fn until_running(client: &mut Client, name: &str) {
    let running = async {
        while client.job(name).await.expect("it is there").state() != JobState::Running {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), running).await.expect("it begins");
}

/// Waits for a checkpoint of a job: a file in the store's folder of them.
pub(crate) async fn until_checkpoint(folder: &Path) {
    let there = async {
        while std::fs::read_dir(folder.join("checkpoints")).expect("a folder").count() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), there).await.expect("a checkpoint comes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_killed_gives_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = serve(folder.path(), &["--checkpoint-s", "1"]);
    let mut client = Client::of(&server.url).await;
    // A few seconds: two batches or more.
    let spec = client.upload_job(monte_carlo(3_000_000), [8, 8, 8]).await;
    let id = request_id();
    let job = client.create(&spec, &id).await.expect("a good job");
    until_running(&mut client, &job.name).await;
    until_checkpoint(folder.path()).await;
    drop(server);
    let server = serve(folder.path(), &["--checkpoint-s", "1"]);
    let mut client = Client::of(&server.url).await;
    let again = client.job(&job.name).await.expect("what was answered is there");
    assert!(again.attempts <= 2 && again.create_time == job.create_time);
    assert_eq!(client.create(&spec, &id).await.expect("the same").name, job.name);
    let killed = results(&mut client, &job.name).await;
    let ended = client.job(&job.name).await.expect("it is there");
    assert_eq!(ended.attempts, 2, "it began twice");
    let undisturbed = client.create(&spec, &request_id()).await.expect("a good job");
    assert_eq!(results(&mut client, &undisturbed.name).await, killed);
    assert_eq!(std::fs::read_dir(folder.path().join("checkpoints")).expect("a folder").count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_takes_the_process_with_it_is_given_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = || serve(folder.path(), &["--max-attempts", "1", "--checkpoint-s", "3600"]);
    let server = start();
    let mut client = Client::of(&server.url).await;
    let spec = client.upload_job(monte_carlo(1 << 36), [6, 5, 4]).await;
    let first = client.create(&spec, &request_id()).await.expect("a good job");
    let second = client.create(&spec, &request_id()).await.expect("a good job");
    until_running(&mut client, &first.name).await;
    drop(server);
    let server = start();
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
}
