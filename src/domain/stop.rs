//! When a transport stops.

use serde::{Deserialize, Serialize};

use super::Checks;

/// Uncertainty to reach if no stop rule is given. At 1 % noise narrows D95 and D2 of an evenly active organ by some
/// tenths of a percent; at 2 % by more than one.
pub const DEFAULT_TARGET: f64 = 0.01;
/// Most histories if no stop rule is given: a patient of organs that differ twentyfold in dose needs half of them.
pub const DEFAULT_HISTORIES: u64 = 200_000_000;
/// Longest time if no stop rule is given [s].
pub const DEFAULT_TIME_LIMIT_S: f64 = 300.0;
/// Fewest histories of a run: one for each statistical group, as the uncertainty needs.
pub const MIN_HISTORIES: u64 = 32;
/// Without regions, voxels with at least this fraction of the maximum dose are looked at.
pub const DEFAULT_DOSE_FRACTION: f64 = 0.1;
/// Where all regions are looked at, a dose below this fraction of the largest mean dose of a region counts as that
/// much: what only photons reach would need far more histories than all the rest together.
pub const LOW_DOSE_FRACTION: f64 = 0.02;
/// Where all regions are looked at, one is held to its voxels if its own charged particles make at least this part of
/// its dose, or if it has [`UPTAKE_FRACTION`]; else to its mean dose.
pub const OWN_DOSE_FRACTION: f64 = 0.5;
/// Part of the largest number of decays per gram of a region from which on a region takes up activity, whatever its own
/// charged particles do: that of photon emitters makes most of their dose by photons.
pub const UPTAKE_FRACTION: f64 = 0.02;

/// When to stop: at whichever comes first. A rule without any part is that of [`StopRule::BY_DEFAULT`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopRule {
    /// After this many histories.
    pub histories: Option<u64>,
    /// Once the uncertainty is this small.
    pub target: Option<TargetUncertainty>,
    /// After this much time on the device [s].
    pub time_limit_s: Option<f64>,
}

impl StopRule {
    /// What holds if no rule is given: [`DEFAULT_TARGET`] in all regions, within [`DEFAULT_HISTORIES`] and
    /// [`DEFAULT_TIME_LIMIT_S`].
    pub const BY_DEFAULT: Self = Self {
        histories: Some(DEFAULT_HISTORIES),
        target: Some(TargetUncertainty { relative: DEFAULT_TARGET, region: Region::AllRegions }),
        time_limit_s: Some(DEFAULT_TIME_LIMIT_S),
    };

    /// Whether no rule is given.
    pub fn is_default(&self) -> bool {
        self.histories.is_none() && self.target.is_none() && self.time_limit_s.is_none()
    }

    /// The rule that holds: this one, or the default.
    #[must_use]
    pub fn in_force(self) -> Self {
        if self.is_default() { Self::BY_DEFAULT } else { self }
    }

    /// Where the uncertainty is stated.
    pub fn region(&self) -> Region {
        self.target.map_or_else(Region::default, |target| target.region)
    }

    pub(super) fn check(&self, prefix: &str, checks: &mut Checks) {
        if let Some(histories) = self.histories.filter(|&histories| histories < MIN_HISTORIES) {
            checks.fail(
                format!("{prefix}.histories"),
                format!("must be at least {MIN_HISTORIES}, or there is no uncertainty; got {histories}"),
            );
        }
        if let Some(target) = self.target {
            target.check(&format!("{prefix}.target_uncertainty"), checks);
        }
        if let Some(seconds) = self.time_limit_s.filter(|&seconds| !(seconds.is_finite() && seconds > 0.0)) {
            checks.fail(format!("{prefix}.time_limit_s"), format!("must be a finite time above 0, got {seconds} s"));
        }
    }
}

/// An uncertainty to reach: the mean over a region of each voxel's 1σ, relative to its dose. Where all regions are
/// looked at and one takes up no activity of its own, the 1σ of its mean dose.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetUncertainty {
    /// Relative 1σ, 0.01 for 1 %.
    pub relative: f64,
    /// Where.
    pub region: Region,
}

impl TargetUncertainty {
    fn check(&self, prefix: &str, checks: &mut Checks) {
        if !(self.relative > 0.0 && self.relative < 1.0) {
            let reason = format!("must be above 0 and below 1 (0.01 is 1 %), got {}", self.relative);
            checks.fail(format!("{prefix}.relative"), reason);
        }
        match self.region {
            Region::AboveDoseFraction(part) if !(part > 0.0 && part <= 1.0) => {
                checks.fail(format!("{prefix}.dose_fraction"), format!("must be above 0 and at most 1, got {part}"));
            }
            Region::Label(0) => checks.fail(format!("{prefix}.label"), "must be above 0: 0 belongs to no region"),
            Region::AllRegions | Region::AboveDoseFraction(_) | Region::Label(_) => {}
        }
    }
}

/// Voxels whose uncertainty is asked for. Those of too low a density for a dose do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Region {
    /// Each region of the map of labels, one by one: the one with the largest uncertainty counts. Those that take up
    /// activity ([`OWN_DOSE_FRACTION`], [`UPTAKE_FRACTION`]) are held to their voxels, the others to their mean dose. A
    /// dose below [`LOW_DOSE_FRACTION`] of the largest mean dose of a region counts as that much. Without regions, or
    /// if none has a dose, the voxels with at least [`DEFAULT_DOSE_FRACTION`] of the maximum dose.
    #[default]
    AllRegions,
    /// Those with at least this fraction of the maximum dose.
    AboveDoseFraction(f64),
    /// Those of this label.
    Label(u16),
}

impl std::fmt::Display for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AllRegions => f.write_str("all regions"),
            Self::AboveDoseFraction(part) => write!(f, "dose above {part} of the maximum"),
            Self::Label(label) => write!(f, "label {label}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_any_rule_a_stated_one_holds() {
        let rule = StopRule::default().in_force();
        assert_eq!(rule, StopRule::BY_DEFAULT);
        assert_eq!((rule.histories, rule.region()), (Some(DEFAULT_HISTORIES), Region::AllRegions));
        let mut checks = Checks::new();
        rule.check("stop", &mut checks);
        assert!(checks.is_empty());
        let timed = StopRule { time_limit_s: Some(5.0), ..StopRule::default() };
        assert_eq!(timed.in_force(), timed);
        let target = TargetUncertainty { relative: 0.02, region: Region::Label(3) };
        let stopped = StopRule { target: Some(target), ..StopRule::default() };
        assert_eq!((stopped.in_force(), stopped.region()), (stopped, Region::Label(3)));
    }
}
