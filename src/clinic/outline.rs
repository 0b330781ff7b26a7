//! How well the outline of a region is known, and what that does to its volume and to the counts inside it.

use crate::domain::{Checks, DoseError};

/// What decides how well an outline is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outline {
    /// Width of a voxel of the image on which it was drawn [mm].
    pub voxel_width_mm: f64,
    /// Resolution of that image, full width at half maximum [mm].
    pub fwhm_mm: f64,
    /// σ of one edge drawn by hand [mm]; 0 for an outline that nobody drew; none if it is not known, which counts as 0
    /// and makes a budget a lower bound.
    pub operator_edge_sigma_mm: Option<f64>,
}

impl Outline {
    /// # Errors
    /// [`DoseError::Invalid`] with every length that is below 0 or not finite.
    pub fn check(&self) -> Result<(), DoseError> {
        let mut checks = Checks::new();
        for (field, value) in [
            ("outline_voxel_width_mm", Some(self.voxel_width_mm)),
            ("outline_fwhm_mm", Some(self.fwhm_mm)),
            ("operator_edge_sigma_mm", self.operator_edge_sigma_mm),
        ] {
            if value.is_some_and(|value| !(value >= 0.0 && value.is_finite())) {
                checks.fail(field, "must be 0 or more and finite");
            }
        }
        checks.finish()
    }

    /// σ of the diameter, `u² = a²/6 + F²/(4 ln 2) + 2 u_edge²` [mm].
    ///
    /// Source: Gear et al., Eur. J. Nucl. Med. Mol. Imaging 45 (2018) 2456.
    pub fn diameter_sigma_mm(&self) -> f64 {
        let edge = self.operator_edge_sigma_mm.unwrap_or(0.0);
        let blur = self.fwhm_mm.powi(2) / (4.0 * std::f64::consts::LN_2);
        (self.voxel_width_mm.powi(2) / 6.0 + blur + 2.0 * edge.powi(2)).sqrt()
    }

    /// σ of the volume over the volume: three times that of the diameter.
    ///
    /// * `volume_cm3` – above 0 [cm³]
    pub fn volume_relative_sigma(&self, volume_cm3: f64) -> f64 {
        3.0 * self.diameter_sigma_mm() / equivalent_diameter_mm(volume_cm3)
    }
}

/// Diameter of the sphere with a volume, `(6 v/π)^(1/3)` [mm].
///
/// * `volume_cm3` – above 0 [cm³]
pub fn equivalent_diameter_mm(volume_cm3: f64) -> f64 {
    10.0 * (6.0 * volume_cm3 / std::f64::consts::PI).cbrt()
}

/// φ: twice the activity concentration at the edge of a blurred sphere over that inside the sharp one. The counts in an
/// outline change by `φ/(2 R)` of the relative change of its volume.
///
/// `φ = erf(x) − 2 (1 − e^(−x²))/(x √π)` with `x = 2 d √(ln 2)/F`: a sphere convolved with a Gaussian, at its edge.
///
/// * `diameter_mm` – above 0 [mm]
/// * `fwhm_mm` – resolution of the activity image; 0 is sharp [mm]
pub fn edge_factor(diameter_mm: f64, fwhm_mm: f64) -> f64 {
    if fwhm_mm == 0.0 {
        return 1.0;
    }
    let x = 2.0 * diameter_mm * std::f64::consts::LN_2.sqrt() / fwhm_mm;
    libm::erf(x) + 2.0 * (-x * x).exp_m1() / (x * std::f64::consts::PI.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Concentration at the edge of a sphere of concentration 1, blurred: the Gaussian over the sphere, in shells about
    /// the point on the edge. A shell of radius s lies inside by the part (1 − s/d)/2.
    fn edge_by_shells(diameter_mm: f64, fwhm_mm: f64) -> f64 {
        let sigma = fwhm_mm / (8.0 * std::f64::consts::LN_2).sqrt();
        let steps = 200_000u32;
        let step = diameter_mm / f64::from(steps);
        let norm = (2.0 * std::f64::consts::PI * sigma * sigma).powf(-1.5);
        let shell = |at: u32| {
            let s = (f64::from(at) + 0.5) * step;
            let inside = (1.0 - s / diameter_mm) / 2.0;
            4.0 * std::f64::consts::PI * s * s * norm * (-0.5 * (s / sigma).powi(2)).exp() * inside * step
        };
        (0..steps).map(shell).sum()
    }

    #[test]
    fn the_edge_factor_is_that_of_a_blurred_sphere() {
        for (diameter_mm, fwhm_mm) in [(5.0, 11.0), (20.0, 11.0), (67.0, 11.0), (30.0, 4.0)] {
            let (found, right) = (edge_factor(diameter_mm, fwhm_mm), 2.0 * edge_by_shells(diameter_mm, fwhm_mm));
            assert!((found / right - 1.0).abs() < 1e-6, "{diameter_mm} {fwhm_mm}: {found} {right}");
        }
        assert!((edge_factor(1e5, 1.0) - 1.0).abs() < 1e-4 && edge_factor(10.0, 0.0) == 1.0);
    }

    #[test]
    fn a_volume_is_three_times_as_uncertain_as_its_diameter() {
        let outline = Outline { voxel_width_mm: 0.0, fwhm_mm: 0.0, operator_edge_sigma_mm: Some(1.0) };
        assert!((outline.diameter_sigma_mm() - 2f64.sqrt()).abs() < 1e-14);
        let sphere_cm3 = std::f64::consts::PI / 6.0 * 3f64.powi(3);
        assert!((equivalent_diameter_mm(sphere_cm3) - 30.0).abs() < 1e-12);
        assert!((outline.volume_relative_sigma(sphere_cm3) - 2f64.sqrt() / 10.0).abs() < 1e-13);
        let bad = Outline { voxel_width_mm: -1.0, fwhm_mm: f64::NAN, operator_edge_sigma_mm: Some(-1.0) };
        assert_eq!(bad.check().expect_err("all bad").violations().len(), 3);
    }
}
