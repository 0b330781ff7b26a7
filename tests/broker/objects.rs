//! Objects that the broker loses, whole or in part, and what is left of those that are removed.

use std::time::Duration;

use dosegrid::broker::{Broker, BrokerOptions};
use rustix::process::Signal;

use super::faults::{SHAPE, assert_undisturbed};
use super::fixture::Site;
use crate::durable::restart::{results, until_running};
use crate::durable::{Client, monte_carlo, request_id};

/// A connection to the broker.
async fn broker_of(site: &Site) -> Broker {
    let options = BrokerOptions { url: site.url(), ..BrokerOptions::default() };
    let broker = Broker::connect(&options).await.expect("a good address");
    broker.wait_up().await;
    broker
}

/// Waits until the broker has what the order of a job came with; its name.
async fn until_put(broker: &Broker, job: &str) -> String {
    let of_order = format!("spec/{}", job.rsplit('/').next().unwrap_or_default());
    let there = async {
        while !broker.names().await.expect("it is there").contains(&of_order) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), there).await.expect("it is put before the order is sent");
    of_order
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn what_an_order_came_with_is_put_again_if_the_broker_loses_it() {
    let site = Site::start(&[]);
    let gateway = site.gateway(&["--checkpoint-s", "1"]);
    let worker = site.worker(&[]);
    let mut client = Client::of(&gateway.url).await;
    let broker = broker_of(&site).await;
    // The gateway knows its worker then.
    let spec = client.upload_job(monte_carlo(1000), SHAPE).await;
    let first = client.create(&spec, &request_id()).await.expect("a good job");
    results(&mut client, &first.name).await;
    // The worker cannot fetch it before it is lost.
    worker.signal(Signal::STOP);
    let spec = client.upload_job(monte_carlo(40_000), SHAPE).await;
    let name = client.create(&spec, &request_id()).await.expect("a good job").name;
    until_running(&mut client, &name).await;
    let of_order = until_put(&broker, &name).await;
    broker.remove(&of_order).await.expect("it is there");
    worker.signal(Signal::CONT);
    assert_undisturbed(&mut client, &name, &spec).await;
    assert_eq!(client.job(&name).await.expect("it is there").attempts, 1, "the worker kept its job");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn an_object_whose_bytes_the_broker_has_lost_is_put_again() {
    let site = Site::start(&[]);
    let gateway = site.gateway(&["--checkpoint-s", "1"]);
    let worker = site.worker(&[]);
    let mut client = Client::of(&gateway.url).await;
    // The gateway knows its worker then.
    let spec = client.upload_job(monte_carlo(1000), SHAPE).await;
    let first = client.create(&spec, &request_id()).await.expect("a good job");
    results(&mut client, &first.name).await;
    let (broker, jetstream) = (broker_of(&site).await, site.jetstream().await);
    let bytes = jetstream.get_stream("OBJ_dosegrid-bytes").await.expect("the gateway has made it");
    worker.signal(Signal::STOP);
    let spec = client.upload_job(monte_carlo(40_000), SHAPE).await;
    let name = client.create(&spec, &request_id()).await.expect("a good job").name;
    until_running(&mut client, &name).await;
    until_put(&broker, &name).await;
    // What it is called, how long it is and its digest stay.
    bytes.purge().filter("$O.dosegrid-bytes.C.>").await.expect("it is there");
    worker.signal(Signal::CONT);
    assert_undisturbed(&mut client, &name, &spec).await;
    assert_eq!(client.job(&name).await.expect("it is there").attempts, 1, "the worker kept its job");
}

/// Messages of which the objects at the broker consist.
async fn messages(site: &Site) -> u64 {
    let stream = site.jetstream().await.get_stream("OBJ_dosegrid-bytes").await.expect("it is made");
    stream.cached_info().state.messages
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn what_is_removed_leaves_nothing_at_the_broker() {
    let site = Site::start(&[]);
    let broker = broker_of(&site).await;
    let names = ["spec/1", "made/2", "made/3"];
    for name in names {
        broker.put(name, |take| take(vec![7; 300_000])).await.expect("there is room");
    }
    let mut found = broker.names().await.expect("it is there");
    found.sort();
    assert_eq!(found, ["made/2", "made/3", "spec/1"]);
    broker.remove("made/2").await.expect("it is there");
    broker.remove("made/2").await.expect("nothing is to be done");
    // One of which somebody else has left a mark is among the names until it is removed.
    let store = site.jetstream().await.get_object_store("dosegrid-bytes").await.expect("it is made");
    store.delete("made/3").await.expect("it is there");
    assert!(broker.get("made/3").await.expect("it is there").is_none());
    let mut found = broker.names().await.expect("it is there");
    found.sort();
    assert_eq!(found, ["made/3", "spec/1"]);
    // Put anew, it is whole.
    broker.remove("made/3").await.expect("a mark is there");
    broker.put("made/3", |take| take(vec![8; 10])).await.expect("there is room");
    assert_eq!(broker.size_of("made/3").await.expect("it is there"), Some(10));
    for name in names {
        broker.remove(name).await.expect("it is there");
    }
    assert_eq!(messages(&site).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn the_gateway_removes_what_nobody_needs() {
    let site = Site::start(&[]);
    let broker = broker_of(&site).await;
    let of_job = format!("spec/{}", request_id());
    for name in [&of_job, "made/nobody's", "gone"] {
        broker.put(name, |take| take(vec![7; 10])).await.expect("there is room");
    }
    let store = site.jetstream().await.get_object_store("dosegrid-bytes").await.expect("it is made");
    store.delete("gone").await.expect("it is there");
    let _gateway = site.gateway(&[]);
    let removed = async {
        while messages(&site).await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), removed).await.expect("all are removed");
}
