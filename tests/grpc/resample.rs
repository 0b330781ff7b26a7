//! `Resample`: a volume put on another grid by the server, as `dosegrid resample` does in its own process.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dosegrid::api::client::Sent;
use dosegrid::api::pb::{self, resample_request::Message, resample_response::Message as Said};
use dosegrid::domain::{LabelMap, NanRule, Organ, Organs, Part, RigidTransform, Volume, VoxelGrid};
use dosegrid::intake::{
    InputRole, RawOrganVolume, RawRegrid, RawTarget, RegridKind, Regridded, Regridding, regrid_without_nan,
};
use dosegrid::request::{RawGrid, RawVolume};
use tokio_stream::{Stream, StreamExt};
use tonic::{Code, Request, Status};

use super::{Server, bytes_of, in_time, reason_and_fields, small, until, volume};

fn grid(shape: [u64; 3], edge_mm: f64, first_mm: f64) -> Arc<VoxelGrid> {
    let affine = [0, 1, 2].map(|row| {
        let mut line = [0.0, 0.0, 0.0, first_mm];
        line[row] = edge_mm;
        line
    });
    Arc::new(VoxelGrid::new(shape, [edge_mm; 3]).and_then(|grid| grid.with_affine(affine)).expect("a good grid"))
}

fn source() -> Volume<f32> {
    let values = (0..8u16 * 7 * 6).map(|i| f32::from(i % 11) * 0.1 + f32::from(i / 100)).collect();
    Volume::from_vec(grid([8, 7, 6], 4.0, 1.0), values).expect("a value for each voxel")
}

/// A turn about z and a shift.
fn motion() -> RigidTransform {
    let (sin, cos) = 0.2f64.sin_cos();
    let matrix = [[cos, -sin, 0.0, 1.5], [sin, cos, 0.0, -2.0], [0.0, 0.0, 1.0, 0.5]];
    RigidTransform::new(matrix).expect("a rotation")
}

fn raw(kind: RegridKind, target: RawTarget, transform: Option<&RigidTransform>) -> RawRegrid {
    RawRegrid {
        kind: Some(kind.name().to_owned()),
        source: Part::Good(RawVolume::from(&**source().grid())),
        target: Part::Good(target),
        target_to_source_mm: transform.map(|motion| motion.matrix().as_flattened().to_vec()).unwrap_or_default(),
        ..RawRegrid::default()
    }
}

fn sent(role: InputRole, bytes: Vec<u8>) -> Sent {
    Sent { role, bytes: bytes.into() }
}

fn assert_same(found: &Regridded, expected: &Regridded, what: &str) {
    assert_eq!(found.account, expected.account, "{what}");
    assert!(found.values == expected.values, "{what}: other values");
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_of_every_kind_are_those_of_this_process() {
    let server = Server::start(small()).await;
    let client = server.client().await;
    let (source, motion) = (source(), motion());
    let fine = grid([20, 17, 16], 2.0, 0.3);
    let numbers = RegridKind::ALL.into_iter().filter(|kind| *kind != RegridKind::Labels);
    for (kind, motion) in numbers.flat_map(|kind| [(kind, None), (kind, Some(&motion))]) {
        let regrid = raw(kind, RawTarget::Grid(RawGrid::from(&*fine)), motion).check().expect("a good header");
        let volumes = [sent(InputRole::Source, bytes_of(source.as_slice()))];
        let found = client.resample(&regrid, volumes).await.expect("a volume");
        let own = Regridding::new(kind, source.grid(), &fine, motion.unwrap_or(&RigidTransform::IDENTITY));
        assert_same(&found, &own.numbers(&source).expect("its grid"), &format!("{kind:?}"));
        assert_eq!(found.account.exact, motion.is_none());
    }
    // Cubes over the whole of the source keep the total.
    let regrid = raw(RegridKind::Activity, RawTarget::Spacing(3.0), None).check().expect("a good header");
    let volumes = [sent(InputRole::Source, bytes_of(source.as_slice()))];
    let found = client.resample(&regrid, volumes).await.expect("a volume");
    let [before, after] = found.account.sums.expect("a total");
    assert!((after / before - 1.0).abs() < 1e-6 && found.account.share_outside < Some(1e-6), "{:?}", found.account);
}

#[tokio::test(flavor = "multi_thread")]
async fn organs_may_come_as_labels_and_as_volumes_of_their_own() {
    let server = Server::start(small()).await;
    let own_grid = source().grid().clone();
    let liver: Vec<u32> = (40..200).collect();
    let labels: Vec<u16> = (0..336u32).map(|i| if liver.contains(&i) { 7 } else { 0 }).collect();
    let shares: Vec<f32> = (0..336u16).map(|i| if i % 5 == 0 { 0.5 } else { 0.0 }).collect();
    let map = LabelMap::of(Volume::from_vec(own_grid.clone(), labels.clone()).expect("a label for each voxel"));
    let part = Volume::from_vec(own_grid.clone(), shares.clone()).expect("a share for each voxel");
    let part = Organ::of_shares(60_000, None, &part).expect("shares");
    let mut all = Organs::of_map(&map).expect("few voxels").organs().to_vec();
    all.push(part);
    let organs = Organs::new(own_grid.clone(), all).expect("unlike labels");
    let fine = grid([20, 17, 16], 2.0, 0.3);
    let regridding = Regridding::new(RegridKind::Labels, &own_grid, &fine, &RigidTransform::IDENTITY);
    let expected = regridding.organs(&organs).expect("its grid");
    assert!(expected.account.overlapping_voxels > 0);
    let described = |element: &str| RawVolume { element_type: Some(element.to_owned()), ..RawVolume::from(&*own_grid) };
    let raw = RawRegrid {
        source: Part::Good(described("uint16")),
        organ_volumes: vec![RawOrganVolume { volume: Part::Good(described("float32")), label: 60_000 }],
        ..raw(RegridKind::Labels, RawTarget::Grid(RawGrid::from(&*fine)), None)
    };
    let volumes = [
        sent(InputRole::Organ(0), bytes_of(&shares)),
        sent(InputRole::Source, labels.iter().flat_map(|label| label.to_le_bytes()).collect()),
    ];
    let found = server.client().await.resample(&raw.check().expect("a good header"), volumes).await;
    assert_same(&found.expect("labels"), &expected, "labels");
}

#[tokio::test(flavor = "multi_thread")]
async fn nan_is_refused_or_taken_as_asked() {
    let server = Server::start(small()).await;
    let mut values = source().as_slice().to_vec();
    values[17] = f32::NAN;
    let bad = Volume::from_vec(source().grid().clone(), values).expect("a value for each voxel");
    let fine = grid([20, 17, 16], 2.0, 0.3);
    let target = || RawTarget::Grid(RawGrid::from(&*fine));
    let send = async |raw: RawRegrid| {
        let regrid = raw.check().expect("a good header");
        server.client().await.resample(&regrid, [sent(InputRole::Source, bytes_of(bad.as_slice()))]).await
    };
    let refused = send(raw(RegridKind::Ct, target(), None)).await.expect_err("NaN").to_string();
    assert!(refused.contains("source") && refused.contains("1 of 336 voxels is NaN"), "{refused}");
    let asked = RawRegrid { nan: Some("zero".to_owned()), ..raw(RegridKind::Ct, target(), None) };
    let found = send(asked).await.expect("a volume");
    let (filled, count) = regrid_without_nan(RegridKind::Ct, bad.clone(), NanRule::Zero).expect("allowed");
    let own = Regridding::new(RegridKind::Ct, bad.grid(), &fine, &RigidTransform::IDENTITY);
    assert!(found.values == own.numbers(&filled).expect("its grid").values);
    assert_eq!((found.account.nan_voxels, count), (1, 1));
}

fn header() -> pb::ResampleHeader {
    pb::ResampleHeader {
        kind: pb::ResampleKind::Density.into(),
        source: Some(volume([4, 3, 2], pb::ElementType::Float32)),
        target: Some(pb::resample_header::Target::SpacingMm(1.5)),
        ..Default::default()
    }
}

fn requests(messages: Vec<Message>) -> impl Stream<Item = pb::ResampleRequest> + Send + 'static {
    tokio_stream::iter(messages).map(|message| pb::ResampleRequest { message: Some(message) })
}

fn piece(role: pb::VolumeRole, offset_bytes: u64, data: Vec<u8>) -> Message {
    Message::Chunk(pb::VolumeChunk { volume: role.into(), offset_bytes, data: Bytes::from(data), index: 0 })
}

async fn resample(
    server: &Server,
    requests: impl Stream<Item = pb::ResampleRequest> + Send + 'static,
) -> Result<(pb::ResampleResult, Vec<u8>), Status> {
    let mut responses = server.raw().await.resample(requests).await?.into_inner();
    let (mut result, mut bytes) = (None, Vec::new());
    while let Some(response) = responses.message().await? {
        match response.message.expect("a server's message says something") {
            Said::Result(message) => result = Some(message),
            Said::Chunk(chunk) => {
                assert_eq!(chunk.volume(), pb::VolumeRole::Resampled);
                bytes.extend_from_slice(&chunk.data);
            }
        }
    }
    Ok((result.expect("a call that succeeds has a result"), bytes))
}

type Edit = fn(&mut pb::ResampleHeader);

/// What is refused by the header alone, while the caller waits for an answer before it sends anything more.
#[tokio::test(flavor = "multi_thread")]
async fn bad_headers_are_refused_at_once_with_every_fault() {
    let organ = || pb::OrganVolume { volume: Some(volume([4, 3, 3], pb::ElementType::Uint8)), label: 3 };
    let cases: Vec<(&str, Edit, &[&str])> = vec![
        ("nothing", |h| *h = pb::ResampleHeader::default(), &["kind", "source", "target"]),
        (
            "many at once",
            |h| {
                (h.kind, h.nan) = (77, 9);
                h.target = Some(pb::resample_header::Target::SpacingMm(f64::NAN));
                h.target_to_source_mm = vec![1.1; 12];
                h.source.as_mut().expect("given").element_type = 99;
            },
            &["kind", "nan", "source.element_type", "target_to_source_mm", "target_to_source_mm"],
        ),
        ("a spacing of 0", |h| h.target = Some(pb::resample_header::Target::SpacingMm(0.0)), &["spacing_mm"]),
        (
            "a grid of no voxel",
            |h| h.target = Some(pb::resample_header::Target::Grid(pb::VoxelGrid::default())),
            &["grid.shape", "grid.spacing_mm"],
        ),
        ("NaN of labels", |h| (h.kind, h.nan) = (pb::ResampleKind::Labels.into(), 2), &["nan"]),
        ("one that is kept", |h| h.source.as_mut().expect("given").digest = "ab".into(), &["source.digest"]),
        ("a wrong size", |h| h.source.as_mut().expect("given").size_bytes = Some(u64::MAX), &["source.size_bytes"]),
    ];
    let server = Server::start(small()).await;
    let check = async |name: &str, header: pb::ResampleHeader, fields: &[&str]| {
        let given = requests(vec![Message::Header(header)]).chain(tokio_stream::pending());
        let status = resample(&server, given).await.expect_err(name);
        assert_eq!(status.code(), Code::InvalidArgument, "{name}: {status:?}");
        let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
        assert_eq!(reason_and_fields(&status), ("INVALID_REQUEST".to_owned(), fields), "{name}");
    };
    for (name, edit, fields) in cases {
        let mut header = header();
        edit(&mut header);
        check(name, header, fields).await;
    }
    let kind = pb::ResampleKind::Labels.into();
    let elsewhere = pb::ResampleHeader { kind, organ_volumes: vec![organ()], ..header() };
    check("an organ elsewhere", elsewhere, &["organ_volumes[0].volume.grid"]).await;
    let of_density = pb::ResampleHeader { organ_volumes: vec![organ()], ..header() };
    check("organs of a density", of_density, &["organ_volumes", "organ_volumes[0].volume.grid"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_fit_is_refused_at_the_header() {
    let server = Server::start(small()).await;
    let huge = |shape: [u32; 3]| Some(volume(shape, pb::ElementType::Float32));
    let on = |source: Option<pb::VolumeDescriptor>| {
        pb::resample_header::Target::Grid(source.expect("given").grid.expect("given"))
    };
    let headers = [
        pb::ResampleHeader { source: huge([1000; 3]), ..header() },
        pb::ResampleHeader { target: Some(on(huge([1000; 3]))), ..header() },
        pb::ResampleHeader { target: Some(pb::resample_header::Target::SpacingMm(0.01)), ..header() },
    ];
    for header in headers {
        let given = requests(vec![Message::Header(header)]).chain(tokio_stream::pending());
        let status = resample(&server, given).await.expect_err("too large");
        assert_eq!(
            (status.code(), reason_and_fields(&status).0.as_str()),
            (Code::FailedPrecondition, "REQUEST_TOO_LARGE")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_streams_are_refused_and_the_next_call_is_served() {
    let server = Server::start(small()).await;
    let values: Vec<f32> = (0..24u8).map(f32::from).collect();
    let good = || vec![Message::Header(header()), piece(pb::VolumeRole::Source, 0, bytes_of(&values))];
    let expected = resample(&server, requests(good())).await.expect("a volume");
    let head = || Message::Header(header());
    let cases = [
        ("no message", vec![], "header"),
        ("a chunk first", vec![piece(pb::VolumeRole::Source, 0, vec![0; 4])], "header"),
        ("two headers", vec![head(), head()], "header"),
        ("a gap", vec![head(), piece(pb::VolumeRole::Source, 4, vec![0; 4])], "chunk.offset_bytes"),
        ("too much", vec![head(), piece(pb::VolumeRole::Source, 0, vec![0; 100])], "chunk.data"),
        ("another volume", vec![head(), piece(pb::VolumeRole::Activity, 0, vec![0; 4])], "chunk.volume"),
        ("a volume of the server", vec![head(), piece(pb::VolumeRole::Resampled, 0, vec![0; 4])], "chunk.volume"),
        ("half a volume", vec![head(), piece(pb::VolumeRole::Source, 0, vec![0; 48])], "source"),
    ];
    for (name, messages, field) in cases {
        let status = resample(&server, requests(messages)).await.expect_err(name);
        assert_eq!(status.code(), Code::InvalidArgument, "{name}");
        assert_eq!(reason_and_fields(&status).1, [field], "{name}");
        let next = resample(&server, requests(good())).await.expect("a volume");
        assert_eq!(next, expected, "after {name}");
    }
    // A source is no volume of a dose.
    let given = vec![super::Message::Header(super::good_header()), super::chunk(pb::VolumeRole::Source, 0, vec![0; 4])];
    let status = super::compute(server.raw().await, super::stream_of(given)).await.expect_err("no such volume");
    assert_eq!(reason_and_fields(&status).1, ["chunk.volume"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_or_is_late_gives_its_memory_back() {
    let server = Server::start(small()).await;
    // One takes 41 MB of 64 MiB: the second is told to come again.
    let large = || pb::ResampleHeader {
        source: Some(volume([128, 128, 80], pb::ElementType::Float32)),
        target: Some(pb::resample_header::Target::SpacingMm(3.0)),
        ..header()
    };
    let unending = || requests(vec![Message::Header(large())]).chain(tokio_stream::pending());
    let mut late = Request::new(unending());
    late.set_timeout(Duration::from_millis(200));
    let first = server.raw().await.resample(unending()).await.expect("it begins");
    let mut second = server.raw().await.resample(unending()).await.expect("it begins").into_inner();
    let status = second.message().await.expect_err("the memory is taken");
    assert_eq!((status.code(), reason_and_fields(&status).0.as_str()), (Code::ResourceExhausted, "SERVER_BUSY"));
    drop(first);
    let is_served = async || {
        let values = vec![1u8; 128 * 128 * 80 * 4];
        let messages = vec![
            Message::Header(large()),
            piece(pb::VolumeRole::Source, 0, values[..1 << 21].to_vec()),
            piece(pb::VolumeRole::Source, 1 << 21, values[1 << 21..].to_vec()),
        ];
        resample(&server, requests(messages)).await.is_ok()
    };
    in_time("the memory comes back", async { while !is_served().await {} }).await;
    let mut answer = server.raw().await.resample(late).await.expect("it begins").into_inner();
    let status = answer.message().await.expect_err("its deadline passes");
    assert_eq!(status.code(), Code::DeadlineExceeded);
    until("the device was never asked", || server.waiting() == 0).await;
}
