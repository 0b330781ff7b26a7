//! The energies of the tables: the range that they cover, and their grid.

use crate::math::log_grid::LogGrid;

/// Lowest kinetic or photon energy of the tables [MeV].
pub const MIN_ENERGY_MEV: f64 = 1e-3;
/// Highest kinetic or photon energy of the tables [MeV].
pub const MAX_ENERGY_MEV: f64 = 10.0;
/// Bins of the grid. Linear interpolation of a cross section like E⁻³ is then right to 9e-5.
const BINS: usize = 1024;

/// The grid of energies [MeV] on which materials are tabulated: 1 keV to 10 MeV.
pub fn energies() -> LogGrid {
    LogGrid::new(MIN_ENERGY_MEV, MAX_ENERGY_MEV, BINS).expect("the ends ascend")
}

/// The logarithm of the energy, mapped so that 1 keV to 10 MeV is −1 to 1; beyond, the nearer end. Fitted tables are
/// Chebyshev series in it.
pub(crate) fn scaled_log_energy(energy_mev: f64) -> f64 {
    (2.0 * (energy_mev / MIN_ENERGY_MEV).ln() / (MAX_ENERGY_MEV / MIN_ENERGY_MEV).ln() - 1.0).clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::log_grid::LogTable;

    #[test]
    fn powers_are_interpolated_as_finely_as_stated() {
        let table = LogTable::tabulate(energies(), |e| e.powi(-3));
        let worst = (0..5000).map(|i| 1e-3 * 10f64.powf(4.0 * f64::from(i) / 5000.0));
        let worst = worst.map(|e| (table.value(e) * e.powi(3) - 1.0).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-4, "{worst}");
    }

    #[test]
    fn the_range_of_energies_is_mapped_to_the_unit_interval() {
        for (energy, expected) in [(1e-3, -1.0), (0.1, 0.0), (10.0, 1.0), (1e-5, -1.0), (100.0, 1.0)] {
            assert!((scaled_log_energy(energy) - expected).abs() < 1e-12, "{energy}");
        }
    }
}
