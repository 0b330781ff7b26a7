//! Requests for a voxel kernel.

use super::{FAULT_RECORDED, pb, source, three};
use crate::domain::grid::check_spacing;
use crate::domain::{Checks, DoseError, Invalid, KernelMedium, Source};
use crate::physics::kernel::KernelSpec;

/// Largest kernel: an octant of 65³ values in double precision stays under the usual message limit.
const MAX_RADIUS_VOXELS: u32 = 64;

/// # Errors
/// [`DoseError::Invalid`] with every fault.
pub(in crate::api) fn kernel(message: &pb::ComputeKernelRequest) -> Result<(Source, KernelSpec), DoseError> {
    let mut checks = Checks::new();
    let source = source::source(&mut checks, &message.nuclide, &message.emissions, message.daughters);
    let medium = checks.at("kernel_medium", kernel_medium(message.kernel_medium));
    let spacing = three(&mut checks, "spacing_mm", &message.spacing_mm)
        .and_then(|mm| checks.at("spacing_mm", check_spacing(mm).map(|()| mm)));
    let radius = message.radius_voxels;
    if radius > MAX_RADIUS_VOXELS {
        checks.fail("radius_voxels", format!("must be at most {MAX_RADIUS_VOXELS}, got {radius}"));
    }
    if let Some(mm) = message.truncation_radius_mm.filter(|mm| !(mm.is_finite() && *mm > 0.0)) {
        checks.fail("truncation_radius_mm", format!("must be a finite length above 0, got {mm} mm"));
    }
    checks.finish()?;
    let source = source.expect(FAULT_RECORDED);
    let spacing_cm = spacing.expect(FAULT_RECORDED).map(|mm| mm / 10.0);
    let half_width = [usize::try_from(radius).expect("at most 64"); 3];
    let spec = KernelSpec::new(&source, medium.expect(FAULT_RECORDED), spacing_cm, half_width)
        .map_err(|invalid| DoseError::invalid("emissions", invalid.0))?;
    let truncation_radius_cm = message.truncation_radius_mm.map(|mm| mm / 10.0);
    Ok((source, KernelSpec { truncation_radius_cm, ..spec }))
}

pub(super) fn kernel_medium(number: i32) -> Result<KernelMedium, Invalid> {
    use pb::KernelMedium as Medium;
    match Medium::try_from(number) {
        Ok(Medium::Unspecified | Medium::Water) => Ok(KernelMedium::Water),
        Ok(Medium::SoftTissue) => Ok(KernelMedium::SoftTissue),
        Ok(Medium::Lung) => Ok(KernelMedium::Lung),
        Ok(Medium::CompactBone) => Ok(KernelMedium::CompactBone),
        Ok(Medium::CorticalBone) => Ok(KernelMedium::CorticalBone),
        Err(_) => Err(Invalid::new(format!("is not a known medium: {number}"))),
    }
}
