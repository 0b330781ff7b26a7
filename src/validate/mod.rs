//! The physics checks to make before a dose is believed, on the device that will compute it.
//!
//! A check is one file and one entry of [`CHECKS`]. It measures on a [`Rig`], then compares. The comparison is a
//! separate function, so that a test can give it a biased measurement and see it fail.

mod balance;
pub mod convolution;
mod electron_kernels;
pub mod fano;
pub mod findings;
mod golden;
pub mod layered;
mod page;
pub mod phantom;
mod photon_kernels;
mod point_kernel;
mod reciprocity;
mod repeatability;
pub mod report;
pub mod rig;
mod s_values;
pub mod statistics;

use std::time::{Duration, Instant};

use crate::domain::DoseError;

pub use findings::{Findings, Row};
pub use rig::{Effort, Rig};

/// One check.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Name on the command line.
    pub name: &'static str,
    /// Title in the report.
    pub title: &'static str,
    /// What it does, and what a failure would mean.
    pub meaning: &'static str,
    /// Its tolerances, with the reason for each.
    pub tolerance: &'static str,
    measure: fn(&mut Rig) -> Result<Findings, DoseError>,
}

/// Every check: first those that follow from theory alone, then comparisons with another program.
pub static CHECKS: [Check; 9] = [
    balance::CHECK,
    repeatability::CHECK,
    fano::CHECK,
    reciprocity::CHECK,
    electron_kernels::CHECK,
    photon_kernels::CHECK,
    s_values::CHECK,
    layered::CHECK,
    convolution::CHECK,
];

/// The outcome of a check.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The check.
    pub check: &'static Check,
    /// What it found, or why it could not run.
    pub findings: Result<Findings, DoseError>,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    /// Whether it ran and everything is as expected.
    pub fn passes(&self) -> bool {
        self.findings.as_ref().is_ok_and(Findings::passes)
    }
}

impl Check {
    /// Runs the check. A check that could not run is an outcome too.
    pub fn run(&'static self, rig: &mut Rig) -> Outcome {
        let start = Instant::now();
        let findings = (self.measure)(rig);
        Outcome { check: self, findings, took: start.elapsed() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn checks_have_names_of_their_own_and_say_what_they_mean() {
        let names: HashSet<&str> = CHECKS.iter().map(|check| check.name).collect();
        assert_eq!(names.len(), CHECKS.len());
        assert!(CHECKS.iter().all(|check| check.meaning.len() > 100 && check.tolerance.len() > 20));
    }

    #[test]
    fn a_check_that_cannot_be_made_does_not_pass() {
        let failed = |findings| Outcome { check: &CHECKS[0], findings, took: Duration::ZERO };
        assert!(!failed(Err(DoseError::DeviceLost("gone".into()))).passes());
        assert!(!failed(Ok(Findings::default())).passes());
        assert!(failed(Ok(Findings { rows: vec![Row::none_of("faults", 0)], figures: vec![] })).passes());
    }
}
