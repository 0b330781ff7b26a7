//! C-STORE: associations that others open.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Shutdown, TcpListener, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::Duration;

use super::{MAX_BYTES, admits};
use crate::domain::DoseError;
use crate::formats::dicom::{CLASSES, SYNTAXES};
use crate::gateway::Gateway;
use crate::gateway::config::{DestinationKind, StoreSource};
use crate::gateway::intake::Origin;
use crate::pacs::{Accepts, Arrival, Callers, Report, Takes, serve_association};

/// Associations at one time, and those of one address: whoever opens as many as it can leaves room for others.
const MAX_ASSOCIATIONS: usize = 16;
const MAX_OF_A_PEER: usize = 8;
/// How often it is looked whether somebody calls.
const LOOK: Duration = Duration::from_millis(50);

/// Associations that are open, by the address of the other side.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Places(Mutex<BTreeMap<IpAddr, usize>>);

impl Places {
    /// A place for an association.
    ///
    /// # Errors
    /// Why there is none.
    fn take(&self, peer: IpAddr) -> Result<Place<'_>, &'static str> {
        let peer = peer.to_canonical();
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.values().sum::<usize>() >= MAX_ASSOCIATIONS {
            return Err("refused: too many associations");
        }
        let own = open.entry(peer).or_default();
        if *own >= MAX_OF_A_PEER {
            return Err("refused: too many associations of this address");
        }
        *own += 1;
        Ok(Place { open: self, peer })
    }
}

/// The place of an association, which is free again once this is dropped.
#[derive(Debug)]
struct Place<'a> {
    open: &'a Places,
    peer: IpAddr,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut open = self.open.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.peer) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.peer);
            }
        }
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
        open: &'scope Places,
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
            let place = match open.take(peer.ip()) {
                Ok(place) => place,
                Err(why) => {
                    tracing::warn!(source = name, peer = %peer.ip(), "{why}");
                    continue;
                }
            };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_leaves_room_for_others() {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let (first, second, third) = (address("10.0.0.1"), address("10.0.0.2"), address("10.0.0.3"));
        let open = Places::default();
        let take = |peer| open.take(peer).map_err(|why| why.to_owned());
        let mut places: Vec<_> = (0..MAX_OF_A_PEER).map(|_| take(first).expect("a place")).collect();
        let refused = "refused: too many associations of this address";
        assert_eq!(take(first).expect_err("its last"), refused);
        assert_eq!(take(address("::ffff:10.0.0.1")).expect_err("the same"), refused);
        places.extend((MAX_OF_A_PEER..MAX_ASSOCIATIONS).map(|_| take(second).expect("room for another")));
        assert_eq!(take(third).expect_err("no more"), "refused: too many associations");
        drop(places.remove(0));
        drop(take(third).expect("one has ended"));
        drop(take(first).expect("one of its own has ended"));
        places.clear();
        assert!(open.0.lock().expect("no panic").is_empty());
    }
}
