//! Small linear least squares by Householder reflections: a few rows and columns, in `f64`.

/// A column is taken to depend on those before it if less than this part of it is left beside them.
const DEPENDENT_BELOW: f64 = 1e-11;

/// The triangle R and the first part of Qᵀb of a system `rows · x ≈ right`, with columns scaled to length 1.
#[derive(Clone, Debug, Default)]
pub(crate) struct Triangle {
    rows: usize,
    /// Column after column; R of the scaled columns on and above the diagonal.
    values: Vec<f64>,
    /// The first values of Qᵀb.
    right: Vec<f64>,
    /// Lengths of the columns.
    lengths: Vec<f64>,
    /// A buffer.
    mirror: Vec<f64>,
}

impl Triangle {
    /// Reduces a system with at least as many rows as columns.
    ///
    /// * `values` – column after column
    pub(crate) fn of(values: Vec<f64>, right: Vec<f64>) -> Self {
        let mut triangle = Self { values, right, ..Self::default() };
        triangle.reduce();
        triangle
    }

    /// Reduces another system in the same memory.
    ///
    /// * `fill` – appends the columns, one after another, and the right side to what is empty
    pub(crate) fn refill(&mut self, fill: impl FnOnce(&mut Vec<f64>, &mut Vec<f64>)) {
        self.values.clear();
        self.right.clear();
        fill(&mut self.values, &mut self.right);
        self.reduce();
    }

    fn reduce(&mut self) {
        let rows = self.right.len();
        self.rows = rows;
        self.lengths.clear();
        for column in self.values.chunks_exact_mut(rows.max(1)) {
            let length = norm(column);
            if length > 0.0 {
                column.iter_mut().for_each(|value| *value /= length);
            }
            self.lengths.push(length);
        }
        let columns = self.lengths.len();
        for j in 0..columns.min(rows) {
            reflect(&mut self.values[j * rows..], rows, &mut self.right, j, &mut self.mirror);
        }
        self.right.truncate(columns);
    }

    /// An element of R.
    fn upper(&self, row: usize, column: usize) -> f64 {
        self.values[column * self.rows + row]
    }

    /// Sum of squares that the best `x` takes away from that of the right side.
    pub(crate) fn explained(&self) -> f64 {
        self.right.iter().map(|value| value * value).sum()
    }

    /// Whether no column depends on those before it.
    pub(crate) fn is_regular(&self) -> bool {
        let n = self.lengths.len();
        self.rows >= n
            && (0..n).all(|j| self.upper(j, j).abs() > DEPENDENT_BELOW)
            && self.lengths.iter().all(|length| length.is_finite() && *length > 0.0)
    }

    /// The best `x`; none if columns depend on each other.
    pub(crate) fn solve(&self) -> Option<Vec<f64>> {
        self.is_regular().then(|| {
            let mut found = self.back(self.right.clone());
            found.iter_mut().zip(&self.lengths).for_each(|(value, length)| *value /= length);
            found
        })
    }

    /// (AᵀA)⁻¹; none if columns depend on each other.
    pub(crate) fn inverse_of_normal(&self) -> Option<Vec<Vec<f64>>> {
        let n = self.lengths.len();
        self.is_regular().then(|| {
            // Columns of R⁻¹; its product with its transpose is the inverse.
            let unit = |k: usize| (0..n).map(|j| if j == k { 1.0 } else { 0.0 }).collect::<Vec<f64>>();
            let inverse: Vec<Vec<f64>> = (0..n).map(|k| self.back(unit(k))).collect();
            let element = |i: usize, j: usize| -> f64 {
                let sum: f64 = inverse.iter().map(|column| column[i] * column[j]).sum();
                sum / (self.lengths[i] * self.lengths[j])
            };
            (0..n).map(|i| (0..n).map(|j| element(i, j)).collect()).collect()
        })
    }

    /// A change of `x` that leaves all rows as they are, the largest one it has found; none if no column depends on
    /// those before it.
    pub(crate) fn unseen(&self) -> Option<Vec<f64>> {
        let n = self.lengths.len();
        let left = |j: usize| if j < self.rows { self.upper(j, j).abs() } else { 0.0 };
        let place = (0..n).find(|j| !(self.lengths[*j] > 0.0 && left(*j) > DEPENDENT_BELOW))?;
        // The column is made of those before it: R x = −(its part above the diagonal).
        let mut change = vec![0.0; n];
        change[place] = 1.0;
        if self.lengths[place] > 0.0 {
            for j in (0..place).rev() {
                let known: f64 = (j + 1..=place).map(|k| self.upper(j, k) * change[k]).sum();
                change[j] = -known / self.upper(j, j);
            }
            (0..=place).for_each(|j| change[j] /= self.lengths[j]);
        }
        Some(change)
    }

    /// Solves R x = b.
    fn back(&self, mut b: Vec<f64>) -> Vec<f64> {
        for j in (0..b.len()).rev() {
            let known: f64 = (j + 1..b.len()).map(|k| self.upper(j, k) * b[k]).sum();
            b[j] = (b[j] - known) / self.upper(j, j);
        }
        b
    }
}

/// Makes column `j` zero below the diagonal.
///
/// * `values` – from that column on
/// * `mirror` – a buffer
fn reflect(values: &mut [f64], rows: usize, right: &mut [f64], j: usize, mirror: &mut Vec<f64>) {
    mirror.clear();
    mirror.extend_from_slice(&values[j..rows]);
    let length = norm(mirror);
    if length == 0.0 {
        return;
    }
    let diagonal = if mirror[0] > 0.0 { -length } else { length };
    mirror[0] -= diagonal;
    let square: f64 = mirror.iter().map(|value| value * value).sum();
    for column in values.chunks_exact_mut(rows).chain([right]) {
        let column = &mut column[j..];
        let factor = 2.0 * mirror.iter().zip(&*column).map(|(m, value)| m * value).sum::<f64>() / square;
        mirror.iter().zip(column).for_each(|(m, value)| *value -= factor * m);
    }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<f64>> {
        (0..6).map(f64::from).map(|x| vec![1e-6, x, 1e4 * (0.3 * x).exp()]).collect()
    }

    fn triangle(rows: Vec<Vec<f64>>, right: Vec<f64>) -> Triangle {
        let columns = (0..rows[0].len()).flat_map(|j| rows.iter().map(move |row| row[j]));
        Triangle::of(columns.collect(), right)
    }

    #[test]
    fn what_the_columns_make_is_found() {
        let expected = [3e5, -2.0, 7e-4];
        let right = rows().iter().map(|row| row.iter().zip(expected).map(|(a, b)| a * b).sum()).collect();
        let found = triangle(rows(), right).solve().expect("independent columns");
        for (value, expected) in found.iter().zip(expected) {
            assert!((value / expected - 1.0).abs() < 1e-11, "{found:?}");
        }
    }

    #[test]
    fn the_inverse_times_the_matrix_is_one() {
        let inverse = triangle(rows(), vec![0.0; 6]).inverse_of_normal().expect("independent columns");
        let rows = rows();
        for (i, inverse) in inverse.iter().enumerate() {
            for j in 0..3 {
                let normal = |k: usize| rows.iter().map(|row| row[k] * row[j]).sum::<f64>();
                let product: f64 = (0..3).map(|k| inverse[k] * normal(k)).sum();
                let scale: f64 = (0..3).map(|k| (inverse[k] * normal(k)).abs()).sum();
                let expected = if i == j { 1.0 } else { 0.0 };
                assert!((product - expected).abs() < 1e-11 * scale.max(1.0), "{i} {j}: {product}");
            }
        }
    }

    #[test]
    fn a_change_that_no_row_sees_is_found() {
        assert_eq!(triangle(rows(), vec![0.0; 6]).unseen(), None);
        // The third column is the first less twice the second.
        let rows: Vec<Vec<f64>> =
            (0..5).map(f64::from).map(|x| vec![1e3, x * x, 1e3 - 2.0 * x * x, (0.5 * x).exp()]).collect();
        let change = triangle(rows.clone(), vec![0.0; 5]).unseen().expect("one column depends on others");
        for row in &rows {
            let moved: f64 = row.iter().zip(&change).map(|(value, by)| value * by).sum();
            let size: f64 = row.iter().zip(&change).map(|(value, by)| (value * by).abs()).sum();
            assert!(moved.abs() < 1e-10 * size, "{change:?}: {moved} of {size}");
        }
        assert_eq!(triangle(vec![vec![1.0, 0.0]; 3], vec![0.0; 3]).unseen(), Some(vec![0.0, 1.0]));
    }

    #[test]
    fn columns_that_depend_on_each_other_have_no_answer() {
        let rows: Vec<Vec<f64>> = (0..4).map(f64::from).map(|x| vec![x, 2.0 * x]).collect();
        let found = triangle(rows, vec![1.0; 4]);
        assert!(found.solve().is_none() && found.inverse_of_normal().is_none());
        assert!(triangle(vec![vec![0.0]; 3], vec![1.0; 3]).solve().is_none());
    }
}
