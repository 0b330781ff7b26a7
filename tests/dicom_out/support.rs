//! A small CT, a dose to lie in it, and a reader of what is written that shares no code with the writer.

#![expect(clippy::cast_possible_truncation, reason = "a test's own figures fit")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use dosegrid::domain::{Volume, VoxelGrid, grid::Affine};

/// Who and what a CT is of.
#[derive(Clone, Copy)]
pub(crate) struct Ct {
    pub(super) name: &'static str,
    pub(super) id: &'static str,
    pub(super) study: &'static str,
    pub(super) series: &'static str,
    pub(super) frame: &'static str,
}

/// The name needs the character set that the file names.
pub(crate) const CT: Ct =
    Ct { name: "CANARY^Éva", id: "CANARY-7", study: "1.2.826.1", series: "1.2.826.2", frame: "1.2.826.3" };

/// Writes a CT of three slices, 100 mm wide, as files of a folder.
pub(crate) fn ct(folder: &Path, ct: &Ct) {
    fs::create_dir_all(folder).expect("a writable folder");
    for slice in 0..3u16 {
        let instance = format!("{}.{slice}", ct.series);
        let position = format!("-50\\-50\\{}", -10 + 20 * i32::from(slice));
        let mut object = InMemDicomObject::new_empty();
        for (tag, vr, value) in [
            (tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 100"),
            (tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE),
            (tags::SOP_INSTANCE_UID, VR::UI, instance.as_str()),
            (tags::STUDY_DATE, VR::DA, "20260102"),
            (tags::MODALITY, VR::CS, "CT"),
            (tags::PATIENT_NAME, VR::PN, ct.name),
            (tags::PATIENT_ID, VR::LO, ct.id),
            (tags::STUDY_INSTANCE_UID, VR::UI, ct.study),
            (tags::SERIES_INSTANCE_UID, VR::UI, ct.series),
            (tags::FRAME_OF_REFERENCE_UID, VR::UI, ct.frame),
            (tags::IMAGE_POSITION_PATIENT, VR::DS, position.as_str()),
            (tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0"),
            (tags::PIXEL_SPACING, VR::DS, "50\\50"),
        ] {
            object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
        }
        for tag in [tags::ROWS, tags::COLUMNS] {
            object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(3u16)));
        }
        object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::from(vec![0u8; 18])));
        let meta = FileMetaTableBuilder::new().transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN);
        let file = object.with_meta(meta).expect("an instance");
        file.write_to_file(folder.join(format!("{slice}.dcm"))).expect("a writable folder");
    }
}

/// A dose with an odd peak, on a grid of 7 × 5 × 4 voxels.
pub(super) fn dose(affine: Affine, spacing_mm: [f64; 3]) -> Volume<f32> {
    let grid = VoxelGrid::new([7, 5, 4], spacing_mm).and_then(|grid| grid.with_affine(affine)).expect("a good grid");
    let values = (0..140u16).map(|i| if i == 77 { 43.343_1 } else { f32::from(i) * 0.137 }).collect();
    Volume::from_vec(Arc::new(grid), values).expect("a value a voxel")
}

pub(super) fn open(path: &Path) -> InMemDicomObject {
    dicom_object::open_file(path).expect("a DICOM file").into_inner()
}

/// A value as text; of several, with `\` between.
pub(super) fn text(object: &InMemDicomObject, name: &str) -> String {
    let text = object.element_by_name(name).unwrap_or_else(|_| panic!("{name} is missing")).to_str();
    text.expect("a text").trim_matches([' ', '\0']).to_owned()
}

pub(super) fn number(object: &InMemDicomObject, name: &str) -> f64 {
    text(object, name).parse().expect("a number")
}

pub(super) fn numbers(object: &InMemDicomObject, name: &str) -> Vec<f64> {
    object.element_by_name(name).expect("an attribute").to_multi_float64().expect("numbers")
}

/// An image as read: its header, its pixels and its place.
pub(super) struct Read {
    pub(super) object: InMemDicomObject,
    /// Stored numbers, column by column, row by row, frame by frame.
    pub(super) words: Vec<u32>,
    /// From column, row and frame to coordinates as in NIfTI [mm].
    pub(super) affine: Affine,
    shape: [usize; 3],
}

impl Read {
    /// Reads an image of 32 bits whose frames are evenly apart.
    pub(super) fn open(path: &Path) -> Self {
        let object = open(path);
        let bytes = object.element_by_name("PixelData").expect("pixels").to_bytes().expect("bytes").into_owned();
        let words = bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
        let along = numbers(&object, "ImageOrientationPatient");
        let at = numbers(&object, "ImagePositionPatient");
        let spacing = numbers(&object, "PixelSpacing");
        let offsets = numbers(&object, "GridFrameOffsetVector");
        let step = offsets.get(1).map_or(1.0, |second| second - offsets[0]);
        let even = offsets.iter().enumerate().all(|(k, offset)| (offset - offsets[0] - step * k as f64).abs() < 1e-6);
        assert!(even, "{offsets:?}");
        let (u, v) = (&along[..3], &along[3..]);
        let normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
        let mut affine = [[0.0; 4]; 3];
        for (axis, row) in affine.iter_mut().enumerate() {
            let sign = if axis < 2 { -1.0 } else { 1.0 };
            *row = [u[axis] * spacing[1], v[axis] * spacing[0], normal[axis] * step, at[axis]].map(|v| sign * v);
        }
        let shape = ["Columns", "Rows", "NumberOfFrames"].map(|name| number(&object, name) as usize);
        Self { object, words, affine, shape }
    }

    /// The stored number where a voxel of another grid lies.
    pub(super) fn word_at(&self, affine: &Affine, voxel: [usize; 3]) -> u32 {
        let at = affine.map(|row| row[3] + (0..3).map(|axis| row[axis] * voxel[axis] as f64).sum::<f64>());
        // The columns of the affine are at right angles.
        let index = [0, 1, 2].map(|axis| {
            let column = self.affine.map(|row| row[axis]);
            let along: f64 = (0..3).map(|i| column[i] * (at[i] - self.affine[i][3])).sum();
            let exact = along / column.iter().map(|v| v * v).sum::<f64>();
            assert!((exact - exact.round()).abs() < 1e-3, "{voxel:?} lies between voxels: {exact}");
            exact.round() as usize
        });
        assert!((0..3).all(|axis| index[axis] < self.shape[axis]), "{voxel:?} lies outside");
        self.words[index[0] + self.shape[0] * (index[1] + self.shape[1] * index[2])]
    }
}
