//! Whether a data set that is passed on is there in whole.

use dicom_core::Tag;
use dicom_dictionary_std::{tags, uids};

use super::lengths;
use super::parse::{encoding_of, inflate};
use crate::domain::Invalid;

/// What the data sets of a class hold near their end, of which one is there: cut before it between two elements, one
/// would look whole. Source: DICOM PS3.3, A.2, A.5, A.18, A.19, A.21, A.46, A.51.
const LAST: [(&str, &[Tag]); 13] = [
    (uids::CT_IMAGE_STORAGE, PIXELS),
    (uids::ENHANCED_CT_IMAGE_STORAGE, PIXELS),
    (uids::LEGACY_CONVERTED_ENHANCED_CT_IMAGE_STORAGE, PIXELS),
    (uids::NUCLEAR_MEDICINE_IMAGE_STORAGE, PIXELS),
    (uids::POSITRON_EMISSION_TOMOGRAPHY_IMAGE_STORAGE, PIXELS),
    (uids::LEGACY_CONVERTED_ENHANCED_PET_IMAGE_STORAGE, PIXELS),
    (uids::ENHANCED_PET_IMAGE_STORAGE, PIXELS),
    (uids::SEGMENTATION_STORAGE, PIXELS),
    (uids::LABEL_MAP_SEGMENTATION_STORAGE, PIXELS),
    (uids::SECONDARY_CAPTURE_IMAGE_STORAGE, PIXELS),
    // A dose without a grid is one of histograms.
    (uids::RT_DOSE_STORAGE, &[tags::PIXEL_DATA, tags::DVH_SEQUENCE]),
    (uids::RT_STRUCTURE_SET_STORAGE, &[tags::ROI_CONTOUR_SEQUENCE]),
    (uids::REAL_WORLD_VALUE_MAPPING_STORAGE, &[tags::REFERENCED_IMAGE_REAL_WORLD_VALUE_MAPPING_SEQUENCE]),
];
/// Pixels, of whatever kind, or where they are.
const PIXELS: &[Tag] =
    &[tags::PIXEL_DATA, tags::FLOAT_PIXEL_DATA, tags::DOUBLE_FLOAT_PIXEL_DATA, tags::PIXEL_DATA_PROVIDER_URL];

/// Checks that a data set, as it is in a file, ends where its bytes do, and not before what its class ends with.
///
/// * `class` – UID of its SOP class
/// * `syntax` – UID of its transfer syntax
///
/// # Errors
/// If it does not.
pub(super) fn check_data_set(bytes: &[u8], class: &str, syntax: &str) -> Result<(), Invalid> {
    let checked = if syntax == uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN {
        lengths::check_sent(&inflate(bytes)?, encoding_of(syntax))?
    } else if syntax.starts_with(uids::IMPLICIT_VR_LITTLE_ENDIAN) {
        lengths::check_sent(bytes, encoding_of(syntax))?
    } else {
        // How others encode is not known.
        return Ok(());
    };
    let has_one = |of: &[Tag]| of.iter().any(|tag| checked.tags.contains(tag));
    let of_class = LAST.iter().find(|(known, _)| *known == class).map(|(_, last)| *last);
    // Whatever has rows has pixels.
    let last = of_class.or_else(|| checked.tags.contains(&tags::ROWS).then_some(PIXELS));
    if last.is_some_and(|last| !has_one(last)) {
        let missing = last.and_then(|last| last.first()).map(Tag::to_string).unwrap_or_default();
        return Err(Invalid::new(format!(
            "is a damaged DICOM file: it is cut short between two elements, before its {missing}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_cut_before_its_pixels_is_not_whole() {
        let rows = [0x28, 0, 0x10, 0, b'U', b'S', 2, 0, 4, 0];
        let pixels = [0xE0, 0x7F, 0x10, 0, b'O', b'W', 0, 0, 2, 0, 0, 0, 1, 2];
        let check = |bytes: &[u8], class| check_data_set(bytes, class, uids::EXPLICIT_VR_LITTLE_ENDIAN);
        for class in [uids::CT_IMAGE_STORAGE, uids::MR_IMAGE_STORAGE] {
            assert!(check(&[&rows[..], &pixels].concat(), class).is_ok());
            let fault = check(&rows, class).expect_err("cut").to_string();
            assert!(fault.contains("before its (7FE0,0010)"), "{fault}");
        }
        // Cut before its rows, an image is known by its class.
        let first = [8, 0, 0x60, 0, b'C', b'S', 2, 0, b'C', b'T'];
        assert!(check(&first, uids::CT_IMAGE_STORAGE).is_err() && check(&first, uids::RT_PLAN_STORAGE).is_ok());
        assert!(check(&first, uids::RT_STRUCTURE_SET_STORAGE).is_err());
    }
}
