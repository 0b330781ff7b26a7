//! C-STORE: associations that others open.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
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

/// An association that is open.
#[derive(Debug)]
pub(in crate::gateway) struct Caller {
    stream: TcpStream,
    /// Whether it is in the middle of an object.
    is_busy: AtomicBool,
}

/// A source, to which instances and reports come.
struct Door<'a> {
    gateway: &'a Gateway,
    name: &'a str,
    caller: &'a Caller,
}

/// Takes an association off the list of those that are open, once this is dropped.
struct Open<'a> {
    gateway: &'a Gateway,
    caller: &'a Arc<Caller>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.gateway.callers().retain(|open| !Arc::ptr_eq(open, self.caller));
    }
}

impl Takes for Door<'_> {
    fn keep(&mut self, arrival: Arrival<'_>) -> io::Result<()> {
        let origin = Origin { source: self.name.to_owned(), calling: arrival.calling.to_owned() };
        self.gateway.spool(arrival.file, &origin)
    }

    fn report(&mut self, report: &Report) -> io::Result<bool> {
        self.gateway.take_report(report).map_err(io::Error::other)
    }

    fn goes_on(&mut self, in_the_middle: bool) -> bool {
        // In this order: whoever ends the gateway looks at the first after it has set the second.
        self.caller.is_busy.store(in_the_middle, Ordering::SeqCst);
        in_the_middle || !self.gateway.is_stopping()
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
        let caller = stream.try_clone().map_err(|error| DoseError::Io(error.to_string()))?;
        let caller = Arc::new(Caller { stream: caller, is_busy: AtomicBool::new(false) });
        let _open = Open { gateway: self, caller: &caller };
        self.callers().push(caller.clone());
        let mut door = Door { gateway: self, name, caller: &caller };
        let served = serve_association(stream, callers, accepts, &self.at("receiving"), &mut door);
        // Its end was asked for while nothing came.
        if self.is_stopping() && !caller.is_busy.load(Ordering::SeqCst) { Ok(()) } else { served }
    }

    fn callers(&self) -> MutexGuard<'_, Vec<Arc<Caller>>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the associations end that are not in the middle of an object, once the gateway is to end. How many are open.
    pub(in crate::gateway) fn end_idle_callers(&self) -> usize {
        let callers = self.callers();
        for caller in callers.iter().filter(|caller| !caller.is_busy.load(Ordering::SeqCst)) {
            // Its wait ends as if the other side had closed; what is sent still goes out. One that is gone needs none.
            let _ = caller.stream.shutdown(Shutdown::Read);
        }
        callers.len()
    }
}
