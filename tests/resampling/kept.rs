//! What must be kept, on grids of clinical sizes: mass, activity, the volume of organs.

use std::sync::Arc;

use dosegrid::domain::{Organ, Organs, RigidTransform, VoxelGrid};
use dosegrid::resample::{Resampler, share_outside, with_spacing};

use super::{grid, map, total};

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
