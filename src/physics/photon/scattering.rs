//! Form factors: how the electrons of a material scatter photons together (coherently) and one by one (incoherently).
//!
//! Both depend on x = sin(θ/2)/λ [Å⁻¹], the momentum transferred in units of 2h.

use std::sync::LazyLock;

use crate::constants::H_C_MEV_ANGSTROM;
use crate::domain::Material;
use crate::domain::element::Element;
use crate::embedded::csv_rows;
use crate::math::log_grid::{LogGrid, LogTable};
use crate::math::spline::CubicSpline;

/// Momentum transfers of the tables [Å⁻¹]; 100 Å⁻¹ corresponds to a photon of 2.5 MeV scattered back.
const X_RANGE: [f64; 2] = [1e-3, 100.0];
/// Bins of the tables: linear interpolation of powers up to the fourth is then right to 1e-3.
const X_BINS: usize = 512;

/// Momentum transfer x [Å⁻¹] of a photon deflected by θ.
pub fn momentum_transfer(energy_mev: f64, cos_theta: f64) -> f64 {
    largest_transfer(energy_mev) * (0.5 * (1.0 - cos_theta)).max(0.0).sqrt()
}

/// Momentum transfer [Å⁻¹] of a photon scattered back.
pub fn largest_transfer(energy_mev: f64) -> f64 {
    energy_mev / H_C_MEV_ANGSTROM
}

/// Form factor and incoherent scattering function of one element.
///
/// Source: xraylib (Schoonjans et al., Spectrochim. Acta B 66 (2011) 776), after Hubbard et al., J. Phys. Chem. Ref.
/// Data 4 (1975) 471.
#[derive(Debug)]
pub struct AtomicScattering {
    z: u8,
    form_factor: CubicSpline,
    incoherent: CubicSpline,
}

impl AtomicScattering {
    /// The functions of an element.
    pub fn of(element: &Element) -> &'static Self {
        SCATTERING.iter().find(|table| table.z == element.z).expect("every element has its form factors")
    }

    /// Form factor F(x): electrons that scatter in phase, from Z down to 0.
    pub fn form_factor(&self, x: f64) -> f64 {
        let [low, high] = X_RANGE;
        if x > high { 0.0 } else { self.form_factor.value(x.max(low).ln()) }
    }

    /// Incoherent scattering function S(x): electrons that can take the momentum, from 0 up to Z. For small x it grows
    /// like x².
    pub fn incoherent(&self, x: f64) -> f64 {
        let [low, high] = X_RANGE;
        let inside = self.incoherent.value(x.clamp(low, high).ln()).exp().min(f64::from(self.z));
        inside * (x / low).min(1.0).powi(2)
    }

    fn new(rows: &[ScatteringRow]) -> Self {
        // The first row, x = 0, is implied.
        let rows = &rows[1..];
        Self {
            z: rows[0].z,
            form_factor: CubicSpline::new(rows.iter().map(|row| (row.x_inverse_angstrom.ln(), row.form_factor))),
            incoherent: CubicSpline::new(
                rows.iter().map(|row| (row.x_inverse_angstrom.ln(), row.incoherent_function.ln())),
            ),
        }
    }
}

/// The functions of a material, as tables to sample from. Atoms scatter independently of each other.
#[derive(Clone, Debug, PartialEq)]
pub struct MaterialScattering {
    /// Incoherent scattering function per electron against x [Å⁻¹]: the probability of accepting an angle sampled from
    /// the Klein-Nishina cross section.
    pub incoherent: LogTable,
    /// Integral of F² over x² from 0, against x² [Å⁻²], 1 at the end. [`LogTable::invert`] samples a coherent
    /// scattering from it.
    pub coherent_cumulative: LogTable,
}

impl MaterialScattering {
    /// Tabulates a material.
    pub fn of(material: &Material) -> Self {
        let [grid, squares] = Self::grids();
        let low = grid.min();
        let electrons = material.electrons_per_g();
        let incoherent = LogTable::tabulate(grid, |x| incoherent(material, x) / electrons);
        let squared = |x2: f64| form_factor_squared(material, x2.sqrt());
        // Below the grid the form factor is constant.
        let below = low * low * squared(low * low);
        let coherent_cumulative = LogTable::integral(squares, below, squared).normalised();
        Self { incoherent, coherent_cumulative }
    }

    /// Grids of the two tables.
    pub(crate) fn grids() -> [LogGrid; 2] {
        let [low, high] = X_RANGE;
        [(low, high), (low * low, high * high)]
            .map(|(low, high)| LogGrid::new(low, high, X_BINS).expect("the ends ascend"))
    }
}

/// Sum of the squared form factors of the atoms in one gram.
pub fn form_factor_squared(material: &Material, x: f64) -> f64 {
    let term = |c: &crate::domain::Component| c.atoms_per_g() * AtomicScattering::of(c.element).form_factor(x).powi(2);
    material.components().iter().map(term).sum()
}

/// Sum of the incoherent scattering functions of the atoms in one gram.
pub fn incoherent(material: &Material, x: f64) -> f64 {
    let term = |c: &crate::domain::Component| c.atoms_per_g() * AtomicScattering::of(c.element).incoherent(x);
    material.components().iter().map(term).sum()
}

#[derive(serde::Deserialize)]
struct ScatteringRow {
    z: u8,
    x_inverse_angstrom: f64,
    form_factor: f64,
    incoherent_function: f64,
}

static SCATTERING: LazyLock<Vec<AtomicScattering>> = LazyLock::new(|| {
    let rows: Vec<ScatteringRow> = csv_rows(include_str!("../../../data/photon/scattering.csv"));
    rows.chunk_by(|a, b| a.z == b.z).map(AtomicScattering::new).collect()
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constants::CLASSICAL_ELECTRON_RADIUS_CM;
    use crate::domain::element;
    use crate::math::quadrature::integrate_log;
    use crate::physics::material;
    use crate::physics::photon::attenuation::ElementAttenuation;
    use crate::physics::photon::klein_nishina;

    const ENERGIES_MEV: [f64; 6] = [0.003, 0.01, 0.03, 0.1, 0.5, 1.5];

    #[test]
    fn the_form_factors_add_up_to_the_coherent_cross_section() {
        for element in element::tabulated() {
            let atom = AtomicScattering::of(element);
            for energy in ENERGIES_MEV {
                let area = std::f64::consts::PI * CLASSICAL_ELECTRON_RADIUS_CM.powi(2);
                let sum = integrate_log(1e-9, 2.0, |one_minus_cos| {
                    let cos_theta = 1.0 - one_minus_cos;
                    area * (1.0 + cos_theta * cos_theta)
                        * atom.form_factor(momentum_transfer(energy, cos_theta)).powi(2)
                });
                let ratio = sum / ElementAttenuation::of(element).coherent(energy);
                // XCOM integrated relativistic form factors, which these are not: those of iodine add up to 4.0 % less
                // at 0.1 MeV and 5.5 % less at 0.5 MeV, those of uranium 10 and 14 %. They give the angles only.
                let tolerance = match element.z {
                    0..=30 => 0.018,
                    31..=53 => 0.06,
                    _ => 0.16,
                };
                assert!((ratio - 1.0).abs() < tolerance, "{} {energy}: {ratio}", element.symbol);
            }
        }
    }

    #[test]
    fn the_incoherent_functions_add_up_to_the_incoherent_cross_section() {
        for element in element::tabulated() {
            let atom = AtomicScattering::of(element);
            for energy in ENERGIES_MEV {
                let sum = integrate_log(1e-9, 2.0, |one_minus_cos| {
                    let cos_theta = 1.0 - one_minus_cos;
                    klein_nishina::differential(energy, cos_theta)
                        * atom.incoherent(momentum_transfer(energy, cos_theta))
                });
                let ratio = sum / ElementAttenuation::of(element).incoherent(energy);
                // Four digits of XCOM, and its radiative corrections of up to 0.3 % at 1.5 MeV.
                // Heavy atoms: 1.4 % at 0.03 MeV.
                let tolerance = if element.z > 60 { 0.015 } else { 0.01 };
                assert!((ratio - 1.0).abs() < tolerance, "{} {energy}: {ratio}", element.symbol);
            }
        }
    }

    #[test]
    fn both_functions_have_their_limits() {
        for element in element::tabulated() {
            let (atom, z) = (AtomicScattering::of(element), f64::from(element.z));
            assert!((atom.form_factor(0.0) / z - 1.0).abs() < 1e-4, "{}", element.symbol);
            assert!((atom.incoherent(1e3) / z - 1.0).abs() < 1e-3, "{}", element.symbol);
            assert_eq!((atom.form_factor(200.0), atom.incoherent(0.0)), (0.0, 0.0));
        }
    }

    #[test]
    fn the_cumulative_form_factor_is_its_integral() {
        for material in material::all() {
            let table = MaterialScattering::of(material).coherent_cumulative;
            assert_eq!(table.value(1e9), 1.0);
            for (from, to) in [(0.01, 0.02), (0.3, 0.5), (1.0, 4.0)] {
                let expected = integrate_log(from, to, |x2| form_factor_squared(material, x2.sqrt()));
                let whole = integrate_log(1e-9, 1e4, |x2| form_factor_squared(material, x2.sqrt()));
                let found = table.value(to) - table.value(from);
                // Between nodes the table is linear in ln x²: a step is 4.5 % of x².
                assert!((found / (expected / whole) - 1.0).abs() < 3e-3, "{} {from}", material.name());
            }
        }
    }
}
