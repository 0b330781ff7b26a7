//! Volumes on grids and with values of their own: CT, resampling, repairs, organs of every method.

mod bad_intakes;
mod organs;

use dosegrid::api::pb::{self, compute_request::Message};
use dosegrid::domain::{
    ActivityUnit, Amount, DensityMap, DoseRequest, KernelOptions, LocalOptions, Method, RigidTransform,
    TimeIntegratedActivity, Volume, VoxelGrid,
};
use dosegrid::physics::{nuclide, tissue::DensityCurve};
use dosegrid::resample::{DoseGrid, Placing, Space, dose_grid};
use std::collections::BTreeMap;
use std::sync::Arc;
use tonic::Status;

use super::{
    Server, bytes_of, chunk, good_activity, good_density, good_header, good_messages, messages, reason_and_fields,
    small, stream_of, volume,
};

/// Everything that a call gave.
pub(super) struct Whole {
    pub(super) result: pb::ComputeResult,
    /// Bytes of each volume.
    pub(super) volumes: BTreeMap<i32, Vec<u8>>,
}

impl Whole {
    pub(super) fn values(&self, role: pb::VolumeRole) -> Vec<f32> {
        let bytes = &self.volumes[&i32::from(role)];
        bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect()
    }

    pub(super) fn account(&self) -> &pb::IntakeAccount {
        self.result.intake.as_ref().expect("every result says what was done")
    }
}

pub(super) async fn whole(server: &Server, messages: Vec<Message>) -> Result<Whole, Status> {
    let mut responses = server.raw().await.compute(stream_of(messages)).await?.into_inner();
    let (mut understood, mut result, mut volumes) = (None, None, BTreeMap::<i32, Vec<u8>>::new());
    while let Some(response) = responses.message().await? {
        match response.message.expect("a server's message says something") {
            pb::compute_response::Message::Result(message) => result = Some(message),
            pb::compute_response::Message::Chunk(chunk) => {
                volumes.entry(chunk.volume).or_default().extend_from_slice(&chunk.data);
            }
            pb::compute_response::Message::Understood(message) => understood = Some(message),
            pb::compute_response::Message::Progress(_) | pb::compute_response::Message::TallyChunk(_) => {}
        }
    }
    let understood: pb::Understood = understood.expect("it is said before the work");
    let result = result.expect("a call that succeeds has a result");
    assert_eq!((&understood.activity, &understood.intake), (&result.activity, &result.intake));
    assert!(result.warnings.starts_with(&understood.warnings), "{:?}", result.warnings);
    Ok(Whole { result, volumes })
}

pub(super) fn int16(values: &[i16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A grid of cubes or other voxels that begins at a place.
fn grid(shape: [u64; 3], spacing_mm: [f64; 3], first_mm: [f64; 3]) -> Arc<VoxelGrid> {
    let affine = [0, 1, 2].map(|row| {
        let mut line = [0.0, 0.0, 0.0, first_mm[row]];
        line[row] = spacing_mm[row];
        line
    });
    Arc::new(VoxelGrid::new(shape, spacing_mm).and_then(|grid| grid.with_affine(affine)).expect("a good grid"))
}

fn described(grid: &VoxelGrid, element: pb::ElementType) -> pb::VolumeDescriptor {
    let shape = grid.shape().map(|n| u32::try_from(n).expect("small")).to_vec();
    let affine_mm = grid.affine().as_flattened().to_vec();
    let grid = pb::VoxelGrid { shape, spacing_mm: grid.spacing_mm().to_vec(), affine_mm };
    pb::VolumeDescriptor { grid: Some(grid), element_type: element.into(), ..Default::default() }
}

fn of(grid: &Arc<VoxelGrid>, value: impl Fn(usize) -> f32) -> Volume<f32> {
    Volume::from_vec(grid.clone(), (0..grid.voxels()).map(value).collect()).expect("a value for each voxel")
}

fn kernel() -> Option<pb::Method> {
    Some(pb::Method { method: Some(pb::method::Method::Kernel(pb::KernelMethod::default())) })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ct_as_a_scanner_stores_it_is_a_density() {
    let server = Server::start(small()).await;
    // Stored in half units above -1000 HU.
    let stored: Vec<i16> = (0..24i16).map(|i| 100 * i).collect();
    let hu = |stored: i16| 0.5 * f64::from(stored) - 1000.0;
    let own = [[-1000.0, 0.001], [0.0, 1.0], [2000.0, 2.0]];
    let own_curve = DensityCurve::from_points(&own).expect("a good curve");
    for (points, curve, words) in
        [(&[][..], DensityCurve::schneider_2000(), "ct, Schneider 2000"), (&own[..], &own_curve, "ct, own calibration")]
    {
        #[expect(clippy::cast_possible_truncation, reason = "single precision is what is computed with")]
        let density: Vec<f32> = stored.iter().map(|&stored| curve.density_g_cm3(hu(stored)) as f32).collect();
        let expected = whole(&server, messages(good_header(), &good_activity(), &density)).await;
        let expected = expected.expect("a dose");
        assert_eq!(expected.account().density, "density");
        let ct = pb::VolumeDescriptor {
            slope: Some(0.5),
            intercept: Some(-1000.0),
            ..volume([4, 3, 2], pb::ElementType::Int16)
        };
        let point = |&[hu, density_g_cm3]: &[f64; 2]| pb::CtCalibrationPoint { hu, density_g_cm3 };
        let header = pb::ComputeHeader {
            density: None,
            ct: Some(ct),
            ct_calibration: points.iter().map(point).collect(),
            ..good_header()
        };
        let given = vec![
            Message::Header(header),
            chunk(pb::VolumeRole::Ct, 0, int16(&stored)),
            chunk(pb::VolumeRole::Activity, 0, bytes_of(&good_activity())),
        ];
        let found = whole(&server, given).await.expect("a dose");
        assert_eq!(found.volumes, expected.volumes);
        assert_eq!(found.account().density, words);
    }
}

/// Activity of 4 mm voxels, a CT of 2 mm that is shifted, turned and stored with an axis reversed.
struct Patient {
    activity: Volume<f32>,
    density: Volume<f32>,
    to_ct: [[f64; 4]; 3],
}

impl Patient {
    fn new() -> Self {
        let activity = grid([8, 7, 6], [4.0; 3], [10.0, -20.0, 30.0]);
        let reversed = [[-2.0, 0.0, 0.0, 55.0], [0.0, 2.0, 0.0, -32.0], [0.0, 0.0, 2.0, 18.0]];
        let ct = VoxelGrid::new([30, 30, 30], [2.0; 3]).and_then(|grid| grid.with_affine(reversed));
        let (sin, cos) = 0.1f64.sin_cos();
        Self {
            activity: of(&activity, |i| if i % 5 == 0 { 1e9 } else { 1e7 }),
            density: of(&Arc::new(ct.expect("a good grid")), |i| if i % 30 < 12 { 0.3 } else { 1.1 }),
            to_ct: [[cos, -sin, 0.0, 1.5], [sin, cos, 0.0, -2.0], [0.0, 0.0, 1.0, 0.5]],
        }
    }

    fn header(&self, grid: pb::dose_grid::Grid, method: Option<pb::Method>) -> pb::ComputeHeader {
        pb::ComputeHeader {
            activity: Some(described(self.activity.grid(), pb::ElementType::Float32)),
            density: Some(described(self.density.grid(), pb::ElementType::Float32)),
            dose_grid: Some(pb::DoseGrid { grid: Some(grid) }),
            activity_to_ct_mm: self.to_ct.as_flattened().to_vec(),
            method,
            ..good_header()
        }
    }

    fn messages(&self, header: pb::ComputeHeader) -> Vec<Message> {
        vec![
            Message::Header(header),
            chunk(pb::VolumeRole::Activity, 0, bytes_of(self.activity.as_slice())),
            chunk(pb::VolumeRole::Density, 0, bytes_of(self.density.as_slice())),
        ]
    }

    /// The same request on the grid of the dose, made by hand.
    fn by_hand(&self, choice: DoseGrid, method: Method) -> (DoseRequest, Placing) {
        let (activity, ct) = (self.activity.grid(), self.density.grid());
        let grid = Arc::new(dose_grid(choice, activity, Some(ct)).expect("a good grid"));
        let space = if choice == DoseGrid::Ct { Space::Ct } else { Space::Activity };
        let placing = Placing::new(grid, space, RigidTransform::new(self.to_ct).expect("a rotation"));
        let (activity, _) = placing.activity(&self.activity, Amount::PerVoxel).expect("its grid");
        let (density, _) = placing.density(&self.density).expect("its grid");
        let activity = TimeIntegratedActivity::new(activity, ActivityUnit::BqS).expect("good");
        let density = DensityMap::new(density).expect("good");
        let nuclide = nuclide::find("Lu-177").expect("known");
        (DoseRequest::new(activity, Some(density), nuclide, method).expect("a good request"), placing)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_on_grids_of_their_own_meet_on_that_of_the_dose() {
    use pb::dose_grid::Grid;
    let server = Server::start(small()).await;
    let patient = Patient::new();
    let local = good_header().method;
    for (grid, choice) in [
        (Grid::Activity(pb::GridOfActivity {}), DoseGrid::Activity),
        (Grid::Ct(pb::GridOfCt {}), DoseGrid::Ct),
        (Grid::SpacingMm(3.0), DoseGrid::Spacing(3.0)),
    ] {
        for (message, method) in
            [(&local, Method::Local(LocalOptions::default())), (&kernel(), Method::Kernel(KernelOptions::default()))]
        {
            let found = whole(&server, patient.messages(patient.header(grid, message.clone()))).await.expect("a dose");
            let (request, placing) = patient.by_hand(choice, method);
            let expected = server.client().await.compute(&request, |_| {}).await.expect("a dose");
            assert_eq!(found.values(pb::VolumeRole::Dose), expected.dose.as_slice(), "{choice:?}");
            let announced = found.result.dose.as_ref().and_then(|dose| dose.grid.clone()).expect("a grid");
            assert_eq!(Some(announced), described(placing.grid(), pb::ElementType::Float32).grid);
            let account = found.account().resampling.expect("volumes were resampled");
            let total = request.activity().total();
            assert!((account.activity_after_bq_s / total - 1.0).abs() < 1e-6, "{account:?}");
            assert!((account.activity_before_bq_s / account.activity_after_bq_s - 1.0).abs() < 1e-6, "{account:?}");
            assert!(account.mass_before_g.is_some_and(|mass| mass > 0.0) && account.activity_outside_density < 0.01);
        }
    }
}

/// A concentration is as much in a millilitre on any grid; its decays are those of the volume that it fills.
#[tokio::test(flavor = "multi_thread")]
async fn a_concentration_keeps_its_decays_on_another_grid() {
    let server = Server::start(small()).await;
    let patient = Patient::new();
    let half_life_s = 3600.0;
    let half_life = Some(pb::activity_bq::HalfLife::EffectiveHalfLifeS(half_life_s));
    let unit = pb::activity_unit::Unit::BqPerMl(pb::ActivityBq { half_life, ..pb::ActivityBq::default() });
    let grid = pb::dose_grid::Grid::SpacingMm(3.0);
    let header = pb::ComputeHeader {
        activity_unit: Some(pb::ActivityUnit { unit: Some(unit) }),
        ..patient.header(grid, good_header().method)
    };
    let found = whole(&server, patient.messages(header)).await.expect("a dose");
    let sum: f64 = patient.activity.as_slice().iter().map(|&value| f64::from(value)).sum();
    let decays = sum * 0.064 * half_life_s / std::f64::consts::LN_2;
    let account = found.account().resampling.expect("volumes were resampled");
    assert!((account.activity_before_bq_s / decays - 1.0).abs() < 1e-9, "{account:?}, expected {decays}");
    assert!((account.activity_after_bq_s / decays - 1.0).abs() < 1e-6, "{account:?}, expected {decays}");
    let computed = found.result.provenance.as_ref().expect("every result has one").decays_bq_s;
    assert!((computed / decays - 1.0).abs() < 1e-6, "{computed}, expected {decays}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dose_comes_on_the_grid_of_the_ct_too() {
    let server = Server::start(small()).await;
    let patient = Patient::new();
    let grid = pb::dose_grid::Grid::Activity(pb::GridOfActivity {});
    let header = pb::ComputeHeader { return_dose_on_ct: true, ..patient.header(grid, good_header().method) };
    let found = whole(&server, patient.messages(header)).await.expect("a dose");
    let (request, placing) = patient.by_hand(DoseGrid::Activity, Method::Local(LocalOptions::default()));
    let dose = server.client().await.compute(&request, |_| {}).await.expect("a dose").dose;
    let expected = placing.dose_on(&dose, patient.density.grid(), Space::Ct).expect("its grid");
    assert_eq!(found.values(pb::VolumeRole::DoseOnCt), expected.as_slice());
    let announced = found.result.dose_on_ct.as_ref().and_then(|dose| dose.grid.clone());
    assert_eq!(announced, described(patient.density.grid(), pb::ElementType::Float32).grid);
}

#[tokio::test(flavor = "multi_thread")]
async fn voxels_in_another_order_are_put_in_order() {
    let server = Server::start(small()).await;
    let expected = whole(&server, good_messages()).await.expect("a dose");
    let mut header = good_header();
    let place = header.density.as_mut().and_then(|density| density.grid.as_mut()).expect("it has one");
    // The same four voxels along x, from the other end.
    (place.affine_mm[0], place.affine_mm[3]) = (-2.0, -7.0 + 3.0 * 2.0);
    let reversed: Vec<f32> = good_density().chunks(4).flat_map(|row| row.iter().rev().copied()).collect();
    let found = whole(&server, messages(header, &good_activity(), &reversed)).await.expect("a dose");
    assert_eq!(found.volumes, expected.volumes);
    assert_eq!(found.account().resampling, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_are_no_activity_are_refused_or_repaired_as_asked() {
    let server = Server::start(small()).await;
    let mut activity = good_activity();
    (activity[1], activity[2], activity[3]) = (f32::NAN, -1e9, 4e9);
    let mut density = good_density();
    density[23] = f32::NAN;
    let send = async |nan: pb::NanRule, negative: pb::NegativeRule| {
        let repair = pb::ValueRepair { nan: nan.into(), negative: negative.into() };
        let header = pb::ComputeHeader { value_repair: Some(repair), ..good_header() };
        whole(&server, messages(header, &activity, &density)).await
    };
    let refused = send(pb::NanRule::Unspecified, pb::NegativeRule::Unspecified).await.err().expect("refused");
    assert_eq!(reason_and_fields(&refused).1, ["activity", "density"]);
    for words in ["1 of 24 voxels is NaN", "NAN_RULE_ZERO", "1 voxel is below 0", "NEGATIVE_RULE_ZERO"] {
        assert!(refused.message().contains(words), "{}", refused.message());
    }
    assert!(!refused.message().contains("--"), "no flags: {}", refused.message());
    let found = send(pb::NanRule::Zero, pb::NegativeRule::Zero).await.expect("a dose");
    let total: f64 = activity.iter().filter(|value| **value > 0.0).map(|&value| f64::from(value)).sum();
    let repair = pb::RepairAccount {
        nan_voxels: 1,
        negative_voxels: 1,
        negative_bq_s: -1e9,
        before_bq_s: total - 1e9,
        after_bq_s: total,
    };
    assert_eq!((found.account().activity, found.account().density_nan_voxels), (Some(repair), 1));
    let dose = found.values(pb::VolumeRole::Dose);
    assert!(dose[1] == 0.0 && dose[2] == 0.0 && dose[4] > 0.0 && dose[23] == 0.0);
    let kept = send(pb::NanRule::Zero, pb::NegativeRule::ZeroKeepTotal).await.expect("a dose");
    let repair = kept.account().activity.expect("repaired");
    assert!((repair.after_bq_s / repair.before_bq_s - 1.0).abs() < 1e-6, "{repair:?}");
}
