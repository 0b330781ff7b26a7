//! Organs of every method: the table and the histograms of a result.

use dosegrid::api::pb::{self, compute_request::Message};

use super::{Server, chunk, good_activity, good_density, good_header, int16, kernel, small, volume, whole};
use crate::grpc::bytes_of;

const LIVER: u32 = 7;
const TUMOUR: u32 = 65_535;

fn transport(histories: u64) -> pb::Method {
    let options = pb::MonteCarloMethod { histories: Some(histories), ..Default::default() };
    pb::Method { method: Some(pb::method::Method::MonteCarlo(options)) }
}

/// Liver in the first twelve voxels, stored as an int16 with -1 as background; a tumour in it, a quarter of voxel 3.
fn messages(method: Option<pb::Method>, element: pb::ElementType, labels: Vec<u8>) -> Vec<Message> {
    let tumour: Vec<f32> = (0..24u8).map(|i| if i == 2 { 1.0 } else { f32::from(u8::from(i == 3)) * 0.25 }).collect();
    let header = pb::ComputeHeader {
        method,
        labels: Some(volume([4, 3, 2], element)),
        organ_volumes: vec![pb::OrganVolume {
            volume: Some(volume([4, 3, 2], pb::ElementType::Float32)),
            label: TUMOUR,
        }],
        label_names: [(LIVER, "liver".to_owned())].into(),
        dose_volume_points: Some(5),
        ..good_header()
    };
    vec![
        Message::Header(header),
        chunk(pb::VolumeRole::Activity, 0, bytes_of(&good_activity())),
        chunk(pb::VolumeRole::Density, 0, bytes_of(&good_density())),
        chunk(pb::VolumeRole::Labels, 0, labels),
        chunk(pb::VolumeRole::Organ, 0, bytes_of(&tumour)),
    ]
}

fn labels() -> Vec<u8> {
    int16(&(0..24i16).map(|i| if i < 12 { 7 } else { -1 }).collect::<Vec<_>>())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_gives_the_doses_of_organs() {
    let server = Server::start(small()).await;
    let (density, voxel_cm3) = (good_density(), 0.024);
    for method in [good_header().method, kernel(), Some(transport(1000))] {
        let found = whole(&server, messages(method, pb::ElementType::Int16, labels())).await.expect("a dose");
        let dose = found.values(pb::VolumeRole::Dose);
        let [liver, tumour] = found.result.organs.as_slice() else { panic!("{:?}", found.result.organs) };
        assert_eq!((liver.label, liver.name.as_str(), liver.voxels), (LIVER, "liver", 12));
        assert_eq!((tumour.label, tumour.name.as_str(), tumour.voxels), (TUMOUR, "label_65535", 2));
        // By hand: voxel 0, of 0.01 g/cm³, has no dose.
        let sum = |value: &dyn Fn(usize) -> f64, from: usize| (from..12).map(value).sum::<f64>();
        let energy = sum(&|i| f64::from(dose[i]) * f64::from(density[i]), 1);
        let mass = sum(&|i| f64::from(density[i]), 1);
        let close = |found: Option<f64>, expected: f64| {
            assert!(found.is_some_and(|found| (found / expected - 1.0).abs() < 1e-9), "{found:?}, expected {expected}");
        };
        close(liver.mean_by_mass_gy, energy / mass);
        close(liver.mean_gy, sum(&|i| f64::from(dose[i]), 1) / 11.0);
        close(Some(liver.mass_g), sum(&|i| f64::from(density[i]), 0) * voxel_cm3);
        close(Some(liver.decays_bq_s), 66e9);
        assert_eq!(liver.voxels_without_dose, 1);
        // A tumour keeps its voxels, and the liver too; a quarter of a voxel counts as such.
        close(Some(tumour.volume_cm3), 1.25 * voxel_cm3);
        close(tumour.mean_gy, (f64::from(dose[2]) + 0.25 * f64::from(dose[3])) / 1.25);
        let histogram = liver.dose_volume.as_ref().expect("asked for");
        assert_eq!((histogram.volume_fraction.len(), histogram.volume_fraction[0]), (5, 1.0));
        close(Some(4.0 * histogram.step_gy), liver.max_gy.expect("it has a dose"));
        let half = (1..12).filter(|&i| f64::from(dose[i]) >= 2.0 * histogram.step_gy).count();
        close(Some(histogram.volume_fraction[2]), half as f64 / 11.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_says_what_noise_has_moved_whether_or_not_the_uncertainty_is_sent() {
    let server = Server::start(small()).await;
    let mut tables = Vec::new();
    for return_uncertainty in [false, true] {
        let mut method = transport(1000);
        if let Some(pb::method::Method::MonteCarlo(options)) = &mut method.method {
            options.return_uncertainty = return_uncertainty;
        }
        let found = whole(&server, messages(Some(method), pb::ElementType::Int16, labels())).await.expect("a dose");
        assert_eq!(found.result.uncertainty.is_some(), return_uncertainty);
        assert_eq!(found.volumes.contains_key(&pb::VolumeRole::Uncertainty.into()), return_uncertainty);
        tables.push(found.result.organs);
    }
    assert_eq!(tables[0], tables[1]);
    let liver = &tables[0][0];
    let noise = [liver.min_noise_gy, liver.d98_noise_gy, liver.d95_noise_gy, liver.d2_noise_gy, liver.max_noise_gy];
    assert!(noise.iter().all(Option::is_some) && liver.max_noise_gy > Some(0.0), "{liver:?}");
    assert!(liver.moved_by_noise.contains("max_gy"), "{liver:?}");
    let of_kernel = whole(&server, messages(kernel(), pb::ElementType::Int16, labels())).await.expect("a dose");
    assert_eq!(of_kernel.result.organs[0].d95_noise_gy, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_come_in_any_element_type() {
    let server = Server::start(small()).await;
    let of = |value: &dyn Fn(i32) -> Vec<u8>| (0..24).flat_map(|i| value(if i < 12 { 7 } else { 0 })).collect();
    let expected = whole(&server, messages(good_header().method, pb::ElementType::Int16, labels())).await;
    let expected = expected.expect("a dose").result.organs;
    let types: [(pb::ElementType, Vec<u8>); 5] = [
        (pb::ElementType::Uint8, of(&|label| vec![u8::try_from(label).expect("small")])),
        (pb::ElementType::Uint16, of(&|label| u16::try_from(label).expect("small").to_le_bytes().to_vec())),
        (pb::ElementType::Int32, of(&|label| label.to_le_bytes().to_vec())),
        (pb::ElementType::Float32, of(&|label| (label as f32 - 0.0005).to_le_bytes().to_vec())),
        (pb::ElementType::Float64, of(&|label| f64::from(label).to_le_bytes().to_vec())),
    ];
    for (element, labels) in types {
        let found = whole(&server, messages(good_header().method, element, labels)).await.expect("a dose");
        assert_eq!(found.result.organs, expected, "{element:?}");
    }
    let status = whole(
        &server,
        messages(good_header().method, pb::ElementType::Int32, of(&|_| 65_536i32.to_le_bytes().to_vec())),
    );
    let status = status.await.err().expect("no label");
    assert_eq!(crate::grpc::reason_and_fields(&status).1, ["labels"]);
}

/// Labels on a grid of their own: their organs hold parts of the voxels of the dose.
#[tokio::test(flavor = "multi_thread")]
async fn organs_keep_their_volume_on_another_grid() {
    let server = Server::start(small()).await;
    let fine = |mut of: pb::VolumeDescriptor| {
        let grid = of.grid.as_mut().expect("it has one");
        (grid.shape[0], grid.spacing_mm[0]) = (8, 1.0);
        // Half a millimetre to the left: the corner stays.
        (grid.affine_mm[0], grid.affine_mm[3]) = (1.0, -7.5);
        of
    };
    let header = pb::ComputeHeader {
        labels: Some(fine(volume([4, 3, 2], pb::ElementType::Uint8))),
        dose_grid: Some(pb::DoseGrid { grid: Some(pb::dose_grid::Grid::Activity(pb::GridOfActivity {})) }),
        ..good_header()
    };
    // Three of the eight voxels of each row: one and a half of the four of the dose.
    let labels: Vec<u8> = (0..48u8).map(|i| u8::from(i % 8 < 3)).collect();
    let given = vec![
        Message::Header(header),
        chunk(pb::VolumeRole::Labels, 0, labels),
        chunk(pb::VolumeRole::Activity, 0, bytes_of(&good_activity())),
        chunk(pb::VolumeRole::Density, 0, bytes_of(&good_density())),
    ];
    let organs = whole(&server, given).await.expect("a dose").result.organs;
    assert_eq!((organs.len(), organs[0].voxels), (1, 12));
    assert!((organs[0].volume_cm3 - 6.0 * 1.5 * 0.024).abs() < 1e-9, "{organs:?}");
}
