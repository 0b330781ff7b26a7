//! Flags of reading DICOM.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Args, Target};
use crate::cli::calibration::CalibrationArgs;
use crate::cli::stdout;
use crate::domain::{Checks, DoseError, Invalid};
use crate::formats::dicom::Place;
use crate::formats::json;

/// Where JSON goes that is asked for without a file.
const STDOUT: &str = "-";

// Strings where they are numbers, so that one run names every fault.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "From DICOM")]
pub(super) struct FromDicomArgs {
    /// The series, where there are several
    #[arg(long, value_name = "UID")]
    pub(super) series: Option<String>,
    #[command(flatten)]
    pub(super) calibration: CalibrationArgs,
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
        if target != Target::Activity {
            self.calibration.refuse("--as activity", checks);
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
    }

    /// Where JSON goes, if it goes to a file.
    pub(super) fn json_file(&self) -> Option<&Path> {
        self.json.as_deref().filter(|path| path.as_os_str() != STDOUT)
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

    /// The part from which a voxel belongs to a segment.
    pub(super) fn threshold(&self, checks: &mut Checks) -> Option<f64> {
        let text = self.threshold.as_deref()?;
        let part = text.parse::<f64>().ok().filter(|part| *part > 0.0 && *part <= 1.0);
        checks
            .at("threshold", part.ok_or_else(|| Invalid::new(format!("is a part above 0 and at most 1, got `{text}`"))))
    }

    /// Tells what was read: as JSON where that is asked for, else in words.
    pub(super) fn tell(&self, account: &impl Serialize, words: &str, warnings: &[String]) -> Result<(), DoseError> {
        warnings.iter().for_each(|warning| tell!("warning: input: {warning}"));
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
