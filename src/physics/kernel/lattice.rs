//! Energies at all offsets of a box at once.
//!
//! The overlap of two voxels is a product of linear functions in each cell between lattice planes, and eight offsets
//! share a cell. So Gauss-Legendre points in each cell serve all eight, and sums over points are made axis by axis.

use rayon::prelude::*;

use super::density_table::DensityTable;
use crate::math::gauss::GaussRule;
use crate::math::watch::{Interrupted, Watch};

/// Planes of offsets that are computed one after another.
const PLANES_TOGETHER: usize = 8;

/// Offsets whose energies are computed together.
pub(super) struct Lattice<'a> {
    /// Energy absorbed per volume, from the nearest cell that does not touch the source point.
    pub(super) density: &'a DensityTable,
    /// Voxel edges [cm].
    pub(super) spacing_cm: [f64; 3],
    /// Offsets from 0 by axis.
    pub(super) shape: [usize; 3],
    /// Offsets farther away are left out: what is found there is not their energy [cm].
    pub(super) reach_cm: f64,
    /// Pairs of axes: offsets that are larger along the first than along the second are left out, too.
    pub(super) ascending: &'a [[usize; 2]],
}

/// Points of a rule in a cell: where, and their weights for the offset before and for that after.
type Points = Vec<[f64; 3]>;

/// The linear functions fall and rise in a cell.
fn points(number: usize) -> Points {
    let rule = GaussRule::legendre(number);
    let pairs = rule.points.iter().zip(&rule.weights);
    pairs.map(|(t, weight)| (0.5 + 0.5 * t, weight)).map(|(t, weight)| [t, weight * (1.0 - t), weight * t]).collect()
}

impl Lattice<'_> {
    /// Energy at each offset, x fastest [MeV per decay]; not for offsets that touch the source point.
    ///
    /// * `number` – points along each axis of a cell
    ///
    /// # Errors
    /// [`Interrupted`].
    pub(super) fn energies(&self, number: usize, watch: &dyn Watch) -> Result<Vec<f64>, Interrupted> {
        let [nx, ny, nz] = self.shape;
        let points = points(number);
        let plane = nx * ny;
        let mut energies = vec![0.0; plane * nz];
        // A task also computes the cells before its first plane, which another computes, too.
        energies.par_chunks_mut(plane * PLANES_TOGETHER).enumerate().try_for_each(|(task, energies)| {
            let first = task * PLANES_TOGETHER;
            let [mut before, mut after, mut scratch] = [0; 3].map(|_| vec![0.0; plane]);
            if let Some(cell) = first.checked_sub(1) {
                self.plane(cell, &points, [&mut scratch.clone(), &mut before], &mut scratch);
            }
            for (cell, energies) in (first..).zip(energies.chunks_exact_mut(plane)) {
                watch.check()?;
                self.plane(cell, &points, [energies, &mut after], &mut scratch);
                // The cells before the first plane are mirror images.
                if cell == 0 {
                    energies.iter_mut().for_each(|energy| *energy *= 2.0);
                } else {
                    energies.iter_mut().zip(&before).for_each(|(energy, before)| *energy += before);
                }
                std::mem::swap(&mut before, &mut after);
            }
            Ok(())
        })?;
        Ok(energies)
    }

    /// What a plane of cells adds to the offsets before it and after it.
    fn plane(&self, cell: usize, points: &Points, [before, after]: [&mut [f64]; 2], scratch: &mut [f64]) {
        let [nx, ny, _] = self.shape;
        let volume = self.spacing_cm.iter().product::<f64>();
        before.fill(0.0);
        after.fill(0.0);
        for &[t, to_before, to_after] in points {
            scratch.fill(0.0);
            let z2 = self.square(2, cell, t);
            for row in 0..ny {
                let cells = usize::from(row == 0 && cell == 0)..self.cells(row, cell);
                for &[t, to_before, to_after] in points {
                    // The cells before the first row are mirror images.
                    let weights = [if row == 0 { 2.0 * to_before } else { to_before }, to_after];
                    let rows = scratch[row * nx..].split_at_mut(nx);
                    self.row(cells.clone(), z2 + self.square(1, row, t), points, weights, rows);
                }
            }
            before.iter_mut().zip(&*scratch).for_each(|(sum, value)| *sum += volume * to_before * value);
            after.iter_mut().zip(&*scratch).for_each(|(sum, value)| *sum += volume * to_after * value);
        }
    }

    /// Cells along x of which something is asked for, at a cell along y and one along z.
    fn cells(&self, y: usize, z: usize) -> usize {
        let left2 = self.reach_cm.powi(2) - self.square(1, y, 0.0) - self.square(2, z, 0.0);
        if left2 < 0.0 || (self.ascending.contains(&[1, 2]) && y > z + 1) {
            return 0;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; the cast saturates")]
        let reach = ((left2.sqrt() / self.spacing_cm[0]) as usize).saturating_add(1);
        let limits = [(1, y), (2, z)].into_iter().filter(|(axis, _)| self.ascending.contains(&[0, *axis]));
        limits.map(|(_, limit)| limit + 2).fold(self.shape[0].min(reach), usize::min)
    }

    /// Adds what cells along x hold at one point along y and z, to the row of offsets before them and to that after.
    fn row(
        &self,
        cells: std::ops::Range<usize>,
        yz2: f64,
        points: &Points,
        weights: [f64; 2],
        (before, after): (&mut [f64], &mut [f64]),
    ) {
        let mut rising = 0.0;
        for cell in cells {
            let [mut to_before, mut to_after] = [0.0; 2];
            for [t, fall, rise] in points {
                let density = self.density.at(yz2 + self.square(0, cell, *t));
                to_before += fall * density;
                to_after += rise * density;
            }
            // The cell before the first is a mirror image.
            let value = to_before + if cell == 0 { to_before } else { rising };
            rising = to_after;
            before[cell] += weights[0] * value;
            if let Some(after) = after.get_mut(cell) {
                *after += weights[1] * value;
            }
        }
    }

    /// Square of a place along an axis [cm²].
    fn square(&self, axis: usize, cell: usize, t: f64) -> f64 {
        ((cell as f64 + t) * self.spacing_cm[axis]).powi(2)
    }
}
