//! Energy within a radius, interpolated between the radii of a table.

use super::axis::Axis;
use crate::math::monotone_cubic;

/// A cumulative fraction, from 0 at radius 0 to at most 1, by monotone cubics between the edges of the bins.
#[derive(Clone, Debug)]
pub(super) struct CumulativeCurve {
    axis: Axis,
    /// At radius 0 and at the end of each bin: the fraction within, and its slope.
    nodes: Vec<[f64; 2]>,
}

impl CumulativeCurve {
    /// * `parts` – fraction in each bin
    pub(super) fn new(axis: Axis, parts: &[f32]) -> Self {
        let radii: Vec<f64> = std::iter::once(0.0).chain((0..axis.bins()).map(|bin| axis.end(bin))).collect();
        let mut sum = 0.0;
        let summed = parts.iter().map(|part| {
            sum += f64::from(*part);
            sum
        });
        let within: Vec<f64> = std::iter::once(0.0).chain(summed).collect();
        let slopes = monotone_cubic::slopes(&radii, &within);
        Self { axis, nodes: within.into_iter().zip(slopes).map(|(within, slope)| [within, slope]).collect() }
    }

    /// The fraction within a radius.
    #[inline]
    pub(super) fn within(&self, x: f64) -> f64 {
        let bin = self.axis.bin(x);
        if bin >= self.axis.bins() {
            return self.nodes[self.axis.bins()][0];
        }
        let start = if bin == 0 { 0.0 } else { self.axis.end(bin - 1) };
        let width = self.axis.end(bin) - start;
        monotone_cubic::between((x - start) / width, width, self.nodes[bin], self.nodes[bin + 1])
    }

    /// Last radius of the table.
    pub(super) fn last(&self) -> f64 {
        self.axis.last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::kernel::library::axis::PHOTON;

    #[test]
    fn an_exponential_is_followed() {
        let start = |bin: usize| if bin == 0 { 0.0 } else { PHOTON.end(bin - 1) };
        #[expect(clippy::cast_possible_truncation, reason = "tables are stored in single precision")]
        let parts: Vec<f32> =
            (0..PHOTON.bins()).map(|bin| ((-start(bin)).exp() - (-PHOTON.end(bin)).exp()) as f32).collect();
        let curve = CumulativeCurve::new(PHOTON, &parts);
        for i in 0..10_000 {
            let x = 40.0 * (f64::from(i) / 1e4).powi(6);
            assert!((curve.within(x) + (-x).exp_m1()).abs() < 5e-5, "{x}: {}", curve.within(x));
        }
    }
}
