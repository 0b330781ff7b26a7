//! What is refused by the header alone, every fault at once, and volumes that do not come.

use dosegrid::api::pb::{self, compute_request::Message};
use tonic::Code;

use crate::grpc::bad_headers::{Edit, cases};
use crate::grpc::{Case, Server, check_cases, good_header, reason_and_fields, small, stream_of, volume};

fn ct() -> Option<pb::VolumeDescriptor> {
    Some(volume([4, 3, 2], pb::ElementType::Int16))
}

fn organ(label: u32) -> pb::OrganVolume {
    pb::OrganVolume { volume: Some(volume([4, 3, 2], pb::ElementType::Uint8)), label }
}

fn on(grid: pb::dose_grid::Grid) -> Option<pb::DoseGrid> {
    Some(pb::DoseGrid { grid: Some(grid) })
}

const EDITS: &[(&str, Edit, &[&str])] = &[
    ("a CT beside a density", |h| h.ct = ct(), &["ct"]),
    ("a calibration without a CT", |h| h.ct_calibration = vec![point(0.0, 1.0), point(1.0, 1.0)], &["ct_calibration"]),
    (
        "a calibration that falls back",
        |h| {
            (h.ct, h.density) = (ct(), None);
            h.ct_calibration = vec![point(0.0, 1.0), point(-1.0, 1.0)];
        },
        &["ct_calibration[1]"],
    ),
    ("a CT elsewhere", |h| (h.ct, h.density) = (Some(volume([4, 3, 3], pb::ElementType::Int16)), None), &["ct.grid"]),
    ("no dose grid in a dose grid", |h| h.dose_grid = Some(pb::DoseGrid { grid: None }), &["dose_grid"]),
    ("a spacing of 0", |h| h.dose_grid = on(pb::dose_grid::Grid::SpacingMm(0.0)), &["dose_grid.spacing_mm"]),
    ("voxels too small to count", |h| h.dose_grid = on(pb::dose_grid::Grid::SpacingMm(1e-5)), &["dose_grid"]),
    (
        "the grid of a CT that is not there",
        |h| {
            (h.density, h.method) = (None, water());
            h.dose_grid = on(pb::dose_grid::Grid::Ct(pb::GridOfCt {}));
        },
        &["dose_grid"],
    ),
    ("a transform that scales", |h| h.activity_to_ct_mm = scaling(), &["activity_to_ct_mm"]),
    ("a transform of two rows", |h| h.activity_to_ct_mm = vec![1.0; 8], &["activity_to_ct_mm"]),
    ("more than all outside", |h| h.max_activity_outside = Some(1.5), &["max_activity_outside"]),
    (
        "unknown rules",
        |h| h.value_repair = Some(pb::ValueRepair { nan: 9, negative: 9 }),
        &["value_repair.nan", "value_repair.negative"],
    ),
    ("an organ without a label", |h| h.organ_volumes = vec![organ(0)], &["organ_volumes[0].label"]),
    ("two organs of one label", |h| h.organ_volumes = vec![organ(3), organ(3)], &["organ_volumes[1].label"]),
    (
        "an organ without a volume",
        |h| h.organ_volumes = vec![pb::OrganVolume { label: 1, volume: None }],
        &["organ_volumes[0].volume"],
    ),
    ("too many organs", |h| h.organ_volumes = (1..=257).map(organ).collect(), &["organ_volumes"]),
    (
        "an organ elsewhere",
        |h| {
            let volume = Some(volume([4, 3, 3], pb::ElementType::Uint8));
            h.organ_volumes = vec![pb::OrganVolume { label: 1, volume }];
        },
        &["organ_volumes[0].volume.grid"],
    ),
    ("labels elsewhere", |h| h.labels = Some(volume([4, 3, 3], pb::ElementType::Uint16)), &["labels.grid"]),
    (
        "names and points of no organ",
        |h| {
            h.label_names = [(1, "liver".to_owned())].into();
            h.dose_volume_points = Some(100);
        },
        &["label_names", "dose_volume_points"],
    ),
    (
        "a name of no label, and one point",
        |h| {
            h.labels = Some(volume([4, 3, 2], pb::ElementType::Uint16));
            h.label_names = [(70_000, "liver".to_owned())].into();
            h.dose_volume_points = Some(1);
        },
        &["label_names", "dose_volume_points"],
    ),
    (
        "no grid of a CT to send the dose on",
        |h| {
            (h.density, h.method) = (None, water());
            h.return_dose_on_ct = true;
        },
        &["return_dose_on_ct"],
    ),
    (
        "many at once",
        |h| {
            h.nuclide = "Xx-1".into();
            h.dose_grid = on(pb::dose_grid::Grid::SpacingMm(-1.0));
            h.activity_to_ct_mm = scaling();
            h.organ_volumes = vec![organ(0)];
            h.max_activity_outside = Some(f64::NAN);
        },
        &["nuclide", "organ_volumes[0].label", "dose_grid.spacing_mm", "activity_to_ct_mm", "max_activity_outside"],
    ),
];

fn point(hu: f64, density_g_cm3: f64) -> pb::CtCalibrationPoint {
    pb::CtCalibrationPoint { hu, density_g_cm3 }
}

fn scaling() -> Vec<f64> {
    vec![1.1, 0.0, 0.0, 0.0, 0.0, 1.1, 0.0, 0.0, 0.0, 0.0, 1.1, 0.0]
}

/// A method that needs no density.
fn water() -> Option<pb::Method> {
    let density_correction = pb::DensityCorrection::Water.into();
    let options = pb::KernelMethod { density_correction, ..Default::default() };
    Some(pb::Method { method: Some(pb::method::Method::Kernel(options)) })
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_grids_and_organs_are_named_by_their_path() {
    check_cases(cases(EDITS)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_that_do_not_come_are_named() {
    let header = pb::ComputeHeader {
        ct: ct(),
        density: None,
        labels: Some(volume([4, 3, 2], pb::ElementType::Uint16)),
        organ_volumes: vec![organ(1), organ(2)],
        ..good_header()
    };
    let second = Message::Chunk(pb::VolumeChunk {
        volume: pb::VolumeRole::Organ.into(),
        index: 1,
        data: vec![1; 24].into(),
        ..Default::default()
    });
    let unknown = Message::Chunk(pb::VolumeChunk {
        volume: pb::VolumeRole::Organ.into(),
        index: 2,
        data: vec![1; 24].into(),
        ..Default::default()
    });
    let case = |name, messages: Vec<Message>, held_open, fields| Case {
        name,
        requests: messages.into_iter().map(|message| pb::ComputeRequest { message: Some(message) }).collect(),
        held_open,
        code: Code::InvalidArgument,
        reason: "INVALID_REQUEST",
        fields,
    };
    let missing = vec!["activity", "ct", "labels", "organ_volumes[0].volume"];
    check_cases(vec![
        case("volumes that do not come", vec![Message::Header(header.clone()), second], false, missing),
        case("an organ that is not announced", vec![Message::Header(header), unknown], true, vec!["chunk.volume"]),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_counted_for_volumes_on_grids_of_their_own() {
    let server = Server::start(small()).await;
    let free = server.jobs.queue().waiting();
    // 12 MiB of density as sent; with what comes of it on 4 million voxels, more than the 64 MiB there are.
    let mut density = volume([256, 256, 60], pb::ElementType::Uint8);
    let grid = density.grid.as_mut().expect("it has one");
    grid.spacing_mm = vec![1.0; 3];
    grid.affine_mm = vec![];
    let header = pb::ComputeHeader {
        density: Some(density),
        dose_grid: on(pb::dose_grid::Grid::Ct(pb::GridOfCt {})),
        ..good_header()
    };
    let mut client = server.raw().await;
    let responses = client.compute(stream_of(vec![Message::Header(header)])).await.expect("it begins");
    let status = responses.into_inner().message().await.expect_err("it can never fit");
    assert_eq!((status.code(), reason_and_fields(&status).0.as_str()), (Code::FailedPrecondition, "REQUEST_TOO_LARGE"));
    assert_eq!(server.jobs.queue().waiting(), free);
}
