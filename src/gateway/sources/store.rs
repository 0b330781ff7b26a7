//! C-STORE: associations that others open.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Scope};
use std::time::Duration;

use super::{MAX_BYTES, admits};
use crate::domain::DoseError;
use crate::formats::dicom::{CLASSES, SYNTAXES};
use crate::gateway::Gateway;
use crate::gateway::config::{DestinationKind, StoreSource};
use crate::gateway::intake::Origin;
use crate::pacs::{Accepts, Arrival, Callers, Report, Takes, serve_association};

/// Associations at one time.
const MAX_ASSOCIATIONS: usize = 16;
/// How often it is looked whether somebody calls.
const LOOK: Duration = Duration::from_millis(50);

/// The place of an association, which is free again once this is dropped.
struct Place<'a> {
    open: &'a AtomicUsize,
    /// How many were taken before.
    number: usize,
}

impl<'a> Place<'a> {
    fn take(open: &'a AtomicUsize) -> Self {
        Self { open, number: open.fetch_add(1, Ordering::SeqCst) }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A source, to which instances and reports come.
struct Door<'a> {
    gateway: &'a Gateway,
    name: &'a str,
}

impl Takes for Door<'_> {
    fn keep(&mut self, arrival: Arrival<'_>) -> io::Result<()> {
        let origin = Origin { source: self.name.to_owned(), calling: arrival.calling.to_owned() };
        self.gateway.spool(arrival.file, &origin)
    }

    fn report(&mut self, report: &Report) -> io::Result<bool> {
        self.gateway.take_report(report).map_err(io::Error::other)
    }
}

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
            let place = Place::take(open);
            if place.number >= MAX_ASSOCIATIONS {
                tracing::warn!(source = name, "refused: too many associations");
                continue;
            }
            scope.spawn(move || {
                let _place = place;
                // What makes a parser fail ends its own association alone.
                let served = panic::catch_unwind(AssertUnwindSafe(|| self.serve_one(stream, name, source)));
                let served = served.unwrap_or_else(|_| Err(DoseError::Internal("it made this program fail".into())));
                if let Err(error) = served {
                    self.metrics.source_failed(name);
                    tracing::warn!(source = name, peer = %peer.ip(), %error, "an association failed");
                }
            });
        }
    }

    fn serve_one(&self, stream: TcpStream, name: &str, source: &StoreSource) -> Result<(), DoseError> {
        stream.set_nonblocking(false).map_err(|error| DoseError::Io(error.to_string()))?;
        let callers = Callers { called: &source.called, calling: &source.calling, tls: source.tls.as_ref() };
        let is_asked = |kind: &DestinationKind| matches!(kind, DestinationKind::Store { commitment: Some(_), .. });
        let reports = self.config.destinations.iter().any(|destination| is_asked(&destination.kind));
        let accepts = Accepts { classes: &CLASSES, syntaxes: &SYNTAXES, most_bytes: MAX_BYTES, reports };
        serve_association(stream, callers, accepts, &self.at("receiving"), &mut Door { gateway: self, name })
    }
}
