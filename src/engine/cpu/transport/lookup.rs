//! Where a number lies among the nodes of the tables, without logarithm or search, and the same on every engine.
//! Twin: `shaders/shared/lookup.wgsl`.

use crate::prepare::transport::nodes::{FIRST, INTERVALS, OCTAVE_BITS};

/// Bits of the mantissa below those that choose the node.
const FRACTION_BITS: u32 = 23 - OCTAVE_BITS;

/// Where a number lies: at the part `fraction` of the way from node `node` to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) node: usize,
    pub(crate) fraction: f32,
}

/// Where `x` lies. A number below the first node counts as the first, one beyond the last as the last.
#[inline]
pub(crate) fn place(x: f32) -> Place {
    let bits = x.max(FIRST).to_bits() - FIRST.to_bits();
    let node = (bits >> FRACTION_BITS) as usize;
    if node >= INTERVALS {
        return Place { node: INTERVALS - 1, fraction: 1.0 };
    }
    let fraction = (bits & ((1 << FRACTION_BITS) - 1)) as f32 * (1.0 / (1 << FRACTION_BITS) as f32);
    Place { node, fraction }
}

/// Where `x` lies among sparser nodes, every `stride`-th of all.
#[inline]
pub(crate) fn sparse_place(x: f32, stride: usize) -> Place {
    let at = place(x);
    Place { node: at.node / stride, fraction: ((at.node % stride) as f32 + at.fraction) / stride as f32 }
}

/// The number at the part `fraction` of the way from node `node` to the next.
#[inline]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of 2¹⁷, and a node")]
pub(crate) fn number(node: usize, fraction: f32) -> f32 {
    let within = (fraction.clamp(0.0, 1.0) * (1 << FRACTION_BITS) as f32) as u32;
    f32::from_bits(FIRST.to_bits() + ((node as u32) << FRACTION_BITS) + within)
}

/// The value at the part `fraction` of the way from one value to another.
#[inline]
pub(crate) fn between(low: f32, high: f32, fraction: f32) -> f32 {
    low + fraction * (high - low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::transport::nodes::node;

    #[test]
    fn every_number_lies_between_its_nodes() {
        for i in 0..20_000u16 {
            let x = 1e-3 * 1e4f64.powf(f64::from(i) / 20_000.0);
            #[expect(clippy::cast_possible_truncation, reason = "a test of single precision")]
            let at = place(x as f32);
            let (low, high) = (node(at.node), node(at.node + 1));
            let back = low + f64::from(at.fraction) * (high - low);
            assert!((0.0..=1.0).contains(&at.fraction) && (back / x - 1.0).abs() < 1e-7, "{x}: {at:?}");
        }
        assert_eq!(place(0.0), Place { node: 0, fraction: 0.0 });
        assert_eq!(place(1e9), Place { node: INTERVALS - 1, fraction: 1.0 });
        assert_eq!(node(INTERVALS), 16.0);
    }
}
