//! `ComputeBed` and `ComputeBudget`: closed forms, progress, and every fault by its path.

use bytes::Bytes;
use dosegrid::api::pb::{self, compute_bed_request::Message, compute_bed_response::Message as Said};
use tokio_stream::{Stream, StreamExt};
use tonic::{Code, Status};

use super::{Server, bytes_of, reason_and_fields, small, volume};

const SHAPE: [u32; 3] = [6, 1, 1];
/// Closed forms, and figures written with all their digits.
const CLOSED: f64 = 1e-12;
/// Of a map in single precision.
const SINGLE: f64 = 1e-6;

fn cycle(dose_gy: Option<f64>, start_h: f64, effective_half_life_h: f64) -> pb::BedCycle {
    pb::BedCycle { dose_gy, start_h, effective_half_life_h: Some(effective_half_life_h), ..Default::default() }
}

/// Kidneys of two cycles, 8 weeks apart.
fn header(doses: [Option<f64>; 2]) -> pb::BedHeader {
    let region = pb::BedRegion {
        name: "kidneys".into(),
        label: Some(3),
        alpha_beta_gy: Some(2.6),
        repair_half_time_h: Some(2.8),
        cycles: vec![cycle(doses[0], 0.0, 50.0), cycle(doses[1], 1344.0, 40.0)],
        ..Default::default()
    };
    pb::BedHeader { nuclide: "Lu-177".into(), regions: vec![region], ..Default::default() }
}

/// The closed form of [`header`] [Gy].
fn bed(doses_gy: [f64; 2]) -> f64 {
    let [first, second] = doses_gy;
    first + second + (2.8 / 52.8 * first * first + 2.8 / 42.8 * second * second) / 2.6
}

fn with_maps() -> pb::BedHeader {
    pb::BedHeader {
        doses: vec![volume(SHAPE, pb::ElementType::Float32); 2],
        labels: Some(volume(SHAPE, pb::ElementType::Uint8)),
        return_bed: true,
        return_eqd2: true,
        ..header([None; 2])
    }
}

fn piece(role: pb::VolumeRole, index: u32, data: Vec<u8>) -> Message {
    Message::Chunk(pb::VolumeChunk { volume: role.into(), offset_bytes: 0, data: Bytes::from(data), index })
}

fn requests(messages: Vec<Message>) -> impl Stream<Item = pb::ComputeBedRequest> + Send + 'static {
    tokio_stream::iter(messages).map(|message| pb::ComputeBedRequest { message: Some(message) })
}

/// The result, and the bytes of BED and EQD2.
async fn call(
    server: &Server,
    requests: impl Stream<Item = pb::ComputeBedRequest> + Send + 'static,
) -> Result<(pb::BedResult, [Vec<f32>; 2]), Status> {
    let mut responses = server.raw().await.compute_bed(requests).await?.into_inner();
    let (mut result, mut maps) = (None, [Vec::new(), Vec::new()]);
    while let Some(response) = responses.message().await? {
        match response.message.expect("a server's message says something") {
            Said::Fraction(fraction) => assert!((0.0..=1.0).contains(&fraction) && result.is_none(), "{fraction}"),
            Said::Result(message) => result = Some(message),
            Said::Chunk(chunk) => {
                let is_eqd2 = chunk.volume() == pb::VolumeRole::Eqd2;
                assert!(is_eqd2 || chunk.volume() == pb::VolumeRole::Bed);
                let values = chunk.data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
                maps[usize::from(is_eqd2)].extend(values);
            }
        }
    }
    Ok((result.expect("a result"), maps))
}

#[tokio::test(flavor = "multi_thread")]
async fn beds_of_regions_and_voxels_are_the_closed_form() {
    let server = Server::start(small()).await;
    let given = requests(vec![Message::Header(header([Some(5.2), Some(4.0)]))]);
    let (result, maps) = call(&server, given).await.expect("a BED");
    let region = &result.regions[0];
    assert!((region.bed_gy / bed([5.2, 4.0]) - 1.0).abs() < CLOSED, "{region:?}");
    assert!((region.eqd2_gy * (1.0 + 2.0 / 2.6) / region.bed_gy - 1.0).abs() < CLOSED);
    assert!((region.cycles[1].lea_catcheside_factor - 2.8 / 42.8).abs() < CLOSED && !region.cycles_overlap);
    assert_eq!((result.voxels_without_bed, region.voxels, maps), (None, None, [vec![], vec![]]));

    let (first, second) = ([1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], [2.0f32, 2.0, 1.0, 1.0, 7.0, 7.0]);
    let messages = vec![
        Message::Header(with_maps()),
        piece(pb::VolumeRole::Dose, 1, bytes_of(&second)),
        piece(pb::VolumeRole::Labels, 0, vec![3, 3, 3, 0, 3, 5]),
        piece(pb::VolumeRole::Dose, 0, bytes_of(&first)),
    ];
    let (result, [beds, eqd2s]) = call(&server, requests(messages)).await.expect("a BED");
    let of = |voxel: usize| bed([f64::from(first[voxel]), f64::from(second[voxel])]);
    for voxel in [0, 1, 2, 4] {
        assert!((f64::from(beds[voxel]) / of(voxel) - 1.0).abs() < SINGLE, "{voxel}: {beds:?}");
        assert!((f64::from(eqd2s[voxel]) * (1.0 + 2.0 / 2.6) / of(voxel) - 1.0).abs() < SINGLE, "{eqd2s:?}");
    }
    assert_eq!([beds[3], beds[5], eqd2s[3]], [0.0; 3]);
    let mean = [0, 1, 2, 4].map(of).iter().sum::<f64>() / 4.0;
    let region = &result.regions[0];
    assert!((region.bed_gy / mean - 1.0).abs() < SINGLE && result.voxels_without_bed == Some(2), "{region:?}");
    assert!(region.voxels.as_ref().is_some_and(|voxels| voxels.bed_of_mean_dose_gy < mean));
}

type Edit = fn(&mut pb::BedHeader);

#[tokio::test(flavor = "multi_thread")]
async fn bad_headers_are_refused_at_once_with_every_fault() {
    let cases: Vec<(&str, pb::BedHeader, Edit, &[&str])> = vec![
        ("nothing", header([Some(1.0); 2]), |h| *h = pb::BedHeader::default(), &["nuclide", "regions"]),
        (
            "no parameters and no dose",
            header([Some(1.0), None]),
            |h| (h.regions[0].alpha_beta_gy, h.regions[0].repair_half_time_h) = (None, None),
            &["regions[0].alpha_beta_gy", "regions[0].cycles[1].dose_gy", "regions[0].repair"],
        ),
        (
            "names that begin alike",
            header([Some(1.0); 2]),
            |h| {
                let mut other = h.regions[0].clone();
                (other.name, other.alpha_beta_gy) = ("kidneys.left".into(), Some(-1.0));
                h.regions.push(other);
            },
            &["regions[1].alpha_beta_gy"],
        ),
        ("twice", header([Some(1.0); 2]), |h| h.regions.push(h.regions[0].clone()), &["regions[1]"]),
        ("alpha particles", header([Some(1.0); 2]), |h| h.nuclide = "Ac-225".into(), &["rbe"]),
        (
            "too many cycles",
            header([Some(1.0); 2]),
            |h| h.regions[0].cycles = vec![cycle(Some(1.0), 0.0, 50.0); 65],
            &["regions[0].cycles"],
        ),
        (
            "no maps",
            header([Some(1.0); 2]),
            |h| (h.return_bed, h.minimum_density_g_cm3) = (true, Some(1.0)),
            &["minimum_density_g_cm3", "return_bed"],
        ),
        (
            "maps without labels, of another grid, one too few",
            with_maps(),
            |h| {
                (h.labels, h.regions[0].label) = (None, None);
                h.density = Some(volume([6, 1, 2], pb::ElementType::Float32));
                h.doses.pop();
            },
            &["density.grid", "labels", "regions[0].cycles", "regions[0].label"],
        ),
        (
            "numbers of no tissue and no dose",
            header([Some(1e300); 2]),
            |h| {
                (h.regions[0].alpha_beta_gy, h.regions[0].alpha_per_gy) = (Some(1e-300), Some(f64::NAN));
                h.regions[0].geud_exponent = Some(f64::INFINITY);
            },
            &[
                "regions[0].alpha_beta_gy",
                "regions[0].alpha_per_gy",
                "regions[0].cycles[0].dose_gy",
                "regions[0].cycles[1].dose_gy",
                "regions[0].geud_exponent",
            ],
        ),
        ("a dose that is kept", with_maps(), |h| h.doses[1].digest = "ab".into(), &["doses[1].digest"]),
        (
            "a mixed field of maps",
            with_maps(),
            |h| (h.nuclide, h.rbe, h.mixed_field) = ("Ac-225".into(), Some(5.0), true),
            &["mixed_field"],
        ),
    ];
    let server = Server::start(small()).await;
    for (name, mut header, edit, fields) in cases {
        edit(&mut header);
        let given = requests(vec![Message::Header(header)]).chain(tokio_stream::pending());
        let status = call(&server, given).await.expect_err(name);
        assert_eq!(status.code(), Code::InvalidArgument, "{name}: {status}");
        let (_, mut found) = reason_and_fields(&status);
        found.sort();
        assert_eq!(found, fields, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_maps_are_named() {
    let server = Server::start(small()).await;
    let bad = vec![
        Message::Header(with_maps()),
        piece(pb::VolumeRole::Dose, 0, bytes_of(&[1.0f32, -1.0, f32::NAN, 1.0, 1.0, 1.0])),
        piece(pb::VolumeRole::Labels, 0, vec![0; 6]),
    ];
    let status = call(&server, requests(bad)).await.expect_err("bad values");
    assert_eq!(reason_and_fields(&status).1, ["doses[0]", "doses[1]"]);
    let none = vec![
        Message::Header(with_maps()),
        piece(pb::VolumeRole::Dose, 0, bytes_of(&[1.0f32; 6])),
        piece(pb::VolumeRole::Dose, 1, bytes_of(&[1.0f32; 6])),
        piece(pb::VolumeRole::Labels, 0, vec![7; 6]),
    ];
    let status = call(&server, requests(none)).await.expect_err("no such label");
    assert_eq!(reason_and_fields(&status).1, ["regions[0]"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_have_a_line_for_each_part_and_faults_their_paths() {
    let server = Server::start(small()).await;
    let region = pb::BudgetRegion {
        name: "liver".into(),
        volume_cm3: 1500.0,
        calibration_relative_sigma: Some(0.03),
        fit_relative_sigma: Some(0.04),
        doses_gy: vec![2.0, 2.0],
        one_outline: Some(true),
        ..Default::default()
    };
    let request = pb::ComputeBudgetRequest { regions: vec![region.clone()] };
    let answer = server.raw().await.compute_budget(request).await.expect("a budget").into_inner();
    let found = &answer.regions[0];
    assert!((found.dose_relative_sigma - 0.05).abs() < CLOSED && found.is_lower_bound, "{found:?}");
    assert_eq!(found.parts.iter().filter(|part| part.relative_sigma.is_some()).count(), 2);
    assert_eq!(found.parts[0].source(), pb::BudgetPartSource::Computed);
    // Fits add in squares, the calibration linearly.
    let sum = (4.0 * 0.03f64).hypot(2.0 * f64::sqrt(2.0) * 0.04);
    assert!(found.sum.is_some_and(|found| (found.dose_sigma_gy - sum).abs() < CLOSED), "{found:?}");

    assert_eq!(answer.warnings, []);

    // A percentage in place of a part.
    let percent = pb::BudgetRegion { fit_relative_sigma: Some(4.0), ..region.clone() };
    let request = pb::ComputeBudgetRequest { regions: vec![percent] };
    let answer = server.raw().await.compute_budget(request).await.expect("a budget").into_inner();
    let told: Vec<_> = answer.warnings.iter().map(|told| (told.reason.as_str(), told.field.as_str())).collect();
    assert_eq!(told, [("SIGMA_HIGH", "regions[0].fit_relative_sigma")]);

    let mut bad = region;
    (bad.volume_cm3, bad.one_outline, bad.name) = (0.0, None, "spleen".into());
    bad.recovery = Some(pb::RecoveryCurve { b1_cm3: Some(1.0), ..Default::default() });
    let request = pb::ComputeBudgetRequest { regions: vec![bad] };
    let status = server.raw().await.compute_budget(request).await.expect_err("bad");
    let (_, mut found) = reason_and_fields(&status);
    found.sort();
    assert_eq!(found, ["regions[0].one_outline", "regions[0].recovery.b1_cm3"]);

    // What is finite, and yet nothing that was measured.
    let huge = pb::BudgetRegion {
        name: "kidneys".into(),
        volume_cm3: 1e300,
        calibration_relative_sigma: Some(1e200),
        doses_gy: vec![1e300],
        recovery: Some(pb::RecoveryCurve {
            b2: Some(f64::NAN),
            spheres: vec![Default::default()],
            ..Default::default()
        }),
        ..Default::default()
    };
    let request = pb::ComputeBudgetRequest { regions: vec![huge] };
    let status = server.raw().await.compute_budget(request).await.expect_err("too much");
    let (_, mut found) = reason_and_fields(&status);
    found.sort();
    let fields = ["calibration_relative_sigma", "doses_gy", "recovery.spheres", "volume_cm3"];
    assert_eq!(found, fields.map(|field| format!("regions[0].{field}")));
}
