//! Reciprocity: in a uniform medium, a source in A gives B the dose that the same source in B gives A.

use std::ops::Range;

use super::Check;
use super::findings::{Findings, Row};
use super::phantom::Phantom;
use super::rig::Rig;
use super::statistics::{Binned, Estimate};
use crate::domain::DoseError;
use crate::engine::transport::Boundary;
use crate::physics::nuclide;

pub(super) const CHECK: Check = Check {
    name: "reciprocity",
    title: "Reciprocity of source and target",
    meaning: "In water without end, the mean dose to region A per decay in region B is that to B per decay in A, whatever the two look like (Loevinger and Berman \
        1968). A source sampled unevenly, a direction preferred, an index exchanged between axes breaks that. The voxels have three different edges, the \
        regions different shapes and masses.",
    tolerance: "None but statistics: four standard deviations.",
    measure,
};

/// A box of voxels: first and one past the last index by axis.
type Region = [Range<usize>; 3];

/// A nuclide, two regions, histories.
struct Case {
    nuclide: &'static str,
    regions: [Region; 2],
    histories: u64,
}

/// Voxels by axis, and their edges [mm].
const SHAPE: [u64; 3] = [12, 10, 8];
const SPACING_MM: [f64; 3] = [4.0, 5.0, 6.0];

fn cases() -> [Case; 2] {
    [
        Case { nuclide: "I-131", regions: [[1..2, 1..3, 1..2], [5..9, 4..7, 3..6]], histories: 400_000 },
        Case { nuclide: "Y-90", regions: [[2..4, 3..4, 2..3], [4..5, 4..8, 2..6]], histories: 400_000 },
    ]
}

fn measure(rig: &mut Rig) -> Result<Findings, DoseError> {
    let pairs = cases().map(|Case { nuclide, regions: [a, b], histories }| {
        let to_b = dose(rig, nuclide, &a, &b, histories)?;
        let to_a = dose(rig, nuclide, &b, &a, histories)?;
        Ok((nuclide, to_b, to_a))
    });
    Ok(compare(&pairs.into_iter().collect::<Result<Vec<_>, DoseError>>()?))
}

/// Mean specific energy of `target` per decay in `source` [MeV/g].
fn dose(
    rig: &mut Rig,
    nuclide: &str,
    source: &Region,
    target: &Region,
    histories: u64,
) -> Result<Estimate, DoseError> {
    let spectrum = nuclide::emissions(nuclide::find(nuclide).expect("a known nuclide")).clone();
    let mut phantom = Phantom::uniform(SHAPE, SPACING_MM, "water", 1.0, spectrum);
    phantom.boundary = Boundary::Periodic;
    let within = |region: &Region, voxel: usize| {
        phantom.index(voxel).iter().zip(region).all(|(index, range)| range.contains(index))
    };
    let voxels = 0..phantom.grid.voxels();
    let decays = voxels.clone().map(|voxel| if within(source, voxel) { 1.0 } else { 0.0 }).collect();
    let mass_g: f64 = voxels.filter(|&voxel| within(target, voxel)).map(|voxel| phantom.mass_g(voxel)).sum();
    let is_target: Vec<bool> = (0..phantom.grid.voxels()).map(|voxel| within(target, voxel)).collect();
    phantom.decays = decays;
    let tally = rig.transport(&phantom, histories)?;
    Ok(Binned::new(&tally, 1, |voxel| is_target[voxel].then_some(0)).mean(0).scaled(1.0 / mass_g))
}

fn compare(pairs: &[(&str, Estimate, Estimate)]) -> Findings {
    let row = |&(nuclide, to_b, to_a): &(&str, Estimate, Estimate)| {
        Row::statistical(format!("{nuclide}, dose to B from A over dose to A from B"), to_b.over(to_a), 1.0, 0.0)
    };
    Findings { rows: pairs.iter().map(row).collect(), plots: vec![] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dose_three_percent_too_high_one_way_fails() {
        // The uncertainty that a run at standard effort has, or more.
        let pair = |factor: f64| {
            let there = Estimate { mean: factor * 2e-4, sigma: 0.004 * 2e-4 };
            [("I-131", there, Estimate { mean: 2e-4, sigma: 0.004 * 2e-4 })]
        };
        assert!(compare(&pair(1.0)).passes());
        assert!(!compare(&pair(1.03)).passes() && !compare(&pair(0.97)).passes() && !compare(&pair(f64::NAN)).passes());
    }
}
