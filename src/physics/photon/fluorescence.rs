//! Fluorescence of the K shell. That of the L shells is absorbed where it is emitted: at most 0.4 keV in calcium and 5
//! keV in iodine. In lead it is 10 to 15 keV, 4 keV on average for each absorption in an L shell, and goes some
//! micrometres.

use std::sync::LazyLock;

use super::attenuation::ElementAttenuation;
use crate::domain::element::Element;
use crate::embedded::csv_rows;

/// Emission after a photon is absorbed in the K shell of an element.
///
/// Source: xraylib (Schoonjans et al., Spectrochim. Acta B 66 (2011) 776): yields after Krause (1979), lines after
/// Bearden (1967).
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize)]
pub struct KShell {
    /// Atomic number.
    pub z: u8,
    /// Binding energy [MeV].
    pub binding_mev: f64,
    /// Probability that a photon is emitted; otherwise Auger electrons are.
    pub fluorescence_yield: f64,
    /// Mean energy of the Kα lines [MeV].
    pub k_alpha_mev: f64,
    /// Fraction of the photons that are Kα.
    pub k_alpha_fraction: f64,
    /// Mean energy of the other lines, Kβ [MeV].
    pub k_beta_mev: f64,
}

impl KShell {
    /// The K shell of an element, if it is bound by more than 1 keV.
    pub fn of(element: &Element) -> Option<&'static Self> {
        K_SHELLS.iter().find(|shell| shell.z == element.z)
    }

    /// Mean energy emitted as fluorescence per absorption in the K shell [MeV].
    pub fn mean_fluorescence_mev(&self) -> f64 {
        let mean = self.k_alpha_fraction * self.k_alpha_mev + (1.0 - self.k_alpha_fraction) * self.k_beta_mev;
        self.fluorescence_yield * mean
    }
}

/// Fraction of the photons absorbed above the K edge that are absorbed in the K shell, from the jump at the edge.
pub fn k_shell_part(attenuation: &ElementAttenuation) -> f64 {
    match attenuation.edges().enumerate().last() {
        Some((below, edge)) => 1.0 - attenuation.photoelectric_above(below, edge) / attenuation.photoelectric(edge),
        None => 0.0,
    }
}

static K_SHELLS: LazyLock<Vec<KShell>> = LazyLock::new(|| csv_rows(include_str!("../../../data/photon/k_shells.csv")));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::element;

    #[test]
    fn lines_lie_below_their_edge_and_edges_where_the_cross_section_jumps() {
        for element in element::tabulated() {
            let attenuation = ElementAttenuation::of(element);
            let Some(shell) = KShell::of(element) else {
                assert_eq!(attenuation.edges().count(), 0, "{} has a K edge above 1 keV", element.symbol);
                continue;
            };
            assert!(
                shell.k_alpha_mev < shell.k_beta_mev && shell.k_beta_mev <= shell.binding_mev,
                "{}",
                element.symbol
            );
            let edge = attenuation.edges().last().expect("it has a K edge");
            // The two packages took their edges from different compilations.
            assert!((edge / shell.binding_mev - 1.0).abs() < 2e-3, "{}: {edge}", element.symbol);
        }
    }

    #[test]
    fn yields_and_parts_of_the_k_shell_are_those_of_the_literature() {
        // Krause (1979): fluorescence yields of Ca 0.163, Fe 0.340, I 0.884; part of the K shell 1 − 1/J, J of the
        // order of 9, 8 and 6.
        for (symbol, yield_, part) in [("Ca", 0.163, 0.886), ("Fe", 0.340, 0.873), ("I", 0.884, 0.834)] {
            let element = element::find(symbol).expect("known").0;
            let shell = KShell::of(element).expect("has a K shell");
            assert!((shell.fluorescence_yield / yield_ - 1.0).abs() < 0.05, "{symbol}");
            let found = k_shell_part(ElementAttenuation::of(element));
            assert!((found - part).abs() < 0.01, "{symbol}: {found}");
        }
        assert_eq!(k_shell_part(ElementAttenuation::of(element::find("O").expect("oxygen").0)), 0.0);
    }
}
