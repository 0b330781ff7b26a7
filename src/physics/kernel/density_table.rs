//! The density of a kernel against the square of the radius, for the many voxels far from the source: looked up without
//! a root, a division or a search.

use super::radial::RadialKernel;

/// Mantissa bits of r² that number the nodes: 2¹⁰ in each factor of two. Within such a step a density that falls as r⁻²
/// deviates from a line by 1e-6 of itself.
const NODE_BITS: u32 = 10;
/// The other bits of the mantissa give the position between two nodes.
const PLACE_BITS: u32 = f64::MANTISSA_DIGITS - 1 - NODE_BITS;

/// Energy absorbed per volume [MeV/cm³ per decay], linear in r² between nodes.
#[derive(Clone, Debug)]
pub(super) struct DensityTable {
    first: u64,
    values: Vec<f64>,
}

impl DensityTable {
    /// * `start_cm`, `last_cm` – smallest radius that will be looked up, above 0, and largest
    pub(super) fn new(kernel: &RadialKernel, start_cm: f64, last_cm: f64) -> Self {
        let node = |r_cm: f64| (r_cm * r_cm).to_bits() >> PLACE_BITS;
        let first = node(start_cm);
        let density = |number: u64| kernel.density_mev_per_cm3(f64::from_bits(number << PLACE_BITS).sqrt());
        Self { first, values: (first..=node(kernel.end_cm().min(last_cm)) + 1).map(density).collect() }
    }

    /// Density at the square of a radius; 0 past the end of the table.
    #[inline]
    pub(super) fn at(&self, r2: f64) -> f64 {
        const PLACE: u64 = (1 << PLACE_BITS) - 1;
        let bits = r2.to_bits();
        #[expect(clippy::cast_possible_truncation, reason = "the exponent and the leading bits of a mantissa: 21 bits")]
        let node = ((bits >> PLACE_BITS) - self.first) as usize;
        match self.values.get(node..node + 2) {
            Some(&[low, high]) => low + (high - low) * ((bits & PLACE) as f64 / (PLACE + 1) as f64),
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::KernelMedium;
    use crate::physics::kernel::radial_kernel;
    use crate::physics::nuclide::{emissions, find};

    #[test]
    fn the_table_follows_the_kernel() {
        let iodine = emissions(find("I-131").expect("a known nuclide"));
        let kernel = radial_kernel(iodine, KernelMedium::Water).expect("energies that kernels have");
        let table = DensityTable::new(&kernel, 0.7, f64::INFINITY);
        for i in 0..10_000 {
            let r = 0.7 + 39.29 * f64::from(i) / 10_000.0;
            let exact = kernel.density_mev_per_cm3(r);
            assert!((table.at(r * r) / exact - 1.0).abs() < 1e-4, "{r}");
        }
        assert_eq!(table.at(201.0 * 201.0), 0.0);
        assert_eq!(table.at(1e9), 0.0);
    }
}
