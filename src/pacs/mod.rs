//! DICOM over the network: instances sent by C-STORE and STOW-RS, studies found and fetched by QIDO-RS and WADO-RS.
//!
//! Files go out byte for byte as they lie on the disk, or by implicit VR where nothing else is taken. What comes in is
//! written into a folder, within bounds, and read as any folder is. Neither errors nor accounts hold anything of a
//! patient but UIDs.

mod arriving;
mod association;
mod commitment;
mod dicom_json;
mod dimse;
mod fetch;
mod implicit;
mod instance;
mod messages;
mod multipart;
mod opening;
mod scp;
mod store;
mod stow;
mod tls;
mod web;
mod worklist;

pub use commitment::{CLASS_CONFLICT, NO_SUCH_INSTANCE, Report, Wanted, ask_commitment, failure_words};
pub use fetch::{Fetched, Limits};
pub use instance::Instance;
pub use scp::{Accepts, Arrival, Callers, Takes, serve_association};
pub use store::{Peer, is_title, send};
pub use stow::{StowError, receive_parts, stow_answer};
pub use tls::{ServeTls, StoreTls};
pub use web::Web;
pub use worklist::{Changed, Output, Step, Workitem, discontinued, progress};

/// What became of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// SOP Instance UID.
    pub instance: String,
    /// What the other side said, as in the standard: 0 is success.
    pub status: u16,
    /// In words.
    pub words: &'static str,
}

impl Sent {
    /// What an instance is answered with.
    ///
    /// * `status` – as in the standard
    pub fn new(instance: String, status: u16) -> Self {
        Self { instance, status, words: status_words(status) }
    }

    /// Whether the other side has it; a warning does not mean otherwise.
    pub fn is_stored(&self) -> bool {
        self.status == 0 || self.status & 0xf000 == 0xb000
    }
}

/// A status of storage in words. Source: DICOM PS3.4, table B.2-1; PS3.7, annex C; PS3.18, table 10.5.1-1.
fn status_words(status: u16) -> &'static str {
    match status {
        0x0000 => "stored",
        0xb000 => "stored, with elements changed",
        0xb006 => "stored, with elements left out",
        0xb007 => "stored, though its data set does not match its class",
        0x0110 => "failure in processing",
        0x0111 => "another instance has this UID",
        0x0117 => "the UID is not one",
        0x0122 => "its class is not supported",
        0x0124 => "not allowed",
        0x0210 => "sent twice",
        0x0211 | 0x0212 => "the request was not understood",
        0xa700..=0xa7ff => "out of resources",
        0xa900..=0xa9ff => "its data set does not match its class",
        0xc122 => "its transfer syntax is not supported",
        0xc000..=0xcfff => "it cannot be understood",
        _ => "refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_stored_and_a_failure_is_not() {
        let sent = |status| Sent { instance: "1.2".into(), status, words: status_words(status) };
        for status in [0x0000, 0xb000, 0xb006, 0xb007] {
            assert!(sent(status).is_stored() && sent(status).words.starts_with("stored"), "{status:x}");
        }
        for status in [0x0110, 0x0122, 0xa700, 0xa9ff, 0xc000, 0xc122, 0xfe00, 0x0001] {
            assert!(!sent(status).is_stored() && !sent(status).words.starts_with("stored"), "{status:x}");
        }
    }
}
