//! The time that a series names for a scan, beside that of its DICOM file.

use crate::clinic::{Moment, hours_between};
use crate::domain::{Checks, Warning, warning};
use crate::formats::dicom::ActivityAccount;

/// Difference of two times of a scan that is rounding [h].
pub(super) const SAME_TIME_H: f64 = 1.0 / 60.0;

/// The time that a series names, and what the file of the scan says.
pub(super) struct NamedTime {
    /// The scan, such as `scan_1`.
    pub(super) scan: String,
    /// As it is named.
    pub(super) named: Moment,
    /// What the file says.
    pub(super) account: ActivityAccount,
}

impl NamedTime {
    /// Records a time that is more than a minute away from every time that the file supports: of a value that was
    /// corrected to the injection the start of the acquisition, else the moment that the value stands for, and of the
    /// average over a frame the start of the frame as well. What cannot be compared is told.
    ///
    /// * `injection` – start of the administration, as far as it is known
    pub(super) fn check(&self, injection: Option<&str>, checks: &mut Checks) -> Option<Warning> {
        let own = self.of_file();
        if own.is_empty() {
            return None;
        }
        let named = match &self.named {
            Moment::Clock(named) => named.clone(),
            Moment::Hours(named) => format!("{named} h"),
        };
        let apart: Option<Vec<f64>> = own.iter().map(|own| self.apart_h(own, injection)).collect();
        let field = format!("{}.time", self.scan);
        let Some(apart) = apart else {
            let why = match self.named {
                Moment::Clock(_) => "only one of them has an offset from UTC",
                Moment::Hours(_) => "that needs the injection, on the clock of the file",
            };
            let message = format!("is {named}, and was not compared with that of the file, {}: {why}", own[0]);
            return Some(Warning::new(warning::INPUT_FILE, field, message));
        };
        if apart.iter().all(|hours| hours.abs() > SAME_TIME_H) {
            let reason = format!(
                "is {named}, and its file says {}, {:.3} h away; leave it out, or if the clock of the file was wrong, give \
                 the map as NIfTI, which has none: dosegrid convert --as activity",
                own[0], apart[0]
            );
            checks.fail(field, reason);
        }
        None
    }

    /// Times of the file that the named one may be.
    fn of_file(&self) -> Vec<&str> {
        let ActivityAccount { reference_time, reference_event, acquisition_time, .. } = &self.account;
        let event = reference_event.as_deref();
        let own = match event {
            // Hours were compared with those that it was corrected over.
            Some("ADMIN") if matches!(self.named, Moment::Hours(_)) => [None, None],
            Some("ADMIN") => [None, acquisition_time.as_deref()],
            Some("frame average") => [reference_time.as_deref(), acquisition_time.as_deref()],
            _ => [reference_time.as_deref(), None],
        };
        own.into_iter().flatten().collect()
    }

    /// How far the named time is after one of the file [h]; none if that cannot be told.
    fn apart_h(&self, own: &str, injection: Option<&str>) -> Option<f64> {
        match &self.named {
            Moment::Clock(named) => hours_between(own, named).ok(),
            Moment::Hours(named) => Some(named - hours_between(injection?, own).ok()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INJECTION: &str = "2026-03-03T10:00:00";

    fn account(event: &str) -> ActivityAccount {
        let text = |text: &str| Some(text.to_owned());
        ActivityAccount {
            scale: String::new(),
            total_mbq: 1.0,
            reference_time: text(if event == "ADMIN" { INJECTION } else { "2026-03-04T10:15:00" }),
            reference_event: text(event),
            acquisition_time: text("2026-03-04T10:00:00"),
            half_life_s: None,
            nuclide: None,
            injection: None,
            hours_after_injection: None,
            scan_hours_after_injection: None,
            calibration: None,
            injection_day_unknown: false,
        }
    }

    #[test]
    fn a_time_is_one_that_the_file_supports() {
        let clock = |text: &str| Moment::Clock(text.to_owned());
        for (event, named, injection, is_good) in [
            ("START", Moment::Hours(24.25), Some(INJECTION), true),
            ("START", Moment::Hours(24.0), Some(INJECTION), false),
            ("START", clock("2026-03-04T10:15:30"), None, true),
            ("START", clock("2026-03-04T10:00:00"), None, false),
            ("frame average", Moment::Hours(24.0), Some(INJECTION), true),
            ("frame average", Moment::Hours(24.25), Some(INJECTION), true),
            ("frame average", Moment::Hours(72.0), Some(INJECTION), false),
            ("ADMIN", clock("2026-03-04T10:00:00"), Some(INJECTION), true),
            ("ADMIN", clock("2026-03-04T10:15:00"), Some(INJECTION), false),
        ] {
            let mut checks = Checks::new();
            let time = NamedTime { scan: "scan_2".into(), named: named.clone(), account: account(event) };
            assert!(time.check(injection, &mut checks).is_none());
            let faults = checks.into_violations();
            assert_eq!(faults.is_empty(), is_good, "{event} {named:?} {faults:?}");
            assert!(faults.iter().all(|fault| fault.field == "scan_2.time"), "{faults:?}");
        }
        // With an offset on one side alone, or an injection that nobody knows, nothing can be compared.
        for (named, injection) in [(clock("2026-03-04T10:15:00Z"), Some(INJECTION)), (Moment::Hours(24.25), None)] {
            let mut checks = Checks::new();
            let time = NamedTime { scan: "scan_1".into(), named, account: account("START") };
            let told = time.check(injection, &mut checks).expect("it is told");
            assert!(checks.is_empty() && told.message.contains("was not compared"), "{told:?}");
        }
    }
}
