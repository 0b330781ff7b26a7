//! BED of many doses with the kinetics of one region: its Lea-Catcheside factors are computed once, and used for every
//! voxel.
//!
//! The same serves a voxel whose dose comes from several source regions, each with kinetics of its own: as cycles that
//! start together, with the dose from each region. This is exact where the kinetics of the target alone are not.

use super::bed::Tissue;
use super::course::DoseCourse;
use super::repair::Repair;

/// Lea-Catcheside factors of the cycles of a region: of each with itself, and of each pair.
#[derive(Clone, Debug, PartialEq)]
pub struct CycleFactors {
    own: Vec<f64>,
    /// Of pairs of cycles, the earlier one first: what their doses do together beyond what each does alone, for a gray
    /// of each.
    pairs: Vec<([usize; 2], f64)>,
}

impl CycleFactors {
    /// * `cycles` – when each starts [h] and its course from there, of any dose above 0
    pub fn new(cycles: &[(f64, DoseCourse)], repair: &Repair) -> Self {
        let unit: Vec<DoseCourse> =
            cycles.iter().map(|(start_h, course)| course.scaled_to(1.0).later_by(*start_h)).collect();
        let own: Vec<f64> = unit.iter().map(|course| course.lea_catcheside_factor(repair)).collect();
        let mut pairs = Vec::new();
        for later in 1..unit.len() {
            for earlier in 0..later {
                let both = unit[earlier].plus(&unit[later]).protracted_square_gy2(repair);
                pairs.push(([earlier, later], (both - own[earlier] - own[later]).max(0.0)));
            }
        }
        Self { own, pairs }
    }

    /// Of each cycle.
    pub fn own(&self) -> &[f64] {
        &self.own
    }

    /// The sum of the BED of each cycle [Gy].
    ///
    /// * `doses_gy` – of each cycle [Gy]
    pub fn sum_gy(&self, tissue: &Tissue, doses_gy: &[f64]) -> f64 {
        self.own.iter().zip(doses_gy).map(|(&factor, &dose)| tissue.bed_gy(dose, factor)).sum()
    }

    /// The same with the damage that was not repaired when the next cycle began [Gy].
    ///
    /// * `doses_gy` – of each cycle [Gy]
    pub fn with_overlap_gy(&self, tissue: &Tissue, doses_gy: &[f64]) -> f64 {
        let together = self.pairs.iter().map(|([one, other], factor)| factor * doses_gy[*one] * doses_gy[*other]);
        self.sum_gy(tissue, doses_gy) + together.sum::<f64>() / tissue.alpha_beta_gy()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clinic::dose_rate::DoseRate;

    #[test]
    fn factors_give_the_bed_of_the_courses() {
        let tissue = Tissue::new(3.0, Repair::mono(Some(2.0)).expect("good")).expect("good");
        let doses = [3.0, 2.0, 4.0];
        let cycles: Vec<(f64, DoseCourse)> = [(0.0, 40.0), (30.0, 60.0), (100.0, 50.0)]
            .iter()
            .zip(doses)
            .map(|(&(start_h, half_life_h), dose)| {
                (start_h, DoseCourse::of(&DoseRate::mono(dose, half_life_h).expect("good")))
            })
            .collect();
        let whole = tissue.of_cycles(&cycles).expect("good");
        let factors = CycleFactors::new(&cycles, tissue.repair());
        assert!((factors.sum_gy(&tissue, &doses) / whole.bed_gy - 1.0).abs() < 1e-13);
        assert!((factors.with_overlap_gy(&tissue, &doses) / whole.bed_with_overlap_gy - 1.0).abs() < 1e-12);
        assert!(whole.overlap_relative() > 0.01);
        assert_eq!(factors.with_overlap_gy(&tissue, &[0.0; 3]), 0.0);
    }

    #[test]
    fn dose_from_several_sources_has_the_bed_of_its_whole_course() {
        let tissue = Tissue::new(3.0, Repair::mono(Some(2.0)).expect("good")).expect("good");
        let course = |dose: f64, half_life_h: f64| DoseCourse::of(&DoseRate::mono(dose, half_life_h).expect("good"));
        let sources = [(0.0, course(1.0, 10.0)), (0.0, course(1.0, 100.0))];
        let found = CycleFactors::new(&sources, tissue.repair()).with_overlap_gy(&tissue, &[2.0, 5.0]);
        let right = tissue.of_course(&course(2.0, 10.0).plus(&course(5.0, 100.0))).bed_gy;
        assert!((found / right - 1.0).abs() < 1e-13, "{found} {right}");
    }
}
