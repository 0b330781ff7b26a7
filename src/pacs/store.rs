//! C-STORE: instances to an application entity, one association for all.

use std::io::{self, Read};

use dicom_core::{PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};

use super::dimse::C_STORE;
use super::implicit::implicit;
use super::messages::Messages;
use super::{Instance, Sent, StoreTls, status_words};
use crate::domain::{DoseError, Invalid};

/// Presentation contexts of an association.
const MAX_CONTEXTS: usize = 128;
/// Longest title of an application entity.
const MAX_TITLE: usize = 16;

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

    /// Its title.
    pub fn title(&self) -> &str {
        &self.title
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
    // One is for the echo, and each class may have one for implicit VR, which is proposed of all that is not
    // compressed. Source: DICOM PS3.5, 10.1.
    for (number, part) in contexts.chunks((MAX_CONTEXTS - 1) / 2).enumerate() {
        let echo = (uids::VERIFICATION, uids::IMPLICIT_VR_LITTLE_ENDIAN);
        let explicit = part.iter().filter(|(_, syntax)| *syntax == uids::EXPLICIT_VR_LITTLE_ENDIAN);
        let plain = explicit.map(|(class, _)| (*class, uids::IMPLICIT_VR_LITTLE_ENDIAN));
        let proposed: Vec<(&str, &str)> = std::iter::once(echo).chain(part.iter().copied()).chain(plain).collect();
        let mut messages = Messages::open(&proposed, peer, calling, tls)?;
        if number == 0 {
            messages.echo()?;
        }
        let is_here = |one: &&Instance| part.contains(&(one.class.as_str(), one.syntax.as_str()));
        for instance in instances.iter().filter(is_here) {
            let status = store(&mut messages, instance)?;
            let sent = Sent { instance: instance.uid.clone(), status, words: status_words(status) };
            each(instance, &sent);
        }
        messages.close();
    }
    Ok(())
}

/// Sends an instance; the status of the answer, or that its class or transfer syntax is not taken.
fn store(messages: &mut Messages, instance: &Instance) -> Result<u16, DoseError> {
    let failed = |error: io::Error| DoseError::Io(format!("to: sending failed: {error}"));
    let (context, mut data) = if let Some(context) = messages.context(&instance.class, Some(&instance.syntax)) {
        (context, Box::new(instance.data_set().map_err(failed)?) as Box<dyn Read>)
    } else if let Some((context, bytes)) = plain(messages, instance).map_err(failed)? {
        (context, Box::new(io::Cursor::new(bytes)) as Box<dyn Read>)
    } else {
        return Ok(if messages.takes(&instance.class) { 0xc122 } else { 0x0122 });
    };
    let command = [
        (tags::AFFECTED_SOP_CLASS_UID, VR::UI, PrimitiveValue::from(instance.class.as_str())),
        (tags::PRIORITY, VR::US, PrimitiveValue::from(0u16)),
        (tags::AFFECTED_SOP_INSTANCE_UID, VR::UI, PrimitiveValue::from(instance.uid.as_str())),
    ];
    messages.request(context, C_STORE, command, Some(&mut data))?;
    messages.answer()
}

/// The presentation context of an instance by implicit VR and its data set, where explicit VRs are not taken.
fn plain(messages: &Messages, instance: &Instance) -> io::Result<Option<(u8, Vec<u8>)>> {
    let context = messages.context(&instance.class, Some(uids::IMPLICIT_VR_LITTLE_ENDIAN));
    let Some(context) = context.filter(|_| instance.syntax == uids::EXPLICIT_VR_LITTLE_ENDIAN) else { return Ok(None) };
    let mut bytes = Vec::new();
    instance.data_set()?.read_to_end(&mut bytes)?;
    Ok(implicit(&bytes).map(|bytes| (context, bytes)))
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
