//! How much of a kernel is convolved directly.

use crate::physics::kernel::{KernelSpec, density_g_cm3};

/// Smallest number of offsets on each side: voxels that touch.
const LEAST: usize = 1;

/// Largest number of offsets on each side. The cost grows with its cube, so beyond this, as with Y-90 in voxels of less
/// than 1 mm, some noise is accepted instead.
const MOST: usize = 8;

/// Offsets of a kernel that is convolved directly as a whole: less work than a transform.
const FEW: usize = 11 * 11 * 11;

/// Fraction of a kernel's energy that may be left to the Fourier transform although it falls off steeply. With it, the
/// rms error of the dose is 7e-6 five decades under the maximum for Y-90 in voxels of 1 mm, and less in larger ones;
/// with four times as much it is 7e-5.
const STEEP_ENERGY: f64 = 4e-3;

/// Longest range of beta particles of radionuclides [g/cm²].
const LONGEST_RANGE: f64 = 2.0;

/// Offsets on each side of a kernel, by axis, that are convolved directly.
///
/// A transform in single precision adds noise everywhere, in proportion to the energy that it transforms. This does not
/// matter for the photon dose, which is nowhere much smaller than in the next voxel. The beta dose ends within
/// millimetres, and the noise would hide the small dose beyond, so the core must contain it.
pub(super) fn core_half_width(kernel: &KernelSpec) -> [usize; 3] {
    if kernel.half_width.iter().map(|&h| 2 * h as u64 + 1).product::<u64>() <= FEW as u64 {
        return kernel.half_width;
    }
    let range_cm = steep_range_cm(kernel);
    [0, 1, 2].map(|axis| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 20 cm / 10 µm, above -1")]
        let offsets = (range_cm / kernel.spacing_cm[axis] - 0.5).ceil().max(0.0) as usize;
        offsets.clamp(LEAST, MOST).min(kernel.half_width[axis])
    })
}

/// Radius that contains the steep part of a radial kernel except for [`STEEP_ENERGY`] [cm].
fn steep_range_cm(kernel: &KernelSpec) -> f64 {
    let radial = &kernel.radial;
    let energy = |from_cm: f64, to_cm: f64| radial.cumulative_mev(to_cm) - radial.cumulative_mev(from_cm);
    // Photons deposit the same energy between r and 2r as between 2r and 3r.
    let steep_mev = |r: f64| energy(r, 2.0 * r) - energy(2.0 * r, 3.0 * r);
    let longest_cm = LONGEST_RANGE / density_g_cm3(kernel.medium);
    let radii = (0..).map(|n| longest_cm * 0.98f64.powi(n)).take_while(|r| *r > 1e-3);
    let mut steep = radii.filter(|&r| steep_mev(r) > STEEP_ENERGY * radial.captured_mev());
    steep.next().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::KernelMedium;
    use crate::physics::nuclide;

    fn cores(name: &str, spacing_mm: [f64; 3], half_width: usize) -> [usize; 3] {
        let source = nuclide::find(name).expect("a known nuclide").into();
        let spec = KernelSpec::new(&source, KernelMedium::Water, spacing_mm.map(|mm| mm / 10.0), [half_width; 3]);
        core_half_width(&spec.expect("energies that kernels have"))
    }

    #[test]
    fn the_core_holds_the_betas() {
        for (name, spacing_mm, expected) in [
            ("Lu-177", [4.0; 3], [1; 3]),
            ("Lu-177", [1.0; 3], [1; 3]),
            ("I-131", [2.0; 3], [1; 3]),
            ("Y-90", [9.0; 3], [1; 3]),
            ("Y-90", [4.42; 3], [2; 3]),
            ("Y-90", [2.0, 4.0, 1.0], [4, 2, 8]),
            ("Y-90", [0.1; 3], [MOST; 3]),
        ] {
            assert_eq!(cores(name, spacing_mm, 40), expected, "{name} {spacing_mm:?}");
        }
    }

    #[test]
    fn the_core_is_within_the_kernel() {
        assert_eq!(cores("Y-90", [2.0; 3], 2), [2; 3]);
        assert_eq!(cores("Lu-177", [2.0; 3], 0), [0; 3]);
    }
}
