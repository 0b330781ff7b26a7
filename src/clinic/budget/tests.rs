use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use super::*;
use crate::clinic::recovery::Sphere;

/// Samples of the check by sampling; the spread of so many is known to 0.11 %.
const SAMPLES: u32 = 400_000;
/// So small that first order is all there is.
const SMALL: f64 = 0.02;

fn tumour() -> BudgetInputs {
    BudgetInputs {
        volume_cm3: 22.0,
        outline: Some(Outline { voxel_width_mm: 0.98, fwhm_mm: 1.5, operator_edge_sigma_mm: Some(1.0) }),
        activity_fwhm_mm: Some(11.0),
        recovery: Some(RecoveryCurve::known(3.1, 0.82, Some([[0.16, -0.012], [-0.012, 0.0025]])).expect("good")),
        calibration: Some(0.03),
        fit: Some(0.04),
        dose_factor_exponent: 0.97,
        dose_factor: Some(0.01),
        monte_carlo: Some(0.004),
        density: Some(0.02),
    }
}

/// The spread of doses whose every input is drawn at random, all σ made small: each volume changes the counts, the
/// recovery coefficient and the dose factor at once.
fn sampled(inputs: &BudgetInputs, volume_sigma: f64) -> f64 {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let mut draw = || -> f64 { SMALL * <StandardNormal as Distribution<f64>>::sample(&StandardNormal, &mut random) };
    let curve = inputs.recovery.clone().expect("there is one");
    let [[v11, v12], [_, v22]] = curve.covariance.expect("there is one");
    let (l11, l21) = (v11.sqrt(), v12 / v11.sqrt());
    let l22 = (v22 - l21 * l21).sqrt();
    let v0 = inputs.volume_cm3;
    let recovery0 = curve.coefficient(v0);
    let counts_exponent =
        edge_factor(equivalent_diameter_mm(v0), inputs.activity_fwhm_mm.expect("given")) / (2.0 * recovery0);
    let (mut sum, mut square) = (0.0, 0.0);
    for _ in 0..SAMPLES {
        let v = v0 * (1.0 + volume_sigma * draw());
        let (z1, z2) = (draw(), draw());
        let drawn =
            RecoveryCurve { b1_cm3: curve.b1_cm3 + l11 * z1, b2: curve.b2 + l21 * z1 + l22 * z2, ..curve.clone() };
        let counts = (v / v0).powf(counts_exponent) * recovery0;
        let factor = |sigma: Option<f64>, z: f64| 1.0 + sigma.unwrap_or(0.0) * z;
        let activity = counts / drawn.coefficient(v) / factor(inputs.calibration, draw()) * factor(inputs.fit, draw());
        let dose = activity
            * (v / v0).powf(-inputs.dose_factor_exponent)
            * factor(inputs.dose_factor, draw())
            * factor(inputs.monte_carlo, draw())
            * factor(inputs.density, draw());
        sum += dose;
        square += dose * dose;
    }
    let mean = sum / f64::from(SAMPLES);
    (square / f64::from(SAMPLES) - mean * mean).sqrt() / mean / SMALL
}

#[test]
fn the_total_is_the_spread_of_samples() {
    for inputs in
        [tumour(), BudgetInputs { volume_cm3: 160.0, ..tumour() }, BudgetInputs { volume_cm3: 3.0, ..tumour() }]
    {
        let budget = Budget::new(&inputs).expect("good");
        let volume_sigma = budget.volume.expect("an outline").volume_relative_sigma;
        let spread = sampled(&inputs, volume_sigma);
        let ratio = budget.dose_relative_sigma / spread;
        assert!((ratio - 1.0).abs() < 0.01, "{} cm³: {} {spread}", inputs.volume_cm3, budget.dose_relative_sigma);
    }
}

#[test]
fn activity_and_dose_factor_add_up_with_their_covariance() {
    let budget = Budget::new(&tumour()).expect("good");
    let volume = budget.volume.expect("an outline");
    let others = sum_of_squares(&[0.01, 0.004, 0.02]);
    let total = budget.tia_relative_sigma.powi(2)
        + volume.dose_factor_relative_sigma_from_volume.powi(2)
        + 2.0 * volume.tia_dose_factor_covariance_relative
        + others;
    assert!((total.sqrt() / budget.dose_relative_sigma - 1.0).abs() < 1e-12);
    assert!(budget.dose_relative_sigma < budget.dose_relative_sigma_if_independent);
    assert!(!budget.is_lower_bound && budget.flags.is_empty());
}

#[test]
fn what_is_not_given_is_said_and_bounds_from_below() {
    let bare = BudgetInputs {
        volume_cm3: 22.0,
        calibration: Some(0.03),
        dose_factor_exponent: 1.0,
        ..BudgetInputs::default()
    };
    let budget = Budget::new(&bare).expect("good");
    assert!(budget.is_lower_bound && (budget.dose_relative_sigma - 0.03).abs() < 1e-15);
    let not_given: Vec<&str> =
        budget.parts.iter().filter(|part| part.source == PartSource::NotGiven).map(|part| part.name).collect();
    assert_eq!(not_given, ["fit", "recovery_fit", "volume", "dose_factor", "monte_carlo", "density"]);
    let zero = BudgetInputs { dose_factor: Some(0.0), ..bare };
    assert_eq!(Budget::new(&zero).expect("good").part("dose_factor"), Some(0.0), "0 is given");
}

#[test]
fn a_very_uncertain_volume_has_a_flag() {
    let outline = Outline { voxel_width_mm: 4.42, fwhm_mm: 11.0, operator_edge_sigma_mm: None };
    let budget = Budget::new(&BudgetInputs { volume_cm3: 4.0, outline: Some(outline), ..tumour() }).expect("good");
    assert_eq!(budget.flags, [VOLUME_UNCERTAINTY_LARGE]);
}

#[test]
fn an_outline_of_which_nobody_says_who_drew_it_bounds_from_below() {
    let of = |operator_edge_sigma_mm: Option<f64>| {
        let outline = Some(Outline { voxel_width_mm: 0.98, fwhm_mm: 1.5, operator_edge_sigma_mm });
        Budget::new(&BudgetInputs { outline, ..tumour() }).expect("good")
    };
    let [unknown, nobody, somebody] = [None, Some(0.0), Some(1.0)].map(of);
    assert!(unknown.is_lower_bound && !nobody.is_lower_bound && !somebody.is_lower_bound);
    // It is a bound: the volume is no better known than without a hand.
    assert_eq!(unknown.dose_relative_sigma, nobody.dose_relative_sigma);
    assert!(somebody.dose_relative_sigma > unknown.dose_relative_sigma);
}

#[test]
fn a_volume_outside_the_spheres_has_a_flag() {
    let sphere = |(volume_cm3, recovery_coefficient)| Sphere { volume_cm3, recovery_coefficient, sigma: None };
    let curve = RecoveryCurve::fit(&[(1.0, 0.3), (5.0, 0.55), (20.0, 0.8)].map(sphere)).expect("a good fit");
    let of = |volume_cm3: f64| {
        let inputs = BudgetInputs { volume_cm3, recovery: Some(curve.clone()), ..tumour() };
        Budget::new(&inputs).expect("good").flags
    };
    assert_eq!((of(10.0), of(160.0)), (vec![], vec![EXTRAPOLATED]));
    assert_eq!((flag_name(EXTRAPOLATED), flag_name("other")), (Some(EXTRAPOLATED), None));
}

#[test]
fn over_cycles_random_parts_add_in_squares_and_others_linearly() {
    let only = |calibration: Option<f64>, fit: Option<f64>| {
        Budget::new(&BudgetInputs { volume_cm3: 10.0, calibration, fit, ..BudgetInputs::default() }).expect("good")
    };
    let cycles = |budget: Budget| [(3.0, budget.clone()), (4.0, budget)];
    assert!((sum_of_cycles_sigma_gy(&cycles(only(Some(0.1), None)), true) - 0.7).abs() < 1e-14);
    assert!((sum_of_cycles_sigma_gy(&cycles(only(None, Some(0.1))), true) - 0.5).abs() < 1e-14);
    let inputs = BudgetInputs {
        fit: None,
        calibration: None,
        dose_factor: None,
        monte_carlo: None,
        density: None,
        recovery: None,
        ..tumour()
    };
    let budget = Budget::new(&inputs).expect("good");
    let part = budget.part("volume").expect("an outline");
    assert!((sum_of_cycles_sigma_gy(&cycles(budget.clone()), true) / (7.0 * part) - 1.0).abs() < 1e-12);
    assert!((sum_of_cycles_sigma_gy(&cycles(budget.clone()), false) / (5.0 * part) - 1.0).abs() < 1e-12);
    assert_eq!(budget.random_and_systematic(true), [0.0, part]);
    assert_eq!(budget.random_and_systematic(false), [part, 0.0]);
}

#[test]
fn every_bad_value_is_named() {
    let bad = BudgetInputs {
        volume_cm3: 0.0,
        activity_fwhm_mm: None,
        calibration: Some(-0.1),
        fit: Some(f64::NAN),
        ..tumour()
    };
    let fields: Vec<String> =
        Budget::new(&bad).expect_err("bad").violations().into_iter().map(|violation| violation.field).collect();
    assert_eq!(fields, ["volume_cm3", "calibration_relative_sigma", "fit_relative_sigma", "activity_fwhm_mm"]);
}
