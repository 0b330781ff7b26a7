//! Activity that is taken away: by dialysis, drainage or resection, and by voiding.

use std::f64::consts::LN_2;

use serde::Serialize;

use super::window::phi_1;
use crate::domain::{Checks, DoseError};

/// Times this near to each other are one: an end is a sum, and its last digit is rounding [h].
pub(super) const SAME_H: f64 = 1e-9;

/// A session of extra clearance, such as dialysis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Session {
    /// Its start [h].
    pub start_h: f64,
    /// How long it takes [h].
    pub duration_h: f64,
    /// Half-time of what it clears besides [h].
    pub clearance_half_time_h: f64,
}

/// A part that is taken away at once, such as by drainage or resection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Removal {
    /// When [h].
    pub time_h: f64,
    /// Which part of what is there then.
    pub fraction: f64,
}

/// An activity that falls by decay and biological clearance, and is taken away besides.
#[derive(Clone, Debug, PartialEq)]
pub struct RemovedActivity {
    /// Activity at time 0 [MBq].
    pub activity_at_zero_mbq: f64,
    /// Physical half-life [h].
    pub physical_half_life_h: f64,
    /// Biological half-life without removal [h]; none: physical decay alone.
    pub biological_half_life_h: Option<f64>,
    /// Sessions; they may not overlap.
    pub sessions: Vec<Session>,
    /// Parts taken away at once.
    pub removals: Vec<Removal>,
}

/// The activity at a time, after what is taken away then.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ActivityAfter {
    /// When [h].
    pub time_h: f64,
    /// What is left [MBq].
    pub activity_after_mbq: f64,
}

/// The integral of an activity that is partly taken away.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RemovedIntegral {
    /// Time-integrated activity from 0 to infinity [MBq·h].
    pub tia_mbq_h: f64,
    /// What it would be if nothing were taken away [MBq·h].
    pub tia_without_removal_mbq_h: f64,
    /// Activity at the start and end of each session, and after each removal.
    pub activities: Vec<ActivityAfter>,
}

impl RemovedActivity {
    /// Its integral, piece by piece in closed form: the rate is λ + ln 2/T within a session and λ outside.
    ///
    /// # Errors
    /// Every time, half-life and part that is not one, by its number counted from 1; sessions that overlap.
    pub fn integral(&self) -> Result<RemovedIntegral, DoseError> {
        self.check()?;
        let biological = self.biological_half_life_h.map_or(0.0, |half_life_h| LN_2 / half_life_h);
        let rate_per_h = LN_2 / self.physical_half_life_h + biological;
        let of_sessions =
            self.sessions.iter().flat_map(|session| [session.start_h, session.start_h + session.duration_h]);
        let mut times_h: Vec<f64> = of_sessions.chain(self.removals.iter().map(|removal| removal.time_h)).collect();
        times_h.sort_by(f64::total_cmp);
        times_h.dedup_by(|later, kept| *later - *kept <= SAME_H);
        let (mut sum, mut from_h, mut activity) = (0.0, 0.0, self.activity_at_zero_mbq);
        let mut activities = Vec::new();
        for time_h in times_h {
            let middle_h = 0.5 * (from_h + time_h);
            let is_inside =
                |session: &&Session| (session.start_h..session.start_h + session.duration_h).contains(&middle_h);
            let clearance =
                self.sessions.iter().find(is_inside).map_or(0.0, |session| LN_2 / session.clearance_half_time_h);
            let (length_h, rate) = (time_h - from_h, rate_per_h + clearance);
            sum += activity * length_h * phi_1(rate * length_h)[0];
            let removed = self.removals.iter().filter(|removal| (0.0..=SAME_H).contains(&(removal.time_h - time_h)));
            activity *= (-rate * length_h).exp() * removed.map(|removal| 1.0 - removal.fraction).product::<f64>();
            activities.push(ActivityAfter { time_h, activity_after_mbq: activity });
            from_h = time_h;
        }
        Ok(RemovedIntegral {
            tia_mbq_h: sum + activity / rate_per_h,
            tia_without_removal_mbq_h: self.activity_at_zero_mbq / rate_per_h,
            activities,
        })
    }

    pub(super) fn check(&self) -> Result<(), DoseError> {
        let mut checks = Checks::new();
        let mut want = |field: String, value: f64, is_good: bool, what: &str| {
            if !(value.is_finite() && is_good) {
                checks.fail(field, format!("must be finite and {what}, got {value}"));
            }
        };
        let activity = self.activity_at_zero_mbq;
        want("activity_at_zero_mbq".into(), activity, activity >= 0.0, "0 or more");
        want("physical_half_life_h".into(), self.physical_half_life_h, self.physical_half_life_h > 0.0, "above 0");
        if let Some(half_life_h) = self.biological_half_life_h {
            want("biological_half_life_h".into(), half_life_h, half_life_h > 0.0, "above 0");
        }
        for (number, session) in self.sessions.iter().enumerate() {
            let field = |name: &str| format!("session_{}.{name}", number + 1);
            want(field("start_h"), session.start_h, session.start_h >= 0.0, "0 or more");
            want(field("duration_h"), session.duration_h, session.duration_h > 0.0, "above 0");
            let half_time_h = session.clearance_half_time_h;
            want(field("clearance_half_time_h"), half_time_h, half_time_h > 0.0, "above 0");
        }
        for (number, removal) in self.removals.iter().enumerate() {
            let field = |name: &str| format!("removal_{}.{name}", number + 1);
            want(field("time_h"), removal.time_h, removal.time_h >= 0.0, "0 or more");
            want(field("fraction"), removal.fraction, (0.0..=1.0).contains(&removal.fraction), "from 0 to 1");
        }
        let mut ends: Vec<[f64; 2]> = self.sessions.iter().map(|s| [s.start_h, s.start_h + s.duration_h]).collect();
        ends.sort_by(|a, b| a[0].total_cmp(&b[0]));
        for pair in ends.windows(2).filter(|pair| pair[1][0] < pair[0][1] - SAME_H) {
            checks.fail("sessions", format!("one starts at {} h, before another ends at {} h", pair[1][0], pair[0][1]));
        }
        checks.finish()
    }
}

/// A part of the administered activity that is excreted with one half-life.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Excretion {
    /// Which part of the administered activity.
    pub fraction: f64,
    /// With which biological half-life [h].
    pub biological_half_life_h: f64,
}

/// A urinary bladder that fills by excretion and is emptied at regular intervals.
#[derive(Clone, Debug, PartialEq)]
pub struct Bladder {
    /// Administered activity [MBq].
    pub administered_activity_mbq: f64,
    /// Physical half-life [h].
    pub physical_half_life_h: f64,
    /// What is excreted; parts of 1 at most in all.
    pub excretion: Vec<Excretion>,
    /// From one voiding to the next, the first so long after time 0 [h].
    pub voiding_interval_h: f64,
}

impl Bladder {
    /// Time-integrated activity of its contents [MBq·h].
    ///
    /// # Errors
    /// Every field that is not finite and above 0, and parts that are more than the whole.
    ///
    /// Source: the dynamic bladder of ICRP Publication 53, with the sum over voidings closed.
    pub fn integral(&self) -> Result<f64, DoseError> {
        self.check()?;
        let physical = LN_2 / self.physical_half_life_h;
        let interval_h = self.voiding_interval_h;
        let of_part = |part: &Excretion| {
            let rate = physical + LN_2 / part.biological_half_life_h;
            // (1−e^(−λpT))/λp − (1−e^(−λiT))/λi, and the same of all later intervals.
            let one = interval_h * (phi_1(physical * interval_h)[0] - phi_1(rate * interval_h)[0]);
            part.fraction * one / -(-rate * interval_h).exp_m1()
        };
        Ok(self.administered_activity_mbq * self.excretion.iter().map(of_part).sum::<f64>())
    }

    fn check(&self) -> Result<(), DoseError> {
        let mut checks = Checks::new();
        let mut want = |field: String, value: f64, least: f64| {
            if !(value.is_finite() && value >= least) {
                checks.fail(field, format!("must be finite and {least} or more, got {value}"));
            }
        };
        let above_0 = f64::MIN_POSITIVE;
        want("administered_activity_mbq".into(), self.administered_activity_mbq, 0.0);
        want("physical_half_life_h".into(), self.physical_half_life_h, above_0);
        want("voiding_interval_h".into(), self.voiding_interval_h, above_0);
        for (number, part) in self.excretion.iter().enumerate() {
            want(format!("excretion_{}.fraction", number + 1), part.fraction, 0.0);
            want(format!("excretion_{}.biological_half_life_h", number + 1), part.biological_half_life_h, above_0);
        }
        if self.excretion.is_empty() {
            checks.fail("excretion", "there is none: nothing comes into the bladder");
        }
        let whole: f64 = self.excretion.iter().map(|part| part.fraction).sum();
        if whole > 1.0 + 1e-9 {
            checks
                .fail("excretion", format!("the parts are {whole} of the administered activity, more than all of it"));
        }
        checks.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::quadrature::integrate;

    fn patient() -> RemovedActivity {
        let session = |start_h| Session { start_h, duration_h: 4.0, clearance_half_time_h: 3.2 };
        RemovedActivity {
            activity_at_zero_mbq: 3700.0,
            physical_half_life_h: 192.6,
            biological_half_life_h: Some(400.0),
            sessions: vec![session(66.0), session(20.0)],
            removals: vec![Removal { time_h: 30.0, fraction: 0.5 }, Removal { time_h: 67.0, fraction: 0.1 }],
        }
    }

    #[test]
    fn pieces_add_to_what_quadrature_gives() {
        let patient = patient();
        let rate = LN_2 / 192.6 + LN_2 / 400.0;
        let activity = |t: f64| {
            let inside: f64 = patient.sessions.iter().map(|s| (t - s.start_h).clamp(0.0, s.duration_h)).sum();
            let left: f64 = patient.removals.iter().filter(|r| r.time_h < t).map(|r| 1.0 - r.fraction).product();
            3700.0 * left * (-rate * t - LN_2 / 3.2 * inside).exp()
        };
        let ends = [0.0, 20.0, 24.0, 30.0, 66.0, 67.0, 70.0, 300.0, 900.0, 2000.0, 5000.0];
        let sum: f64 = ends.windows(2).map(|pair| integrate(pair[0], pair[1], activity)).sum();
        let found = patient.integral().expect("a patient");
        assert!((found.tia_mbq_h / sum - 1.0).abs() < 1e-9, "{found:?} {sum}");
        assert_eq!(found.activities.len(), 6);
        for after in &found.activities {
            let right = activity(after.time_h + 1e-9);
            assert!((after.activity_after_mbq / right - 1.0).abs() < 1e-6, "{after:?} {right}");
        }
    }

    #[test]
    fn nothing_taken_away_changes_nothing() {
        let found = RemovedActivity { sessions: vec![], removals: vec![], ..patient() }.integral().expect("a patient");
        assert_eq!(found.tia_mbq_h, found.tia_without_removal_mbq_h);
    }

    #[test]
    fn sessions_that_touch_do_not_overlap() {
        // 2.84 + 5.78 is 8.620000000000001.
        let session = |start_h, duration_h| Session { start_h, duration_h, clearance_half_time_h: 3.2 };
        let of = |sessions: Vec<Session>| RemovedActivity {
            sessions,
            removals: vec![Removal { time_h: 8.62, fraction: 0.5 }],
            ..patient()
        };
        let two = of(vec![session(2.84, 5.78), session(8.62, 4.0)]).integral().expect("no overlap");
        let one = of(vec![session(2.84, 9.78)]).integral().expect("one session");
        assert_eq!((two.activities.len(), one.activities.len()), (3, 3), "{two:?}");
        assert!((two.tia_mbq_h / one.tia_mbq_h - 1.0).abs() < 1e-12, "{two:?} {one:?}");
        assert!(of(vec![session(2.84, 5.79), session(8.62, 4.0)]).integral().is_err());
    }

    #[test]
    fn a_bladder_is_the_sum_over_its_intervals() {
        let part = |fraction, biological_half_life_h| Excretion { fraction, biological_half_life_h };
        let bladder = Bladder {
            administered_activity_mbq: 7400.0,
            physical_half_life_h: 159.5,
            excretion: vec![part(0.65, 2.1), part(0.35, 60.0)],
            voiding_interval_h: 3.5,
        };
        let (physical, mut sum) = (LN_2 / 159.5, 0.0);
        for number in 0..2000 {
            let from_h = 3.5 * f64::from(number);
            let filled = |t: f64| -> f64 {
                let of_part = |p: &Excretion| {
                    let rate = LN_2 / p.biological_half_life_h;
                    p.fraction * ((-rate * from_h).exp() - (-rate * t).exp()) * (-physical * t).exp()
                };
                7400.0 * bladder.excretion.iter().map(of_part).sum::<f64>()
            };
            sum += integrate(from_h, from_h + 3.5, filled);
        }
        let found = bladder.integral().expect("a bladder");
        assert!((found / sum - 1.0).abs() < 1e-9, "{found} {sum}");
        assert!(Bladder { excretion: vec![], ..bladder }.integral().is_err());
    }

    #[test]
    fn bad_fields_are_named_together() {
        let mut bad = patient();
        bad.physical_half_life_h = 0.0;
        bad.sessions[1].start_h = 64.0;
        bad.removals[0].fraction = 1.5;
        let fields: Vec<String> = bad.integral().expect_err("bad").violations().into_iter().map(|v| v.field).collect();
        assert_eq!(fields, ["physical_half_life_h", "removal_1.fraction", "sessions"]);
    }
}
