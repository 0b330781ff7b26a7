//! Reciprocity: in a uniform medium, a source in A gives B the dose that the same source in B gives A.

use std::ops::Range;

use super::Check;
use super::findings::{Findings, Row};
use super::phantom::{Phantom, line};
use super::rig::Rig;
use super::statistics::{Binned, Estimate};
use crate::domain::{DoseError, EmissionSpectrum, Particle};
use crate::physics::nuclide;
use crate::prepare::transport::Boundary;

pub(super) const CHECK: Check = Check {
    name: "reciprocity",
    title: "Reciprocity of source and target",
    meaning: "In unbounded water, the mean dose to region A per decay in region B equals the one to B per decay in \
        A, whatever the shapes of the two (Loevinger and Berman 1968). A source that is sampled unevenly, a \
        preferred direction or exchanged axes would break this. The voxels have three different edges, the regions \
        different shapes and masses.",
    tolerance: "None but statistics: four standard deviations.",
    measure,
};

/// A box of voxels: first and one past the last index by axis.
type Region = [Range<usize>; 3];

/// One case: what is emitted, the two regions, and the number of histories.
struct Case {
    name: &'static str,
    emissions: EmissionSpectrum,
    regions: [Region; 2],
    histories: u64,
}

/// Voxels by axis, and their edges [mm].
const SHAPE: [u64; 3] = [12, 10, 8];
const SPACING_MM: [f64; 3] = [4.0, 5.0, 6.0];

/// Photons from a small region to a large one some way off, and electrons between neighbours.
fn cases() -> [Case; 2] {
    let yttrium = nuclide::emissions(nuclide::find("Y-90").expect("a known nuclide")).clone();
    [
        Case {
            name: "0.364 MeV photons",
            emissions: line(Particle::Photon, 0.364),
            regions: [[1..3, 1..4, 1..3], [5..10, 3..8, 2..7]],
            histories: 1_000_000,
        },
        Case {
            name: "Y-90",
            emissions: yttrium,
            regions: [[2..3, 3..6, 2..4], [3..5, 3..5, 1..4]],
            histories: 1_000_000,
        },
    ]
}

fn measure(rig: &mut Rig) -> Result<Findings, DoseError> {
    let pairs = cases().map(|Case { name, emissions, regions: [a, b], histories }| {
        let to_b = dose(rig, &emissions, [&a, &b], histories)?;
        let to_a = dose(rig, &emissions, [&b, &a], histories)?;
        Ok((name, to_b, to_a))
    });
    Ok(compare(&pairs.into_iter().collect::<Result<Vec<_>, DoseError>>()?))
}

/// Mean specific energy of the second region per decay in the first [MeV/g].
fn dose(
    rig: &mut Rig,
    emissions: &EmissionSpectrum,
    [source, target]: [&Region; 2],
    histories: u64,
) -> Result<Estimate, DoseError> {
    let mut phantom = Phantom::uniform(SHAPE, SPACING_MM, "water", 1.0, emissions.clone());
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
    let row = |&(name, to_b, to_a): &(&str, Estimate, Estimate)| {
        Row::statistical(format!("{name}, dose to B from A over dose to A from B"), to_b.over(to_a), 1.0, 0.0)
    };
    Findings { rows: pairs.iter().map(row).collect(), figures: vec![] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dose_two_percent_off_one_way_fails() {
        // The uncertainty that a run at standard effort has, or more.
        let pair = |factor: f64| {
            let there = Estimate { mean: factor * 2e-4, sigma: 0.003 * 2e-4 };
            [("a case", there, Estimate { mean: 2e-4, sigma: 0.003 * 2e-4 })]
        };
        assert!(compare(&pair(1.0)).passes());
        assert!(!compare(&pair(1.02)).passes() && !compare(&pair(0.98)).passes() && !compare(&pair(f64::NAN)).passes());
    }
}
