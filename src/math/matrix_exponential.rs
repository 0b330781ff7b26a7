//! The exponential of a matrix times a vector, by a rational approximation.
//!
//! The Chebyshev rational approximation (CRAM) of order 16 is made for matrices whose eigenvalues lie on or near the
//! negative real axis, however far they are apart. Its error is about 10⁻¹² of the vector's largest value.
//!
//! Source: M. Pusa, Nucl. Sci. Eng. 169 (2011) 155; the incomplete partial fractions and their coefficients:
//! M. Pusa, Nucl. Sci. Eng. 182 (2016) 297, eqs. 10 to 12 and table of order 16.

use rustfft::num_complex::Complex;

/// Residues α̃ of the factors.
const RESIDUES: [Complex<f64>; 8] = [
    Complex::new(5.46493057687021e3, -3.797983575308356e4),
    Complex::new(9.045112476907548e1, -1.115537522430261e3),
    Complex::new(2.344818070467641e2, -4.228020157070496e2),
    Complex::new(9.453304067358312e1, -2.951294291446048e2),
    Complex::new(7.283792954673409e2, -1.205646080220011e5),
    Complex::new(3.648229059594851e1, -1.155509621409682e2),
    Complex::new(2.547321630156819e1, -2.639500283021502e1),
    Complex::new(2.394538338734709e1, -5.650522971778156),
];
/// Poles θ of the factors.
const POLES: [Complex<f64>; 8] = [
    Complex::new(3.509103608414918, 8.436198985884374),
    Complex::new(5.948152268951177, 3.587457362018322),
    Complex::new(-5.264971343442647, 16.22022147316793),
    Complex::new(1.419375897185666, 10.92536348449672),
    Complex::new(6.416177699099435, 1.194122393370139),
    Complex::new(4.993174737717997, 5.996881713603942),
    Complex::new(-1.413928462488886, 13.49772569889275),
    Complex::new(-10.84391707869699, 19.27744616718165),
];
/// Limit α₀ of the approximation for large arguments.
const LIMIT: f64 = 2.124853710495224e-16;

/// `exp(A)·y`.
///
/// * `solve` – writes `x = (A − θ)⁻¹·y` for the θ and `y` that it is given
pub(crate) fn exponential_times(
    mut y: Vec<f64>,
    mut solve: impl FnMut(Complex<f64>, &[f64], &mut [Complex<f64>]),
) -> Vec<f64> {
    let mut x = vec![Complex::default(); y.len()];
    for (pole, residue) in POLES.iter().zip(&RESIDUES) {
        solve(*pole, &y, &mut x);
        for (y, x) in y.iter_mut().zip(&x) {
            *y += 2.0 * (residue * x).re;
        }
    }
    y.into_iter().map(|y| y * LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_of_one_element_has_the_exponential_of_its_element() {
        for a in [0.0, -1e-9, -1e-3, -1.0, -30.0, -1e6, -1e14] {
            let found = exponential_times(vec![1.0], |pole, y, x| x[0] = y[0] / (a - pole))[0];
            assert!((found - f64::exp(a)).abs() < 1e-12, "{a}: {found}");
        }
    }
}
