//! A CT, an instance for each slice.

use dicom_core::{PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};

use super::object::DicomObject;
use super::placement::Frames;
use super::reference::Reference;
use super::uid::derived;
use crate::domain::{Invalid, Volume};

/// HU of one stored unit, as a number and as its decimal string.
const STEP_HU: f64 = 0.1;
const STEP_TEXT: &str = "0.1";

/// The slices of a CT, in the study and frame of reference of another object. Values are rounded to 0.1 HU.
///
/// * `ct` – CT numbers, -3276.8 to 3276.7 [HU]
/// * `time` – when it was made, `YYYYMMDD` and `HHMMSS`
///
/// # Errors
/// If a value is out of range or the grid cannot be put in frames.
pub fn ct_slices(ct: &Volume<f32>, time: [&str; 2], reference: &Reference) -> Result<Vec<DicomObject>, Invalid> {
    let frames = Frames::of(ct)?;
    let [columns, rows, count] = frames.shape();
    let word = |hu: f32| {
        let stored = (f64::from(hu) / STEP_HU).round();
        let is_in_range = (f64::from(i16::MIN)..=f64::from(i16::MAX)).contains(&stored);
        #[expect(clippy::cast_possible_truncation, reason = "checked")]
        is_in_range.then_some(stored as i16)
    };
    let words: Option<Vec<i16>> = frames.volume.as_slice().iter().map(|hu| word(*hu)).collect();
    let words =
        words.ok_or_else(|| Invalid::new("has CT numbers beyond -3276.8 to 3276.7 HU, or that are no numbers"))?;
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let series = derived("CT series", &bytes);
    let short = |n: usize| u16::try_from(n).map_err(|_| Invalid::new("has an axis of more than 65535 voxels"));
    let (rows_short, columns_short) = (short(rows)?, short(columns)?);
    let slice = |number: usize| {
        let mut object = reference.data_set();
        let [date, clock] = time;
        for (tag_date, tag_time) in [
            (tags::SERIES_DATE, tags::SERIES_TIME),
            (tags::ACQUISITION_DATE, tags::ACQUISITION_TIME),
            (tags::CONTENT_DATE, tags::CONTENT_TIME),
        ] {
            object.text(tag_date, date).text(tag_time, clock);
        }
        object
            .text(tags::MODALITY, "CT")
            .text(tags::SERIES_DESCRIPTION, "dosegrid CT")
            .text(tags::SERIES_NUMBER, "1")
            .text(tags::INSTANCE_NUMBER, (number + 1).to_string())
            .text(tags::ACQUISITION_NUMBER, "1")
            .empty(&[tags::KVP])
            .texts(tags::IMAGE_TYPE, ["ORIGINAL", "PRIMARY", "AXIAL"].map(String::from).to_vec())
            .texts(tags::IMAGE_POSITION_PATIENT, frames.position(number))
            .texts(tags::IMAGE_ORIENTATION_PATIENT, frames.orientation())
            .texts(tags::PIXEL_SPACING, frames.pixel_spacing())
            .text(tags::SLICE_THICKNESS, frames.frame_spacing())
            .text(tags::RESCALE_SLOPE, STEP_TEXT)
            .text(tags::RESCALE_INTERCEPT, "0")
            .text(tags::RESCALE_TYPE, "HU")
            .number(tags::SAMPLES_PER_PIXEL, 1)
            .text(tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2")
            .number(tags::ROWS, rows_short)
            .number(tags::COLUMNS, columns_short)
            .number(tags::BITS_ALLOCATED, 16)
            .number(tags::BITS_STORED, 16)
            .number(tags::HIGH_BIT, 15)
            .put(tags::PIXEL_REPRESENTATION, PrimitiveValue::from(1u16));
        let size = 2 * rows * columns;
        object.pixels(VR::OW, bytes[number * size..(number + 1) * size].to_vec())?;
        object.finish_in(uids::CT_IMAGE_STORAGE, Some(&series))
    };
    (0..count).map(slice).collect()
}
