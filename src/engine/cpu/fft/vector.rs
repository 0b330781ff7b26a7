//! Complex numbers of eight columns, in memory and in registers.

use fearless_simd::{f32x8, prelude::*};

use super::LANES;

/// One row of eight neighbouring columns: a cache line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C, align(64))]
pub(in crate::engine::cpu) struct Lane {
    pub(in crate::engine::cpu) re: [f32; LANES],
    pub(in crate::engine::cpu) im: [f32; LANES],
}

/// A [`Lane`] in registers.
#[derive(Clone, Copy)]
pub(in crate::engine::cpu) struct ColumnVector<S: Simd> {
    pub(in crate::engine::cpu) re: f32x8<S>,
    pub(in crate::engine::cpu) im: f32x8<S>,
}

impl<S: Simd> ColumnVector<S> {
    #[inline(always)]
    pub(in crate::engine::cpu) fn load(simd: S, lane: &Lane) -> Self {
        Self { re: f32x8::simd_from(simd, lane.re), im: f32x8::simd_from(simd, lane.im) }
    }

    #[inline(always)]
    pub(in crate::engine::cpu) fn store(self, lane: &mut Lane) {
        lane.re = self.re.into();
        lane.im = self.im.into();
    }

    #[inline(always)]
    pub(super) fn add(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }

    #[inline(always)]
    pub(super) fn sub(self, other: Self) -> Self {
        Self { re: self.re - other.re, im: self.im - other.im }
    }

    #[inline(always)]
    pub(super) fn conj(self) -> Self {
        Self { re: self.re, im: -self.im }
    }

    /// Each column times its real factor.
    #[inline(always)]
    pub(in crate::engine::cpu) fn scale(self, factor: f32x8<S>) -> Self {
        Self { re: self.re * factor, im: self.im * factor }
    }

    /// `self + other · factor`
    #[inline(always)]
    pub(super) fn add_scaled(self, other: Self, factor: f32x8<S>) -> Self {
        Self { re: other.re.mul_add(factor, self.re), im: other.im.mul_add(factor, self.im) }
    }

    /// Times `factor`, or its conjugate.
    #[inline(always)]
    pub(super) fn turn<const CONJUGATE: bool>(self, simd: S, [re, im]: [f32; 2]) -> Self {
        let (re, im) = (f32x8::splat(simd, re), f32x8::splat(simd, im));
        if CONJUGATE {
            Self { re: self.re.mul_add(re, self.im * im), im: self.im.mul_sub(re, self.re * im) }
        } else {
            Self { re: self.re.mul_sub(re, self.im * im), im: self.re.mul_add(im, self.im * re) }
        }
    }

    /// `self − i·other`, and `self + i·other` in an inverse transform.
    #[inline(always)]
    pub(super) fn add_quarter<const INVERSE: bool>(self, other: Self) -> Self {
        if INVERSE {
            Self { re: self.re - other.im, im: self.im + other.re }
        } else {
            Self { re: self.re + other.im, im: self.im - other.re }
        }
    }

    /// `self + i·other`, and `self − i·other` in an inverse transform.
    #[inline(always)]
    pub(super) fn sub_quarter<const INVERSE: bool>(self, other: Self) -> Self {
        if INVERSE { self.add_quarter::<false>(other) } else { self.add_quarter::<true>(other) }
    }
}

/// Eight rows of eight values, columns made rows: each of the three rounds turns the six bits of a value's row and
/// column by one.
#[inline(always)]
pub(in crate::engine::cpu) fn transpose<S: Simd>(rows: [f32x8<S>; LANES]) -> [f32x8<S>; LANES] {
    let mut rows = rows;
    for _ in 0..3 {
        let (a, b) = rows[0].interleave(rows[4]);
        let (c, d) = rows[1].interleave(rows[5]);
        let (e, f) = rows[2].interleave(rows[6]);
        let (g, h) = rows[3].interleave(rows[7]);
        rows = [a, b, c, d, e, f, g, h];
    }
    rows
}
