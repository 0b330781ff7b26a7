//! The flags of a service. Each is a key of environment and file as well.

use std::path::PathBuf;
use std::time::Duration;

use super::parent::ParentArgs;
use crate::api::{CredentialFiles, ServerConfig};
use crate::cli::queue_flags::QueueArgs;
use crate::cli::settings::Settings;
use crate::cli::store_flags::StoreArgs;
use crate::domain::DeviceSelector;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Address to listen on, such as 127.0.0.1:50051, localhost:50051 or [::1]:50051; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:50051", allow_hyphen_values = true)]
    pub(in crate::cli) listen: String,
    /// Device to compute on: auto, cpu, gpu or gpu:N
    #[arg(long, default_value = "auto")]
    pub(in crate::cli) device: DeviceSelector,
    /// Memory for all requests together, a 32nd of it for what connections have sent [MiB]; by default less where
    /// the machine has less
    #[arg(long, default_value_t = 8192, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1 << 30))]
    pub(in crate::cli) memory_mib: u64,
    /// Workspace for one block of a convolution [MiB]
    #[arg(long, default_value_t = 2048, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1 << 30))]
    workspace_mib: u64,
    /// Largest volume, as sent [MiB]
    #[arg(long, default_value_t = 2048, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1 << 30))]
    max_volume_mib: u64,
    /// Largest message [MiB]
    #[arg(long, default_value_t = 4, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(2..=1024))]
    max_message_mib: u32,
    /// Requests that may wait for the device
    #[arg(long, default_value_t = 64, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    queue_length: u16,
    /// HTTP/2 window of a stream, half that of a connection, while there are few connections [MiB]
    #[arg(long, default_value_t = 16, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=512))]
    window_mib: u32,
    /// Longest pause of a caller while it sends or receives chunks [s]
    #[arg(long, default_value_t = 30, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    idle_timeout_s: u64,
    /// Interval of keep-alive pings on a silent connection [s]
    #[arg(long, default_value_t = 30, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    keepalive_s: u64,
    /// Longest wait for running calls after SIGTERM or SIGINT [s]
    #[arg(long, default_value_t = 60, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=86_400))]
    drain_timeout_s: u64,
    /// Longest computing time of one request or job [s]
    #[arg(long, default_value_t = 3600, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    compute_limit_s: u64,
    /// Time between two checkpoints of a Monte Carlo job [s]
    #[arg(long, default_value_t = 30, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    checkpoint_s: u64,
    #[command(flatten)]
    pub(in crate::cli) store: StoreArgs,
    #[command(flatten)]
    pub(in crate::cli) queue: QueueArgs,
    #[command(flatten)]
    pub(in crate::cli) door: DoorArgs,
    #[command(flatten)]
    pub(super) parent: ParentArgs,
    /// Log as JSON. RUST_LOG sets the level (default: info)
    #[arg(long)]
    pub(super) log_json: bool,
    /// File with these keys as TOML, such as `drain_timeout_s = 60`. A flag comes first, then a variable such as
    /// DOSEGRID_DRAIN_TIMEOUT_S, then this file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print all keys as TOML, each with where it comes from, and end
    #[arg(long)]
    pub(super) print_config: bool,
    #[arg(skip)]
    pub(in crate::cli) settings: Settings,
}

/// The flags of connections and callers.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DoorArgs {
    /// Connections at a time
    #[arg(long, default_value_t = 1024, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_connections: u32,
    /// Connections at a time from one address; those of this machine itself are not counted
    #[arg(long, default_value_t = 256, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_peer_connections: u32,
    /// Calls at a time on one connection
    #[arg(long, default_value_t = 100, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max_streams: u32,
    /// Longest time for TLS and HTTP/2 to begin [s]
    #[arg(long, default_value_t = 10, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    handshake_timeout_s: u64,
    /// Longest time of a connection without a call [s]
    #[arg(long, default_value_t = 300, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    connection_idle_s: u64,
    /// Certificates of this server as PEM, its own first
    #[arg(long, value_name = "FILE")]
    tls_certificate: Option<PathBuf>,
    /// Key of the first certificate as PEM
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Authorities as PEM; every client then needs a certificate of one
    #[arg(long, value_name = "FILE")]
    tls_client_ca: Option<PathBuf>,
    /// Who has which token or certificate, as TOML
    #[arg(long, value_name = "FILE")]
    identities: Option<PathBuf>,
    /// Keys of issuers of tokens, as JWKS
    #[arg(long, value_name = "FILE")]
    jwt_keys: Option<PathBuf>,
    /// Whom tokens must be for
    #[arg(long, value_name = "TEXT")]
    jwt_audience: Option<String>,
    /// Whom tokens must be from
    #[arg(long, value_name = "TEXT")]
    jwt_issuer: Option<String>,
    /// Listen beyond this machine without TLS
    #[arg(long)]
    pub(super) allow_plaintext: bool,
    /// Serve reflection also where callers need an identity
    #[arg(long)]
    reflection: bool,
    /// Collector of OpenTelemetry that spans of calls and jobs are sent to by OTLP over gRPC, such as
    /// http://127.0.0.1:4317
    #[arg(long, value_name = "URL")]
    pub(super) otlp_endpoint: Option<String>,
    /// Address for metrics over HTTP, such as 127.0.0.1:9464
    #[arg(long, value_name = "HOST:PORT", allow_hyphen_values = true)]
    pub(super) metrics_listen: Option<String>,
    /// Address for the status page over HTTP, such as 127.0.0.1:8050
    #[arg(long, value_name = "HOST:PORT", allow_hyphen_values = true)]
    pub(in crate::cli) page_listen: Option<String>,
    /// Folder of a gateway that the status page shows, for administrators
    #[arg(long, value_name = "FOLDER")]
    pub(super) page_gateway: Option<PathBuf>,
}

impl DoorArgs {
    pub(in crate::cli) fn credentials(&self) -> CredentialFiles {
        CredentialFiles {
            tls_certificate: self.tls_certificate.clone(),
            tls_key: self.tls_key.clone(),
            tls_client_ca: self.tls_client_ca.clone(),
            identities: self.identities.clone(),
            jwt_keys: self.jwt_keys.clone(),
            jwt_audience: self.jwt_audience.clone(),
            jwt_issuer: self.jwt_issuer.clone(),
        }
    }
}

impl Args {
    /// Limits and timeouts.
    pub(in crate::cli) fn limits(&self) -> ServerConfig {
        let mib = |n: u64| n << 20;
        let door = &self.door;
        ServerConfig {
            max_message_bytes: usize::try_from(self.max_message_mib).expect("at most 1024") << 20,
            max_volume_bytes: mib(self.max_volume_mib),
            workspace_bytes: mib(self.workspace_mib),
            queue_length: self.queue_length.into(),
            idle_timeout: Duration::from_secs(self.idle_timeout_s),
            compute_limit: Duration::from_secs(self.compute_limit_s),
            checkpoint: Duration::from_secs(self.checkpoint_s),
            drain_timeout: Duration::from_secs(self.drain_timeout_s),
            window_bytes: self.window_mib << 20,
            keepalive: Duration::from_secs(self.keepalive_s),
            max_connections: usize::try_from(door.max_connections).expect("at most a million"),
            max_peer_connections: usize::try_from(door.max_peer_connections).expect("at most a million"),
            max_streams: door.max_streams,
            handshake_timeout: Duration::from_secs(door.handshake_timeout_s),
            connection_idle: Duration::from_secs(door.connection_idle_s),
            credentials: door.credentials(),
            reflection: door.reflection.then_some(true),
            ..ServerConfig::default()
        }
        .with_memory(mib(self.memory_mib))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::store::StoreOptions;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn defaults_of_the_flags_are_those_of_the_configuration() {
        let args = Alone::parse_from(["serve"]).args;
        assert_eq!(args.limits(), ServerConfig::default());
        assert_eq!(args.store.options(), Ok(StoreOptions::default()));
    }
}
