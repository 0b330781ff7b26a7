//! A reconstructed SPECT, in Bq/mL by a real world value map.

use dicom_core::{PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};

use super::object::{DataSet, DicomObject};
use super::placement::Frames;
use super::reference::Reference;
use crate::domain::{Invalid, Volume};

/// The largest stored word.
const LARGEST: u16 = u16::MAX;

/// What was given to the patient.
#[derive(Clone, Copy, Debug)]
pub struct Administration<'a> {
    /// Code of the nuclide in SNOMED CT, and its name there, such as `^177^Lutetium`.
    pub nuclide: [&'a str; 2],
    /// When, `YYYYMMDDHHMMSS`.
    pub time: &'a str,
    /// Activity [MBq].
    pub activity_mbq: f64,
}

/// A reconstructed tomography, in the study and frame of reference of another object. No value is off by more than half
/// of the largest over 65535.
///
/// * `activity` – concentration, from 0 on [Bq/mL]
/// * `time` – start of the acquisition, `YYYYMMDD` and `HHMMSS`
///
/// # Errors
/// If a value is no number from 0 on, or the grid cannot be put in frames.
pub fn nm_tomography(
    activity: &Volume<f32>,
    time: [&str; 2],
    administration: &Administration<'_>,
    reference: &Reference,
) -> Result<DicomObject, Invalid> {
    if activity.as_slice().iter().any(|value| !value.is_finite() || *value < 0.0) {
        return Err(Invalid::new("holds values that are no activity: not finite, or below 0"));
    }
    let frames = Frames::of(activity)?;
    let peak = f64::from(activity.as_slice().iter().copied().fold(0.0, f32::max));
    let slope = if peak > 0.0 { peak / f64::from(LARGEST) } else { 1.0 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast stops at the largest word")]
    let word = |value: &f32| (f64::from(*value) / slope).round() as u16;
    let words: Vec<u8> = frames.volume.as_slice().iter().flat_map(|value| word(value).to_le_bytes()).collect();
    let short = |n: usize| u16::try_from(n).map_err(|_| Invalid::new("has an axis of more than 65535 voxels"));
    let [columns, rows, count] = frames.shape();
    let (columns, rows, count) = (short(columns)?, short(rows)?, short(count)?);
    let [date, clock] = time;
    let mut object = reference.data_set();
    for (tag_date, tag_time) in [
        (tags::SERIES_DATE, tags::SERIES_TIME),
        (tags::ACQUISITION_DATE, tags::ACQUISITION_TIME),
        (tags::CONTENT_DATE, tags::CONTENT_TIME),
    ] {
        object.text(tag_date, date).text(tag_time, clock);
    }
    object
        .text(tags::MODALITY, "NM")
        .text(tags::SERIES_DESCRIPTION, "dosegrid SPECT")
        .text(tags::SERIES_NUMBER, "2")
        .text(tags::INSTANCE_NUMBER, "1")
        .texts(tags::IMAGE_TYPE, ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"].map(String::from).to_vec())
        .texts(tags::PIXEL_SPACING, frames.pixel_spacing())
        .text(tags::SLICE_THICKNESS, frames.frame_spacing())
        .text(tags::SPACING_BETWEEN_SLICES, frames.frame_spacing())
        .number(tags::SAMPLES_PER_PIXEL, 1)
        .text(tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2")
        .number(tags::ROWS, rows)
        .number(tags::COLUMNS, columns)
        .number(tags::BITS_ALLOCATED, 16)
        .number(tags::BITS_STORED, 16)
        .number(tags::HIGH_BIT, 15)
        .number(tags::PIXEL_REPRESENTATION, 0)
        .text(tags::NUMBER_OF_FRAMES, count.to_string())
        .put(tags::FRAME_INCREMENT_POINTER, PrimitiveValue::from(tags::SLICE_VECTOR))
        .put(tags::SLICE_VECTOR, PrimitiveValue::U16((1..=count).collect()))
        .number(tags::NUMBER_OF_SLICES, count)
        .number(tags::NUMBER_OF_ENERGY_WINDOWS, 1)
        .number(tags::NUMBER_OF_DETECTORS, 1)
        .number(tags::NUMBER_OF_ROTATIONS, 1);
    let mut detector = DataSet::new();
    detector
        .text(tags::COLLIMATOR_TYPE, "PARA")
        .texts(tags::IMAGE_POSITION_PATIENT, frames.position(0))
        .texts(tags::IMAGE_ORIENTATION_PATIENT, frames.orientation());
    object
        .items(tags::DETECTOR_INFORMATION_SEQUENCE, vec![detector])
        .items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![radiopharmaceutical(administration)])
        .items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, vec![to_bq_per_ml(slope)]);
    object.pixels(VR::OW, words)?;
    object.finish(uids::NUCLEAR_MEDICINE_IMAGE_STORAGE)
}

fn code(value: &str, scheme: &str, meaning: &str) -> DataSet {
    let mut code = DataSet::new();
    code.text(tags::CODE_VALUE, value).text(tags::CODING_SCHEME_DESIGNATOR, scheme).text(tags::CODE_MEANING, meaning);
    code
}

/// In NM objects the activity is in MBq.
fn radiopharmaceutical(administration: &Administration<'_>) -> DataSet {
    let [value, meaning] = administration.nuclide;
    let mut item = DataSet::new();
    item.text(tags::RADIOPHARMACEUTICAL_START_DATE_TIME, administration.time)
        .text(tags::RADIONUCLIDE_TOTAL_DOSE, super::decimal::decimal(administration.activity_mbq))
        .items(tags::RADIONUCLIDE_CODE_SEQUENCE, vec![code(value, "SCT", meaning)]);
    item
}

fn to_bq_per_ml(slope: f64) -> DataSet {
    let mut map = DataSet::new();
    map.text(tags::LUT_EXPLANATION, "activity concentration")
        .text(tags::LUT_LABEL, "BQML")
        .put(tags::REAL_WORLD_VALUE_FIRST_VALUE_MAPPED, PrimitiveValue::from(0u16))
        .put(tags::REAL_WORLD_VALUE_LAST_VALUE_MAPPED, PrimitiveValue::from(LARGEST))
        .put(tags::REAL_WORLD_VALUE_INTERCEPT, PrimitiveValue::from(0.0f64))
        .put(tags::REAL_WORLD_VALUE_SLOPE, PrimitiveValue::from(slope))
        .items(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, vec![code("Bq/ml", "UCUM", "Becquerels/milliliter")]);
    map
}
