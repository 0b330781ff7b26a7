//! Fano's theorem: with one composition, emission in proportion to the mass and no way out, the dose is the same
//! everywhere, whatever the densities.

use super::Check;
use super::findings::{Findings, Row};
use super::phantom::{Phantom, line};
use super::rig::Rig;
use super::statistics::{Binned, Estimate};
use crate::domain::{DoseError, Particle};
use crate::prepare::transport::Boundary;
use crate::report::{Axis, Band, Figure, Series};

pub(super) const CHECK: Check = Check {
    name: "fano",
    title: "Fano: the same dose at every density",
    meaning: "Voxels of one composition but of 0.1 to 2 g/cm³ lie next to each other in a random pattern. Particles \
        are emitted in proportion to the mass, and what leaves on one side comes back on the other. By Fano's \
        theorem (1954) the dose is then the same in every voxel, whatever the cross sections are. A step of the \
        transport that treats the density or an interface wrongly breaks this. All cases together show smaller \
        differences than any single one.",
    tolerance: "0.1 % of the dose, the accuracy that reference codes reach in this test, plus three standard \
        deviations of the run.",
    measure,
};

/// Densities that lie next to each other [g/cm³].
pub const DENSITIES: [f32; 4] = [0.1, 0.3, 1.0, 2.0];
/// Voxels of each density out of 64. All densities have similar total masses, so that their doses have similar
/// uncertainties.
const SHARES: [u32; 4] = [44, 14, 4, 2];
/// Voxels along each edge of the grid.
const EDGE: u64 = 16;
/// Tolerance of the dose relative to its mean.
const TOLERANCE: f64 = 0.001;

/// One case: what is emitted, the size of the voxels, and the number of histories.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The particle.
    pub particle: Particle,
    /// Its energy [MeV].
    pub mev: f64,
    /// Edge of the voxels [mm]: some ranges at 1 g/cm³, a fraction of one at 0.1 g/cm³.
    pub spacing_mm: f64,
    /// Histories at standard effort.
    pub histories: u64,
}

/// The cases.
pub const CASES: [Case; 4] = [
    Case { particle: Particle::Electron, mev: 0.1, spacing_mm: 0.5, histories: 6_000_000 },
    Case { particle: Particle::Electron, mev: 0.5, spacing_mm: 5.0, histories: 4_000_000 },
    Case { particle: Particle::Electron, mev: 2.0, spacing_mm: 20.0, histories: 2_000_000 },
    Case { particle: Particle::Photon, mev: 0.364, spacing_mm: 30.0, histories: 800_000 },
];

/// Dose in the voxels of each density, relative to the dose of all voxels.
struct Doses {
    name: String,
    of_density: [Estimate; 4],
}

fn measure(rig: &mut Rig) -> Result<Findings, DoseError> {
    let doses = CASES.map(|case| {
        let name = format!("{} MeV {}", case.mev, case.particle.name());
        Ok(Doses { name, of_density: dose_by_density(rig, &case)? })
    });
    Ok(compare(&doses.into_iter().collect::<Result<Vec<_>, DoseError>>()?))
}

/// Dose in the voxels of each of [`DENSITIES`], relative to the dose of all voxels.
///
/// # Errors
/// A failure of the device.
pub fn dose_by_density(rig: &mut Rig, case: &Case) -> Result<[Estimate; 4], DoseError> {
    let phantom = phantom(case);
    let tally = rig.transport(&phantom, case.histories)?;
    let binned = Binned::new(&tally, DENSITIES.len(), |voxel| Some(density_of_voxel(voxel)));
    let mut masses = [0.0; 4];
    (0..phantom.grid.voxels()).for_each(|voxel| masses[density_of_voxel(voxel)] += phantom.mass_g(voxel));
    let mass: f64 = masses.iter().sum();
    let relative =
        |density: usize| move |energy: &[f64]| energy[density] / masses[density] / (energy.iter().sum::<f64>() / mass);
    Ok([0, 1, 2, 3].map(|density| binned.of(relative(density))))
}

fn phantom(case: &Case) -> Phantom {
    let mut phantom = Phantom::uniform([EDGE; 3], [case.spacing_mm; 3], "water", 1.0, line(case.particle, case.mev));
    phantom.density_g_cm3 = (0..phantom.grid.voxels()).map(|voxel| DENSITIES[density_of_voxel(voxel)]).collect();
    phantom.decays = phantom.density_g_cm3.clone();
    phantom.boundary = Boundary::Periodic;
    // Each case has its own seed: with the same random numbers in the same map, the errors of the cases would be alike.
    phantom.seed ^= case.mev.to_bits();
    phantom
}

/// Index of the density of a voxel, from a hash of its number.
fn density_of_voxel(voxel: usize) -> usize {
    let mut word = u32::try_from(voxel).expect("a small grid").wrapping_add(1).wrapping_mul(0x9E37_79B9);
    word = (word ^ (word >> 16)).wrapping_mul(0x85EB_CA6B);
    let mut place = (word ^ (word >> 13)) % 64;
    SHARES
        .iter()
        .position(|&share| {
            let here = place < share;
            place = place.wrapping_sub(share);
            here
        })
        .expect("the shares add up to 64")
}

fn compare(doses: &[Doses]) -> Findings {
    let mut findings = Findings::default();
    let axes = [Axis::linear("density [g/cm³]"), Axis::linear("relative dose")];
    let mut figure = Figure::new("Dose by density, relative to the mean", axes);
    figure.bands.push(Band::Tolerance([1.0 - TOLERANCE, 1.0 + TOLERANCE]));
    for Doses { name, of_density } in doses {
        for (density, &dose) in DENSITIES.iter().zip(of_density) {
            findings.rows.push(Row::new(format!("{name}, dose at {density} g/cm³ over mean"), dose, 1.0, TOLERANCE));
        }
        let points = DENSITIES.iter().zip(of_density).map(|(&density, dose)| [density.into(), dose.mean, dose.sigma]);
        figure.series.push(Series::points(name, points));
    }
    for (density, &g_cm3) in DENSITIES.iter().enumerate() {
        let all: Vec<Estimate> = doses.iter().map(|doses| doses.of_density[density]).collect();
        findings.rows.push(Row::new(
            format!("all cases, dose at {g_cm3} g/cm³ over mean"),
            pooled(&all),
            1.0,
            TOLERANCE,
        ));
    }
    findings.figures.push(figure);
    findings
}

/// The mean of independent estimates, each weighted by its inverse variance.
fn pooled(estimates: &[Estimate]) -> Estimate {
    let weight = |estimate: &Estimate| estimate.sigma.powi(-2);
    let weights: f64 = estimates.iter().map(weight).sum();
    let sum: f64 = estimates.iter().map(|estimate| weight(estimate) * estimate.mean).sum();
    Estimate { mean: sum / weights, sigma: weights.powf(-0.5) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doses(values: [f64; 4]) -> Vec<Doses> {
        // The uncertainty that a run at standard effort has, or more.
        vec![Doses { name: "a case".into(), of_density: values.map(|mean| Estimate { mean, sigma: 0.001 }) }]
    }

    #[test]
    fn a_dose_off_by_one_percent_at_one_density_fails() {
        assert!(compare(&doses([1.0; 4])).passes());
        for wrong in 0..4 {
            for bias in [0.99, 1.01] {
                let mut values = [1.0; 4];
                values[wrong] = bias;
                assert!(!compare(&doses(values)).passes(), "{values:?}");
            }
        }
    }

    #[test]
    fn pooled_estimates_are_sharper() {
        let found = pooled(&[Estimate { mean: 1.0, sigma: 0.1 }, Estimate { mean: 1.3, sigma: 0.2 }]);
        assert!((found.mean - 1.06).abs() < 1e-12 && (found.sigma - 0.008f64.sqrt()).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn every_density_has_its_share_of_mass() {
        let phantom = phantom(&CASES[0]);
        let mut masses = [0.0; 4];
        (0..phantom.grid.voxels()).for_each(|voxel| masses[density_of_voxel(voxel)] += phantom.mass_g(voxel));
        let total: f64 = masses.iter().sum();
        assert!(masses.iter().all(|mass| mass / total > 0.15), "{masses:?}");
    }
}
