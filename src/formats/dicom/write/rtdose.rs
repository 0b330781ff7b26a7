//! A dose as RTDOSE.

use dicom_core::{PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use serde::{Deserialize, Serialize};

use super::object::DicomObject;
use super::placement::Frames;
use super::plan::Plan;
use super::quantise::{Quantised, quantised};
use super::reference::Reference;
use crate::domain::{Invalid, Volume};

/// Bits of a stored dose.
const BITS: u16 = 32;
/// Most characters of a long string.
const MAX_LONG_STRING: usize = 64;

/// What a map holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoseKind {
    /// Absorbed dose: `PHYSICAL`.
    Physical,
    /// Weighted by biological effect, such as a dose with RBE, BED or EQD2: `EFFECTIVE`.
    Effective,
    /// The 1σ uncertainty of an absorbed dose: `ERROR`.
    Uncertainty,
}

impl DoseKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Physical, Self::Effective, Self::Uncertainty];

    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Physical => "physical",
            Self::Effective => "effective",
            Self::Uncertainty => "uncertainty",
        }
    }

    /// Dose Type.
    pub fn dose_type(self) -> &'static str {
        match self {
            Self::Physical => "PHYSICAL",
            Self::Effective => "EFFECTIVE",
            Self::Uncertainty => "ERROR",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Physical => "dosegrid absorbed dose",
            Self::Effective => "dosegrid biologically weighted dose",
            Self::Uncertainty => "dosegrid uncertainty of the dose (1 sigma)",
        }
    }
}

/// A dose to be written.
#[derive(Clone, Copy, Debug)]
pub struct RtDose<'a> {
    /// The map [Gy].
    pub dose: &'a Volume<f32>,
    /// What it holds.
    pub kind: DoseKind,
    /// How it was made, in ASCII, such as nuclide and method; empty for nothing. Cut after 64 characters.
    pub comment: &'a str,
    /// The plan that it refers to.
    pub plan: &'a Plan,
}

impl RtDose<'_> {
    /// The object, in the study and frame of reference of a CT.
    ///
    /// # Errors
    /// If a dose is not a number from 0 on, or the map lies wholly outside the CT.
    pub fn object(&self, reference: &Reference) -> Result<DicomObject, Invalid> {
        reference.check_place(self.dose.grid())?;
        let frames = Frames::of(self.dose)?;
        let Quantised { scale, words } = quantised(&frames.volume)?;
        let [columns, rows, count] =
            frames.shape().map(|n| u16::try_from(n).expect("an axis has at most 65535 voxels"));
        let mut dose = reference.data_set();
        dose.text(tags::MODALITY, "RTDOSE")
            .text(tags::SERIES_DESCRIPTION, self.kind.description())
            .text(tags::INSTANCE_NUMBER, "1")
            .text(tags::SERIES_NUMBER, "1")
            .empty(&[tags::OPERATORS_NAME])
            .texts(tags::IMAGE_POSITION_PATIENT, frames.position(0))
            .texts(tags::IMAGE_ORIENTATION_PATIENT, frames.orientation())
            .texts(tags::PIXEL_SPACING, frames.pixel_spacing())
            .text(tags::SLICE_THICKNESS, frames.frame_spacing())
            .number(tags::SAMPLES_PER_PIXEL, 1)
            .text(tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2")
            .number(tags::ROWS, rows)
            .number(tags::COLUMNS, columns)
            .number(tags::BITS_ALLOCATED, BITS)
            .number(tags::BITS_STORED, BITS)
            .number(tags::HIGH_BIT, BITS - 1)
            .number(tags::PIXEL_REPRESENTATION, 0)
            .text(tags::NUMBER_OF_FRAMES, count.to_string())
            .put(tags::FRAME_INCREMENT_POINTER, PrimitiveValue::from(tags::GRID_FRAME_OFFSET_VECTOR))
            .texts(tags::GRID_FRAME_OFFSET_VECTOR, frames.offsets())
            .text(tags::DOSE_UNITS, "GY")
            .text(tags::DOSE_TYPE, self.kind.dose_type())
            .text(tags::DOSE_GRID_SCALING, scale);
        let comment: String = self.comment.chars().filter(|c| matches!(c, ' '..='~') && *c != '\\').collect();
        if !comment.is_empty() {
            dose.text(tags::DOSE_COMMENT, &comment[..comment.len().min(MAX_LONG_STRING)]);
        }
        self.plan.describe(&mut dose);
        dose.pixels(VR::OW, words)?;
        dose.finish(uids::RT_DOSE_STORAGE)
    }
}
