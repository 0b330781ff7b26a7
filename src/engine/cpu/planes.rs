//! Columns out of planes of a volume and back, eight at a time.

use std::ops::Range;

use fearless_simd::{f32x8, prelude::*};

use super::fft::{ColumnTransform, ColumnVector, LANES, Lane, transpose};

/// Up to [`LANES`] kz that are transformed along x together.
pub(super) struct GroupZ {
    /// The group of the kernel's kz, of which these are all, or mirror images.
    pub(super) kernel: usize,
    /// The columns in use.
    pub(super) used: Range<usize>,
    /// Position of each kz in a column along z.
    pub(super) positions: [usize; LANES],
}

impl GroupZ {
    /// All kz: neighbours up to the middle, each group followed by its mirror image.
    pub(super) fn all(z: &ColumnTransform) -> Vec<Self> {
        let length = z.position().len();
        let bins = length / 2 + 1;
        let group = |kernel: usize, mirrored: bool| {
            let first = kernel * LANES;
            // 0, and half of an even length, are their own mirror images.
            let used = match mirrored {
                false => 0..LANES.min(bins - first),
                true => usize::from(first == 0)..LANES.min(length.div_ceil(2).saturating_sub(first)),
            };
            let mut positions = [0; LANES];
            for c in used.clone() {
                positions[c] = z.position()[if mirrored { length - first - c } else { first + c }];
            }
            Self { kernel, used, positions }
        };
        let groups = (0..bins.div_ceil(LANES)).flat_map(|kernel| [group(kernel, false), group(kernel, true)]);
        groups.filter(|group| !group.used.is_empty()).collect()
    }
}

/// Two at a time, of which the last may be alone: a cache line of a row holds two groups of x.
pub(super) fn pairs<T>(mut items: impl Iterator<Item = T>) -> impl Iterator<Item = (usize, Vec<T>)> {
    (0..).map_while(move |pair| {
        let items: Vec<T> = items.by_ref().take(2).collect();
        (!items.is_empty()).then_some((pair, items))
    })
}

/// Marks the groups of x in which any plane has any decay.
#[inline(always)]
pub(super) fn find_filled(planes: &[f32], nx: usize, filled: &mut [bool]) {
    for row in planes.chunks_exact(nx) {
        for (group, filled) in row.chunks(LANES).zip(filled.iter_mut()) {
            // Without a branch, so that it is vectorised.
            *filled |= group.iter().fold(0, |any, decays| any | decays.to_bits()) << 1 != 0;
        }
    }
}

/// Two powers of two whose product is one that may be beyond single precision, from 2⁻²⁹⁸ to 2²⁵³.
pub(super) fn roots_of_power_of_two(value: f64) -> [f32; 2] {
    let exponent = value.log2().round();
    let half = (exponent / 2.0).floor();
    #[expect(clippy::cast_possible_truncation, reason = "half the exponent of a double is one of a float")]
    [half.exp2() as f32, (exponent - half).exp2() as f32]
}

/// Eight columns of a plane along y from `first_x` on, scaled, as pairs of rows.
#[inline(always)]
pub(super) fn load_column<S: Simd>(
    simd: S,
    plane: &[f32],
    [nx, ny]: [usize; 2],
    first_x: usize,
    factors: [f32; 2],
    column: &mut [Lane],
) {
    let width = LANES.min(nx - first_x);
    for (pair, lane) in column.iter_mut().enumerate() {
        for (y, part) in [(2 * pair, &mut lane.re), (2 * pair + 1, &mut lane.im)] {
            if y >= ny {
                *part = [0.0; LANES];
                continue;
            }
            let row = &plane[y * nx + first_x..];
            let mut values = [0.0; LANES];
            match row.first_chunk() {
                Some(row) if width == LANES => values = *row,
                _ => values[..width].copy_from_slice(&row[..width]),
            }
            *part = (f32x8::simd_from(simd, values) * factors[0] * factors[1]).into();
        }
    }
}

/// Eight columns of eight values as eight rows of eight.
#[inline(always)]
pub(super) fn store_transposed<S: Simd>(values: [ColumnVector<S>; LANES], lanes: &mut [Lane; LANES]) {
    let (mut re, mut im) = ([values[0].re; LANES], [values[0].im; LANES]);
    for c in 1..LANES {
        (re[c], im[c]) = (values[c].re, values[c].im);
    }
    let (re, im) = (transpose(re), transpose(im));
    for c in 0..LANES {
        ColumnVector { re: re[c], im: im[c] }.store(&mut lanes[c]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kz_is_done_once_with_the_kernel_of_its_mirror_image() {
        for length in [1, 2, 3, 7, 8, 14, 15, 16, 20, 32, 45, 288] {
            let z = ColumnTransform::new(length);
            let mut done: Vec<usize> = Vec::new();
            for group in GroupZ::all(&z) {
                for c in group.used.clone() {
                    let kz = z.frequency()[group.positions[c]];
                    assert_eq!(kz.min(length - kz), group.kernel * LANES + c, "{length}");
                    done.push(kz);
                }
            }
            done.sort_unstable();
            assert_eq!(done, (0..length).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_scale_beyond_single_precision_has_roots_within() {
        for exponent in [-298, -149, -1, 0, 1, 60, 127, 148, 251] {
            let [a, b] = roots_of_power_of_two(2f64.powi(exponent));
            assert_eq!(f64::from(a) * f64::from(b), 2f64.powi(exponent));
        }
    }

    #[test]
    fn groups_without_a_decay_are_found() {
        let (nx, mut planes, mut filled) = (19, vec![0.0; 19 * 6], [false; 3]);
        planes[3 * nx + 17] = 1e-44;
        planes[4 * nx + 2] = -0.0;
        find_filled(&planes, nx, &mut filled);
        assert_eq!(filled, [false, false, true]);
    }
}
