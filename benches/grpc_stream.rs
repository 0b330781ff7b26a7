//! Volume streaming through the service on loopback: `stream/<direction>/<size>`, in bytes/s of one stream.

use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dosegrid::api::pb::{self, compute_request::Message, dose_service_client::DoseServiceClient};
use dosegrid::api::{ServerConfig, server::serve};
use dosegrid::domain::DeviceSelector;
use dosegrid::engine::Device;
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};

const SHAPE: [u32; 3] = [256, 256, 256];
const VOXELS: usize = 256 * 256 * 256;
const CHUNK_BYTES: usize = 1 << 20;

fn streaming(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let client = runtime.block_on(connect());
    let mut group = criterion.benchmark_group("stream");
    group.sample_size(10).measurement_time(Duration::from_secs(15));
    group.throughput(Throughput::Bytes(2 * 4 * VOXELS as u64));
    group.bench_function("up/256", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| runtime.block_on(upload(client.clone()))).sum());
    });
    group.throughput(Throughput::Bytes(4 * VOXELS as u64));
    group.bench_function("down/256", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| runtime.block_on(download(client.clone()))).sum());
    });
    group.finish();
}

async fn connect() -> DoseServiceClient<Channel> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("a bound socket"));
    let device = Device::open(DeviceSelector::Cpu).expect("the CPU is always there");
    tokio::spawn(serve(ServerConfig::default(), listener, device, std::future::pending()));
    let window = ServerConfig::default().window_bytes;
    let endpoint = Endpoint::from_shared(url).expect("a URL").tcp_nodelay(true);
    let endpoint = endpoint.initial_stream_window_size(window).initial_connection_window_size(2 * window);
    DoseServiceClient::new(endpoint.connect().await.expect("the server listens"))
}

fn descriptor(element_type: pb::ElementType) -> Option<pb::VolumeDescriptor> {
    let grid = pb::VoxelGrid { shape: SHAPE.to_vec(), spacing_mm: vec![2.0; 3], affine_mm: vec![] };
    Some(pb::VolumeDescriptor { grid: Some(grid), element_type: element_type.into(), ..Default::default() })
}

fn header(element_type: pb::ElementType) -> Message {
    Message::Header(pb::ComputeHeader {
        activity: descriptor(element_type),
        activity_unit: Some(pb::ActivityUnit { unit: Some(pb::activity_unit::Unit::BqS(pb::TimeIntegratedBqS {})) }),
        density: descriptor(element_type),
        nuclide: "Lu-177".into(),
        method: Some(pb::Method { method: Some(pb::method::Method::Local(pb::LocalMethod::default())) }),
        ..Default::default()
    })
}

/// Two volumes, all bytes alike, the last chunk of each left out if `cut_short`.
fn messages(element_type: pb::ElementType, bytes: usize, cut_short: bool) -> Vec<pb::ComputeRequest> {
    let data = Bytes::from(vec![1; CHUNK_BYTES]);
    let chunks = bytes / CHUNK_BYTES - usize::from(cut_short);
    let chunk = |volume: pb::VolumeRole, number: usize| {
        let offset_bytes = (number * CHUNK_BYTES) as u64;
        Message::Chunk(pb::VolumeChunk { volume: volume.into(), offset_bytes, data: data.clone(), index: 0 })
    };
    let volumes = [pb::VolumeRole::Activity, pb::VolumeRole::Density];
    let chunks = volumes.into_iter().flat_map(|volume| (0..chunks).map(move |number| (volume, number)));
    let messages = std::iter::once(header(element_type)).chain(chunks.map(|(volume, number)| chunk(volume, number)));
    messages.map(|message| pb::ComputeRequest { message: Some(message) }).collect()
}

/// Time to send two volumes that the server takes, decodes, and then refuses as incomplete: no computation.
async fn upload(mut client: DoseServiceClient<Channel>) -> Duration {
    let messages = messages(pb::ElementType::Float32, 4 * VOXELS, true);
    let begun = Instant::now();
    let answer = client.compute(tokio_stream::iter(messages)).await.expect("the call begins");
    let refusal = answer.into_inner().message().await.expect_err("incomplete volumes");
    let elapsed = begun.elapsed();
    assert!(refusal.message().contains("incomplete"), "{refusal}");
    elapsed
}

/// Time from the result's header to its last chunk.
async fn download(mut client: DoseServiceClient<Channel>) -> Duration {
    let messages = messages(pb::ElementType::Uint8, VOXELS, false);
    let mut answer = client.compute(tokio_stream::iter(messages)).await.expect("the call begins").into_inner();
    let (mut begun, mut received) = (None, 0);
    while let Some(response) = answer.message().await.expect("a good request") {
        match response.message {
            Some(pb::compute_response::Message::Result(_)) => begun = Some(Instant::now()),
            Some(pb::compute_response::Message::Chunk(chunk)) => received += chunk.data.len(),
            Some(
                pb::compute_response::Message::Understood(_)
                | pb::compute_response::Message::Progress(_)
                | pb::compute_response::Message::TallyChunk(_),
            )
            | None => {}
        }
    }
    assert_eq!(received, 4 * VOXELS);
    begun.expect("a result").elapsed()
}

criterion_group!(benches, streaming);
criterion_main!(benches);
