//! Biologically effective dose by the linear-quadratic model.
//!
//! The model loses its meaning above about 10 Gy at a high dose-rate; nothing is corrected for that. No tissue
//! parameter has a default: α/β and the half-time of repair are the caller's, by region.

use super::course::DoseCourse;
use super::repair::Repair;
use crate::domain::{Checks, DoseError, Invalid};

/// α/β [Gy]: beyond, it is that of no tissue, and a BED may be no number. Those of tissues are 1 to 30 Gy.
const ALPHA_BETA_GY: [f64; 2] = [1e-3, 1e6];
/// Dose per fraction that EQD2 is for [Gy].
const FRACTION_GY: f64 = 2.0;
/// Cycles farther apart than so many of the longest half-lives do not overlap.
pub const OVERLAP_HALF_LIVES: f64 = 10.0;

/// What the linear-quadratic model needs to know of a tissue.
#[derive(Clone, Debug, PartialEq)]
pub struct Tissue {
    alpha_beta_gy: f64,
    repair: Repair,
}

/// BED of one course.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bed {
    /// Absorbed dose [Gy].
    pub dose_gy: f64,
    /// Lea-Catcheside factor G, 0 to 1.
    pub lea_catcheside_factor: f64,
    /// `D + G D²/(α/β)` [Gy].
    pub bed_gy: f64,
    /// The dose in fractions of 2 Gy with that BED [Gy].
    pub eqd2_gy: f64,
}

/// BED of several cycles.
#[derive(Clone, Debug, PartialEq)]
pub struct CyclesBed {
    /// Of each cycle on its own.
    pub each: Vec<Bed>,
    /// Their sum [Gy].
    pub bed_gy: f64,
    /// The same with the damage that was not repaired, and the activity that was not gone, when the next cycle began
    /// [Gy].
    pub bed_with_overlap_gy: f64,
    /// Whether two cycles are nearer than ten of the longest half-lives, of clearance or repair: then the BED with
    /// overlap is the one to use.
    pub overlap: bool,
    /// EQD2 of the sum [Gy].
    pub eqd2_gy: f64,
}

impl CyclesBed {
    /// By what part the overlap raises the sum.
    pub fn overlap_relative(&self) -> f64 {
        if self.bed_gy > 0.0 { (self.bed_with_overlap_gy - self.bed_gy) / self.bed_gy } else { 0.0 }
    }
}

fn of_a_tissue(alpha_beta_gy: f64) -> Result<f64, Invalid> {
    let [least, most] = ALPHA_BETA_GY;
    let words = || Invalid::new(format!("must be from {least} to {most:e} Gy, got {alpha_beta_gy}"));
    (least..=most).contains(&alpha_beta_gy).then_some(alpha_beta_gy).ok_or_else(words)
}

impl Tissue {
    /// # Errors
    /// [`DoseError::Invalid`] unless α/β is from 0.001 to 1e6 Gy.
    pub fn new(alpha_beta_gy: f64, repair: Repair) -> Result<Self, DoseError> {
        let checked = of_a_tissue(alpha_beta_gy).map_err(|invalid| DoseError::invalid("alpha_beta_gy", invalid.0))?;
        Ok(Self { alpha_beta_gy: checked, repair })
    }

    /// The tissue of parameters that a caller may have left out.
    ///
    /// * `repair` – already checked; none if it was not given
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every parameter that is missing or bad: none is guessed.
    pub fn of(alpha_beta_gy: Option<f64>, repair: Option<Result<Repair, DoseError>>) -> Result<Self, DoseError> {
        let mut checks = Checks::new();
        match alpha_beta_gy {
            None => checks.fail("alpha_beta_gy", "is needed for a BED: name that of the tissue, none is guessed"),
            Some(gy) => _ = checks.at("alpha_beta_gy", of_a_tissue(gy)),
        }
        let repair = match repair {
            None => {
                checks.fail("repair", "its half-time is needed for a BED: name that of the tissue, none is guessed");
                None
            }
            Some(Err(error)) => {
                error.violations().into_iter().for_each(|violation| checks.fail(violation.field, violation.reason));
                None
            }
            Some(Ok(repair)) => Some(repair),
        };
        checks.finish()?;
        let (alpha_beta_gy, repair) = alpha_beta_gy.zip(repair).expect("both were checked");
        Ok(Self { alpha_beta_gy, repair })
    }

    /// α/β [Gy].
    pub fn alpha_beta_gy(&self) -> f64 {
        self.alpha_beta_gy
    }

    /// How damage is repaired.
    pub fn repair(&self) -> &Repair {
        &self.repair
    }

    /// `BED = D + G D²/(α/β)` [Gy].
    ///
    /// Source: Dale, Br. J. Radiol. 58 (1985) 515; Baechler et al., Med. Phys. 35 (2008) 1123.
    ///
    /// * `dose_gy` – absorbed dose [Gy]
    /// * `factor` – Lea-Catcheside factor, 0 to 1
    pub fn bed_gy(&self, dose_gy: f64, factor: f64) -> f64 {
        dose_gy + factor * dose_gy * dose_gy / self.alpha_beta_gy
    }

    /// The dose with a BED [Gy]: the inverse of [`Self::bed_gy`].
    ///
    /// * `bed_gy` – 0 or more [Gy]
    /// * `factor` – Lea-Catcheside factor, 0 to 1
    pub fn dose_with_bed_gy(&self, bed_gy: f64, factor: f64) -> f64 {
        // The root of the quadratic in the form that loses no digits, and exists for a factor of 0.
        2.0 * bed_gy / (1.0 + (1.0 + 4.0 * factor * bed_gy / self.alpha_beta_gy).sqrt())
    }

    /// `EQD2 = BED/(1 + 2 Gy/(α/β))` [Gy].
    pub fn eqd2_gy(&self, bed_gy: f64) -> f64 {
        bed_gy / (1.0 + FRACTION_GY / self.alpha_beta_gy)
    }

    /// BED of a course.
    pub fn of_course(&self, course: &DoseCourse) -> Bed {
        let (dose_gy, lea_catcheside_factor) = (course.dose_gy(), course.lea_catcheside_factor(&self.repair));
        let bed_gy = self.bed_gy(dose_gy, lea_catcheside_factor);
        Bed { dose_gy, lea_catcheside_factor, bed_gy, eqd2_gy: self.eqd2_gy(bed_gy) }
    }

    /// BED of cycles, each with its own kinetics.
    ///
    /// * `cycles` – when each starts [h] and its course from there; by rising start
    ///
    /// # Errors
    /// [`DoseError::Invalid`] if there is none, or a start is not finite or before that of the cycle before.
    pub fn of_cycles(&self, cycles: &[(f64, DoseCourse)]) -> Result<CyclesBed, DoseError> {
        let Some((first, _)) = cycles.first() else {
            return Err(DoseError::invalid("cycles", "at least one is needed"));
        };
        if !cycles.iter().all(|(start_h, _)| start_h.is_finite()) || !cycles.is_sorted_by(|a, b| a.0 <= b.0) {
            return Err(DoseError::invalid(
                "cycles",
                "every start must be finite, and none before that of the cycle before",
            ));
        }
        let each: Vec<Bed> = cycles.iter().map(|(_, course)| self.of_course(course)).collect();
        let moved = |(start_h, course): &(f64, DoseCourse)| course.later_by(start_h - first);
        let together = cycles.iter().map(moved).reduce(|sum, next| sum.plus(&next)).expect("there is one");
        let bed_gy = each.iter().map(|bed| bed.bed_gy).sum();
        let square_gy2 = together.protracted_square_gy2(&self.repair);
        Ok(CyclesBed {
            bed_gy,
            bed_with_overlap_gy: together.dose_gy() + square_gy2 / self.alpha_beta_gy,
            overlap: self.overlap(cycles),
            eqd2_gy: self.eqd2_gy(bed_gy),
            each,
        })
    }

    /// Whether cycles reach into one another: two are nearer than [`OVERLAP_HALF_LIVES`] of the longest half-lives.
    ///
    /// * `cycles` – when each starts [h] and its course from there; by rising start
    pub fn overlap(&self, cycles: &[(f64, DoseCourse)]) -> bool {
        let repair_h = self.repair.longest_half_time_h();
        let reach_h =
            |course: &DoseCourse| repair_h.map(|hours| OVERLAP_HALF_LIVES * hours.max(course.longest_half_life_h()));
        let near =
            |pair: &[(f64, DoseCourse)]| reach_h(&pair[0].1).is_none_or(|reach_h| pair[1].0 - pair[0].0 < reach_h);
        cycles.windows(2).any(near)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clinic::course::Session;
    use crate::clinic::dose_rate::{DoseRate, Term};
    use crate::clinic::repair::RepairComponent;

    const ALPHA_BETA_GY: f64 = 2.6;

    fn tissue(half_time_h: Option<f64>) -> Tissue {
        Tissue::new(ALPHA_BETA_GY, Repair::mono(half_time_h).expect("good")).expect("good")
    }

    fn three_terms() -> DoseRate {
        let term = |amplitude_gy_per_h: f64, rate_per_h: f64| Term { amplitude_gy_per_h, rate_per_h };
        DoseRate::new(vec![term(0.05, 0.01), term(0.06, 0.05), term(-0.11, 0.8)]).expect("good")
    }

    /// `2 ∫ Ḋ q dt` with `q' = Ḋ − μ q`, by the trapezoid rule with an exact decay of q.
    fn square_by_steps(course: &DoseCourse, repair_per_h: f64, step_h: f64, steps: u32) -> f64 {
        let (mut q, mut sum) = (0.0, 0.0);
        for at in 0..steps {
            let (now, next) = (f64::from(at) * step_h, f64::from(at + 1) * step_h);
            let (before, after) = (course.at_gy_per_h(now + 1e-9), course.at_gy_per_h(next - 1e-9));
            let kept = (-repair_per_h * step_h).exp();
            let q_next = q * kept + step_h / 2.0 * (before * kept + after);
            sum += step_h * (before * q + after * q_next);
            q = q_next;
        }
        sum
    }

    #[test]
    fn one_exponential_has_the_known_factor() {
        let course = DoseCourse::of(&DoseRate::mono(5.2, 50.0).expect("good"));
        let bed = tissue(Some(2.8)).of_course(&course);
        assert!((bed.lea_catcheside_factor / (2.8 / 52.8) - 1.0).abs() < 1e-14);
        assert!((bed.eqd2_gy * (1.0 + 2.0 / ALPHA_BETA_GY) - bed.bed_gy).abs() < 1e-14);
        assert_eq!(tissue(Some(0.0)).of_course(&course).lea_catcheside_factor, 0.0);
        assert_eq!(tissue(None).of_course(&course).lea_catcheside_factor, 1.0);
    }

    #[test]
    fn factors_agree_with_integration_in_steps() {
        let rate = three_terms();
        let infused = DoseCourse::infused(&rate, 4.0).expect("good");
        let session = Session { start_h: 20.0, duration_h: 4.0, clearance_half_time_h: 3.0 };
        let cleared = DoseCourse::of(&rate).with_sessions(&[session]).expect("good");
        let drained = DoseCourse::of(&rate).with_removal(30.0, 0.4).expect("good");
        let twice = DoseCourse::of(&rate).plus(&DoseCourse::of(&rate).later_by(24.0));
        for (name, course) in [("infused", infused), ("cleared", cleared), ("drained", drained), ("twice", twice)] {
            let repair = Repair::mono(Some(1.5)).expect("good");
            let found = course.protracted_square_gy2(&repair);
            let right = square_by_steps(&course, std::f64::consts::LN_2 / 1.5, 0.01, 200_000);
            assert!((found / right - 1.0).abs() < 1e-5, "{name}: {found} {right}");
        }
    }

    #[test]
    fn repair_as_fast_as_uptake_is_no_special_case() {
        let factor = |half_time_h: f64| {
            DoseCourse::of(&three_terms()).lea_catcheside_factor(&Repair::mono(Some(half_time_h)).expect("good"))
        };
        for rate_per_h in [0.01, 0.05, 0.8] {
            let half_time_h = std::f64::consts::LN_2 / rate_per_h;
            let (at, near) = (factor(half_time_h), factor(half_time_h * (1.0 + 1e-7)));
            assert!((at / near - 1.0).abs() < 1e-6 && at > 0.0 && at < 1.0, "{at} {near}");
        }
    }

    #[test]
    fn pieces_without_an_event_change_nothing() {
        let (rate, repair) = (three_terms(), Repair::mono(Some(1.5)).expect("good"));
        let whole = DoseCourse::of(&rate);
        let session = Session { start_h: 0.2, duration_h: 300.0, clearance_half_time_h: 1e15 };
        let split = whole.with_sessions(&[session]).expect("good").with_removal(3.0, 0.0).expect("good");
        assert!((split.dose_gy() / whole.dose_gy() - 1.0).abs() < 1e-12);
        let (a, b) = (split.protracted_square_gy2(&repair), whole.protracted_square_gy2(&repair));
        assert!((a / b - 1.0).abs() < 1e-12, "{a} {b}");
        let short = DoseCourse::infused(&rate, 1e-6).expect("good");
        assert!((short.protracted_square_gy2(&repair) / b - 1.0).abs() < 1e-6);
        assert!((DoseCourse::infused(&rate, 6.0).expect("good").dose_gy() / whole.dose_gy() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_cycle_of_no_dose_has_a_factor_and_no_effect() {
        let tissue = tissue(Some(2.8));
        let course = |gy: f64| DoseCourse::of(&DoseRate::mono(gy, 50.0).expect("good"));
        let none = tissue.of_course(&course(0.0));
        assert_eq!((none.dose_gy, none.bed_gy, none.eqd2_gy), (0.0, 0.0, 0.0));
        assert!((none.lea_catcheside_factor / (2.8 / 52.8) - 1.0).abs() < 1e-14);
        // Of any shape, and of any course of it.
        let scaled = three_terms().scaled_to(0.0).expect("good");
        let session = Session { start_h: 20.0, duration_h: 4.0, clearance_half_time_h: 3.0 };
        let of = |rate: &DoseRate| {
            let course = DoseCourse::infused(rate, 4.0).expect("good").with_sessions(&[session]).expect("good");
            tissue.of_course(&course.with_removal(60.0, 0.4).expect("good"))
        };
        let (empty, full) = (of(&scaled), of(&three_terms()));
        assert!((empty.lea_catcheside_factor / full.lea_catcheside_factor - 1.0).abs() < 1e-14, "{empty:?} {full:?}");
        assert_eq!((empty.dose_gy, empty.bed_gy, scaled.peak().gy_per_h), (0.0, 0.0, 0.0));
        assert_eq!(scaled.peak().time_h, three_terms().peak().time_h);
        let cycles = tissue.of_cycles(&[(0.0, course(3.0)), (24.0, course(0.0)), (48.0, course(2.0))]).expect("good");
        let without = tissue.of_cycles(&[(0.0, course(3.0)), (48.0, course(2.0))]).expect("good");
        assert!((cycles.bed_with_overlap_gy / without.bed_with_overlap_gy - 1.0).abs() < 1e-13, "{cycles:?}");
        assert_eq!(cycles.each[1].bed_gy, 0.0);
        // Where all was taken away there is no shape left.
        let taken = course(3.0).with_removal(0.0, 1.0).expect("good");
        assert_eq!(tissue.of_course(&taken).lea_catcheside_factor, 0.0);
        assert!(DoseRate::mono(-1.0, 50.0).is_err() && DoseRate::mono(f64::INFINITY, 50.0).is_err());
    }

    #[test]
    fn cycles_far_apart_add_and_cycles_at_once_are_one() {
        let course = |gy: f64| DoseCourse::of(&DoseRate::mono(gy, 40.0).expect("good"));
        let tissue = tissue(Some(2.8));
        let far = tissue.of_cycles(&[(0.0, course(3.0)), (1e5, course(3.0))]).expect("good");
        assert!((far.bed_with_overlap_gy / far.bed_gy - 1.0).abs() < 1e-14 && !far.overlap);
        let at_once = tissue.of_cycles(&[(7.0, course(3.0)), (7.0, course(3.0))]).expect("good");
        assert!((at_once.bed_with_overlap_gy / tissue.of_course(&course(6.0)).bed_gy - 1.0).abs() < 1e-12);
        assert!(at_once.overlap && at_once.overlap_relative() > 0.0);
        assert!(tissue.of_cycles(&[(1.0, course(3.0)), (0.0, course(3.0))]).is_err() && tissue.of_cycles(&[]).is_err());
    }

    #[test]
    fn a_dose_comes_back_from_its_bed() {
        let tissue = tissue(Some(2.8));
        for (dose_gy, factor) in [(0.0, 0.3), (5.0, 0.0), (5.0, 1.0), (30.0, 0.05)] {
            let bed_gy = tissue.bed_gy(dose_gy, factor);
            assert!((tissue.dose_with_bed_gy(bed_gy, factor) - dose_gy).abs() < 1e-12 * (1.0 + dose_gy));
        }
    }

    #[test]
    fn no_tissue_parameter_is_guessed() {
        let fields = |error: DoseError| error.violations().into_iter().map(|v| v.field).collect::<Vec<_>>();
        assert_eq!(fields(Tissue::of(None, None).expect_err("nothing is given")), ["alpha_beta_gy", "repair"]);
        let half = Repair::new(vec![RepairComponent { fraction: 0.5, half_time_h: None }]);
        assert_eq!(fields(Tissue::of(Some(0.0), Some(half)).expect_err("both are bad")), ["alpha_beta_gy", "repair"]);
    }
}
