//! Organs as a segmentation: a binary segment for each, so that organs may overlap.

use dicom_core::{PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};

use super::object::{DataSet, DicomObject};
use super::placement::Frames;
use super::reference::Reference;
use super::uid::derived;
use crate::domain::{Invalid, Organ, Organs, Volume};

/// A voxel belongs to a segment if at least this part of it does.
const LEAST_SHARE: f64 = 0.5;
/// Most characters of the name of a segment.
const MAX_NAME: usize = 64;
/// What a segment is: nothing is known of it but its name. Source: SNOMED CT.
const TISSUE: [&str; 3] = ["85756007", "SCT", "Tissue"];

/// A frame of one segment, by segment and slice, both counted from 0.
struct Frame {
    segment: usize,
    slice: usize,
}

/// The organs as one object, in the study and frame of reference of a CT. Only frames that hold something are written.
///
/// * `organs` – those that hold a part of a voxel are rounded to whole voxels
///
/// # Errors
/// If there is nothing to write, or too much, or the grid lies wholly outside the CT.
pub fn segmentation(organs: &Organs, reference: &Reference) -> Result<DicomObject, Invalid> {
    reference.check_place(organs.grid())?;
    let masks: Vec<Frames<u8>> = organs.organs().iter().map(|organ| mask(organs, organ)).collect::<Result<_, _>>()?;
    let mut frames = Vec::new();
    let mut bits = Bits::default();
    for (segment, mask) in masks.iter().enumerate() {
        let [columns, rows, _] = mask.shape();
        for (slice, pixels) in mask.volume.as_slice().chunks(columns * rows).enumerate() {
            if pixels.contains(&1) {
                frames.push(Frame { segment, slice });
                bits.extend(pixels);
            }
        }
    }
    let Some(mask) = masks.first().filter(|_| !frames.is_empty()) else {
        return Err(Invalid::new("holds no voxel of any organ; there is nothing to write"));
    };
    let names: Vec<String> = organs.organs().iter().map(name_of).collect();
    let mut object = if names.iter().all(|name| name.is_ascii()) {
        reference.data_set()
    } else {
        reference.in_unicode().ok_or_else(|| {
            Invalid::new(
                "has names with letters other than ASCII's, which the character set of the reference cannot take; give \
                 plain names with --label-names",
            )
        })?
    };
    describe_series(&mut object, organs.overlapping_voxels() > 0);
    describe_pixels(&mut object, mask, frames.len());
    object.items(tags::SEGMENT_SEQUENCE, names.iter().enumerate().map(|(at, name)| segment(at, name)).collect());
    describe_frames(&mut object, mask, &frames);
    object.pixels(VR::OB, bits.bytes)?;
    object.finish(uids::SEGMENTATION_STORAGE)
}

fn name_of(organ: &Organ) -> String {
    let name = organ.name.clone().unwrap_or_else(|| format!("label_{}", organ.label));
    name.chars().filter(|c| !c.is_control() && *c != '\\').take(MAX_NAME).collect()
}

fn mask(organs: &Organs, organ: &Organ) -> Result<Frames<u8>, Invalid> {
    let mut mask = vec![0; organs.grid().voxels()];
    organ.shares().filter(|(_, share)| *share >= LEAST_SHARE).for_each(|(voxel, _)| mask[voxel] = 1);
    Frames::of(&Volume::from_vec(organs.grid().clone(), mask)?)
}

/// Pixels of one bit, the first in the lowest bit; frames follow one another without a gap.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    fn extend(&mut self, pixels: &[u8]) {
        for &pixel in pixels {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().expect("pushed above") |= pixel << (self.count % 8);
            self.count += 1;
        }
    }
}

fn describe_series(object: &mut DataSet, overlap: bool) {
    // A repeat is the same object: the time is that of the study, not of the clock.
    for (tag, source, unknown) in
        [(tags::CONTENT_DATE, tags::STUDY_DATE, "19000101"), (tags::CONTENT_TIME, tags::STUDY_TIME, "000000")]
    {
        let known = object.0.get(source).and_then(|element| element.to_str().ok().map(|text| text.trim().to_owned()));
        object.text(tag, known.filter(|text| !text.is_empty()).unwrap_or_else(|| unknown.to_owned()));
    }
    object
        .text(tags::MODALITY, "SEG")
        .text(tags::SERIES_NUMBER, "1")
        .text(tags::SERIES_DESCRIPTION, "dosegrid organs")
        .text(tags::INSTANCE_NUMBER, "1")
        .text(tags::DEVICE_SERIAL_NUMBER, "0")
        .texts(tags::IMAGE_TYPE, vec!["DERIVED".into(), "PRIMARY".into()])
        .text(tags::LOSSY_IMAGE_COMPRESSION, "00")
        .text(tags::CONTENT_LABEL, "ORGANS")
        .text(tags::CONTENT_DESCRIPTION, "Organs whose dose was computed")
        .empty(&[tags::CONTENT_CREATOR_NAME])
        .text(tags::SEGMENTATION_TYPE, "BINARY")
        .text(tags::SEGMENTS_OVERLAP, if overlap { "YES" } else { "NO" });
}

fn describe_pixels(object: &mut DataSet, mask: &Frames<u8>, frames: usize) {
    let [columns, rows, _] = mask.shape().map(|n| u16::try_from(n).expect("an axis has at most 65535 voxels"));
    object
        .number(tags::SAMPLES_PER_PIXEL, 1)
        .text(tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2")
        .number(tags::ROWS, rows)
        .number(tags::COLUMNS, columns)
        .number(tags::BITS_ALLOCATED, 1)
        .number(tags::BITS_STORED, 1)
        .number(tags::HIGH_BIT, 0)
        .number(tags::PIXEL_REPRESENTATION, 0)
        .text(tags::NUMBER_OF_FRAMES, frames.to_string());
}

fn segment(at: usize, name: &str) -> DataSet {
    let code = || {
        let mut code = DataSet::new();
        let [value, scheme, meaning] = TISSUE;
        code.text(tags::CODE_VALUE, value)
            .text(tags::CODING_SCHEME_DESIGNATOR, scheme)
            .text(tags::CODE_MEANING, meaning);
        vec![code]
    };
    let mut segment = DataSet::new();
    segment
        .number(tags::SEGMENT_NUMBER, number(at))
        .text(tags::SEGMENT_LABEL, name)
        .text(tags::SEGMENT_ALGORITHM_TYPE, "SEMIAUTOMATIC")
        .text(tags::SEGMENT_ALGORITHM_NAME, "unknown")
        .items(tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE, code())
        .items(tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE, code());
    segment
}

/// Numbers count from 1.
fn number(at: usize) -> u16 {
    u16::try_from(at + 1).expect("there are at most 65535 organs")
}

/// A sequence of one item.
fn one(describe: impl FnOnce(&mut DataSet)) -> Vec<DataSet> {
    let mut item = DataSet::new();
    describe(&mut item);
    vec![item]
}

/// Functional groups and dimensions: the segment and the place of each frame.
fn describe_frames(object: &mut DataSet, mask: &Frames<u8>, frames: &[Frame]) {
    let organization = derived("dimensions of segments", b"segment, position");
    let dimension = |pointer: Tag, group: Tag| {
        let mut item = DataSet::new();
        item.text(tags::DIMENSION_ORGANIZATION_UID, organization.as_str())
            .put(tags::DIMENSION_INDEX_POINTER, PrimitiveValue::from(pointer))
            .put(tags::FUNCTIONAL_GROUP_POINTER, PrimitiveValue::from(group));
        item
    };
    let shared = one(|groups| {
        let measures = one(|item| {
            item.texts(tags::PIXEL_SPACING, mask.pixel_spacing())
                .text(tags::SLICE_THICKNESS, mask.frame_spacing())
                .text(tags::SPACING_BETWEEN_SLICES, mask.frame_spacing());
        });
        let orientation = one(|item| {
            item.texts(tags::IMAGE_ORIENTATION_PATIENT, mask.orientation());
        });
        groups.items(tags::PIXEL_MEASURES_SEQUENCE, measures).items(tags::PLANE_ORIENTATION_SEQUENCE, orientation);
    });
    object
        .items(
            tags::DIMENSION_ORGANIZATION_SEQUENCE,
            one(|item| {
                item.text(tags::DIMENSION_ORGANIZATION_UID, organization.as_str());
            }),
        )
        .items(
            tags::DIMENSION_INDEX_SEQUENCE,
            vec![
                dimension(tags::REFERENCED_SEGMENT_NUMBER, tags::SEGMENT_IDENTIFICATION_SEQUENCE),
                dimension(tags::IMAGE_POSITION_PATIENT, tags::PLANE_POSITION_SEQUENCE),
            ],
        )
        .items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, shared)
        .items(
            tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
            frames.iter().map(|frame| frame_groups(mask, frame)).collect(),
        );
}

fn frame_groups(mask: &Frames<u8>, &Frame { segment, slice }: &Frame) -> DataSet {
    let mut groups = DataSet::new();
    groups
        .items(
            tags::FRAME_CONTENT_SEQUENCE,
            one(|item| {
                let index = [number(segment), number(slice)].map(u32::from);
                item.put(tags::DIMENSION_INDEX_VALUES, PrimitiveValue::U32(index.as_slice().into()));
            }),
        )
        .items(
            tags::PLANE_POSITION_SEQUENCE,
            one(|item| {
                item.texts(tags::IMAGE_POSITION_PATIENT, mask.position(slice));
            }),
        )
        .items(
            tags::SEGMENT_IDENTIFICATION_SEQUENCE,
            one(|item| {
                item.number(tags::REFERENCED_SEGMENT_NUMBER, number(segment));
            }),
        );
    groups
}
