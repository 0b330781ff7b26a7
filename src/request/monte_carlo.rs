//! Options of Monte Carlo transport, as a caller wrote them.

use super::RawMedium;
use crate::domain::{Checks, ChosenCuts, Extras, Invalid, MonteCarloOptions, Region, StopRule, TargetUncertainty};

/// Options that are not yet checked. What is not given is as in [`MonteCarloOptions::default`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawMonteCarlo {
    /// Histories at most.
    pub histories: Option<u64>,
    /// An uncertainty to reach.
    pub target_uncertainty: Option<RawTarget>,
    /// Longest computing time [s].
    pub time_limit_s: Option<f64>,
    /// Seed of the random numbers.
    pub seed: Option<u64>,
    /// Number of the first history.
    pub first_history: Option<u64>,
    /// Voxels of a lower density get no dose [g/cm³].
    pub minimum_density_g_cm3: Option<f64>,
    /// Energies of transport.
    pub cuts: ChosenCuts,
    /// What the voxels are made of.
    pub medium: Option<RawMedium>,
    /// What is returned besides the dose.
    pub extras: Extras,
}

/// An uncertainty to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RawTarget {
    /// Mean relative 1σ, 0.01 for 1 %.
    pub relative: f64,
    /// Where. Not given: in all regions, as [`Region::AllRegions`].
    pub region: Option<RawRegion>,
}

/// Voxels whose uncertainty is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RawRegion {
    /// Those with at least this fraction of the maximum dose.
    DoseFraction(f64),
    /// Those of this label.
    Label(u32),
}

impl RawMonteCarlo {
    /// The options, and whether all could be read. A part that could not has its fault recorded and keeps its default.
    pub(super) fn resolve(self, field: &str, checks: &mut Checks) -> (MonteCarloOptions, bool) {
        let default = MonteCarloOptions::default();
        let target = self.target_uncertainty.map(|target| target.resolve(field, checks));
        let medium = match self.medium {
            None => Some(default.medium),
            Some(medium) => medium.resolve(&format!("{field}.medium"), checks),
        };
        let is_whole = medium.is_some() && target != Some(None);
        let stop = StopRule { histories: self.histories, target: target.flatten(), time_limit_s: self.time_limit_s };
        let options = MonteCarloOptions {
            stop,
            medium: medium.unwrap_or_default(),
            seed: self.seed.unwrap_or(default.seed),
            first_history: self.first_history.unwrap_or(default.first_history),
            minimum_density_g_cm3: self.minimum_density_g_cm3.unwrap_or(default.minimum_density_g_cm3),
            cuts: self.cuts,
            extras: self.extras,
        };
        (options, is_whole)
    }
}

impl RawTarget {
    fn resolve(self, field: &str, checks: &mut Checks) -> Option<TargetUncertainty> {
        let region = match self.region {
            None => Region::default(),
            Some(RawRegion::DoseFraction(part)) => Region::AboveDoseFraction(part),
            Some(RawRegion::Label(label)) => {
                Region::Label(checks.at(format!("{field}.target_uncertainty.label"), to_label(label))?)
            }
        };
        Some(TargetUncertainty { relative: self.relative, region })
    }
}

/// # Errors
/// If it is above the largest label.
pub(super) fn to_label(label: u32) -> Result<u16, Invalid> {
    u16::try_from(label).map_err(|_| Invalid::new(format!("is a number up to 65535, got {label}")))
}
