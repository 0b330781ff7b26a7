//! Flags of the unit of the activity map.

use crate::cli::daughters::parse_time_s;
use crate::domain::{Amount, Checks, Invalid, MomentUnit, Part};
use crate::formats::dicom::ActivityAccount;
use crate::request::{RawActivity, RawHalfLife, RawMoment, RawTimes, RawUnit};

// Strings where they are numbers, so that one run names every fault.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct UnitArgs {
    /// Unit of the activity map (required). Time-integrated, per voxel: bq-s, bq-h, kbq-s, mbq-s, mbq-h. Activity at
    /// one moment: per voxel bq, kbq, mbq; as a concentration bq-per-ml, kbq-per-ml, mbq-per-ml
    #[arg(long, value_name = "UNIT", help_heading = "Inputs")]
    activity_unit: Option<String>,
    /// With an activity at one moment: effective half-life, such as 50h or 2.1d (units s, min, h, d), or `physical` for
    /// the nuclide's own
    #[arg(long, value_name = "TIME|physical", help_heading = "Inputs", allow_hyphen_values = true)]
    effective_half_life: Option<String>,
    /// With an activity at one moment: time from injection to that moment, such as 24h. Decays before it are then
    /// counted as well, with the half-life of --effective-half-life from the injection on [default: decays are counted
    /// from the moment of the map on]
    #[arg(long, value_name = "TIME", help_heading = "Inputs", allow_hyphen_values = true)]
    imaged_after: Option<String>,
    /// With an activity at one moment: what the decay in the map was corrected to. injection: the map was multiplied by
    /// the physical decay between injection and image, which is undone with --imaged-after [default: scan]
    #[arg(long, value_name = "scan|injection", help_heading = "Inputs")]
    decay_corrected_to: Option<String>,
    /// Activity that was injected, such as 7.4GBq: decays for each GBq and the time-integrated activity coefficient are
    /// then told. The dose does not depend on it
    #[arg(long, value_name = "ACTIVITY", help_heading = "Inputs", allow_negative_numbers = true)]
    injected_activity: Option<String>,
}

/// Seconds in an hour.
const SECONDS_PER_HOUR: f64 = 3600.0;
/// Bq in an MBq.
const BQ_PER_MBQ: f64 = 1e6;
/// Difference of two times of imaging that is rounding [s], and in parts.
const SAME_TIME_S: f64 = 60.0;
const SAME_TIME: f64 = 0.01;
/// Relative difference of two injected activities that is a residual in the syringe.
const SAME_ACTIVITY: f64 = 0.05;

/// The units of time-integrated activity, by name.
const TIME_INTEGRATED: [(&str, RawUnit); 5] = [
    ("bq-s", RawUnit::BqS),
    ("bq-h", RawUnit::BqH),
    ("kbq-s", RawUnit::KbqS),
    ("mbq-s", RawUnit::MbqS),
    ("mbq-h", RawUnit::MbqH),
];

impl UnitArgs {
    /// The same flags, with what the file of the activity says where they say nothing. Claims that disagree are
    /// recorded as faults.
    pub(super) fn completed(&self, account: &ActivityAccount, checks: &mut Checks) -> Self {
        let mut completed = self.clone();
        let unit = MomentUnit::BqPerMl.name();
        if self.activity_unit.as_deref().is_some_and(|own| own != unit) {
            checks.fail("activity-unit", format!("the file says that it is in {unit}; leave the flag out"));
        }
        completed.activity_unit = Some(unit.to_owned());
        let at_injection = account.reference_event.as_deref() == Some("ADMIN");
        let correction = if at_injection { "injection" } else { "scan" };
        if self.decay_corrected_to.as_deref().is_some_and(|own| own != correction) {
            let reason = format!("the file says that its decay was corrected to the {correction}; leave the flag out");
            checks.fail("decay-corrected-to", reason);
        }
        let hours = if at_injection { account.scan_hours_after_injection } else { account.hours_after_injection };
        let seconds = hours.map(|hours| hours * SECONDS_PER_HOUR).filter(|seconds| *seconds >= 0.0);
        match (seconds, self.imaged_after.as_deref().map(parse_time_s)) {
            (None, None) if account.injection_day_unknown => checks.fail(
                "imaged-after",
                "is needed: the file says at what time of day was injected and not on which day; the time from the \
                 injection to the image, or 0s to count decays from the image on",
            ),
            (Some(seconds), None) => completed.imaged_after = Some(format!("{seconds}s")),
            (Some(seconds), Some(Ok(own))) if (own - seconds).abs() > SAME_TIME_S.max(SAME_TIME * seconds) => {
                let hours = seconds / SECONDS_PER_HOUR;
                checks.fail("imaged-after", format!("the file says {hours:.3}h; leave the flag out"));
            }
            (_, _) => {}
        }
        // Without a time of imaging it is a fault, which asks for one: such a map is not the activity at the image.
        if at_injection {
            completed.decay_corrected_to = Some(correction.to_owned());
        }
        let injected = account.injection.as_ref().and_then(|injection| injection.mbq);
        match (injected, self.injected_activity.as_deref().map(parse_activity_bq)) {
            (Some(mbq), None) => completed.injected_activity = Some(format!("{mbq}MBq")),
            (Some(mbq), Some(Ok(own))) if (own / (mbq * BQ_PER_MBQ) - 1.0).abs() > SAME_ACTIVITY => {
                checks.fail("injected-activity", format!("the file says {mbq} MBq; leave the flag out"));
            }
            (_, _) => {}
        }
        completed
    }

    /// What these flags say, in words; for those that a file has completed.
    pub(super) fn words(&self) -> String {
        let said = [
            ("--activity-unit", &self.activity_unit),
            ("--imaged-after", &self.imaged_after),
            ("--decay-corrected-to", &self.decay_corrected_to),
            ("--injected-activity", &self.injected_activity),
        ];
        let said = said.into_iter().filter_map(|(flag, value)| Some(format!("{flag} {}", value.as_ref()?)));
        said.collect::<Vec<_>>().join(" ")
    }

    /// What the numbers of the activity map mean.
    pub(super) fn raw(&self, checks: &mut Checks) -> Part<RawUnit> {
        let Some(name) = self.activity_unit.as_deref() else { return Part::Absent };
        if let Some((_, unit)) = TIME_INTEGRATED.into_iter().find(|(known, _)| *known == name) {
            return self.time_integrated(name, unit, checks);
        }
        let Some(unit) = self.moment() else {
            let moments = MomentUnit::ALL.map(MomentUnit::name);
            let known: Vec<&str> = TIME_INTEGRATED.iter().map(|(name, _)| *name).chain(moments).collect();
            checks.fail("activity-unit", format!("is one of {}, got `{name}`", known.join(", ")));
            return Part::Faulty;
        };
        let half_life = match self.effective_half_life.as_deref() {
            None => Some(None),
            Some("physical") => Some(Some(RawHalfLife::Physical)),
            Some(text) => {
                let seconds =
                    parse_time_s(text).map_err(|Invalid(reason)| Invalid::new(format!("{reason}, or `physical`")));
                checks.at("effective-half-life", seconds).map(|seconds| Some(RawHalfLife::Effective(seconds)))
            }
        };
        let after = self.imaged_after.as_deref().map(|text| checks.at("imaged-after", parse_time_s(text)));
        let after = after.map_or(Some(None), |after| after.map(Some));
        let (Some(half_life), Some(imaged_after_s), Some(decay_corrected_to)) =
            (half_life, after, self.correction(checks))
        else {
            return Part::Faulty;
        };
        let times = RawTimes { half_life, imaged_after_s, decay_corrected_to };
        Part::Good(RawUnit::AtMoment(RawActivity { unit, times }))
    }

    /// What the decay in the map was corrected to; none if a fault was recorded.
    fn correction(&self, checks: &mut Checks) -> Option<Option<RawMoment>> {
        match self.decay_corrected_to.as_deref() {
            None => Some(None),
            Some("scan") => Some(Some(RawMoment::Scan)),
            Some("injection") => Some(Some(RawMoment::Injection)),
            Some(word) => {
                checks.fail("decay-corrected-to", format!("is scan or injection, got `{word}`"));
                None
            }
        }
    }

    /// Activity that was injected [Bq]. A fault is recorded.
    pub(super) fn injected_bq(&self, checks: &mut Checks) -> Option<f64> {
        checks.at("injected-activity", parse_activity_bq(self.injected_activity.as_deref()?))
    }

    /// What the numbers of the activity map belong to; a unit that is not known counts as one a voxel.
    pub(super) fn amount(&self) -> Amount {
        self.moment().map_or(Amount::PerVoxel, MomentUnit::amount)
    }

    fn moment(&self) -> Option<MomentUnit> {
        MomentUnit::ALL.into_iter().find(|unit| Some(unit.name()) == self.activity_unit.as_deref())
    }

    /// A time-integrated unit, beside which no time may stand.
    fn time_integrated(&self, name: &str, unit: RawUnit, checks: &mut Checks) -> Part<RawUnit> {
        let times = [
            ("effective-half-life", &self.effective_half_life),
            ("imaged-after", &self.imaged_after),
            ("decay-corrected-to", &self.decay_corrected_to),
        ];
        let mut part = Part::Good(unit);
        for (flag, _) in times.into_iter().filter(|(_, time)| time.is_some()) {
            checks.fail(flag, format!("has no meaning with the unit {name}, which is time-integrated"));
            part = Part::Faulty;
        }
        part
    }
}

/// A number and a unit of activity, such as `7.4GBq` [Bq]. Capitals do not matter: nothing is injected in mBq.
fn parse_activity_bq(text: &str) -> Result<f64, Invalid> {
    let units = [("kbq", 1e3), ("mbq", 1e6), ("gbq", 1e9), ("tbq", 1e12), ("bq", 1.0)];
    let lower = text.to_lowercase();
    let parse = |(unit, bq): (&str, f64)| Some(lower.strip_suffix(unit)?.trim().parse::<f64>().ok()? * bq);
    units.into_iter().find_map(parse).filter(|bq| bq.is_finite() && *bq > 0.0).ok_or_else(|| {
        Invalid::new(format!("is a number above 0 with the unit Bq to TBq, such as 7.4GBq; got `{text}`"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::RawMoment::Injection;

    #[test]
    fn a_map_corrected_to_the_injection_is_never_that_at_the_image() {
        let none = UnitArgs {
            activity_unit: None,
            effective_half_life: Some("50h".into()),
            imaged_after: None,
            decay_corrected_to: None,
            injected_activity: None,
        };
        let account = ActivityAccount {
            scale: "BQML".into(),
            total_mbq: 1.0,
            reference_time: None,
            reference_event: Some("ADMIN".into()),
            acquisition_time: None,
            half_life_s: None,
            nuclide: None,
            injection: None,
            injection_day_unknown: false,
            hours_after_injection: None,
            scan_hours_after_injection: None,
            calibration: None,
        };
        let mut checks = Checks::new();
        let Part::Good(RawUnit::AtMoment(found)) = none.completed(&account, &mut checks).raw(&mut checks) else {
            panic!("no unit at a moment");
        };
        assert_eq!((found.times.decay_corrected_to, found.times.imaged_after_s), (Some(Injection), None));
    }

    #[test]
    fn activities_need_a_unit() {
        for (text, bq) in [("7.4GBq", 7.4e9), ("185 MBq", 1.85e8), ("1e3bq", 1e3), ("2kBq", 2e3), ("0.5TBq", 5e11)] {
            assert_eq!(parse_activity_bq(text), Ok(bq), "{text}");
        }
        for text in ["", "7.4", "GBq", "-1GBq", "0MBq", "nan GBq", "infGBq", "200mCi"] {
            assert!(parse_activity_bq(text).is_err(), "{text}");
        }
    }
}
