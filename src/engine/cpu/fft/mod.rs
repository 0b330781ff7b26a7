//! Fourier transforms of eight columns side by side, one in each lane of a vector register.
//!
//! A column is a slice of [`Lane`]s, so that neighbouring columns need no transposition between memory and register.
//! Forward transforms leave their values in the order in which mixed-radix decimation in frequency makes them
//! ([`ColumnTransform::frequency`]), inverse ones expect that order: a convolution needs no other.

mod butterfly;
mod columns;
mod real;
mod vector;

pub(super) use columns::ColumnTransform;
pub(super) use real::RealTransform;
pub(super) use vector::{ColumnVector, Lane, transpose};

pub(super) use crate::plan::convolution::LANES;

/// Runs an expression with the widest vectors of which the eight lanes make use: with AVX2 and fused
/// multiplication where the processor has them, else with what every processor of this kind has.
macro_rules! with_vectors {
    ($simd:ident => $work:expr) => {{
        use fearless_simd::Simd as _;
        let level = fearless_simd::Level::new();
        #[cfg(target_arch = "x86_64")]
        {
            if let Some($simd) = level.as_avx2() {
                $simd.vectorize(#[inline(always)]
                || $work)
            } else {
                let $simd = level.as_sse2().expect("every x86-64 processor has SSE2");
                $simd.vectorize(#[inline(always)]
                || $work)
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        fearless_simd::dispatch!(level, $simd => $work)
    }};
}
pub(crate) use with_vectors;
