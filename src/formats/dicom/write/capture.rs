//! A picture as a Secondary Capture.

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};

use super::object::DicomObject;
use super::reference::Reference;
use crate::domain::Invalid;

/// A picture, in the study of another object.
///
/// * `size` – width and height [pixels]
/// * `rgb` – red, green and blue of each pixel, row by row from the top
/// * `description` – of the series, in ASCII, at most 64 characters
///
/// # Errors
/// If the bytes are not those of the size, or an axis has more than 65535 pixels.
pub fn secondary_capture(
    [width, height]: [u32; 2],
    rgb: Vec<u8>,
    description: &str,
    reference: &Reference,
) -> Result<DicomObject, Invalid> {
    let short = |n: u32| u16::try_from(n).map_err(|_| Invalid::new("has an axis of more than 65535 pixels"));
    let (columns, rows) = (short(width)?, short(height)?);
    if rgb.len() != 3 * usize::from(columns) * usize::from(rows) {
        return Err(Invalid::new(format!("has {} bytes, not three for each of {width} × {height} pixels", rgb.len())));
    }
    let mut object = reference.data_set();
    // A picture lies in no frame of reference.
    object.0.remove_element(tags::FRAME_OF_REFERENCE_UID);
    object.0.remove_element(tags::POSITION_REFERENCE_INDICATOR);
    object
        .text(tags::MODALITY, "OT")
        .text(tags::CONVERSION_TYPE, "WSD")
        .text(tags::SERIES_DESCRIPTION, description)
        .text(tags::SERIES_NUMBER, "1")
        .text(tags::INSTANCE_NUMBER, "1")
        .text(tags::BURNED_IN_ANNOTATION, "NO")
        .empty(&[tags::PATIENT_ORIENTATION])
        .number(tags::SAMPLES_PER_PIXEL, 3)
        .text(tags::PHOTOMETRIC_INTERPRETATION, "RGB")
        .number(tags::PLANAR_CONFIGURATION, 0)
        .number(tags::ROWS, rows)
        .number(tags::COLUMNS, columns)
        .number(tags::BITS_ALLOCATED, 8)
        .number(tags::BITS_STORED, 8)
        .number(tags::HIGH_BIT, 7)
        .number(tags::PIXEL_REPRESENTATION, 0);
    let mut bytes = rgb;
    if !bytes.len().is_multiple_of(2) {
        bytes.push(0);
    }
    object.pixels(VR::OB, bytes)?;
    object.finish(uids::SECONDARY_CAPTURE_IMAGE_STORAGE)
}
