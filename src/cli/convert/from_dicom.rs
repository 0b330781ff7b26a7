//! Flags of reading DICOM.

use std::path::PathBuf;

use serde::Serialize;

use super::{Args, Target};
use crate::cli::stdout;
use crate::domain::{Checks, DoseError, Invalid};
use crate::formats::dicom::{Calibration, Place};
use crate::formats::{atomic, json};

/// Where JSON goes that is asked for without a file.
const STDOUT: &str = "-";

// Strings where they are numbers, so that one run names every fault.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "From DICOM")]
pub(super) struct FromDicomArgs {
    /// The series, where there are several
    #[arg(long, value_name = "UID")]
    pub(super) series: Option<String>,
    /// Counts per second of an MBq, to make activity of counts
    #[arg(long, value_name = "CPS_PER_MBQ", allow_negative_numbers = true)]
    calibration: Option<String>,
    /// For how long the counts were summed, as the calibration counts it: the duration of a frame times their number,
    /// and times that of the heads if it does so
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    acquisition_seconds: Option<String>,
    /// File, folder or series whose grid labels are put on [default: the images that they were drawn on, if they are in
    /// the same folder; else the planes of the segmentation]
    #[arg(long, value_name = "FILE")]
    pub(super) grid: Option<PathBuf>,
    /// The part or probability from which a voxel belongs to a fractional segment
    #[arg(long, value_name = "PART", allow_negative_numbers = true)]
    threshold: Option<String>,
    /// What was read, as JSON: to a file, or without one to stdout
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = STDOUT)]
    json: Option<PathBuf>,
}

impl FromDicomArgs {
    /// Records flags that have no effect on what is asked for.
    pub(super) fn check(&self, target: Target, checks: &mut Checks) {
        let of_activity = [("calibration", &self.calibration), ("acquisition-seconds", &self.acquisition_seconds)];
        if target != Target::Activity {
            for (flag, _) in of_activity.into_iter().filter(|(_, text)| text.is_some()) {
                checks.fail(flag, "has no effect without --as activity");
            }
        }
        if target != Target::Labels {
            let of_labels = [("grid", self.grid.is_some()), ("threshold", self.threshold.is_some())];
            for (flag, _) in of_labels.into_iter().filter(|(_, is_given)| *is_given) {
                checks.fail(flag, "has no effect without --as labels");
            }
        }
        if target.is_dicom() {
            for (flag, _) in [("series", self.series.is_some()), ("json", self.json.is_some())]
                .into_iter()
                .filter(|(_, is_given)| *is_given)
            {
                checks.fail(flag, "has no effect on what becomes DICOM");
            }
        }
        if let Some(path) = self.json.as_ref().filter(|path| path.as_os_str() != STDOUT) {
            let place = atomic::check_place(path).map_err(|error| Invalid::new(format!("cannot be written: {error}")));
            checks.at("json", place);
        }
    }

    /// The place that is read.
    pub(super) fn place(&self, args: &Args, checks: &mut Checks) -> Place {
        let place = Place::of(&args.input);
        match (&place.series, &self.series) {
            (Some(of_path), Some(of_flag)) if of_path != of_flag => {
                checks.fail("series", "names another series than the input does");
                place
            }
            (None, Some(_)) => Place { series: self.series.clone(), ..place },
            (_, _) => place,
        }
    }

    /// How counts become activity.
    pub(super) fn calibration(&self, checks: &mut Checks) -> Option<Calibration> {
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

    /// The part from which a voxel belongs to a segment.
    pub(super) fn threshold(&self, checks: &mut Checks) -> Option<f64> {
        let text = self.threshold.as_deref()?;
        let part = text.parse::<f64>().ok().filter(|part| *part > 0.0 && *part <= 1.0);
        checks
            .at("threshold", part.ok_or_else(|| Invalid::new(format!("is a part above 0 and at most 1, got `{text}`"))))
    }

    /// Tells what was read: as JSON where that is asked for, else in words.
    pub(super) fn tell(&self, account: &impl Serialize, words: &str, warnings: &[String]) -> Result<(), DoseError> {
        warnings.iter().for_each(|warning| eprintln!("warning: input: {warning}"));
        match &self.json {
            Some(path) if path.as_os_str() == STDOUT => stdout::print_json(account),
            Some(path) => {
                json::write(path, account)
                    .map_err(|error| DoseError::Io(format!("json `{}`: {error}", path.display())))?;
                stdout::print(words)
            }
            None => stdout::print(words),
        }
    }
}
