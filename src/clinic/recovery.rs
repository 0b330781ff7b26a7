//! Partial volume: what part of its activity a small object shows in an image, and the correction for it.
//!
//! Spheres do not describe every shape: for the cortex of a kidney the coefficient comes from the caller.

use super::recovery_fit::fit_curve;
use crate::domain::{Checks, DoseError, Invalid};

/// No coefficient may be above this; one or two percent above 1 is noise or Gibbs ringing.
pub const LARGEST_COEFFICIENT: f64 = 1.2;

/// A sphere of a phantom and the part of its activity that was found in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sphere {
    /// [cm³].
    pub volume_cm3: f64,
    /// Measured over true activity, 0 to 1.2.
    pub recovery_coefficient: f64,
    /// Its standard deviation, of all spheres or of none.
    pub sigma: Option<f64>,
}

/// Recovery coefficient by volume, `R(v) = 1/(1 + (b1/v)^b2)`.
///
/// Source: Gear et al., Eur. J. Nucl. Med. Mol. Imaging 45 (2018) 2456 (EANM guidance on uncertainty).
#[derive(Clone, Debug, PartialEq)]
pub struct RecoveryCurve {
    /// The volume with a coefficient of a half [cm³].
    pub b1_cm3: f64,
    /// How steep it is.
    pub b2: f64,
    /// Covariance of `b1` and `b2`; none if there are as many spheres as parameters and they have no σ.
    pub covariance: Option<[[f64; 2]; 2]>,
    /// Weighted sum of squared residuals of the fit; none if the parameters were given.
    pub chi_square: Option<f64>,
    /// Smallest and largest sphere [cm³]; none if the parameters were given.
    pub range_cm3: Option<[f64; 2]>,
}

impl RecoveryCurve {
    /// A curve whose parameters are known.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every parameter that is not above 0, and if the covariance cannot be one.
    pub fn known(b1_cm3: f64, b2: f64, covariance: Option<[[f64; 2]; 2]>) -> Result<Self, DoseError> {
        let mut checks = Checks::new();
        for (field, value) in [("recovery.b1_cm3", b1_cm3), ("recovery.b2", b2)] {
            if !(value > 0.0 && value.is_finite()) {
                checks.fail(field, format!("must be above 0 and finite, got {value}"));
            }
        }
        let is_covariance = |[[a, b], [c, d]]: [[f64; 2]; 2]| {
            let symmetric = (b - c).abs() <= 1e-9 * (a * d).abs().sqrt();
            a >= 0.0 && d >= 0.0 && a.is_finite() && d.is_finite() && symmetric && b * b <= a * d * (1.0 + 1e-9)
        };
        if covariance.is_some_and(|covariance| !is_covariance(covariance)) {
            checks.fail(
                "recovery.covariance",
                "must be symmetric, with variances of 0 or more and a correlation of -1 to 1",
            );
        }
        checks.finish()?;
        Ok(Self { b1_cm3, b2, covariance, chi_square: None, range_cm3: None })
    }

    /// Fits the curve to spheres: weights 1/σ² where they have one, and the covariance as it comes; else equal weights,
    /// and the covariance times χ² over the degrees of freedom.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every bad sphere; if there are less than two volumes, σ for some spheres only, or
    /// coefficients that do not rise with volume.
    pub fn fit(spheres: &[Sphere]) -> Result<Self, DoseError> {
        let mut checks = Checks::new();
        for (at, sphere) in spheres.iter().enumerate() {
            if !(sphere.volume_cm3 > 0.0 && sphere.volume_cm3.is_finite()) {
                checks.fail(format!("spheres[{at}].volume_cm3"), "must be above 0 and finite");
            }
            checks.at(format!("spheres[{at}].recovery_coefficient"), coefficient(sphere.recovery_coefficient));
            if sphere.sigma.is_some_and(|sigma| !(sigma > 0.0 && sigma.is_finite())) {
                checks.fail(format!("spheres[{at}].sigma"), "must be above 0 and finite");
            }
        }
        let mut volumes: Vec<f64> = spheres.iter().map(|sphere| sphere.volume_cm3).collect();
        volumes.sort_by(f64::total_cmp);
        volumes.dedup();
        if volumes.len() < 2 {
            checks.fail("spheres", "the curve has two parameters and needs two spheres of unlike volume at least");
        }
        let with_sigma = spheres.iter().filter(|sphere| sphere.sigma.is_some()).count();
        if with_sigma != 0 && with_sigma != spheres.len() {
            checks.fail("spheres.sigma", "give it for all spheres or for none");
        }
        checks.finish()?;
        let fitted = fit_curve(spheres).map_err(|Invalid(reason)| DoseError::invalid("spheres", reason))?;
        let range_cm3 = Some([volumes[0], volumes[volumes.len() - 1]]);
        Ok(Self { range_cm3, ..fitted })
    }

    /// The coefficient of a volume, 0 to 1.
    pub fn coefficient(&self, volume_cm3: f64) -> f64 {
        1.0 / (1.0 + (self.b1_cm3 / volume_cm3).powf(self.b2))
    }

    /// Its derivatives by `b1` [1/cm³] and `b2`.
    pub fn gradient(&self, volume_cm3: f64) -> [f64; 2] {
        let coefficient = self.coefficient(volume_cm3);
        let rest = -coefficient * (1.0 - coefficient);
        [rest * self.b2 / self.b1_cm3, rest * (self.b1_cm3 / volume_cm3).ln()]
    }

    /// Standard deviation of the coefficient that comes from the fit; none without a covariance.
    pub fn sigma(&self, volume_cm3: f64) -> Option<f64> {
        let ([g1, g2], [[v11, v12], [_, v22]]) = (self.gradient(volume_cm3), self.covariance?);
        Some((g1 * g1 * v11 + 2.0 * g1 * g2 * v12 + g2 * g2 * v22).max(0.0).sqrt())
    }

    /// `∂ ln R/∂ ln v = b2 (1 − R)`.
    pub fn volume_exponent(&self, volume_cm3: f64) -> f64 {
        self.b2 * (1.0 - self.coefficient(volume_cm3))
    }

    /// Whether a volume lies outside those of the spheres.
    pub fn is_extrapolated(&self, volume_cm3: f64) -> bool {
        self.range_cm3.is_some_and(|[least, most]| !(least..=most).contains(&volume_cm3))
    }
}

/// Whether an activity was corrected for partial volume already. It is never corrected twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correction {
    /// As measured in the image.
    None,
    /// Corrected, by this program or by the reconstruction.
    Done,
}

/// The activity of a region, as an image shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RegionActivity {
    /// Sum over the region [MBq].
    pub measured_mbq: f64,
    /// Whether that is corrected.
    pub correction: Correction,
    /// Concentration around the region, which is seen in it, with the volume of the region [MBq/cm³, cm³]; none: no
    /// activity around it.
    pub background: Option<[f64; 2]>,
}

/// What a correction gives. The shape within the region is not corrected: the factor scales its curve and the
/// time-integrated activity of each of its voxels alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Corrected {
    /// Activity of the region [MBq].
    pub activity_mbq: f64,
    /// What it would be without background [MBq].
    pub if_background_ignored_mbq: f64,
    /// Corrected over measured activity: 1/R without background, of no activity too; none if nothing was measured in a
    /// background.
    pub factor: Option<f64>,
}

impl RegionActivity {
    /// Corrects for partial volume: `A/R`, and with a background concentration b `(A/v − b (1 − R))/R · v`.
    ///
    /// * `recovery_coefficient` – above 0 and at most 1.2
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every value out of range, and if the activity is corrected already.
    pub fn corrected(&self, recovery_coefficient: f64) -> Result<Corrected, DoseError> {
        let mut checks = Checks::new();
        checks.at("recovery_coefficient", coefficient(recovery_coefficient));
        if !self.measured_mbq.is_finite() {
            checks.fail("measured_activity_mbq", "must be finite");
        }
        if self.correction == Correction::Done {
            checks.fail(
                "measured_activity_mbq",
                "is corrected for partial volume already; give it without a coefficient",
            );
        }
        if let Some([background, volume_cm3]) = self.background {
            if !(background >= 0.0 && background.is_finite()) {
                checks.fail("background_mbq_per_cm3", format!("must be 0 or more and finite, got {background}"));
            }
            if !(volume_cm3 > 0.0 && volume_cm3.is_finite()) {
                checks.fail("volume_cm3", format!("must be above 0 and finite, got {volume_cm3}"));
            }
        }
        checks.finish()?;
        let spilled_in = self.background.map_or(0.0, |[b, volume_cm3]| b * (1.0 - recovery_coefficient) * volume_cm3);
        let activity_mbq = (self.measured_mbq - spilled_in) / recovery_coefficient;
        Ok(Corrected {
            activity_mbq,
            if_background_ignored_mbq: self.measured_mbq / recovery_coefficient,
            factor: if spilled_in == 0.0 {
                Some(recovery_coefficient.recip())
            } else {
                (self.measured_mbq != 0.0).then(|| activity_mbq / self.measured_mbq)
            },
        })
    }
}

/// # Errors
/// If a recovery coefficient is not above 0 and at most 1.2.
fn coefficient(value: f64) -> Result<f64, Invalid> {
    let is_good = value > 0.0 && value <= LARGEST_COEFFICIENT;
    let reason = || Invalid::new(format!("must be above 0 and at most {LARGEST_COEFFICIENT}, got {value}"));
    is_good.then_some(value).ok_or_else(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOLUMES: [f64; 6] = [0.5, 1.2, 2.6, 5.6, 11.5, 26.5];

    fn spheres(b1_cm3: f64, b2: f64, sigma: Option<f64>) -> Vec<Sphere> {
        let curve = RecoveryCurve::known(b1_cm3, b2, None).expect("good");
        let sphere = |volume_cm3| Sphere { volume_cm3, recovery_coefficient: curve.coefficient(volume_cm3), sigma };
        VOLUMES.map(sphere).to_vec()
    }

    #[test]
    fn parameters_without_noise_come_back() {
        for (b1_cm3, b2) in [(0.3, 0.6), (3.1, 0.82), (20.0, 1.9)] {
            for sigma in [None, Some(0.02)] {
                let curve = RecoveryCurve::fit(&spheres(b1_cm3, b2, sigma)).expect("a good fit");
                assert!((curve.b1_cm3 / b1_cm3 - 1.0).abs() < 1e-8 && (curve.b2 / b2 - 1.0).abs() < 1e-8, "{curve:?}");
                assert!(curve.chi_square.expect("a fit") < 1e-12);
                assert!(curve.is_extrapolated(30.0) && curve.is_extrapolated(0.4) && !curve.is_extrapolated(0.5));
            }
        }
        assert_eq!(RecoveryCurve::fit(&spheres(3.0, 0.8, None)[..2]).expect("two will do").covariance, None);
        let with_sigma = RecoveryCurve::fit(&spheres(3.0, 0.8, Some(0.02))[..2]).expect("two will do");
        assert!(with_sigma.covariance.is_some());
    }

    #[test]
    fn spheres_that_scatter_have_the_curve_of_the_least_sum_of_squares() {
        let sphere = |[volume_cm3, recovery_coefficient, sigma]: [f64; 3]| Sphere {
            volume_cm3,
            recovery_coefficient,
            sigma: Some(sigma),
        };
        // The last is far below the others: residuals of up to 1.3 standard deviations.
        let spheres = [
            [0.52, 0.61396, 0.10678],
            [1.15, 0.80826, 0.11533],
            [2.57, 1.00354, 0.10116],
            [5.57, 1.12857, 0.06819],
            [11.5, 0.96952, 0.05374],
            [26.5, 0.93804, 0.17865],
        ]
        .map(sphere);
        let found = RecoveryCurve::fit(&spheres).expect("a good fit");
        let square = |b1_cm3: f64, b2: f64| -> f64 {
            let curve = RecoveryCurve::known(b1_cm3, b2, None).expect("good");
            let part =
                |s: &Sphere| (s.recovery_coefficient - curve.coefficient(s.volume_cm3)) / s.sigma.expect("given");
            spheres.iter().map(|sphere| part(sphere).powi(2)).sum()
        };
        let least = found.chi_square.expect("a fit");
        assert!((least / square(found.b1_cm3, found.b2) - 1.0).abs() < 1e-12);
        for [by_1, by_2] in [[1e-3, 0.0], [-1e-3, 0.0], [0.0, 1e-3], [0.0, -1e-3], [1e-3, 1e-3], [-1e-3, 1e-3]] {
            assert!(square(found.b1_cm3 * (1.0 + by_1), found.b2 * (1.0 + by_2)) > least, "{found:?}");
        }
        // Two spheres, whose curve is exact, with coefficients near 1: the first steps are long.
        let two = [[1.15, 0.96294, 0.019786], [11.5, 0.999392, 0.015924]].map(sphere);
        let exact = RecoveryCurve::fit(&two).expect("a good fit");
        assert!((exact.b2 / 1.8011 - 1.0).abs() < 1e-4 && exact.chi_square.expect("a fit") < 1e-20, "{exact:?}");
        // A general minimiser of another library gave these.
        assert!((found.b1_cm3 / 0.42784 - 1.0).abs() < 1e-4 && (found.b2 / 2.02027 - 1.0).abs() < 1e-4, "{found:?}");
    }

    #[test]
    fn sigma_is_that_of_many_noisy_fits() {
        use rand_chacha::ChaCha8Rng;
        use rand_chacha::rand_core::SeedableRng;
        use rand_distr::{Distribution, Normal};
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let (exact, noise) = (spheres(3.1, 0.82, Some(0.01)), Normal::new(0.0, 0.01).expect("a width"));
        let at_cm3 = 4.0;
        let sigma = RecoveryCurve::fit(&exact).expect("good").sigma(at_cm3).expect("a covariance");
        let squares = (0..2000).map(|_| {
            let mut noisy = exact.clone();
            noisy.iter_mut().for_each(|sphere| sphere.recovery_coefficient += noise.sample(&mut random));
            let found = RecoveryCurve::fit(&noisy).expect("good").coefficient(at_cm3);
            (found - RecoveryCurve::known(3.1, 0.82, None).expect("good").coefficient(at_cm3)).powi(2)
        });
        // The spread of 2000 fits is known to 1.6 %: 5 % is 3σ.
        let spread = (squares.sum::<f64>() / 2000.0).sqrt();
        assert!((spread / sigma - 1.0).abs() < 0.05, "{spread} {sigma}");
    }

    #[test]
    fn a_correction_undoes_what_the_image_did() {
        // A sphere of concentration 3 in a background of 0.2 MBq/cm³ shows R c + (1 − R) b.
        let (recovery, volume_cm3) = (0.6, 4.0);
        let measured_mbq = (recovery * 3.0 + (1.0 - recovery) * 0.2) * volume_cm3;
        let region = RegionActivity { measured_mbq, correction: Correction::None, background: Some([0.2, volume_cm3]) };
        let found = region.corrected(recovery).expect("good");
        assert!((found.activity_mbq - 12.0).abs() < 1e-12 && found.if_background_ignored_mbq > 12.0);
        let alone = RegionActivity { background: None, ..region }.corrected(recovery).expect("good");
        assert!((alone.factor.expect("without background") * recovery - 1.0).abs() < 1e-14);
        let of_nothing = |background| {
            let region = RegionActivity { measured_mbq: 0.0, background, ..region };
            region.corrected(recovery).expect("good")
        };
        for background in [None, Some([0.0, volume_cm3])] {
            let found = of_nothing(background);
            assert_eq!((found.activity_mbq, found.factor), (0.0, Some(1.0 / recovery)));
        }
        assert_eq!(of_nothing(Some([0.2, volume_cm3])).factor, None);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let region = RegionActivity { measured_mbq: 10.0, correction: Correction::None, background: None };
        for bad in [0.0, -0.1, 1.3, f64::NAN] {
            assert!(region.corrected(bad).is_err(), "{bad}");
        }
        assert!(RegionActivity { correction: Correction::Done, ..region }.corrected(0.9).is_err());
        assert!(RegionActivity { background: Some([-1.0, 0.0]), ..region }.corrected(0.9).is_err());
        let good = spheres(3.1, 0.82, Some(0.02));
        assert!(RecoveryCurve::fit(&good[..1]).is_err());
        assert!(RecoveryCurve::fit(&[good[0], good[0]]).is_err(), "one volume twice");
        assert!(RecoveryCurve::fit(&[good[0], Sphere { sigma: None, ..good[1] }]).is_err());
        let falling = [0.9, 0.5, 0.2].map(|recovery_coefficient| recovery_coefficient);
        let falling: Vec<Sphere> = falling
            .iter()
            .zip(&good)
            .map(|(&recovery_coefficient, sphere)| Sphere { recovery_coefficient, ..*sphere })
            .collect();
        assert!(RecoveryCurve::fit(&falling).is_err(), "coefficients fall with volume");
        assert!(
            RecoveryCurve::known(0.0, -1.0, Some([[1.0, 2.0], [2.0, 1.0]])).expect_err("all bad").violations().len()
                == 3
        );
    }
}
