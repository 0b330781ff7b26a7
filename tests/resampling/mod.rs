//! Maps on other grids, against SimpleITK, SciPy and flirt (`golden/resampling/make.py`), and what must hold anyway.

mod kept;
mod transforms;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dosegrid::domain::grid::Affine;
use dosegrid::domain::{LabelMap, Organs, RigidTransform, Volume, VoxelGrid};
use dosegrid::formats::transform;
use dosegrid::resample::{Resampler, reorder, share_outside};
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
    serde_json::from_str(include_str!("../golden/resampling/figures.json")).expect("the figures have their fields")
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
