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

use super::convolve_checked;
use super::interpolate::{block_sums, interpolation, line};
use super::rays::{Arriving, Scene};
use super::scatter::Scatterers;
use super::within::energy_within_grid;
use crate::domain::{Control, DoseError, KernelMedium, Stage, Volume};
use crate::engine::Device;
use crate::physics::kernel::{AbsorbsAs, VoxelKernel, absorbs_as, density_g_cm3, voxel_kernel};
use crate::physics::material;
use crate::plan::{CoarsePlan, Convolution, ConvolutionPlan};
use crate::prepare::kernel_scatter::scatter_kernel;

/// Factors outside this range are taken for rounding, where next to nothing arrives.
const FACTORS: [f32; 2] = [0.0, 50.0];

/// Part of the primary energy to which the whole and the primary part of a kernel agree: one is by transport, the other
/// from coefficients. Less scatter than this is taken for none.
const LEAST_SCATTER: f64 = 0.01;

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
        let body = Body::new(self.plan, source, density_g_cm3_of, &tissues);
        let factors = self.factors(device, &body, control)?;
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
    fn factors(&self, device: &mut Device, body: &Body, control: &Control) -> Result<Vec<Vec<f32>>, DoseError> {
        let CoarsePlan { grid, whole: Convolution { kernel, plan }, .. } = self.plan;
        let (shape, spacing_cm, medium_g_cm3) = (grid.shape(), grid.spacing_cm(), density_g_cm3(kernel.medium));
        let densities = [body.as_medium.as_slice(), body.as_bone.as_slice()];
        let whole = convolve_checked(device, plan, &self.whole, &body.decays, control)?;
        let mut scattered = convolve_checked(device, plan, &self.scattered, &body.decays, control)?;
        let scene = Scene { shape, spacing_cm, densities, medium_g_cm3 };
        let Arriving { absorbed, scattered: by_group } = scene.arriving(body.decays.as_slice(), &self.plan.groups);
        let starting = starting(&mut scattered, &body.all, by_group);
        let scatterers = Scatterers { groups: &self.plan.scatter, shape, spacing_cm, densities, medium_g_cm3 };
        let later = scatterers.ratios(starting, control)?;
        let materials = self.absorbed.iter().zip(absorbed).zip(&later);
        materials
            .map(|((absorbed, arriving), later_factor)| {
                let primary = convolve_checked(device, plan, &absorbed.primary, &body.decays, control)?;
                let least_mev = LEAST_SCATTER * primary.as_slice().iter().map(|&mev| f64::from(mev)).sum::<f64>();
                let scatter = convolve_scatter(device, plan, &absorbed.scatter, &scattered, least_mev, control)?;
                let primary = primary.as_slice().iter().zip(&arriving).map(|(primary, arriving)| primary * arriving);
                let scatter = scatter.as_slice().iter().zip(later_factor).map(|(scatter, factor)| scatter * factor);
                let factor = |((primary, scatter), &whole): ((f32, f32), &f32)| {
                    if whole > 0.0 { ((primary + scatter) / whole).clamp(FACTORS[0], FACTORS[1]) } else { 1.0 }
                };
                Ok(primary.zip(scatter).zip(whole.as_slice()).map(factor).collect())
            })
            .collect()
    }
}

/// The body and its activity in coarse voxels. Densities are over that of the medium.
struct Body {
    decays: Volume<f32>,
    all: Vec<f32>,
    /// Of what attenuates and absorbs as the medium, and as bone.
    as_medium: Vec<f32>,
    as_bone: Vec<f32>,
}

impl Body {
    fn new(plan: &CoarsePlan, source: &Volume<f32>, density_g_cm3_of: &[f32], tissues: &Tissues) -> Self {
        let shape = source.grid().shape();
        let per_block = plan.factor.iter().product::<usize>() as f64 * density_g_cm3(plan.whole.kernel.medium);
        let mean = |voxel: usize| {
            let density = density_g_cm3_of[voxel];
            let AbsorbsAs { water, bone } = tissues.at(density);
            let density = f64::from(density);
            [density, water * density, bone * density]
        };
        let [all, as_medium, as_bone] = block_sums(mean, shape, plan.factor, 1.0 / per_block);
        let fine = source.as_slice();
        let [decays] = block_sums(|voxel| [f64::from(fine[voxel])], shape, plan.factor, 1.0);
        let decays = Volume::from_vec(Arc::clone(&plan.grid), decays).expect("one value for each coarse voxel");
        Self { decays, all, as_medium, as_bone }
    }
}

/// What scattered photons leave: nothing in a grid so small that it is lost in the difference of the whole and the
/// primary part of a kernel.
///
/// * `least_mev` – energy below which it is taken for lost
///
/// # Errors
/// As [`convolve_checked`].
fn convolve_scatter(
    device: &mut Device,
    plan: &ConvolutionPlan,
    kernel: &VoxelKernel,
    scattered: &Volume<f32>,
    least_mev: f64,
    control: &Control,
) -> Result<Volume<f32>, DoseError> {
    if energy_within_grid(kernel, scattered, control)? > least_mev {
        return convolve_checked(device, plan, kernel, scattered, control);
    }
    let mut nothing = scattered.clone();
    nothing.as_mut_slice().fill(0.0);
    Ok(nothing)
}

/// The energy of scattered photons that starts in each voxel, by group. Their sum takes the place of what starts in
/// the medium.
///
/// * `by_group` – what arrives, over what would in the medium
fn starting(in_medium: &mut Volume<f32>, density: &[f32], mut by_group: Vec<Vec<f32>>) -> Vec<Vec<f32>> {
    let energy = in_medium.as_mut_slice();
    energy.iter_mut().zip(density).for_each(|(energy, density)| *energy = energy.max(0.0) * density);
    for part in &mut by_group {
        part.iter_mut().zip(energy.iter()).for_each(|(part, energy)| *part *= energy);
    }
    energy.fill(0.0);
    for part in &by_group {
        energy.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    by_group
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
