//! An association with an application entity, over TCP or TLS: PDUs by `dicom_ul`, the connection by this program.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use dicom_dictionary_std::uids;
use dicom_ul::pdu::{
    AssociationRQ, MAXIMUM_PDU_SIZE, PDU_HEADER_SIZE, PDataValue, PDataValueType, Pdu, PresentationContextNegotiated,
    PresentationContextProposed, PresentationContextResultReason, UserVariableItem, read_pdu, write_pdu,
};
use dicom_ul::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};
use tokio_rustls::rustls::{ClientConnection, StreamOwned};

use super::{Peer, StoreTls};
use crate::domain::DoseError;

/// How long a connection may take, and each read and write of it.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(60);
/// The application context. Source: DICOM PS3.7, annex A.2.1.
const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";
/// Version 1 of the upper layer. Source: DICOM PS3.8, 9.3.2.
const PROTOCOL_VERSION: u16 = 1;
/// Longest PDU that is taken, and that is sent where the other side has no limit.
const TAKEN_BYTES: u32 = 1 << 18;
const SENT_BYTES: u32 = 1 << 18;
/// Bytes of a P-DATA-TF beside its data: length of the item, presentation context, control header.
const ITEM_BYTES: u32 = 6;

/// The connection.
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(bytes),
            Self::Tls(stream) => stream.read(bytes),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// An open association.
pub(super) struct Association {
    stream: Stream,
    contexts: Vec<PresentationContextNegotiated>,
    /// Classes that the other side takes, and not in a transfer syntax that was asked for.
    other_syntaxes: Vec<String>,
    /// Most bytes of data in a PDU that the other side takes.
    data_bytes: usize,
}

impl Association {
    /// Asks for an association.
    ///
    /// * `contexts` – classes with their transfer syntaxes; at most 128
    /// * `tls` – whom to trust, and who calls; none: in the clear
    ///
    /// # Errors
    /// If nobody answers, the other side is not who it must be, or it refuses.
    pub(super) fn open(
        contexts: &[(&str, &str)],
        peer: &Peer,
        calling: &str,
        tls: Option<&StoreTls>,
    ) -> Result<Self, DoseError> {
        let failed = |words: String| DoseError::Io(format!("to: no association with {}: {words}", peer.address));
        let tcp = connected(&peer.address).map_err(|error| failed(error.to_string()))?;
        let stream = match tls {
            None => Stream::Plain(tcp),
            Some(tls) => Stream::Tls(Box::new(tls.shake_hands(tcp, peer.host()).map_err(failed)?)),
        };
        let proposed = |(at, (class, syntax)): (usize, &(&str, &str))| PresentationContextProposed {
            id: u8::try_from(2 * at + 1).expect("at most 128 contexts"),
            abstract_syntax: (*class).to_owned(),
            transfer_syntaxes: vec![(*syntax).to_owned()],
        };
        let proposed: Vec<PresentationContextProposed> = contexts.iter().enumerate().map(proposed).collect();
        let request = Pdu::AssociationRQ(AssociationRQ {
            protocol_version: PROTOCOL_VERSION,
            calling_ae_title: calling.to_owned(),
            called_ae_title: peer.title.clone(),
            application_context_name: APPLICATION_CONTEXT.to_owned(),
            presentation_contexts: proposed.clone(),
            user_variables: vec![
                UserVariableItem::MaxLength(TAKEN_BYTES),
                UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.to_owned()),
                UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION_NAME.to_owned()),
            ],
        });
        let mut opening = Self { stream, contexts: Vec::new(), other_syntaxes: Vec::new(), data_bytes: 0 };
        opening.send(&request).map_err(|error| failed(error.to_string()))?;
        let answer = opening.receive().map_err(|error| failed(error.to_string()))?;
        if let Pdu::AssociationRJ(refused) = &answer {
            return Err(failed(format!("refused: {}", refused.source)));
        }
        let Pdu::AssociationAC(accepted) = answer else {
            return Err(failed("the answer cannot be understood".into()));
        };
        let of = |id: u8| proposed.iter().find(|context| context.id == id);
        let answers = accepted.presentation_contexts.iter();
        opening.other_syntaxes = answers
            .filter(|one| one.reason == PresentationContextResultReason::TransferSyntaxesNotSupported)
            .filter_map(|one| Some(of(one.id)?.abstract_syntax.clone()))
            .collect();
        let taken = accepted.presentation_contexts.into_iter();
        let taken = taken.filter(|one| one.reason == PresentationContextResultReason::Acceptance);
        opening.contexts = taken
            .filter_map(|one| {
                let abstract_syntax = of(one.id)?.abstract_syntax.clone();
                let (id, reason, transfer_syntax) = (one.id, one.reason, one.transfer_syntax);
                Some(PresentationContextNegotiated { id, reason, transfer_syntax, abstract_syntax })
            })
            .collect();
        let most = accepted.user_variables.iter().find_map(|item| {
            let UserVariableItem::MaxLength(most) = item else { return None };
            Some(if *most == 0 { SENT_BYTES } else { (*most).min(SENT_BYTES) })
        });
        let data = most.unwrap_or(SENT_BYTES).saturating_sub(ITEM_BYTES);
        // A length of data is even.
        opening.data_bytes = usize::try_from(data & !1).unwrap_or(0);
        if opening.data_bytes == 0 {
            return Err(failed("the other side takes no data".into()));
        }
        Ok(opening)
    }

    /// The presentation context that was accepted for a class and a transfer syntax.
    pub(super) fn context(&self, class: &str, syntax: Option<&str>) -> Option<u8> {
        let mut found = self.contexts.iter().filter(|context| {
            context.abstract_syntax == class && syntax.is_none_or(|syntax| is_same(&context.transfer_syntax, syntax))
        });
        found.next().map(|context| context.id)
    }

    /// Whether a class is taken, in whatever transfer syntax.
    pub(super) fn takes(&self, class: &str) -> bool {
        self.context(class, None).is_some() || self.other_syntaxes.iter().any(|other| other == class)
    }

    /// Sends a PDU.
    pub(super) fn send(&mut self, pdu: &Pdu) -> io::Result<()> {
        let mut bytes = Vec::new();
        write_pdu(&mut bytes, pdu).map_err(io::Error::other)?;
        self.stream.write_all(&bytes)?;
        self.stream.flush()
    }

    /// Sends a data set, in as many PDUs as it takes.
    pub(super) fn send_data(&mut self, context: u8, data: &mut impl Read) -> io::Result<()> {
        let mut next = block(data, self.data_bytes)?;
        loop {
            let own = next;
            next = block(data, self.data_bytes)?;
            let is_last = next.is_empty();
            let value_type = PDataValueType::Data;
            let value = PDataValue { presentation_context_id: context, value_type, is_last, data: own };
            self.send(&Pdu::PData { data: vec![value] })?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// The next PDU of the other side.
    pub(super) fn receive(&mut self) -> io::Result<Pdu> {
        let mut head = [0; PDU_HEADER_SIZE as usize];
        self.stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[2], head[3], head[4], head[5]]);
        if length > TAKEN_BYTES {
            return Err(io::Error::other(format!("a PDU of {length} bytes came, at most {TAKEN_BYTES} are taken")));
        }
        let mut whole = head.to_vec();
        (&mut self.stream).take(length.into()).read_to_end(&mut whole)?;
        let pdu = read_pdu(whole.as_slice(), TAKEN_BYTES.min(MAXIMUM_PDU_SIZE), true).map_err(io::Error::other)?;
        pdu.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// How long each read may take from now on.
    pub(super) fn set_patience(&mut self, time: Duration) -> io::Result<()> {
        match &self.stream {
            Stream::Plain(stream) => stream.set_read_timeout(Some(time)),
            Stream::Tls(stream) => stream.sock.set_read_timeout(Some(time)),
        }
    }

    /// Ends it. All that was sent has been answered: how the end goes changes nothing.
    pub(super) fn close(mut self) {
        let _ = self.send(&Pdu::ReleaseRQ).and_then(|()| self.receive());
        if let Stream::Tls(stream) = &mut self.stream {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    }
}

/// Whether two transfer syntaxes are the same; that of commands goes by its absence too.
fn is_same(accepted: &str, asked: &str) -> bool {
    let plain = |uid: &str| uid.trim_end_matches(['\0', ' ']).to_owned();
    plain(accepted) == plain(asked) || (accepted.is_empty() && asked == uids::IMPLICIT_VR_LITTLE_ENDIAN)
}

/// The next bytes of a data set, as many as go into a PDU; none at its end.
fn block(data: &mut impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(most);
    data.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn connected(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::other("it is no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(ANSWER))?;
                stream.set_write_timeout(Some(ANSWER))?;
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
