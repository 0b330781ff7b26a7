//! Limits and timeouts of a server.

use std::net::SocketAddr;
use std::time::Duration;

use super::door::CredentialFiles;
use crate::plan::Limits;

const MIB: u64 = 1 << 20;
/// Memory for requests and windows, if nothing is said [bytes].
const MEMORY: u64 = 8192 * MIB;
/// The part of it that windows have.
const WINDOWS_PART: u64 = 32;

/// What stands around the data of a chunk in its message, at most [bytes]: tags, lengths, offset, and the name of a
/// volume.
const AROUND_CHUNK: usize = 256;

/// Limits and timeouts of a server.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerConfig {
    /// Largest message [bytes].
    pub max_message_bytes: usize,
    /// Largest volume, as sent [bytes].
    pub max_volume_bytes: u64,
    /// Host memory for all requests together [bytes].
    pub memory_bytes: u64,
    /// Host memory for the windows of all connections together, beside that of requests [bytes].
    pub windows_bytes: u64,
    /// Workspace for one block of a convolution [bytes].
    pub workspace_bytes: u64,
    /// Requests that may wait for the device, besides the one that is running.
    pub queue_length: usize,
    /// Longest pause while a caller sends or reads chunks.
    pub idle_timeout: Duration,
    /// Longest computing time of one request or job.
    pub compute_limit: Duration,
    /// Time between two checkpoints of a job.
    pub checkpoint: Duration,
    /// Longest wait for running work when the server shuts down.
    pub drain_timeout: Duration,
    /// HTTP/2 window of a stream, half that of a connection, as long as there are few connections [bytes]. Over a
    /// network, the throughput is at most one window per round trip.
    pub window_bytes: u32,
    /// Interval between pings on an idle connection.
    pub keepalive: Duration,
    /// Connections at a time.
    pub max_connections: usize,
    /// Connections at a time from one address; this machine's own are not counted.
    pub max_peer_connections: usize,
    /// Calls at a time on one connection.
    pub max_streams: u32,
    /// Longest time from a connection to the end of its handshake, TLS and HTTP/2.
    pub handshake_timeout: Duration,
    /// Longest time of a connection without a call.
    pub connection_idle: Duration,
    /// Longest time of a call with one message each way.
    pub call_timeout: Duration,
    /// Files that say who the server is and who may call.
    pub credentials: CredentialFiles,
    /// Whether reflection is served; if it is not said, where callers need no identity.
    pub reflection: Option<bool>,
    /// Where metrics are served over HTTP.
    pub metrics_listen: Option<SocketAddr>,
}

impl ServerConfig {
    /// Whether reflection is served.
    pub fn has_reflection(&self) -> bool {
        self.reflection.unwrap_or(!self.credentials.has_identities())
    }

    /// The same with so much memory for requests and windows together [bytes].
    #[must_use]
    pub fn with_memory(self, bytes: u64) -> Self {
        let windows_bytes = bytes / WINDOWS_PART;
        Self { memory_bytes: bytes - windows_bytes, windows_bytes, ..self }
    }

    /// Largest data of a chunk [bytes].
    pub fn max_chunk_bytes(&self) -> usize {
        self.max_message_bytes.saturating_sub(AROUND_CHUNK)
    }

    /// What one request may use.
    pub fn plan_limits(&self) -> Limits {
        Limits { host_bytes: self.memory_bytes, workspace_bytes: self.workspace_bytes.min(self.memory_bytes) }
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            max_message_bytes: 4 << 20,
            max_volume_bytes: 2048 * MIB,
            memory_bytes: MEMORY - MEMORY / WINDOWS_PART,
            windows_bytes: MEMORY / WINDOWS_PART,
            workspace_bytes: 2048 * MIB,
            queue_length: 64,
            idle_timeout: Duration::from_secs(30),
            compute_limit: Duration::from_secs(3600),
            checkpoint: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(60),
            window_bytes: 16 << 20,
            keepalive: Duration::from_secs(30),
            max_connections: 1024,
            max_peer_connections: 256,
            max_streams: 100,
            handshake_timeout: Duration::from_secs(10),
            connection_idle: Duration::from_secs(300),
            call_timeout: Duration::from_secs(30),
            credentials: CredentialFiles::default(),
            reflection: None,
            metrics_listen: None,
        }
    }
}
