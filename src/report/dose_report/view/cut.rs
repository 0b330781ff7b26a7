//! The part of a grid that is shown.

use crate::domain::Volume;

/// Most voxels that are shown; a page then has some 8 MB at most.
const MOST_VOXELS: usize = 2_500_000;
/// What is at least as dense is of the body [g/cm³].
const BODY_G_CM3: f32 = 0.2;
/// Where there is no density, what has at least this part of the largest dose is shown.
const SHOWN_DOSE: f32 = 0.002;
/// Voxels that are kept around the body.
const MARGIN: usize = 2;

/// A part of a grid, binned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    from: [usize; 3],
    /// Bins along each axis.
    pub(super) shape: [usize; 3],
    /// Voxels to a bin along each axis.
    pub(super) bin: [usize; 3],
    /// Voxels of the grid.
    grid: [usize; 3],
}

impl Cut {
    /// The box around the body, binned so that it has few voxels enough.
    pub(super) fn around(dose: &Volume<f32>, density: Option<&Volume<f32>>) -> Self {
        let (shown, least) = match density {
            Some(density) => (density, BODY_G_CM3),
            None => (dose, SHOWN_DOSE * dose.as_slice().iter().copied().fold(0.0, f32::max)),
        };
        let grid = dose.grid().shape();
        let (mut from, mut to) = (grid, [0; 3]);
        for ((x, y, z), _) in shown.data().indexed_iter().filter(|(_, value)| **value >= least) {
            for (axis, at) in [x, y, z].into_iter().enumerate() {
                from[axis] = from[axis].min(at);
                to[axis] = to[axis].max(at + 1);
            }
        }
        if to == [0; 3] {
            (from, to) = ([0; 3], grid);
        }
        let from = from.map(|at| at.saturating_sub(MARGIN));
        let to = [0, 1, 2].map(|axis| (to[axis] + MARGIN).min(grid[axis]));
        let bins = |bin: [usize; 3]| [0, 1, 2].map(|axis| ((to[axis] - from[axis]) / bin[axis]).max(1));
        let mut bin = [1; 3];
        while bins(bin).iter().product::<usize>() > MOST_VOXELS {
            // The axis with the shortest bins that can still be longer.
            let length = |axis: &usize| dose.grid().spacing_mm()[*axis] * bin[*axis] as f64;
            let free = (0..3).filter(|&axis| bins(bin)[axis] > 1);
            let axis = free.min_by(|a, b| length(a).total_cmp(&length(b))).expect("many bins are not one");
            bin[axis] += 1;
        }
        Self { from, shape: bins(bin), bin, grid }
    }

    /// Whether some of the grid is not in it.
    pub(super) fn is_cropped(&self) -> bool {
        (0..3).any(|axis| self.shape[axis] * self.bin[axis] != self.grid[axis])
    }

    /// First voxel of each bin, x fastest.
    fn starts(&self) -> impl Iterator<Item = [usize; 3]> + '_ {
        let [nx, ny, nz] = self.shape;
        let at = |axis: usize, n: usize| self.from[axis] + n * self.bin[axis];
        (0..nz).flat_map(move |z| (0..ny).flat_map(move |y| (0..nx).map(move |x| [at(0, x), at(1, y), at(2, z)])))
    }

    /// The mean of each bin.
    pub(super) fn means(&self, volume: &Volume<f32>) -> Vec<f32> {
        let data = volume.data();
        let [bx, by, bz] = self.bin;
        let mean = |[x, y, z]: [usize; 3]| {
            let rows = (z..z + bz).flat_map(|k| (y..y + by).map(move |j| (j, k)));
            let sum: f64 = rows.flat_map(|(j, k)| (x..x + bx).map(move |i| f64::from(data[[i, j, k]]))).sum();
            #[expect(clippy::cast_possible_truncation, reason = "maps have single precision")]
            let mean = (sum / (bx * by * bz) as f64) as f32;
            mean
        };
        self.starts().map(mean).collect()
    }

    /// The voxel in the middle of each bin.
    pub(super) fn middles(&self, volume: &Volume<u8>) -> Vec<u8> {
        let data = volume.data();
        self.starts().map(|at| data[[0, 1, 2].map(|axis| at[axis] + self.bin[axis] / 2)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::VoxelGrid;

    fn volume(shape: [u64; 3], value: impl Fn([usize; 3]) -> f32 + Copy) -> Volume<f32> {
        let grid = VoxelGrid::new(shape, [1.0, 1.0, 3.0]).expect("a good grid");
        let [nx, ny, nz] = grid.shape();
        let all = (0..nz).flat_map(|z| (0..ny).flat_map(move |y| (0..nx).map(move |x| [x, y, z])));
        Volume::from_vec(Arc::new(grid), all.map(value).collect()).expect("a value a voxel")
    }

    #[test]
    fn what_is_shown_is_the_body_with_a_margin() {
        let body = volume([20, 20, 10], |[x, y, z]| if (5..9).contains(&x) && y == 7 && z == 0 { 1.0 } else { 0.0 });
        let dose = volume([20, 20, 10], |[x, y, z]| (x + 100 * y + 10_000 * z) as f32);
        let cut = Cut::around(&dose, Some(&body));
        assert_eq!((cut.from, cut.shape, cut.bin), ([3, 5, 0], [8, 5, 3], [1, 1, 1]));
        assert!(cut.is_cropped());
        let means = cut.means(&dose);
        assert_eq!((means.len(), means[0], means[119]), (120, 503.0, 20_910.0));
        // Nothing is of the body: all is shown.
        assert!(!Cut::around(&dose, Some(&volume([20, 20, 10], |_| 0.0))).is_cropped());
    }

    #[test]
    fn many_voxels_are_binned_along_the_shortest() {
        let dose = volume([200, 200, 101], |[x, _, _]| 1.0 + (x % 2) as f32);
        let cut = Cut::around(&dose, None);
        assert_eq!((cut.bin, cut.shape), ([2, 1, 1], [100, 200, 101]));
        assert!(cut.means(&dose).iter().all(|mean| *mean == 1.5));
        assert_eq!(cut.middles(&dose.map(|value| u8::from(*value == 2.0)))[0], 1);
    }
}
