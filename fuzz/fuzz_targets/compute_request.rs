//! Messages of `Compute`, sent to a server in this process: it answers, whatever they are, and serves the next call.

#![no_main]

use std::sync::LazyLock;

use dosegrid::api::pb::{ComputeRequest, dose_service_client::DoseServiceClient};
use dosegrid::api::{ServerConfig, server::serve_queue};
use dosegrid::domain::DeviceSelector;
use dosegrid::engine::Device;
use dosegrid::jobs::Queue;
use prost::Message;
use tokio::runtime::Runtime;
use tonic::transport::Channel;

/// Small, so that a request is refused by its size and not computed for long.
fn config() -> ServerConfig {
    ServerConfig { memory_bytes: 1 << 20, max_volume_bytes: 1 << 16, ..ServerConfig::default() }
}

static SERVER: LazyLock<(Runtime, DoseServiceClient<Channel>)> = LazyLock::new(|| {
    let runtime = Runtime::new().expect("threads can be started");
    let client = runtime.block_on(async {
        let device = Device::open(DeviceSelector::Cpu).expect("the CPU is always there");
        let queue = Queue::start(device, 4).expect("a thread can be started");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound socket"));
        tokio::spawn(serve_queue(config(), listener, queue.into(), std::future::pending()));
        DoseServiceClient::connect(url).await.expect("the server listens")
    });
    (runtime, client)
});

/// Messages, each with its length before it.
fn messages(mut data: &[u8]) -> Option<Vec<ComputeRequest>> {
    let mut messages = Vec::new();
    while !data.is_empty() && messages.len() < 8 {
        messages.push(ComputeRequest::decode_length_delimited(&mut data).ok()?);
    }
    Some(messages)
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some(messages) = messages(data) else { return };
    let (runtime, client) = &*SERVER;
    let mut client = client.clone();
    runtime.block_on(async {
        let Ok(responses) = client.compute(tokio_stream::iter(messages)).await else { return };
        let mut responses = responses.into_inner();
        while let Ok(Some(_)) = responses.message().await {}
        let alive = client.get_server_info(dosegrid::api::pb::GetServerInfoRequest {}).await;
        assert!(alive.is_ok(), "{alive:?}");
    });
});
