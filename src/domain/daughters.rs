//! Which daughters of a nuclide decay in its map.

use serde::{Deserialize, Serialize};

use super::{ActivityUnit, Invalid};

/// Which daughters of a nuclide decay where it did, and how often.
///
/// A daughter that has a map of its own is left out, with all that comes after it: they decay in that map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Daughters {
    /// None: the nuclide alone.
    ParentOnly,
    /// Those that live at most [`LONGEST_IN_EQUILIBRIUM`] times as long as the nuclide, as often as its decays produce
    /// them. The first that lives longer is left out, with all that comes after it, and named in the result.
    #[default]
    Equilibrium,
    /// All, counted as they decay within a given time.
    InGrowth(InGrowth),
}

/// How many times as long as the nuclide of a map a daughter may live and still be counted with it.
pub const LONGEST_IN_EQUILIBRIUM: f64 = 10.0;

/// Daughters that grow in: there are none at time 0, and none is washed out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InGrowth {
    /// Decays are counted up to this time [s]. The activity map is taken to hold the decays of the nuclide up to then.
    pub integration_time_s: f64,
    /// Half-life with which the nuclide disappears, by decay and by washout [s]; none: by decay alone.
    pub effective_half_life_s: Option<f64>,
}

impl InGrowth {
    /// * `unit` – of the activity map; if it has an effective half-life, the nuclide disappears with that
    pub fn new(integration_time_s: f64, unit: Option<ActivityUnit>) -> Self {
        let effective_half_life_s = match unit {
            Some(ActivityUnit::AtMoment(activity)) => Some(activity.times.half_life_s),
            Some(
                ActivityUnit::BqS | ActivityUnit::BqH | ActivityUnit::KbqS | ActivityUnit::MbqS | ActivityUnit::MbqH,
            )
            | None => None,
        };
        Self { integration_time_s, effective_half_life_s }
    }
}

impl Daughters {
    /// Name in results and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ParentOnly => "parent-only",
            Self::Equilibrium => "equilibrium",
            Self::InGrowth(_) => "in-growth",
        }
    }

    /// # Errors
    /// If the integration time is not a finite time above 0.
    pub fn check(self) -> Result<(), Invalid> {
        match self {
            Self::InGrowth(InGrowth { integration_time_s: time_s, .. }) if !(time_s.is_finite() && time_s > 0.0) => {
                Err(Invalid::new(format!("the integration time must be a finite time above 0, got {time_s} s")))
            }
            Self::ParentOnly | Self::Equilibrium | Self::InGrowth(_) => Ok(()),
        }
    }
}
