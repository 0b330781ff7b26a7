//! Overlaps of grids whose axes run along one another: a product of three lengths, applied axis by axis.

use rayon::prelude::*;

use super::alignment::Axis;

/// Shorter runs of values are not worth a task of their own.
const MIN_RUN: usize = 64;
/// Shares below this are rounding errors.
const NO_OVERLAP: f64 = 1e-9;

/// The voxels of the source that a voxel of the target overlaps along one axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Overlaps {
    /// The first of them.
    pub(super) start: usize,
    /// Lengths of the overlaps, in voxels of the source.
    pub(super) lengths: Vec<f64>,
}

/// For each voxel of the target along an axis, what it overlaps.
///
/// * `source`, `target` – numbers of voxels along the axis
pub(super) fn overlaps(axis: &Axis, source: usize, target: usize) -> Vec<Overlaps> {
    (0..target).map(|index| overlap(axis, source, index)).collect()
}

fn overlap(axis: &Axis, source: usize, index: usize) -> Overlaps {
    let ends = [-0.5, 0.5].map(|half| axis.scale * (index as f64 + half) + axis.offset + 0.5);
    let (low, high) = (ends[0].min(ends[1]).max(0.0), ends[0].max(ends[1]).min(source as f64));
    if high - low <= NO_OVERLAP {
        return Overlaps { start: 0, lengths: Vec::new() };
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to the number of voxels")]
    let (start, end) = (low.floor() as usize, (high.ceil() as usize).min(source));
    let mut lengths: Vec<f64> =
        (start..end).map(|voxel| high.min(voxel as f64 + 1.0) - low.max(voxel as f64)).collect();
    let mut start = start;
    // Slivers at the ends are rounding errors.
    while lengths.len() > 1 && lengths.last().is_some_and(|length| *length < NO_OVERLAP) {
        lengths.pop();
    }
    while lengths.len() > 1 && lengths[0] < NO_OVERLAP {
        lengths.remove(0);
        start += 1;
    }
    Overlaps { start, lengths }
}

/// For each voxel of the target the sum over the source of value times overlap; the overlap of two voxels is a part of
/// the source's voxel.
///
/// * `values` – of the source, x fastest
/// * `is_stopped` – whether nobody waits for the sums any more: what is left to do is left out
pub(super) fn overlap_sums<T: Copy + Into<f64> + Sync>(
    values: &[T],
    source: [usize; 3],
    axes: &[Axis; 3],
    target: [usize; 3],
    is_stopped: &(impl Fn() -> bool + Sync),
) -> Vec<f64> {
    // By axes of the source: which axis of the target runs along it, and the overlaps.
    let along = [0, 1, 2].map(|s| axes.iter().position(|axis| axis.source == s).expect("each axis has one"));
    let parts = [0, 1, 2].map(|s| overlaps(&axes[along[s]], source[s], target[along[s]]));
    // The axis that shrinks most comes first: what follows is less work.
    let mut order = [0, 1, 2];
    let growth = |s: usize| parts[s].len() as f64 / source[s] as f64;
    order.sort_by(|&a, &b| growth(a).total_cmp(&growth(b)));
    let mut shape = source;
    let mut sums = along_axis(values, shape, order[0], &parts[order[0]], is_stopped);
    shape[order[0]] = parts[order[0]].len();
    for s in [order[1], order[2]] {
        sums = along_axis(&sums, shape, s, &parts[s], is_stopped);
        shape[s] = parts[s].len();
    }
    if along == [0, 1, 2] { sums } else { permuted(&sums, shape, axes, target) }
}

/// Sums along one axis.
fn along_axis<T: Copy + Into<f64> + Sync>(
    values: &[T],
    shape: [usize; 3],
    axis: usize,
    parts: &[Overlaps],
    is_stopped: &(impl Fn() -> bool + Sync),
) -> Vec<f64> {
    let run: usize = shape[..axis].iter().product();
    let outer: usize = shape[axis + 1..].iter().product();
    let (length, wanted) = (shape[axis], parts.len());
    let mut sums = vec![0.0; run * wanted * outer];
    let fill = |sums: &mut [f64], out: usize, index: usize| {
        let Overlaps { start, lengths } = &parts[index];
        for (at, &weight) in lengths.iter().enumerate() {
            let from = (out * length + start + at) * run;
            for (sum, &value) in sums.iter_mut().zip(&values[from..from + run]) {
                *sum += weight * value.into();
            }
        }
    };
    if run >= MIN_RUN {
        sums.par_chunks_mut(run).enumerate().for_each(|(at, sums)| {
            if !is_stopped() {
                fill(sums, at / wanted, at % wanted);
            }
        });
    } else {
        sums.par_chunks_mut(run * wanted).with_min_len(MIN_RUN).enumerate().for_each(|(out, sums)| {
            if !is_stopped() {
                sums.chunks_mut(run).enumerate().for_each(|(index, sums)| fill(sums, out, index));
            }
        });
    }
    sums
}

/// The same values with the axes in the order of the target.
///
/// * `shape` – of the values, by axes of the source
fn permuted(values: &[f64], shape: [usize; 3], axes: &[Axis; 3], target: [usize; 3]) -> Vec<f64> {
    let strides = [1, shape[0], shape[0] * shape[1]];
    let [sx, sy, sz] = [0, 1, 2].map(|axis: usize| strides[axes[axis].source]);
    let [nx, ny, _] = target;
    let mut sorted = vec![0.0; values.len()];
    sorted.par_chunks_mut(nx).enumerate().for_each(|(row, sorted)| {
        let from = (row % ny) * sy + (row / ny) * sz;
        sorted.iter_mut().enumerate().for_each(|(x, value)| *value = values[from + x * sx]);
    });
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_are_lengths_of_the_source() {
        let double = Axis { source: 0, scale: 2.0, offset: 0.5 };
        assert_eq!(overlap(&double, 4, 0), Overlaps { start: 0, lengths: vec![1.0, 1.0] });
        let shifted = Axis { source: 0, scale: 1.0, offset: 0.25 };
        assert_eq!(overlap(&shifted, 2, 0), Overlaps { start: 0, lengths: vec![0.75, 0.25] });
        assert_eq!(overlap(&shifted, 2, 1), Overlaps { start: 1, lengths: vec![0.75] });
        let flipped = Axis { source: 0, scale: -1.0, offset: 1.0 };
        assert_eq!(overlap(&flipped, 2, 0), Overlaps { start: 1, lengths: vec![1.0] });
        assert!(overlap(&shifted, 2, 7).lengths.is_empty());
    }
}
