//! Commands between application entities, as they are written and read. Source: DICOM PS3.7, annex E.

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::entries::{EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN};

use crate::domain::{DoseError, Invalid};
use crate::formats::dicom::check_lengths;

/// Command Fields.
pub(super) const C_STORE: u16 = 0x0001;
pub(super) const C_ECHO: u16 = 0x0030;
pub(super) const N_EVENT_REPORT: u16 = 0x0100;
pub(super) const N_ACTION: u16 = 0x0130;
/// What the Command Field of an answer has beside that of its request.
pub(super) const IS_ANSWER: u16 = 0x8000;
/// Command Data Set Types of a command without a data set, and with one.
pub(super) const NO_DATA_SET: u16 = 0x0101;
pub(super) const DATA_SET: u16 = 0x0001;
/// Most bytes of a command.
pub(super) const MAX_COMMAND_BYTES: usize = 1 << 16;

/// An element of a command.
pub(super) type Element = (Tag, VR, PrimitiveValue);

/// A command as bytes.
pub(super) fn command_bytes(elements: impl IntoIterator<Item = Element>) -> Result<Vec<u8>, DoseError> {
    let elements = elements.into_iter().map(|(tag, vr, value)| DataElement::new(tag, vr, value));
    let command = InMemDicomObject::command_from_element_iter(elements);
    let mut bytes = Vec::new();
    command
        .write_dataset_with_ts(&mut bytes, &IMPLICIT_VR_LITTLE_ENDIAN.erased())
        .map_err(|error| DoseError::Internal(format!("a command cannot be encoded: {error}")))?;
    Ok(bytes)
}

/// Reads a command, or a data set in one of the two little-endian syntaxes. No length in it is believed.
///
/// # Errors
/// If it cannot be understood.
pub(super) fn read_object(bytes: &[u8], syntax: &str) -> Result<InMemDicomObject, Invalid> {
    let is_explicit = match syntax {
        uids::IMPLICIT_VR_LITTLE_ENDIAN => false,
        uids::EXPLICIT_VR_LITTLE_ENDIAN => true,
        _ => return Err(Invalid::new("is in another transfer syntax")),
    };
    check_lengths(bytes, is_explicit)?;
    let read = if is_explicit {
        InMemDicomObject::read_dataset_with_ts(bytes, &EXPLICIT_VR_LITTLE_ENDIAN.erased())
    } else {
        InMemDicomObject::read_dataset_with_ts(bytes, &IMPLICIT_VR_LITTLE_ENDIAN.erased())
    };
    read.map_err(|_| Invalid::new("cannot be understood"))
}

/// Reads a command.
///
/// # Errors
/// If it cannot be understood.
pub(super) fn read_command(bytes: &[u8]) -> Result<InMemDicomObject, Invalid> {
    read_object(bytes, uids::IMPLICIT_VR_LITTLE_ENDIAN)
}

/// A command that answers another, with what it repeats of it.
pub(super) fn answer_to(command: &InMemDicomObject, status: u16) -> Vec<Element> {
    let short = |tag| number(command, tag).unwrap_or_default();
    let mut elements = vec![
        (tags::COMMAND_FIELD, VR::US, PrimitiveValue::from(short(tags::COMMAND_FIELD) | IS_ANSWER)),
        (tags::MESSAGE_ID_BEING_RESPONDED_TO, VR::US, PrimitiveValue::from(short(tags::MESSAGE_ID))),
        (tags::COMMAND_DATA_SET_TYPE, VR::US, PrimitiveValue::from(NO_DATA_SET)),
        (tags::STATUS, VR::US, PrimitiveValue::from(status)),
    ];
    for tag in [tags::AFFECTED_SOP_CLASS_UID, tags::AFFECTED_SOP_INSTANCE_UID] {
        elements.extend(text(command, tag).map(|uid| (tag, VR::UI, PrimitiveValue::from(uid))));
    }
    let event = number(command, tags::EVENT_TYPE_ID);
    elements.extend(event.map(|event| (tags::EVENT_TYPE_ID, VR::US, PrimitiveValue::from(event))));
    elements
}

/// Whether a data set follows a command.
pub(super) fn has_data_set(command: &InMemDicomObject) -> bool {
    number(command, tags::COMMAND_DATA_SET_TYPE) != Some(NO_DATA_SET)
}

pub(super) fn number(object: &InMemDicomObject, tag: Tag) -> Option<u16> {
    object.get(tag)?.to_int().ok()
}

pub(super) fn trimmed(uid: &str) -> String {
    uid.trim_matches([' ', '\0']).to_owned()
}

pub(super) fn text(object: &InMemDicomObject, tag: Tag) -> Option<String> {
    Some(trimmed(&object.get(tag)?.to_str().ok()?))
}

pub(super) fn is_uid(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_promises_more_than_it_has_is_not_read() {
        let bytes = command_bytes([(tags::COMMAND_FIELD, VR::US, PrimitiveValue::from(C_ECHO))]).expect("a command");
        assert_eq!(number(&read_command(&bytes).expect("it"), tags::COMMAND_FIELD), Some(C_ECHO));
        let mut promising = bytes.clone();
        promising.extend([0, 0, 0, 0x10, 0xf0, 0xff, 0xff, 0x7f, 1]);
        assert!(read_command(&promising).is_err());
        assert!(read_object(&bytes, uids::RLE_LOSSLESS).is_err());
    }
}
