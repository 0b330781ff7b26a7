//! How long `CreateJob` takes, refusals too, with an idle device and a busy one. Nothing is asserted of the clock: the
//! figures are printed, for docs/reliability.md.

use std::path::Path;
use std::time::{Duration, Instant};

use dosegrid::api::pb;

use super::rounds::{row, times as asked};
use super::{Client, local, monte_carlo, name, request_id};
use crate::support::command::Server;

fn serve(folder: &Path) -> Server {
    let folder = folder.to_str().expect("a path of text");
    let flags = ["--store", folder, "--store-reserve-mib", "0", "--tenant-jobs", "1000000"];
    Server::with("127.0.0.1:0", &flags.map(String::from))
}

/// Prints median, 99th percentile and longest of some times.
pub(super) fn told(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
    let found = format!("p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms", at(50), at(99), at(100));
    row(what, times.len(), &found);
}

/// Creates jobs one after another, each of another nuclide, and asks for as many that are refused.
async fn create(client: &mut Client, spec: &pb::JobSpec, what: &str) -> Vec<String> {
    let nuclides = ["Lu-177", "Y-90", "I-131", "Ac-225", "In-111", "Tb-161", "Ho-166", "Sm-153"];
    let (mut created, mut times, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..asked("RELIABILITY_CREATIONS", 20) {
        let mut spec = spec.clone();
        spec.compute.as_mut().expect("a header").nuclide = nuclides[number % nuclides.len()].to_owned();
        let begun = Instant::now();
        created.push(client.create(&spec, &request_id()).await.expect("a good job").name);
        times.push(begun.elapsed());
        spec.compute.as_mut().expect("a header").density.as_mut().expect("given").digest = name(b"absent");
        let begun = Instant::now();
        client.create(&spec, &request_id()).await.expect_err("a volume is missing");
        refused.push(begun.elapsed());
    }
    told(&format!("CreateJob, {what}"), times);
    told(&format!("CreateJob refused, {what}"), refused);
    created
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_created_while_the_device_is_idle_and_while_it_is_busy() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = serve(folder.path());
    let mut client = Client::of(&server.url).await;
    let kernel = pb::method::Method::Kernel(pb::KernelMethod::default());
    let spec = client.upload_job(kernel, [12, 12, 12]).await;
    for job in create(&mut client, &spec, "device idle but for these").await {
        client.watch(&job).await.expect("it ends");
    }
    let long = client.upload_job(monte_carlo(1 << 36), [32, 32, 32]).await;
    let busy = client.create(&long, &request_id()).await.expect("a good job");
    let created = create(&mut client, &spec, "device busy with Monte Carlo").await;
    for job in created.into_iter().chain([busy.name]) {
        client.jobs.cancel_job(pb::CancelJobRequest { name: job }).await.expect("it is there");
    }
    let short = client.upload_job(local(), [4, 3, 2]).await;
    let last = client.create(&short, &request_id()).await.expect("a good job");
    client.watch(&last.name).await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_jobs_after_a_start_are_created() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = serve(folder.path());
    let mut client = Client::of(&server.url).await;
    let kernel = pb::method::Method::Kernel(pb::KernelMethod::default());
    let by_kernel = client.upload_job(kernel, [12, 12, 12]).await;
    let mut by_transport = client.upload_job(monte_carlo(1000), [12, 12, 12]).await;
    by_transport.compute.as_mut().expect("a header").nuclide = "Y-90".to_owned();
    drop(server);
    let (mut listens, mut times) = (Vec::new(), [Vec::new(), Vec::new(), Vec::new()]);
    for _ in 0..asked("RELIABILITY_STARTS", 1) {
        let begun = Instant::now();
        let server = serve(folder.path());
        listens.push(begun.elapsed());
        let mut client = Client::of(&server.url).await;
        for (spec, times) in [&by_kernel, &by_kernel, &by_transport].into_iter().zip(&mut times) {
            let begun = Instant::now();
            let job = client.create(spec, &request_id()).await.expect("a good job");
            times.push(begun.elapsed());
            client.jobs.cancel_job(pb::CancelJobRequest { name: job.name }).await.expect("it is there");
        }
    }
    told("from the start to listening", listens);
    for (what, times) in ["first job, kernel", "second", "third, Monte Carlo of Y-90"].into_iter().zip(times) {
        told(what, times);
    }
}
