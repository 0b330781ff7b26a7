//! The core of a kernel, convolved directly.

use ndarray::Array3;

/// Convolves a source with the few large values next to a kernel's centre, row by row.
pub(super) struct DirectCore<'a> {
    /// For each row offset `(j, k)` of the octant that is not all 0: the values along x, up to the last that is not 0.
    lines: Vec<([usize; 2], Vec<f32>)>,
    source: &'a [f32],
    shape: [usize; 3],
    /// Whether a row of the source has any decay.
    filled: Vec<bool>,
}

impl<'a> DirectCore<'a> {
    pub(super) fn new(octant: &Array3<f32>, source: &'a [f32], shape: [usize; 3]) -> Self {
        let (cx, cy, cz) = octant.dim();
        let line = |j: usize, k: usize| {
            let length = (0..cx).rposition(|i| octant[[i, j, k]] != 0.0).map_or(0, |last| last + 1);
            ([j, k], (0..length).map(|i| octant[[i, j, k]]).collect::<Vec<f32>>())
        };
        let offsets = (0..cz).flat_map(|k| (0..cy).map(move |j| (j, k)));
        let lines = offsets.map(|(j, k)| line(j, k)).filter(|(_, line)| !line.is_empty()).collect();
        let filled = source.chunks_exact(shape[0]).map(|row| row.iter().any(|&d| d != 0.0)).collect();
        Self { lines, source, shape, filled }
    }

    /// The convolution in the row at `y` and `z`.
    ///
    /// * `pair` – scratch space
    #[inline(always)]
    pub(super) fn row(&self, [y, z]: [usize; 2], pair: &mut Vec<f32>, sum: &mut [f32]) {
        sum.fill(0.0);
        for ([j, k], line) in &self.lines {
            let margin = line.len() - 1;
            if self.mirrored_rows([y, z], [*j, *k], margin, pair) {
                add_symmetric(line, pair, sum);
            }
        }
    }

    /// The sum of the two or four rows at the same distance, with `margin` zeros at each end. False if there is
    /// nothing.
    #[inline(always)]
    fn mirrored_rows(&self, [y, z]: [usize; 2], [j, k]: [usize; 2], margin: usize, pair: &mut Vec<f32>) -> bool {
        let [nx, ny, nz] = self.shape;
        let sides = |at: usize, offset: usize, length: usize| {
            let below = at.checked_sub(offset);
            let above = Some(at + offset).filter(|&n| offset > 0 && n < length);
            [below, above].into_iter().flatten()
        };
        let mut rows: [&[f32]; 4] = [&[]; 4];
        let mut count = 0;
        for z in sides(z, k, nz) {
            for row in sides(y, j, ny).map(|y| z * ny + y).filter(|&row| self.filled[row]) {
                rows[count] = &self.source[row * nx..(row + 1) * nx];
                count += 1;
            }
        }
        if count == 0 {
            return false;
        }
        pair.clear();
        pair.resize(nx + 2 * margin, 0.0);
        add_rows(&rows[..count], &mut pair[margin..margin + nx]);
        true
    }
}

/// Sum of one to four rows.
#[inline(always)]
fn add_rows(rows: &[&[f32]], sum: &mut [f32]) {
    let n = sum.len();
    match rows {
        [a] => sum.copy_from_slice(a),
        [a, b] => {
            let (a, b) = (&a[..n], &b[..n]);
            (0..n).for_each(|x| sum[x] = a[x] + b[x]);
        }
        [a, b, c] => {
            let (a, b, c) = (&a[..n], &b[..n], &c[..n]);
            (0..n).for_each(|x| sum[x] = a[x] + b[x] + c[x]);
        }
        [a, b, c, d, ..] => {
            let (a, b, c, d) = (&a[..n], &b[..n], &c[..n], &d[..n]);
            (0..n).for_each(|x| sum[x] = a[x] + b[x] + c[x] + d[x]);
        }
        [] => sum.fill(0.0),
    }
}

/// `sum[x] += line[0]·row[x] + Σ line[i]·(row[x − i] + row[x + i])`, where `row` has a margin of `line.len() − 1` at
/// each end.
#[inline(always)]
fn add_symmetric(line: &[f32], row: &[f32], sum: &mut [f32]) {
    let (margin, nx) = (line.len() - 1, sum.len());
    if let [centre, next] = *line {
        let (before, at, after) = (&row[..nx], &row[1..][..nx], &row[2..][..nx]);
        (0..nx).for_each(|x| sum[x] = sum[x] + centre * at[x] + next * (before[x] + after[x]));
        return;
    }
    sum.iter_mut().zip(&row[margin..]).for_each(|(sum, &decays)| *sum += line[0] * decays);
    for (i, &value) in line.iter().enumerate().skip(1) {
        let (before, after) = (&row[margin - i..][..nx], &row[margin + i..][..nx]);
        for ((sum, &before), &after) in sum.iter_mut().zip(before).zip(after) {
            *sum += value * (before + after);
        }
    }
}
