//! How far the beta particles of a nuclide go in water: for people to read.

use std::sync::LazyLock;

use crate::domain::Nuclide;
use crate::domain::nuclide::BetaSign;
use crate::math::log_grid::LogTable;
use crate::physics::electron::Charge;
use crate::physics::known::csda_range;
use crate::physics::material;

/// Ranges of beta particles in water, in the continuous-slowing-down approximation.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct BetaRange {
    /// Electrons or positrons.
    pub sign: BetaSign,
    /// Mean kinetic energy [MeV].
    pub mean_mev: f64,
    /// Range at that energy [mm].
    pub mean_range_mm: f64,
    /// Highest kinetic energy [MeV].
    pub max_mev: f64,
    /// Range at that energy [mm].
    pub max_range_mm: f64,
}

/// Ranges in water of 1 g/cm³, for each sign that the nuclide emits.
pub fn beta_ranges(nuclide: &Nuclide) -> Vec<BetaRange> {
    static RANGES: LazyLock<[LogTable; 2]> = LazyLock::new(|| {
        let water = material::find("water").expect("water is a known material");
        [Charge::Electron, Charge::Positron].map(|charge| csda_range(water, charge))
    });
    let range = |(sign, range): (BetaSign, &LogTable)| {
        let betas = || nuclide.betas.iter().filter(move |beta| beta.sign == sign);
        let number: f64 = betas().map(|beta| beta.intensity).sum();
        let mean_mev = betas().map(|beta| beta.intensity * beta.mean_mev).sum::<f64>() / number;
        let max_mev = betas().map(|beta| beta.endpoint_mev).fold(0.0, f64::max);
        let [mean_range_mm, max_range_mm] = [mean_mev, max_mev].map(|energy_mev| range.value(energy_mev) * 10.0);
        (number > 0.0).then_some(BetaRange { sign, mean_mev, mean_range_mm, max_mev, max_range_mm })
    };
    BetaSign::ALL.into_iter().zip(RANGES.iter()).filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::nuclide::named;

    /// CSDA ranges of electrons of 0.9326 and 2.2785 MeV in water, interpolated in ESTAR (NIST): 4.02 and 11.2 mm.
    #[test]
    fn betas_go_as_far_as_estar_says() {
        let ranges = beta_ranges(named("Y-90").expect("known"));
        let [range] = ranges[..] else { panic!("{ranges:?}") };
        assert!((range.mean_range_mm / 4.02 - 1.0).abs() < 0.01, "{range:?}");
        assert!((range.max_range_mm / 11.2 - 1.0).abs() < 0.01, "{range:?}");
        assert_eq!(beta_ranges(named("At-211").expect("known")), []);
        assert_eq!(beta_ranges(named("Cu-64").expect("known")).len(), 2);
    }
}
