//! Flags of which daughters decay with a nuclide, for every command that takes one.

use crate::domain::{Checks, Invalid, Part};
use crate::request::RawDaughters;

// Strings where they are numbers, so that one run names every fault.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct WhichDaughters {
    /// Which daughters decay where the nuclide did. parent-only: none. equilibrium: those that live at most ten times
    /// as long as the nuclide, in equilibrium with it, without noble gases that leave the tissue (Xe-131m of I-131).
    /// equilibrium-with-gases: those too. in-growth: all, counted over --integration-time [default: equilibrium]
    #[arg(long, value_name = "parent-only|equilibrium|equilibrium-with-gases|in-growth")]
    daughters: Option<String>,
    /// With in-growth: count decays from pure nuclide up to this time, such as 30d (units s, min, h, d)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    integration_time: Option<String>,
}

impl WhichDaughters {
    /// Which daughters are meant.
    pub(super) fn raw(&self, checks: &mut Checks) -> Part<RawDaughters> {
        let time = self.integration_time.as_deref();
        let time_s = time.map(|text| checks.at("integration-time", parse_time_s(text)));
        match (self.daughters.as_deref(), time_s) {
            (Some("in-growth"), None) => {
                checks.fail("integration-time", "is needed with --daughters in-growth");
                Part::Faulty
            }
            (Some("in-growth"), Some(time_s)) => {
                Part::given(time_s.map(|integration_time_s| RawDaughters::InGrowth {
                    integration_time_s,
                    effective_half_life_s: None,
                }))
            }
            (name, time_s) => {
                if time_s.is_some() {
                    checks.fail("integration-time", "has an effect only with --daughters in-growth");
                }
                match name {
                    None => Part::Absent,
                    Some("equilibrium") => Part::Good(RawDaughters::Equilibrium),
                    Some("equilibrium-with-gases") => Part::Good(RawDaughters::EquilibriumWithGases),
                    Some("parent-only") => Part::Good(RawDaughters::ParentOnly),
                    Some(name) => {
                        let known = "parent-only, equilibrium, equilibrium-with-gases or in-growth";
                        checks.fail("daughters", format!("is {known}, got `{name}`"));
                        Part::Faulty
                    }
                }
            }
        }
    }
}

/// A number and a unit of time, such as `50h` [s].
pub(super) fn parse_time_s(text: &str) -> Result<f64, Invalid> {
    let units = [("min", 60.0), ("s", 1.0), ("h", 3600.0), ("d", 86_400.0)];
    let parse = |(unit, seconds): (&str, f64)| Some(text.strip_suffix(unit)?.trim().parse::<f64>().ok()? * seconds);
    units
        .into_iter()
        .find_map(parse)
        .ok_or_else(|| Invalid::new(format!("is a number with the unit s, min, h or d, such as 50h; got `{text}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        for (text, seconds) in [("50h", 180_000.0), ("2.5 d", 216_000.0), ("90min", 5400.0), ("1e3s", 1000.0)] {
            assert_eq!(parse_time_s(text), Ok(seconds), "{text}");
        }
        for text in ["", "50", "h", "50m", "50 hours", "fifty h"] {
            assert!(parse_time_s(text).is_err(), "{text}");
        }
    }
}
