//! Memory of the transform: spectra in lanes of one cache line, and scratch space for each thread.

use std::{
    array,
    ops::Range,
    sync::{Mutex, PoisonError},
};

use rustfft::num_complex::Complex;

pub(super) use crate::plan::convolution::LANES;

/// Most bytes that an engine keeps between requests.
const KEPT_BYTES: usize = 256 << 20;

/// One y and z of a spectrum, at [`LANES`] neighbouring kx.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
pub(super) struct Lane(pub(super) Row);

/// Values of [`LANES`] neighbouring columns in one row.
pub(super) type Row = [Complex<f32>; LANES];

/// The first values as a row, with zeros past their number. Whole rows are moved without a call.
pub(super) fn load(values: &[Complex<f32>], width: usize) -> Row {
    if let (LANES, Some(row)) = (width, values.first_chunk()) {
        return *row;
    }
    let mut row = Row::default();
    row[..width].copy_from_slice(&values[..width]);
    row
}

/// The reverse of [`load`].
pub(super) fn store(row: &Row, values: &mut [Complex<f32>], width: usize) {
    match values.first_chunk_mut() {
        Some(values) if width == LANES => *values = *row,
        _ => values[..width].copy_from_slice(&row[..width]),
    }
}

/// Where columns lie in memory: their number, the distance of their first values, and how many they hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    pub(super) width: usize,
    pub(super) stride: usize,
    pub(super) length: usize,
}

/// Writes rows as columns: `columns[c · stride + n] = row(n)[c]` for `n` below `count`, zero from there on to the
/// end of the column. A tile of rows at a time, so that every cache line is read and written once.
pub(super) fn rows_to_columns(count: usize, row: impl Fn(usize) -> Row, columns: &mut [Complex<f32>], at: Columns) {
    let Columns { width, stride, length } = at;
    let tiled = count - count % LANES;
    for n in (0..tiled).step_by(LANES) {
        let tile: [Row; LANES] = array::from_fn(|k| row(n + k));
        for c in 0..width {
            let part: Row = array::from_fn(|k| tile[k][c]);
            *columns[c * stride + n..].first_chunk_mut().expect("a tile lies within a column") = part;
        }
    }
    for n in tiled..count {
        let row = row(n);
        (0..width).for_each(|c| columns[c * stride + n] = row[c]);
    }
    (0..width).for_each(|c| columns[c * stride + count..c * stride + length].fill(Complex::ZERO));
}

/// The reverse of [`rows_to_columns`], for the values `rows` of each column. A row holds zeros past the last column.
pub(super) fn columns_to_rows(
    rows: Range<usize>,
    columns: &[Complex<f32>],
    at: Columns,
    mut write: impl FnMut(usize, &Row),
) {
    let Columns { width, stride, .. } = at;
    let tiled = rows.end - rows.len() % LANES;
    for n in (rows.start..tiled).step_by(LANES) {
        let mut tile = [Row::default(); LANES];
        for (c, part) in tile[..width].iter_mut().enumerate() {
            *part = *columns[c * stride + n..].first_chunk().expect("a tile lies within a column");
        }
        (0..LANES).for_each(|k| write(n + k, &array::from_fn(|c| tile[c][k])));
    }
    for n in tiled..rows.end {
        let mut row = Row::default();
        row[..width].iter_mut().enumerate().for_each(|(c, value)| *value = columns[c * stride + n]);
        write(n, &row);
    }
}

/// What one thread needs for one group of columns.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The group, by kx, then z, then y or ky fastest.
    pub(super) slab: Vec<Complex<f32>>,
    /// Columns along z under transform, [`LANES`] at a time.
    pub(super) columns: Vec<Complex<f32>>,
    /// What the transform itself asks for.
    pub(super) fft: Vec<Complex<f32>>,
}

/// A stack of scratch spaces: as many as threads have needed at once.
#[derive(Debug, Default)]
pub(super) struct ScratchPool(Mutex<Vec<Scratch>>);

impl ScratchPool {
    /// Runs `work` with a scratch space that no other thread uses meanwhile.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> T {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = lock().pop().unwrap_or_default();
        let result = work(&mut scratch);
        lock().push(scratch);
        result
    }

    fn bytes(&mut self) -> usize {
        let idle = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        idle.iter().map(|scratch| size_of_val(scratch.slab.as_slice()) + size_of_val(scratch.columns.as_slice())).sum()
    }
}

/// Buffers that are reused from block to block and from request to request.
#[derive(Debug, Default)]
pub(super) struct SpectrumBuffers {
    spectrum: Vec<Lane>,
    scratch: ScratchPool,
}

impl SpectrumBuffers {
    /// Room for a spectrum, with whatever it held before, and scratch space.
    pub(super) fn room(&mut self, spectrum_lanes: usize) -> (&mut [Lane], &ScratchPool) {
        if self.spectrum.len() < spectrum_lanes {
            // A fresh vector comes zeroed from the system, without a copy of the old one.
            self.spectrum = Vec::new();
            self.spectrum = vec![Lane::default(); spectrum_lanes];
        }
        (&mut self.spectrum[..spectrum_lanes], &self.scratch)
    }

    /// Frees the buffers if they are larger than what an idle engine should hold.
    pub(super) fn trim(&mut self) {
        if size_of_val(self.spectrum.as_slice()) + self.scratch.bytes() > KEPT_BYTES {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_loaded_again() {
        let row: Row = array::from_fn(|c| Complex::new(c as f32 + 1.0, 2.0));
        for width in 1..=LANES {
            let mut values = vec![Complex::ZERO; width + 1];
            store(&row, &mut values, width);
            assert_eq!(values[width], Complex::ZERO);
            let found = load(&values, width);
            assert!((0..LANES).all(|c| found[c] == if c < width { row[c] } else { Complex::ZERO }), "{width}");
        }
    }

    #[test]
    fn rows_become_columns_and_rows_again() {
        for (count, width, stride) in [(1, 1, 1), (7, 3, 9), (8, 8, 8), (21, 8, 24), (35, 5, 40)] {
            let value = |n: usize, c: usize| Complex::new(n as f32, c as f32 + 1.0);
            let mut columns = vec![Complex::new(-1.0, -1.0); width * stride];
            let at = Columns { width, stride, length: stride };
            rows_to_columns(count, |n| array::from_fn(|c| value(n, c)), &mut columns, at);
            for (at, found) in columns.iter().enumerate() {
                let (c, n) = (at / stride, at % stride);
                assert_eq!(*found, if n < count { value(n, c) } else { Complex::ZERO }, "{count} {width} {n} {c}");
            }
            let first = count / 3;
            let mut next = first;
            columns_to_rows(first..count, &columns, at, |n, row| {
                assert_eq!(n, next);
                next += 1;
                let expected = array::from_fn(|c| if c < width { value(n, c) } else { Complex::ZERO });
                assert_eq!(*row, expected, "{count} {width} {n}");
            });
            assert_eq!(next, count);
        }
    }
}
