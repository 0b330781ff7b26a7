//! The other side of C-STORE, C-ECHO and reports of storage commitment: an association that others open, and what they
//! send in it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use dicom_ul::ServerAssociation;
use dicom_ul::association::server::{AccessControl, Negotiation, ServerAssociationOptions};
use dicom_ul::association::{Association as _, CloseSocket};
use dicom_ul::pdu::{
    AbortRQSource, AssociationRJServiceUserReason, PDataValue, PDataValueType, Pdu, PresentationContextResultReason,
    RequestorRoles, UserIdentity,
};
use tempfile::NamedTempFile;

use super::ServeTls;
use super::arriving::Arriving;
use super::commitment::{self, Report};
use super::dimse::{
    C_ECHO, C_STORE, MAX_COMMAND_BYTES, N_EVENT_REPORT, answer_to, command_bytes, has_data_set, is_uid, number,
    read_command, text, trimmed,
};
use super::opening::wait_for_opening;
use crate::domain::{DoseError, Invalid};

/// How long the other side may be silent, and before it has begun to send anything: until then it may be one that only
/// holds a place.
const SILENCE: Duration = Duration::from_secs(60);
pub(super) const FIRST_SILENCE: Duration = Duration::from_secs(15);
/// Most bytes of a report.
const MAX_REPORT_BYTES: usize = 1 << 20;
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
    /// Whether archives report here whether they keep what they were sent.
    pub reports: bool,
}

/// Lets an archive be the provider of storage commitment in an association that it opens, and nothing else.
/// Source: DICOM PS3.4, J.3.3.
struct Roles;

impl Negotiation for Roles {
    fn negotiate_roles(&self, class: &str, scu: bool, scp: bool) -> Option<RequestorRoles> {
        let is_commitment = trimmed(class) == commitment::CLASS;
        Some(if is_commitment { RequestorRoles { scu: false, scp } } else { RequestorRoles { scu, scp: false } })
    }
}

/// An instance that came: a file of DICOM part 10, written and synced.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// The file; it is gone when this is dropped, unless it is kept.
    pub file: NamedTempFile,
    /// Title of who sent it.
    pub calling: &'a str,
}

/// What is done with what comes.
pub trait Takes {
    /// Takes an instance; only then it is answered as stored.
    ///
    /// # Errors
    /// If it cannot be kept.
    fn keep(&mut self, arrival: Arrival<'_>) -> io::Result<()>;

    /// Takes a report of storage commitment; whether it was asked for.
    ///
    /// # Errors
    /// If it cannot be kept.
    fn report(&mut self, report: &Report) -> io::Result<bool>;

    /// Whether the association goes on: asked before each wait for the other side, and when a wait was in vain. Where
    /// it does not, it is aborted.
    ///
    /// * `in_the_middle` – whether an instance, or another message, has begun to come
    fn goes_on(&mut self, in_the_middle: bool) -> bool;
}

/// Serves an association to its end.
///
/// * `folder` – where files are written
///
/// # Errors
/// If the association is refused, or does not go as the standard says. What was kept before stays.
pub fn serve_association(
    stream: TcpStream,
    callers: Callers<'_>,
    accepts: Accepts<'_>,
    folder: &Path,
    takes: &mut impl Takes,
) -> Result<(), DoseError> {
    let mut options = ServerAssociationOptions::new()
        .ae_access_control(callers)
        .ae_title(callers.called.first().map_or("DOSEGRID", String::as_str))
        .read_timeout(FIRST_SILENCE)
        .write_timeout(SILENCE)
        .with_negotiation(Roles)
        .with_abstract_syntax(uids::VERIFICATION);
    for (class, _) in accepts.classes {
        options = options.with_abstract_syntax(*class);
    }
    if accepts.reports {
        options = options.with_abstract_syntax(commitment::CLASS);
    }
    for (syntax, _) in accepts.syntaxes {
        options = options.with_transfer_syntax(*syntax);
    }
    let line = stream.try_clone().map_err(|error| broken(&format!("it cannot be opened: {error}")))?;
    let room = Room { most_bytes: accepts.most_bytes, folder, line };
    wait_for_opening(&stream, callers.tls.is_some())?;
    match callers.tls {
        None => serve(&mut options.establish(stream).map_err(failed)?, &room, takes),
        Some(tls) => {
            let mut inner = options.tls_config(tls.config()).establish_tls(stream).map_err(failed)?;
            serve(&mut inner, &room, takes)?;
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

/// What an association has of this machine.
struct Room<'a> {
    /// Most bytes of an instance.
    most_bytes: u64,
    /// Where files are written.
    folder: &'a Path,
    /// Its connection, below TLS.
    line: TcpStream,
}

impl Room<'_> {
    /// Something is being sent: from now on it may be silent for longer.
    fn wait_longer(&self) -> Result<(), DoseError> {
        let set = self.line.set_read_timeout(Some(SILENCE));
        set.map_err(|error| broken(&format!("its time cannot be set: {error}")))
    }
}

fn serve<S: Read + Write + CloseSocket, T: Takes>(
    inner: &mut ServerAssociation<S>,
    room: &Room<'_>,
    takes: &mut T,
) -> Result<(), DoseError> {
    let calling = inner.peer_ae_title().trim().to_owned();
    let mut scp = Scp { inner, calling, room, takes, command: Vec::new(), asked: None };
    loop {
        let in_the_middle = scp.asked.is_some() || !scp.command.is_empty();
        let received = if scp.takes.goes_on(in_the_middle) { Some(scp.inner.receive()) } else { None };
        let message = match received {
            Some(Ok(message)) => message,
            Some(Err(error)) if scp.takes.goes_on(in_the_middle) => return Err(failed(error)),
            Some(Err(_)) | None => {
                // All that came whole was answered: whether the other side hears of the end changes nothing.
                let _ = scp.inner.send(&Pdu::AbortRQ { source: AbortRQSource::ServiceUser });
                return Ok(());
            }
        };
        match message {
            Pdu::PData { data } => {
                for value in data {
                    scp.take(value)?;
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

/// A data set that arrives after its command.
enum Coming {
    Instance(Arriving),
    /// An instance for which there is no room: it is read to its end, and answered by this status.
    Refused(u16),
    /// A report, with its transfer syntax.
    Report(Vec<u8>, String),
}

struct Scp<'a, S, T> {
    inner: &'a mut ServerAssociation<S>,
    calling: String,
    room: &'a Room<'a>,
    takes: &'a mut T,
    command: Vec<u8>,
    /// A command that waits for its data set.
    asked: Option<(InMemDicomObject, Coming)>,
}

pub(super) fn broken(words: &str) -> DoseError {
    DoseError::Io(format!("association: {words}"))
}

impl<S: Read + Write + CloseSocket, T: Takes> Scp<'_, S, T> {
    fn take(&mut self, value: PDataValue) -> Result<(), DoseError> {
        let context = value.presentation_context_id;
        if value.value_type == PDataValueType::Command {
            self.command.extend(value.data);
            if self.command.len() > MAX_COMMAND_BYTES {
                return Err(broken("a command is too long"));
            }
            return if value.is_last { self.command(context) } else { Ok(()) };
        }
        let (_, coming) = self.asked.as_mut().ok_or_else(|| broken("a data set came without a command"))?;
        match coming {
            Coming::Instance(arriving) => arriving.write(&value.data),
            Coming::Refused(_) => {}
            Coming::Report(bytes, _) if bytes.len() + value.data.len() > MAX_REPORT_BYTES => {
                return Err(broken("a report is too long"));
            }
            Coming::Report(bytes, _) => bytes.extend(value.data),
        }
        if !value.is_last {
            return Ok(());
        }
        let Some((command, coming)) = self.asked.take() else {
            return Err(broken("a data set came without a command"));
        };
        let status = match coming {
            Coming::Instance(arriving) if arriving.status == SUCCESS => {
                let kept = arriving.finish().and_then(|file| self.takes.keep(Arrival { file, calling: &self.calling }));
                kept.map_or(OUT_OF_RESOURCES, |()| SUCCESS)
            }
            Coming::Instance(arriving) => arriving.status,
            Coming::Refused(status) => status,
            Coming::Report(bytes, syntax) => self.report(&bytes, &syntax),
        };
        self.answer(context, &command, status)
    }

    /// The status that a report is answered with.
    fn report(&mut self, bytes: &[u8], syntax: &str) -> u16 {
        match Report::read(bytes, syntax) {
            Err(Invalid(_)) => commitment::FAILED,
            Ok(report) => match self.takes.report(&report) {
                Ok(true) => commitment::DONE,
                Ok(false) => commitment::NOT_ASKED,
                Err(_) => commitment::FAILED,
            },
        }
    }

    /// Answers a command, or makes room for the data set that follows it.
    fn command(&mut self, context: u8) -> Result<(), DoseError> {
        let bytes = std::mem::take(&mut self.command);
        let command = read_command(&bytes).map_err(|_| broken("a command cannot be understood"))?;
        let field = number(&command, tags::COMMAND_FIELD).ok_or_else(|| broken("a command has no field"))?;
        let has_data = has_data_set(&command);
        let not_agreed = || broken("a context was not agreed");
        match field {
            C_ECHO => self.answer(context, &command, SUCCESS),
            C_STORE if has_data => {
                let (class, syntax) = self.negotiated(context).ok_or_else(not_agreed)?;
                let of = |tag| text(&command, tag).unwrap_or_default();
                let (named, instance) = (of(tags::AFFECTED_SOP_CLASS_UID), of(tags::AFFECTED_SOP_INSTANCE_UID));
                let is_good = named == class && is_uid(&instance) && class != commitment::CLASS;
                let coming = if is_good {
                    let begun = Arriving::new(self.room.folder, [&class, &instance, &syntax], self.room.most_bytes);
                    // A full disk, such as it is: the next instance may have room.
                    begun.map_or(Coming::Refused(OUT_OF_RESOURCES), Coming::Instance)
                } else {
                    Coming::Refused(NOT_UNDERSTOOD)
                };
                self.room.wait_longer()?;
                self.asked = Some((command, coming));
                Ok(())
            }
            N_EVENT_REPORT if has_data => {
                let (class, syntax) = self.negotiated(context).ok_or_else(not_agreed)?;
                if class != commitment::CLASS {
                    return Err(broken("an operation that is not served"));
                }
                self.room.wait_longer()?;
                self.asked = Some((command, Coming::Report(Vec::new(), syntax)));
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
        let (value_type, data) = (PDataValueType::Command, command_bytes(answer_to(command, status))?);
        let value = PDataValue { presentation_context_id: context, value_type, is_last: true, data };
        self.inner.send(&Pdu::PData { data: vec![value] }).map_err(failed)
    }
}
