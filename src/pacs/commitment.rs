//! Storage commitment, the push model: an archive is asked to keep an instance, and reports whether it does. What it
//! says is of the UID: the bytes under it are compared by nobody. Source: DICOM PS3.4, annex J.

use std::time::Duration;

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::entries::IMPLICIT_VR_LITTLE_ENDIAN;

use super::dimse::{self, N_ACTION, N_EVENT_REPORT, number, text};
use super::messages::Messages;
use super::{Peer, StoreTls};
use crate::domain::{DoseError, Invalid};

/// The class, and its one instance, which every archive has.
pub(super) const CLASS: &str = uids::STORAGE_COMMITMENT_PUSH_MODEL;
const INSTANCE: &str = "1.2.840.10008.1.20.1.1";
/// The Action Type ID of a request. Source: DICOM PS3.4, table J.3.2-1.
const REQUEST: u16 = 1;
/// Statuses of an answer to a report. Source: DICOM PS3.7, annex C.
pub(super) const DONE: u16 = 0x0000;
pub(super) const FAILED: u16 = 0x0110;
pub(super) const NOT_ASKED: u16 = 0x0115;

/// Why an archive does not keep an instance. Source: DICOM PS3.3, C.14.1.1.
pub const NO_SUCH_INSTANCE: u16 = 0x0112;
/// Another class is there under its UID.
pub const CLASS_CONFLICT: u16 = 0x0119;

/// An instance that an archive is asked to keep.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// SOP Class UID.
    pub class: &'a str,
    /// SOP Instance UID.
    pub instance: &'a str,
    /// UID that the report will name.
    pub transaction: &'a str,
}

/// What an archive reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// UID of the request.
    pub transaction: String,
    /// Class and instance of what it keeps.
    kept: Vec<(String, String)>,
    /// Instances that it does not keep, with the reason.
    failed: Vec<(String, u16)>,
}

impl Report {
    /// Reads the data set of a report.
    ///
    /// * `syntax` – its transfer syntax, one of the two little-endian ones
    ///
    /// # Errors
    /// If it is none.
    pub(super) fn read(bytes: &[u8], syntax: &str) -> Result<Self, Invalid> {
        let object = dimse::read_object(bytes, syntax)?;
        let items = |tag| object.get(tag).and_then(|element| element.items()).unwrap_or_default();
        let named = |item: &InMemDicomObject, tag| text(item, tag).unwrap_or_default();
        let kept = items(tags::REFERENCED_SOP_SEQUENCE).iter();
        let failed = items(tags::FAILED_SOP_SEQUENCE).iter();
        let transaction = text(&object, tags::TRANSACTION_UID).filter(|uid| dimse::is_uid(uid));
        Ok(Self {
            transaction: transaction.ok_or_else(|| Invalid::new("has no Transaction UID"))?,
            kept: kept
                .map(|item| {
                    (named(item, tags::REFERENCED_SOP_CLASS_UID), named(item, tags::REFERENCED_SOP_INSTANCE_UID))
                })
                .collect(),
            failed: failed
                .map(|item| {
                    let reason = number(item, tags::FAILURE_REASON).unwrap_or(FAILED);
                    (named(item, tags::REFERENCED_SOP_INSTANCE_UID), reason)
                })
                .collect(),
        })
    }

    /// Whether an instance is kept; none where the report does not name it, or both keeps it and does not.
    ///
    /// # Errors
    /// The Failure Reason.
    pub fn of(&self, class: &str, instance: &str) -> Option<Result<(), u16>> {
        let is_kept = self.kept.iter().any(|(a, b)| a == class && b == instance);
        let failed = self.failed.iter().find(|(uid, _)| uid == instance).map(|(_, reason)| *reason);
        match (is_kept, failed) {
            (true, None) => Some(Ok(())),
            (false, Some(reason)) => Some(Err(reason)),
            (true, Some(_)) | (false, None) => None,
        }
    }
}

/// A Failure Reason in words. Source: DICOM PS3.3, C.14.1.1.
pub fn failure_words(reason: u16) -> &'static str {
    match reason {
        0x0110 => "failure in processing",
        NO_SUCH_INSTANCE => "no such instance",
        CLASS_CONFLICT => "another class is there under its UID",
        0x0122 => "its class is not supported",
        0x0131 => "the Transaction UID was used before",
        0x0213 => "out of resources",
        _ => "no reason that is known",
    }
}

/// Asks an archive to keep an instance. Its report, if it comes on the same association within a time.
///
/// * `here` – how long a report is waited for on this association; none: it comes on another
///
/// # Errors
/// If the archive cannot be asked, or refuses.
pub fn ask_commitment(
    wanted: Wanted<'_>,
    peer: &Peer,
    calling: &str,
    tls: Option<&StoreTls>,
    here: Option<Duration>,
) -> Result<Option<Report>, DoseError> {
    let mut messages = Messages::open(&[(CLASS, uids::IMPLICIT_VR_LITTLE_ENDIAN)], peer, calling, tls)?;
    let context = messages.context(CLASS, None);
    let context = context.ok_or_else(|| DoseError::Io("to: the other side has no storage commitment".into()))?;
    let command = [
        (tags::REQUESTED_SOP_CLASS_UID, VR::UI, PrimitiveValue::from(CLASS)),
        (tags::REQUESTED_SOP_INSTANCE_UID, VR::UI, PrimitiveValue::from(INSTANCE)),
        (tags::ACTION_TYPE_ID, VR::US, PrimitiveValue::from(REQUEST)),
    ];
    messages.request(context, N_ACTION, command, Some(&mut question(wanted)?.as_slice()))?;
    let mut report = None;
    // Some report before they answer.
    loop {
        let message =
            messages.next()?.ok_or_else(|| DoseError::Io("to: the other side ended the association".into()))?;
        if number(&message.command, tags::COMMAND_FIELD) == Some(N_EVENT_REPORT) {
            report = Some(taken(&mut messages, &message)?);
            continue;
        }
        match number(&message.command, tags::STATUS) {
            Some(0) => break,
            Some(status) => {
                messages.close();
                return Err(DoseError::Io(format!("to: storage commitment was refused by status {status:04X}H")));
            }
            None => return Err(DoseError::Io("to: what came cannot be understood".into())),
        }
    }
    if let (None, Some(time)) = (&report, here) {
        match messages.wait(time)? {
            None => {}
            Some(message) if number(&message.command, tags::COMMAND_FIELD) == Some(N_EVENT_REPORT) => {
                report = Some(taken(&mut messages, &message)?);
            }
            Some(_) => return Err(DoseError::Io("to: what came is no report of storage commitment".into())),
        }
    }
    messages.close();
    Ok(report)
}

/// A report that came as a message, which is answered.
fn taken(messages: &mut Messages, message: &super::messages::Message) -> Result<Report, DoseError> {
    match Report::read(&message.data, uids::IMPLICIT_VR_LITTLE_ENDIAN) {
        Ok(report) => messages.reply(message, DONE).map(|()| report),
        Err(Invalid(reason)) => {
            messages.reply(message, FAILED)?;
            Err(DoseError::Io(format!("to: a report of storage commitment {reason}")))
        }
    }
}

/// The data set of a request.
fn question(wanted: Wanted<'_>) -> Result<Vec<u8>, DoseError> {
    let uid = |tag, text: &str| DataElement::new(tag, VR::UI, PrimitiveValue::from(text));
    let item = InMemDicomObject::from_element_iter([
        uid(tags::REFERENCED_SOP_CLASS_UID, wanted.class),
        uid(tags::REFERENCED_SOP_INSTANCE_UID, wanted.instance),
    ]);
    let object = InMemDicomObject::from_element_iter([
        uid(tags::TRANSACTION_UID, wanted.transaction),
        DataElement::new(tags::REFERENCED_SOP_SEQUENCE, VR::SQ, DataSetSequence::from(vec![item])),
    ]);
    let mut bytes = Vec::new();
    object
        .write_dataset_with_ts(&mut bytes, &IMPLICIT_VR_LITTLE_ENDIAN.erased())
        .map_err(|error| DoseError::Internal(format!("a data set cannot be encoded: {error}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An element in implicit VR, little endian.
    fn element(tag: dicom_core::Tag, value: &[u8]) -> Vec<u8> {
        let length = u32::try_from(value.len()).expect("short").to_le_bytes();
        [&tag.group().to_le_bytes()[..], &tag.element().to_le_bytes(), &length, value].concat()
    }

    #[test]
    fn a_report_says_of_each_instance_whether_it_is_kept() {
        let item = |elements: &[Vec<u8>]| element(dicom_core::Tag(0xfffe, 0xe000), &elements.concat());
        let reference = |uid: &[u8]| {
            [element(tags::REFERENCED_SOP_CLASS_UID, b"1.2\0"), element(tags::REFERENCED_SOP_INSTANCE_UID, uid)]
                .concat()
        };
        let gone = [reference(b"1.4\0"), element(tags::FAILURE_REASON, &NO_SUCH_INSTANCE.to_le_bytes())];
        let bytes = [
            element(tags::TRANSACTION_UID, b"9.8\0"),
            element(tags::FAILED_SOP_SEQUENCE, &item(&gone)),
            element(tags::REFERENCED_SOP_SEQUENCE, &item(&[reference(b"1.3\0")])),
        ]
        .concat();
        let report = Report::read(&bytes, uids::IMPLICIT_VR_LITTLE_ENDIAN).expect("a report");
        assert_eq!(report.transaction, "9.8");
        assert_eq!(report.of("1.2", "1.3"), Some(Ok(())));
        assert_eq!(report.of("1.2", "1.4"), Some(Err(NO_SUCH_INSTANCE)));
        // Another class under the UID, and an instance that it does not name, are kept by nobody's word.
        assert_eq!((report.of("1.5", "1.3"), report.of("1.2", "1.6")), (None, None));
        assert!(Report::read(&bytes[..bytes.len() - 1], uids::IMPLICIT_VR_LITTLE_ENDIAN).is_err());
        assert!(Report::read(&[], uids::IMPLICIT_VR_LITTLE_ENDIAN).is_err(), "it has no Transaction UID");
    }

    #[test]
    fn a_request_names_the_instance_and_the_transaction() {
        let wanted = Wanted { class: "1.2", instance: "1.3", transaction: "9.8" };
        let bytes = question(wanted).expect("a data set");
        // A request has the form of a report that keeps all.
        let read = Report::read(&bytes, uids::IMPLICIT_VR_LITTLE_ENDIAN).expect("it is read");
        assert_eq!((read.transaction.as_str(), read.of("1.2", "1.3")), ("9.8", Some(Ok(()))));
    }
}
