//! Messages over an association that was asked for: requests, their answers, and what comes without a question.

use std::io::{self, Read};
use std::time::Duration;

use dicom_core::{PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use dicom_ul::pdu::{PDataValue, PDataValueType, Pdu};

use super::association::Association;
use super::dimse::{
    C_ECHO, DATA_SET, Element, IS_ANSWER, MAX_COMMAND_BYTES, NO_DATA_SET, answer_to, command_bytes, has_data_set,
    number, read_command,
};
use super::{Peer, StoreTls};
use crate::domain::DoseError;

/// Most bytes of a data set that comes, and most PDUs of a message.
const MAX_DATA_BYTES: usize = 1 << 20;
const MAX_PDUS: usize = 256;

/// A message that came.
pub(super) struct Message {
    /// Its presentation context.
    pub(super) context: u8,
    pub(super) command: InMemDicomObject,
    /// Its data set; empty where it has none.
    pub(super) data: Vec<u8>,
}

/// Messages over an open association.
pub(super) struct Messages {
    inner: Association,
    /// Numbers of the next message, and of the last request.
    next: u16,
    last: u16,
}

impl Messages {
    /// Asks for an association.
    ///
    /// * `contexts` – classes with their transfer syntaxes; at most 128
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn open(
        contexts: &[(&str, &str)],
        peer: &Peer,
        calling: &str,
        tls: Option<&StoreTls>,
    ) -> Result<Self, DoseError> {
        Ok(Self { inner: Association::open(contexts, peer, calling, tls)?, next: 1, last: 0 })
    }

    /// The presentation context that was accepted for a class and a transfer syntax, if any.
    pub(super) fn context(&self, class: &str, syntax: Option<&str>) -> Option<u8> {
        self.inner.context(class, syntax)
    }

    /// Whether a class is taken, in whatever transfer syntax.
    pub(super) fn takes(&self, class: &str) -> bool {
        self.inner.takes(class)
    }

    /// Asks whether somebody is there.
    pub(super) fn echo(&mut self) -> Result<(), DoseError> {
        let context = self.context(uids::VERIFICATION, None);
        let context = context.ok_or_else(|| DoseError::Io("to: the other side does not take C-ECHO".into()))?;
        let class = (tags::AFFECTED_SOP_CLASS_UID, VR::UI, PrimitiveValue::from(uids::VERIFICATION));
        self.request(context, C_ECHO, [class], None)?;
        match self.answer()? {
            0 => Ok(()),
            status => Err(DoseError::Io(format!("to: C-ECHO was answered by status {status:04X}H"))),
        }
    }

    /// Sends a command, and the data set that belongs to it.
    pub(super) fn request(
        &mut self,
        context: u8,
        field: u16,
        more: impl IntoIterator<Item = Element>,
        data: Option<&mut dyn Read>,
    ) -> Result<(), DoseError> {
        let data_set = if data.is_some() { DATA_SET } else { NO_DATA_SET };
        let own = [
            (tags::COMMAND_FIELD, VR::US, PrimitiveValue::from(field)),
            (tags::MESSAGE_ID, VR::US, PrimitiveValue::from(self.next)),
            (tags::COMMAND_DATA_SET_TYPE, VR::US, PrimitiveValue::from(data_set)),
        ];
        self.last = self.next;
        self.next = self.next.checked_add(1).unwrap_or(1);
        self.command(context, own.into_iter().chain(more))?;
        if let Some(mut data) = data {
            let failed = |error: io::Error| DoseError::Io(format!("to: sending failed: {error}"));
            self.inner.send_data(context, &mut data).map_err(failed)?;
        }
        Ok(())
    }

    /// Answers a message.
    pub(super) fn reply(&mut self, message: &Message, status: u16) -> Result<(), DoseError> {
        self.command(message.context, answer_to(&message.command, status))
    }

    fn command(&mut self, context: u8, elements: impl IntoIterator<Item = Element>) -> Result<(), DoseError> {
        let (value_type, data) = (PDataValueType::Command, command_bytes(elements)?);
        let value = PDataValue { presentation_context_id: context, value_type, is_last: true, data };
        self.inner.send(&Pdu::PData { data: vec![value] }).map_err(lost)
    }

    /// The status of the next message, which answers the last request: what answers another says nothing of it.
    pub(super) fn answer(&mut self) -> Result<u16, DoseError> {
        let message = self.next()?.ok_or_else(|| DoseError::Io("to: the other side ended the association".into()))?;
        if number(&message.command, tags::MESSAGE_ID_BEING_RESPONDED_TO) != Some(self.last) {
            return Err(DoseError::Io("to: what came is no answer to what was asked".into()));
        }
        number(&message.command, tags::STATUS).ok_or_else(unusable)
    }

    /// The next message; none if the other side ends the association.
    pub(super) fn next(&mut self) -> Result<Option<Message>, DoseError> {
        self.next_within(None).map_err(lost)?.ok_or_else(unusable)
    }

    /// The next message, if it begins within a time; none if it does not, or the other side ends the association.
    pub(super) fn wait(&mut self, time: Duration) -> Result<Option<Message>, DoseError> {
        match self.next_within(Some(time)) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Ok(None),
            // Whoever has nothing more to say may close.
            Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
                Ok(None)
            }
            Err(error) => Err(lost(error)),
            Ok(message) => message.ok_or_else(unusable),
        }
    }

    /// A message in bounds: `Some(None)` at the end of the association, none if it cannot be understood.
    fn next_within(&mut self, time: Option<Duration>) -> io::Result<Option<Option<Message>>> {
        let (mut command, mut data) = (Vec::new(), Vec::new());
        let mut read: Option<InMemDicomObject> = None;
        if let Some(time) = time {
            self.inner.set_patience(time)?;
        }
        for _ in 0..MAX_PDUS {
            let Pdu::PData { data: values } = self.inner.receive()? else { return Ok(Some(None)) };
            for value in values {
                let context = value.presentation_context_id;
                let is_command = value.value_type == PDataValueType::Command;
                if is_command {
                    command.extend(value.data)
                } else {
                    data.extend(value.data)
                }
                if command.len() > MAX_COMMAND_BYTES || data.len() > MAX_DATA_BYTES {
                    return Ok(None);
                }
                match (value.is_last, is_command, read.take()) {
                    (true, true, None) => {
                        let Ok(object) = read_command(&command) else { return Ok(None) };
                        // Answers are their command alone.
                        let is_answer =
                            number(&object, tags::COMMAND_FIELD).is_some_and(|field| field & IS_ANSWER != 0);
                        if is_answer || !has_data_set(&object) {
                            return Ok(Some(Some(Message { context, command: object, data })));
                        }
                        data.clear();
                        read = Some(object);
                    }
                    (true, false, Some(command)) => return Ok(Some(Some(Message { context, command, data }))),
                    // What belongs to no command.
                    (true, false, None) => data.clear(),
                    (true, true, Some(_)) => return Ok(None),
                    (false, _, waiting) => read = waiting,
                }
            }
        }
        Ok(None)
    }

    /// Ends the association.
    pub(super) fn close(self) {
        self.inner.close();
    }
}

fn unusable() -> DoseError {
    DoseError::Io("to: what came cannot be understood".into())
}

fn lost(error: io::Error) -> DoseError {
    DoseError::Io(format!("to: the association failed: {error}"))
}
