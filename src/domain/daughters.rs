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
    /// All that live at most [`LONGEST_IN_EQUILIBRIUM`] times as long as the nuclide, as often as it brings them about. The first that lives longer is left
    /// out, with all that comes after it, and named in the result.
    #[default]
    Equilibrium,
    /// All, as often as they decay within a time.
    InGrowth(InGrowth),
}

/// How much longer than the nuclide that a map is of a daughter may live to be counted with it.
pub const LONGEST_IN_EQUILIBRIUM: f64 = 10.0;

/// Daughters that grow in: at time 0 there is none, and none is washed out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InGrowth {
    /// Decays are counted up to this time; those of the activity map are taken to be those of the nuclide up to then [s].
    pub integration_time_s: f64,
    /// Half-life with which the nuclide disappears from where it is, by decay and by washout [s]; none: by decay alone.
    pub effective_half_life_s: Option<f64>,
}

impl InGrowth {
    /// * `unit` – of the activity map; if it has an effective half-life, the nuclide disappears with that
    pub fn new(integration_time_s: f64, unit: Option<ActivityUnit>) -> Self {
        let effective_half_life_s = match unit {
            Some(ActivityUnit::Bq { effective_half_life_s }) => Some(effective_half_life_s),
            Some(ActivityUnit::BqS | ActivityUnit::MbqH) | None => None,
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
    /// If the time of integration is none.
    pub fn check(self) -> Result<(), Invalid> {
        match self {
            Self::InGrowth(InGrowth { integration_time_s: time_s, .. }) if !(time_s.is_finite() && time_s > 0.0) => {
                Err(Invalid::new(format!("the time of integration must be a finite time above 0, got {time_s} s")))
            }
            Self::ParentOnly | Self::Equilibrium | Self::InGrowth(_) => Ok(()),
        }
    }
}
