//! The CT that an object belongs to: patient, study and frame of reference.

use std::path::Path;

use dicom_core::Tag;
use dicom_core::value::{PrimitiveValue, Value};
use dicom_dictionary_std::{tags, uids};
use dicom_encoding::text::SpecificCharacterSet;
use dicom_encoding::transfer_syntax::TransferSyntaxIndex;
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::object::{DataSet, cannot_encode};
use super::uid::derived;
use crate::domain::{Invalid, VoxelGrid, grid::apply};
use crate::formats::dicom::series::Study;
use crate::formats::dicom::{Answer, Belonging, Place, ReferenceHeaders, Request, Wanted, escapes, patient, read};

/// Attributes that go along where they are there, as they are, in their own character set.
const CARRIED: [Tag; 17] = [
    tags::SPECIFIC_CHARACTER_SET,
    tags::TIMEZONE_OFFSET_FROM_UTC,
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::ISSUER_OF_PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::PATIENT_IDENTITY_REMOVED,
    tags::DEIDENTIFICATION_METHOD,
    tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE,
    tags::STUDY_INSTANCE_UID,
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::STUDY_ID,
    tags::STUDY_DESCRIPTION,
    tags::ACCESSION_NUMBER,
    tags::REFERRING_PHYSICIAN_NAME,
];
/// Those of the frame of reference.
const FRAME: [Tag; 2] = [tags::FRAME_OF_REFERENCE_UID, tags::POSITION_REFERENCE_INDICATOR];
/// Those that must be there, with or without a value.
const WANTED: [Tag; 10] = [
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::STUDY_ID,
    tags::ACCESSION_NUMBER,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::POSITION_REFERENCE_INDICATOR,
];

/// What an object takes over from its CT.
#[derive(Clone, Debug)]
pub struct Reference {
    attributes: DataSet,
    /// Least and greatest coordinate of the images' pixels by axis, as in NIfTI [mm]; none where the files do not say.
    extent_mm: Option<[[f64; 2]; 3]>,
    /// Tells two patients apart; it does not say who they are.
    patient: Option<String>,
}

impl Reference {
    /// Reads the headers of a file, of a series as `FOLDER#SERIES_UID`, or of all CT files of a folder; where it has no
    /// CT, of all that have a frame of reference. Files that are not DICOM are passed over. They are read as all DICOM
    /// is, apart from this process where there is a program for it.
    ///
    /// # Errors
    /// If nothing there is DICOM with a study and a frame of reference, or the files are of several. The reason says
    /// nothing of the patient.
    pub fn read(path: &Path) -> Result<Self, Invalid> {
        let Answer::Reference(headers) = read(&Request::new(Place::of(path), Wanted::Reference))? else {
            return Err(Invalid::new("was not answered as it was asked"));
        };
        let ReferenceHeaders { attributes, extent_mm, patient } = *headers;
        let syntax = TransferSyntaxRegistry.get(uids::EXPLICIT_VR_LITTLE_ENDIAN).expect("every reader has it");
        let attributes = InMemDicomObject::read_dataset_with_ts(attributes.as_slice(), syntax)
            .map_err(|_| Invalid::new("has headers that cannot be read"))?;
        Ok(Self { attributes: DataSet(attributes), extent_mm, patient })
    }

    /// What nobody is: a study that is made up, such as that of a phantom.
    ///
    /// * `name`, `id` – of whom the study is said to be
    /// * `date` – of the study, `YYYYMMDD`
    pub fn made_up(name: &str, id: &str, date: &str) -> Self {
        let mut attributes = DataSet::new();
        let key = [name, id, date].join("\0");
        attributes
            .text(tags::SPECIFIC_CHARACTER_SET, "ISO_IR 192")
            .text(tags::PATIENT_NAME, name)
            .text(tags::PATIENT_ID, id)
            .text(tags::STUDY_DATE, date)
            .text(tags::STUDY_TIME, "000000")
            .text(tags::STUDY_INSTANCE_UID, derived("study", key.as_bytes()))
            .text(tags::FRAME_OF_REFERENCE_UID, derived("frame of reference", key.as_bytes()))
            .empty(&[
                tags::PATIENT_BIRTH_DATE,
                tags::PATIENT_SEX,
                tags::STUDY_ID,
                tags::ACCESSION_NUMBER,
                tags::REFERRING_PHYSICIAN_NAME,
                tags::POSITION_REFERENCE_INDICATOR,
            ]);
        Self { attributes, extent_mm: None, patient: None }
    }

    fn of(found: &[&InMemDicomObject]) -> Result<Self, Invalid> {
        let one_of = |count: usize, what: &str| match count {
            0 | 1 => Ok(()),
            _ => Err(Invalid::new(format!(
                "holds images of {count} {what}; give the one CT that the dose belongs to, its folder or \
                 FOLDER#SERIES_UID"
            ))),
        };
        one_of(patient::count(found.iter().map(|object| patient::of(object))), "patients")?;
        for (tag, what) in
            [(tags::STUDY_INSTANCE_UID, "studies"), (tags::FRAME_OF_REFERENCE_UID, "frames of reference")]
        {
            let mut values: Vec<Option<String>> = found.iter().map(|object| text(object, tag)).collect();
            values.sort_unstable();
            values.dedup();
            one_of(values.len(), what)?;
            if values[0].is_none() {
                return Err(Invalid::new(format!("does not say its {what}, which an object of DICOM needs")));
            }
        }
        let mut attributes = DataSet::new();
        for tag in CARRIED.into_iter().chain(FRAME) {
            if let Some(element) = found[0].get(tag) {
                attributes.0.put(element.clone());
            }
        }
        attributes.empty(&WANTED.into_iter().filter(|tag| found[0].get(*tag).is_none()).collect::<Vec<Tag>>());
        if text(found[0], tags::SPECIFIC_CHARACTER_SET).is_none() {
            // What says no character set is ASCII; where it is not, the library took each byte for a letter of Latin-1.
            let is_ascii = WANTED.iter().filter_map(|tag| text(found[0], *tag)).all(|text| text.is_ascii());
            attributes.text(tags::SPECIFIC_CHARACTER_SET, if is_ascii { "ISO_IR 192" } else { "ISO_IR 100" });
        }
        if escapes::is_turkish(found[0]) {
            in_unicode_of_turkish(&mut attributes);
        }
        Ok(Self { attributes, extent_mm: extent(found), patient: patient::of(found[0]) })
    }

    /// A data set of this patient and study, in this frame of reference.
    pub(super) fn data_set(&self) -> DataSet {
        self.attributes.clone()
    }

    /// Name, ID and date of birth of the patient, and date of the study, for people; each may be empty.
    pub fn patient(&self) -> [String; 4] {
        let name = text(&self.attributes.0, tags::PATIENT_NAME).unwrap_or_default();
        let name: Vec<&str> = name.split('^').filter(|part| !part.is_empty()).collect();
        let date = |tag: Tag| {
            let digits = text(&self.attributes.0, tag).unwrap_or_default();
            match (digits.get(..4), digits.get(4..6), digits.get(6..8)) {
                (Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}"),
                _ => digits,
            }
        };
        let id = text(&self.attributes.0, tags::PATIENT_ID).unwrap_or_default();
        [name.join(" "), id, date(tags::PATIENT_BIRTH_DATE), date(tags::STUDY_DATE)]
    }

    /// Frame of Reference UID.
    pub fn frame_of_reference(&self) -> String {
        text(&self.attributes.0, tags::FRAME_OF_REFERENCE_UID).expect("checked as it was read")
    }

    /// Whose it is, and in which coordinates it lies.
    pub fn belonging(&self) -> Belonging {
        Belonging { frame_of_reference: Some(self.frame_of_reference()), patient: self.patient.clone() }
    }

    /// The same data set with its texts in Unicode; none if the character set of the files is not understood in whole.
    pub(super) fn in_unicode(&self) -> Option<DataSet> {
        let named = self.attributes.0.get(tags::SPECIFIC_CHARACTER_SET)?.to_multi_str().ok()?;
        // With several, parts of a text are in one or another.
        let [name] = &*named else { return None };
        SpecificCharacterSet::from_code(name.trim())?;
        let mut attributes = self.attributes.clone();
        attributes.text(tags::SPECIFIC_CHARACTER_SET, "ISO_IR 192");
        Some(attributes)
    }

    /// # Errors
    /// If a grid lies wholly outside the CT: they are then hardly of one frame of reference.
    pub fn check_place(&self, grid: &VoxelGrid) -> Result<(), Invalid> {
        let Some(extent) = self.extent_mm else { return Ok(()) };
        let last = grid.shape().map(|n| n as f64 - 1.0);
        let corners = (0..8u8).map(|corner| {
            apply(grid.affine(), [0, 1, 2].map(|axis| if corner >> axis & 1 == 1 { last[axis] } else { 0.0 }))
        });
        let own = bounds(corners).expect("a grid has corners");
        let margin = grid.spacing_mm().into_iter().fold(0.0, f64::max);
        let is_apart = |axis: usize| own[axis][0] > extent[axis][1] + margin || own[axis][1] < extent[axis][0] - margin;
        if (0..3).any(is_apart) {
            return Err(Invalid::new(
                "lies wholly outside the reference CT: the two are not in one frame of reference; give the CT that the \
                 dose was computed on",
            ));
        }
        Ok(())
    }
}

/// What [`Reference::read`] takes from the headers of a study.
///
/// * `series` – its UID, if one is named
pub(in crate::formats::dicom) fn reference_headers(
    study: &Study,
    series: Option<&str>,
) -> Result<ReferenceHeaders, Invalid> {
    let wanted = study.series.iter().filter(|one| series.is_none_or(|uid| one.uid == uid));
    let mut found: Vec<&InMemDicomObject> = wanted
        .flat_map(|one| one.instances.iter().map(|instance| &instance.object))
        .filter(|object| object.get(tags::FRAME_OF_REFERENCE_UID).is_some())
        .collect();
    if found.is_empty() {
        return Err(Invalid::new(
            "holds no DICOM image that is meant; give the CT that the dose belongs to: a file, a folder or \
             FOLDER#SERIES_UID",
        ));
    }
    let is_ct = |object: &&InMemDicomObject| text(object, tags::MODALITY).as_deref() == Some("CT");
    if found.iter().any(is_ct) {
        found.retain(is_ct);
    }
    let Reference { attributes, extent_mm, patient } = Reference::of(&found)?;
    let syntax = TransferSyntaxRegistry.get(uids::EXPLICIT_VR_LITTLE_ENDIAN).expect("every reader has it");
    let mut bytes = Vec::new();
    attributes.0.write_dataset_with_ts(&mut bytes, syntax).map_err(cannot_encode)?;
    Ok(ReferenceHeaders { attributes: bytes, extent_mm, patient })
}

/// Texts that were in the Turkish set, in which the library cannot write them, in Unicode.
fn in_unicode_of_turkish(attributes: &mut DataSet) {
    for tag in attributes.0.tags().collect::<Vec<Tag>>() {
        attributes.0.update_value(tag, |value| {
            if let Value::Primitive(PrimitiveValue::Strs(texts)) = value {
                texts.iter_mut().for_each(|text| *text = escapes::decoded(text));
            } else if let Value::Primitive(PrimitiveValue::Str(text)) = value {
                *text = escapes::decoded(text);
            }
        });
    }
    attributes.text(tags::SPECIFIC_CHARACTER_SET, "ISO_IR 192");
}

/// A value as text; none if there is none.
fn text(object: &InMemDicomObject, tag: Tag) -> Option<String> {
    let text = object.get(tag)?.to_str().ok()?.trim_matches([' ', '\0']).to_owned();
    (!text.is_empty()).then_some(text)
}

fn numbers<const N: usize>(object: &InMemDicomObject, tag: Tag) -> Option<[f64; N]> {
    let numbers = object.get(tag)?.to_multi_float64().ok()?;
    numbers.try_into().ok().filter(|numbers: &[f64; N]| numbers.iter().all(|v| v.is_finite()))
}

/// What single images cover.
fn extent(found: &[&InMemDicomObject]) -> Option<[[f64; 2]; 3]> {
    let mut corners = Vec::new();
    for object in found {
        let [x, y, z] = numbers(object, tags::IMAGE_POSITION_PATIENT)?;
        let along: [f64; 6] = numbers(object, tags::IMAGE_ORIENTATION_PATIENT)?;
        let [between_rows, between_columns] = numbers(object, tags::PIXEL_SPACING)?;
        let [[rows], [columns]] = [numbers(object, tags::ROWS)?, numbers(object, tags::COLUMNS)?];
        for (u, v) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
            let (u, v) = (u * (columns - 1.0) * between_columns, v * (rows - 1.0) * between_rows);
            let at = |first: f64, axis: usize| first + u * along[axis] + v * along[axis + 3];
            corners.push([-at(x, 0), -at(y, 1), at(z, 2)]);
        }
    }
    bounds(corners.into_iter())
}

/// Least and greatest coordinates.
fn bounds(mut points: impl Iterator<Item = [f64; 3]>) -> Option<[[f64; 2]; 3]> {
    let first = points.next()?.map(|v| [v, v]);
    Some(points.fold(first, |bounds, point| {
        [0, 1, 2].map(|axis| [bounds[axis][0].min(point[axis]), bounds[axis][1].max(point[axis])])
    }))
}
