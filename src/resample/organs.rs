//! Organs, by the share that each has of a voxel.

use rayon::prelude::*;

use super::Resampler;
use super::alignment::{Alignment, Axis};
use super::lattice::{add, displacements, position, voxel_at};
use super::separable::{Overlaps, overlaps};
use crate::domain::grid::{Affine, apply};
use crate::domain::organs::index_of;
use crate::domain::transform::inverse;
use crate::domain::{Invalid, Organ, Organs};

/// Smaller shares of a voxel are left out.
const MIN_SHARE: f64 = 1e-6;
/// Voxels of an organ between two looks at whether anybody waits for it.
const VOXELS_A_LOOK: usize = 64;

/// A box of voxels: first and one past the last along each axis.
#[derive(Clone, Copy, Debug)]
struct Block {
    from: [usize; 3],
    to: [usize; 3],
}

impl Resampler {
    /// The same organs on the target, by shares of its voxels. An organ that lies outside the target has no voxel left
    /// but is still listed.
    ///
    /// # Errors
    /// If the organs are not on the source's grid, or the target has more than 2³² voxels.
    pub fn organs(&self, organs: &Organs) -> Result<Organs, Invalid> {
        if organs.grid() != &self.source {
            return Err(Invalid::new("the organs are not on the grid that they are taken from"));
        }
        index_of(self.target.voxels())?;
        let moved: Vec<Organ> = match (&self.alignment, self.source_indices()) {
            (_, Some(sources)) => {
                let mut targets = vec![0; self.source.voxels()];
                sources.enumerate().for_each(|(target, source)| targets[source] = target);
                organs.organs().par_iter().map(|organ| reordered(organ, &targets)).collect::<Result<_, _>>()?
            }
            (Alignment::Aligned(axes) | Alignment::Reordered(axes), None) => {
                let scatter = Scatter::new(axes, self.source.shape(), self.target.shape());
                organs
                    .organs()
                    .par_iter()
                    .map(|organ| scatter.organ(organ, &|| self.is_stopped()))
                    .collect::<Result<_, _>>()?
            }
            (Alignment::Oblique(matrix), None) => {
                organs.organs().par_iter().map(|organ| self.sampled(organ, matrix)).collect::<Result<_, _>>()?
            }
        };
        Organs::new(self.target.clone(), moved)
    }

    /// The part of an organ that lies outside the target, 0 to 1: of its volume, or on oblique grids, where volumes are
    /// sampled, of the centres of its voxels.
    ///
    /// * `moved` – the same organ on the target
    pub(super) fn organ_outside(&self, organ: &Organ, moved: &Organ) -> f64 {
        let all = organ.size_voxels();
        if all <= 0.0 {
            return 0.0;
        }
        let inside = match &self.alignment {
            Alignment::Aligned(_) | Alignment::Reordered(_) => {
                let [source, target] = [&self.source, &self.target].map(|grid| grid.voxel_volume_cm3());
                moved.size_voxels() * target / source
            }
            Alignment::Oblique(matrix) => {
                let to_target = inverse(matrix).expect("can be inverted");
                let (source, target) = (self.source.shape(), self.target.shape());
                let is_inside = |voxel: usize| voxel_at(apply(&to_target, position(voxel, source)), target).is_some();
                organ.shares().filter(|(voxel, _)| is_inside(*voxel)).map(|(_, share)| share).sum()
            }
        };
        (1.0 - inside / all).max(0.0)
    }

    /// Each voxel of the target that the organ may reach, at sampled points.
    fn sampled(&self, organ: &Organ, matrix: &Affine) -> Result<Organ, Invalid> {
        let (source, target) = (self.source.shape(), self.target.shape());
        let Some(own) = Block::around(organ, source) else {
            return from_shares(organ, Vec::new());
        };
        let mut part_of = vec![0f64; own.voxels()];
        organ.shares().for_each(|(voxel, share)| part_of[own.index(voxel, source)] = share);
        let reach = own.moved(&inverse(matrix).expect("can be inverted"), target);
        let points = displacements(matrix, self.target.voxels());
        let base: [f64; 3] = own.from.map(|from| from as f64);
        let share = |at: usize| {
            let voxel = reach.voxel(at, target);
            if self.is_stopped() {
                return (voxel, 0.0);
            }
            let centre = apply(matrix, position(voxel, target));
            let centre = [0, 1, 2].map(|axis| centre[axis] - base[axis]);
            let parts = points.iter().filter_map(|&point| voxel_at(add(centre, point), own.shape()));
            (voxel, parts.map(|voxel| part_of[voxel]).sum::<f64>() / points.len() as f64)
        };
        from_shares(organ, (0..reach.voxels()).into_par_iter().map(share).collect())
    }
}

/// Overlaps by voxel of the source, along axes of the target.
struct Scatter {
    source: [usize; 3],
    target: [usize; 3],
    /// For each axis of the target: which axis of the source runs along it, and for each of its voxels the first voxel
    /// of the target that it overlaps, with the part of that voxel.
    axes: [(usize, Vec<Overlaps>); 3],
}

impl Scatter {
    fn new(axes: &[Axis; 3], source: [usize; 3], target: [usize; 3]) -> Self {
        let back = |axis: usize| {
            let Axis { source: of, scale, offset } = axes[axis];
            let reversed = Axis { source: axis, scale: 1.0 / scale, offset: -offset / scale };
            (of, overlaps(&reversed, target[axis], source[of]))
        };
        Self { source, target, axes: [0, 1, 2].map(back) }
    }

    fn organ(&self, organ: &Organ, is_stopped: &(impl Fn() -> bool + Sync)) -> Result<Organ, Invalid> {
        let Some(own) = Block::around(organ, self.source) else {
            return from_shares(organ, Vec::new());
        };
        let Some(reach) = self.reach(&own) else {
            return from_shares(organ, Vec::new());
        };
        let mut sums = vec![0f64; reach.voxels()];
        let shape = reach.shape();
        for (number, (voxel, share)) in organ.shares().enumerate() {
            if number % VOXELS_A_LOOK == 0 && is_stopped() {
                break;
            }
            let at = indices(voxel, self.source);
            let [x, y, z] = [0, 1, 2].map(|axis: usize| &self.axes[axis].1[at[self.axes[axis].0]]);
            for (iz, wz) in z.lengths.iter().enumerate() {
                for (iy, wy) in y.lengths.iter().enumerate() {
                    let row = (y.start + iy - reach.from[1]) + shape[1] * (z.start + iz - reach.from[2]);
                    for (ix, wx) in x.lengths.iter().enumerate() {
                        sums[x.start + ix - reach.from[0] + shape[0] * row] += share * wx * wy * wz;
                    }
                }
            }
        }
        let shares = sums.into_iter().enumerate().map(|(at, sum)| (reach.voxel(at, self.target), sum)).collect();
        from_shares(organ, shares)
    }

    /// The voxels of the target that voxels of the source overlap; none if there is none.
    fn reach(&self, own: &Block) -> Option<Block> {
        let (mut from, mut to) = ([0; 3], [0; 3]);
        for (axis, (of, parts)) in self.axes.iter().enumerate() {
            let parts = || parts[own.from[*of]..own.to[*of]].iter().filter(|part| !part.lengths.is_empty());
            from[axis] = parts().map(|part| part.start).min()?;
            to[axis] = parts().map(|part| part.start + part.lengths.len()).max()?;
        }
        Some(Block { from, to })
    }
}

impl Block {
    /// The box around an organ; none if it has no voxel.
    fn around(organ: &Organ, shape: [usize; 3]) -> Option<Self> {
        let mut block: Option<Self> = None;
        for &voxel in organ.voxels() {
            let at = indices(voxel as usize, shape);
            let Self { from, to } = block.get_or_insert(Self { from: at, to: at.map(|v| v + 1) });
            for axis in 0..3 {
                from[axis] = from[axis].min(at[axis]);
                to[axis] = to[axis].max(at[axis] + 1);
            }
        }
        block
    }

    fn shape(&self) -> [usize; 3] {
        [0, 1, 2].map(|axis| self.to[axis] - self.from[axis])
    }

    fn voxels(&self) -> usize {
        self.shape().into_iter().product()
    }

    /// Index within the box of a voxel of the grid.
    fn index(&self, voxel: usize, shape: [usize; 3]) -> usize {
        let at = indices(voxel, shape);
        let [x, y, z] = [0, 1, 2].map(|axis| at[axis] - self.from[axis]);
        let [nx, ny, _] = self.shape();
        x + nx * (y + ny * z)
    }

    /// Voxel of the grid at an index within the box.
    fn voxel(&self, index: usize, shape: [usize; 3]) -> usize {
        let at = indices(index, self.shape());
        let [x, y, z] = [0, 1, 2].map(|axis| at[axis] + self.from[axis]);
        x + shape[0] * (y + shape[1] * z)
    }

    /// The box of another grid that holds this one.
    fn moved(&self, matrix: &Affine, shape: [usize; 3]) -> Self {
        let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
        for corner in 0..8u8 {
            let end = |axis: usize| if corner >> axis & 1 == 1 { self.to[axis] } else { self.from[axis] } as f64 - 0.5;
            let at = apply(matrix, [0, 1, 2].map(end));
            for axis in 0..3 {
                low[axis] = low[axis].min(at[axis]);
                high[axis] = high[axis].max(at[axis]);
            }
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the grid")]
        let clamp = |value: f64, axis: usize| value.clamp(0.0, shape[axis] as f64) as usize;
        Self {
            from: [0, 1, 2].map(|axis| clamp((low[axis] - 1.0).floor(), axis)),
            to: [0, 1, 2].map(|axis| clamp((high[axis] + 2.0).ceil(), axis)),
        }
    }
}

fn indices(voxel: usize, shape: [usize; 3]) -> [usize; 3] {
    [voxel % shape[0], voxel / shape[0] % shape[1], voxel / shape[0] / shape[1]]
}

/// * `targets` – for each voxel of the source the voxel of the target
fn reordered(organ: &Organ, targets: &[usize]) -> Result<Organ, Invalid> {
    let mut shares: Vec<(usize, f64)> = organ.shares().map(|(voxel, share)| (targets[voxel], share)).collect();
    shares.sort_unstable_by_key(|(voxel, _)| *voxel);
    from_shares(organ, shares)
}

/// The organ with other shares; they are by rising voxel.
fn from_shares(organ: &Organ, shares: Vec<(usize, f64)>) -> Result<Organ, Invalid> {
    let shares = shares.into_iter().filter(|(_, share)| *share > MIN_SHARE).map(|(voxel, share)| {
        #[expect(clippy::cast_possible_truncation, reason = "a share from 0 to 1")]
        let share = share.min(1.0) as f32;
        index_of(voxel).map(|voxel| (voxel, share))
    });
    Organ::partial(organ.label, organ.name.clone(), shares.collect::<Result<Vec<_>, _>>()?)
}
