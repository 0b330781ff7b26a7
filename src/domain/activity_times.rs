//! The half-life of an activity, and when it was imaged.

use std::f64::consts::LN_2;

use serde::{Deserialize, Serialize};

use super::range::HALF_LIFE_S;
use super::{Checks, Invalid};

/// Where a half-life comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HalfLifeKind {
    /// From the caller: physical decay and biological washout together.
    Effective,
    /// From the nuclide's data: nothing is washed out.
    Physical,
}

impl HalfLifeKind {
    /// Name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Effective => "effective",
            Self::Physical => "physical",
        }
    }
}

/// The moment that the decay in a map was corrected to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecayCorrection {
    /// That of the image: the map holds what was there.
    #[default]
    Scan,
    /// The injection: the map holds what was there, times the physical decay between injection and image.
    Injection {
        /// Physical half-life of the nuclide [s].
        physical_half_life_s: f64,
    },
}

impl DecayCorrection {
    /// Name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Injection { .. } => "injection",
        }
    }
}

/// How an activity falls, and when it was imaged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivityTimes {
    /// Half-life with which the activity falls [s].
    pub half_life_s: f64,
    /// Where that half-life comes from.
    pub half_life: HalfLifeKind,
    /// Time from injection to the image [s]: decays are counted from the injection on. None: from the image on.
    pub imaged_after_s: Option<f64>,
    /// What the decay in the map was corrected to.
    pub decay_correction: DecayCorrection,
}

impl ActivityTimes {
    /// An activity that falls with an effective half-life from the image on.
    pub fn effective(half_life_s: f64) -> Self {
        Self {
            half_life_s,
            half_life: HalfLifeKind::Effective,
            imaged_after_s: None,
            decay_correction: DecayCorrection::Scan,
        }
    }

    /// Decays for each Bq of the map [s]: `T/ln 2`, with the factors of the times before the image.
    pub fn decays_per_bq_s(&self) -> f64 {
        self.at_scan_per_map() * self.at_start_per_scan() * self.half_life_s / LN_2
    }

    /// Activity at the image [Bq].
    ///
    /// * `decays` – that were counted [Bq·s]
    pub fn at_imaging_bq(&self, decays: f64) -> f64 {
        self.at_start_bq(decays) / self.at_start_per_scan()
    }

    /// Activity at the injection [Bq]; none if the time of imaging is not known.
    ///
    /// * `decays` – that were counted [Bq·s]
    pub fn at_injection_bq(&self, decays: f64) -> Option<f64> {
        self.imaged_after_s.map(|_| self.at_start_bq(decays))
    }

    /// Activity when counting begins [Bq].
    fn at_start_bq(&self, decays: f64) -> f64 {
        decays * LN_2 / self.half_life_s
    }

    /// Activity at the image for each Bq of the map.
    fn at_scan_per_map(&self) -> f64 {
        match (self.decay_correction, self.imaged_after_s) {
            (DecayCorrection::Injection { physical_half_life_s }, Some(after_s)) => {
                (-after_s / physical_half_life_s).exp2()
            }
            (DecayCorrection::Injection { .. }, None) | (DecayCorrection::Scan, _) => 1.0,
        }
    }

    /// Activity when counting begins for each Bq at the image.
    fn at_start_per_scan(&self) -> f64 {
        self.imaged_after_s.map_or(1.0, |after_s| (after_s / self.half_life_s).exp2())
    }

    /// Records times that are bad, by their path on the wire, and says whether all are good.
    ///
    /// * `field` – path of the message that has the times
    pub fn check(&self, field: &str, checks: &mut Checks) -> bool {
        let faults = self.faults();
        for (part, reason) in &faults {
            checks.fail(format!("{field}.{part}"), reason);
        }
        faults.is_empty()
    }

    /// # Errors
    /// The first fault.
    pub(super) fn first_fault(&self) -> Result<(), Invalid> {
        self.faults().into_iter().next().map_or(Ok(()), |(_, reason)| Err(Invalid::new(reason)))
    }

    /// Each bad part of the message that has the times, and why.
    fn faults(&self) -> Vec<(&'static str, String)> {
        let (seconds, mut faults) = (self.half_life_s, Vec::new());
        if let Err(Invalid(reason)) = HALF_LIFE_S.check(seconds) {
            faults.push(("effective_half_life_s", reason));
        }
        if let Some(after_s) = self.imaged_after_s {
            if !(after_s.is_finite() && after_s >= 0.0) {
                let reason = format!("the time of imaging must be a finite time, 0 or more, got {after_s} s");
                faults.push(("imaged_after_s", reason));
            } else if faults.is_empty() && !self.decays_per_bq_s().is_normal() {
                let half_lives = after_s / seconds;
                let reason = format!("{after_s} s are {half_lives:.0} half-lives: no activity is left after so many");
                faults.push(("imaged_after_s", reason));
            }
        }
        match self.decay_correction {
            DecayCorrection::Injection { .. } if self.imaged_after_s.is_none() => {
                let reason = "injection needs the time from injection to image";
                faults.push(("decay_corrected_to", reason.to_owned()));
            }
            DecayCorrection::Injection { physical_half_life_s: seconds } if !(seconds.is_finite() && seconds > 0.0) => {
                let reason = format!("the physical half-life must be a finite time above 0, got {seconds} s");
                faults.push(("decay_corrected_to", reason));
            }
            DecayCorrection::Injection { .. } | DecayCorrection::Scan => {}
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(half_life_s: f64, imaged_after_s: Option<f64>, decay_correction: DecayCorrection) -> ActivityTimes {
        ActivityTimes { half_life_s, half_life: HalfLifeKind::Effective, imaged_after_s, decay_correction }
    }

    #[test]
    fn decays_before_the_image_count() {
        let half_life_s = 1000.0 * LN_2;
        let corrected = DecayCorrection::Injection { physical_half_life_s: 2.0 * half_life_s };
        let after = Some(2.0 * half_life_s);
        // Decays for each Bq of the map, activity at the image and at the injection for 1000 decays.
        let expected = [
            (times(half_life_s, None, DecayCorrection::Scan), 1000.0, 1.0, None),
            (times(half_life_s, Some(0.0), DecayCorrection::Scan), 1000.0, 1.0, Some(1.0)),
            (times(half_life_s, after, DecayCorrection::Scan), 4000.0, 0.25, Some(1.0)),
            // Corrected by one physical half-life: half of it was there, four times as much at the injection.
            (times(half_life_s, after, corrected), 2000.0, 0.25, Some(1.0)),
        ];
        for (times, decays, at_imaging_bq, at_injection_bq) in expected {
            assert!((times.decays_per_bq_s() / decays - 1.0).abs() < 1e-12, "{times:?}");
            assert!((times.at_imaging_bq(1000.0) / at_imaging_bq - 1.0).abs() < 1e-12, "{times:?}");
            let found = times.at_injection_bq(1000.0);
            assert_eq!(found.is_some(), at_injection_bq.is_some(), "{times:?}");
            assert!((found.unwrap_or(1.0) - at_injection_bq.unwrap_or(1.0)).abs() < 1e-12, "{times:?}");
        }
    }

    #[test]
    fn a_map_corrected_by_its_own_half_life_holds_the_injected_activity() {
        let physical_half_life_s = 5e5;
        let corrected = times(5e5, Some(3e5), DecayCorrection::Injection { physical_half_life_s });
        let at_injection = times(5e5, Some(0.0), DecayCorrection::Scan);
        assert!((corrected.decays_per_bq_s() / at_injection.decays_per_bq_s() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn bad_times_are_named() {
        let injection = DecayCorrection::Injection { physical_half_life_s: 1e5 };
        let bad = [
            (times(0.0, None, DecayCorrection::Scan), vec!["effective_half_life_s"]),
            (times(f64::NAN, Some(-1.0), DecayCorrection::Scan), vec!["effective_half_life_s", "imaged_after_s"]),
            (times(3600.0, Some(f64::INFINITY), DecayCorrection::Scan), vec!["imaged_after_s"]),
            (times(1.0, Some(2000.0), DecayCorrection::Scan), vec!["imaged_after_s"]),
            (times(1.0, None, injection), vec!["decay_corrected_to"]),
        ];
        for (times, parts) in bad {
            let mut checks = Checks::new();
            assert!(!times.check("unit.bq", &mut checks) && times.first_fault().is_err());
            let found: Vec<String> = checks.into_violations().into_iter().map(|fault| fault.field).collect();
            assert_eq!(found, parts.iter().map(|part| format!("unit.bq.{part}")).collect::<Vec<_>>());
        }
        assert!(times(1.0, Some(900.0), DecayCorrection::Scan).check("unit", &mut Checks::new()));
    }
}
