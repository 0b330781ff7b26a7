//! Flags of what makes activity of counts.

use crate::domain::{Checks, Invalid};
use crate::formats::dicom::Calibration;

// Strings where they are numbers, so that one run names every fault.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct CalibrationArgs {
    /// Counts per second of an MBq, to make activity of counts
    #[arg(long, value_name = "CPS_PER_MBQ", allow_negative_numbers = true)]
    calibration: Option<String>,
    /// For how long the counts were summed, as the calibration counts it: the duration of a frame times their number,
    /// and times that of the heads if it does so
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    acquisition_seconds: Option<String>,
}

impl CalibrationArgs {
    /// Records that these flags have no effect here.
    ///
    /// * `without` – what they need
    pub(super) fn refuse(&self, without: &str, checks: &mut Checks) {
        let given = [("calibration", &self.calibration), ("acquisition-seconds", &self.acquisition_seconds)];
        for (flag, _) in given.into_iter().filter(|(_, text)| text.is_some()) {
            checks.fail(flag, format!("has no effect without {without}"));
        }
    }

    /// How counts become activity. Faults are recorded.
    pub(super) fn check(&self, checks: &mut Checks) -> Option<Calibration> {
        let mut number = |flag: &str, text: &Option<String>| {
            let text = text.as_deref()?;
            let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
            checks.at(flag, number.ok_or_else(|| Invalid::new(format!("is a number above 0, got `{text}`"))))
        };
        let cps_per_mbq = number("calibration", &self.calibration);
        let acquisition_seconds = number("acquisition-seconds", &self.acquisition_seconds);
        if self.acquisition_seconds.is_some() && self.calibration.is_none() {
            checks.fail("acquisition-seconds", "has no effect without --calibration");
        }
        Some(Calibration { cps_per_mbq: cps_per_mbq?, acquisition_seconds })
    }
}
