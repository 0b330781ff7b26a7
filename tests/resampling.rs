//! Maps on other grids, against SimpleITK, SciPy and flirt (`golden/resampling/make.py`), and what must hold anyway.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dosegrid::domain::grid::Affine;
use dosegrid::domain::{LabelMap, Organ, Organs, RigidTransform, Volume, VoxelGrid};
use dosegrid::formats::transform;
use dosegrid::resample::{Resampler, reorder, share_outside, with_spacing};
use serde::Deserialize;

/// Shares of a voxel on oblique grids, sampled at 4096 points: the largest error against exact polyhedra.
const SAMPLED_SHARE: f64 = 0.01;

#[derive(Deserialize)]
struct Figures {
    interpolation: Vec<Interpolation>,
    overlaps: Vec<Overlaps>,
    orders: Vec<Order>,
    itk: Vec<Itk>,
    fsl: Vec<Fsl>,
}

#[derive(Deserialize)]
struct GridFigure {
    shape: [u64; 3],
    affine: Affine,
}

#[derive(Deserialize)]
struct Interpolation {
    name: String,
    source: GridFigure,
    target: GridFigure,
    moved: bool,
    values: Vec<f64>,
}

#[derive(Deserialize)]
struct Overlaps {
    name: String,
    source: GridFigure,
    target: GridFigure,
    means: Vec<f64>,
    totals: Vec<f64>,
    labels: Vec<u16>,
    lead: Vec<f64>,
    share_of_label_5: Vec<f64>,
}

#[derive(Deserialize)]
struct Order {
    shape: [u64; 3],
    affine: Affine,
    weighted_sum: f64,
}

#[derive(Deserialize)]
struct Itk {
    file: String,
    points: Vec<[f64; 3]>,
    moved: Vec<[f64; 3]>,
}

#[derive(Deserialize)]
struct Fsl {
    moving: GridFigure,
    reference: GridFigure,
    points: Vec<[f64; 3]>,
    moved: Vec<[f64; 3]>,
}

fn figures() -> Figures {
    serde_json::from_str(include_str!("golden/resampling/figures.json")).expect("the figures have their fields")
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/resampling").join(name)
}

fn grid(shape: [u64; 3], affine: Affine) -> Arc<VoxelGrid> {
    let length = |axis: usize| (0..3).map(|row| affine[row][axis].powi(2)).sum::<f64>().sqrt();
    let grid = VoxelGrid::new(shape, [0, 1, 2].map(length)).and_then(|grid| grid.with_affine(affine));
    Arc::new(grid.expect("a good grid"))
}

impl GridFigure {
    fn grid(&self) -> Arc<VoxelGrid> {
        grid(self.shape, self.affine)
    }
}

/// The map that the script makes too.
fn map(grid: &Arc<VoxelGrid>) -> Volume<f32> {
    let [nx, ny, nz] = grid.shape().map(|n| u16::try_from(n).expect("a small grid"));
    let value = |i: u16, j: u16, k: u16| f32::from((7 * i + 13 * j + 29 * k) % 17 + 1);
    let values = (0..nz).flat_map(|k| (0..ny).flat_map(move |j| (0..nx).map(move |i| value(i, j, k)))).collect();
    Volume::from_vec(grid.clone(), values).expect("a value for each voxel")
}

fn total(volume: &Volume<f32>) -> f64 {
    volume.as_slice().iter().map(|&v| f64::from(v)).sum()
}

#[test]
fn interpolation_is_that_of_simpleitk() {
    let cases = figures().interpolation;
    assert_eq!(cases.len(), 12);
    let mut inside = 0;
    // Euler3DTransform((1, 2, 3), 0.1, -0.2, 0.3, (1.5, -2.5, 0.5)) of the script, by way of its file.
    for case in cases {
        let (source, target) = (case.source.grid(), case.target.grid());
        let motion = if case.moved { motion_of_the_script() } else { RigidTransform::IDENTITY };
        let found = Resampler::new(&source, &target, &motion).interpolate(&map(&source)).expect("its grid");
        for (at, (found, expected)) in found.volume.as_slice().iter().zip(&case.values).enumerate() {
            assert!(
                (f64::from(*found) - expected).abs() < 2e-5,
                "{} {}: {at} {found} {expected}",
                case.name,
                case.moved
            );
        }
        inside += case.values.iter().filter(|v| **v != 0.0).count();
    }
    assert!(inside > 500, "{inside} values lie inside");
}

/// Rotation about a centre, in ITK's coordinates, and a shift.
fn motion_of_the_script() -> RigidTransform {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("motion.tfm");
    let text = "#Insight Transform File V1.0\n#Transform 0\nTransform: Euler3DTransform_double_3_3\n\
                Parameters: 0.1 -0.2 0.3 1.5 -2.5 0.5\nFixedParameters: 1 2 3 0\n";
    std::fs::write(&path, text).expect("a writable folder");
    let any = grid([1, 1, 1], [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]);
    transform::read(&path).and_then(|file| file.between(&any, &any)).expect("a rigid transform")
}

#[test]
fn means_and_totals_are_those_of_exact_overlaps() {
    for case in figures().overlaps {
        let (source, target) = (case.source.grid(), case.target.grid());
        let resampler = Resampler::new(&source, &target, &RigidTransform::IDENTITY);
        let exact = case.name != "oblique";
        assert_eq!(resampler.is_exact(), exact, "{}", case.name);
        let (means, totals) = (resampler.average(&map(&source), 0.0), resampler.redistribute(&map(&source)));
        let (means, totals) = (means.expect("its grid"), totals.expect("its grid"));
        // Values are 1 to 17.
        let allowed = if exact { 1e-5 } else { 17.0 * SAMPLED_SHARE };
        let (mut worst, mut squares) = (0f64, 0.0);
        for (found, expected) in means.volume.as_slice().iter().zip(&case.means) {
            worst = worst.max((f64::from(*found) - expected).abs());
            squares += (f64::from(*found) - expected).powi(2);
        }
        for (found, expected) in totals.volume.as_slice().iter().zip(&case.totals) {
            worst = worst.max((f64::from(*found) - expected).abs());
        }
        let rms = (squares / case.means.len() as f64).sqrt();
        println!(
            "{}: largest error {worst:.2e}, rms {rms:.2e}, of values 1 to 17; total within {:.1e}",
            case.name,
            totals.total_after / case.totals.iter().sum::<f64>() - 1.0
        );
        assert!(worst < allowed, "{}: {worst}", case.name);
        let inside: f64 = case.totals.iter().sum();
        assert!((totals.total_after / inside - 1.0).abs() < if exact { 1e-6 } else { 3e-3 }, "{}", case.name);
        let share = 1.0 - inside / totals.total_before;
        assert!((totals.share_outside() - share).abs() < if exact { 1e-6 } else { 3e-3 }, "{}", case.name);
        let viewed = share_outside(&map(&source), &target, &RigidTransform::IDENTITY);
        assert!((viewed - share).abs() < if exact { 1e-6 } else { 6e-3 }, "{}: {viewed} {share}", case.name);
    }
}

#[test]
fn labels_are_those_with_the_largest_share() {
    for case in figures().overlaps {
        let (source, target) = (case.source.grid(), case.target.grid());
        let labels = LabelMap::new(&map(&source)).expect("whole numbers");
        let organs = Organs::of_map(&labels).expect("a small grid");
        let resampler = Resampler::new(&source, &target, &RigidTransform::IDENTITY);
        let moved = resampler.organs(&organs).expect("its grid");
        let allowed = if resampler.is_exact() { 1e-6 } else { SAMPLED_SHARE };
        let mut shares = vec![0.0; target.voxels()];
        moved.organs()[4].shares().for_each(|(voxel, share)| shares[voxel] = share);
        let errors =
            shares.iter().zip(&case.share_of_label_5).map(|(found, expected): (&f64, &f64)| (found - expected).abs());
        let worst = errors.fold(0.0, f64::max);
        println!("{}: largest error of a share {worst:.1e}", case.name);
        assert!(worst < allowed, "{}: {worst}", case.name);
        let map = moved.label_map();
        let clear = map.labels().as_slice().iter().zip(&case.labels).zip(&case.lead);
        let clear: Vec<_> = clear.filter(|(_, lead)| **lead > 2.0 * allowed).map(|(pair, _)| pair).collect();
        assert!(clear.len() * 3 > target.voxels() * 2, "{}: {} of {}", case.name, clear.len(), target.voxels());
        clear.into_iter().for_each(|(found, expected)| assert_eq!(found, expected, "{}", case.name));
    }
}

#[test]
fn all_48_orders_of_axes_are_one_volume() {
    let figures = figures();
    let source = figures.interpolation[2].source.grid();
    let volume = map(&source);
    let target = figures.interpolation[2].target.grid();
    let onto = |volume: &Volume<f32>| Resampler::new(volume.grid(), &target, &RigidTransform::IDENTITY);
    let expected = (
        onto(&volume).interpolate(&volume).expect("its grid").volume,
        onto(&volume).average(&volume, 0.0).expect("its grid").volume,
    );
    assert_eq!(figures.orders.len(), 48);
    for Order { shape, affine, weighted_sum } in figures.orders {
        let other = grid(shape, affine);
        let stored = reorder(&volume, &other).expect("the same voxels in another order");
        let found: f64 = (0u32..).zip(stored.as_slice()).map(|(at, &v)| f64::from(at) * f64::from(v)).sum();
        assert!(found == weighted_sum, "{shape:?} {affine:?}: {found} {weighted_sum}");
        assert_eq!(reorder(&stored, &source).expect("the same voxels").as_slice(), volume.as_slice());
        let organs = Organs::of_map(&LabelMap::new(&stored).expect("labels")).expect("a small grid");
        let back = Resampler::new(&other, &source, &RigidTransform::IDENTITY);
        assert!(back.is_reordering());
        let back = back.organs(&organs).expect("its grid").label_map();
        assert_eq!(back, LabelMap::new(&volume).expect("labels"));
        close(&onto(&stored).interpolate(&stored).expect("its grid").volume, &expected.0, 1e-4);
        close(&onto(&stored).average(&stored, 0.0).expect("its grid").volume, &expected.1, 17.0 * SAMPLED_SHARE);
    }
}

fn close(found: &Volume<f32>, expected: &Volume<f32>, allowed: f64) {
    for (a, b) in found.as_slice().iter().zip(expected.as_slice()) {
        assert!((f64::from(*a) - f64::from(*b)).abs() < allowed, "{a} {b}");
    }
}

#[test]
fn the_order_of_the_axes_of_a_target_does_not_matter() {
    let figures = figures();
    // Axes along one another: exact, whatever their order.
    let source = figures.overlaps[0].source.grid();
    let target = figures.overlaps[0].target.grid();
    let (volume, onto) =
        (map(&source), |target: &Arc<VoxelGrid>| Resampler::new(&source, target, &RigidTransform::IDENTITY));
    let expected = onto(&target).average(&volume, 0.5).expect("its grid").volume;
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for flips in 0..8u8 {
            let turned = turned(&target, order, flips);
            let found = onto(&turned).average(&volume, 0.5).expect("its grid").volume;
            close(&reorder(&found, &target).expect("the same voxels"), &expected, 1e-5);
        }
    }
}

/// The same voxels with the axes in another order, some of them reversed.
fn turned(grid_: &VoxelGrid, order: [usize; 3], flips: u8) -> Arc<VoxelGrid> {
    let (shape, affine) = (grid_.shape(), grid_.affine());
    let mut turned = *affine;
    for row in 0..3 {
        for (axis, &from) in order.iter().enumerate() {
            let flip = flips >> axis & 1 == 1;
            turned[row][axis] = if flip { -affine[row][from] } else { affine[row][from] };
            if flip {
                turned[row][3] += affine[row][from] * (shape[from] as f64 - 1.0);
            }
        }
    }
    grid(order.map(|axis| shape[axis] as u64), turned)
}

#[test]
fn transforms_of_itk_take_points_where_itk_does() {
    let any = grid([1, 1, 1], [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]);
    let cases = figures().itk;
    assert_eq!(cases.len(), 11);
    for Itk { file, points, moved } in cases {
        let read = transform::read(&golden(&file)).unwrap_or_else(|fault| panic!("{file}: {fault}"));
        assert_eq!(read.convention(), "ITK");
        let transform = read.between(&any, &any).expect("rigid");
        points_go(&transform, &points, &moved, &file);
    }
    let scaled = transform::read(&golden("not_rigid.tfm")).expect_err("it scales");
    assert!(scaled.to_string().contains("not rigid"), "{scaled}");
}

#[test]
fn matrices_of_flirt_take_points_where_fsl_does() {
    let file = transform::read(&golden("flirt.mat")).expect("a matrix");
    assert_eq!(file.convention(), "FSL");
    let cases = figures().fsl;
    assert_eq!(cases.len(), 6);
    for Fsl { moving, reference, points, moved } in cases {
        let transform = file.between(&moving.grid(), &reference.grid()).expect("rigid");
        points_go(&transform, &points, &moved, "flirt");
    }
}

fn points_go(transform: &RigidTransform, points: &[[f64; 3]], moved: &[[f64; 3]], what: &str) {
    for (point, expected) in points.iter().zip(moved) {
        let found = transform.apply(*point);
        let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(near, "{what}: {point:?} {found:?} {expected:?}");
    }
}

#[test]
fn what_is_no_transform_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (bytes, words) in [
        (&b"1 0 0\n0 1 0\n"[..], "neither one of ITK"),
        (b"#Insight Transform File V1.0\nTransform: BSplineTransform_double_3_3\nParameters: 1\n", "not rigid"),
        (b"#Insight Transform File V1.0\n", "no transform"),
        (b"\0\0\0\0garbage", "MATLAB"),
    ] {
        let path = folder.path().join("transform.txt");
        std::fs::write(&path, bytes).expect("a writable folder");
        let fault = transform::read(&path).expect_err("no rigid transform");
        assert!(fault.to_string().contains(words), "{fault}");
    }
    let mirror = "-1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n";
    let path = folder.path().join("mirror.mat");
    std::fs::write(&path, mirror).expect("a writable folder");
    let one = figures().overlaps[0].source.grid();
    assert!(transform::read(&path).expect("a matrix").between(&one, &one).is_err());
}

/// A body of a clinical size, in 4 mm voxels, an oblique CT of 1.5 mm over the middle of it.
fn clinical() -> (Arc<VoxelGrid>, Arc<VoxelGrid>) {
    let spect = grid([40, 36, 32], [[-4.0, 0.0, 0.0, 80.0], [0.0, 4.0, 0.0, -72.0], [0.0, 0.0, 4.0, -64.0]]);
    let (sin, cos) = 0.2f64.sin_cos();
    let (a, b) = (1.5 * cos, 1.5 * sin);
    let ct = grid([80, 80, 64], [[a, -b, 0.0, -44.3], [b, a, 0.0, -71.8], [0.0, 0.0, 1.5, -49.25]]);
    (spect, ct)
}

#[test]
fn mass_and_activity_are_kept_on_grids_of_any_kind() {
    let (spect, ct) = clinical();
    let fine = Arc::new(with_spacing(&spect, [2.7; 3]).expect("a good grid"));
    let coarse = Arc::new(with_spacing(&ct, [6.0; 3]).expect("a good grid"));
    for (from, to) in [(&spect, &fine), (&ct, &coarse), (&ct, &spect)] {
        let resampler = Resampler::new(from, to, &RigidTransform::IDENTITY);
        let volume = map(from);
        let moved = resampler.redistribute(&volume).expect("its grid");
        let kept = moved.total_after / moved.total_before - 1.0;
        let means = resampler.average(&volume, 0.0).expect("its grid");
        let mass = means.integral_after / means.integral_before - 1.0;
        println!("activity kept within {kept:.1e}, mass within {mass:.1e}, exact {}", resampler.is_exact());
        assert!(kept.abs() < 1e-6, "{kept}");
        assert!(mass.abs() < if resampler.is_exact() { 1e-9 } else { 2e-4 }, "{mass}");
        assert!((total(&moved.volume) - moved.total_after).abs() < 1e-6 * moved.total_after);
    }
}

#[test]
fn what_lies_outside_is_said_and_filled() {
    let (spect, ct) = clinical();
    let even = map(&spect).map(|_| 5.0f32);
    let outside = share_outside(&even, &ct, &RigidTransform::IDENTITY);
    let exact = 1.0 - ct.voxels() as f64 * ct.voxel_volume_cm3() / (spect.voxels() as f64 * spect.voxel_volume_cm3());
    assert!((outside - exact).abs() < 2e-3, "{outside} {exact}");
    let ones = map(&ct).map(|_| 1.0f32);
    let averaged = Resampler::new(&ct, &spect, &RigidTransform::IDENTITY).average(&ones, 0.25).expect("its grid");
    assert!(averaged.uncovered_voxels > spect.voxels() / 3);
    let values = averaged.volume.as_slice();
    assert!(values.iter().all(|v| (0.25..=1.0 + 1e-6).contains(v)));
    assert_eq!((values[0], values[20 + 40 * (18 + 36 * 16)]), (0.25, 1.0));
    let dose = Resampler::new(&ct, &spect, &RigidTransform::IDENTITY).interpolate(&ones).expect("its grid");
    assert_eq!(dose.outside_voxels, dose.volume.as_slice().iter().filter(|v| **v == 0.0).count());
    assert_eq!(share_outside(&map(&spect), &spect, &RigidTransform::IDENTITY), 0.0);
}

#[test]
fn overlapping_organs_keep_their_volumes() {
    let (spect, ct) = clinical();
    let ball = |label: u16, centre: [f64; 3], radius: f64| {
        let inside = (0..ct.voxels()).filter(|&voxel| {
            let [nx, ny, _] = ct.shape();
            let at = [voxel % nx, voxel / nx % ny, voxel / nx / ny];
            (0..3).map(|axis| (at[axis] as f64 - centre[axis]).powi(2)).sum::<f64>() < radius * radius
        });
        let voxels = inside.map(|voxel| u32::try_from(voxel).expect("a small grid")).collect();
        Organ::whole(label, None, voxels).expect("rising")
    };
    let organs = vec![ball(1, [40.0, 40.0, 32.0], 20.0), ball(2, [44.0, 38.0, 30.0], 7.0)];
    let organs = Organs::new(ct.clone(), organs).expect("a good pair");
    let overlapping = organs.overlapping_voxels();
    assert_eq!(overlapping, organs.organs()[1].voxels().len());
    let moved = Resampler::new(&ct, &spect, &RigidTransform::IDENTITY).organs(&organs).expect("its grid");
    for (before, after) in organs.organs().iter().zip(moved.organs()) {
        let volumes =
            [(before, &ct), (after, &spect)].map(|(organ, grid)| organ.size_voxels() * grid.voxel_volume_cm3());
        println!("organ {}: {:.4} cm³ before, {:.4} after", before.label, volumes[0], volumes[1]);
        assert!((volumes[1] / volumes[0] - 1.0).abs() < 5e-3, "{volumes:?}");
    }
    let map = moved.label_map();
    assert_eq!(map.present(), [1, 2]);
}
