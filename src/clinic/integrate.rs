//! From a series to its integral.

use super::candidate::{Tries, choose};
use super::fit::{Fit, fit, fit_held};
use super::weighting::{Observation, observations};
use super::{CurveOptions, Flag, Integration, ModelChoice, Series, Shape, Weighting, pieces};
use crate::domain::{Checks, DoseError, Invalid};

/// The time-integrated activity of a series, from time 0 to infinity.
///
/// The same points give the same bytes, in whatever order they came.
///
/// # Errors
/// If the series has fewer different times than the model needs, weights are asked for that it has no σ for, or a model
/// that was named cannot be fitted.
pub fn integrate(series: &Series, options: &CurveOptions) -> Result<Integration, DoseError> {
    integrate_with(series, options, Tries::All)
}

/// As [`integrate`], without models that cannot be chosen: the candidates are those that were tried.
pub(super) fn integrate_decided(series: &Series, options: &CurveOptions) -> Result<Integration, DoseError> {
    integrate_with(series, options, Tries::UntilDecided)
}

fn integrate_with(series: &Series, options: &CurveOptions, tries: Tries) -> Result<Integration, DoseError> {
    let weighting =
        options.weighting.unwrap_or(if series.has_sigma() { Weighting::Sigma } else { Weighting::Relative });
    check(series, options.model, weighting)?;
    if series.points().iter().all(|point| point.activity_mbq <= 0.0) {
        return Ok(Integration::nothing(series));
    }
    let asked =
        Asked { series, options, given_sigma: weighting == Weighting::Sigma, points: observations(series, weighting) };
    found_by(&asked, tries)
}

/// What comes of a checked series with activity.
pub(super) fn found(asked: &Asked<'_>) -> Result<Integration, DoseError> {
    found_by(asked, Tries::All)
}

fn found_by(asked: &Asked<'_>, tries: Tries) -> Result<Integration, DoseError> {
    match asked.options.model {
        ModelChoice::TrapezoidTail => Ok(asked.pieces(vec![])),
        ModelChoice::Physical => asked.physical("physical", vec![]).ok_or_else(|| {
            DoseError::invalid("model", "physical: its best amplitude is not above 0; name another, or auto")
        }),
        ModelChoice::Auto => Ok(asked.auto(tries)),
        ModelChoice::Exponentials(Shape::Mono) => Ok(asked.mono(fit(Shape::Mono, &asked.points, asked.given_sigma))),
        ModelChoice::Exponentials(shape) => asked.named(shape),
    }
}

/// A series and how it is integrated.
pub(super) struct Asked<'a> {
    pub(super) series: &'a Series,
    pub(super) options: &'a CurveOptions,
    pub(super) given_sigma: bool,
    pub(super) points: Vec<Observation>,
}

impl Asked<'_> {
    fn pieces(&self, flags: Vec<Flag>) -> Integration {
        Integration::by_pieces(self.series, pieces::integrate(self.series, self.options.pieces), flags)
    }

    fn fitted(&self, model: &'static str, fit: Fit, flags: Vec<Flag>) -> Integration {
        Integration::by_fit(self.series, model, fit, &self.points, self.given_sigma, flags)
    }

    /// One exponential with the rate of physical decay; none if its amplitude is not above 0.
    fn physical(&self, model: &'static str, flags: Vec<Flag>) -> Option<Integration> {
        let fit = fit_held(self.series.physical_rate_per_h(), &self.points, self.given_sigma);
        (fit.curve.parameters()[0] > 0.0).then(|| self.fitted(model, fit, flags))
    }

    /// One exponential, within the bounds of physics.
    fn mono(&self, fit: Option<Fit>) -> Integration {
        match fit {
            None => self.pieces(vec![Flag::NoFit]),
            Some(fit) if !fit.is_bounded => self.pieces(vec![Flag::NoFit]),
            Some(fit) if fit.does_not_fall() => self.pieces(vec![Flag::Rising]),
            Some(fit) if fit.curve.rates()[0] < self.series.physical_rate_per_h() => {
                let held = self.physical(Shape::Mono.name(), vec![Flag::RateAtPhysicalLimit]);
                held.unwrap_or_else(|| self.pieces(vec![Flag::NoFit]))
            }
            Some(fit) => self.fitted(Shape::Mono.name(), fit, vec![]),
        }
    }

    fn auto(&self, tries: Tries) -> Integration {
        let rate_per_h = self.series.physical_rate_per_h();
        let choice = choose(&self.points, self.series.distinct_times(), self.given_sigma, rate_per_h, tries);
        let found = match choice.chosen {
            Some(fit) => {
                let flags = if choice.is_uncorrected { vec![Flag::AicUncorrected] } else { vec![] };
                self.fitted(fit.curve.shape().name(), fit, flags)
            }
            None => self.mono(choice.mono),
        };
        // Where there was one, there was no choice.
        let candidates = if choice.candidates.len() > 1 { choice.candidates } else { vec![] };
        Integration { candidates, ..found }
    }

    /// A model that was asked for by name, as it was asked for.
    fn named(&self, shape: Shape) -> Result<Integration, DoseError> {
        let refused = |reason: String| Err(DoseError::invalid("model", reason));
        let Some(fit) = fit(shape, &self.points, self.given_sigma).filter(|fit| fit.is_bounded) else {
            return refused(format!("{}: the fit does not come to an end; name another, or auto", shape.name()));
        };
        let physical = self.series.physical_rate_per_h();
        let slowest = fit.curve.rates()[0];
        if slowest < physical {
            return refused(format!(
                "{}: the fitted rate of {slowest:.4e}/h is below that of physical decay, {physical:.4e}/h; name \
                 another, or auto",
                shape.name()
            ));
        }
        Ok(self.fitted(shape.name(), fit, vec![]))
    }
}

/// Checks a series against what is asked of it.
pub(super) fn check(series: &Series, model: ModelChoice, weighting: Weighting) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    if weighting == Weighting::Sigma && !series.has_sigma() {
        checks.fail("weighting", "sigma: the points have none; name relative, poisson or none");
    }
    let (times, needed) = (series.distinct_times(), model.least_times());
    if times < needed {
        let of_one = "one time needs a method by name: physical, population_half_life, haenscheid or prior_curve";
        let reason = if times == 1 {
            of_one.to_owned()
        } else {
            format!("{} needs {needed} different times, there are {times}", model.name())
        };
        checks.at::<()>("points", Err(Invalid::new(reason)));
    }
    checks.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clinic::{Moment, PointDraft, SeriesDraft, ValueRefersTo};

    fn draft(points: &[[f64; 2]]) -> SeriesDraft {
        let point = |[time_h, activity_mbq]: &[f64; 2]| PointDraft {
            time: Moment::Hours(*time_h),
            activity_mbq: *activity_mbq,
            sigma_mbq: Some(0.05 * activity_mbq.abs() + 0.1),
            duration_h: None,
        };
        SeriesDraft {
            points: points.iter().map(point).collect(),
            injection: None,
            physical_half_life_h: 159.5,
            administered_activity_mbq: Some(7400.0),
            infusion_h: 0.0,
            refers_to: ValueRefersTo::AcquisitionMean,
        }
    }

    fn auto(draft: &SeriesDraft) -> Integration {
        integrate(&Series::new(draft).expect("a series"), &CurveOptions::default()).expect("an integral")
    }

    const SERIES: [&[[f64; 2]]; 5] = [
        &[[2.0, 4.3], [22.0, 23.0], [70.0, 20.0], [166.0, 9.3]],
        &[[4.0, 24.0], [24.0, 11.8], [72.0, 1.9], [168.0, -0.4]],
        &[[24.0, 50.0], [48.0, 47.6], [96.0, 38.1], [168.0, 30.9]],
        &[[4.0, 31.0], [26.0, 44.0]],
        &[[24.0, 106.0], [24.0, 94.0], [72.0, 53.0], [120.0, 25.0], [168.0, 12.9]],
    ];

    #[test]
    fn the_order_of_the_points_changes_no_byte() {
        for points in SERIES {
            let right = auto(&draft(points));
            let mut shuffled = points.to_vec();
            for turn in 1..points.len() {
                shuffled.rotate_left(turn);
                let found = auto(&draft(&shuffled));
                assert_eq!(found, right);
                assert_eq!(found.to_json().to_string(), right.to_json().to_string());
            }
        }
    }

    #[test]
    fn nothing_falls_slower_than_physics() {
        for points in SERIES {
            let found = auto(&draft(points));
            if let Some(curve) = &found.curve {
                let slowest = curve.rates()[0];
                assert!(slowest >= 2.0_f64.ln() / 159.5, "{found:?}");
            }
            let is_held = found.flags.contains(&Flag::RateAtPhysicalLimit);
            assert_eq!(is_held, points[0][1] == 50.0, "{found:?}");
            assert_eq!(found.flags.contains(&Flag::Rising), points[0][1] == 31.0, "{found:?}");
        }
    }

    #[test]
    fn four_points_are_judged_without_the_small_sample_term_whatever_becomes_of_the_uptake() {
        // Falling from the first point on, there is no uptake to fit: the rate of one would grow without end.
        let falling = [[4.0, 150.0], [24.0, 112.0], [72.0, 41.0], [160.0, 15.6]];
        let two_times = [[24.0, 50.0], [24.0, 54.0], [96.0, 20.0], [96.0, 21.0]];
        for points in [SERIES[0], SERIES[1], &falling, &two_times] {
            assert!(auto(&draft(points)).flags.contains(&Flag::AicUncorrected), "{points:?}");
        }
        let fifth = [falling.as_slice(), &[[200.0, 9.0]]].concat();
        for points in [fifth.as_slice(), &falling[..3], SERIES[2]] {
            assert!(!auto(&draft(points)).flags.contains(&Flag::AicUncorrected), "{points:?}");
        }
    }

    #[test]
    fn values_corrected_in_three_ways_are_one_series() {
        let points = SERIES[4];
        let rate = 2.0_f64.ln() / 159.5;
        let with = |refers_to: ValueRefersTo, factor: &dyn Fn(f64, f64) -> f64| {
            let mut draft = SeriesDraft { refers_to, ..draft(points) };
            for (point, [time_h, _]) in draft.points.iter_mut().zip(points) {
                let factor = factor(*time_h, 20.0);
                (point.activity_mbq, point.duration_h) = (point.activity_mbq * factor, Some(20.0));
                point.sigma_mbq = point.sigma_mbq.map(|sigma| sigma * factor);
            }
            auto(&draft).tia_mbq_h
        };
        let mean = with(ValueRefersTo::AcquisitionMean, &|_, _| 1.0);
        let at_start = |_: f64, d: f64| rate * d / (1.0 - (-rate * d).exp());
        let start = with(ValueRefersTo::AcquisitionStart, &at_start);
        let injection = with(ValueRefersTo::Injection, &|t, d| at_start(t, d) * (rate * t).exp());
        assert!(
            (start / mean - 1.0).abs() < 1e-9 && (injection / mean - 1.0).abs() < 1e-9,
            "{mean} {start} {injection}"
        );
    }

    #[test]
    fn a_model_that_cannot_be_is_refused_by_name() {
        let series = Series::new(&draft(SERIES[2])).expect("a series");
        let ask = |name: &str| {
            let model = crate::clinic::by_name(name, &ModelChoice::ALL, ModelChoice::name).expect("a name");
            integrate(&series, &CurveOptions { model, ..CurveOptions::default() })
        };
        for (name, part) in [("bi_washout", "below that of physical decay"), ("tri_uptake", "needs 5 different times")]
        {
            let error = ask(name).expect_err("a refusal").to_string();
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(ask("mono").expect("held").flags, [Flag::LargeTail, Flag::RateAtPhysicalLimit]);
        let unweighted = SeriesDraft {
            points: draft(SERIES[2]).points.into_iter().map(|p| PointDraft { sigma_mbq: None, ..p }).collect(),
            ..draft(SERIES[2])
        };
        let series = Series::new(&unweighted).expect("a series");
        let sigma = CurveOptions { weighting: Some(Weighting::Sigma), ..CurveOptions::default() };
        assert!(integrate(&series, &sigma).expect_err("no σ").to_string().contains("weighting"));
    }

    #[test]
    fn numbers_that_no_series_has_are_refused_and_the_largest_give_finite_integrals() {
        type Change = fn(&mut SeriesDraft, f64);
        let largest: [(&str, f64, Change); 5] = [
            ("infusion_h", 1e6, |draft, value| draft.infusion_h = value),
            ("administered_activity_mbq", 1e15, |draft, value| draft.administered_activity_mbq = Some(value)),
            ("point_1.time", 1e6, |draft, value| draft.points[0].time = Moment::Hours(value)),
            ("point_1.activity_mbq", 1e15, |draft, value| draft.points[0].activity_mbq = value),
            ("point_1.sigma_mbq", 1e15, |draft, value| draft.points[0].sigma_mbq = Some(value)),
        ];
        for (field, most, change) in largest {
            let mut draft = draft(SERIES[0]);
            change(&mut draft, most);
            let found = auto(&draft);
            assert!(
                found.tia_mbq_h.is_finite() && found.tia_sigma_mbq_h.is_none_or(f64::is_finite),
                "{field}: {found:?}"
            );
            for beyond in [1.001 * most, 1e300, f64::INFINITY, f64::NAN] {
                change(&mut draft, beyond);
                let refused = Series::new(&draft).expect_err(field).to_string();
                assert!(refused.contains(field), "{refused}");
            }
        }
    }

    #[test]
    fn without_activity_there_is_none() {
        let found = auto(&draft(&[[4.0, 0.0], [24.0, -0.1], [72.0, 0.0]]));
        assert_eq!((found.tia_mbq_h, found.tia_sigma_mbq_h, found.model), (0.0, None, "none"));
        assert_eq!(found.flags, [Flag::NoActivity]);
    }

    #[test]
    fn a_spike_before_nothing_is_not_extrapolated() {
        let found = auto(&draft(&[[24.0, 10.0], [48.0, -1.0], [72.0, -2.0]]));
        assert_eq!(found.model, "trapezoid_tail");
        assert!(found.tia_mbq_h.abs() < 500.0, "{found:?}");
        assert_eq!(found.flags, [Flag::NoFit]);
        let by_name = CurveOptions { model: ModelChoice::TrapezoidTail, ..CurveOptions::default() };
        let series = Series::new(&draft(&[[24.0, 10.0], [48.0, -1.0], [72.0, -2.0]])).expect("a series");
        assert!(integrate(&series, &by_name).expect("pieces").flags.is_empty());
    }
}
