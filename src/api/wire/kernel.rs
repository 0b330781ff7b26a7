//! Requests for a voxel kernel, and the kernel.

use super::{method, pb, source};
use crate::domain::range::TRUNCATION_RADIUS_MM;
use crate::domain::{Checks, DoseError, KernelMedium, Source};
use crate::math::watch::Watch;
use crate::physics::kernel::{KernelFault, KernelSpec, VoxelKernel};
use crate::request::{kernel_medium, spacing_mm};

/// Largest kernel: an octant of 65³ values in double precision stays under the usual message limit.
const MAX_RADIUS_VOXELS: u32 = 64;
/// Bytes of a value of an octant: while it is integrated, in the cache, and twice in the answer.
const OCTANT_BYTES: u64 = 4 * size_of::<f64>() as u64;
/// Bytes of an emission at most: as it came, in the spectrum, and as the photons that stand for it, 20 for each of 20
/// parts of a continuum.
const EMISSION_BYTES: u64 = 128 + 400 * 2 * size_of::<f64>() as u64;
/// Bytes of tables that do not depend on the request.
const TABLE_BYTES: u64 = 1 << 20;

/// What decays, and which kernel is asked for.
pub(in crate::api) struct Wanted {
    pub(in crate::api) source: Source,
    medium: KernelMedium,
    spacing_mm: [f64; 3],
    half_width: [usize; 3],
    truncation_radius_mm: Option<f64>,
}

impl Wanted {
    /// Memory that it takes at most: the sums over its spectrum, and the kernel while it is integrated, kept and sent
    /// [bytes].
    pub(in crate::api) fn host_bytes(&self) -> u64 {
        let octant: u64 = self.half_width.iter().map(|&half| half as u64 + 1).product();
        let emissions = self.source.emissions().emissions().len() as u64;
        octant * OCTANT_BYTES + emissions * EMISSION_BYTES + TABLE_BYTES
    }

    /// All that the kernel depends on. This takes a while: the kernels of all emissions are summed.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] if an energy is above those of the library; [`DoseError::Cancelled`].
    pub(in crate::api) fn spec(&self, watch: &dyn Watch) -> Result<KernelSpec, DoseError> {
        let spacing_cm = self.spacing_mm.map(|mm| mm / 10.0);
        let spec = KernelSpec::new_watched(&self.source, self.medium, spacing_cm, self.half_width, watch);
        let spec = spec.map_err(|fault| match fault {
            KernelFault::Energies(invalid) => DoseError::invalid("emissions", invalid.0),
            KernelFault::Interrupted(interrupted) => interrupted.into(),
        })?;
        Ok(KernelSpec { truncation_radius_cm: self.truncation_radius_mm.map(|mm| mm / 10.0), ..spec })
    }
}

/// # Errors
/// [`DoseError::Invalid`] with every fault.
pub(in crate::api) fn decode(message: pb::ComputeKernelRequest) -> Result<Wanted, DoseError> {
    let mut checks = Checks::new();
    let source = source::decode(message.nuclide, message.emissions, message.daughters).resolve(&mut checks);
    let medium = method::decode_medium(message.kernel_medium);
    let medium = checks.at("kernel_medium", kernel_medium(medium.as_deref()));
    let spacing_mm = checks.at("spacing_mm", spacing_mm(&message.spacing_mm));
    let radius = message.radius_voxels;
    if radius > MAX_RADIUS_VOXELS {
        checks.fail("radius_voxels", format!("must be at most {MAX_RADIUS_VOXELS}, got {radius}"));
    }
    if let Some(mm) = message.truncation_radius_mm {
        checks.at("truncation_radius_mm", TRUNCATION_RADIUS_MM.check(mm));
    }
    checks.finish()?;
    let whole = "a part that could not be decoded has recorded a fault";
    let (source, medium, spacing_mm) = (source.expect(whole), medium.expect(whole), spacing_mm.expect(whole));
    let half_width = [usize::try_from(radius).expect("at most 64"); 3];
    Ok(Wanted { source, medium, spacing_mm, half_width, truncation_radius_mm: message.truncation_radius_mm })
}

pub(in crate::api) fn encode(kernel: &VoxelKernel, source: &Source, radius_voxels: u32) -> pb::ComputeKernelResponse {
    let s_values = kernel.s_values_gy();
    pb::ComputeKernelResponse {
        s_gy_per_decay: s_values.as_slice_memory_order().expect("an octant is contiguous").to_vec(),
        radius_voxels,
        captured_fraction: kernel.captured_mev / source.released_mev(),
        nuclide_data_sha256: source.data_sha256().to_owned(),
    }
}
