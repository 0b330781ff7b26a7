//! Voxel S values against EGSnrc, by Monte Carlo and by the kernel method.

use super::Check;
use super::findings::{Findings, Row};
use super::golden::{self, SValue};
use super::phantom::Phantom;
use super::rig::Rig;
use super::statistics::{Binned, Estimate};
use crate::constants::GY_PER_MEV_PER_G;
use crate::domain::{DoseError, KernelMedium, Source, Stage};
use crate::physics::kernel::{KernelSpec, voxel_kernel};
use crate::report::{Axis, Band, Figure, Series};

pub(super) const CHECK: Check = Check {
    name: "s-values",
    title: "Voxel S values of Lu-177, Y-90 and I-131",
    meaning: "The dose to a voxel of 3 mm per decay in itself, in its neighbour and in voxels up to five away, in \
        water, by both methods, compared with EGSnrc. This tests spectra, electrons and photons together.",
    tolerance: "0.5 % for the voxel itself, 1 % for its first neighbours, 2 % for all others above 1e-4 of the voxel \
        itself, plus three standard deviations of both codes: the design target of this program.",
    measure,
};

const SELF: f64 = 0.005;
const FIRST: f64 = 0.01;
const OTHER: f64 = 0.02;
/// S values below this fraction of that of the voxel itself are not compared.
const FAINT: f64 = 1e-4;
/// Edge of the voxels [mm].
const EDGE_MM: f64 = 3.0;
/// Largest offset of the table.
const LARGEST_OFFSET: usize = 5;
/// Voxels on each side of the source: 12 cm of water, which scatter photons back.
const HALF_WIDTH: usize = 40;

/// Nuclide and histories.
const CASES: [(&str, u64); 3] = [("Lu-177", 2_000_000), ("Y-90", 600_000), ("I-131", 1_000_000)];

/// S values of a nuclide in the order of the table, and the table.
pub(super) struct Comparison {
    /// Nuclide and method.
    pub(super) name: String,
    pub(super) found_gy: Vec<Estimate>,
    pub(super) table: Vec<SValue>,
}

fn measure(rig: &mut Rig) -> Result<Findings, DoseError> {
    let mut findings = Findings::default();
    for (name, histories) in CASES {
        let (transported, convolved) = (by_transport(rig, name, histories)?, by_kernel(rig, name)?);
        findings.figures.push(figure(name, &transported, &convolved));
        for comparison in [transported, convolved] {
            findings.rows.extend(compare(&comparison));
        }
    }
    Ok(findings)
}

fn by_transport(rig: &mut Rig, name: &str, histories: u64) -> Result<Comparison, DoseError> {
    let table = golden::s_values(name);
    let spectrum = golden::emissions(name);
    let voxels = 2 * HALF_WIDTH as u64 + 1;
    let mut phantom = Phantom::uniform([voxels; 3], [EDGE_MM; 3], "water", 1.0, spectrum);
    phantom.groups = 16;
    let phantom = phantom.with_source_at([HALF_WIDTH; 3]);
    let tally = rig.transport(&phantom, histories)?;
    let class = |voxel: usize| {
        let mut offset = phantom.index(voxel).map(|index| index.abs_diff(HALF_WIDTH));
        offset.sort_unstable();
        table.iter().position(|row| [row.i, row.j, row.k] == offset)
    };
    let binned = Binned::new(&tally, table.len(), |voxel| {
        let near = phantom.index(voxel).iter().all(|index| index.abs_diff(HALF_WIDTH) <= LARGEST_OFFSET);
        if near { class(voxel) } else { None }
    });
    let mass_g = phantom.mass_g(0);
    let found = |(number, row): (usize, &SValue)| {
        binned.mean(number).scaled(GY_PER_MEV_PER_G / mass_g / equivalent([row.i, row.j, row.k]))
    };
    let found_gy = table.iter().enumerate().map(found).collect();
    Ok(Comparison { name: format!("{name}, Monte Carlo"), found_gy, table })
}

fn by_kernel(rig: &Rig, name: &str) -> Result<Comparison, DoseError> {
    let table = golden::s_values(name);
    let source = Source::with_emissions(None, golden::emissions(name)).expect("a spectrum without a nuclide");
    let spec = KernelSpec::new(&source, KernelMedium::Water, [EDGE_MM / 10.0; 3], [LARGEST_OFFSET; 3])
        .expect("energies that kernels have");
    let s_gy = voxel_kernel(&spec, &rig.control.at_stage(Stage::Kernel))?.s_values_gy();
    let found_gy = table.iter().map(|row| Estimate::exact(s_gy[[row.i, row.j, row.k]])).collect();
    Ok(Comparison { name: format!("{name}, kernel"), found_gy, table })
}

/// Number of voxels whose offset equals this one up to signs and the order of the axes. The offset must ascend.
fn equivalent([i, j, k]: [usize; 3]) -> f64 {
    let orders = match (i == j, j == k) {
        (true, true) => 1,
        (true, false) | (false, true) => 3,
        (false, false) => 6,
    };
    let signs: u32 = [i, j, k].map(|n| if n > 0 { 2 } else { 1 }).iter().product();
    f64::from(orders * signs)
}

fn compare(comparison: &Comparison) -> Vec<Row> {
    let Comparison { name, found_gy, table } = comparison;
    let own = table.iter().find(|row| row.i + row.j + row.k == 0).expect("the table begins at the source").s_gy;
    let row = |(row, found): (&SValue, &Estimate)| {
        let SValue { i, j, k, s_gy, sigma_gy } = *row;
        let tolerance = match i + j + k {
            0 => SELF,
            1 => FIRST,
            _ => OTHER,
        };
        let ratio = found.over(Estimate { mean: s_gy, sigma: sigma_gy });
        (i + j + k, Row::new(format!("{name}, S({i},{j},{k}) over reference"), ratio, 1.0, tolerance))
    };
    let compared = table.iter().zip(found_gy).filter(|(row, _)| row.s_gy > FAINT * own).map(row);
    let (mut near, far): (Vec<_>, Vec<_>) = compared.partition(|(steps, _)| *steps < 2);
    near.sort_by_key(|(steps, _)| *steps);
    let worst = Row::worst(far.into_iter().map(|(_, row)| row));
    let near = near.into_iter().map(|(_, row)| row);
    near.chain(worst.map(|row| Row { quantity: format!("{} (worst of the others)", row.quantity), ..row })).collect()
}

fn figure(nuclide: &str, transported: &Comparison, convolved: &Comparison) -> Figure {
    let axes = [Axis::linear("distance [voxels]"), Axis::linear("%")];
    let mut figure = Figure::new(format!("{nuclide}: S values less EGSnrc"), axes);
    let own = transported.table.iter().map(|row| row.s_gy).fold(0.0, f64::max);
    let points = |comparison: &Comparison| {
        let compared = comparison.table.iter().zip(&comparison.found_gy).filter(|(row, _)| row.s_gy > FAINT * own);
        let point = |(row, found): (&SValue, &Estimate)| {
            let ratio = found.over(Estimate { mean: row.s_gy, sigma: row.sigma_gy });
            let distance = ((row.i * row.i + row.j * row.j + row.k * row.k) as f64).sqrt();
            [distance, 100.0 * (ratio.mean - 1.0), 100.0 * ratio.sigma]
        };
        compared.map(point).collect::<Vec<_>>()
    };
    figure.bands.push(Band::Tolerance([-100.0 * OTHER, 100.0 * OTHER]));
    figure.series =
        vec![Series::points("Monte Carlo", points(transported)), Series::points("kernel method", points(convolved))];
    figure
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(factor: impl Fn(&SValue) -> f64) -> Comparison {
        let table = golden::s_values("Lu-177");
        let found_gy =
            table.iter().map(|row| Estimate { mean: row.s_gy * factor(row), sigma: 1e-4 * row.s_gy }).collect();
        Comparison { name: "a case".into(), found_gy, table }
    }

    fn passes(factor: impl Fn(&SValue) -> f64) -> bool {
        let rows = compare(&comparison(factor));
        assert_eq!(rows.len(), 3);
        rows.iter().all(Row::passes)
    }

    #[test]
    fn a_bias_beyond_its_tolerance_fails_wherever_it_is() {
        assert!(passes(|_| 1.0));
        for bias in [0.99, 1.01] {
            assert!(!passes(|_| bias), "all by {bias}");
            assert!(!passes(|row| if row.k == 0 { bias } else { 1.0 }), "the voxel itself by {bias}");
        }
        assert!(!passes(|row| if row.j == 0 && row.k == 1 { 0.975 } else { 1.0 }), "first neighbours");
        let brightest_other = |row: &SValue| row.i == 0 && row.j == 1 && row.k == 1;
        assert!(!passes(|row| if brightest_other(row) { 1.06 } else { 1.0 }), "one other");
    }

    #[test]
    fn equivalent_offsets_fill_the_cube() {
        let voxels: f64 = golden::s_values("Y-90").iter().map(|row| equivalent([row.i, row.j, row.k])).sum();
        assert_eq!(voxels, 11f64.powi(3));
    }
}
