//! Activities over time in a folder of DICOM files: which series they are, when they were made, and how they come onto
//! one grid.

mod line;
mod maps;
mod plausible;
mod regions;

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::calibration::CalibrationArgs;
use crate::domain::{Checks, Invalid};
use crate::formats::dicom::Calibration;
use crate::formats::transform::{self, TransformFile};

pub(super) use line::{Said, TimeLine, TimePoint, series_path};
pub(super) use maps::read_on_one_grid;
pub(super) use regions::regions_on;

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Time points in DICOM")]
pub(super) struct TimePointArgs {
    /// Activity series to take, by its UID, where not all in the folder are wanted. May be repeated
    #[arg(long, value_name = "UID")]
    activity_series: Vec<String>,
    /// Rigid transform of a time point that lies in a frame of reference of its own: of ITK (reference time point
    /// fixed, this one moving), or of FSL (flirt -in THIS -ref REFERENCE). May be repeated
    #[arg(long, value_name = "UID=FILE")]
    registration: Vec<String>,
    /// Take the frames of reference of all time points for one: the images lie on each other
    #[arg(long)]
    aligned: bool,
    #[command(flatten)]
    calibration: CalibrationArgs,
}

/// What the flags say, checked.
pub(super) struct Chosen {
    /// UIDs of the activity series that are wanted; empty: all.
    pub(super) series: Vec<String>,
    /// Registrations by the UID of their series.
    pub(super) registrations: BTreeMap<String, (PathBuf, TransformFile)>,
    /// Whether frames of reference that differ are taken for one.
    pub(super) is_aligned: bool,
    /// How counts become activity.
    pub(super) calibration: Option<Calibration>,
}

impl TimePointArgs {
    /// Reads the flags. Faults are recorded.
    pub(super) fn check(&self, checks: &mut Checks) -> Chosen {
        let mut registrations = BTreeMap::new();
        for text in &self.registration {
            let Some((uid, file)) = text.split_once('=').filter(|(uid, file)| !uid.is_empty() && !file.is_empty())
            else {
                checks.fail("registration", format!("is a series UID, = and a file, got `{text}`"));
                continue;
            };
            let named = |Invalid(reason): Invalid| Invalid::new(format!("{file}: {reason}"));
            if let Some(read) = checks.at("registration", transform::read(file.as_ref()).map_err(named)) {
                registrations.insert(uid.to_owned(), (PathBuf::from(file), read));
            }
        }
        Chosen {
            series: self.activity_series.clone(),
            registrations,
            is_aligned: self.aligned,
            calibration: self.calibration.check(checks),
        }
    }

    /// Records that these flags have no effect here.
    ///
    /// * `without` – what they need
    pub(super) fn refuse(&self, without: &str, checks: &mut Checks) {
        let given = [
            ("activity-series", !self.activity_series.is_empty()),
            ("registration", !self.registration.is_empty()),
            ("aligned", self.aligned),
        ];
        for (flag, _) in given.into_iter().filter(|(_, is_given)| *is_given) {
            checks.fail(flag, format!("has no effect without {without}"));
        }
        self.calibration.refuse(without, checks);
    }
}
