//! A ledger with many jobs: the server listens within seconds after it was killed. `RELIABILITY_JOBS` asks for more.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dosegrid::api::pb;
use dosegrid::jobs::Priority;
use dosegrid::store::{Actor, Estimate, JobFault, NewJob, Outcome, Store, StoreOptions, job_name};
use prost::Message;
use uuid::Uuid;

use super::Client;
use super::kills::{serve, times};

/// Callers at a time: many acts share a commit.
const CALLERS: usize = 64;
/// Jobs that are not finished.
const UNFINISHED: usize = 900;
/// How long the server may take to listen.
const LONGEST: Duration = Duration::from_secs(5);

fn new() -> NewJob {
    let compute = pb::ComputeHeader { nuclide: "Lu-177".into(), ..Default::default() };
    let spec = pb::JobSpec { compute: Some(compute), priority: pb::JobPriority::Normal.into() };
    NewJob {
        actor: Actor { tenant: "default".to_owned(), name: "test".to_owned(), peer: String::new() },
        request_id: Some(Uuid::new_v4()),
        spec: Arc::from(spec.encode_to_vec()),
        spec_sha256: "0".repeat(64),
        nuclide: "Lu-177".to_owned(),
        method: "monte-carlo".to_owned(),
        priority: Priority::Normal,
        estimate: Estimate { result_bytes: 1000, device_time_s: 60.0, ..Estimate::default() },
        inputs: Vec::new(),
        trace: None,
    }
}

/// Fills a ledger: jobs that failed, and at the end some that wait or run.
fn fill(folder: &Path, jobs: usize) -> String {
    let options = StoreOptions { reserve_bytes: 0, ..StoreOptions::default() };
    let store = Arc::new(Store::open(folder, options).expect("a store"));
    let each = jobs.saturating_sub(UNFINISHED) / CALLERS;
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                for _ in 0..each {
                    store.create_job(new()).expect("room");
                    let taken = store.take(|_| true, |_| Some(("cpu".to_owned(), ()))).expect("sound");
                    // Another caller may have it.
                    let Some((attempt, ())) = taken else { continue };
                    let fault = JobFault { code: 3, reason: "INVALID_REQUEST".to_owned(), ..JobFault::default() };
                    store.end_attempt(&attempt, 1.0, Outcome::Failed(fault)).expect("sound");
                }
            });
        }
    });
    let waiting: Vec<_> = (0..UNFINISHED.min(jobs)).map(|_| store.create_job(new()).expect("room")).collect();
    // One that runs is put back at the start.
    store.take(|_| true, |_| Some(("cpu".to_owned(), ()))).expect("sound").expect("one waits");
    job_name(waiting.last().expect("some wait").id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_many_jobs_listens_soon_after_it_was_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("store");
    let jobs = times("RELIABILITY_JOBS", 2000);
    let begun = Instant::now();
    let last = fill(&store, jobs);
    println!("{jobs} jobs in {:.1} s", begun.elapsed().as_secs_f64());
    for round in 0..3 {
        let begun = Instant::now();
        let server = serve(&store);
        let mut client = Client::of(&server.url).await;
        let found = client.job(&last).await.expect("it was answered");
        let time = begun.elapsed();
        println!("round {round}: listens and answers after {:.2} s", time.as_secs_f64());
        assert!(time < LONGEST, "round {round}: {time:?}");
        assert_eq!(found.name, last);
        let list = pb::ListJobsRequest { page_size: 1000, ..Default::default() };
        let page = client.jobs.list_jobs(list).await.expect("an answer").into_inner();
        assert!(page.jobs.len() == 1000.min(jobs), "{}", page.jobs.len());
        // SIGKILL, in the middle of what waits.
        drop(server);
    }
}
