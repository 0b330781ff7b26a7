//! Callers who go away, deadlines, stalls, failures of the device, shutting down.

use std::time::Duration;

use dosegrid::api::server::Drained;
use dosegrid::api::{ServerConfig, pb};
use dosegrid::domain::{DoseError, DoseRequest, KernelOptions, Method, Progress, Stage};
use dosegrid::engine::Device;
use tokio_stream::StreamExt;
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};

use super::streaming::{local, request};
use super::{
    MIB, Message, Server, compute, connect, good_messages, in_time, reason_and_fields, small, stream_of, until, volume,
};
use crate::support;

/// Room for one request of 64³, so that another gets in only when the first has given its memory back.
fn room_for_one() -> ServerConfig {
    ServerConfig { memory_bytes: 5 * MIB, ..ServerConfig::default() }
}

/// Waits until a request of 64³ is let in.
async fn assert_memory_comes_back(server: &Server) {
    let (client, request) = (server.client().await, request([64; 3], local()));
    let let_in = async {
        loop {
            match client.compute(&request, |_| {}).await {
                Ok(_) => return,
                Err(DoseError::Busy { .. }) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(other) => panic!("{other}"),
            }
        }
    };
    in_time("memory comes back", let_in).await;
}

async fn until_waiting(server: &Server) {
    until("a request waits", || server.waiting() > 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_the_queue_gives_its_place_and_memory_back() {
    let server = Server::start(room_for_one()).await;
    let (_held, release) = server.occupy();
    let client = server.client().await;
    let caller = tokio::spawn(async move { client.compute(&request([64; 3], local()), |_| {}).await });
    until_waiting(&server).await;
    caller.abort();
    // The device is still held: only the caller's leaving takes the request out of the queue.
    until("the queue is empty", || server.waiting() == 0).await;
    drop(release);
    assert_memory_comes_back(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_during_the_upload_gives_its_memory_back() {
    let server = Server::start(room_for_one()).await;
    let mut header = super::good_header();
    header.activity = Some(volume([64; 3], pb::ElementType::Float32));
    header.density = header.activity.clone();
    let given = vec![Message::Header(header), super::chunk(pb::VolumeRole::Activity, 0, vec![0; 1 << 20])];
    let never_ends = move || stream_of(given.clone()).chain(tokio_stream::pending());
    // A runtime of its own, so that the caller's connection can die with it, as that of a process does.
    let callers = tokio::runtime::Runtime::new().expect("a runtime");
    let url = server.url.clone();
    // Refused, it comes again: the other caller below may hold the memory at first.
    callers.spawn(async move { while compute(connect(url.clone()).await, never_ends()).await.is_err() {} });
    let client = server.client().await;
    let request = request([64; 3], local());
    let admitted = async {
        // One refusal may be due to a request of this caller, which has just ended.
        let mut refused_in_a_row = 0;
        while refused_in_a_row < 10 {
            let refused = client.compute(&request, |_| {}).await.is_err();
            refused_in_a_row = if refused { refused_in_a_row + 1 } else { 0 };
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    in_time("the header is admitted", admitted).await;
    callers.shutdown_background();
    assert_memory_comes_back(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_ends_the_whole_stream() {
    let server = Server::start(room_for_one()).await;
    let (_held, release) = server.occupy();
    let mut request = tonic::Request::new(stream_of(good_messages()));
    request.set_timeout(Duration::from_secs(5));
    let mut responses = server.raw().await.compute(request).await.expect("the call begins").into_inner();
    until_waiting(&server).await;
    // The device is held throughout: nothing but the deadline ends the call.
    let status = loop {
        match in_time("the deadline", responses.message()).await {
            Ok(message) => assert!(message.is_some(), "the call ended well, with the device occupied"),
            Err(status) => break status,
        }
    };
    let found = (status.code(), reason_and_fields(&status).0);
    assert_eq!(found, (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".into()));
    assert_eq!(server.waiting(), 0, "the work has left the queue");
    drop(release);
    assert_memory_comes_back(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_stalls_gives_its_memory_back() {
    let server = Server::start(ServerConfig { idle_timeout: Duration::from_millis(300), ..room_for_one() }).await;
    let mut header = super::good_header();
    header.activity = Some(volume([64; 3], pb::ElementType::Float32));
    header.density = header.activity.clone();
    let stalls = stream_of(vec![Message::Header(header)]).chain(tokio_stream::pending());
    let status = compute(server.raw().await, stalls).await.expect_err("nothing comes");
    assert_eq!((status.code(), reason_and_fields(&status).0.as_str()), (Code::DeadlineExceeded, "STREAM_STALLED"));
    assert_memory_comes_back(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_stalls_gives_its_memory_back() {
    let shape = [256, 256, 128];
    let (voxels, idle_timeout) = (256 * 256 * 128u64, Duration::from_millis(500));
    // Room for this request, or for one of 64³ once its memory is back, but not for both.
    let server =
        Server::start(ServerConfig { memory_bytes: 12 * voxels + MIB, idle_timeout, ..Default::default() }).await;
    let mut header = super::good_header();
    header.activity = Some(volume(shape, pb::ElementType::Uint8));
    header.density = header.activity.clone();
    let piece = 1u64 << 20;
    let chunks = (0..voxels / piece).flat_map(move |number| {
        let of = |role| super::chunk(role, number * piece, vec![1; 1 << 20]);
        [of(pb::VolumeRole::Activity), of(pb::VolumeRole::Density)]
    });
    let given = stream_of(std::iter::once(Message::Header(header)).chain(chunks).collect());
    // 32 MiB of dose do not fit the few MiB that the transport takes for a reader who does not read.
    let mut responses = server.raw().await.compute(given).await.expect("the call begins").into_inner();
    let result = loop {
        match responses.message().await.expect("the call goes well").expect("it goes on").message {
            Some(pb::compute_response::Message::Result(result)) => break result,
            Some(pb::compute_response::Message::Chunk(_) | pb::compute_response::Message::TallyChunk(_)) => {
                panic!("a chunk before the result")
            }
            Some(pb::compute_response::Message::Progress(_) | pb::compute_response::Message::Understood(_)) | None => {}
        }
    };
    assert_eq!(result.dose.expect("announced").size_bytes, Some(4 * voxels));
    let refused = server.client().await.compute(&request([64; 3], local()), |_| {}).await.expect_err("no memory yet");
    assert!(matches!(refused, DoseError::Busy { what: "memory", .. }), "{refused}");
    tokio::time::sleep(idle_timeout).await;
    assert_memory_comes_back(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_device_and_a_panic_fail_one_call_and_not_the_next() {
    let server = Server::start(small()).await;
    let client = server.raw().await;
    let expected = compute(client.clone(), stream_of(good_messages())).await.expect("a dose");
    server.run(|_| Err(DoseError::DeviceLost("x".into()))).finished().await.expect_err("lost");
    assert_eq!(compute(client.clone(), stream_of(good_messages())).await.expect("a dose"), expected);
    let mut panics = server.run(|_| panic!("on purpose"));
    assert!(matches!(panics.finished().await, Err(DoseError::Internal(_))));
    assert_eq!(compute(client, stream_of(good_messages())).await.expect("a dose"), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_finishes_running_work_and_takes_no_more() {
    let server = Server::start(small()).await;
    let (_held, release) = server.occupy();
    let client = server.raw().await;
    let mut health = server.health().await;
    let service = HealthCheckRequest { service: "dosegrid.v1.DoseService".into() };
    let mut watch = health.watch(service).await.expect("known").into_inner();
    let status = async |watch: &mut tonic::Streaming<tonic_health::pb::HealthCheckResponse>| {
        watch.message().await.map(|message| message.map(|message| message.status()))
    };
    assert_eq!(status(&mut watch).await.expect("a status"), Some(ServingStatus::Serving));
    let waiting = tokio::spawn(compute(client.clone(), stream_of(good_messages())));
    until_waiting(&server).await;
    server.shutdown.cancel();
    assert_eq!(status(&mut watch).await.expect("a status"), Some(ServingStatus::NotServing));
    let refused = compute(client, stream_of(good_messages())).await.expect_err("draining");
    assert_eq!((refused.code(), reason_and_fields(&refused).0.as_str()), (Code::Unavailable, "SHUTTING_DOWN"));
    dosegrid::api::client::Client::connect(&server.url).await.expect_err("nobody listens any more");
    assert!(!server.served.is_finished(), "a call still runs");
    drop(release);
    waiting.await.expect("no panic").expect("the call that ran gets its dose");
    let served = in_time("the server ends", server.served).await;
    assert_eq!(served.expect("no panic"), Ok(Drained::Complete));
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_has_an_end() {
    let server = Server::start(ServerConfig { drain_timeout: Duration::from_millis(200), ..small() }).await;
    let (_held, _release) = server.occupy();
    let waiting = tokio::spawn(compute(server.raw().await, stream_of(good_messages())));
    until_waiting(&server).await;
    server.shutdown.cancel();
    let stopped = waiting.await.expect("no panic").expect_err("stopped");
    assert_eq!((stopped.code(), reason_and_fields(&stopped).0.as_str()), (Code::Unavailable, "SHUTTING_DOWN"));
    let served = in_time("the server ends", server.served).await;
    assert_eq!(served.expect("no panic"), Ok(Drained::Cut));
}

/// Calls until a stage is reached, leaves, and sees that the device stops with the dose unfinished and does other work.
pub(super) async fn leave_in(stage: Stage, server: &Server, request: &DoseRequest) {
    // A dose that is finished before the server hears of the leaving shows nothing.
    for _ in 0..10 {
        if leave_once_in(stage, server, request).await == Err(DoseError::Cancelled) {
            return;
        }
    }
    panic!("{stage:?}: the device goes on to the end, whoever leaves");
}

/// How the job ended on the device.
async fn leave_once_in(stage: Stage, server: &Server, request: &DoseRequest) -> Result<(), DoseError> {
    let (client, request) = (server.client().await, request.clone());
    let (reached, reaches) = tokio::sync::oneshot::channel();
    let mut reached = Some(reached);
    let caller = tokio::spawn(async move {
        let on_progress = |progress: Progress| {
            if progress.stage == stage {
                reached.take().map(|reached| reached.send(()));
            }
        };
        client.compute(&request, on_progress).await
    });
    reaches.await.expect("the stage is reached");
    caller.abort();
    let mut next = server.run(|_| Ok(()));
    in_time("the device is free", next.finished()).await.expect("it does the next work");
    let ends = server.ends.lock().expect("no test panics with the lock").clone();
    let [.., left, after] = ends.as_slice() else { panic!("two jobs have ended: {ends:?}") };
    assert_eq!(after, &Ok(()));
    left.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_during_the_computation_frees_the_device() {
    let server = Server::start(ServerConfig::default()).await;
    let request = request([160; 3], Method::Kernel(KernelOptions::default()));
    for stage in [Stage::Kernel, Stage::Dose] {
        leave_in(stage, &server, &request).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
async fn a_lost_gpu_fails_one_call_and_is_opened_again() {
    let gpu = support::gpu();
    let Device::Gpu(engine) = &gpu else { panic!("asked for a GPU") };
    let lose = engine.failure_switch();
    let server = Server::start_on(small(), gpu).await;
    let client = server.client().await;
    let request = request([12, 10, 8], Method::Kernel(KernelOptions::default()));
    let dose = client.compute(&request, |_| {}).await.expect("a dose").dose;
    lose();
    let error = client.compute(&request, |_| {}).await.expect_err("the device is lost");
    assert!(matches!(error, DoseError::DeviceLost(_)), "{error}");
    assert_eq!(client.compute(&request, |_| {}).await.expect("a dose").dose, dose);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_says_what_it_can_do() {
    let server = Server::start(small()).await;
    let mut client = server.raw().await;
    let nuclides = client.list_nuclides(pb::ListNuclidesRequest {}).await.expect("a list").into_inner().nuclides;
    let names: Vec<_> = nuclides.iter().map(|nuclide| nuclide.name.as_str()).collect();
    assert!(["I-131", "Lu-177", "Y-90"].iter().all(|name| names.contains(name)), "{names:?}");
    assert!(nuclides.iter().all(|n| n.half_life_s > 0.0 && n.data_sha256.len() == 64 && !n.source.is_empty()));
    let devices = client.list_devices(pb::ListDevicesRequest {}).await.expect("a list").into_inner();
    assert_eq!((devices.devices[0].id.as_str(), devices.serving_device_id.as_str()), ("cpu", "cpu"));
    let info = client.get_server_info(pb::GetServerInfoRequest {}).await.expect("an answer").into_inner();
    assert_eq!(info.version, env!("CARGO_PKG_VERSION"));
    assert_eq!(info.device, Some(devices.devices[0].clone()));
    let limits = info.limits.expect("limits");
    assert_eq!((limits.max_volume_bytes, limits.memory_bytes, limits.max_message_bytes), (16 * MIB, 64 * MIB, 4 * MIB));
    let can = info.capabilities.expect("what it can do");
    assert_eq!(can.methods, ["local", "kernel", "monte-carlo"]);
    assert!(can.density_corrections.iter().any(|name| name == "water"), "{can:?}");
    assert!(can.kernel_media[0] == "water" && can.materials.iter().any(|name| name == "lung"), "{can:?}");
    assert!(["bq_s", "mbq_h", "bq"].iter().all(|unit| can.activity_units.iter().any(|known| known == unit)), "{can:?}");
    assert!(
        ["int16", "uint16"].iter().all(|element| can.element_types.iter().any(|known| known == element)),
        "{can:?}"
    );
    assert_eq!((can.nuclides as usize, can.max_label), (nuclides.len(), 65_535));
    let mut health = server.health().await;
    for service in ["", "dosegrid.v1.DoseService"] {
        let answer = health.check(HealthCheckRequest { service: service.into() }).await.expect("known");
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving, "{service}");
    }
}
