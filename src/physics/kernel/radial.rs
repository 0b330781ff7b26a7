//! The energy around a point source as a function of the radius.

use std::f64::consts::PI;

use super::shells::Cumulative;
use crate::math::monotone_cubic;

/// Mantissa bits that number the buckets of the look-up, 2⁸ in each factor of two: shells are rarely narrower than
/// that.
const BUCKET_BITS: u32 = 8;

/// `∫ Q'(r) rᵐ dr` for m = 0 to 3, in MeV·cmᵐ per decay.
pub(super) type Moments = [f64; 4];

/// The cumulative energy `Q(r)` by monotone cubics between tabulated radii, its derivative `k(r)`, and the moments of
/// `k`.
///
/// Source of the interpolation: F. N. Fritsch, J. Butland, SIAM J. Sci. Stat. Comput. 5 (1984) 300.
#[derive(Clone, Debug, PartialEq)]
pub struct RadialKernel {
    pieces: Vec<QuadraticPiece>,
    end_cm: f64,
    /// First piece of each bucket of radii, starting with the bucket of the first piece's end.
    buckets: Vec<usize>,
}

/// One interval of the table: `k(r_0 + t) = q_0 + q_1 t + q_2 t²`.
#[derive(Clone, Debug, PartialEq)]
struct QuadraticPiece {
    start_cm: f64,
    density: [f64; 3],
    /// Coefficients of `t` to `t⁶` of the moments from the start of the piece.
    primitive: [[f64; 6]; 4],
    /// Moments from radius 0 to the start.
    inner: Moments,
    /// Moments from the start to the end of the table.
    outer: Moments,
}

impl RadialKernel {
    pub(super) fn new(table: &Cumulative) -> Self {
        let (r, q) = (&table.radii_cm, &table.energy_mev);
        let slopes = monotone_cubic::slopes(r, q);
        let piece = |i: usize| {
            let h = r[i + 1] - r[i];
            let secant = (q[i + 1] - q[i]) / h;
            let quadratic = (3.0 * secant - 2.0 * slopes[i] - slopes[i + 1]) / h;
            let cubic = (slopes[i] + slopes[i + 1] - 2.0 * secant) / (h * h);
            (r[i], [slopes[i], 2.0 * quadratic, 3.0 * cubic])
        };
        let end_cm = r[r.len() - 1];
        Self::from_densities((0..r.len() - 1).map(piece).collect(), end_cm)
    }

    fn from_densities(densities: Vec<(f64, [f64; 3])>, end_cm: f64) -> Self {
        let piece = |&(start_cm, density)| QuadraticPiece {
            start_cm,
            density,
            primitive: primitives(start_cm, density),
            inner: [0.0; 4],
            outer: [0.0; 4],
        };
        let mut pieces: Vec<QuadraticPiece> = densities.iter().map(piece).collect();
        let ends: Vec<f64> = densities.iter().skip(1).map(|(start, _)| *start).chain([end_cm]).collect();
        let mut sum = [0.0; 4];
        for (piece, end) in pieces.iter_mut().zip(&ends) {
            piece.inner = sum;
            sum = added(sum, piece.moments_to(*end), 1.0);
        }
        let mut sum = [0.0; 4];
        for (piece, end) in pieces.iter_mut().zip(&ends).rev() {
            sum = added(sum, piece.moments_to(*end), 1.0);
            piece.outer = sum;
        }
        let buckets = buckets(&ends);
        Self { pieces, end_cm, buckets }
    }

    /// Memory that it takes [bytes].
    pub(super) fn bytes(&self) -> u64 {
        let tables = size_of_val(self.pieces.as_slice()) + size_of_val(self.buckets.as_slice());
        (size_of::<Self>() + tables) as u64
    }

    /// The same kernel with nothing beyond a radius [cm].
    pub fn truncated(&self, radius_cm: f64) -> Self {
        if radius_cm >= self.end_cm {
            return self.clone();
        }
        let kept = self.pieces.iter().take_while(|piece| piece.start_cm < radius_cm);
        Self::from_densities(kept.map(|piece| (piece.start_cm, piece.density)).collect(), radius_cm)
    }

    /// Radius beyond which no energy is absorbed [cm].
    pub fn end_cm(&self) -> f64 {
        self.end_cm
    }

    /// Energy absorbed in an unbounded medium, as far as the kernel reaches [MeV per decay].
    pub fn captured_mev(&self) -> f64 {
        self.pieces[0].outer[0]
    }

    /// Energy absorbed within a radius, `Q(r)` [MeV per decay].
    pub fn cumulative_mev(&self, r_cm: f64) -> f64 {
        self.inner_moments(r_cm)[0]
    }

    /// Radius of the table from which on at most this part of the energy is absorbed [cm].
    pub(super) fn radius_where_left(&self, part: f64) -> f64 {
        let more = self.pieces.partition_point(|piece| piece.outer[0] > part * self.captured_mev());
        self.pieces.get(more).map_or(self.end_cm, |piece| piece.start_cm)
    }

    /// Energy absorbed per volume at a radius above 0, `k(r) / 4πr²` [MeV/cm³ per decay].
    pub fn density_mev_per_cm3(&self, r_cm: f64) -> f64 {
        if r_cm >= self.end_cm {
            return 0.0;
        }
        let piece = &self.pieces[self.locate(r_cm)];
        let t = r_cm - piece.start_cm;
        let [q0, q1, q2] = piece.density;
        (q0 + t * (q1 + t * q2)) / (4.0 * PI * r_cm * r_cm)
    }

    /// Moments from radius 0 to `r_cm`.
    pub(super) fn inner_moments(&self, r_cm: f64) -> Moments {
        let r_cm = r_cm.min(self.end_cm);
        let piece = &self.pieces[self.locate(r_cm)];
        added(piece.inner, piece.moments_to(r_cm), 1.0)
    }

    /// Moments from `r_cm` to the end of the kernel, without loss of digits where little is left.
    pub(super) fn outer_moments(&self, r_cm: f64) -> Moments {
        if r_cm >= self.end_cm {
            return [0.0; 4];
        }
        let piece = &self.pieces[self.locate(r_cm)];
        added(piece.outer, piece.moments_to(r_cm), -1.0)
    }

    /// Number of the piece that holds a radius up to the end.
    fn locate(&self, r_cm: f64) -> usize {
        let last = self.pieces.len() - 1;
        let first_end = self.pieces.get(1).map_or(self.end_cm, |piece| piece.start_cm);
        if r_cm < first_end || last == 0 {
            return 0;
        }
        let bucket = bucket(r_cm) - bucket(first_end);
        let mut i = self.buckets[bucket.min(self.buckets.len() - 1)];
        while i < last && self.pieces[i + 1].start_cm <= r_cm {
            i += 1;
        }
        i
    }
}

impl QuadraticPiece {
    /// Moments from the start of the piece to a radius within it.
    fn moments_to(&self, r_cm: f64) -> Moments {
        let t = r_cm - self.start_cm;
        self.primitive.map(|c| t * (c[0] + t * (c[1] + t * (c[2] + t * (c[3] + t * (c[4] + t * c[5]))))))
    }
}

fn added(mut a: Moments, b: Moments, factor: f64) -> Moments {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += factor * b);
    a
}

/// Coefficients of `t` to `t⁶` of `∫₀ᵗ (q_0 + q_1 s + q_2 s²)(start + s)ᵐ ds`, for m = 0 to 3.
fn primitives(start: f64, density: [f64; 3]) -> [[f64; 6]; 4] {
    let mut polynomial = [density[0], density[1], density[2], 0.0, 0.0, 0.0];
    let mut primitives = [[0.0; 6]; 4];
    for primitive in &mut primitives {
        for (i, c) in polynomial.iter().enumerate() {
            primitive[i] = c / (i + 1) as f64;
        }
        for i in (0..6).rev() {
            polynomial[i] = start * polynomial[i] + if i > 0 { polynomial[i - 1] } else { 0.0 };
        }
    }
    primitives
}

/// Number of the bucket of a radius above 0: its exponent and leading mantissa bits, which cost less than a logarithm.
fn bucket(r_cm: f64) -> usize {
    usize::try_from(r_cm.to_bits() >> (f64::MANTISSA_DIGITS - 1 - BUCKET_BITS)).expect("20 bits fit")
}

/// For each bucket, starting with that of the first end: the piece in which it begins.
fn buckets(ends: &[f64]) -> Vec<usize> {
    let (first, last) = (bucket(ends[0]), bucket(ends[ends.len() - 1]));
    let mut piece = 0;
    (first..=last)
        .map(|number| {
            let start = f64::from_bits((number as u64) << (f64::MANTISSA_DIGITS - 1 - BUCKET_BITS));
            while piece + 1 < ends.len() && ends[piece] <= start {
                piece += 1;
            }
            piece
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exponential() -> RadialKernel {
        let radii_cm: Vec<f64> = (0..=400).map(|i| 0.01 * f64::from(i)).collect();
        let energy_mev = radii_cm.iter().map(|r| -(-r).exp_m1()).collect();
        RadialKernel::new(&Cumulative { radii_cm, energy_mev })
    }

    #[test]
    fn tabulated_energies_are_kept_and_densities_close() {
        let kernel = exponential();
        for i in 1..400 {
            let r = 0.01 * f64::from(i);
            assert!((kernel.cumulative_mev(r) + (-r).exp_m1()).abs() < 1e-14);
            let density = kernel.density_mev_per_cm3(r + 0.003) * 4.0 * PI * (r + 0.003).powi(2);
            assert!((density / (-r - 0.003).exp() - 1.0).abs() < 1e-4, "{r}: {density}");
        }
        assert_eq!(kernel.density_mev_per_cm3(4.0), 0.0);
    }

    #[test]
    fn moments_from_inside_and_outside_meet() {
        let kernel = exponential();
        let whole = kernel.inner_moments(9.0);
        for r in [1e-4, 0.5, 0.505, 1.0, 3.999_9] {
            let (inner, outer) = (kernel.inner_moments(r), kernel.outer_moments(r));
            for m in 0..4 {
                assert!((inner[m] + outer[m] - whole[m]).abs() < 1e-13 * whole[m], "r {r}, m {m}");
            }
        }
        let exact_first_moment = 1.0 - (1.0 + 4.0) * (-4f64).exp();
        assert!((whole[1] - exact_first_moment).abs() < 1e-5);
    }

    #[test]
    fn truncation_only_removes() {
        let (kernel, r) = (exponential(), 0.123_4);
        let cut = kernel.truncated(r);
        assert!((cut.captured_mev() - kernel.cumulative_mev(r)).abs() < 1e-15);
        assert_eq!(cut.density_mev_per_cm3(0.1), kernel.density_mev_per_cm3(0.1));
        assert_eq!(cut.density_mev_per_cm3(0.123_5), 0.0);
        let tiny = kernel.truncated(1e-3);
        assert!((tiny.cumulative_mev(1.0) - kernel.cumulative_mev(1e-3)).abs() < 1e-15);
        assert_eq!(kernel.truncated(99.0).captured_mev(), kernel.captured_mev());
    }
}
