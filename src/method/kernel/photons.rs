//! The photons' dose in a body that is not of water without end.
//!
//! The convolution gives the dose to water in water. It is multiplied by a factor for each voxel, from three things:
//!
//! * **First collisions**: the primary part of the kernel, times what arrives through the densities on the way (`rays`).
//! * **Scatter** starts where matter is: what photons keep in their first collision, in water, is weighted with the
//!   density of where they collide, and what it leaves follows by a kernel of its own. Outside the grid is nothing.
//! * **The tissue** of the voxel absorbs what arrives there as so much water and so much bone, for which there are
//!   kernels each: their ratio belongs to the spectrum that arrives, not to that which is emitted.
//!
//! The factor varies slowly and is computed in coarse voxels.

use std::sync::Arc;

use rayon::prelude::*;

use super::cones::Cones;
use super::convolve_checked;
use super::interpolate::{block_sums, interpolation, line};
use super::rays::Scene;
use crate::domain::{Control, DoseError, KernelMedium, Stage, Volume};
use crate::engine::Device;
use crate::physics::kernel::{AbsorbsAs, VoxelKernel, absorbs_as, density_g_cm3, voxel_kernel};
use crate::physics::material;
use crate::plan::{CoarsePlan, Convolution};
use crate::prepare::kernel_scatter::scatter_kernel;

/// Factors outside this range are taken for rounding, where next to nothing arrives.
const FACTORS: [f32; 2] = [0.0, 50.0];

/// Most by which scatter can be more than in the medium.
const LATER: f32 = 10.0;

/// Kernels of the correction, in coarse voxels.
pub(super) struct PhotonCorrection<'a> {
    plan: &'a CoarsePlan,
    whole: Arc<VoxelKernel>,
    scattered: Arc<VoxelKernel>,
    /// What the medium and, where there are kernels for it, bone absorb.
    absorbed: Vec<Absorbed>,
}

/// What a material absorbs.
struct Absorbed {
    primary: Arc<VoxelKernel>,
    scatter: Arc<VoxelKernel>,
}

impl<'a> PhotonCorrection<'a> {
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub(super) fn new(plan: &'a CoarsePlan, control: &Control) -> Result<Self, DoseError> {
        let watch = control.at_stage(Stage::Kernel);
        let kernel = |convolution: &Convolution| voxel_kernel(&convolution.kernel, &watch);
        let (whole, scattered) = (kernel(&plan.whole)?, kernel(&plan.scattered)?);
        let absorbed = |whole: &VoxelKernel, primary: &Convolution| -> Result<Absorbed, DoseError> {
            let primary = kernel(primary)?;
            let scatter = scatter_kernel(whole, &primary, &scattered, control)?;
            Ok(Absorbed { primary, scatter })
        };
        let mut all = vec![absorbed(&whole, &plan.primary)?];
        if let Some([in_bone, primary]) = &plan.in_bone {
            all.push(absorbed(&*kernel(in_bone)?, primary)?);
        }
        Ok(Self { plan, whole, scattered, absorbed: all })
    }

    /// Turns what voxels of the medium would absorb into what the voxels absorb as they are.
    ///
    /// * `energy` – by convolution with the kernel of all that photons leave [MeV]
    ///
    /// # Errors
    /// As [`Device::convolve`]; [`DoseError::EnergyBalance`].
    pub(super) fn apply(
        &self,
        device: &mut Device,
        energy: &mut Volume<f32>,
        source: &Volume<f32>,
        density_g_cm3_of: &[f32],
        control: &Control,
    ) -> Result<(), DoseError> {
        let medium = self.plan.whole.kernel.medium;
        let medium_g_cm3 = density_g_cm3(medium);
        let factors = self.factors(device, source, density_g_cm3_of, medium_g_cm3, control)?;
        let tissues = Tissues::of(medium, factors.len());
        let shape = source.grid().shape();
        let axes = [0, 1, 2].map(|axis| interpolation(shape[axis], self.plan.factor[axis]));
        let coarse_shape = self.plan.grid.shape();
        let rows =
            energy.as_mut_slice().par_chunks_exact_mut(shape[0]).zip(density_g_cm3_of.par_chunks_exact(shape[0]));
        rows.enumerate().for_each(|(row, (energy, density))| {
            let (y, z) = (axes[1][row % shape[1]], axes[2][row / shape[1]]);
            let lines: Vec<Vec<f32>> = factors.iter().map(|factor| line(factor, coarse_shape, y, z)).collect();
            for ((energy, &density), x) in energy.iter_mut().zip(density).zip(&axes[0]) {
                let AbsorbsAs { water, bone } = tissues.at(density);
                let in_water = f64::from(x.of(&lines[0]));
                let in_bone = lines.get(1).map_or(0.0, |line| f64::from(x.of(line)));
                let ratio = f64::from(density) / medium_g_cm3;
                #[expect(clippy::cast_possible_truncation, reason = "the stored precision")]
                {
                    *energy = (f64::from(*energy) * ratio * (water * in_water + bone * in_bone).max(0.0)) as f32;
                }
            }
        });
        Ok(())
    }

    /// For each coarse voxel and absorbing material: what a little of it absorbs, over what the medium would in a
    /// medium without end.
    fn factors(
        &self,
        device: &mut Device,
        source: &Volume<f32>,
        density_g_cm3: &[f32],
        medium_g_cm3: f64,
        control: &Control,
    ) -> Result<Vec<Vec<f32>>, DoseError> {
        let CoarsePlan { factor, grid, whole: plan, .. } = self.plan;
        let (plan, shape) = (&plan.plan, source.grid().shape());
        let coarse = |values: &[f32], scale: f64| {
            let sums = block_sums(values, shape, *factor, scale);
            Volume::from_vec(Arc::clone(grid), sums).expect("one value for each coarse voxel")
        };
        let per_block = factor.iter().product::<usize>() as f64;
        let decays = coarse(source.as_slice(), 1.0);
        let relative_density = coarse(density_g_cm3, 1.0 / (per_block * medium_g_cm3));
        let mut convolve =
            |kernel: &VoxelKernel, source: &Volume<f32>| convolve_checked(device, plan, kernel, source, control);
        let whole = convolve(&self.whole, &decays)?;
        let mut scattered = convolve(&self.scattered, &decays)?;
        let scene = Scene {
            shape: grid.shape(),
            spacing_cm: grid.spacing_cm(),
            relative_density: relative_density.as_slice(),
            medium_g_cm3,
        };
        let [to_electrons, to_photons] = scene.arriving(decays.as_slice(), &self.plan.groups);
        let weighted = scattered.as_mut_slice().iter_mut().zip(relative_density.as_slice()).zip(&to_photons);
        weighted.for_each(|((scattered, density), arriving)| *scattered = scattered.max(0.0) * density * arriving);
        let later_factor = self.later_collisions(&scattered, relative_density.as_slice(), medium_g_cm3, control)?;
        let mut factor_of = |absorbed: &Absorbed| -> Result<Vec<f32>, DoseError> {
            let primary = convolve(&absorbed.primary, &decays)?;
            let later = convolve(&absorbed.scatter, &scattered)?;
            let later = later.as_slice().iter().zip(&later_factor).map(|(later, factor)| later * factor);
            let primary = primary.as_slice().iter().zip(&to_electrons).map(|(primary, arriving)| primary * arriving);
            let voxels = primary.zip(later).zip(whole.as_slice());
            Ok(voxels
                .map(
                    |((primary, later), &whole)| {
                        if whole > 0.0 { ((primary + later) / whole).clamp(FACTORS[0], FACTORS[1]) } else { 1.0 }
                    },
                )
                .collect())
        };
        self.absorbed.iter().map(&mut factor_of).collect()
    }
}

impl PhotonCorrection<'_> {
    /// For each coarse voxel: the dose that scattered photons leave in the densities as they are, over that in the medium.
    /// Scattered photons start in all directions and fly along the lines of [`Cones`], from collision to collision.
    fn later_collisions(
        &self,
        scattered: &Volume<f32>,
        relative_density: &[f32],
        medium_g_cm3: f64,
        control: &Control,
    ) -> Result<Vec<f32>, DoseError> {
        let (shape, spacing_cm) = (self.plan.grid.shape(), self.plan.grid.spacing_cm());
        let mut starting = [scattered.as_slice().to_vec(), scattered.as_slice().to_vec()];
        let mut absorbed = [vec![0.0f32; relative_density.len()], vec![0.0; relative_density.len()]];
        for generation in &self.plan.generations {
            let cones = Cones::of_photons(spacing_cm, generation.attenuation * medium_g_cm3, 1.0);
            #[expect(clippy::cast_possible_truncation, reason = "parts")]
            let [to_electrons, on] = [generation.absorbed as f32, generation.scattered as f32];
            for (own, (starting, absorbed)) in starting.iter_mut().zip(&mut absorbed).enumerate() {
                let density = (own == 0).then_some(relative_density);
                let collided = cones.absorbed(starting, shape, density, control)?;
                absorbed.iter_mut().zip(&collided).for_each(|(sum, collided)| *sum += to_electrons * collided);
                starting.iter_mut().zip(&collided).for_each(|(starting, collided)| *starting = on * collided);
            }
        }
        let [own, uniform] = absorbed;
        let voxels = own.iter().zip(&uniform).zip(relative_density);
        let factor = |((&own, &uniform), &density): ((&f32, &f32), &f32)| {
            if uniform > 0.0 && density > 0.0 { (own / density / uniform).clamp(0.0, LATER) } else { 1.0 }
        };
        Ok(voxels.map(factor).collect())
    }
}

/// How tissues absorb photons, by density.
struct Tissues(Vec<([f64; 2], AbsorbsAs)>);

impl Tissues {
    /// * `materials` – for which there are kernels: with one alone, all tissues absorb as the medium does
    fn of(medium: KernelMedium, materials: usize) -> Self {
        if medium != KernelMedium::Water || materials < 2 {
            return Self(Vec::new());
        }
        let tissues = material::all().iter().zip(absorbs_as());
        Self(tissues.filter_map(|(tissue, &parts)| Some((tissue.density_range_g_cm3()?, parts))).collect())
    }

    fn at(&self, density_g_cm3: f32) -> AbsorbsAs {
        let density = f64::from(density_g_cm3);
        let found = self.0.iter().find(|([low, high], _)| (*low..*high).contains(&density));
        found.map_or(AbsorbsAs { water: 1.0, bone: 0.0 }, |(_, parts)| *parts)
    }
}
