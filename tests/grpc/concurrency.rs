//! Many callers at once: right answers, or an honest refusal.

use std::time::Duration;

use dosegrid::api::ServerConfig;
use dosegrid::domain::DoseError;

use super::streaming::{assert_same, in_process, local, request};
use super::{MIB, Server, compute, good_messages, in_time, reason_and_fields, stream_of, until};

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_callers_get_a_right_answer_or_are_told_when_to_come_back() {
    // Activity, density and dose of 64³ take 3 MiB: memory for ten requests.
    let config = ServerConfig { memory_bytes: 31 * MIB, queue_length: 8, ..ServerConfig::default() };
    let server = Server::start(config).await;
    let request = std::sync::Arc::new(request([64; 3], local()));
    let expected = in_process(&request);
    let callers: Vec<_> = (0..64)
        .map(|_| {
            let (url, request) = (server.url.clone(), request.clone());
            tokio::spawn(async move {
                let client = dosegrid::api::client::Client::connect(&url).await.expect("the server listens");
                let mut refusals = 0;
                loop {
                    match client.compute(&request, |_| {}).await {
                        Ok(result) => return (result, refusals),
                        Err(DoseError::Busy { retry_after, .. }) => {
                            assert!(retry_after > Duration::ZERO && retry_after < Duration::from_secs(10));
                            refusals += 1;
                            tokio::time::sleep(retry_after / 10).await;
                        }
                        Err(other) => panic!("neither a dose nor a refusal: {other}"),
                    }
                }
            })
        })
        .collect();
    for caller in callers {
        let (result, _) = caller.await.expect("no caller panics");
        assert_same(result, expected.clone());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_at_once() {
    let server = Server::start(ServerConfig { queue_length: 1, ..super::small() }).await;
    let (_held, release) = server.occupy();
    let client = server.raw().await;
    let waiting = tokio::spawn(compute(client.clone(), stream_of(good_messages())));
    until("a request waits", || server.waiting() > 0).await;
    // The device is held until the refusal has come: it has waited for nothing.
    let status =
        in_time("the refusal", compute(client, stream_of(good_messages()))).await.expect_err("the queue is full");
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    assert_eq!(reason_and_fields(&status), ("SERVER_BUSY".into(), vec![]));
    let details = tonic_types::StatusExt::get_error_details(&status);
    assert!(details.retry_info().and_then(|info| info.retry_delay).is_some_and(|delay| delay > Duration::ZERO));
    drop(release);
    waiting.await.expect("no panic").expect("the one that waited gets its dose");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_reserved_at_the_header_and_bounded() {
    // Room for one request of 64³ and not for two.
    let server = Server::start(ServerConfig { memory_bytes: 5 * MIB, ..ServerConfig::default() }).await;
    let (_held, release) = server.occupy();
    let request = std::sync::Arc::new(request([64; 3], local()));
    let (client, first) = (server.client().await, request.clone());
    let first = tokio::spawn(async move { client.compute(&first, |_| {}).await });
    until("a request waits", || server.waiting() > 0).await;
    let client = server.client().await;
    let refused = client.compute(&request, |_| {}).await.expect_err("the first request holds the memory");
    assert!(matches!(refused, DoseError::Busy { what: "memory", .. }), "{refused}");
    drop(release);
    assert_same(first.await.expect("no panic").expect("a dose"), in_process(&request));
    let again = client.compute(&request, |_| {}).await.expect("the memory is free again");
    assert_same(again, in_process(&request));
}
