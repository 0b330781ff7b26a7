//! C-STORE: associations that others open.

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Scope};
use std::time::Duration;

use super::{MAX_BYTES, admits};
use crate::domain::DoseError;
use crate::formats::dicom::{CLASSES, SYNTAXES};
use crate::gateway::Gateway;
use crate::gateway::config::StoreSource;
use crate::gateway::intake::Origin;
use crate::pacs::{Accepts, Callers, serve_association};

/// Associations at one time.
const MAX_ASSOCIATIONS: usize = 16;
/// How often it is looked whether somebody calls.
const LOOK: Duration = Duration::from_millis(50);

impl Gateway {
    /// Serves those who call, until the gateway ends.
    pub(in crate::gateway) fn serve_store<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        name: &'scope str,
        source: &'scope StoreSource,
        listener: &TcpListener,
        open: &'scope AtomicUsize,
    ) {
        while !self.is_stopping() {
            let Ok((stream, peer)) = listener.accept() else {
                thread::sleep(LOOK);
                continue;
            };
            if !admits(&source.addresses, peer.ip()) {
                tracing::warn!(source = name, peer = %peer.ip(), "refused: not one of its addresses");
                continue;
            }
            if open.fetch_add(1, Ordering::SeqCst) >= MAX_ASSOCIATIONS {
                open.fetch_sub(1, Ordering::SeqCst);
                tracing::warn!(source = name, "refused: too many associations");
                continue;
            }
            scope.spawn(move || {
                if let Err(error) = self.serve_one(stream, name, source) {
                    self.metrics.source_failed(name);
                    tracing::warn!(source = name, peer = %peer.ip(), %error, "an association failed");
                }
                open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    }

    fn serve_one(&self, stream: TcpStream, name: &str, source: &StoreSource) -> Result<(), DoseError> {
        stream.set_nonblocking(false).map_err(|error| DoseError::Io(error.to_string()))?;
        let callers = Callers { called: &source.called, calling: &source.calling, tls: source.tls.as_ref() };
        let accepts = Accepts { classes: &CLASSES, syntaxes: &SYNTAXES, most_bytes: MAX_BYTES };
        serve_association(stream, callers, accepts, &self.at("receiving"), |arrival| {
            let origin = Origin { source: name.to_owned(), calling: arrival.calling.to_owned() };
            self.spool(arrival.file, &origin)
        })
    }
}
