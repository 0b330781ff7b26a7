//! C-STORE: associations that others open.

use std::io;
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Scope};
use std::time::Duration;

use super::MAX_BYTES;
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

impl StoreSource {
    /// Whether an address may call.
    fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if self.addresses.is_empty() {
            return address.is_loopback();
        }
        self.addresses.iter().any(|known| known.to_canonical() == address)
    }
}

impl Gateway {
    /// Listens; what cannot be listened on is known before anything else begins.
    pub(in crate::gateway) fn listen(source: &StoreSource) -> Result<TcpListener, DoseError> {
        let cannot =
            |error: io::Error| DoseError::invalid("config", format!("cannot listen on {}: {error}", source.listen));
        let listener = TcpListener::bind(source.listen).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        Ok(listener)
    }

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
            if !source.admits(peer.ip()) {
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
                    tracing::warn!(source = name, peer = %peer.ip(), %error, "an association failed");
                }
                open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    }

    fn serve_one(&self, stream: TcpStream, name: &str, source: &StoreSource) -> Result<(), DoseError> {
        stream.set_nonblocking(false).map_err(|error| DoseError::Io(error.to_string()))?;
        let callers = Callers { called: &source.called, calling: &source.calling };
        let accepts = Accepts { classes: &CLASSES, syntaxes: &SYNTAXES, most_bytes: MAX_BYTES };
        serve_association(stream, callers, accepts, &self.at("receiving"), |arrival| {
            let origin = Origin { source: name.to_owned(), calling: arrival.calling.to_owned() };
            self.spool(arrival.file, &origin)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_may_call_where_nothing_is_said() {
        let source = |addresses: &[&str]| StoreSource {
            listen: "127.0.0.1:0".parse().expect("an address"),
            called: vec!["A".into()],
            calling: Vec::new(),
            addresses: addresses.iter().map(|text| text.parse().expect("an address")).collect(),
        };
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert!(source(&[]).admits(address("127.0.0.1")) && source(&[]).admits(address("::1")));
        assert!(!source(&[]).admits(address("10.0.0.1")));
        let one = source(&["10.0.0.1"]);
        assert!(one.admits(address("10.0.0.1")) && one.admits(address("::ffff:10.0.0.1")));
        assert!(!one.admits(address("127.0.0.1")));
    }
}
