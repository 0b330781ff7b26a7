//! Streams that go wrong after, or without, a good header.

use dosegrid::api::pb;
use tonic::Code;

use super::{
    Case, Message, Server, bytes_of, check_cases, chunk, good_activity, good_density, good_header, good_messages,
    messages, reason_and_fields, small, volume,
};

const ACTIVITY: pb::VolumeRole = pb::VolumeRole::Activity;
const DENSITY: pb::VolumeRole = pb::VolumeRole::Density;

fn case(name: &'static str, given: Vec<Message>, fields: &[&'static str]) -> Case {
    Case {
        name,
        requests: given.into_iter().map(|message| pb::ComputeRequest { message: Some(message) }).collect(),
        held_open: false,
        code: Code::InvalidArgument,
        reason: "INVALID_REQUEST",
        fields: fields.to_vec(),
    }
}

fn header() -> Message {
    Message::Header(good_header())
}

#[tokio::test(flavor = "multi_thread")]
async fn order_of_messages() {
    let mut nothing_said = case("a message that says nothing", vec![], &["message"]);
    nothing_said.requests = vec![pb::ComputeRequest { message: None }];
    let mut second_header = good_messages();
    second_header.push(header());
    check_cases(vec![
        case("an empty stream", vec![], &["header"]),
        nothing_said,
        case("a chunk before the header", vec![chunk(ACTIVITY, 0, vec![0; 96]), header()], &["header"]),
        case("two headers", vec![header(), header()], &["header"]),
        case("a header after the chunks", second_header, &["header"]),
        case("a header and nothing else", vec![header()], &["activity", "density"]),
        case("no density", vec![header(), chunk(ACTIVITY, 0, vec![0; 96])], &["density"]),
        case("no activity", vec![header(), chunk(DENSITY, 0, bytes_of(&good_density()))], &["activity"]),
        case(
            "both cut short",
            vec![header(), chunk(ACTIVITY, 0, vec![0; 92]), chunk(DENSITY, 0, vec![0; 4])],
            &["activity", "density"],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks() {
    let after = |number: usize, volume: pb::VolumeRole| {
        let mut given = vec![header(), chunk(ACTIVITY, 0, vec![0; 48])];
        given.push(Message::Chunk(pb::VolumeChunk {
            volume: volume.into(),
            offset_bytes: 0,
            data: vec![0; number].into(),
            index: 0,
        }));
        given
    };
    let mut no_density = good_header();
    no_density.density = None;
    no_density.method = Some(pb::Method {
        method: Some(pb::method::Method::Kernel(pb::KernelMethod {
            density_correction: pb::DensityCorrection::Water.into(),
            ..Default::default()
        })),
    });
    let mut unknown = after(48, DENSITY);
    if let Some(Message::Chunk(chunk)) = unknown.last_mut() {
        chunk.volume = 42;
    }
    let mut cases = vec![
        case("a chunk past the end", vec![header(), chunk(ACTIVITY, 0, vec![0; 100])], &["chunk.data"]),
        case(
            "a second chunk past the end",
            vec![header(), chunk(ACTIVITY, 0, vec![0; 92]), chunk(ACTIVITY, 92, vec![0; 8])],
            &["chunk.data"],
        ),
        case(
            "a chunk after the end",
            vec![header(), chunk(ACTIVITY, 0, vec![0; 96]), chunk(ACTIVITY, 96, vec![0; 4])],
            &["chunk.data"],
        ),
        case("values of double width", vec![header(), chunk(ACTIVITY, 0, vec![0; 192])], &["chunk.data"]),
        case("an overlapping chunk", after(48, ACTIVITY), &["chunk.offset_bytes"]),
        case("a gap", vec![header(), chunk(ACTIVITY, 4, vec![0; 92])], &["chunk.offset_bytes"]),
        case(
            "chunks out of order",
            vec![header(), chunk(ACTIVITY, 48, vec![0; 48]), chunk(ACTIVITY, 0, vec![0; 48])],
            &["chunk.offset_bytes"],
        ),
        case(
            "an offset that overflows",
            vec![header(), chunk(ACTIVITY, u64::MAX, vec![0; 4])],
            &["chunk.offset_bytes", "chunk.data"],
        ),
        case("an empty chunk", vec![header(), chunk(ACTIVITY, 0, vec![])], &["chunk.data"]),
        case("half an element", vec![header(), chunk(ACTIVITY, 0, vec![0; 6])], &["chunk.data"]),
        case(
            "a volume that was not announced",
            vec![Message::Header(no_density), chunk(DENSITY, 0, vec![0; 96])],
            &["chunk.volume"],
        ),
        case("a chunk of no volume", after(48, pb::VolumeRole::Unspecified), &["chunk.volume"]),
        case("a chunk of the dose", after(48, pb::VolumeRole::Dose), &["chunk.volume"]),
        case("a chunk of an unknown volume", unknown, &["chunk.volume"]),
    ];
    // Each is found at once, not at the end of the stream.
    cases.iter_mut().for_each(|case| case.held_open = true);
    let mut oversize = case("a message over the limit", vec![header(), chunk(ACTIVITY, 0, vec![0; 5 << 20])], &[]);
    (oversize.code, oversize.reason) = (Code::OutOfRange, "MESSAGE_TOO_LARGE");
    cases.push(oversize);
    check_cases(cases).await;
}

fn with(mut values: Vec<f32>, index: usize, value: f32) -> Vec<f32> {
    values[index] = value;
    values
}

#[tokio::test(flavor = "multi_thread")]
async fn values() {
    let activity = |value| messages(good_header(), &with(good_activity(), 7, value), &good_density());
    let density = |value| messages(good_header(), &good_activity(), &with(good_density(), 23, value));
    let mut mbq_h = good_header();
    mbq_h.activity_unit =
        Some(pb::ActivityUnit { unit: Some(pb::activity_unit::Unit::MbqH(pb::TimeIntegratedMbqH {})) });
    let mut int16 = good_header();
    int16.activity = Some(volume([4, 3, 2], pb::ElementType::Int16));
    let mut float64 = good_header();
    float64.density = Some(volume([4, 3, 2], pb::ElementType::Float64));
    let doubles: Vec<u8> = (0..24).flat_map(|_| 1e300f64.to_le_bytes()).collect();
    let in_kg_m3: Vec<f32> = good_density().iter().map(|v| v * 1000.0).collect();
    check_cases(vec![
        case("an activity that is not a number", activity(f32::NAN), &["activity"]),
        case("an infinite activity", activity(f32::INFINITY), &["activity"]),
        case("an infinite negative activity", activity(f32::NEG_INFINITY), &["activity"]),
        case("a negative activity", activity(-1.0), &["activity"]),
        case("the smallest negative activity", activity(-f32::from_bits(1)), &["activity"]),
        case(
            "an activity in the wrong unit",
            messages(mbq_h, &with(good_activity(), 3, 1e20), &good_density()),
            &["activity"],
        ),
        case("a density that is not a number", density(f32::NAN), &["density"]),
        case("an infinite density", density(f32::INFINITY), &["density"]),
        case("a negative density", density(-0.001), &["density"]),
        case("a density in HU", density(-1000.0), &["density"]),
        case("a density in kg/m³", messages(good_header(), &good_activity(), &in_kg_m3), &["density"]),
        case(
            "negative integers",
            vec![
                Message::Header(int16),
                chunk(ACTIVITY, 0, vec![0xff; 48]),
                chunk(DENSITY, 0, bytes_of(&good_density())),
            ],
            &["activity"],
        ),
        case(
            "a double beyond single precision",
            vec![Message::Header(float64), chunk(ACTIVITY, 0, bytes_of(&good_activity())), chunk(DENSITY, 0, doubles)],
            &["density"],
        ),
        case(
            "both volumes bad",
            messages(good_header(), &with(good_activity(), 0, -1.0), &with(good_density(), 0, f32::NAN)),
            &["activity", "density"],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_message() {
    let server = Server::start(small()).await;
    let channel = tonic::transport::Endpoint::from_shared(server.url.clone()).expect("a URL").connect().await;
    let mut caller = tonic::client::Grpc::new(channel.expect("the server listens"));
    caller.ready().await.expect("the connection stands");
    // A message of another type, whose first field reads as a header with a field that never ends.
    let request = pb::ComputeKernelRequest { nuclide: "\u{a}\u{7f}".into(), ..Default::default() };
    let path = "/dosegrid.v1.DoseService/Compute".parse().expect("a path");
    let codec = tonic_prost::ProstCodec::<pb::ComputeKernelRequest, pb::ComputeResponse>::default();
    let answer = caller.streaming(tonic::Request::new(tokio_stream::once(request)), path, codec).await;
    let status = match answer {
        Ok(stream) => stream.into_inner().message().await.expect_err("no message"),
        Err(status) => status,
    };
    assert_eq!((status.code(), reason_and_fields(&status).0.as_str()), (Code::InvalidArgument, "MALFORMED_MESSAGE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_kernel_requests() {
    let server = Server::start(small()).await;
    let mut client = server.raw().await;
    let good = || pb::ComputeKernelRequest {
        nuclide: "Y-90".into(),
        spacing_mm: vec![4.0; 3],
        radius_voxels: 3,
        ..Default::default()
    };
    let cases = [
        (pb::ComputeKernelRequest { nuclide: "Y-99".into(), ..good() }, vec!["nuclide"]),
        (pb::ComputeKernelRequest { spacing_mm: vec![4.0], ..good() }, vec!["spacing_mm"]),
        (pb::ComputeKernelRequest { spacing_mm: vec![4.0, f64::NAN, 4.0], ..good() }, vec!["spacing_mm"]),
        (pb::ComputeKernelRequest { radius_voxels: 65, ..good() }, vec!["radius_voxels"]),
        (pb::ComputeKernelRequest { truncation_radius_mm: Some(0.0), ..good() }, vec!["truncation_radius_mm"]),
        (pb::ComputeKernelRequest { kernel_medium: 6, ..good() }, vec!["kernel_medium"]),
        (pb::ComputeKernelRequest::default(), vec!["nuclide", "spacing_mm"]),
    ];
    for (request, fields) in cases {
        let status = client.compute_kernel(request).await.expect_err("a bad request");
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(
            reason_and_fields(&status),
            ("INVALID_REQUEST".into(), fields.into_iter().map(Into::into).collect())
        );
    }
}
