//! Which daughters of a nuclide decay in its map.

use serde::{Deserialize, Serialize};

use super::range::{HALF_LIFE_S, INTEGRATION_TIME_S};
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
    /// them. The first that lives longer is left out, with all that comes after it, and so is a gas that leaves the
    /// tissue before it decays ([`leaves_as_gas`]); the result names them.
    #[default]
    Equilibrium,
    /// As [`Daughters::Equilibrium`], but gases stay where they are formed.
    EquilibriumWithGases,
    /// All, counted as they decay within a given time.
    InGrowth(InGrowth),
}

/// How many times as long as the nuclide of a map a daughter may live and still be counted with it.
pub const LONGEST_IN_EQUILIBRIUM: f64 = 10.0;

/// Noble gases that leave tissue before they decay, if they live long enough.
const GASES: [&str; 5] = ["He", "Ne", "Ar", "Kr", "Xe"];
/// Half-life from which they do [s].
///
/// Blood carries dissolved xenon to the lungs, where it is exhaled: it leaves perfused tissue with half-times of
/// minutes and fat within hours (Lassen, Lindbjerg & Munck, Lancet 283 (1964) 686; Conn, J. Appl. Physiol. 16 (1961)
/// 1065).
const GAS_LEAVES_S: f64 = 3600.0;

/// Whether a daughter is a gas that leaves the tissue in which it is formed.
///
/// Radon is none of them: in the chains of alpha emitters it lives at most 56 s and mostly decays before it can leave,
/// and its daughters carry most of the energy. To take it as gone would be the unsafe choice.
///
/// * `name` – such as `Xe-131m`
/// * `half_life_s` – its half-life [s]
pub fn leaves_as_gas(name: &str, half_life_s: f64) -> bool {
    let symbol = name.split('-').next().unwrap_or_default();
    GASES.contains(&symbol) && half_life_s > GAS_LEAVES_S
}

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
            Self::EquilibriumWithGases => "equilibrium-with-gases",
            Self::InGrowth(_) => "in-growth",
        }
    }

    /// # Errors
    /// If the integration time or the half-life is outside of its range.
    pub fn check(self) -> Result<(), Invalid> {
        match self {
            Self::InGrowth(InGrowth { integration_time_s, effective_half_life_s }) => {
                INTEGRATION_TIME_S.check(integration_time_s)?;
                effective_half_life_s.map_or(Ok(()), |seconds| HALF_LIFE_S.check(seconds))
            }
            Self::ParentOnly | Self::Equilibrium | Self::EquilibriumWithGases => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xenon_leaves_and_short_lived_gases_and_radon_stay() {
        assert!(leaves_as_gas("Xe-131m", 1_024_704.0) && leaves_as_gas("Xe-133", 453_000.0));
        assert!(!leaves_as_gas("Kr-81m", 13.1), "it decays before it can leave");
        assert!(!leaves_as_gas("Rn-220", 55.6) && !leaves_as_gas("Rn-222", 330_000.0));
        assert!(!leaves_as_gas("Bi-207", 1e9) && !leaves_as_gas("", 1e9));
    }
}
