//! The integral of a series of which a part is taken away on the way: by dialysis, drainage or resection.
//!
//! What is taken away leaves the same part of every component of the curve, so that the activity is that of a curve
//! without removal times the part that is kept. The points are compared with that product, and the integral is its own.

use std::f64::consts::LN_2;

use super::covariance::sigma_of;
use super::fitted_clearance::integrate_fitted;
use super::integrate::{Asked, check, found};
use super::removal::{Removal, RemovedActivity, SAME_H, Session};
use super::weighting::{Observation, Weighting, observations};
use super::window::{decayed, mean_decayed, product};
use super::{CurveOptions, Integration, ModelChoice, Point, Series, Window};
use crate::domain::{Checks, DoseError};

/// Where less is kept than this part, a scan says nothing of the curve.
pub(super) const LEAST_KEPT: f64 = 1e-6;

/// What is taken away, and when.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Removals {
    /// Sessions of extra clearance; they may not overlap.
    pub sessions: Vec<Session>,
    /// Those of them, by their place, whose half-time is one that nobody knows: it is fitted, and what stands there is
    /// not used.
    pub fitted: Vec<usize>,
    /// Parts taken away at once.
    pub at_once: Vec<Removal>,
}

/// A piece of time with one rate of extra clearance.
struct Piece {
    from_h: f64,
    /// None: without end.
    length_h: Option<f64>,
    clearance_per_h: f64,
    /// The part that is kept at its start.
    kept: f64,
}

impl Removals {
    /// Whether nothing is taken away.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.at_once.is_empty()
    }

    /// The same with a half-time of the sessions that have none [h].
    pub fn with_clearance(&self, half_time_h: f64) -> Self {
        let mut sessions = self.sessions.clone();
        for (_, one) in sessions.iter_mut().enumerate().filter(|(place, _)| self.fitted.contains(place)) {
            one.clearance_half_time_h = half_time_h;
        }
        Self { sessions, fitted: Vec::new(), at_once: self.at_once.clone() }
    }

    /// Checks it.
    ///
    /// * `infusion_h` – how long the infusion took [h]
    ///
    /// # Errors
    /// As [`RemovedActivity::integral`]; an infusion that is not over when the first part is taken away.
    pub fn check(&self, infusion_h: f64) -> Result<(), DoseError> {
        let whole = RemovedActivity {
            activity_at_zero_mbq: 1.0,
            physical_half_life_h: 1.0,
            biological_half_life_h: None,
            sessions: self.sessions.clone(),
            removals: self.at_once.clone(),
        };
        whole.check()?;
        let mut checks = Checks::new();
        if let Some(first_h) = self.times_h().first().filter(|first_h| infusion_h > **first_h + SAME_H) {
            checks.fail("sessions", format!("begin at {first_h} h, before the end of the infusion at {infusion_h} h"));
        }
        for (number, removal) in self.at_once.iter().enumerate().filter(|(_, removal)| removal.fraction >= 1.0) {
            let words = "is all of it: nothing is left that a curve could be fitted to";
            checks.fail(format!("removal_{}.fraction", number + 1), format!("{} {words}", removal.fraction));
        }
        checks.finish()
    }

    /// Where one piece ends and the next begins, in order [h].
    fn times_h(&self) -> Vec<f64> {
        let of_sessions = self.sessions.iter().flat_map(|one| [one.start_h, one.start_h + one.duration_h]);
        let mut times_h: Vec<f64> = of_sessions.chain(self.at_once.iter().map(|one| one.time_h)).collect();
        times_h.sort_by(f64::total_cmp);
        times_h.dedup_by(|later, kept| *later - *kept <= SAME_H);
        times_h
    }

    /// The part that is kept at a time, after what is taken away then.
    pub fn kept(&self, time_h: f64) -> f64 {
        let cleared =
            |one: &Session| LN_2 / one.clearance_half_time_h * (time_h - one.start_h).clamp(0.0, one.duration_h);
        let left = self.at_once.iter().filter(|one| one.time_h <= time_h + SAME_H).map(|one| 1.0 - one.fraction);
        (-self.sessions.iter().map(cleared).sum::<f64>()).exp() * left.product::<f64>()
    }

    /// Whether a part is taken away during a scan.
    fn is_within(&self, point: &Point) -> bool {
        let (from_h, to_h) = (point.time_h + SAME_H, point.time_h + point.duration_h - SAME_H);
        self.sessions.iter().any(|one| from_h < one.start_h + one.duration_h && one.start_h < to_h)
            || self.at_once.iter().any(|one| from_h < one.time_h && one.time_h < to_h)
    }

    /// The time from a moment on.
    fn pieces(&self, from_h: f64) -> Vec<Piece> {
        let ends_h = self.times_h().into_iter().filter(|time_h| *time_h > from_h);
        let bounds_h: Vec<f64> = std::iter::once(from_h).chain(ends_h).collect();
        let clearance = |middle_h: f64| {
            let is_inside = |one: &&Session| (one.start_h..one.start_h + one.duration_h).contains(&middle_h);
            self.sessions.iter().find(is_inside).map_or(0.0, |one| LN_2 / one.clearance_half_time_h)
        };
        (0..bounds_h.len())
            .map(|at| {
                let (from_h, next_h) = (bounds_h[at], bounds_h.get(at + 1).copied());
                Piece {
                    from_h,
                    length_h: next_h.map(|next_h| next_h - from_h),
                    clearance_per_h: next_h.map_or(0.0, |next_h| clearance(0.5 * (from_h + next_h))),
                    kept: self.kept(from_h),
                }
            })
            .collect()
    }

    /// Integral from a time to infinity of e^(−λt), averaged over the shifts of an infusion, times the part that is
    /// kept [h], and its derivative by λ. In closed form, piece by piece.
    ///
    /// * `infusion_h` – over before anything is taken away
    fn integral_after(&self, from_h: f64, infusion_h: f64, rate_per_h: f64) -> [f64; 2] {
        let window = |start_h: f64| Window { infusion_h, ..Window::at(start_h) };
        let all = |start_h: f64| window(start_h).integral_after(rate_per_h);
        let Some(first_h) = self.times_h().first().copied() else { return all(from_h) };
        let start_h = from_h.max(first_h);
        let mut sum = [0.0; 2];
        for Piece { from_h, length_h, clearance_per_h, kept } in self.pieces(start_h) {
            let piece_h = match length_h {
                Some(length_h) => mean_decayed(rate_per_h + clearance_per_h, length_h).map(|part| part * length_h),
                None => [1.0 / rate_per_h, -1.0 / (rate_per_h * rate_per_h)],
            };
            let piece = product(decayed(rate_per_h, from_h - start_h), piece_h);
            sum = [0, 1].map(|part| sum[part] + kept * piece[part]);
        }
        let later = product(window(start_h).mean(rate_per_h), sum);
        if from_h >= first_h {
            return later;
        }
        let (here, there) = (all(from_h), all(first_h));
        [0, 1].map(|part| here[part] - there[part] + later[part])
    }
}

/// The time-integrated activity of a series of which a part is taken away, from time 0 to infinity.
///
/// The curve, its parameters and half-lives are those without removal. A scan at the time of a removal is one after it.
/// Half-times of sessions that nobody knows are fitted with the curve, one for all of them.
///
/// # Errors
/// As [`super::integrate()`]; times and parts that are none; a scan within a session; points that no exponential can be
/// fitted to, since pieces know of no sessions; points that do not tell a half-time that is to be fitted.
pub fn integrate_removed(
    series: &Series,
    options: &CurveOptions,
    removals: &Removals,
) -> Result<Integration, DoseError> {
    if removals.fitted.is_empty() {
        integrate_known(series, options, removals)
    } else {
        integrate_fitted(series, options, removals)
    }
}

/// As [`integrate_removed`], where every half-time is known.
pub(super) fn integrate_known(
    series: &Series,
    options: &CurveOptions,
    removals: &Removals,
) -> Result<Integration, DoseError> {
    let weighting =
        options.weighting.unwrap_or(if series.has_sigma() { Weighting::Sigma } else { Weighting::Relative });
    check(series, options.model, weighting)?;
    removals.check(series.infusion_h())?;
    let mut checks = Checks::new();
    if options.model == ModelChoice::TrapezoidTail {
        checks.fail("model", "trapezoid_tail: pieces know of no sessions; name an exponential, or auto");
    }
    for point in series.points().iter().filter(|point| removals.is_within(point)) {
        checks.fail("points", format!("the scan at {} h is one during which a part is taken away", point.time_h));
    }
    for point in series.points().iter().filter(|point| removals.kept(point.time_h) < LEAST_KEPT) {
        let words = format!("at the scan at {} h less than {LEAST_KEPT:e} of the activity is kept", point.time_h);
        checks.fail("points", words);
    }
    checks.finish()?;
    if series.points().iter().all(|point| point.activity_mbq <= 0.0) {
        return Ok(Integration::nothing(series));
    }
    let kept: Vec<f64> = series.points().iter().map(|point| removals.kept(point.time_h)).collect();
    // Weights are those of what was measured.
    let whole = |(point, kept): (Observation, &f64)| Observation {
        activity_mbq: point.activity_mbq / kept,
        sigma: point.sigma / kept,
        ..point
    };
    let points = observations(series, weighting).into_iter().zip(&kept).map(whole).collect();
    let asked = Asked { series, options, given_sigma: weighting == Weighting::Sigma, points };
    with_removals(found(&asked)?, series, removals, &kept)
}

/// The integral and the points of what is left, in place of those of the curve without removal.
fn with_removals(
    mut found: Integration,
    series: &Series,
    removals: &Removals,
    kept: &[f64],
) -> Result<Integration, DoseError> {
    let (Some(curve), Some(quality)) = (found.curve.clone(), found.quality.as_mut()) else {
        let words = "are such that no exponential can be fitted, and pieces know of no sessions";
        return Err(DoseError::invalid("points", words));
    };
    for (residual, kept) in quality.residuals.iter_mut().zip(kept) {
        residual.activity_mbq *= kept;
        residual.fitted_mbq *= kept;
    }
    let after = |from_h: f64| move |rate_per_h: f64| removals.integral_after(from_h, series.infusion_h(), rate_per_h);
    let whole = curve.apply(after(0.0)).0;
    let sigma = sigma_of(&curve, quality.covariance.as_deref(), after(0.0));
    let times = [series.points().first(), series.points().last()].map(|point| point.map_or(0.0, |point| point.time_h));
    let [first, last] = times.map(|time_h| curve.apply(after(time_h)).0 / whole);
    Ok(found.of_what_is_left(series, whole, sigma, [1.0 - first, last]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clinic::{Flag, Moment, PointDraft, SeriesDraft, Shape, ValueRefersTo};

    fn removals() -> Removals {
        let session = |start_h| Session { start_h, duration_h: 4.0, clearance_half_time_h: 3.2 };
        Removals {
            sessions: vec![session(66.0), session(20.0)],
            at_once: vec![Removal { time_h: 30.0, fraction: 0.3 }],
            ..Removals::default()
        }
    }

    /// A patient with one biological half-life, and what is taken away.
    fn patient(activity_at_zero_mbq: f64, biological_half_life_h: f64) -> RemovedActivity {
        let Removals { sessions, at_once, .. } = removals();
        RemovedActivity {
            activity_at_zero_mbq,
            physical_half_life_h: 192.6,
            biological_half_life_h: Some(biological_half_life_h),
            sessions,
            removals: at_once,
        }
    }

    /// The series of such patients added up, measured at once, in numbers of its own.
    fn series(patients: &[RemovedActivity], times_h: &[f64], part: f64, changed: Option<usize>) -> Series {
        let activity = |time_h: f64| -> f64 {
            let of = |one: &RemovedActivity| {
                let rate = LN_2 / 192.6 + one.biological_half_life_h.map_or(0.0, |half_life_h| LN_2 / half_life_h);
                one.activity_at_zero_mbq * (-rate * time_h).exp() * removals().kept(time_h)
            };
            patients.iter().map(of).sum()
        };
        let point = |(number, time_h): (usize, &f64)| {
            let activity_mbq = activity(*time_h);
            let moved = if changed == Some(number) { 1.0 + 1e-5 } else { 1.0 };
            PointDraft {
                time: Moment::Hours(*time_h),
                activity_mbq: activity_mbq * moved,
                sigma_mbq: Some(activity_mbq * part),
                duration_h: None,
            }
        };
        let draft = SeriesDraft {
            points: times_h.iter().enumerate().map(point).collect(),
            injection: None,
            physical_half_life_h: 192.6,
            administered_activity_mbq: Some(3700.0),
            infusion_h: 0.0,
            refers_to: ValueRefersTo::AcquisitionMean,
        };
        Series::new(&draft).expect("a good series")
    }

    const TIMES_H: [f64; 6] = [2.0, 18.0, 25.0, 50.0, 72.0, 120.0];

    #[test]
    fn the_integral_is_that_of_what_is_left() {
        for patients in [vec![patient(3700.0, 400.0)], vec![patient(3000.0, 500.0), patient(700.0, 9.0)]] {
            let shape = if patients.len() == 1 { Shape::Mono } else { Shape::BiWashout };
            let options = CurveOptions { model: ModelChoice::Exponentials(shape), ..CurveOptions::default() };
            let measured = series(&patients, &TIMES_H, 0.03, None);
            let found = integrate_removed(&measured, &options, &removals()).expect("a good series");
            let right = |of: fn(&RemovedActivity) -> f64| patients.iter().map(of).sum::<f64>();
            let tia = right(|one| one.integral().expect("a patient").tia_mbq_h);
            assert!((found.tia_mbq_h / tia - 1.0).abs() < 1e-6, "{shape:?} {} {tia}", found.tia_mbq_h);
            assert!((found.tia_coefficient_h.expect("administered") * 3700.0 / tia - 1.0).abs() < 1e-6);
            let whole = right(|one| one.integral().expect("a patient").tia_without_removal_mbq_h);
            let curve = found.curve.as_ref().expect("a curve");
            assert!((curve.integral() / whole - 1.0).abs() < 1e-6, "{shape:?}");
            for (residual, point) in found.quality.as_ref().expect("a fit").residuals.iter().zip(measured.points()) {
                assert!((residual.fitted_mbq / point.activity_mbq - 1.0).abs() < 1e-6, "{residual:?}");
                assert!((residual.activity_mbq / point.activity_mbq - 1.0).abs() < 1e-12, "{residual:?}");
            }
            // Without the sessions the curve is another one.
            let ignored = super::super::integrate(&measured, &options);
            assert!(ignored.is_err() || (ignored.expect("a fit").tia_mbq_h / tia - 1.0).abs() > 0.02);
        }
    }

    #[test]
    fn sigma_is_the_spread_of_the_integral_over_small_changes() {
        let patients = [patient(3700.0, 400.0)];
        let options = CurveOptions { model: ModelChoice::Exponentials(Shape::Mono), ..CurveOptions::default() };
        let tia = |changed: Option<usize>| {
            let measured = series(&patients, &TIMES_H, 0.03, changed);
            integrate_removed(&measured, &options, &removals()).expect("a good series")
        };
        let plain = tia(None);
        let slopes = (0..TIMES_H.len()).map(|at| (tia(Some(at)).tia_mbq_h - plain.tia_mbq_h) / 1e-5 * 0.03);
        let spread = slopes.map(|slope| slope * slope).sum::<f64>().sqrt();
        let sigma = plain.tia_sigma_mbq_h.expect("it exists");
        assert!((sigma / spread - 1.0).abs() < 1e-3, "{sigma} {spread}");
        let [before, after] = plain.fractions.expect("parts");
        assert!(before > 0.0 && after > 0.0 && before + after < 1.0, "{before} {after}");
        assert_eq!(plain.flags.contains(&Flag::LargeTail), after > 0.3);
    }

    #[test]
    fn nothing_taken_away_changes_nothing() {
        let measured = series(&[patient(3700.0, 400.0)], &TIMES_H[..2], 0.03, None);
        let options = CurveOptions::default();
        let with = integrate_removed(&measured, &options, &Removals::default()).expect("a good series");
        let without = super::super::integrate(&measured, &options).expect("a good series");
        assert!((with.tia_mbq_h / without.tia_mbq_h - 1.0).abs() < 1e-12);
        assert_eq!((with.flags, with.curve), (without.flags, without.curve));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let measured = series(&[patient(3700.0, 400.0)], &TIMES_H, 0.03, None);
        let refused = |options: &CurveOptions, removals: &Removals| {
            integrate_removed(&measured, options, removals).expect_err("it is refused").to_string()
        };
        let auto = CurveOptions::default();
        let pieces = CurveOptions { model: ModelChoice::TrapezoidTail, ..auto };
        assert!(refused(&pieces, &removals()).contains("pieces know of no sessions"));
        let all = Removals { at_once: vec![Removal { time_h: 30.0, fraction: 1.0 }], ..Removals::default() };
        assert!(refused(&auto, &all).contains("removal_1.fraction"));
        let twice = Removals { sessions: [removals().sessions, removals().sessions].concat(), ..Removals::default() };
        assert!(refused(&auto, &twice).contains("before another ends"));
        let clearance_half_time_h = 1e-3;
        let short = Session { start_h: 20.0, duration_h: 4.0, clearance_half_time_h };
        let nothing_left = Removals { sessions: vec![short], ..Removals::default() };
        assert!(refused(&auto, &nothing_left).contains("at the scan at 25 h less than 1e-6"));
        let mut long = measured.points().to_vec();
        long[1].duration_h = 3.0;
        let within = integrate_removed(&measured.with_points(long), &auto, &removals());
        assert!(within.expect_err("within a session").to_string().contains("the scan at 18 h"));
    }
}
