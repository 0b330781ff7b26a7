//! Between voxels and coarse ones that each hold several.

use rayon::prelude::*;

/// Sums over the voxels of each coarse one, times a scale, of several values at once.
///
/// * `values` – of a voxel
pub(super) fn block_sums<const N: usize>(
    values: impl Fn(usize) -> [f64; N] + Sync,
    shape: [usize; 3],
    factor: [usize; 3],
    scale: f64,
) -> [Vec<f32>; N] {
    let [cx, cy, cz] = [0, 1, 2].map(|axis| shape[axis].div_ceil(factor[axis]));
    let row = |row: usize| -> Vec<[f64; N]> {
        let (j, k) = (row % cy, row / cy);
        let mut exact = vec![[0.0; N]; cx];
        for z in k * factor[2]..shape[2].min((k + 1) * factor[2]) {
            for y in j * factor[1]..shape[1].min((j + 1) * factor[1]) {
                let row = (z * shape[1] + y) * shape[0];
                for (x, sums) in (0..shape[0]).step_by(factor[0]).zip(&mut exact) {
                    let mut along_x = [0.0; N];
                    for x in x..shape[0].min(x + factor[0]) {
                        along_x.iter_mut().zip(values(row + x)).for_each(|(sum, value)| *sum += value);
                    }
                    sums.iter_mut().zip(along_x).for_each(|(sum, along_x)| *sum += along_x);
                }
            }
        }
        exact
    };
    let sums: Vec<Vec<[f64; N]>> = (0..cy * cz).into_par_iter().map(row).collect();
    #[expect(clippy::cast_possible_truncation, reason = "the stored precision")]
    std::array::from_fn(|n| sums.iter().flatten().map(|sums| (sums[n] * scale) as f32).collect())
}

/// The two coarse voxels between whose centres a voxel lies, and how far it is from the first.
#[derive(Clone, Copy)]
pub(super) struct Between {
    below: usize,
    above: usize,
    part: f32,
}

impl Between {
    /// The value of a row of coarse voxels there.
    pub(super) fn of(self, line: &[f32]) -> f32 {
        line[self.below] + self.part * (line[self.above] - line[self.below])
    }
}

/// Where the voxels of an axis lie between the coarse ones.
pub(super) fn interpolation(length: usize, factor: usize) -> Vec<Between> {
    let last = length.div_ceil(factor) - 1;
    let between = |i: usize| {
        let at = ((i as f64 + 0.5) / factor as f64 - 0.5).clamp(0.0, last as f64);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the length, not negative")]
        let below = at.floor() as usize;
        #[expect(clippy::cast_possible_truncation, reason = "a part")]
        let part = (at - below as f64) as f32;
        Between { below, above: (below + 1).min(last), part }
    };
    (0..length).map(between).collect()
}

/// The values of one row of coarse voxels, between four of them.
pub(super) fn line(values: &[f32], [nx, ny, _]: [usize; 3], y: Between, z: Between) -> Vec<f32> {
    let row = |y: usize, z: usize| &values[(z * ny + y) * nx..][..nx];
    let rows = [row(y.below, z.below), row(y.above, z.below), row(y.below, z.above), row(y.above, z.above)];
    (0..nx)
        .map(|x| {
            let near = rows[0][x] + y.part * (rows[1][x] - rows[0][x]);
            let far = rows[2][x] + y.part * (rows[3][x] - rows[2][x]);
            near + z.part * (far - near)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coarse_voxels_hold_what_their_voxels_hold() {
        let (shape, factor) = ([5, 3, 4], [2, 3, 1]);
        let values: Vec<f32> = (0..60u8).map(f32::from).collect();
        let [sums, doubled] = block_sums(|voxel| [1.0, 2.0].map(|n| n * f64::from(values[voxel])), shape, factor, 0.5);
        assert_eq!(sums.len(), 3 * 4);
        assert_eq!(sums.iter().sum::<f32>(), 0.5 * values.iter().sum::<f32>());
        assert_eq!(sums[2], 0.5 * (4.0 + 9.0 + 14.0));
        assert!(sums.iter().zip(&doubled).all(|(sum, doubled)| 2.0 * sum == *doubled));
    }

    #[test]
    fn what_is_linear_is_kept_between_centres() {
        for (length, factor) in [(12, 3), (7, 2), (4, 1), (1, 1)] {
            let last = usize::div_ceil(length, factor) - 1;
            for (i, between) in interpolation(length, factor).iter().enumerate() {
                let centre = (i as f64 + 0.5) / factor as f64 - 0.5;
                let found = between.below as f64 + f64::from(between.part);
                assert!((found - centre.clamp(0.0, last as f64)).abs() < 1e-6);
                assert!(between.above <= last);
            }
        }
    }
}
