//! What is asked of DICOM files and what they say, as plain data that passes from one process to another.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::belonging::Belonging;
use super::inventory::Inventory;
use super::outline::Outlined;
use super::radiopharmaceutical::Injection;
use super::source::Place;
use super::write::DoseKind;
use crate::domain::{Organs, Volume, VoxelGrid};

/// What the values of a volume are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// CT numbers [HU].
    Hu,
    /// Activity concentration [Bq/mL].
    BqPerMl,
    /// Absorbed dose [Gy].
    Gy,
}

impl Quantity {
    /// Name in tables, as in `bq_per_ml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hu => "hu",
            Self::BqPerMl => "bq_per_ml",
            Self::Gy => "gy",
        }
    }

    /// What it is, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Hu => "CT",
            Self::BqPerMl => "activity",
            Self::Gy => "dose",
        }
    }
}

/// How counts become activity, as a caller says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Counts per second of an MBq in the field of view.
    pub cps_per_mbq: f64,
    /// For how long counts were summed [s].
    pub acquisition_seconds: Option<f64>,
}

/// The grid that labels are wanted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelGrid {
    /// The grid.
    pub grid: VoxelGrid,
    /// UID of the coordinates that it lies in, where it came from DICOM.
    pub frame_of_reference: Option<String>,
    /// Tells two patients apart; it does not say who they are.
    pub patient: Option<String>,
}

/// What is wanted of a file or folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// A volume: CT, activity or dose, whichever is there.
    AnyVolume,
    /// A CT [HU].
    Ct,
    /// An activity [Bq/mL].
    Activity {
        /// What makes activity of counts.
        calibration: Option<Calibration>,
    },
    /// A dose [Gy].
    Dose {
        /// Of this kind; none: an absorbed or a weighted one.
        kind: Option<DoseKind>,
    },
    /// Organs and tumours.
    Labels {
        /// Where they are wanted; else on the grid of the images that they were drawn on, if these are found.
        grid: Option<LabelGrid>,
        /// The part, or probability, from which a voxel belongs to a segment.
        threshold: Option<f64>,
    },
    /// What is there.
    Inventory {
        /// What makes activity of counts.
        calibration: Option<Calibration>,
    },
    /// What an object to be written takes over from its CT.
    Reference,
    /// What each file says it is.
    Outlines,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// A file or a folder.
    pub path: PathBuf,
    /// The series in it.
    pub series: Option<String>,
    /// What is wanted of it.
    pub wanted: Wanted,
}

impl Request {
    /// * `place` – where to look
    pub fn new(place: Place, wanted: Wanted) -> Self {
        Self { path: place.path, series: place.series, wanted }
    }
}

/// What the files say of a volume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageAccount {
    /// What the values are.
    pub quantity: Quantity,
    /// Modality, as the files say.
    pub modality: String,
    /// UID of the series.
    pub series_uid: String,
    /// UID of the study.
    pub study_uid: Option<String>,
    /// UID of the coordinates that it lies in.
    pub frame_of_reference: Option<String>,
    /// Tells two patients apart; it does not say who they are.
    pub patient: Option<String>,
    /// Of an activity.
    pub activity: Option<ActivityAccount>,
}

impl ImageAccount {
    /// Whose it is, and where it lies.
    pub fn belonging(&self) -> Belonging {
        Belonging { frame_of_reference: self.frame_of_reference.clone(), patient: self.patient.clone() }
    }
}

/// What the files say of an activity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActivityAccount {
    /// Where the unit and the scale came from.
    pub scale: String,
    /// Activity in all voxels [MBq].
    pub total_mbq: f64,
    /// The moment that the values stand for, ISO 8601 by the local clock, with the offset if the files have it.
    pub reference_time: Option<String>,
    /// What that moment is: START, ADMIN, acquisition start, frame average, decay correction.
    pub reference_event: Option<String>,
    /// When the acquisition began.
    pub acquisition_time: Option<String>,
    /// Physical half-life [s], of the file, else of the nuclide.
    pub half_life_s: Option<f64>,
    /// The nuclide.
    pub nuclide: Option<String>,
    /// What was injected.
    pub injection: Option<Injection>,
    /// From injection to reference time [h].
    pub hours_after_injection: Option<f64>,
    /// From injection to the start of the acquisition [h].
    pub scan_hours_after_injection: Option<f64>,
    /// How counts became activity.
    pub calibration: Option<Calibration>,
    /// Whether the injection has a time of day, and nothing says on which day it was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub injection_day_unknown: bool,
}

/// A volume.
#[derive(Clone, Debug)]
pub struct DicomImage {
    /// Its values.
    pub volume: Volume<f32>,
    /// What the files say of it.
    pub account: ImageAccount,
    /// What looks wrong but may be meant.
    pub warnings: Vec<String>,
}

/// Organs and tumours.
#[derive(Clone, Debug)]
pub struct DicomLabels {
    /// They may overlap.
    pub organs: Organs,
    /// Segments and regions that are left out, and why.
    pub left_out: Vec<(String, String)>,
    /// What they were put on, in words.
    pub grid_of: String,
    /// UID of the coordinates that they lie in.
    pub frame_of_reference: Option<String>,
    /// Tells two patients apart; it does not say who they are.
    pub patient: Option<String>,
    /// What looks wrong but may be meant.
    pub warnings: Vec<String>,
}

/// What an object to be written takes over from its CT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReferenceHeaders {
    /// Attributes of patient, study and frame of reference, as a data set in explicit little endian.
    pub(super) attributes: Vec<u8>,
    /// Least and greatest coordinate of the images' pixels by axis, as in NIfTI [mm]; none where the files do not say.
    pub(super) extent_mm: Option<[[f64; 2]; 3]>,
    /// Tells two patients apart; it does not say who they are.
    pub(super) patient: Option<String>,
}

/// An answer to a [`Request`].
#[derive(Clone, Debug)]
pub enum Answer {
    /// A volume.
    Image(Box<DicomImage>),
    /// Organs and tumours.
    Labels(Box<DicomLabels>),
    /// What is there.
    Inventory(Box<Inventory>),
    /// What an object to be written takes over.
    Reference(Box<ReferenceHeaders>),
    /// What each file says it is.
    Outlines(Vec<Outlined>),
}

impl LabelGrid {
    /// The grid of a volume.
    pub fn of(grid: &Arc<VoxelGrid>, account: Option<&ImageAccount>) -> Self {
        Self {
            grid: VoxelGrid::clone(grid),
            frame_of_reference: account.and_then(|account| account.frame_of_reference.clone()),
            patient: account.and_then(|account| account.patient.clone()),
        }
    }

    /// Whose it is, and where it lies.
    pub fn belonging(&self) -> Belonging {
        Belonging { frame_of_reference: self.frame_of_reference.clone(), patient: self.patient.clone() }
    }
}
