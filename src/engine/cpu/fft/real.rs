//! Transforms of real columns of even length: pairs of values as complex numbers, in a transform of half the length.

use std::sync::Arc;

use fearless_simd::{f32x8, prelude::*};

use super::columns::{ColumnTransform, unit_root};
use super::vector::{ColumnVector, Lane};

/// Both directions of a transform of real columns.
#[derive(Debug)]
pub(in crate::engine::cpu) struct RealTransform {
    pairs: Arc<ColumnTransform>,
    /// exp(−2πi·k / length) for k up to a quarter of the length.
    roots: Vec<[f32; 2]>,
}

impl RealTransform {
    /// * `pairs` – the transform of half the length
    pub(in crate::engine::cpu) fn new(pairs: Arc<ColumnTransform>) -> Self {
        let half = pairs.position().len();
        let roots = (0..=half / 2).map(|k| unit_root(k, 2 * half)).collect();
        Self { pairs, roots }
    }

    /// Twice the transform of the columns whose values 2j and 2j + 1 are the parts of `column[j]`. `store` gets a
    /// frequency, from 0 to half the length, and its value; each once, in no order.
    #[inline(always)]
    pub(in crate::engine::cpu) fn forward<S: Simd>(
        &self,
        simd: S,
        column: &mut [Lane],
        mut store: impl FnMut(usize, ColumnVector<S>),
    ) {
        self.pairs.forward(simd, column);
        let (half, position) = (column.len(), self.pairs.position());
        for (k, root) in self.roots.iter().enumerate() {
            // Z(k) and Z*(−k) are sums of the transforms of even and odd values.
            let a = ColumnVector::load(simd, &column[position[k]]);
            let b = ColumnVector::load(simd, &column[position[(half - k) % half]]).conj();
            let even = a.add(b);
            let odd = a.sub(b).turn::<false>(simd, *root);
            store(k, even.add_quarter::<false>(odd));
            if half - k != k {
                store(half - k, even.sub_quarter::<false>(odd).conj());
            }
        }
    }

    /// The reverse of [`Self::forward`], times half the length of `column`. `load` gives the value at a frequency; what
    /// rounding left there of the imaginary part of the first and last is not used.
    #[inline(always)]
    pub(in crate::engine::cpu) fn inverse<S: Simd>(
        &self,
        simd: S,
        column: &mut [Lane],
        load: impl Fn(usize) -> ColumnVector<S>,
    ) {
        let (half, position) = (column.len(), self.pairs.position());
        for (k, root) in self.roots.iter().enumerate() {
            let (mut a, mut b) = (load(k), load(half - k).conj());
            if k == 0 {
                let nothing = f32x8::splat(simd, 0.0);
                (a.im, b.im) = (nothing, nothing);
            }
            let even = a.add(b);
            let odd = a.sub(b).turn::<true>(simd, *root);
            even.add_quarter::<true>(odd).store(&mut column[position[k]]);
            if k > 0 && half - k != k {
                even.sub_quarter::<true>(odd).conj().store(&mut column[position[half - k]]);
            }
        }
        self.pairs.inverse(simd, column);
    }
}

#[cfg(test)]
mod tests {
    use rustfft::{FftPlanner, num_complex::Complex};

    use super::super::columns::tests::column;
    use super::super::{LANES, with_vectors};
    use super::*;

    #[test]
    fn it_is_twice_the_transform_of_real_columns_and_back() {
        for half in [1, 2, 3, 4, 5, 9, 24, 72, 144, 175] {
            let transform = RealTransform::new(Arc::new(ColumnTransform::new(half)));
            let before = column(half);
            let mut work = before.clone();
            let mut bins = vec![Lane { re: [f32::NAN; LANES], im: [f32::NAN; LANES] }; half + 1];
            with_vectors!(simd => transform.forward(simd, &mut work, |k, bin| bin.store(&mut bins[k])));
            let fft = FftPlanner::<f64>::new().plan_fft_forward(2 * half);
            for c in 0..LANES {
                let values = before.iter().flat_map(|lane| [lane.re[c], lane.im[c]]);
                let mut expected: Vec<_> = values.map(|value| Complex::new(f64::from(value), 0.0)).collect();
                fft.process(&mut expected);
                for (k, bin) in bins.iter().enumerate() {
                    let found = Complex::new(f64::from(bin.re[c]), f64::from(bin.im[c])) / 2.0;
                    let difference = (found - expected[k]).norm() / (half as f64).sqrt();
                    assert!(difference < 1e-6, "{half} {c} {k}: {difference:e}");
                }
            }
            // Rounding of the ends is not to be used.
            bins[0].im = [3.0; LANES];
            bins[half].im = [3.0; LANES];
            let bins = &bins;
            with_vectors!(simd => {
                transform.inverse(simd, &mut work, #[inline(always)] |k| ColumnVector::load(simd, &bins[k]));
            });
            for (found, before) in work.iter().zip(&before) {
                for c in 0..LANES {
                    let back = [found.re[c], found.im[c]].map(|value| value / (4 * half) as f32);
                    let difference = (back[0] - before.re[c]).abs().max((back[1] - before.im[c]).abs());
                    assert!(difference < 2e-6, "{half} {c}: {difference:e}");
                }
            }
        }
    }
}
