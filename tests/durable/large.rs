//! A ledger with many jobs: all are there after the server was killed, in their order, none with another final state,
//! and what comes meanwhile is answered. How long it takes to listen is printed, for docs/reliability.md.
//! `RELIABILITY_JOBS` asks for more.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use dosegrid::api::pb::{self, JobState};
use dosegrid::jobs::Priority;
use dosegrid::store::{Actor, Estimate, JobFault, NewJob, Outcome, Store, StoreOptions, job_name};
use prost::Message;
use uuid::Uuid;

use super::kills::serve;
use super::rounds::{row, times};
use super::{Client, local, request_id};

/// Callers at a time: many acts share a commit.
const CALLERS: usize = 64;
/// Jobs that are not finished.
const UNFINISHED: usize = 900;
/// Jobs of a page.
const PAGE: i32 = 1000;

pub(super) fn new() -> NewJob {
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

/// A job's name, and its state where that is final.
type Known = (String, Option<JobState>);

/// Fills a ledger: jobs that failed, and at the end some that wait or run. All of them, the newest first.
fn fill(folder: &Path, jobs: usize) -> Vec<Known> {
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
    for _ in 0..UNFINISHED.min(jobs) {
        store.create_job(new()).expect("room");
    }
    // One that runs is put back at the start.
    store.take(|_| true, |_| Some(("cpu".to_owned(), ()))).expect("sound").expect("one waits");
    let all = store.jobs("default", None, &[], usize::MAX);
    all.iter().map(|job| (job_name(job.id), job.state().is_final().then_some(JobState::Failed))).collect()
}

/// All jobs, page by page. After the first page another job is created, which no page has: its name, and all others.
async fn pages(client: &mut Client, spec: &pb::JobSpec) -> (String, Vec<pb::Job>) {
    let (mut jobs, mut page_token, mut created) = (Vec::new(), String::new(), String::new());
    loop {
        let list = pb::ListJobsRequest { page_size: PAGE, page_token, ..Default::default() };
        let page = client.jobs.list_jobs(list).await.expect("an answer").into_inner();
        jobs.extend(page.jobs);
        if created.is_empty() {
            created = client.create(spec, &request_id()).await.expect("a good job").name;
        }
        if page.next_page_token.is_empty() {
            return (created, jobs);
        }
        page_token = page.next_page_token;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_has_all_of_many_jobs_in_their_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("store");
    let jobs = times("RELIABILITY_JOBS", 2000);
    let begun = Instant::now();
    let mut known = fill(&store, jobs);
    println!("{} jobs in {:.1} s", known.len(), begun.elapsed().as_secs_f64());
    assert!(known.len() + CALLERS > jobs && known.iter().any(|(_, ended)| ended.is_none()));
    for round in 0..3 {
        let begun = Instant::now();
        let server = serve(&store);
        let mut client = Client::of(&server.url).await;
        let oldest = &known.last().expect("there are some").0;
        assert_eq!(client.job(oldest).await.expect("it was answered").name, *oldest);
        let found = format!("round {round}: listens and answers after {:.2} s", begun.elapsed().as_secs_f64());
        row("jobs in the ledger", known.len(), &found);
        // What waits is computed meanwhile: it has no volumes, and fails.
        let spec = client.upload_job(local(), [4, 3, 2]).await;
        let (created, found) = pages(&mut client, &spec).await;
        let names: Vec<&str> = found.iter().map(|job| job.name.as_str()).collect();
        let expected: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names == expected, "round {round}: {} of {} jobs, or another order", names.len(), expected.len());
        for (job, (name, ended)) in found.iter().zip(&mut known) {
            let is_final = ![JobState::Queued, JobState::Running].contains(&job.state());
            assert!(ended.is_none_or(|state| state == job.state()), "{name}: a final state has changed");
            *ended = is_final.then_some(job.state());
        }
        // One that is new is computed among all that wait.
        let (_, ended) = client.watch(&created).await.expect("it ends");
        assert_eq!(ended.state(), JobState::Succeeded);
        known.insert(0, (created, Some(JobState::Succeeded)));
        // SIGKILL, in the middle of what waits.
        drop(server);
    }
}
