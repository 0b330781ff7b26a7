//! Jobs: created once, watched to their end, listed, cancelled, deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use dosegrid::api::pb::dose_service_client::DoseServiceClient;
use dosegrid::api::{ServerConfig, pb};
use dosegrid::store::StoreOptions;
use pb::JobState;
use tonic::Code;
use tonic_types::StatusExt;

use super::{Client, Server, fact, local, monte_carlo, name, reason, request_id};

/// Results of a job, by name.
async fn results(client: &mut Client, job: &pb::Job) -> Vec<Vec<u8>> {
    let result = job.result.as_ref().expect("a result");
    let volumes = [&result.dose, &result.uncertainty, &result.weighted_dose, &result.dose_on_ct];
    let mut names: Vec<String> = volumes.into_iter().flatten().map(|volume| volume.digest.clone()).collect();
    names.extend(Some(result.tally_digest.clone()).filter(|name| !name.is_empty()));
    let mut all = Vec::new();
    for name in names {
        all.push(client.get(&name).await.expect("a result is there"));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_to_its_end_and_its_results_are_volumes() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let mut client = server.client().await;
    let spec = client.upload_job(monte_carlo(20_000), [6, 5, 4]).await;
    let id = request_id();
    let created = client.create(&spec, &id).await.expect("a good job");
    assert!(created.name.starts_with("jobs/") && created.spec.as_ref() == Some(&spec));
    let estimate = created.estimate.expect("an estimate");
    assert!(estimate.memory_bytes > 0 && estimate.result_bytes > 0 && estimate.device_time_s > 0.0);
    let (states, ended) = client.watch(&created.name).await.expect("it ends");
    assert_eq!(states.last(), Some(&JobState::Succeeded), "{ended:?}");
    assert!(ended.spec.is_none() && ended.end_time.is_some() && ended.expire_time.is_some());
    let job = client.job(&created.name).await.expect("it is there");
    assert_eq!((job.spec.as_ref(), job.result.as_ref()), (Some(&spec), ended.result.as_ref()));
    assert_eq!((job.attempts, job.error.as_ref()), (1, None));
    // The same bytes as those of a call without state.
    let parts = results(&mut client, &job).await;
    assert_eq!(parts.len(), 3, "dose, uncertainty, tally");
    assert_eq!(parts[0].len(), 6 * 5 * 4 * 4);
    let again = client.create(&spec, &request_id()).await.expect("another job");
    let (_, again) = client.watch(&again.name).await.expect("it ends");
    assert_eq!(results(&mut client, &again).await, parts, "the same job, the same bytes");
    // Sent again, it is the same job, however its id is written.
    let plain = id.to_uppercase().replace('-', "");
    for id in [id.as_str(), &id.to_uppercase(), &plain] {
        assert_eq!(client.create(&spec, id).await.expect("the same").name, created.name, "{id}");
    }
    let other = pb::JobSpec { priority: pb::JobPriority::High.into(), ..spec.clone() };
    // Another one, even if it is none that could be computed.
    for other in [other, pb::JobSpec { compute: None, ..spec.clone() }, pb::JobSpec { priority: 99, ..spec.clone() }] {
        let used = client.create(&other, &id).await.expect_err("another specification");
        assert_eq!((used.code(), reason(&used).as_str()), (Code::AlreadyExists, "REQUEST_ID_USED"));
        assert_eq!(fact(&used, "job"), created.name);
    }
    // Results are shared by both jobs, and stay for the second.
    let delete = |name: &str| pb::DeleteJobRequest { name: name.to_owned() };
    client.jobs.delete_job(delete(&created.name)).await.expect("it is finished");
    let gone = client.jobs.delete_job(delete(&created.name)).await.expect_err("it is gone");
    assert_eq!((gone.code(), reason(&gone).as_str()), (Code::NotFound, "JOB_NOT_FOUND"));
    assert_eq!(results(&mut client, &again).await, parts);
    assert_eq!(reason(&client.create(&spec, &id).await.expect_err("deleted")), "REQUEST_ID_USED");
    client.jobs.delete_job(delete(&again.name)).await.expect("it is finished");
    let dose = again.result.expect("a result").dose.expect("a dose").digest;
    assert_eq!(reason(&client.get(&dose).await.expect_err("results go with their job")), "VOLUME_NOT_FOUND");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_waits_for_a_job_hears_that_it_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let mut client = server.client().await;
    let spec = client.upload_job(monte_carlo(1 << 36), [6, 5, 4]).await;
    let job = client.create(&spec, &request_id()).await.expect("a good job").name;
    // A job runs a moment before it has the device.
    let has_device = async {
        loop {
            let progress = client.job(&job).await.expect("it is there").progress;
            if progress.is_some_and(|progress| progress.stage() == pb::Stage::Dose) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), has_device).await.expect("it has the device");
    let mut service = DoseServiceClient::connect(server.url.clone()).await.expect("the server listens");
    let header = pb::compute_request::Message::Header(spec.compute.expect("a header"));
    let request = tokio_stream::once(pb::ComputeRequest { message: Some(header) });
    let mut answers = service.compute(request).await.expect("it begins").into_inner();
    let mut queued = 0;
    while queued < 2 {
        let answer = tokio::time::timeout(Duration::from_secs(60), answers.message()).await.expect("it is told");
        let message = answer.expect("no error").expect("it goes on").message.expect("something");
        if let pb::compute_response::Message::Progress(progress) = &message {
            assert_eq!(progress.stage(), pb::Stage::Queued);
            queued += 1;
        } else {
            let is_first = queued == 0 && matches!(message, pb::compute_response::Message::Understood(_));
            assert!(is_first, "the device is taken: {message:?}");
        }
    }
    drop(answers);
    client.jobs.cancel_job(pb::CancelJobRequest { name: job }).await.expect("it runs");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_wrong_is_named_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let mut client = server.client().await;
    let spec = client.upload_job(local(), [4, 3, 2]).await;
    let with = |edit: &dyn Fn(&mut pb::ComputeHeader)| {
        let mut spec = spec.clone();
        edit(spec.compute.as_mut().expect("a header"));
        spec
    };
    let absent = name(b"nobody uploaded this");
    let missing = with(&|header| header.density.as_mut().expect("given").digest = absent.clone());
    let refused = client.create(&missing, &request_id()).await.expect_err("it is not there");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "VOLUME_MISSING"));
    let violations = refused.get_details_precondition_failure().expect("each one").violations;
    let found: Vec<_> = violations.iter().map(|v| (v.r#type.as_str(), v.subject.as_str())).collect();
    assert_eq!(found, [("MISSING", absent.as_str())]);
    let fields = |refused: &tonic::Status| -> BTreeSet<String> {
        let bad = refused.get_details_bad_request().unwrap_or_else(|| panic!("no fields in {refused:?}"));
        bad.field_violations.into_iter().map(|violation| violation.field).collect()
    };
    let nameless = with(&|header| {
        header.density.as_mut().expect("given").digest.clear();
        header.activity.as_mut().expect("given").digest = "sha256:12".into();
        header.nuclide = "Xx-1".into();
    });
    let request = pb::CreateJobRequest { spec: Some(nameless), ..Default::default() };
    let refused = client.jobs.create_job(request).await.expect_err("four faults");
    let expected = ["activity.digest", "density.digest", "nuclide", "request_id"].map(String::from);
    assert_eq!(fields(&refused), expected.into());
    let larger = with(&|header| {
        for volume in [&mut header.activity, &mut header.density] {
            volume.as_mut().expect("given").grid.as_mut().expect("given").shape = vec![4, 3, 3];
        }
    });
    let refused = client.create(&larger, &request_id()).await.expect_err("they are smaller");
    assert_eq!(fields(&refused), ["activity.digest", "density.digest"].map(String::from).into());
    // Only checked: volumes need not be there, nor have names.
    let plain = with(&|header| {
        header.density.as_mut().expect("given").digest.clear();
        header.activity.as_mut().expect("given").digest = absent.clone();
    });
    let request = pb::CreateJobRequest { spec: Some(plain), validate_only: true, ..Default::default() };
    let valid = client.jobs.create_job(request).await.expect("a good job").into_inner().job.expect("a job");
    assert!(valid.name.is_empty() && valid.estimate.is_some());
    let list = client.jobs.list_jobs(pb::ListJobsRequest::default()).await.expect("a list").into_inner();
    assert!(list.jobs.is_empty(), "nothing was stored");
    // Values are checked when the job runs.
    let nan = client.put(&f32::NAN.to_le_bytes().repeat(24)).await;
    let bad = with(&|header| header.activity.as_mut().expect("given").digest = nan.clone());
    let job = client.create(&bad, &request_id()).await.expect("its header is good");
    let (_, ended) = client.watch(&job.name).await.expect("it ends");
    let error = ended.error.expect("it failed");
    assert_eq!((ended.state, error.reason.as_str()), (JobState::Failed.into(), "INVALID_REQUEST"));
    assert_eq!(error.field_violations[0].field, "activity");
    // An id is known by its value; what stands around one elsewhere is not part of it.
    let id = uuid::Uuid::new_v4();
    let mut again = Vec::new();
    for form in [id.to_string(), id.to_string().to_uppercase(), id.simple().to_string()] {
        again.push(client.create(&spec, &form).await.expect("a good job").name);
    }
    assert!(again.iter().all(|name| *name == again[0]), "{again:?}");
    for form in [id.braced().to_string(), id.urn().to_string(), format!(" {}", id.simple()), "7".into()] {
        let refused = client.create(&spec, &form).await.expect_err("another form");
        assert_eq!(fields(&refused), [String::from("request_id")].into(), "{form}");
    }
    for malformed in ["", "jobs/", "jobs/x", "x", "jobs/00000000-0000-0000-0000-000000000000"] {
        let refused = client.job(malformed).await.expect_err("no job has this name");
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::NotFound, "JOB_NOT_FOUND"), "{malformed}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_sent_again_finds_its_job_whatever_is_allowed_by_then() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let mut client = server.client().await;
    let spec = client.upload_job(local(), [4, 3, 2]).await;
    let id = request_id();
    let job = client.create(&spec, &id).await.expect("a good job");
    client.watch(&job.name).await.expect("it ends");
    server.stop().await;
    let config = ServerConfig { max_volume_bytes: 8, ..ServerConfig::default() };
    let options = StoreOptions { reserve_bytes: 0, ..StoreOptions::default() };
    let server = Server::configured(folder.path(), options, config).await;
    let mut client = server.client().await;
    let again = client.create(&spec, &id).await.expect("the same job");
    assert_eq!((&again.name, again.state()), (&job.name, JobState::Succeeded));
    assert!(again.result.is_some() && again.spec == Some(spec.clone()));
    let refused = client.create(&spec, &request_id()).await.expect_err("its volumes are too large now");
    assert_eq!(reason(&refused), "REQUEST_TOO_LARGE");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_cancelled_once_and_for_good() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = StoreOptions { reserve_bytes: 0, tenant_jobs: 2, ..StoreOptions::default() };
    let server = Server::with(folder.path(), options).await;
    let mut client = server.client().await;
    let long = client.upload_job(monte_carlo(1 << 36), [6, 5, 4]).await;
    let runs = client.create(&long, &request_id()).await.expect("a good job");
    let waits = client.create(&long, &request_id()).await.expect("a good job");
    let full = client.create(&long, &request_id()).await.expect_err("two are allowed");
    assert_eq!(reason(&full), "QUOTA_EXCEEDED");
    assert_eq!(fact(&full, "what"), "jobs");
    assert!(full.get_details_retry_info().is_some_and(|retry| retry.retry_delay.is_some()), "waiting helps");
    let running = async {
        while client.job(&runs.name).await.expect("it is there").state() != JobState::Running {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), running).await.expect("it begins");
    let unfinished = client.jobs.delete_job(pb::DeleteJobRequest { name: runs.name.clone() }).await;
    assert_eq!(reason(&unfinished.expect_err("it runs")), "JOB_NOT_FINISHED");
    let input = long.compute.as_ref().and_then(|header| header.activity.clone()).expect("given").digest;
    let held = client.volumes.delete_volume(pb::DeleteVolumeRequest { digest: input.clone() }).await;
    assert_eq!(reason(&held.expect_err("a job needs it")), "VOLUME_IN_USE");
    assert!(client.check(&input).await.expire_time.is_none(), "kept as long as a job refers to it");
    for name in [&runs.name, &waits.name] {
        for _ in 0..2 {
            let request = pb::CancelJobRequest { name: name.clone() };
            let job = client.jobs.cancel_job(request).await.expect("it is there").into_inner().job.expect("a job");
            assert_eq!(job.state(), JobState::Cancelled);
        }
        let (states, _) = client.watch(name).await.expect("it has ended");
        assert_eq!(states, [JobState::Cancelled]);
    }
    assert!(client.check(&input).await.expire_time.is_some());
    // The device is free.
    let short = client.upload_job(local(), [4, 3, 2]).await;
    let job = client.create(&short, &request_id()).await.expect("room");
    let (_, ended) = client.watch(&job.name).await.expect("it ends");
    assert_eq!(ended.state(), JobState::Succeeded);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_listed_by_pages_that_never_repeat() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let mut client = server.client().await;
    let spec = client.upload_job(local(), [4, 3, 2]).await;
    let mut names = Vec::new();
    for _ in 0..5 {
        names.push(client.create(&spec, &request_id()).await.expect("a good job").name);
    }
    names.reverse();
    let mut listed = Vec::new();
    let mut request = pb::ListJobsRequest { page_size: 2, ..Default::default() };
    loop {
        let page = client.jobs.list_jobs(request.clone()).await.expect("a page").into_inner();
        assert!(page.jobs.len() <= 2 && page.jobs.iter().all(|job| job.spec.is_none() && job.result.is_none()));
        listed.extend(page.jobs.into_iter().map(|job| job.name));
        if page.next_page_token.is_empty() {
            break;
        }
        // What is created later does not come.
        client.create(&spec, &request_id()).await.expect("a good job");
        request.page_token = page.next_page_token;
    }
    assert_eq!(listed, names);
    for edit in [
        |request: &mut pb::ListJobsRequest| request.states = vec![JobState::Failed.into()],
        |request: &mut pb::ListJobsRequest| request.page_token.push('0'),
        |request: &mut pb::ListJobsRequest| request.page_size = -1,
        |request: &mut pb::ListJobsRequest| request.states = vec![77],
    ] {
        let mut other = request.clone();
        edit(&mut other);
        let refused = client.jobs.list_jobs(other).await.expect_err("another request");
        assert_eq!(reason(&refused), "INVALID_REQUEST");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_store_says_so() {
    let config = ServerConfig::default();
    let jobs = dosegrid::jobs::LocalJobs::start(crate::support::cpu(), config.plan_limits(), 1).expect("a thread");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("a bound socket"));
    let serve = dosegrid::api::server::serve_jobs(config, listener, jobs.into(), std::future::pending());
    let served = tokio::spawn(serve);
    let mut client = Client::of(&url).await;
    let refused = client.job("jobs/x").await.expect_err("it has no store");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unimplemented, "NO_STORE"));
    let refused = client.get("x").await.expect_err("it has no store");
    assert_eq!(reason(&refused), "NO_STORE");
    served.abort();
}
