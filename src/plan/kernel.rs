//! The convolutions of the kernel method.

use std::sync::Arc;

use super::convolution::ConvolutionPlan;
use crate::domain::{DensityCorrection, DoseError, KernelMedium, KernelOptions, Source, VoxelGrid};
use crate::math::watch::Watch;
use crate::physics::kernel::{
    KernelFault, KernelSpec, PhotonGroup, RadialKernel, ScatterGroup, radial_kernel_watched, radial_parts_watched,
};

/// Edge of the voxels in which the photons' correction is computed, where the grid has finer ones [cm].
const COARSE_CM: f64 = 1.0;
/// Fewest coarse voxels along an axis that is made coarser.
const FEWEST_COARSE: usize = 8;

/// Voxels that are wider are not put together [mm].
const WIDE_MM: f64 = 100.0;

/// What the kernel method does with one map.
#[derive(Clone, Debug, PartialEq)]
pub enum KernelWork {
    /// One kernel of all energy: the dose in the kernel's medium.
    Uniform(Convolution),
    /// Charged particles and photons apart, each corrected for the density.
    Split(Box<SplitWork>),
}

/// A kernel, and how its convolution is cut up.
#[derive(Clone, Debug, PartialEq)]
pub struct Convolution {
    /// The kernel to integrate.
    pub kernel: KernelSpec,
    /// How the convolution is cut up.
    pub plan: ConvolutionPlan,
}

/// Charged particles and photons apart.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitWork {
    /// What charged particles leave, but not what is absorbed where the decay is.
    pub charged: Convolution,
    /// The same kernel as far as the voxels that touch: what the share of each way out follows from.
    pub touching: KernelSpec,
    /// What is absorbed where the decay is [MeV per decay].
    pub local_mev: f64,
    /// What photons leave.
    pub photons: Convolution,
    /// Where and how the photons' correction is computed.
    pub coarse: CoarsePlan,
}

/// The correction of the photons' dose, in coarser voxels: it varies less from voxel to voxel than the dose.
#[derive(Clone, Debug, PartialEq)]
pub struct CoarsePlan {
    /// Voxels of the grid that one coarse voxel holds, by axis.
    pub factor: [usize; 3],
    /// The coarse voxels; the last of an axis may reach past the grid.
    pub grid: Arc<VoxelGrid>,
    /// What photons leave in the medium.
    pub whole: Convolution,
    /// Of that, what is absorbed where they collide for the first time.
    pub primary: Convolution,
    /// What they keep in their first collision.
    pub scattered: Convolution,
    /// The photons that start, by energy.
    pub groups: Vec<PhotonGroup>,
    /// What becomes of scattered photons.
    pub scatter: Vec<ScatterGroup>,
    /// `whole` and `primary` in bone; none where the library does not have it.
    pub in_bone: Option<[Convolution; 2]>,
}

impl KernelWork {
    /// # Errors
    /// [`DoseError::Invalid`] if the source emits particles of more energy than kernels have; [`DoseError::TooLarge`];
    /// [`DoseError::Cancelled`].
    pub fn new(
        grid: &VoxelGrid,
        source: &Source,
        options: &KernelOptions,
        workspace_bytes: u64,
        watch: &dyn Watch,
    ) -> Result<Self, DoseError> {
        let too_high = |fault| match fault {
            KernelFault::Energies(invalid) => DoseError::invalid("emissions", invalid.0),
            KernelFault::Interrupted(interrupted) => interrupted.into(),
        };
        let truncation_radius_cm = options.truncation_radius_mm.map(|mm| mm / 10.0);
        let maker = Maker { medium: options.medium, truncation_radius_cm, workspace_bytes };
        match options.density_correction {
            DensityCorrection::None => {
                let radial = radial_kernel_watched(source.emissions(), options.medium, watch).map_err(too_high)?;
                Ok(Self::Uniform(maker.convolution(grid, &radial, source.local_mev(), radial.end_cm())?))
            }
            DensityCorrection::DensityScaled => {
                let parts = radial_parts_watched(source.emissions(), options.medium, watch).map_err(too_high)?;
                let charged = maker.convolution(grid, &parts.charged, 0.0, parts.charged.end_cm())?;
                let touching = KernelSpec { half_width: [1; 3], ..charged.kernel.clone() };
                let (factor, coarse) = coarsened(grid);
                let bone_cm = parts.in_bone.as_ref().map_or(0.0, |in_bone| in_bone.end_cm());
                let all = [&parts.photons, &parts.primary, &parts.primary_in_bone, &parts.scattered];
                let end_cm = all.map(|radial| radial.end_cm()).into_iter().fold(bone_cm, f64::max);
                let of = |radial: &Arc<RadialKernel>| maker.convolution(&coarse, radial, 0.0, end_cm);
                let in_bone = match &parts.in_bone {
                    Some(in_bone) => Some([of(in_bone)?, of(&parts.primary_in_bone)?]),
                    None => None,
                };
                let coarse = CoarsePlan {
                    factor,
                    whole: of(&parts.photons)?,
                    primary: of(&parts.primary)?,
                    scattered: of(&parts.scattered)?,
                    groups: parts.groups.clone(),
                    scatter: parts.scatter.clone(),
                    in_bone,
                    grid: Arc::new(coarse),
                };
                let photons = maker.convolution(grid, &parts.photons, 0.0, parts.photons.end_cm())?;
                let local_mev = source.local_mev();
                Ok(Self::Split(Box::new(SplitWork { charged, touching, local_mev, photons, coarse })))
            }
        }
    }

    /// Host memory beside activity, density and dose at most [bytes].
    ///
    /// * `voxels` – of the grid
    pub fn host_bytes(&self, voxels: usize) -> u64 {
        match self {
            Self::Uniform(convolution) => convolution.plan.host_bytes(),
            Self::Split(split) => {
                /// Volumes held at once beside the result: energy by charged particles, four more of their correction.
                const VOLUMES: u64 = 5;
                let convolutions = split.charged.plan.host_bytes().max(split.photons.plan.host_bytes());
                convolutions + VOLUMES * size_of::<f32>() as u64 * voxels as u64 + split.coarse.host_bytes()
            }
        }
    }
}

impl CoarsePlan {
    /// Host memory that the correction takes at most [bytes].
    fn host_bytes(&self) -> u64 {
        /// Volumes beside those of each group of scattered photons: densities, decays, convolutions, doses, lines.
        const VOLUMES: u64 = 16;
        let volumes = 2 * self.scatter.len() as u64 + VOLUMES;
        self.whole.plan.host_bytes() + volumes * size_of::<f32>() as u64 * self.grid.voxels() as u64
    }
}

/// What all convolutions of a request have in common.
struct Maker {
    medium: KernelMedium,
    truncation_radius_cm: Option<f64>,
    workspace_bytes: u64,
}

impl Maker {
    /// The kernel that reaches from every voxel of a grid to every other, as far as it or the truncation goes.
    ///
    /// * `end_cm` – where the kernel ends, or another that it must be as wide as [cm]
    ///
    /// # Errors
    /// [`DoseError::TooLarge`].
    fn convolution(
        &self,
        grid: &VoxelGrid,
        radial: &Arc<RadialKernel>,
        local_mev: f64,
        end_cm: f64,
    ) -> Result<Convolution, DoseError> {
        let spacing_cm = grid.spacing_cm();
        let reach_cm = self.truncation_radius_cm.map_or(end_cm, |radius| radius.min(end_cm));
        let half_width = [0, 1, 2].map(|axis| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 8 m / 1 µm, above 0")]
            let reach = (reach_cm / spacing_cm[axis]).ceil() as usize;
            reach.min(grid.shape()[axis] - 1)
        });
        let kernel = KernelSpec {
            radial: Arc::clone(radial),
            local_mev,
            medium: self.medium,
            spacing_cm,
            half_width,
            truncation_radius_cm: self.truncation_radius_cm,
            per_scattered: false,
        };
        let plan = ConvolutionPlan::new(grid, &kernel, self.workspace_bytes)?;
        Ok(Convolution { kernel, plan })
    }
}

/// How many voxels a coarse one holds by axis, and the coarse grid.
fn coarsened(grid: &VoxelGrid) -> ([usize; 3], VoxelGrid) {
    let (shape, spacing_mm) = (grid.shape(), grid.spacing_mm());
    let factor = [0, 1, 2].map(|axis| {
        let most = (shape[axis] / FEWEST_COARSE).max(1);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "above 0; the cast saturates")]
        let wanted = (COARSE_CM * 10.0 / spacing_mm[axis]).round() as usize;
        if spacing_mm[axis] > WIDE_MM { 1 } else { wanted.max(2).min(most) }
    });
    let coarse_shape = [0, 1, 2].map(|axis| shape[axis].div_ceil(factor[axis]) as u64);
    let spacing_mm = [0, 1, 2].map(|axis| spacing_mm[axis] * factor[axis] as f64);
    (
        factor,
        VoxelGrid::new(coarse_shape, spacing_mm).expect("fewer voxels than a good grid has, no wider than its axes"),
    )
}
