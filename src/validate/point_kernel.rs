//! Energy around a point source in water, compared with EGSnrc on voxels. The source fills one voxel, and the reference
//! is integrated over the same voxels.

use super::golden::PointKernelTable;
use super::phantom::{Phantom, line};
use super::rig::Rig;
use super::statistics::Binned;
use crate::domain::{DoseError, Particle, Stage, VoxelGrid};
use crate::physics::kernel::{read_point_kernel, voxel_energies};
use crate::plan::{ChosenCuts, HistoryCuts};

/// A point kernel to compare.
pub(super) struct PointKernel {
    pub(super) particle: Particle,
    pub(super) mev: f64,
    pub(super) table: PointKernelTable,
    /// Edge of the voxels, in water of 1 g/cm³ [cm].
    pub(super) spacing_cm: f64,
    /// Voxels on each side of the source.
    pub(super) half_width: usize,
    /// Density of the water [g/cm³]: a low one stretches the voxels to sizes that a grid may have.
    pub(super) density_g_cm3: f32,
    /// Voxels whose centres lie farther from the source [cm] are empty.
    pub(super) radius_cm: f64,
    /// Edge of the voxels whose cuts are used [mm]; none for those of the phantom itself.
    pub(super) cuts_of_mm: Option<f64>,
    pub(super) histories: u64,
}

/// Energy in shells of voxels: shell `n` holds the voxels whose centres are nearest to `n` edges from the source.
pub(super) struct Shells {
    pub(super) name: String,
    /// Edge of the voxels [cm].
    pub(super) spacing_cm: f64,
    /// Energy per history [MeV], by group.
    pub(super) found: Binned,
    /// The same of the reference [MeV].
    pub(super) reference_mev: Vec<f64>,
    /// 1σ of the reference [MeV].
    pub(super) reference_sigma_mev: Vec<f64>,
}

impl PointKernel {
    fn name(&self) -> String {
        format!("{} MeV {}", self.mev, self.particle.name())
    }

    fn shells(&self) -> usize {
        self.half_width + 1
    }

    pub(super) fn measure(&self, rig: &mut Rig) -> Result<Shells, DoseError> {
        let phantom = self.phantom();
        let tally = rig.transport(&phantom, self.histories)?;
        let centre = self.half_width;
        let shell = |voxel: usize| self.shell(phantom.index(voxel).map(|index| index.abs_diff(centre)));
        let spacing_cm = self.spacing_cm;
        let edges = |n: usize| ((n as f64 - 0.5).max(0.0) * spacing_cm, (n as f64 + 0.5) * spacing_cm);
        Ok(Shells {
            name: self.name(),
            spacing_cm,
            found: Binned::new(&tally, self.shells(), shell),
            reference_mev: self.reference_mev(rig)?,
            reference_sigma_mev: (0..self.shells()).map(edges).map(|(a, b)| self.table.sigma_mev(a, b)).collect(),
        })
    }

    fn phantom(&self) -> Phantom {
        let edge_mm = 10.0 * self.spacing_cm / f64::from(self.density_g_cm3);
        let voxels = 2 * self.half_width as u64 + 1;
        let spectrum = line(self.particle, self.mev);
        let mut phantom = Phantom::uniform([voxels; 3], [edge_mm; 3], "water", self.density_g_cm3, spectrum);
        // Fewer groups take less memory, and for sums over shells they are enough.
        phantom.groups = 16;
        if let Some(edge_mm) = self.cuts_of_mm {
            let grid = VoxelGrid::new([1; 3], [edge_mm; 3]).expect("an edge that a check chose");
            phantom.cuts = HistoryCuts::new(&grid, &ChosenCuts::default());
        }
        for voxel in 0..phantom.grid.voxels() {
            let offset = phantom.index(voxel).map(|index| index.abs_diff(self.half_width));
            if distance(offset) * self.spacing_cm > self.radius_cm {
                phantom.density_g_cm3[voxel] = 0.0;
            }
        }
        phantom.with_source_at([self.half_width; 3])
    }

    /// Number of the shell of an offset.
    fn shell(&self, offset: [usize; 3]) -> Option<usize> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few voxels")]
        let shell = distance(offset).round() as usize;
        (shell < self.shells()).then_some(shell)
    }

    /// Energy in each shell by the table, integrated over pairs of voxels [MeV].
    fn reference_mev(&self, rig: &Rig) -> Result<Vec<f64>, DoseError> {
        let radial = read_point_kernel(self.table.0).expect("embedded tables are read by a test");
        let octant =
            voxel_energies(&radial, [self.spacing_cm; 3], [self.half_width; 3], &rig.control.at_stage(Stage::Kernel))?;
        let mut shells = vec![0.0; self.shells()];
        for ((i, j, k), energy) in octant.indexed_iter() {
            if let Some(shell) = self.shell([i, j, k]) {
                let mirrored: f64 = [i, j, k].map(|n| if n > 0 { 2.0 } else { 1.0 }).iter().product();
                shells[shell] += mirrored * energy;
            }
        }
        Ok(shells)
    }
}

/// Distance of an offset in voxels.
fn distance(offset: [usize; 3]) -> f64 {
    offset.iter().map(|&n| (n * n) as f64).sum::<f64>().sqrt()
}

/// Radius that holds a fraction of the energy of all shells, in shells. Within a shell the energy is taken as uniform.
pub(super) fn radius_of_part(energy: &[f64], part: f64) -> f64 {
    let mut left = part * energy.iter().sum::<f64>();
    for (shell, energy) in energy.iter().enumerate() {
        if left <= *energy {
            return (shell as f64 - 0.5 + left / energy).max(0.0);
        }
        left -= energy;
    }
    f64::NAN
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::{EnergySums, GroupTally, Tally, UNITS_PER_MEV};

    /// Shells of a run that finds the reference times `factor(shell)`, with almost no statistical uncertainty.
    pub(in crate::validate) fn shells(reference_mev: &[f64], factor: impl Fn(usize) -> f64) -> Shells {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and above 0")]
        let energy = |(shell, mev): (usize, &f64)| (1e6 * mev * factor(shell) * UNITS_PER_MEV) as u64;
        let energy: EnergySums = reference_mev.iter().enumerate().map(energy).collect();
        let group = GroupTally { histories: 1_000_000, energy, ..GroupTally::default() };
        let tally = Tally::of(vec![group; 4]);
        Shells {
            name: "a case".into(),
            spacing_cm: 0.1,
            found: Binned::by_voxel(&tally),
            reference_mev: reference_mev.to_vec(),
            reference_sigma_mev: vec![0.0; reference_mev.len()],
        }
    }

    #[test]
    fn the_radius_that_holds_a_part_is_found() {
        let energy = [1.0, 2.0, 1.0];
        assert!((radius_of_part(&energy, 0.5) - 1.0).abs() < 1e-12);
        assert!((radius_of_part(&energy, 0.75) - 1.5).abs() < 1e-12);
        assert!((radius_of_part(&energy, 1.0) - 2.5).abs() < 1e-12);
    }

    #[test]
    fn shells_are_numbered_by_their_distance() {
        assert_eq!(
            [[0, 0, 0], [1, 0, 0], [1, 1, 1], [3, 4, 0]].map(|offset| distance(offset).round()),
            [0.0, 1.0, 2.0, 5.0]
        );
    }
}
