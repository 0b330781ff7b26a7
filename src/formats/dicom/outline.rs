//! What single files say they are: enough to put them in order and to choose among them, without their pixels.

use std::path::{Path, PathBuf};

use dicom_core::header::Header as _;
use dicom_dictionary_std::{tags, uids};
use dicom_encoding::transfer_syntax::TransferSyntaxIndex as _;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;
use serde::{Deserialize, Serialize};

use super::attributes::{Attributes, Object};
use super::iod::missing;
use super::parse::{self, Parsed, uid};
use super::patient;
use super::pixels::Stored;
use super::source;
use super::taken::MADE;
use crate::digest;
use crate::domain::Invalid;

/// Most characters of a text that is kept.
const MAX_TEXT: usize = 128;
/// What this program writes as manufacturer and model.
const PRODUCT: &str = "dosegrid";

/// A file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outlined {
    /// Its path.
    pub path: PathBuf,
    /// What it is, or why it cannot be used; the reason says nothing of the patient.
    pub found: Result<Outline, String>,
}

/// What a file says it is. Descriptions may hold anything: they are for comparing, and go into no log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    /// SOP Class UID.
    pub class: String,
    /// SOP Instance UID.
    pub instance: String,
    /// Series Instance UID.
    pub series: String,
    /// Study Instance UID.
    pub study: String,
    /// Tells two patients apart; it does not say who they are.
    pub patient: Option<String>,
    /// Modality.
    pub modality: String,
    /// Series Description.
    pub description: String,
    /// Body Part Examined.
    pub body_part: String,
    /// Code Value of the radionuclide.
    pub nuclide_code: String,
    /// How many slices the series has, as a PET image says.
    pub slices: Option<usize>,
    /// Whether this program made it of a study: a dose or a page of figures with its name as manufacturer.
    pub is_made_here: bool,
    /// Digest of all that it holds, of what this program made: the same however an archive encodes it.
    pub content: Option<String>,
    /// What it lacks of what its IOD wants, as tags `(gggg,eeee)`, of what this program made.
    pub missing: Vec<String>,
    /// Digest of all that it holds, unless its pixels are compressed or big-endian: the same with implicit and explicit
    /// VRs.
    pub plain: Option<String>,
}

impl Outline {
    fn of(Parsed { object, stored, .. }: &Parsed) -> Result<Self, Invalid> {
        let wanted = |tag, name: &str| uid(object, tag).ok_or_else(|| Invalid::new(format!("does not say its {name}")));
        let text = |tag| object.text(tag).unwrap_or_default().chars().take(MAX_TEXT).collect::<String>();
        let pharmaceutical = object.item(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE);
        let code = pharmaceutical.and_then(|item| item.item(tags::RADIONUCLIDE_CODE_SEQUENCE)?.text(tags::CODE_VALUE));
        let class = wanted(tags::SOP_CLASS_UID, "SOP Class UID")?;
        let is_ours = |tag| object.text(tag).as_deref() == Some(PRODUCT);
        let is_made = MADE.iter().any(|(uid, _)| *uid == class);
        let is_made_here = is_made && is_ours(tags::MANUFACTURER) && is_ours(tags::MANUFACTURER_MODEL_NAME);
        Ok(Self {
            content: is_made_here.then(|| content(object, stored.as_ref(), uids::EXPLICIT_VR_LITTLE_ENDIAN)).flatten(),
            missing: if is_made_here { missing(object, stored.is_some()) } else { Vec::new() },
            plain: content(object, stored.as_ref(), uids::IMPLICIT_VR_LITTLE_ENDIAN),
            is_made_here,
            instance: wanted(tags::SOP_INSTANCE_UID, "SOP Instance UID")?,
            series: wanted(tags::SERIES_INSTANCE_UID, "Series Instance UID")?,
            study: wanted(tags::STUDY_INSTANCE_UID, "Study Instance UID")?,
            patient: patient::of(object),
            modality: text(tags::MODALITY),
            description: text(tags::SERIES_DESCRIPTION),
            body_part: text(tags::BODY_PART_EXAMINED),
            nuclide_code: code.unwrap_or_default().chars().take(MAX_TEXT).collect(),
            slices: object.count(tags::NUMBER_OF_SLICES).filter(|_| class.starts_with("1.2.840.10008.5.1.4.1.1.128")),
            class,
        })
    }
}

/// The digest of a data set, written anew in a transfer syntax: archives choose lengths of sequences, and add lengths
/// of groups and padding at the end.
fn content(object: &Object, stored: Option<&Stored>, syntax: &str) -> Option<String> {
    let mut plain = object.clone();
    plain.retain(|element| element.tag().element() != 0 && element.tag() != tags::DATA_SET_TRAILING_PADDING);
    let syntax = TransferSyntaxRegistry.get(syntax)?;
    let mut bytes = Vec::new();
    plain.write_dataset_with_ts(&mut bytes, syntax).ok()?;
    if let Some(Stored::Native { bytes: pixels, words_swapped: false }) = stored {
        bytes.extend(pixels);
    } else {
        return None;
    }
    Some(digest::sha256_hex(bytes))
}

/// Every DICOM file under a path.
///
/// # Errors
/// If there is none.
pub(super) fn of(path: &Path) -> Result<Vec<Outlined>, Invalid> {
    let outlined = |path: PathBuf| {
        let found = source::bytes(&path).and_then(|bytes| parse::parse(&bytes));
        let found = found.and_then(|parsed| Outline::of(&parsed)).map_err(|Invalid(reason)| reason);
        Outlined { path, found }
    };
    Ok(source::files(path)?.dicom.into_iter().map(outlined).collect())
}
