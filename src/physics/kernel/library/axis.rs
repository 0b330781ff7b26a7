//! The radii at which kernels of one energy are tabulated.

/// Bins per octave, as a power of two.
const OCTAVE_BITS: u32 = 4;
/// Bits of the mantissa below those that number the bins of an octave.
const PLACE_BITS: u32 = f64::MANTISSA_DIGITS - 1 - OCTAVE_BITS;

/// Ascending edges of bins, from 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Axis {
    /// Bins of one width.
    Even {
        /// Their width.
        width: f64,
        /// Their number.
        bins: usize,
    },
    /// One bin up to a power of two, then octaves of 2⁴ bins each, indexed by the bits of the number.
    Octaves {
        /// End of the first bin, a power of two.
        first: f64,
        /// Octaves after it.
        octaves: usize,
    },
}

/// Energy deposited by charged particles and their secondary electrons, over the radius in CSDA ranges.
pub(crate) const CHARGED: Axis = Axis::Even { width: 0.0125, bins: 100 };
/// Energy deposited by the photons that charged particles produce, over the radius in g/cm²: from 10 µm of water to
/// 2.56 m.
pub(crate) const SET_FREE: Axis = Axis::Octaves { first: 1.0 / 1024.0, octaves: 18 };
/// Energy deposited by photons, over the radius in mean free paths: from 2⁻¹² to 2⁵.
pub(crate) const PHOTON: Axis = Axis::Octaves { first: 1.0 / 4096.0, octaves: 17 };

impl Axis {
    /// Number of bins.
    pub(crate) fn bins(&self) -> usize {
        match self {
            Self::Even { bins, .. } => *bins,
            Self::Octaves { octaves, .. } => (octaves << OCTAVE_BITS) + 1,
        }
    }

    /// Where bin `bin` ends.
    pub(crate) fn end(&self, bin: usize) -> f64 {
        match *self {
            Self::Even { width, .. } => width * (bin + 1) as f64,
            Self::Octaves { first, .. } => f64::from_bits(first.to_bits() + ((bin as u64) << PLACE_BITS)),
        }
    }

    /// Where the last bin ends.
    pub(crate) fn last(&self) -> f64 {
        self.end(self.bins() - 1)
    }

    /// The bin that holds a radius of 0 or more; beyond the last, the number of bins.
    #[inline]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; the cast saturates")]
    pub(crate) fn bin(&self, x: f64) -> usize {
        let bin = match *self {
            Self::Even { width, .. } => (x / width) as usize,
            Self::Octaves { first, .. } if x < first => 0,
            Self::Octaves { first, .. } => ((x.to_bits() - first.to_bits()) >> PLACE_BITS) as usize + 1,
        };
        bin.min(self.bins())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_radius_lies_in_its_bin() {
        for axis in [CHARGED, SET_FREE, PHOTON] {
            for i in 0..20_000 {
                let x = axis.last() * (f64::from(i) / 20_000.0).powi(8);
                let bin = axis.bin(x);
                let start = if bin == 0 { 0.0 } else { axis.end(bin - 1) };
                assert!((start - 1e-12..axis.end(bin) + 1e-12).contains(&x), "{axis:?} {x} {bin}");
            }
            assert_eq!((axis.bin(0.0), axis.bin(axis.last()), axis.bin(1e9)), (0, axis.bins(), axis.bins()));
        }
        assert_eq!((SET_FREE.last(), PHOTON.last(), CHARGED.last()), (256.0, 32.0, 1.25));
    }
}
