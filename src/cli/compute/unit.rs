//! Flags of the unit of the activity map.

use crate::cli::daughters::parse_time_s;
use crate::domain::{Amount, Checks, Invalid, MomentUnit, Part};
use crate::request::{RawActivity, RawHalfLife, RawUnit};

// Strings where they are numbers, so that one run names every fault.
#[derive(Debug, clap::Args)]
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
}

/// The units of time-integrated activity, by name.
const TIME_INTEGRATED: [(&str, RawUnit); 5] = [
    ("bq-s", RawUnit::BqS),
    ("bq-h", RawUnit::BqH),
    ("kbq-s", RawUnit::KbqS),
    ("mbq-s", RawUnit::MbqS),
    ("mbq-h", RawUnit::MbqH),
];

impl UnitArgs {
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
        let (Some(half_life), Some(imaged_after_s)) = (half_life, after.map_or(Some(None), |after| after.map(Some)))
        else {
            return Part::Faulty;
        };
        Part::Good(RawUnit::AtMoment(RawActivity { unit, half_life, imaged_after_s }))
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
        let times = [("effective-half-life", &self.effective_half_life), ("imaged-after", &self.imaged_after)];
        let mut part = Part::Good(unit);
        for (flag, _) in times.into_iter().filter(|(_, time)| time.is_some()) {
            checks.fail(flag, format!("has no meaning with the unit {name}, which is time-integrated"));
            part = Part::Faulty;
        }
        part
    }
}
