//! The photons' dose in a body that is not of water without end.
//!
//! The convolution gives the dose to water in water. It is multiplied by a factor for each voxel, from three things:
//!
//! * **First collisions**: the primary part of the kernel, times what arrives through the densities on the way
//!   (`rays`).
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
        let tissues = Tissues::of(medium, self.absorbed.len());
        let factors = self.factors(device, source, &|voxel| density_g_cm3_of[voxel], &tissues, control)?;
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
        density_of: &(dyn Fn(usize) -> f32 + Sync),
        tissues: &Tissues,
        control: &Control,
    ) -> Result<Vec<Vec<f32>>, DoseError> {
        let CoarsePlan { factor, grid, whole: plan, .. } = self.plan;
        let (plan, shape, medium_g_cm3) =
            (&plan.plan, source.grid().shape(), density_g_cm3(self.plan.whole.kernel.medium));
        let per_block = factor.iter().product::<usize>() as f64;
        let mean = |of: &(dyn Fn(f32) -> f64 + Sync)| {
            block_sums(|voxel| of(density_of(voxel)), shape, *factor, 1.0 / (per_block * medium_g_cm3))
        };
        let as_medium = mean(&|density| tissues.at(density).water * f64::from(density));
        let as_bone = mean(&|density| tissues.at(density).bone * f64::from(density));
        let all = mean(&|density| f64::from(density));
        let decays = block_sums(|voxel| f64::from(source.as_slice()[voxel]), shape, *factor, 1.0);
        let decays = Volume::from_vec(Arc::clone(grid), decays).expect("one value for each coarse voxel");
        let mut convolve =
            |kernel: &VoxelKernel, source: &Volume<f32>| convolve_checked(device, plan, kernel, source, control);
        let whole = convolve(&self.whole, &decays)?;
        let mut scattered = convolve(&self.scattered, &decays)?;
        let densities = [as_medium.as_slice(), as_bone.as_slice()];
        let scene = Scene { shape: grid.shape(), spacing_cm: grid.spacing_cm(), densities, medium_g_cm3 };
        let [in_medium, in_bone, to_photons] = scene.arriving(decays.as_slice(), &self.plan.groups);
        let weighted = scattered.as_mut_slice().iter_mut().zip(&all).zip(&to_photons);
        weighted.for_each(|((scattered, density), arriving)| *scattered = scattered.max(0.0) * density * arriving);
        let later = self.later_collisions(&scattered, densities, medium_g_cm3, control)?;
        let materials = self.absorbed.iter().zip([in_medium, in_bone]).zip(&later);
        materials
            .map(|((absorbed, arriving), later_factor)| {
                let primary = convolve(&absorbed.primary, &decays)?;
                let scatter = convolve(&absorbed.scatter, &scattered)?;
                let primary = primary.as_slice().iter().zip(&arriving).map(|(primary, arriving)| primary * arriving);
                let scatter = scatter.as_slice().iter().zip(later_factor).map(|(scatter, factor)| scatter * factor);
                let factor = |((primary, scatter), &whole): ((f32, f32), &f32)| {
                    if whole > 0.0 { ((primary + scatter) / whole).clamp(FACTORS[0], FACTORS[1]) } else { 1.0 }
                };
                Ok(primary.zip(scatter).zip(whole.as_slice()).map(factor).collect())
            })
            .collect()
    }

    /// For each coarse voxel: the dose to the medium and to bone that scattered photons leave in the body as it is,
    /// over that in the medium. They start in all directions and fly along the lines of [`Cones`], from collision to
    /// collision.
    ///
    /// * `densities` – of what attenuates as the medium and of what attenuates as bone, over that of the medium
    fn later_collisions(
        &self,
        scattered: &Volume<f32>,
        densities: [&[f32]; 2],
        medium_g_cm3: f64,
        control: &Control,
    ) -> Result<[Vec<f32>; 2], DoseError> {
        let (shape, spacing_cm) = (self.plan.grid.shape(), self.plan.grid.spacing_cm());
        let voxels = scattered.as_slice().len();
        let (mut own, mut uniform) = (scattered.as_slice().to_vec(), scattered.as_slice().to_vec());
        let mut doses = [[0; 2]; 2].map(|of| of.map(|_| vec![0.0f32; voxels]));
        for generation in &self.plan.generations {
            let cones = Cones::of_photons(spacing_cm, generation.attenuation[0] * medium_g_cm3, 1.0);
            let part = |coefficient: f64| {
                #[expect(clippy::cast_possible_truncation, reason = "the precision of the transport")]
                let part = (coefficient / generation.attenuation[0]) as f32;
                part
            };
            let (bone_attenuates, [to_electrons, to_electrons_in_bone]) =
                (part(generation.attenuation[1]), generation.transfer.map(part));
            let attenuating: Vec<f32> =
                densities[0].iter().zip(densities[1]).map(|(a, b)| (a + b * bone_attenuates).max(0.0)).collect();
            let collided = cones.absorbed(&own, shape, Some(&attenuating), control)?;
            for (voxel, (&collided, &attenuating)) in collided.iter().zip(&attenuating).enumerate() {
                let fluence = if attenuating > 0.0 { collided / attenuating } else { 0.0 };
                doses[0][0][voxel] += fluence * to_electrons;
                doses[0][1][voxel] += fluence * to_electrons_in_bone;
                let left = densities[0][voxel] * to_electrons + densities[1][voxel] * to_electrons_in_bone;
                own[voxel] = (collided - fluence * left).max(0.0);
            }
            let collided = cones.absorbed(&uniform, shape, None, control)?;
            for (voxel, collided) in collided.into_iter().enumerate() {
                doses[1][0][voxel] += collided * to_electrons;
                doses[1][1][voxel] += collided * to_electrons_in_bone;
                uniform[voxel] = collided * (1.0 - to_electrons);
            }
        }
        let [own, uniform] = doses;
        let ratio = |(own, uniform): (f32, f32)| {
            if uniform > 0.0 && own > 0.0 { (own / uniform).min(LATER) } else { 1.0 }
        };
        let mut pairs = own.into_iter().zip(uniform);
        Ok([(); 2].map(|()| {
            let (own, uniform) = pairs.next().expect("two materials");
            own.into_iter().zip(uniform).map(ratio).collect()
        }))
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
