//! Charged particles where the density changes.
//!
//! The convolution knows water only. What betas leave in lung beside a tumour, in bone or behind a thin rim follows
//! from a cheap transport in the true density, by what it changes: it is run twice, through the densities as they are
//! and through water. Where both agree, the convolution is kept.
//!
//! The transport is that of collapsed cones: from each voxel, energy goes out along the 26 straight lines through the
//! centres of its neighbours. Past a path t in units of λ, measured in mass per area, T(t) = 10 e⁻³ᵗ − 15 e⁻⁴ᵗ +
//! 6 e⁻⁵ᵗ of it is left: level at first and then steep, as betas are. λ and the share of each line are such that in
//! water the source voxel and the ratios of its neighbours are those of the voxel kernel. A voxel in between absorbs
//! what its own mass per area takes from the line, and no more: a uniform activity per mass gives a uniform dose
//! whatever the density, doses are reciprocal, and what is not absorbed leaves the grid.

mod crossings;
mod lines;
mod row;
mod sweep;

use rayon::prelude::*;

pub(super) use self::crossings::Crossings;
use self::lines::{Line, OF_CHARGED, OF_PHOTONS, Terms, left_and_caught, lines};
pub(super) use self::row::exponential;
use self::sweep::{LEAST_WORK, Plane, Sweep};
use crate::domain::passes::{BLOCK, largest};
use crate::domain::{Control, DoseError, Volume};
use crate::engine::cpu::with_vectors;
use crate::physics::kernel::VoxelKernel;

/// Part of the energy that may leave the source voxel before it is worth following.
const NEGLIGIBLE: f64 = 1e-4;
/// Part of the largest source below which a line carries nothing.
const FAINT: f32 = 1e-9;
/// λ is looked for within these multiples of the shortest edge.
const LAMBDA_RANGE: [f64; 2] = [0.01, 1000.0];
const BISECTIONS: u32 = 60;

/// Lines through voxels, and how energy falls off along them.
pub(super) struct Cones {
    lines: Vec<Line>,
    /// Energy that goes out [MeV per decay].
    energy_mev: f64,
    terms: Terms,
    /// Unit of mass per area [g/cm²].
    lambda: f64,
    medium_g_cm3: f64,
}

impl Cones {
    /// Lines along which photons that start evenly in all directions are attenuated.
    ///
    /// * `attenuation` – mass attenuation coefficient [cm²/g]
    pub(super) fn of_photons(spacing_cm: [f64; 3], attenuation: f64, medium_g_cm3: f64) -> Self {
        let mut lines = lines(spacing_cm);
        // The part of all directions to which each line is the nearest, in cubes: through a face, an edge, a corner.
        let shares = [0.045_8, 0.037_0, 0.035_2];
        for line in &mut lines {
            let axes = line.step.iter().filter(|&&n| n != 0).count();
            line.share = shares[axes - 1];
        }
        let sum: f32 = lines.iter().map(|line| line.share).sum();
        lines.iter_mut().for_each(|line| line.share /= sum);
        Self { lines, energy_mev: 1.0, terms: OF_PHOTONS, lambda: 1.0 / attenuation, medium_g_cm3 }
    }

    /// The lines that leave in a medium what a voxel kernel does next to the source. None if nothing goes out.
    ///
    /// * `touching` – kernel of charged particles, without what is absorbed where the decay is, to one voxel on each
    ///   side
    pub(super) fn new(touching: &VoxelKernel, medium_g_cm3: f64) -> Option<Self> {
        let energy_mev = touching.captured_mev;
        let own = touching.octant[[0; 3]] / energy_mev;
        // Also if there is no energy at all.
        if own.is_nan() || own > 1.0 - NEGLIGIBLE {
            return None;
        }
        let spacing_cm = touching.spec.spacing_cm;
        let mut lines = lines(spacing_cm);
        let next: Vec<f64> =
            lines.iter().map(|line| touching.octant[line.step.map(|n| usize::from(n.unsigned_abs()))]).collect();
        let shares = |lambda_cm: f64| -> (Vec<f64>, f64) {
            let of = |(line, next): (&Line, &f64)| next / left_and_caught(line.length_cm / lambda_cm)[1];
            let shares: Vec<f64> = lines.iter().zip(&next).map(of).collect();
            let sum: f64 = shares.iter().sum();
            let kept =
                |(line, share): (&Line, &f64)| share / sum * (1.0 - left_and_caught(line.length_cm / lambda_cm)[0]);
            let own: f64 = lines.iter().zip(&shares).map(kept).sum();
            (shares.into_iter().map(|share| share / sum).collect(), own)
        };
        let shortest_cm = spacing_cm.into_iter().fold(f64::INFINITY, f64::min);
        let [mut low, mut high] = LAMBDA_RANGE.map(|multiple| (multiple * shortest_cm).ln());
        for _ in 0..BISECTIONS {
            let middle = f64::midpoint(low, high);
            if shares(middle.exp()).1 > own { low = middle } else { high = middle }
        }
        let lambda_cm = f64::midpoint(low, high).exp();
        #[expect(clippy::cast_possible_truncation, reason = "a part")]
        let of_line: Vec<f32> = shares(lambda_cm).0.into_iter().map(|share| share as f32).collect();
        lines.iter_mut().zip(of_line).for_each(|(line, share)| line.share = share);
        Some(Self { lines, energy_mev, terms: OF_CHARGED, lambda: lambda_cm * medium_g_cm3, medium_g_cm3 })
    }

    /// Corrects the energy of charged particles for the density along their way.
    ///
    /// * `energy` – by convolution, in voxels of the medium [MeV]
    /// * `source` – decays
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub(super) fn correct(
        &self,
        energy: &mut Volume<f32>,
        source: &Volume<f32>,
        density_g_cm3: &[f32],
        control: &Control,
    ) -> Result<(), DoseError> {
        let shape = source.grid().shape();
        #[expect(clippy::cast_possible_truncation, reason = "decays are bounded")]
        let energies: Vec<f32> =
            source.as_slice().par_iter().map(|&decays| (f64::from(decays) * self.energy_mev) as f32).collect();
        let own = self.absorbed(&energies, shape, &Crossings::Open(density_g_cm3), control)?;
        let uniform = self.absorbed(&energies, shape, &self.in_medium(shape), control)?;
        #[expect(clippy::cast_possible_truncation, reason = "the stored precision")]
        let medium_g_cm3 = self.medium_g_cm3 as f32;
        let voxels = energy.as_mut_slice().par_iter_mut().zip(&own).zip(&uniform).zip(density_g_cm3);
        voxels.for_each(|(((energy, &own), &uniform), density)| {
            // In a voxel that gets less dose than in the medium, the convolution's is scaled down; to one that gets
            // more, the difference is added.
            let mass = density / medium_g_cm3;
            let ratio = if uniform > 0.0 { (own / uniform).min(mass) } else { mass };
            *energy = (own + (*energy - uniform) * ratio).max(0.0);
        });
        Ok(())
    }

    /// Energy that each voxel absorbs.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub(super) fn absorbed(
        &self,
        source: &[f32],
        shape: [usize; 3],
        crossings: &Crossings,
        control: &Control,
    ) -> Result<Vec<f32>, DoseError> {
        let plane = shape[0] * shape[1];
        let sweep = Sweep {
            cones: self,
            shape,
            source,
            has_source: source.par_chunks_exact(shape[0]).map(|row| row.iter().any(|&energy| energy > 0.0)).collect(),
            crossings,
            faint: FAINT * largest(source).unwrap_or_else(|| source.iter().copied().fold(0.0, f32::max)),
        };
        let directions = rayon::join(|| self.one_way(&sweep, true, control), || self.one_way(&sweep, false, control));
        let (mut absorbed, downwards) = (directions.0?, directions.1?);
        let pairs = absorbed.par_chunks_mut(BLOCK).zip(downwards.par_chunks(BLOCK));
        pairs.for_each(|(absorbed, others)| absorbed.iter_mut().zip(others).for_each(|(sum, other)| *sum += other));
        let planes = absorbed.par_chunks_exact_mut(plane).enumerate().with_min_len(LEAST_WORK.div_ceil(plane));
        planes.for_each_init(
            || sweep.room_within_plane(),
            |computed, (z, absorbed)| with_vectors!(_simd => sweep.within_plane(z, computed, absorbed)),
        );
        Ok(absorbed)
    }

    /// What voxels absorb from the lines that go up, or from those that go down.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    fn one_way(&self, sweep: &Sweep, upwards: bool, control: &Control) -> Result<Vec<f32>, DoseError> {
        let [nx, ny, nz] = sweep.shape;
        let mut absorbed = vec![0.0; sweep.source.len()];
        let step = if upwards { 1 } else { -1 };
        let lines: Vec<Line> = self.lines.iter().filter(|line| line.step[2] == step).copied().collect();
        let [mut before, mut after] = [0; 2].map(|_| Plane::new(sweep.shape, lines.len(), self.terms.len()));
        for n in 0..nz {
            if control.is_cancelled() {
                return Err(DoseError::Cancelled);
            }
            let z = if upwards { n } else { nz - 1 - n };
            sweep.plane(&lines, z, &before, &mut after, &mut absorbed[z * nx * ny..(z + 1) * nx * ny]);
            std::mem::swap(&mut before, &mut after);
        }
        Ok(absorbed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{KernelMedium, VoxelGrid};
    use crate::math::watch::Unwatched;
    use crate::physics::kernel::{KernelSpec, integrate, radial_parts};
    use crate::physics::nuclide;

    fn cones(name: &str, spacing_cm: [f64; 3]) -> Cones {
        let emissions = nuclide::emissions(nuclide::find(name).expect("a known nuclide"));
        let parts = radial_parts(emissions, KernelMedium::Water).expect("energies that kernels have");
        let spec = KernelSpec {
            radial: Arc::clone(&parts.charged),
            local_mev: 0.0,
            medium: KernelMedium::Water,
            spacing_cm,
            half_width: [1; 3],
            truncation_radius_cm: None,
            per_scattered: false,
        };
        Cones::new(&integrate(&spec, &Unwatched).expect("nobody cancels"), 1.0).expect("betas go out")
    }

    fn absorbed(cones: &Cones, source: &[f32], shape: [usize; 3], density: Option<&[f32]>) -> Vec<f32> {
        let crossings = density.map_or_else(|| cones.in_medium(shape), Crossings::Open);
        cones.absorbed(source, shape, &crossings, &Control::detached()).expect("nobody cancels")
    }

    /// Densities from 0.05 to 2, in no order.
    fn densities(voxels: usize) -> Vec<f32> {
        (0..voxels).map(|n| 0.05 + 1.95 * ((n * 7919 % 101) as f32 / 100.0)).collect()
    }

    #[test]
    fn activity_in_proportion_to_the_mass_gives_one_dose() {
        let shape = [41, 41, 41];
        let cones = cones("Y-90", [0.4; 3]);
        let density = densities(shape.iter().product());
        let absorbed = absorbed(&cones, &density, shape, Some(&density));
        let middle = 20 + 41 * (20 + 41 * 20);
        for voxel in [middle, middle + 1, middle + 41, middle - 41 * 41] {
            let dose = absorbed[voxel] / density[voxel];
            assert!((dose - 1.0).abs() < 2e-3, "{voxel}: {dose}");
        }
    }

    #[test]
    fn dose_from_one_voxel_to_another_is_that_from_the_other_to_the_one() {
        let shape = [12, 11, 10];
        let cones = cones("Y-90", [0.3, 0.4, 0.5]);
        let voxels: usize = shape.iter().product();
        let density = densities(voxels);
        let at = |[x, y, z]: [usize; 3]| x + 12 * (y + 11 * z);
        for (a, b) in [([5, 5, 5], [6, 5, 5]), ([5, 5, 5], [6, 6, 6]), ([4, 4, 4], [4, 6, 4]), ([3, 6, 3], [5, 4, 3])] {
            let [from_a, from_b] = [a, b].map(|place| {
                let mut source = vec![0.0; voxels];
                source[at(place)] = 1.0;
                absorbed(&cones, &source, shape, Some(&density))
            });
            let [there, back] = [from_a[at(b)] / density[at(b)], from_b[at(a)] / density[at(a)]];
            assert!((there / back - 1.0).abs() < 1e-4, "{a:?} {b:?}: {there} {back}");
        }
    }

    #[test]
    fn next_to_the_source_water_is_as_in_the_kernel() {
        let shape = [15, 15, 15];
        let (cones, voxels) = (cones("Y-90", [0.4; 3]), 15 * 15 * 15);
        let mut source = vec![0.0; voxels];
        source[7 + 15 * (7 + 15 * 7)] = 1.0;
        let uniform = absorbed(&cones, &source, shape, None);
        let whole: f32 = uniform.iter().sum();
        assert!((whole - 1.0).abs() < 2e-3, "{whole}");
        // The share of the source voxel of Y-90 in 4 mm is 0.372.
        let own = uniform[7 + 15 * (7 + 15 * 7)];
        assert!((own - 0.3723).abs() < 2e-3, "{own}");
    }

    #[test]
    fn in_water_the_convolution_is_kept() {
        let grid = Arc::new(VoxelGrid::new([20, 17, 13], [4.0; 3]).expect("a good grid"));
        let source = Volume::from_vec(grid.clone(), densities(grid.voxels())).expect("one value a voxel");
        let before = Volume::from_vec(grid.clone(), densities(grid.voxels())).expect("one value a voxel");
        let mut energy = before.clone();
        let water = vec![1.0; grid.voxels()];
        cones("I-131", [0.4; 3]).correct(&mut energy, &source, &water, &Control::detached()).expect("nobody cancels");
        for (after, before) in energy.as_slice().iter().zip(before.as_slice()) {
            assert!((after / before - 1.0).abs() < 1e-4, "{after} {before}");
        }
    }
}
