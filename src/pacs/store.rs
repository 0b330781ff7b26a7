//! C-STORE: instances to an application entity, one association for all.

use std::io;

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use dicom_ul::pdu::{PDataValueType, Pdu};

use super::association::Association;
use super::{Instance, Sent, StoreTls, status_words};
use crate::domain::{DoseError, Invalid};

/// Presentation contexts of an association.
const MAX_CONTEXTS: usize = 128;
/// Longest title of an application entity.
const MAX_TITLE: usize = 16;
/// Most PDUs of one answer.
const MAX_ANSWER_PDUS: usize = 64;
/// Command Fields, and the Command Data Set Type of a command without a data set. Source: DICOM PS3.7, annex E.
const C_STORE: u16 = 0x0001;
const C_ECHO: u16 = 0x0030;
const NO_DATA_SET: u16 = 0x0101;
const DATA_SET: u16 = 0x0001;

/// An application entity: `AE@HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub(super) title: String,
    pub(super) address: String,
}

impl Peer {
    /// # Errors
    /// If the text is not of the form `AE@HOST:PORT`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new(format!("is an application entity as AE@HOST:PORT, got `{text}`"));
        let (title, address) = text.split_once('@').ok_or_else(wrong)?;
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        if !is_title(title) || host.is_empty() || port.parse::<u16>().is_err() {
            return Err(wrong());
        }
        Ok(Self { title: title.to_owned(), address: address.to_owned() })
    }

    /// The host of its address.
    pub(super) fn host(&self) -> &str {
        self.address.rsplit_once(':').map_or(self.address.as_str(), |(host, _)| host)
    }
}

/// Whether a text is the title of an application entity.
pub fn is_title(text: &str) -> bool {
    let is_plain = |c: char| matches!(c, ' '..='~') && c != '\\';
    !text.trim().is_empty() && text.len() <= MAX_TITLE && text.chars().all(is_plain)
}

/// Sends instances. Before them, C-ECHO asks whether somebody is there.
///
/// * `calling` – title of this application entity
/// * `tls` – whom to trust, and who calls; none: in the clear
/// * `each` – is told what became of each instance as soon as it is known
///
/// # Errors
/// If nobody answers there, or no more. What became of an instance is no error.
pub fn send(
    instances: &[Instance],
    peer: &Peer,
    calling: &str,
    tls: Option<&StoreTls>,
    mut each: impl FnMut(&Instance, &Sent),
) -> Result<(), DoseError> {
    if !is_title(calling) {
        return Err(DoseError::invalid(
            "calling",
            "is the title of an application entity: at most 16 plain characters",
        ));
    }
    let mut contexts: Vec<(&str, &str)> =
        instances.iter().map(|one| (one.class.as_str(), one.syntax.as_str())).collect();
    contexts.sort_unstable();
    contexts.dedup();
    // One is for the echo.
    for (number, part) in contexts.chunks(MAX_CONTEXTS - 1).enumerate() {
        let echo = (uids::VERIFICATION, uids::IMPLICIT_VR_LITTLE_ENDIAN);
        let proposed: Vec<(&str, &str)> = std::iter::once(echo).chain(part.iter().copied()).collect();
        let mut association = Messages { inner: Association::open(&proposed, peer, calling, tls)?, message: 1 };
        if number == 0 {
            association.echo()?;
        }
        let is_here = |one: &&Instance| part.contains(&(one.class.as_str(), one.syntax.as_str()));
        for instance in instances.iter().filter(is_here) {
            let status = association.store(instance)?;
            let sent = Sent { instance: instance.uid.clone(), status, words: status_words(status) };
            each(instance, &sent);
        }
        association.inner.close();
    }
    Ok(())
}

/// Commands over an open association.
struct Messages {
    inner: Association,
    /// Number of the next message.
    message: u16,
}

impl Messages {
    /// Asks whether somebody is there.
    fn echo(&mut self) -> Result<(), DoseError> {
        let context = self.inner.context(uids::VERIFICATION, None);
        let context = context.ok_or_else(|| DoseError::Io("to: the other side does not take C-ECHO".into()))?;
        let command = self.command(C_ECHO, uids::VERIFICATION, NO_DATA_SET, []);
        self.write(context, &command, None)?;
        match self.answer()? {
            0 => Ok(()),
            status => Err(DoseError::Io(format!("to: C-ECHO was answered by status {status:04X}H"))),
        }
    }

    /// Sends an instance; the status of the answer, or that its class or transfer syntax is not taken.
    fn store(&mut self, instance: &Instance) -> Result<u16, DoseError> {
        let Some(context) = self.inner.context(&instance.class, Some(&instance.syntax)) else { return Ok(0x0122) };
        let more = [
            (tags::PRIORITY, VR::US, PrimitiveValue::from(0u16)),
            (tags::AFFECTED_SOP_INSTANCE_UID, VR::UI, PrimitiveValue::from(instance.uid.as_str())),
        ];
        let command = self.command(C_STORE, &instance.class, DATA_SET, more);
        self.write(context, &command, Some(instance))?;
        self.answer()
    }

    fn command<const N: usize>(
        &mut self,
        field: u16,
        class: &str,
        data_set: u16,
        more: [(dicom_core::Tag, VR, PrimitiveValue); N],
    ) -> InMemDicomObject {
        let own = [
            (tags::AFFECTED_SOP_CLASS_UID, VR::UI, PrimitiveValue::from(class)),
            (tags::COMMAND_FIELD, VR::US, PrimitiveValue::from(field)),
            (tags::MESSAGE_ID, VR::US, PrimitiveValue::from(self.message)),
            (tags::COMMAND_DATA_SET_TYPE, VR::US, PrimitiveValue::from(data_set)),
        ];
        self.message = self.message.checked_add(1).unwrap_or(1);
        let elements = own.into_iter().chain(more).map(|(tag, vr, value)| DataElement::new(tag, vr, value));
        InMemDicomObject::command_from_element_iter(elements)
    }

    fn write(&mut self, context: u8, command: &InMemDicomObject, data: Option<&Instance>) -> Result<(), DoseError> {
        use dicom_transfer_syntax_registry::entries::IMPLICIT_VR_LITTLE_ENDIAN;
        let mut bytes = Vec::new();
        command
            .write_dataset_with_ts(&mut bytes, &IMPLICIT_VR_LITTLE_ENDIAN.erased())
            .map_err(|error| DoseError::Internal(format!("a command cannot be encoded: {error}")))?;
        let value = dicom_ul::pdu::PDataValue {
            presentation_context_id: context,
            value_type: PDataValueType::Command,
            is_last: true,
            data: bytes,
        };
        self.inner.send(&Pdu::PData { data: vec![value] }).map_err(lost)?;
        if let Some(instance) = data {
            let failed = |error: io::Error| DoseError::Io(format!("to: sending failed: {error}"));
            let mut file = instance.data_set().map_err(failed)?;
            self.inner.send_data(context, &mut file).map_err(failed)?;
        }
        Ok(())
    }

    /// The status of an answer.
    fn answer(&mut self) -> Result<u16, DoseError> {
        use dicom_transfer_syntax_registry::entries::IMPLICIT_VR_LITTLE_ENDIAN;
        let unusable = || DoseError::Io("to: the answer cannot be understood".into());
        let mut command = Vec::new();
        for _ in 0..MAX_ANSWER_PDUS {
            let Pdu::PData { data } = self.inner.receive().map_err(lost)? else {
                return Err(DoseError::Io("to: the other side ended the association".into()));
            };
            for value in data.into_iter().filter(|value| value.value_type == PDataValueType::Command) {
                command.extend(value.data);
                if value.is_last {
                    let syntax = IMPLICIT_VR_LITTLE_ENDIAN.erased();
                    let object = InMemDicomObject::read_dataset_with_ts(command.as_slice(), &syntax);
                    let object = object.map_err(|_| unusable())?;
                    let status = object.get(tags::STATUS).and_then(|status| status.to_int::<u16>().ok());
                    return status.ok_or_else(unusable);
                }
            }
        }
        Err(unusable())
    }
}

fn lost(error: io::Error) -> DoseError {
    DoseError::Io(format!("to: the association failed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_a_title_a_host_and_a_port() {
        let peer = Peer::parse("PACS@store.example:104").expect("a peer");
        assert_eq!((peer.title.as_str(), peer.address.as_str()), ("PACS", "store.example:104"));
        assert!(Peer::parse("A@[::1]:11112").is_ok());
        for bad in
            ["", "PACS", "PACS@host", "@host:104", "PACS@:104", "PACS@host:99999", "SEVENTEEN_LETTERS@h:1", " @h:1"]
        {
            assert!(Peer::parse(bad).is_err(), "{bad}");
        }
    }
}
