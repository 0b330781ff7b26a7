//! Discrete Fourier transforms of 2 to 8 values in registers.

use fearless_simd::{f32x8, prelude::*};

use super::vector::ColumnVector;

/// The transform of `R` values, without a factor; inverse with the opposite sign of the exponent.
#[inline(always)]
pub(super) fn transform<S: Simd, const R: usize, const INVERSE: bool>(
    simd: S,
    x: [ColumnVector<S>; R],
) -> [ColumnVector<S>; R] {
    let mut y = x;
    match R {
        2 => y.copy_from_slice(&two([x[0], x[1]])),
        3 => y.copy_from_slice(&three::<S, INVERSE>(simd, [x[0], x[1], x[2]])),
        4 => y.copy_from_slice(&four::<S, INVERSE>([x[0], x[1], x[2], x[3]])),
        5 => y.copy_from_slice(&five::<S, INVERSE>(simd, [x[0], x[1], x[2], x[3], x[4]])),
        6 => y.copy_from_slice(&six::<S, INVERSE>(simd, [x[0], x[1], x[2], x[3], x[4], x[5]])),
        7 => y.copy_from_slice(&seven::<S, INVERSE>(simd, [x[0], x[1], x[2], x[3], x[4], x[5], x[6]])),
        8 => y.copy_from_slice(&eight::<S, INVERSE>(simd, [x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]])),
        _ => unreachable!("a transform is planned with these radices"),
    }
    y
}

#[inline(always)]
fn two<S: Simd>(x: [ColumnVector<S>; 2]) -> [ColumnVector<S>; 2] {
    [x[0].add(x[1]), x[0].sub(x[1])]
}

#[inline(always)]
fn three<S: Simd, const INVERSE: bool>(simd: S, x: [ColumnVector<S>; 3]) -> [ColumnVector<S>; 3] {
    // cos(τ/3), sin(τ/3)
    let (cos, sin) = (f32x8::splat(simd, -0.5), f32x8::splat(simd, 0.866_025_4));
    let (sum, difference) = (x[1].add(x[2]), x[1].sub(x[2]).scale(sin));
    let mean = x[0].add_scaled(sum, cos);
    [x[0].add(sum), mean.add_quarter::<INVERSE>(difference), mean.sub_quarter::<INVERSE>(difference)]
}

#[inline(always)]
fn four<S: Simd, const INVERSE: bool>(x: [ColumnVector<S>; 4]) -> [ColumnVector<S>; 4] {
    let ([a, b], [c, d]) = (two([x[0], x[2]]), two([x[1], x[3]]));
    [a.add(c), b.add_quarter::<INVERSE>(d), a.sub(c), b.sub_quarter::<INVERSE>(d)]
}

#[inline(always)]
fn five<S: Simd, const INVERSE: bool>(simd: S, x: [ColumnVector<S>; 5]) -> [ColumnVector<S>; 5] {
    // cos and sin of τ/5 and 2τ/5
    let (c1, c2) = (f32x8::splat(simd, 0.309_017), f32x8::splat(simd, -0.809_017));
    let (s1, s2) = (f32x8::splat(simd, 0.951_056_5), f32x8::splat(simd, 0.587_785_25));
    let ([p1, m1], [p2, m2]) = (two([x[1], x[4]]), two([x[2], x[3]]));
    let a1 = x[0].add_scaled(p1, c1).add_scaled(p2, c2);
    let a2 = x[0].add_scaled(p1, c2).add_scaled(p2, c1);
    let b1 = m1.scale(s1).add_scaled(m2, s2);
    let b2 = m1.scale(s2).add_scaled(m2, -s1);
    [
        x[0].add(p1).add(p2),
        a1.add_quarter::<INVERSE>(b1),
        a2.add_quarter::<INVERSE>(b2),
        a2.sub_quarter::<INVERSE>(b2),
        a1.sub_quarter::<INVERSE>(b1),
    ]
}

/// By the Chinese remainders of 2 and 3, which needs no factors between.
#[inline(always)]
fn six<S: Simd, const INVERSE: bool>(simd: S, x: [ColumnVector<S>; 6]) -> [ColumnVector<S>; 6] {
    let a = three::<S, INVERSE>(simd, [x[0], x[2], x[4]]);
    let b = three::<S, INVERSE>(simd, [x[3], x[5], x[1]]);
    [a[0].add(b[0]), a[1].sub(b[1]), a[2].add(b[2]), a[0].sub(b[0]), a[1].add(b[1]), a[2].sub(b[2])]
}

#[inline(always)]
fn seven<S: Simd, const INVERSE: bool>(simd: S, x: [ColumnVector<S>; 7]) -> [ColumnVector<S>; 7] {
    // cos and sin of τ/7, 2τ/7 and 3τ/7
    let (c1, s1) = (f32x8::splat(simd, 0.623_489_8), f32x8::splat(simd, 0.781_831_5));
    let (c2, s2) = (f32x8::splat(simd, -0.222_520_93), f32x8::splat(simd, 0.974_927_9));
    let (c3, s3) = (f32x8::splat(simd, -0.900_968_9), f32x8::splat(simd, 0.433_883_74));
    let ([p1, m1], [p2, m2], [p3, m3]) = (two([x[1], x[6]]), two([x[2], x[5]]), two([x[3], x[4]]));
    let a1 = x[0].add_scaled(p1, c1).add_scaled(p2, c2).add_scaled(p3, c3);
    let a2 = x[0].add_scaled(p1, c2).add_scaled(p2, c3).add_scaled(p3, c1);
    let a3 = x[0].add_scaled(p1, c3).add_scaled(p2, c1).add_scaled(p3, c2);
    let b1 = m1.scale(s1).add_scaled(m2, s2).add_scaled(m3, s3);
    let b2 = m1.scale(s2).add_scaled(m2, -s3).add_scaled(m3, -s1);
    let b3 = m1.scale(s3).add_scaled(m2, -s1).add_scaled(m3, s2);
    [
        x[0].add(p1).add(p2).add(p3),
        a1.add_quarter::<INVERSE>(b1),
        a2.add_quarter::<INVERSE>(b2),
        a3.add_quarter::<INVERSE>(b3),
        a3.sub_quarter::<INVERSE>(b3),
        a2.sub_quarter::<INVERSE>(b2),
        a1.sub_quarter::<INVERSE>(b1),
    ]
}

#[inline(always)]
fn eight<S: Simd, const INVERSE: bool>(simd: S, x: [ColumnVector<S>; 8]) -> [ColumnVector<S>; 8] {
    let half = f32x8::splat(simd, std::f32::consts::FRAC_1_SQRT_2);
    let a = four::<S, INVERSE>([x[0], x[2], x[4], x[6]]);
    let b = four::<S, INVERSE>([x[1], x[3], x[5], x[7]]);
    // Both √2 times as large as what is added: (1 − i)·b₁ and −(1 + i)·b₃.
    let b1 = b[1].add_quarter::<INVERSE>(b[1]);
    let b3 = b[3].sub_quarter::<INVERSE>(b[3]);
    [
        a[0].add(b[0]),
        a[1].add_scaled(b1, half),
        a[2].add_quarter::<INVERSE>(b[2]),
        a[3].add_scaled(b3, -half),
        a[0].sub(b[0]),
        a[1].add_scaled(b1, -half),
        a[2].sub_quarter::<INVERSE>(b[2]),
        a[3].add_scaled(b3, half),
    ]
}
