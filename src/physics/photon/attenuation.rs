//! Cross sections of the elements.

use std::sync::LazyLock;

use crate::constants::{CM2_PER_BARN, ELECTRON_REST_ENERGY_MEV};
use crate::domain::element::Element;
use crate::embedded::csv_rows;
use crate::math::spline::CubicSpline;

/// Lowest photon energy for pair production in the field of a nucleus [MeV].
pub const PAIR_THRESHOLD_MEV: f64 = 2.0 * ELECTRON_REST_ENERGY_MEV;
/// Lowest photon energy for pair production in the field of an electron [MeV].
pub const TRIPLET_THRESHOLD_MEV: f64 = 4.0 * ELECTRON_REST_ENERGY_MEV;

/// Cross sections of one element, from 1 keV to 10 MeV.
///
/// Source: NIST XCOM (Berger, Hubbard, Seltzer et al., NBSIR 87-3597 and its data base), interpolated by cubic splines
/// in the logarithms, between absorption edges.
#[derive(Debug)]
pub struct ElementAttenuation {
    z: u8,
    coherent: CubicSpline,
    incoherent: CubicSpline,
    /// One segment from each absorption edge to the next, by ascending energy.
    photoelectric: Vec<PhotoelectricSegment>,
    pair: CubicSpline,
    triplet: CubicSpline,
}

/// A part of the photoelectric cross section between two edges.
#[derive(Debug)]
struct PhotoelectricSegment {
    /// Start of the segment: the lowest energy of the table, or an absorption edge [MeV].
    start_mev: f64,
    barn: CubicSpline,
}

impl ElementAttenuation {
    /// Cross sections of an element.
    pub fn of(element: &Element) -> &'static Self {
        ATTENUATION.iter().find(|table| table.z == element.z).expect("every element has its cross sections")
    }

    /// Coherent (Rayleigh) scattering [cm²].
    pub fn coherent(&self, energy_mev: f64) -> f64 {
        at(&self.coherent, energy_mev)
    }

    /// Incoherent (Compton) scattering by bound electrons [cm²].
    pub fn incoherent(&self, energy_mev: f64) -> f64 {
        at(&self.incoherent, energy_mev)
    }

    /// Photoelectric absorption [cm²].
    pub fn photoelectric(&self, energy_mev: f64) -> f64 {
        let above = self.edges().filter(|&edge| edge <= energy_mev).count();
        self.photoelectric_above(above, energy_mev)
    }

    /// Photoelectric absorption as if exactly the lowest `edges` absorption edges lay below the energy [cm²]: gives the
    /// value on either side of an edge.
    pub fn photoelectric_above(&self, edges: usize, energy_mev: f64) -> f64 {
        at(&self.photoelectric[edges].barn, energy_mev)
    }

    /// Absorption edges [MeV], ascending; the last is that of the K shell, if that lies above 1 keV.
    pub fn edges(&self) -> impl Iterator<Item = f64> {
        self.photoelectric[1..].iter().map(|segment| segment.start_mev)
    }

    /// Pair production in the field of the nucleus [cm²].
    pub fn pair(&self, energy_mev: f64) -> f64 {
        above_threshold(&self.pair, PAIR_THRESHOLD_MEV, energy_mev)
    }

    /// Pair production in the field of an electron [cm²].
    pub fn triplet(&self, energy_mev: f64) -> f64 {
        above_threshold(&self.triplet, TRIPLET_THRESHOLD_MEV, energy_mev)
    }

    /// From the rows of one element.
    fn new(rows: &[AttenuationRow]) -> Self {
        // Smooth functions need only one of the two rows at an edge.
        let smooth = |column: fn(&AttenuationRow) -> f64| {
            let rows = std::iter::once(&rows[0])
                .chain(rows.windows(2).filter(|pair| !is_edge(&pair[0], &pair[1])).map(|pair| &pair[1]));
            CubicSpline::new(rows.map(|row| (row.energy_mev.ln(), column(row).ln())))
        };
        let segment = |rows: &[AttenuationRow]| PhotoelectricSegment {
            start_mev: rows[0].energy_mev,
            barn: CubicSpline::new(rows.iter().map(|row| (row.energy_mev.ln(), row.photoelectric_barn.ln()))),
        };
        Self {
            z: rows[0].z,
            coherent: smooth(|row| row.coherent_barn),
            incoherent: smooth(|row| row.incoherent_barn),
            photoelectric: rows.chunk_by(|a, b| !is_edge(a, b)).map(segment).collect(),
            pair: threshold_spline(rows, PAIR_THRESHOLD_MEV, |row| row.pair_barn),
            triplet: threshold_spline(rows, TRIPLET_THRESHOLD_MEV, |row| row.triplet_barn),
        }
    }
}

/// Whether two successive rows, 0.1 to 1 eV apart, are the two sides of an absorption edge.
fn is_edge(below: &AttenuationRow, above: &AttenuationRow) -> bool {
    above.energy_mev < below.energy_mev * 1.0002 && above.photoelectric_barn > below.photoelectric_barn
}

/// Value [cm²] of a spline in ln E of ln σ [barn].
fn at(spline: &CubicSpline, energy_mev: f64) -> f64 {
    spline.value(energy_mev.ln()).exp() * CM2_PER_BARN
}

/// Factor of a pair cross section that varies fast above the threshold; the rest is smooth.
fn threshold_factor(threshold_mev: f64, energy_mev: f64) -> f64 {
    (1.0 - threshold_mev / energy_mev).powi(3)
}

/// Spline of a cross section over its threshold factor.
fn threshold_spline(rows: &[AttenuationRow], threshold_mev: f64, column: fn(&AttenuationRow) -> f64) -> CubicSpline {
    let above = rows.iter().filter(|row| column(row) > 0.0);
    let smooth = |row: &AttenuationRow| (column(row) / threshold_factor(threshold_mev, row.energy_mev)).ln();
    CubicSpline::new(above.map(|row| (row.energy_mev.ln(), smooth(row))))
}

/// Value [cm²] of such a spline; 0 up to the threshold.
fn above_threshold(spline: &CubicSpline, threshold_mev: f64, energy_mev: f64) -> f64 {
    if energy_mev <= threshold_mev { 0.0 } else { threshold_factor(threshold_mev, energy_mev) * at(spline, energy_mev) }
}

#[derive(serde::Deserialize)]
struct AttenuationRow {
    z: u8,
    energy_mev: f64,
    coherent_barn: f64,
    incoherent_barn: f64,
    photoelectric_barn: f64,
    pair_barn: f64,
    triplet_barn: f64,
}

static ATTENUATION: LazyLock<Vec<ElementAttenuation>> = LazyLock::new(|| {
    let rows: Vec<AttenuationRow> = csv_rows(include_str!("../../../data/photon/attenuation.csv"));
    rows.chunk_by(|a, b| a.z == b.z).map(ElementAttenuation::new).collect()
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::element;

    fn of(symbol: &str) -> &'static ElementAttenuation {
        ElementAttenuation::of(element::find(symbol).expect("a known element").0)
    }

    #[test]
    fn tabulated_values_are_returned() {
        let calcium = of("Ca");
        let barn = |cm2: f64| cm2 / CM2_PER_BARN;
        for (found, expected) in [
            (calcium.coherent(0.02), 25.44),
            (calcium.incoherent(0.1), 9.388),
            (calcium.photoelectric(0.015), 1937.0),
            (calcium.photoelectric(0.003), 17640.0),
            (calcium.pair(5.0), 0.4405),
            (calcium.triplet(10.0), 0.02335),
        ] {
            assert!((barn(found) / expected - 1.0).abs() < 1e-12, "{found} {expected}");
        }
    }

    #[test]
    fn the_k_edge_of_calcium_is_a_jump() {
        let calcium = of("Ca");
        let edges: Vec<f64> = calcium.edges().collect();
        assert_eq!(edges, [0.004_038_1]);
        let jump = calcium.photoelectric(0.004_038_1) / calcium.photoelectric(0.004_038_0);
        assert!((jump / 8.756 - 1.0).abs() < 1e-3, "{jump}");
        assert!((calcium.photoelectric_above(0, 0.0041) / calcium.photoelectric(0.004) - 1.0).abs() < 0.1);
        assert_eq!(of("I").edges().count(), 5);
        assert_eq!(of("O").edges().count(), 0);
        // Next to these edges XCOM has a row of its standard grid, and of uranium the package lacks the upper side.
        for (symbol, edge, jump) in [("Mo", 0.019_999_5, 6.54), ("U", 0.115_607, 4.226)] {
            let table = of(symbol);
            let (count, last) = (table.edges().count(), table.edges().last().expect("a K edge"));
            let found = table.photoelectric(edge) / table.photoelectric_above(count - 1, edge);
            assert!(last == edge && (found / jump - 1.0).abs() < 5e-3, "{symbol}: {last} {found}");
        }
    }

    #[test]
    fn pairs_need_their_threshold() {
        let oxygen = of("O");
        assert_eq!((oxygen.pair(1.0219), oxygen.triplet(2.0439)), (0.0, 0.0));
        assert!(oxygen.pair(1.03) > 0.0 && oxygen.triplet(2.1) > 0.0);
    }

    #[test]
    fn every_element_is_smooth_between_edges() {
        for element in element::tabulated() {
            let table = ElementAttenuation::of(element);
            for i in 0..2000 {
                let energy = 1e-3 * 10f64.powf(4.0 * f64::from(i) / 2000.0);
                let next = energy * 10f64.powf(4.0 / 2000.0);
                // Between L edges and between M edges that lie close together, XCOM's photoelectric absorption hardly
                // falls, or rises: in zinc from 1.020 to 1.194 keV, in lead from 2.484 to 2.586 keV.
                let odd = element.z >= 30 && energy < 0.004_2;
                if odd || table.edges().any(|edge| (energy..=next).contains(&edge)) {
                    continue;
                }
                let slope = |f: &dyn Fn(f64) -> f64| (f(next) / f(energy)).ln() / (next / energy).ln();
                let photoelectric = slope(&|e| table.photoelectric(e));
                assert!((-3.7..-0.8).contains(&photoelectric), "{} {energy}: {photoelectric}", element.symbol);
                let coherent = slope(&|e| table.coherent(e));
                assert!((-2.1..0.05).contains(&coherent), "{} {energy}: {coherent}", element.symbol);
                let incoherent = slope(&|e| table.incoherent(e));
                assert!((-1.0..2.1).contains(&incoherent), "{} {energy}: {incoherent}", element.symbol);
            }
        }
    }
}
