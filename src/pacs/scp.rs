//! The other side of C-STORE and C-ECHO: an association that others open, and what they send in it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::entries::IMPLICIT_VR_LITTLE_ENDIAN;
use dicom_ul::ServerAssociation;
use dicom_ul::association::server::{AccessControl, ServerAssociationOptions};
use dicom_ul::association::{Association as _, CloseSocket};
use dicom_ul::pdu::{
    AssociationRJServiceUserReason, PDataValue, PDataValueType, Pdu, PresentationContextResultReason, UserIdentity,
};
use tempfile::NamedTempFile;

use super::ServeTls;
use super::arriving::Arriving;
use crate::domain::DoseError;

/// How long the other side may be silent.
const SILENCE: Duration = Duration::from_secs(60);
/// Most bytes of a command.
const MAX_COMMAND_BYTES: usize = 1 << 16;
/// Command Fields, and the Command Data Set Type of a command without a data set. Source: DICOM PS3.7, annex E.
const C_STORE: u16 = 0x0001;
const C_ECHO: u16 = 0x0030;
const IS_ANSWER: u16 = 0x8000;
const NO_DATA_SET: u16 = 0x0101;
/// Statuses. Source: DICOM PS3.4, table B.2-1; PS3.7, annex C.
pub(super) const SUCCESS: u16 = 0x0000;
pub(super) const OUT_OF_RESOURCES: u16 = 0xa700;
const NOT_UNDERSTOOD: u16 = 0xc000;
const NO_SUCH_OPERATION: u16 = 0x0211;

/// Who may call, and by which titles.
#[derive(Clone, Copy, Debug)]
pub struct Callers<'a> {
    /// Titles that this application entity has.
    pub called: &'a [String],
    /// Titles that may call; empty: all.
    pub calling: &'a [String],
    /// How they have to call; none: in the clear.
    pub tls: Option<&'a ServeTls>,
}

impl AccessControl for Callers<'_> {
    fn check_access(
        &self,
        _: &str,
        calling: &str,
        called: &str,
        _: Option<&UserIdentity>,
    ) -> Result<(), AssociationRJServiceUserReason> {
        if !self.called.iter().any(|title| title.trim() == called.trim()) {
            return Err(AssociationRJServiceUserReason::CalledAETitleNotRecognized);
        }
        if !self.calling.is_empty() && !self.calling.iter().any(|title| title.trim() == calling.trim()) {
            return Err(AssociationRJServiceUserReason::CallingAETitleNotRecognized);
        }
        Ok(())
    }
}

/// What may be sent.
#[derive(Clone, Copy, Debug)]
pub struct Accepts<'a> {
    /// SOP Class UIDs with their names.
    pub classes: &'a [(&'a str, &'a str)],
    /// Transfer syntaxes with their names.
    pub syntaxes: &'a [(&'a str, &'a str)],
    /// Most bytes of an instance.
    pub most_bytes: u64,
}

/// An instance that came: a file of DICOM part 10, written and synced.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// The file; it is gone when this is dropped, unless it is kept.
    pub file: NamedTempFile,
    /// Title of who sent it.
    pub calling: &'a str,
}

/// Serves an association to its end.
///
/// * `folder` – where files are written
/// * `keep` – takes an instance; only then it is answered as stored
///
/// # Errors
/// If the association is refused, or does not go as the standard says. What was kept before stays.
pub fn serve_association(
    stream: TcpStream,
    callers: Callers<'_>,
    accepts: Accepts<'_>,
    folder: &Path,
    keep: impl FnMut(Arrival<'_>) -> io::Result<()>,
) -> Result<(), DoseError> {
    let mut options = ServerAssociationOptions::new()
        .ae_access_control(callers)
        .ae_title(callers.called.first().map_or("DOSEGRID", String::as_str))
        .read_timeout(SILENCE)
        .write_timeout(SILENCE)
        .with_abstract_syntax(uids::VERIFICATION);
    for (class, _) in accepts.classes {
        options = options.with_abstract_syntax(*class);
    }
    for (syntax, _) in accepts.syntaxes {
        options = options.with_transfer_syntax(*syntax);
    }
    match callers.tls {
        None => serve(&mut options.establish(stream).map_err(failed)?, accepts, folder, keep),
        Some(tls) => {
            let mut inner = options.tls_config(tls.config()).establish_tls(stream).map_err(failed)?;
            serve(&mut inner, accepts, folder, keep)?;
            let stream = inner.inner_stream();
            stream.conn.send_close_notify();
            // All has been answered: how the end goes changes nothing.
            let _ = stream.flush();
            Ok(())
        }
    }
}

fn failed(error: dicom_ul::association::Error) -> DoseError {
    DoseError::Io(format!("association: {error}"))
}

fn serve<S: Read + Write + CloseSocket>(
    inner: &mut ServerAssociation<S>,
    accepts: Accepts<'_>,
    folder: &Path,
    mut keep: impl FnMut(Arrival<'_>) -> io::Result<()>,
) -> Result<(), DoseError> {
    let calling = inner.peer_ae_title().trim().to_owned();
    let mut scp = Scp { inner, command: Vec::new(), asked: None, arriving: None };
    loop {
        match scp.inner.receive().map_err(failed)? {
            Pdu::PData { data } => {
                for value in data {
                    scp.take(value, accepts.most_bytes, folder, |file| keep(Arrival { file, calling: &calling }))?;
                }
            }
            Pdu::ReleaseRQ => return scp.inner.send(&Pdu::ReleaseRP).map_err(failed),
            Pdu::Unknown { .. }
            | Pdu::AssociationRQ(_)
            | Pdu::AssociationAC(_)
            | Pdu::AssociationRJ(_)
            | Pdu::ReleaseRP
            | Pdu::AbortRQ { .. } => {
                return Err(DoseError::Io("association: the other side ended it".into()));
            }
        }
    }
}

struct Scp<'a, S> {
    inner: &'a mut ServerAssociation<S>,
    command: Vec<u8>,
    /// A command that waits for its data set.
    asked: Option<InMemDicomObject>,
    arriving: Option<Arriving>,
}

fn broken(words: &str) -> DoseError {
    DoseError::Io(format!("association: {words}"))
}

impl<S: Read + Write + CloseSocket> Scp<'_, S> {
    fn take(
        &mut self,
        value: PDataValue,
        most_bytes: u64,
        folder: &Path,
        keep: impl FnOnce(NamedTempFile) -> io::Result<()>,
    ) -> Result<(), DoseError> {
        let context = value.presentation_context_id;
        if value.value_type == PDataValueType::Command {
            self.command.extend(value.data);
            if self.command.len() > MAX_COMMAND_BYTES {
                return Err(broken("a command is too long"));
            }
            return if value.is_last { self.command(context, most_bytes, folder) } else { Ok(()) };
        }
        let arriving = self.arriving.as_mut().ok_or_else(|| broken("a data set came without a command"))?;
        arriving.write(&value.data);
        if !value.is_last {
            return Ok(());
        }
        let (Some(arriving), Some(asked)) = (self.arriving.take(), self.asked.take()) else {
            return Err(broken("a data set came without a command"));
        };
        let status = match arriving.status {
            SUCCESS => arriving.finish().and_then(keep).map_or(OUT_OF_RESOURCES, |()| SUCCESS),
            other => other,
        };
        self.answer(context, &asked, status)
    }

    /// Answers a command, or makes room for the data set that follows it.
    fn command(&mut self, context: u8, most_bytes: u64, folder: &Path) -> Result<(), DoseError> {
        let bytes = std::mem::take(&mut self.command);
        let syntax = IMPLICIT_VR_LITTLE_ENDIAN.erased();
        let command = InMemDicomObject::read_dataset_with_ts(bytes.as_slice(), &syntax)
            .map_err(|_| broken("a command cannot be understood"))?;
        let field = number(&command, tags::COMMAND_FIELD).ok_or_else(|| broken("a command has no field"))?;
        let has_data = number(&command, tags::COMMAND_DATA_SET_TYPE) != Some(NO_DATA_SET);
        match field {
            C_ECHO => self.answer(context, &command, SUCCESS),
            C_STORE if has_data => {
                let (class, syntax) = self.negotiated(context).ok_or_else(|| broken("a context was not agreed"))?;
                let of = |tag| text(&command, tag).unwrap_or_default();
                let (named, instance) = (of(tags::AFFECTED_SOP_CLASS_UID), of(tags::AFFECTED_SOP_INSTANCE_UID));
                let is_good = named == class && is_uid(&instance);
                let begun = Arriving::new(folder, [&class, &instance, &syntax], most_bytes);
                let mut arriving = begun.map_err(|error| broken(&format!("no room for a file: {error}")))?;
                if !is_good {
                    arriving.status = NOT_UNDERSTOOD;
                }
                self.arriving = Some(arriving);
                self.asked = Some(command);
                Ok(())
            }
            _ if has_data => Err(broken("an operation that is not served")),
            _ => self.answer(context, &command, NO_SUCH_OPERATION),
        }
    }

    /// Class and transfer syntax of a presentation context that was accepted.
    fn negotiated(&self, context: u8) -> Option<(String, String)> {
        let accepted = |one: &&dicom_ul::pdu::PresentationContextNegotiated| {
            one.id == context && one.reason == PresentationContextResultReason::Acceptance
        };
        let found = self.inner.presentation_contexts().iter().find(accepted)?;
        Some((trimmed(&found.abstract_syntax), trimmed(&found.transfer_syntax)))
    }

    fn answer(&mut self, context: u8, command: &InMemDicomObject, status: u16) -> Result<(), DoseError> {
        let field = number(command, tags::COMMAND_FIELD).unwrap_or_default() | IS_ANSWER;
        let mut elements = vec![
            (tags::COMMAND_FIELD, VR::US, PrimitiveValue::from(field)),
            (
                tags::MESSAGE_ID_BEING_RESPONDED_TO,
                VR::US,
                PrimitiveValue::from(number(command, tags::MESSAGE_ID).unwrap_or_default()),
            ),
            (tags::COMMAND_DATA_SET_TYPE, VR::US, PrimitiveValue::from(NO_DATA_SET)),
            (tags::STATUS, VR::US, PrimitiveValue::from(status)),
        ];
        for tag in [tags::AFFECTED_SOP_CLASS_UID, tags::AFFECTED_SOP_INSTANCE_UID] {
            elements.extend(text(command, tag).map(|uid| (tag, VR::UI, PrimitiveValue::from(uid))));
        }
        let elements = elements.into_iter().map(|(tag, vr, value)| DataElement::new(tag, vr, value));
        let answer = InMemDicomObject::command_from_element_iter(elements);
        let mut data = Vec::new();
        answer
            .write_dataset_with_ts(&mut data, &IMPLICIT_VR_LITTLE_ENDIAN.erased())
            .map_err(|error| DoseError::Internal(format!("an answer cannot be encoded: {error}")))?;
        let value_type = PDataValueType::Command;
        let value = PDataValue { presentation_context_id: context, value_type, is_last: true, data };
        self.inner.send(&Pdu::PData { data: vec![value] }).map_err(failed)
    }
}

fn number(object: &InMemDicomObject, tag: Tag) -> Option<u16> {
    object.get(tag)?.to_int().ok()
}

fn trimmed(uid: &str) -> String {
    uid.trim_matches([' ', '\0']).to_owned()
}

fn text(object: &InMemDicomObject, tag: Tag) -> Option<String> {
    Some(trimmed(&object.get(tag)?.to_str().ok()?))
}

pub(super) fn is_uid(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}
