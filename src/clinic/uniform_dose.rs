//! One figure for a dose that differs from voxel to voxel: mean BED, equivalent uniform BED and dose, generalised EUD.

use super::bed::Tissue;
use crate::domain::{Checks, DoseError};

/// Doses of the voxels of a region, with their masses.
#[derive(Clone, Debug, PartialEq)]
pub struct VoxelDoses {
    doses_gy: Vec<f64>,
    /// Part of the mass of the region.
    weights: Vec<f64>,
}

/// What is said of a region whose voxels have a BED each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RegionBed {
    /// Mean dose by mass: energy over mass [Gy].
    pub mean_dose_gy: f64,
    /// Mean of the BED of the voxels, by mass: the BED of the region [Gy].
    pub mean_bed_gy: f64,
    /// BED of the mean dose, always lower where doses differ [Gy].
    pub bed_of_mean_dose_gy: f64,
    /// The mean BED as a dose in fractions of 2 Gy [Gy].
    pub eqd2_gy: f64,
}

impl VoxelDoses {
    /// * `doses_gy` – one for each voxel, voxels without a dose as 0 [Gy]
    /// * `masses_g` – of the same voxels [g]
    ///
    /// # Errors
    /// [`DoseError::Invalid`] if there is no voxel, the numbers of both differ, a dose is below 0 or a mass not above
    /// 0.
    pub fn new(doses_gy: Vec<f64>, masses_g: &[f64]) -> Result<Self, DoseError> {
        let mut checks = Checks::new();
        if doses_gy.is_empty() || doses_gy.len() != masses_g.len() {
            let reason = format!("{} doses and {} masses: a voxel has one of each", doses_gy.len(), masses_g.len());
            checks.fail("doses_gy", reason);
        }
        if let Some((at, dose)) = doses_gy.iter().enumerate().find(|(_, gy)| !(**gy >= 0.0 && gy.is_finite())) {
            checks.fail(format!("doses_gy[{at}]"), format!("must be 0 or more and finite, got {dose}"));
        }
        if let Some((at, mass)) = masses_g.iter().enumerate().find(|(_, mass)| !(**mass > 0.0 && mass.is_finite())) {
            checks.fail(format!("masses_g[{at}]"), format!("must be above 0 and finite, got {mass}"));
        }
        checks.finish()?;
        let total: f64 = masses_g.iter().sum();
        Ok(Self { doses_gy, weights: masses_g.iter().map(|mass| mass / total).collect() })
    }

    /// Mean dose by mass [Gy].
    pub fn mean_gy(&self) -> f64 {
        self.mean_of(|dose| dose)
    }

    /// BED of every voxel, in their order [Gy].
    ///
    /// Every voxel has the kinetics of its region, though a part of its dose comes from other regions.
    ///
    /// * `factor` – Lea-Catcheside factor of the region
    pub fn beds_gy(&self, tissue: &Tissue, factor: f64) -> Vec<f64> {
        self.doses_gy.iter().map(|&dose| tissue.bed_gy(dose, factor)).collect()
    }

    /// The BED of the region: the mean over its voxels by mass.
    ///
    /// * `factor` – Lea-Catcheside factor of the region
    pub fn region_bed(&self, tissue: &Tissue, factor: f64) -> RegionBed {
        let mean_bed_gy = self.mean_of(|dose| tissue.bed_gy(dose, factor));
        RegionBed {
            mean_dose_gy: self.mean_gy(),
            mean_bed_gy,
            bed_of_mean_dose_gy: tissue.bed_gy(self.mean_gy(), factor),
            eqd2_gy: tissue.eqd2_gy(mean_bed_gy),
        }
    }

    /// The uniform BED with the same survival, `−ln(Σ w e^(−α BED))/α` [Gy]. Voxels without a dose count too.
    ///
    /// Source: O'Donoghue, J. Nucl. Med. 40 (1999) 1337.
    ///
    /// * `beds_gy` – of every voxel, in their order [Gy]
    /// * `alpha_per_gy` – [1/Gy]
    ///
    /// # Errors
    /// [`DoseError::Invalid`] if α is not above 0, or there is not one BED for each voxel.
    pub fn equivalent_uniform_bed_gy(&self, beds_gy: &[f64], alpha_per_gy: f64) -> Result<f64, DoseError> {
        if !(alpha_per_gy > 0.0 && alpha_per_gy.is_finite()) {
            return Err(DoseError::invalid("alpha_per_gy", format!("must be above 0 and finite, got {alpha_per_gy}")));
        }
        if beds_gy.len() != self.weights.len() {
            return Err(DoseError::invalid("beds_gy", "there must be one for each voxel"));
        }
        // The largest term is taken out, so that none is too small to count.
        let lowest = beds_gy.iter().copied().fold(f64::INFINITY, f64::min);
        let survival = |(bed, weight): (&f64, &f64)| weight * (-alpha_per_gy * (bed - lowest)).exp();
        let sum: f64 = beds_gy.iter().zip(&self.weights).map(survival).sum();
        Ok(lowest - sum.ln() / alpha_per_gy)
    }

    /// Generalised equivalent uniform dose, `(Σ w Dᵃ)^(1/a)` [Gy]; with an exponent below 0 and a voxel without a dose
    /// it is 0.
    ///
    /// Source: Niemierko, Med. Phys. 26 (1999) 1100.
    ///
    /// * `exponent` – not 0; below 0 cold spots count more, above 1 hot spots
    ///
    /// # Errors
    /// [`DoseError::Invalid`] if the exponent is 0 or not finite.
    pub fn generalised_eud_gy(&self, exponent: f64) -> Result<f64, DoseError> {
        if !exponent.is_finite() || exponent == 0.0 {
            let reason = format!("must be finite and not 0, got {exponent}");
            return Err(DoseError::invalid("geud_exponent", reason));
        }
        let fold = |start: f64, of: fn(f64, f64) -> f64| self.doses_gy.iter().copied().fold(start, of);
        // The dose whose power is the largest is taken out, so that no power is infinite.
        let largest = if exponent > 0.0 { fold(0.0, f64::max) } else { fold(f64::INFINITY, f64::min) };
        if largest == 0.0 {
            return Ok(0.0);
        }
        Ok(largest * self.mean_of(|dose| (dose / largest).powf(exponent)).powf(1.0 / exponent))
    }

    fn mean_of(&self, figure: impl Fn(f64) -> f64) -> f64 {
        self.doses_gy.iter().zip(&self.weights).map(|(&dose, weight)| weight * figure(dose)).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clinic::repair::Repair;

    fn tissue() -> Tissue {
        Tissue::new(3.0, Repair::mono(Some(2.0)).expect("good")).expect("good")
    }

    #[test]
    fn uniform_doses_have_that_uniform_dose() {
        let doses = VoxelDoses::new(vec![4.0; 5], &[1.0, 2.0, 3.0, 1.0, 0.1]).expect("good");
        let region = doses.region_bed(&tissue(), 0.1);
        assert!((region.mean_bed_gy - region.bed_of_mean_dose_gy).abs() < 1e-14);
        let beds = doses.beds_gy(&tissue(), 0.1);
        let uniform = doses.equivalent_uniform_bed_gy(&beds, 0.3).expect("good");
        assert!((uniform - beds[0]).abs() < 1e-13);
        for exponent in [-20.0, -1.0, 1.0, 8.0] {
            assert!((doses.generalised_eud_gy(exponent).expect("good") - 4.0).abs() < 1e-12);
        }
    }

    #[test]
    fn voxels_without_a_dose_count() {
        let doses = VoxelDoses::new(vec![0.0, 1e4], &[1.0, 1.0]).expect("good");
        let beds = doses.beds_gy(&tissue(), 0.1);
        let uniform = doses.equivalent_uniform_bed_gy(&beds, 0.3).expect("good");
        assert!((uniform - std::f64::consts::LN_2 / 0.3).abs() < 1e-12, "half survives: {uniform}");
        assert_eq!(doses.generalised_eud_gy(-5.0).expect("good"), 0.0);
        let hot = doses.generalised_eud_gy(200.0).expect("good");
        assert!((hot / 1e4 - 0.5f64.powf(1.0 / 200.0)).abs() < 1e-12, "{hot}");
        assert_eq!(VoxelDoses::new(vec![0.0], &[1.0]).expect("good").generalised_eud_gy(2.0).expect("good"), 0.0);
    }

    #[test]
    fn bad_voxels_and_parameters_are_refused() {
        assert!(VoxelDoses::new(Vec::new(), &[]).is_err() && VoxelDoses::new(vec![1.0], &[1.0, 2.0]).is_err());
        let both = VoxelDoses::new(vec![-1.0], &[0.0]).expect_err("both are bad");
        assert_eq!(both.violations().len(), 2);
        let doses = VoxelDoses::new(vec![1.0], &[1.0]).expect("good");
        assert!(doses.generalised_eud_gy(0.0).is_err() && doses.equivalent_uniform_bed_gy(&[1.0], 0.0).is_err());
        assert!(doses.equivalent_uniform_bed_gy(&[], 0.3).is_err());
    }

    proptest! {
        /// Convexity: survival is ruled by the cold parts, the mean BED by the hot ones.
        #[test]
        fn uniform_bed_is_between_the_lowest_and_the_mean(
            voxels in prop::collection::vec((0.0..60.0f64, 0.01..2.0f64), 1..30),
        ) {
            let (doses, masses): (Vec<f64>, Vec<f64>) = voxels.into_iter().unzip();
            let doses = VoxelDoses::new(doses, &masses).expect("good");
            let (beds, region) = (doses.beds_gy(&tissue(), 0.2), doses.region_bed(&tissue(), 0.2));
            let uniform = doses.equivalent_uniform_bed_gy(&beds, 0.3).expect("good");
            let lowest = beds.iter().copied().fold(f64::INFINITY, f64::min);
            prop_assert!(uniform >= lowest - 1e-9 && uniform <= region.mean_bed_gy + 1e-9);
            prop_assert!(region.mean_bed_gy >= region.bed_of_mean_dose_gy - 1e-9);
            let powers = [-3.0, -1.0, 1.0, 4.0].map(|exponent| doses.generalised_eud_gy(exponent).expect("good"));
            prop_assert!(powers.is_sorted_by(|a, b| *a <= b + 1e-9), "{:?}", powers);
        }
    }
}
