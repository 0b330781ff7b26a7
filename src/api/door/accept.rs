//! Accepts connections: within limits, and without spinning where the system has no more of them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tower::Service;

use super::connection::{self, Refused};
use super::credentials::Credentials;
use super::io::{Passed, Peer};
use super::refusals::{Note, Refusals};
use super::windows::Windows;
use crate::api::ServerConfig;
use crate::metrics::Metrics;

/// How long to wait where no connection can be accepted.
const REST: Duration = Duration::from_millis(100);
/// Errors of Linux and others that stand for the connection alone, not for the socket that listens.
const OF_THE_CONNECTION: [io::ErrorKind; 3] =
    [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset, io::ErrorKind::Interrupted];

/// Why connections are not accepted: too many in all, no open file left, too many of one address.
const NOT_ACCEPTED: [&str; 3] = ["connections", "descriptors", "peer"];
/// Every reason for which connections are refused.
pub(in crate::api) const REFUSALS: [&str; 6] = {
    let ([all, files, peer], [slow, tls, protocol]) = (NOT_ACCEPTED, Refused::ALL);
    [all, files, peer, slow.name(), tls.name(), protocol.name()]
};

pub(in crate::api) type Hears =
    Box<dyn Fn(&'static str, SocketAddr, Option<u64>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Hears why callers have no identity, from where they call, and how many more did so in a minute that is over. A
/// caller is answered when that is written.
pub(super) struct OnRefused(pub(super) Hears);

impl std::fmt::Debug for OnRefused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnRefused").finish_non_exhaustive()
    }
}

/// What all connections share.
#[derive(Debug)]
pub(in crate::api) struct Gate {
    pub(in crate::api) config: ServerConfig,
    pub(in crate::api) credentials: Arc<Credentials>,
    pub(in crate::api) metrics: Arc<Metrics>,
    pub(super) passed: Arc<Passed>,
    pub(super) windows: Arc<Windows>,
    pub(super) refusals: Refusals,
    /// Refusals for the audit log.
    pub(super) refused_identities: Refusals,
    pub(super) on_refused: OnRefused,
    open: AtomicUsize,
    /// How many are open from each address.
    peers: Mutex<HashMap<IpAddr, usize>>,
    /// Cancelled when the server drains: nothing is accepted any more, and connections without calls end.
    pub(in crate::api) draining: CancellationToken,
    /// Cancelled when all calls are done: all connections end.
    pub(in crate::api) ended: CancellationToken,
    /// Cancelled when nothing is waited for any more: all connections are closed.
    pub(in crate::api) cut: CancellationToken,
    pub(in crate::api) connections: TaskTracker,
}

impl Gate {
    /// * `on_refused` – hears of callers without an identity
    pub(in crate::api) fn new(
        config: ServerConfig,
        credentials: Arc<Credentials>,
        metrics: Arc<Metrics>,
        on_refused: Hears,
    ) -> Arc<Self> {
        let windows = Windows::new(config.windows_bytes, config.window_bytes, config.max_connections);
        Arc::new(Self {
            config,
            credentials,
            metrics,
            passed: Arc::default(),
            windows,
            refusals: Refusals::default(),
            refused_identities: Refusals::default(),
            on_refused: OnRefused(on_refused),
            open: AtomicUsize::new(0),
            peers: Mutex::default(),
            draining: CancellationToken::new(),
            ended: CancellationToken::new(),
            cut: CancellationToken::new(),
            connections: TaskTracker::new(),
        })
    }

    /// Bytes received and sent by all connections since this was asked before.
    pub(in crate::api) fn take_passed(&self) -> (u64, u64) {
        (self.passed.received.swap(0, Ordering::Relaxed), self.passed.sent.swap(0, Ordering::Relaxed))
    }

    /// Accepts connections until the server drains. Then the port is free, and open connections stay.
    ///
    /// * `max_connections` – how many there may be, with descriptors left for everything else
    pub(in crate::api) async fn accept<S>(self: Arc<Self>, listener: TcpListener, max_connections: usize, service: S)
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send,
    {
        let draining = self.draining.clone();
        let mut told: Option<Instant> = None;
        loop {
            let next = async {
                if self.open.load(Ordering::Acquire) >= max_connections {
                    return Err(NOT_ACCEPTED[0]);
                }
                match listener.accept().await {
                    Ok(accepted) => Ok(Some(accepted)),
                    Err(error) if OF_THE_CONNECTION.contains(&error.kind()) => Ok(None),
                    Err(_) => Err(NOT_ACCEPTED[1]),
                }
            };
            let next = tokio::select! {
                biased;
                () = draining.cancelled() => return,
                next = next => next,
            };
            match next {
                Ok(None) => {}
                Ok(Some((socket, address))) => self.clone().begin(socket, address, service.clone()),
                Err(reason) => {
                    self.metrics.connection_refused(reason);
                    if told.is_none_or(|told| told.elapsed() >= Duration::from_secs(60)) {
                        tracing::warn!(reason, "no connection can be accepted now; trying again every 100 ms");
                        told = Some(Instant::now());
                    }
                    sleep(REST).await;
                }
            }
        }
    }

    fn begin<S>(self: Arc<Self>, socket: TcpStream, address: SocketAddr, service: S)
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send,
    {
        let Some(open) = Open::new(self.clone(), address.ip()) else {
            self.metrics.connection_refused(NOT_ACCEPTED[2]);
            if self.refusals.count(address, NOT_ACCEPTED[2], Instant::now()) == Note::One {
                tracing::warn!(peer = %address, reason = NOT_ACCEPTED[2], "connection refused: too many from its address");
            }
            return;
        };
        self.connections.spawn(async move {
            let gate = &open.gate;
            let peer = Peer { address, certificate_sha256: None };
            if let Err(refused) = connection::serve(gate, socket, peer, service).await {
                gate.note(refused, address);
            }
        });
    }

    /// Tells the log of a connection that was refused: of each peer ten a minute one by one, then how many there were.
    fn note(&self, refused: Refused, peer: SocketAddr) {
        let reason = refused.name();
        self.metrics.connection_refused(reason);
        match self.refusals.count(peer, reason, Instant::now()) {
            Note::One => tracing::warn!(%peer, reason, "connection refused"),
            Note::After(before) => tracing::warn!(%peer, reason, before, "connection refused"),
            Note::Counted => {}
        }
    }
}

/// An open connection, until it is dropped.
struct Open {
    gate: Arc<Gate>,
    peer: IpAddr,
}

impl Open {
    /// None if there are too many from this address.
    fn new(gate: Arc<Gate>, peer: IpAddr) -> Option<Self> {
        let peer = peer.to_canonical();
        if !peer.is_loopback() {
            let mut peers = gate.peers.lock().unwrap_or_else(PoisonError::into_inner);
            let open = peers.entry(peer).or_insert(0);
            if *open >= gate.config.max_peer_connections {
                return None;
            }
            *open += 1;
        }
        gate.open.fetch_add(1, Ordering::AcqRel);
        gate.metrics.connections.inc();
        Some(Self { gate, peer })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut peers = self.gate.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = peers.get_mut(&self.peer) {
            *open -= 1;
            if *open == 0 {
                peers.remove(&self.peer);
            }
        }
        self.gate.open.fetch_sub(1, Ordering::AcqRel);
        self.gate.metrics.connections.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_part_of_the_connections() {
        let config = ServerConfig { max_peer_connections: 2, ..ServerConfig::default() };
        let credentials = Credentials::load(&config.credentials).expect("there are none");
        let gate = Gate::new(config, credentials, Arc::default(), Box::new(|_, _, _| Box::pin(async {})));
        let open = |last| Open::new(gate.clone(), IpAddr::from([10, 0, 0, last]));
        let held = [open(1), open(1), open(2)].map(|open| open.expect("room"));
        assert!(open(1).is_none());
        assert!(Open::new(gate.clone(), "::ffff:10.0.0.1".parse().expect("an address")).is_none(), "the same");
        let own: Vec<_> = (0..5).map(|_| Open::new(gate.clone(), IpAddr::from([127, 0, 0, 1]))).collect();
        assert!(own.iter().all(Option::is_some));
        drop((held, own));
        assert!(open(1).is_some() && gate.peers.lock().expect("no panic").is_empty());
    }
}
