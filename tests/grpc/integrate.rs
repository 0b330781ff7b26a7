//! `Integrate`: activity maps over time, integrated by the server as `dosegrid integrate` does in its own process.

use bytes::Bytes;
use dosegrid::api::pb::{self, integrate_request::Message, integrate_response::Message as Said};
use dosegrid::clinic::{
    Frames, Moment, PointDraft, SeriesDraft, SharingOptions, ValueRefersTo, VoxelOptions, integrate_voxels, regions_of,
    share_out,
};
use dosegrid::domain::{LabelMap, Organs, Volume};
use tokio_stream::{Stream, StreamExt};
use tonic::{Code, Status};

use super::{MIB, Server, ServerConfig, bytes_of, reason_and_fields, small, volume};

const SHAPE: [u32; 3] = [4, 3, 2];
const TIMES_H: [f64; 3] = [96.0, 24.0, 168.0];

/// Activity at a time [MBq a voxel]: each voxel with its own amplitude and rate.
fn map(time_h: f64) -> Vec<f32> {
    let value = |voxel: u8| {
        let (amplitude, rate) = (1.0 + f64::from(voxel), 0.01 + 0.0005 * f64::from(voxel));
        #[expect(clippy::cast_possible_truncation, reason = "single precision")]
        {
            (amplitude * (-rate * time_h).exp()) as f32
        }
    };
    (0..24).map(value).collect()
}

fn header() -> pb::IntegrateHeader {
    let scan = |time_h| pb::Scan {
        volume: Some(volume(SHAPE, pb::ElementType::Float32)),
        time_h: Some(time_h),
        duration_h: None,
    };
    pb::IntegrateHeader {
        scans: TIMES_H.map(scan).to_vec(),
        unit: pb::MapUnit::Mbq.into(),
        nuclide: "Lu-177".into(),
        administered_activity_mbq: Some(7400.0),
        ..Default::default()
    }
}

fn labels() -> Vec<u8> {
    (0..24).map(|voxel| if voxel % 4 < 2 { 5 } else { 0 }).collect()
}

fn piece(role: pb::VolumeRole, index: u32, data: Vec<u8>) -> Message {
    Message::Chunk(pb::VolumeChunk { volume: role.into(), offset_bytes: 0, data: Bytes::from(data), index })
}

/// The maps, in another order than the header's.
fn pieces() -> Vec<Message> {
    let numbers = [2, 0, 1];
    numbers.map(|number: u32| piece(pb::VolumeRole::Scan, number, bytes_of(&map(TIMES_H[number as usize])))).to_vec()
}

fn requests(messages: Vec<Message>) -> impl Stream<Item = pb::IntegrateRequest> + Send + 'static {
    tokio_stream::iter(messages).map(|message| pb::IntegrateRequest { message: Some(message) })
}

/// What came of it: the result, the map, and how often progress was told.
async fn integrate(
    server: &Server,
    requests: impl Stream<Item = pb::IntegrateRequest> + Send + 'static,
) -> Result<(pb::IntegrateResult, Vec<f32>, usize), Status> {
    let mut responses = server.raw().await.integrate(requests).await?.into_inner();
    let (mut result, mut bytes, mut progress) = (None, Vec::new(), 0);
    while let Some(response) = responses.message().await? {
        match response.message.expect("a server's message says something") {
            Said::Fraction(fraction) => {
                assert!((0.0..=1.0).contains(&fraction) && result.is_none(), "{fraction}");
                progress += 1;
            }
            Said::Result(message) => result = Some(message),
            Said::Chunk(chunk) => {
                assert_eq!(chunk.volume(), pb::VolumeRole::TimeIntegratedActivity);
                bytes.extend_from_slice(&chunk.data);
            }
        }
    }
    let map = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Ok((result.expect("a call that succeeds has a result"), map, progress))
}

fn frames() -> Frames {
    let point =
        |time_h| PointDraft { time: Moment::Hours(time_h), activity_mbq: 1.0, sigma_mbq: None, duration_h: None };
    let half_life_s = dosegrid::physics::nuclide::find("Lu-177").expect("known").half_life_s;
    Frames::new(&SeriesDraft {
        points: TIMES_H.map(point).to_vec(),
        injection: None,
        physical_half_life_h: half_life_s / 3600.0,
        administered_activity_mbq: Some(7400.0),
        infusion_h: 0.0,
        refers_to: ValueRefersTo::AcquisitionMean,
    })
    .expect("times")
}

#[expect(clippy::cast_possible_truncation, reason = "as it is sent")]
fn in_bq_s(tia_mbq_h: &[f64]) -> Vec<f32> {
    tia_mbq_h.iter().map(|tia| (tia * 3.6e9) as f32).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn integrals_of_regions_are_those_of_this_process() {
    let server = Server::start(small()).await;
    let header = pb::IntegrateHeader { labels: Some(volume(SHAPE, pb::ElementType::Uint8)), ..header() };
    let mut messages = vec![Message::Header(header)];
    messages.extend(pieces());
    messages.push(piece(pb::VolumeRole::Labels, 0, labels()));
    let (result, found, _) = integrate(&server, requests(messages)).await.expect("integrals");

    let grid = dosegrid::domain::VoxelGrid::new([4, 3, 2], [4.0; 3]).expect("a good grid");
    let map_of = Volume::from_vec(grid.into(), labels().into_iter().map(u16::from).collect()).expect("a label a voxel");
    let organs = Organs::of_map(&LabelMap::of(map_of)).expect("few voxels");
    let maps = TIMES_H.map(map);
    let slices: Vec<&[f32]> = maps.iter().map(Vec::as_slice).collect();
    let regions = regions_of(&organs).expect("regions");
    let own = share_out(&frames(), &slices, &regions, &SharingOptions::default()).expect("maps");
    assert_eq!(found, in_bq_s(&own.tia_mbq_h));
    assert_eq!(result.regions.len(), 2);
    for (said, own) in result.regions.iter().zip(&own.regions) {
        assert_eq!((said.name.as_str(), said.tia_mbq_h), (own.name.as_str(), own.integration.tia_mbq_h));
        assert_eq!(said.tia_coefficient_h, Some(own.integration.tia_mbq_h / 7400.0));
        assert_eq!(said.points.iter().map(|point| point.time_h).collect::<Vec<_>>(), [24.0, 96.0, 168.0]);
        assert!(said.points.iter().all(|point| point.fitted_mbq.is_some()) && said.half_lives_h.len() == 1);
    }
    assert_eq!([result.regions[0].label, result.regions[1].label], [5, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn integrals_of_voxels_are_those_of_this_process_with_progress() {
    let server = Server::start(small()).await;
    let mut messages = vec![Message::Header(pb::IntegrateHeader { voxelwise: true, ..header() })];
    messages.extend(pieces());
    let (result, found, progress) = integrate(&server, requests(messages)).await.expect("integrals");
    let maps = TIMES_H.map(map);
    let slices: Vec<&[f32]> = maps.iter().map(Vec::as_slice).collect();
    let own = integrate_voxels(&frames(), &slices, &VoxelOptions::default()).expect("maps");
    assert_eq!(found, in_bq_s(&own.tia_mbq_h));
    assert!(progress >= 1 && result.regions.is_empty());
    assert_eq!(result.voxel_kinds.iter().map(|kind| kind.voxels).sum::<u64>(), 24);
    assert!((result.tia_mbq_h / own.sum_mbq_h() - 1.0).abs() < 1e-12);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_implausible_of_voxels_is_told_by_its_field() {
    let server = Server::start(small()).await;
    let mut told = Vec::new();
    for sigma in [0.05, 5.0] {
        let header = pb::IntegrateHeader { voxelwise: true, activity_relative_sigma: Some(sigma), ..header() };
        let mut messages = vec![Message::Header(header)];
        messages.extend(pieces());
        let (result, ..) = integrate(&server, requests(messages)).await.expect("integrals");
        let reasons = result.warning_details.iter().map(|told| told.reason.clone());
        assert_eq!(result.warnings.len(), result.warning_details.len());
        told.push((reasons.collect::<Vec<_>>(), result.warning_details.last().map(|told| told.field.clone())));
    }
    assert!(!told[0].0.contains(&"SIGMA_HIGH".to_owned()), "{told:?}");
    assert_eq!(told[1].0.last().map(String::as_str), Some("SIGMA_HIGH"), "{told:?}");
    assert_eq!(told[1].1.as_deref(), Some("activity_relative_sigma"));
}

type Edit = fn(&mut pb::IntegrateHeader);

#[tokio::test(flavor = "multi_thread")]
async fn bad_headers_are_refused_at_once_with_every_fault() {
    let cases: Vec<(&str, Edit, &[&str])> = vec![
        ("nothing", |h| *h = pb::IntegrateHeader::default(), &["nuclide", "scans", "unit"]),
        (
            "many at once",
            |h| {
                (h.unit, h.value_refers_to) = (77, 9);
                (h.nuclide, h.model, h.weighting) = ("Xx-1".into(), "cubic".into(), "heavy".into());
                h.scans[1].time_h = None;
            },
            &["model", "nuclide", "scans[1].time_h", "unit", "value_refers_to", "weighting"],
        ),
        ("one scan", |h| h.scans.truncate(1), &["scans"]),
        (
            "several scans, and what is known of one",
            |h| {
                h.one_scan = vec![pb::RegionMethod { label: 0, method: None }];
                h.reference_time_h = Some(24.0);
            },
            &["one_scan", "one_scan[0].method.method", "reference_time_h"],
        ),
        (
            "another grid",
            |h| h.scans[2].volume = Some(volume([4, 3, 3], pb::ElementType::Float32)),
            &["scans[2].volume.grid"],
        ),
        ("a time below 0", |h| h.scans[0].time_h = Some(-1.0), &["scans[0].time_h"]),
        ("a scan after 1e12 h", |h| h.scans[2].time_h = Some(1e12), &["scans[2].time_h"]),
        ("an infusion of 1e12 h", |h| h.infusion_h = 1e12, &["infusion_h"]),
        ("a σ of 1e300", |h| h.activity_relative_sigma = Some(1e300), &["activity_relative_sigma"]),
        ("a model of regions", |h| (h.voxelwise, h.model) = (true, "physical".into()), &["model"]),
        (
            "what voxels do not take",
            |h| {
                (h.voxelwise, h.reference_time_h) = (true, Some(24.0));
                h.labels = Some(volume(SHAPE, pb::ElementType::Uint8));
            },
            &["labels", "reference_time_h"],
        ),
    ];
    let server = Server::start(small()).await;
    for (name, edit, fields) in cases {
        let mut header = header();
        edit(&mut header);
        let given = requests(vec![Message::Header(header)]).chain(tokio_stream::pending());
        let status = integrate(&server, given).await.expect_err(name);
        assert_eq!(status.code(), Code::InvalidArgument, "{name}: {status}");
        let (_, mut found) = reason_and_fields(&status);
        found.sort();
        assert_eq!(found, fields, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn maps_that_are_bad_or_not_there_are_named() {
    let server = Server::start(small()).await;
    let mut messages = vec![Message::Header(header())];
    messages.extend(pieces().into_iter().take(2));
    let status = integrate(&server, requests(messages)).await.expect_err("a map is missing");
    assert_eq!(reason_and_fields(&status).1, ["scans[1].volume"]);
    let messages = vec![Message::Header(header()), piece(pb::VolumeRole::Scan, 3, vec![0; 96])];
    let status = integrate(&server, requests(messages)).await.expect_err("a scan too many");
    assert_eq!(reason_and_fields(&status).1, ["chunk.volume"]);
}

/// Regions of a known exponential: four measurements of one, one of the other.
fn curves() -> pb::IntegrateCurvesRequest {
    let point = |hours: f64| pb::MeasuredPoint {
        time: Some(pb::measured_point::Time::Hours(hours)),
        activity_mbq: 100.0 * (-RATE_PER_H * hours).exp(),
        ..Default::default()
    };
    let kidneys = pb::MeasuredRegion {
        name: "kidneys".into(),
        points: [96.0, 4.0, 24.0].map(point).to_vec(),
        ..Default::default()
    };
    let known = pb::OnePointMethod {
        method: "population_half_life".into(),
        half_life_h: Some(std::f64::consts::LN_2 / RATE_PER_H),
        half_life_relative_sd: Some(0.1),
        ..Default::default()
    };
    let spleen = pb::MeasuredRegion { name: "spleen".into(), points: vec![point(72.0)], one_point: Some(known) };
    pb::IntegrateCurvesRequest {
        regions: vec![kidneys, spleen],
        nuclide: "Lu-177".into(),
        administered_activity_mbq: Some(7400.0),
        ..Default::default()
    }
}

/// Regions of a request that takes long.
const LONG_REGIONS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_of_curves_waits_for_no_others_and_who_leaves_makes_room() {
    // With room for a request of 5 MB.
    let server = Server::start(ServerConfig { memory_bytes: 1024 * MIB, ..small() }).await;
    // Many seconds of work, whatever the machine: a region takes a fifth of one.
    let mut many = curves();
    many.regions = vec![many.regions[0].clone(); LONG_REGIONS];
    for (number, region) in many.regions.iter_mut().enumerate() {
        region.name = format!("region {number}");
        let more = (0..197).map(|point| {
            let hours = 4.0 + f64::from(point);
            let activity_mbq = 90.0 * (-RATE_PER_H * hours).exp() + f64::from(point % 7);
            let time = Some(pb::measured_point::Time::Hours(hours));
            pb::MeasuredPoint { time, activity_mbq, ..Default::default() }
        });
        region.points.extend(more);
    }
    let mut client = server.raw().await;
    let long = tokio::spawn(async move { client.integrate_curves(many).await });
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let status = server.raw().await.integrate_curves(pb::IntegrateCurvesRequest::default()).await.expect_err("nothing");
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    let budget = server.raw().await.compute_budget(pb::ComputeBudgetRequest::default()).await;
    assert_eq!(budget.expect_err("nothing").code(), Code::InvalidArgument);
    assert!(!long.is_finished(), "it ended: {:?}", long.await.map(|answer| answer.map(drop)));
    long.abort();
    server.raw().await.integrate_curves(curves()).await.expect("it takes a turn at once");
}

/// Of the curves above [1/h].
const RATE_PER_H: f64 = 0.0133;
/// A fit of points without noise.
const NOISELESS: f64 = 1e-6;

#[tokio::test(flavor = "multi_thread")]
async fn curves_of_regions_are_integrated_and_faults_have_their_paths() {
    use pb::integrated_region::Found;
    let server = Server::start(small()).await;
    let answer = server.raw().await.integrate_curves(curves()).await.expect("integrals").into_inner();
    let [Some(Found::Curve(kidneys)), Some(Found::OnePoint(spleen))] =
        [answer.regions[0].found.clone(), answer.regions[1].found.clone()]
    else {
        panic!("a curve and one measurement, not {answer:?}")
    };
    let expected = 100.0 / RATE_PER_H;
    for (name, found) in [("kidneys", kidneys.tia_mbq_h), ("spleen", spleen.tia_mbq_h)] {
        assert!((found / expected - 1.0).abs() < NOISELESS, "{name}: {found}, expected {expected}");
    }
    assert_eq!((kidneys.name.as_str(), kidneys.model.as_str(), kidneys.voxels), ("kidneys", "mono", 0));
    assert_eq!(kidneys.points.iter().map(|point| point.time_h).collect::<Vec<_>>(), [4.0, 24.0, 96.0]);
    assert_eq!(spleen.tia_coefficient_h, Some(spleen.tia_mbq_h / 7400.0));
    assert_eq!((spleen.name.as_str(), spleen.method.as_str()), ("spleen", "population_half_life"));

    type EditCurves = fn(&mut pb::IntegrateCurvesRequest);
    let cases: Vec<(&str, EditCurves, &[&str])> = vec![
        ("nothing", |r| *r = pb::IntegrateCurvesRequest::default(), &["nuclide", "regions"]),
        (
            "words",
            |r| {
                (r.model, r.weighting, r.between) = ("cubic".into(), "heavy".into(), "over".into());
                (r.before_first, r.value_refers_to) = ("never".into(), 9);
            },
            &["before_first", "between", "model", "value_refers_to", "weighting"],
        ),
        (
            "what is not there",
            |r| {
                r.regions[0].points[1].time = None;
                r.regions[1].points.clear();
                r.regions[1].one_point = Some(pb::OnePointMethod { method: "guess".into(), ..Default::default() });
            },
            &["regions[0].points[1].time", "regions[1].one_point.method", "regions[1].points"],
        ),
        (
            "measurements, and what all have",
            |r| {
                r.infusion_h = -1.0;
                r.regions[0].points[2].activity_mbq = f64::NAN;
                r.regions[1].points[0].sigma_mbq = Some(0.0);
            },
            &["infusion_h", "regions[0].points[2].activity_mbq", "regions[1].points[0].sigma_mbq"],
        ),
        (
            "what cannot be done",
            |r| {
                (r.model, r.weighting) = ("bi_washout".into(), "sigma".into());
                r.regions[1].one_point = None;
            },
            &["regions[0]", "regions[0].points", "regions[1]", "regions[1].points"],
        ),
    ];
    for (name, edit, fields) in cases {
        let mut request = curves();
        edit(&mut request);
        let status = server.raw().await.integrate_curves(request).await.expect_err(name);
        assert_eq!(status.code(), Code::InvalidArgument, "{name}: {status}");
        let (_, mut found) = reason_and_fields(&status);
        found.sort();
        assert_eq!(found, fields, "{name}");
    }
}
