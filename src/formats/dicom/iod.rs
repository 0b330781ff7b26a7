//! What the definitions of the objects want that this program makes of a study: a check before an object leaves.

use dicom_core::Tag;
use dicom_core::header::HasLength as _;
use dicom_dictionary_std::tags;

use super::attributes::{Attributes, Object};

/// Attributes that have to have a value (type 1) in both. Source: DICOM PS3.3, C.7.2, C.7.3, C.7.6, C.12.
const VALUED: [Tag; 10] = [
    tags::SOP_CLASS_UID,
    tags::SOP_INSTANCE_UID,
    tags::STUDY_INSTANCE_UID,
    tags::SERIES_INSTANCE_UID,
    tags::MODALITY,
    tags::ROWS,
    tags::COLUMNS,
    tags::BITS_ALLOCATED,
    tags::PHOTOMETRIC_INTERPRETATION,
    tags::SAMPLES_PER_PIXEL,
];
/// Attributes that have to be there (type 2) in both. Source: DICOM PS3.3, C.7.1, C.7.2.
const PRESENT: [Tag; 9] = [
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::STUDY_ID,
    tags::ACCESSION_NUMBER,
];
/// Type 1 of a dose beside them. Source: DICOM PS3.3, C.8.8.3, C.7.4.1, C.7.6.2, C.7.6.6.
const OF_DOSE: [Tag; 11] = [
    tags::FRAME_OF_REFERENCE_UID,
    tags::IMAGE_POSITION_PATIENT,
    tags::IMAGE_ORIENTATION_PATIENT,
    tags::PIXEL_SPACING,
    tags::DOSE_UNITS,
    tags::DOSE_TYPE,
    tags::DOSE_SUMMATION_TYPE,
    tags::DOSE_GRID_SCALING,
    tags::GRID_FRAME_OFFSET_VECTOR,
    tags::NUMBER_OF_FRAMES,
    tags::FRAME_INCREMENT_POINTER,
];
/// Of a picture. Source: DICOM PS3.3, C.8.6.1.
const OF_CAPTURE: [Tag; 1] = [tags::CONVERSION_TYPE];
/// RT Dose Storage. Source: DICOM PS3.4, table B.5-1.
const RT_DOSE: &str = "1.2.840.10008.5.1.4.1.1.481.2";

/// What an object lacks, as tags `(gggg,eeee)`; empty: nothing.
///
/// * `has_pixels` – whether it came with pixel data, which are kept apart
pub(super) fn missing(object: &Object, has_pixels: bool) -> Vec<String> {
    let is_dose = object.text(tags::SOP_CLASS_UID).as_deref() == Some(RT_DOSE);
    let own: &[Tag] = if is_dose { &OF_DOSE } else { &OF_CAPTURE };
    let has_value = |tag: &Tag| object.get(*tag).is_some_and(|element| !element.value().is_empty());
    let mut missing: Vec<String> =
        VALUED.iter().chain(own).filter(|tag| !has_value(tag)).map(|tag| tag.to_string()).collect();
    missing.extend(PRESENT.iter().filter(|tag| object.get(**tag).is_none()).map(|tag| tag.to_string()));
    if !has_pixels {
        missing.push(tags::PIXEL_DATA.to_string());
    }
    missing
}
