//! Two gateways at one account of the broker.

use dosegrid::api::pb::JobState;

use super::fixture::Site;
use crate::durable::restart::{results, until_running};
use crate::durable::{Client, monte_carlo, request_id};
use crate::support::command::{dosegrid, stderr};

const SHAPE: [u32; 3] = [6, 5, 4];

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn a_second_gateway_is_refused_by_name() {
    let site = Site::start(&[]);
    let gateway = site.gateway(&[]);
    let _worker = site.worker(&[]);
    let mut client = Client::of(&gateway.url).await;
    let spec = client.upload_job(monte_carlo(20_000), SHAPE).await;
    // That it has the account is known once a worker has its job.
    let job = client.create(&spec, &request_id()).await.expect("a good job");
    results(&mut client, &job.name).await;
    let other = tempfile::tempdir().expect("a folder");
    let store = other.path().join("store");
    let flags = ["serve", "--listen", "127.0.0.1:0", "--device", "cpu", "--store-reserve-mib", "0", "--queue"];
    let url = site.url();
    let flags = flags.into_iter().chain([url.as_str(), "--store", store.to_str().expect("a path of text")]);
    let refused = dosegrid(other.path(), flags);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    let process = format!("process {}", gateway.id());
    assert!(stderr(&refused).contains("queue") && stderr(&refused).contains(&process), "{}", stderr(&refused));
    // The first one goes on.
    let job = client.create(&spec, &request_id()).await.expect("a good job");
    results(&mut client, &job.name).await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn of_two_gateways_that_find_the_broker_later_one_works_until_it_ends() {
    let mut site = Site::start(&[]);
    site.stop_broker();
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let mut gateways = Vec::new();
    for folder in &folders {
        gateways.push(site.gateway_of(folder.path(), &[]));
    }
    let mut clients = Vec::new();
    let mut jobs = Vec::new();
    for gateway in &gateways {
        let mut client = Client::of(&gateway.url).await;
        let spec = client.upload_job(monte_carlo(1 << 36), SHAPE).await;
        jobs.push(client.create(&spec, &request_id()).await.expect("accepted without a broker").name);
        clients.push(client);
    }
    site.start_broker();
    let _worker = site.worker(&[]);
    // One of them says that it stands back, and its job waits; the other's runs.
    let mut first = None;
    while first.is_none() {
        for (number, client) in clients.iter_mut().enumerate() {
            if client.job(&jobs[number]).await.expect("it is there").state() == JobState::Running {
                first = Some(number);
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let first = first.expect("one runs");
    let second = 1 - first;
    let told = format!("\"process\":{}", gateways[first].id());
    loop {
        let line = gateways[second].next_line();
        if line.contains("another gateway uses the account") {
            assert!(line.contains(&told), "{line}");
            break;
        }
    }
    assert_eq!(clients[second].job(&jobs[second]).await.expect("it is there").state(), JobState::Queued);
    drop(gateways.remove(first));
    // The worker learns that its order is not wanted any more: nobody has it in a ledger.
    until_running(&mut clients[second], &jobs[second]).await;
}
