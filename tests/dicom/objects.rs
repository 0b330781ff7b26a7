//! Small DICOM objects.

use std::fs;
use std::path::Path;

use dicom_core::value::{DataSetSequence, PixelFragmentSequence, PrimitiveValue, Value};
use dicom_core::{DataElement, Length, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::entries::{EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN};

/// An object being made.
#[derive(Clone)]
pub(super) struct Made(pub(super) InMemDicomObject);

impl Made {
    /// An empty item.
    pub(super) fn item() -> Self {
        Self(InMemDicomObject::new_empty())
    }

    /// What every object has.
    ///
    /// * `class` – the end of the SOP class UID
    pub(super) fn of_class(class: &str, modality: &str) -> Self {
        Self::item()
            .text(tags::SOP_CLASS_UID, VR::UI, &format!("1.2.840.10008.5.1.4.1.1.{class}"))
            .text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.1")
            .text(tags::MODALITY, VR::CS, modality)
            .text(tags::PATIENT_ID, VR::LO, "TEST")
            .text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3.2")
            .text(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.3")
            .text(tags::FRAME_OF_REFERENCE_UID, VR::UI, "1.2.3.4")
    }

    pub(super) fn text(mut self, tag: Tag, vr: VR, text: &str) -> Self {
        self.0.put(DataElement::new(tag, vr, PrimitiveValue::from(text)));
        self
    }

    pub(super) fn numbers(self, tag: Tag, numbers: &[f64]) -> Self {
        let text: Vec<String> = numbers.iter().map(f64::to_string).collect();
        self.text(tag, VR::DS, &text.join("\\"))
    }

    pub(super) fn short(mut self, tag: Tag, value: u16) -> Self {
        self.0.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
        self
    }

    pub(super) fn shorts(mut self, tag: Tag, values: &[u16]) -> Self {
        self.0.put(DataElement::new(tag, VR::US, PrimitiveValue::U16(values.iter().copied().collect())));
        self
    }

    pub(super) fn double(mut self, tag: Tag, value: f64) -> Self {
        self.0.put(DataElement::new(tag, VR::FD, PrimitiveValue::from(value)));
        self
    }

    pub(super) fn items(mut self, tag: Tag, items: Vec<Self>) -> Self {
        let items: Vec<InMemDicomObject> = items.into_iter().map(|item| item.0).collect();
        let sequence = DataSetSequence::new(items, Length::UNDEFINED);
        self.0.put(DataElement::new(tag, VR::SQ, Value::Sequence(sequence)));
        self
    }

    /// The same sequence of unknown representation, as a program passes it on that does not know it: its items are in
    /// implicit VR little endian, and a delimiter ends them.
    pub(super) fn unknown_items(mut self, tag: Tag, items: Vec<Self>) -> Self {
        let mut bytes = Vec::new();
        for item in items {
            bytes.extend([0xFE, 0xFF, 0, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF]);
            item.0.write_dataset_with_ts(&mut bytes, &IMPLICIT_VR_LITTLE_ENDIAN.erased()).expect("a good object");
            bytes.extend([0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0]);
        }
        bytes.extend([0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
        self.0.put(DataElement::new(tag, VR::UN, PrimitiveValue::U8(bytes.into())));
        self
    }

    pub(super) fn without(mut self, tag: Tag) -> Self {
        self.0.remove_element(tag);
        self
    }

    /// Unsigned pixels of 16 bits, x fastest.
    pub(super) fn pixels(mut self, [columns, rows, frames]: [u16; 3], values: &[u16]) -> Self {
        self = self
            .short(tags::SAMPLES_PER_PIXEL, 1)
            .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2")
            .short(tags::ROWS, rows)
            .short(tags::COLUMNS, columns)
            .short(tags::BITS_ALLOCATED, 16)
            .short(tags::BITS_STORED, 16)
            .short(tags::HIGH_BIT, 15)
            .short(tags::PIXEL_REPRESENTATION, 0);
        if frames > 1 {
            self = self.text(tags::NUMBER_OF_FRAMES, VR::IS, &frames.to_string());
        }
        self.0.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(values.iter().copied().collect())));
        self
    }

    /// The bytes of a file without preamble.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.0.write_dataset_with_ts(&mut bytes, &EXPLICIT_VR_LITTLE_ENDIAN.erased()).expect("a good object");
        bytes
    }

    /// The bytes of a file whose pixels are packed.
    ///
    /// * `syntax` – UID of its transfer syntax, of an even number of characters
    /// * `fragments` – what the pixels are packed into
    pub(super) fn packed(mut self, syntax: &str, fragments: Vec<Vec<u8>>) -> Vec<u8> {
        self.0.put(DataElement::new(tags::PIXEL_DATA, VR::OB, PixelFragmentSequence::new_fragments(fragments)));
        let length = u8::try_from(syntax.len()).expect("a UID");
        [&[2, 0, 0x10, 0, b'U', b'I', length, 0][..], syntax.as_bytes(), &self.bytes()].concat()
    }

    pub(super) fn save(&self, path: &Path) {
        fs::write(path, self.bytes()).expect("a writable folder");
    }
}

/// A map to a unit.
pub(super) fn map(unit: &str, slope: f64, range: [u16; 2]) -> Made {
    Made::item()
        .items(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, vec![Made::item().text(tags::CODE_VALUE, VR::SH, unit)])
        .short(tags::REAL_WORLD_VALUE_FIRST_VALUE_MAPPED, range[0])
        .short(tags::REAL_WORLD_VALUE_LAST_VALUE_MAPPED, range[1])
        .double(tags::REAL_WORLD_VALUE_INTERCEPT, 0.0)
        .double(tags::REAL_WORLD_VALUE_SLOPE, slope)
}

/// A reconstructed tomography of 2 × 2 × 2 voxels of 10 mm with the values 1 to 8, in counts.
pub(super) fn nm() -> Made {
    let detector = Made::item()
        .numbers(tags::IMAGE_POSITION_PATIENT, &[-5.0, -5.0, 100.0])
        .numbers(tags::IMAGE_ORIENTATION_PATIENT, &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    Made::of_class("20", "NM")
        .text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\RECON TOMO\\EMISSION")
        .text(tags::ACQUISITION_DATE, VR::DA, "20260302")
        .text(tags::ACQUISITION_TIME, VR::TM, "120000")
        .items(tags::DETECTOR_INFORMATION_SEQUENCE, vec![detector])
        .numbers(tags::PIXEL_SPACING, &[10.0, 10.0])
        .numbers(tags::SPACING_BETWEEN_SLICES, &[10.0])
        .pixels([2, 2, 2], &[1, 2, 3, 4, 5, 6, 7, 8])
}

/// The same in Bq/mL, ten a stored unit.
pub(super) fn nm_in_bq() -> Made {
    nm().items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, vec![map("Bq/ml", 10.0, [0, 65_535])])
}

/// A CT slice of 4 × 4 pixels of 5 mm.
///
/// * `z` – its height [mm]
pub(super) fn ct(z: f64, hu: f64) -> Made {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a CT number")]
    let stored = (hu + 1024.0) as u16;
    Made::of_class("2", "CT")
        .text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\AXIAL")
        .text(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.5")
        .text(tags::SOP_INSTANCE_UID, VR::UI, &format!("1.2.3.6.{z}"))
        .numbers(tags::IMAGE_POSITION_PATIENT, &[-10.0, -10.0, z])
        .numbers(tags::IMAGE_ORIENTATION_PATIENT, &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
        .numbers(tags::PIXEL_SPACING, &[5.0, 5.0])
        .numbers(tags::RESCALE_SLOPE, &[1.0])
        .numbers(tags::RESCALE_INTERCEPT, &[-1024.0])
        .pixels([4, 4, 1], &[stored; 16])
}

/// A region of a structure set: square contours of 2 × 2 pixels in the middle of the CT.
pub(super) fn squares(number: u16, name: &str, heights: &[f64]) -> [Made; 2] {
    let contour = |z: &f64| {
        let corners = [[-7.5, -7.5], [2.5, -7.5], [2.5, 2.5], [-7.5, 2.5]];
        let points: Vec<f64> = corners.iter().flat_map(|[x, y]| [*x, *y, *z]).collect();
        Made::item()
            .text(tags::CONTOUR_GEOMETRIC_TYPE, VR::CS, "CLOSED_PLANAR")
            .text(tags::NUMBER_OF_CONTOUR_POINTS, VR::IS, "4")
            .numbers(tags::CONTOUR_DATA, &points)
    };
    let region = Made::item().text(tags::ROI_NUMBER, VR::IS, &number.to_string()).text(tags::ROI_NAME, VR::LO, name);
    let contours = Made::item()
        .text(tags::REFERENCED_ROI_NUMBER, VR::IS, &number.to_string())
        .items(tags::CONTOUR_SEQUENCE, heights.iter().map(contour).collect());
    [region, contours]
}

/// A structure set.
pub(super) fn structures(regions: Vec<[Made; 2]>) -> Made {
    let observations = (1..=regions.len()).map(|number| {
        let number = number.to_string();
        Made::item().text(tags::OBSERVATION_NUMBER, VR::IS, &number).text(tags::REFERENCED_ROI_NUMBER, VR::IS, &number)
    });
    let observations = observations.collect();
    let (regions, contours) = regions.into_iter().map(|[region, contours]| (region, contours)).unzip();
    Made::of_class("481.3", "RTSTRUCT")
        .text(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.7")
        .items(tags::STRUCTURE_SET_ROI_SEQUENCE, regions)
        .items(tags::ROI_CONTOUR_SEQUENCE, contours)
        .items(tags::RTROI_OBSERVATIONS_SEQUENCE, observations)
}
