//! Flags of which daughters decay with a nuclide, for every command that takes one.

use crate::domain::{ActivityUnit, Checks, Daughters, InGrowth, Invalid};

// Strings where they are numbers, so that one run names every fault.
#[derive(Debug, clap::Args)]
pub(super) struct WhichDaughters {
    /// Which daughters decay where the nuclide did: none; those that live at most ten times as long, once all has decayed; or all, as often as they decay
    /// within --integration-time [default: equilibrium]
    #[arg(long, value_name = "parent-only|equilibrium|in-growth")]
    daughters: Option<String>,
    /// With in-growth: decays are counted from pure nuclide up to this time, such as 30d (units s, min, h, d)
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    integration_time: Option<String>,
}

impl WhichDaughters {
    /// Names of the flags that were given.
    pub(super) fn given(&self) -> impl Iterator<Item = &'static str> {
        let given = [("daughters", self.daughters.is_some()), ("integration-time", self.integration_time.is_some())];
        given.into_iter().filter_map(|(flag, given)| given.then_some(flag))
    }

    /// Which daughters are meant; none if a fault was recorded.
    ///
    /// * `unit` – of the activity map: if it has a half-life, the nuclide disappears with that
    pub(super) fn mode(&self, unit: Option<ActivityUnit>, checks: &mut Checks) -> Option<Daughters> {
        let time = self.integration_time.as_deref();
        let time_s = time.map(|text| checks.at("integration-time", parse_time_s(text)));
        match self.daughters.as_deref() {
            Some("in-growth") => match time_s {
                None => {
                    checks.fail("integration-time", "is needed with --daughters in-growth");
                    None
                }
                Some(time_s) => {
                    let daughters = Daughters::InGrowth(InGrowth::new(time_s?, unit));
                    checks.at("integration-time", daughters.check()).map(|()| daughters)
                }
            },
            name => {
                if time.is_some() {
                    checks.fail("integration-time", "has an effect only with --daughters in-growth");
                }
                match name {
                    None | Some("equilibrium") => Some(Daughters::Equilibrium),
                    Some("parent-only") => Some(Daughters::ParentOnly),
                    Some(name) => {
                        checks.fail("daughters", format!("is parent-only, equilibrium or in-growth, got `{name}`"));
                        None
                    }
                }
            }
        }
    }
}

/// A number and a unit of time, such as `50h`.
pub(super) fn parse_time_s(text: &str) -> Result<f64, Invalid> {
    let units = [("min", 60.0), ("s", 1.0), ("h", 3600.0), ("d", 86_400.0)];
    let parse = |(unit, seconds): (&str, f64)| Some(text.strip_suffix(unit)?.trim().parse::<f64>().ok()? * seconds);
    units
        .into_iter()
        .find_map(parse)
        .ok_or_else(|| Invalid::new(format!("is a number with the unit s, min, h or d, such as 50h; got `{text}`")))
}
