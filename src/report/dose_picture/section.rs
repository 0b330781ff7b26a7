//! A plane section through a volume, resampled to pixels of equal size along both axes.

use crate::domain::Volume;

/// Across which axis a volume is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plane {
    /// Across z, seen from the feet: the patient's right is on the left, the front on top.
    Axial,
    /// Across y, seen from the front: the patient's right is on the left, the head on top.
    Coronal,
}

/// What part of a plane to show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) plane: Plane,
    /// Index of the slice.
    pub(super) slice: usize,
    /// Width and height shown around the middle of the volume [mm]; beyond the volume its edge goes on.
    pub(super) size_mm: [f64; 2],
    /// Pixels along each.
    pub(super) pixels: [usize; 2],
}

/// Values at the centres of pixels, first row on top.
pub(super) struct Section {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) values: Vec<f64>,
}

/// How values between voxel centres are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interpolation {
    /// Straight lines: stays within the neighbours.
    Linear,
    /// Catmull-Rom splines: smooth contours.
    Cubic,
}

impl Section {
    /// Cuts a volume whose axes run to the patient's left, back and head.
    pub(super) fn cut(volume: &Volume<f32>, window: Window, interpolation: Interpolation) -> Self {
        let grid = volume.grid();
        let (across, down) = match window.plane {
            Plane::Axial => (0, 1),
            Plane::Coronal => (0, 2),
        };
        let [width, height] = window.pixels;
        let position = |axis: usize, side: usize, pixel: usize| {
            let mm = ((pixel as f64 + 0.5) / window.pixels[side] as f64 - 0.5) * window.size_mm[side];
            (grid.shape()[axis] as f64 - 1.0) / 2.0 + mm / grid.spacing_mm()[axis]
        };
        let weights = |axis: usize, at: f64| interpolation.weights(at, grid.shape()[axis]);
        let columns: Vec<_> = (0..width).map(|x| weights(across, position(across, 0, x))).collect();
        let value = |i: usize, j: usize| {
            f64::from(match window.plane {
                Plane::Axial => volume.data()[[i, j, window.slice]],
                Plane::Coronal => volume.data()[[i, window.slice, j]],
            })
        };
        let mut values = Vec::with_capacity(width * height);
        for y in 0..height {
            // The head is on top: rows run against z.
            let y = if window.plane == Plane::Coronal { height - 1 - y } else { y };
            let row = weights(down, position(down, 1, y));
            values.extend(columns.iter().map(|column| {
                row.iter().map(|&(j, v)| v * column.iter().map(|&(i, u)| u * value(i, j)).sum::<f64>()).sum::<f64>()
            }));
        }
        Self { width, height, values }
    }
}

impl Interpolation {
    /// Voxels and their weights for a position along an axis of `n` voxels, in voxels from the first one's centre.
    fn weights(self, at: f64, n: usize) -> [(usize, f64); 4] {
        let at = at.clamp(0.0, n as f64 - 1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the axis above")]
        let below = (at.floor() as usize).min(n - 1);
        let t = at - below as f64;
        let index = |offset: usize| (below + offset).saturating_sub(1).min(n - 1);
        let weights = match self {
            Self::Linear => [0.0, 1.0 - t, t, 0.0],
            Self::Cubic => [
                ((2.0 - t) * t - 1.0) * t / 2.0,
                ((3.0 * t - 5.0) * t * t + 2.0) / 2.0,
                ((4.0 - 3.0 * t) * t + 1.0) * t / 2.0,
                (t - 1.0) * t * t / 2.0,
            ],
        };
        [0, 1, 2, 3].map(|offset| (index(offset), weights[offset]))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::VoxelGrid;

    /// x + 10·y + 100·z, by index.
    fn ramp() -> Volume<f32> {
        let grid = Arc::new(VoxelGrid::new([8, 6, 4], [2.0, 3.0, 5.0]).expect("a good grid"));
        let values = (0u16..192).map(|i| f32::from(i % 8 + 10 * (i / 8 % 6) + 100 * (i / 48))).collect();
        Volume::from_vec(grid, values).expect("192 voxels")
    }

    #[test]
    fn sections_keep_a_linear_field_and_the_orientation() {
        for interpolation in [Interpolation::Linear, Interpolation::Cubic] {
            let window = Window { plane: Plane::Axial, slice: 2, size_mm: [8.0, 6.0], pixels: [8, 6] };
            let axial = Section::cut(&ramp(), window, interpolation);
            // Pixels of 1 mm about the middle, (3.5, 2.5): the first is 3.5 mm to the left of it and 2.5 mm above.
            let first = 200.0 + (3.5 - 3.5 / 2.0) + 10.0 * (2.5 - 2.5 / 3.0);
            assert!((axial.values[0] - first).abs() < 1e-9, "{interpolation:?}: {}, expected {first}", axial.values[0]);

            let window = Window { plane: Plane::Coronal, slice: 1, size_mm: [8.0, 10.0], pixels: [8, 10] };
            let coronal = Section::cut(&ramp(), window, interpolation);
            let (top, bottom) = (coronal.values[0], coronal.values[8 * 9]);
            assert!(top > bottom, "the head is on top: {top}, {bottom}");
            let middle = coronal.values.iter().sum::<f64>() / coronal.values.len() as f64;
            assert!((middle - (3.5 + 10.0 + 150.0)).abs() < 1e-9, "{middle}");
        }
    }

    #[test]
    fn weights_add_up_to_one_anywhere() {
        for interpolation in [Interpolation::Linear, Interpolation::Cubic] {
            for (at, n) in [(-3.0, 1), (0.0, 1), (0.4, 2), (2.9, 4), (9.0, 4)] {
                let sum: f64 = interpolation.weights(at, n).iter().map(|w| w.1).sum();
                assert!((sum - 1.0).abs() < 1e-12, "{interpolation:?} at {at}");
            }
        }
    }
}
