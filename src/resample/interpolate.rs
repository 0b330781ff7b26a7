//! Values at the centres of voxels, by linear interpolation: doses.

use rayon::prelude::*;

use super::Resampler;
use crate::domain::grid::apply;
use crate::domain::{Invalid, Volume};

/// How far, in voxels, a centre may lie outside the outermost voxels and still be within them.
const EDGE_TOLERANCE: f64 = 1e-6;

/// A map of interpolated values.
#[derive(Clone, Debug)]
pub struct Interpolated {
    /// The values at the centres of the target's voxels.
    pub volume: Volume<f32>,
    /// Voxels of the target whose centre lies outside the source; they are 0.
    pub outside_voxels: usize,
}

impl Resampler {
    /// The value at the centre of each voxel of the target. Between the centre of the outermost voxels and their edge
    /// the value is theirs; outside the source it is 0.
    ///
    /// # Errors
    /// If the volume is not on the source's grid.
    pub fn interpolate(&self, volume: &Volume<f32>) -> Result<Interpolated, Invalid> {
        self.check_source(volume)?;
        if let Some(volume) = self.reordered(volume) {
            return Ok(Interpolated { volume, outside_voxels: 0 });
        }
        let (source, [nx, ny, nz]) = (self.source.shape(), self.target.shape());
        let (matrix, values) = (self.alignment.matrix(), volume.as_slice());
        let mut found = vec![f32::NAN; nx * ny * nz];
        found.par_chunks_mut(nx).enumerate().for_each(|(row, found)| {
            if self.is_stopped() {
                return;
            }
            for (x, found) in found.iter_mut().enumerate() {
                let point = apply(&matrix, [x as f64, (row % ny) as f64, (row / ny) as f64]);
                if let Some(value) = linear(values, source, point) {
                    *found = value;
                }
            }
        });
        let outside_voxels = found.iter().filter(|value| value.is_nan()).count();
        found.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = 0.0);
        Ok(Interpolated { volume: Volume::from_vec(self.target.clone(), found)?, outside_voxels })
    }
}

/// The value at a point; none outside the grid.
fn linear(values: &[f32], shape: [usize; 3], point: [f64; 3]) -> Option<f32> {
    let (mut low, mut high, mut part) = ([0; 3], [0; 3], [0.0; 3]);
    for axis in 0..3 {
        let last = (shape[axis] - 1) as f64;
        if !(-0.5 - EDGE_TOLERANCE..=last + 0.5 + EDGE_TOLERANCE).contains(&point[axis]) {
            return None;
        }
        let position = point[axis].clamp(0.0, last);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the grid")]
        {
            low[axis] = position as usize;
        }
        high[axis] = (low[axis] + 1).min(shape[axis] - 1);
        part[axis] = position - low[axis] as f64;
    }
    let at = |x: usize, y: usize, z: usize| f64::from(values[x + shape[0] * (y + shape[1] * z)]);
    let along_x = |y, z| at(low[0], y, z) * (1.0 - part[0]) + at(high[0], y, z) * part[0];
    let along_y = |z| along_x(low[1], z) * (1.0 - part[1]) + along_x(high[1], z) * part[1];
    let value = along_y(low[2]) * (1.0 - part[2]) + along_y(high[2]) * part[2];
    #[expect(clippy::cast_possible_truncation, reason = "between values of single precision")]
    Some(value as f32)
}
