//! Whole computations: the same dose as in process, whatever way the volumes took.

use std::sync::Arc;

use dosegrid::api::pb::{self, activity_unit::Unit};
use dosegrid::domain::{
    ActivityUnit, Control, DensityCorrection, DensityMap, DoseError, DoseRequest, DoseResult, KernelOptions,
    LocalOptions, Method, Stage, TimeIntegratedActivity, Volume, VoxelGrid,
};
use dosegrid::math::watch::Unwatched;
use dosegrid::physics::kernel::integrate;
use dosegrid::{api::ServerConfig, physics::nuclide};
use tonic::Code;

use crate::support::cpu;
use crate::support::sources::kernel_spec;

use super::{
    Message, Server, bytes_of, chunk, compute, good_activity, good_density, good_header, messages, reason_and_fields,
    small, stream_of, volume,
};

/// A request of several chunks per volume, odd in every axis.
pub(super) fn request(shape: [u64; 3], method: Method) -> DoseRequest {
    let affine = [[-2.0, 0.0, 0.0, 90.0], [0.0, 2.5, 0.0, -126.0], [0.0, 0.0, 3.0, -72.5]];
    let grid = VoxelGrid::new(shape, [2.0, 2.5, 3.0]).and_then(|grid| grid.with_affine(affine)).expect("a good grid");
    let grid = Arc::new(grid);
    let voxels = u32::try_from(grid.voxels()).expect("few voxels");
    // Any fixed pattern without symmetry will do.
    let scrambled = |i: u32| f32::from(u16::try_from(i.wrapping_mul(2_654_435_761) >> 16).expect("16 bits"));
    let activity = (0..voxels).map(|i| if i % 3 == 0 { 0.0 } else { 1e6 * scrambled(i) }).collect();
    let density = (0..voxels).map(|i| scrambled(i + 7) / 40_000.0).collect();
    let activity = Volume::from_vec(grid.clone(), activity).expect("a value for each voxel");
    let density = Volume::from_vec(grid, density).expect("a value for each voxel");
    DoseRequest::new(
        TimeIntegratedActivity::new(activity, ActivityUnit::BqS).expect("good"),
        Some(DensityMap::new(density).expect("good")),
        nuclide::find("Lu-177").expect("known"),
        method,
    )
    .expect("a good request")
}

pub(super) fn local() -> Method {
    Method::Local(LocalOptions::default())
}

/// The same computation without a server.
pub(super) fn in_process(request: &DoseRequest) -> DoseResult {
    let limits = ServerConfig::default().plan_limits();
    dosegrid::compute(request, &mut cpu(), &limits, &Control::detached()).expect("a dose")
}

/// Equal to the last bit, but for how long it took.
pub(super) fn assert_same(mut a: DoseResult, mut b: DoseResult) {
    let bits = |result: &DoseResult| result.dose.as_slice().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert!(bits(&a) == bits(&b), "the doses differ");
    let stages = |result: &DoseResult| result.provenance.wall_time.iter().map(|t| t.stage.clone()).collect::<Vec<_>>();
    assert_eq!(stages(&a), stages(&b));
    for result in [&mut a, &mut b] {
        result.provenance.wall_time.clear();
        result.provenance.daughter_maps.iter_mut().for_each(|map| map.wall_time.clear());
    }
    assert_eq!(a, b);
}

#[tokio::test(flavor = "multi_thread")]
async fn dose_is_that_of_the_same_process_to_the_last_bit() {
    let server = Server::start(ServerConfig::default()).await;
    let client = server.client().await;
    for shape in [[1, 1, 1], [5, 1, 9], [97, 101, 53]] {
        let request = request(shape, local());
        let mut stages = Vec::new();
        let result = client.compute(&request, |progress| stages.push(progress.stage)).await.expect("a dose");
        // Progress that is not read in time is left out; what comes is in order.
        let order = [Stage::Queued, Stage::Kernel, Stage::Dose, Stage::Finish];
        let places = stages.iter().map(|stage| order.iter().position(|other| other == stage).expect("a stage"));
        assert!(places.is_sorted(), "{shape:?}: {stages:?}");
        assert!(result.dose.as_slice().iter().any(|&gy| gy > 0.0) || shape == [1, 1, 1], "{shape:?}");
        assert_same(result, in_process(&request));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kernel_dose_is_that_of_the_same_process_to_the_last_bit() {
    let server = Server::start(ServerConfig::default()).await;
    let client = server.client().await;
    let water = KernelOptions {
        density_correction: DensityCorrection::None,
        truncation_radius_mm: Some(12.0),
        ..KernelOptions::default()
    };
    for (shape, options) in [([17, 1, 23], KernelOptions::default()), ([21, 20, 19], water)] {
        let request = request(shape, Method::Kernel(options));
        let result = client.compute(&request, |_| {}).await.expect("a dose");
        let kernel = result.provenance.kernel.as_ref().expect("a kernel was used");
        assert_eq!(kernel.truncation_radius_mm, options.truncation_radius_mm);
        assert_same(result, in_process(&request));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_chunk_is_as_large_as_the_server_says() {
    let max_message_bytes = 2 << 20;
    let server = Server::start(ServerConfig { max_message_bytes, ..small() }).await;
    let mut client = server.raw().await;
    let info = client.get_server_info(pb::GetServerInfoRequest {}).await.expect("an answer").into_inner();
    let most = usize::try_from(info.limits.expect("limits").max_chunk_bytes).expect("it fits");
    assert!(most < max_message_bytes && most.is_multiple_of(8), "{most}");
    let map = bytes_of(&vec![1.0; 1 << 20]);
    let header = || {
        let volume = volume([1 << 10, 1 << 10, 1], pb::ElementType::Float32);
        pb::ComputeHeader { activity: Some(volume.clone()), density: Some(volume), ..good_header() }
    };
    let call = |chunk_bytes: usize| {
        let mut given = vec![Message::Header(header())];
        for role in [pb::VolumeRole::Activity, pb::VolumeRole::Density] {
            let pieces = map.chunks(chunk_bytes).enumerate();
            given.extend(pieces.map(|(at, piece)| chunk(role, (at * chunk_bytes) as u64, piece.to_vec())));
        }
        compute(client.clone(), stream_of(given))
    };
    assert_eq!(call(most).await.expect("a dose").dose.len(), map.len());
    let status = call(max_message_bytes).await.expect_err("a message that is too large");
    assert_eq!((status.code(), reason_and_fields(&status).0.as_str()), (Code::OutOfRange, "MESSAGE_TOO_LARGE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn kernels_are_those_of_the_same_process() {
    let server = Server::start(small()).await;
    let request = pb::ComputeKernelRequest {
        nuclide: "Y-90".into(),
        spacing_mm: vec![2.0, 3.0, 4.5],
        radius_voxels: 3,
        ..Default::default()
    };
    let answer = server.raw().await.compute_kernel(request).await.expect("a kernel").into_inner();
    let spec = kernel_spec("Y-90", [2.0, 3.0, 4.5].map(|mm| mm / 10.0), [3; 3]);
    let expected = integrate(&spec, &Unwatched).expect("not cancelled").s_values_gy();
    for (index, s) in answer.s_gy_per_decay.iter().enumerate() {
        assert_eq!(*s, expected[[index % 4, index / 4 % 4, index / 16]], "value {index}");
    }
    assert_eq!((answer.s_gy_per_decay.len(), answer.radius_voxels), (64, 3));
    assert!((0.9..1.0).contains(&answer.captured_fraction), "{}", answer.captured_fraction);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_element_type_gives_the_same_dose() {
    let server = Server::start(small()).await;
    let expected = |answer: super::Answer| answer.dose;
    let whole: Vec<f32> = (0..24u8).map(|i| f32::from(i) * 4.0).collect();
    let as_f32 = messages(good_header(), &whole, &good_density());
    let dose = expected(compute(server.raw().await, stream_of(as_f32)).await.expect("a dose"));
    let encodings: [(pb::ElementType, f64, f64, Vec<u8>); 3] = [
        (pb::ElementType::Float64, 1.0, 0.0, whole.iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect()),
        (pb::ElementType::Int16, 2.0, 20.0, (0..24i16).flat_map(|i| (2 * i - 10).to_le_bytes()).collect()),
        (pb::ElementType::Uint8, 4.0, 0.0, (0..24).collect()),
    ];
    for (element_type, slope, intercept, data) in encodings {
        let mut header = good_header();
        header.activity = Some(pb::VolumeDescriptor {
            slope: Some(slope),
            intercept: Some(intercept),
            size_bytes: Some(data.len() as u64),
            ..volume([4, 3, 2], element_type)
        });
        let given = vec![
            Message::Header(header),
            chunk(pb::VolumeRole::Activity, 0, data),
            chunk(pb::VolumeRole::Density, 0, bytes_of(&good_density())),
        ];
        let answer = compute(server.raw().await, stream_of(given)).await.expect("a dose");
        assert_eq!(answer.dose, dose, "{element_type:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_of_different_volumes_may_alternate() {
    let server = Server::start(small()).await;
    let expected = compute(server.raw().await, stream_of(super::good_messages())).await.expect("a dose");
    let (activity, density) = (bytes_of(&good_activity()), bytes_of(&good_density()));
    let mut given = vec![Message::Header(good_header())];
    for at in (0..96).step_by(12) {
        let range = at..at + 12;
        given.push(chunk(pb::VolumeRole::Density, at as u64, density[range.clone()].to_vec()));
        given.push(chunk(pb::VolumeRole::Activity, at as u64, activity[range].to_vec()));
    }
    assert_eq!(compute(server.raw().await, stream_of(given)).await.expect("a dose"), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn units_mean_what_they_say() {
    let server = Server::start(small()).await;
    let half_life_s = nuclide::find("Lu-177").expect("known").half_life_s;
    let moment = |half_life, imaged_after_s| pb::ActivityBq {
        half_life: Some(half_life),
        imaged_after_s,
        ..pb::ActivityBq::default()
    };
    let bq = |half_life| Unit::Bq(moment(half_life, None));
    let hour = || moment(pb::activity_bq::HalfLife::EffectiveHalfLifeS(3600.0), None);
    let four_hours_later = moment(pb::activity_bq::HalfLife::EffectiveHalfLifeS(3600.0), Some(4.0 * 3600.0));
    let hour_s = 3600.0 / std::f64::consts::LN_2;
    // Voxels of 2 × 3 × 4 mm.
    let voxel_ml = 0.024;
    let decays_in_unit = [
        (Unit::BqS(pb::TimeIntegratedBqS {}), 1.0),
        (Unit::MbqH(pb::TimeIntegratedMbqH {}), 3.6e9),
        (bq(pb::activity_bq::HalfLife::EffectiveHalfLifeS(3600.0)), 3600.0 / std::f64::consts::LN_2),
        (bq(pb::activity_bq::HalfLife::Physical(pb::PhysicalHalfLife {})), half_life_s / std::f64::consts::LN_2),
        (Unit::BqH(pb::TimeIntegratedBqH {}), 3.6e3),
        (Unit::KbqS(pb::TimeIntegratedKbqS {}), 1e3),
        (Unit::MbqS(pb::TimeIntegratedMbqS {}), 1e6),
        (Unit::Kbq(hour()), 1e3 * hour_s),
        (Unit::Mbq(hour()), 1e6 * hour_s),
        (Unit::BqPerMl(hour()), voxel_ml * hour_s),
        (Unit::KbqPerMl(hour()), 1e3 * voxel_ml * hour_s),
        (Unit::MbqPerMl(hour()), 1e6 * voxel_ml * hour_s),
        (Unit::BqPerMl(four_hours_later), 16.0 * voxel_ml * hour_s),
    ];
    for (unit, factor) in decays_in_unit {
        let mut header = good_header();
        header.activity_unit = Some(pb::ActivityUnit { unit: Some(unit) });
        let given = messages(header, &[2.0; 24], &good_density());
        let provenance = compute(server.raw().await, stream_of(given)).await.expect("a dose").provenance;
        assert!((provenance.decays_bq_s / (48.0 * factor) - 1.0).abs() < 1e-7, "{unit:?}: {}", provenance.decays_bq_s);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_gives_back_the_servers_own_error() {
    let config = ServerConfig { memory_bytes: 1 << 20, ..small() };
    let server = Server::start(config).await;
    let error = server.client().await.compute(&request([97, 101, 53], local()), |_| {}).await.expect_err("too large");
    let needed_bytes = 3 * 4 * 97 * 101 * 53;
    assert_eq!(error, DoseError::TooLarge { what: "the request", needed_bytes, limit_bytes: 1 << 20 });
    let nowhere = dosegrid::api::client::Client::connect("http://127.0.0.1:1").await;
    assert!(matches!(nowhere.expect_err("nobody listens"), DoseError::Remote(_)));
    let nonsense = dosegrid::api::client::Client::connect("not a url").await;
    assert!(matches!(nonsense.expect_err("not a URL"), DoseError::Invalid(_)));
}
