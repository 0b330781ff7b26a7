//! Requests for a voxel kernel, and the kernel.

use super::{method, pb, source};
use crate::domain::range::TRUNCATION_RADIUS_MM;
use crate::domain::{Checks, DoseError, KernelMedium, Source};
use crate::physics::kernel::{KernelSpec, VoxelKernel};
use crate::request::{kernel_medium, spacing_mm};

/// Largest kernel: an octant of 65³ values in double precision stays under the usual message limit.
const MAX_RADIUS_VOXELS: u32 = 64;

/// What decays, and which kernel is asked for.
pub(in crate::api) struct Wanted {
    pub(in crate::api) source: Source,
    medium: KernelMedium,
    spacing_mm: [f64; 3],
    half_width: [usize; 3],
    truncation_radius_mm: Option<f64>,
}

impl Wanted {
    /// All that the kernel depends on. This takes a while: the kernels of all emissions are summed.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] if an energy is above those of the library.
    pub(in crate::api) fn spec(&self) -> Result<KernelSpec, DoseError> {
        let spec = KernelSpec::new(&self.source, self.medium, self.spacing_mm.map(|mm| mm / 10.0), self.half_width)
            .map_err(|invalid| DoseError::invalid("emissions", invalid.0))?;
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
