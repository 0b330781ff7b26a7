//! `dosegrid serve`.

use std::{io::IsTerminal, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, lookup_host},
    signal::unix::{SignalKind, signal},
};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::device;
use super::store_flags::StoreArgs;
use crate::api::{ServerConfig, server::serve_store};
use crate::domain::{DeviceInfo, DeviceSelector, DoseError};
use crate::jobs::LocalJobs;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Address to listen on, such as 127.0.0.1:50051, localhost:50051 or [::1]:50051; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:50051", allow_hyphen_values = true)]
    listen: String,
    /// Device to compute on: auto, cpu, gpu or gpu:N
    #[arg(long, default_value = "auto")]
    device: DeviceSelector,
    /// Memory for all requests together [MiB]
    #[arg(long, default_value_t = 8192, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1 << 30))]
    memory_mib: u64,
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
    /// HTTP/2 window of a stream, half that of a connection [MiB]
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
    /// Longest computing time of one request or job [s]
    #[arg(long, default_value_t = 3600, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    compute_limit_s: u64,
    /// Longest wait for running calls after SIGTERM or SIGINT [s]
    #[arg(long, default_value_t = 60, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=86_400))]
    drain_timeout_s: u64,
    #[command(flatten)]
    store: StoreArgs,
    /// Time between two checkpoints of a Monte Carlo job [s]
    #[arg(long, default_value_t = 30, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    checkpoint_s: u64,
    /// Log as JSON. RUST_LOG sets the level (default: info)
    #[arg(long)]
    log_json: bool,
}

impl Args {
    fn config(&self) -> ServerConfig {
        let mib = |n: u64| n << 20;
        ServerConfig {
            max_message_bytes: usize::try_from(self.max_message_mib).expect("at most 1024") << 20,
            max_volume_bytes: mib(self.max_volume_mib),
            memory_bytes: mib(self.memory_mib),
            workspace_bytes: mib(self.workspace_mib),
            queue_length: self.queue_length.into(),
            idle_timeout: Duration::from_secs(self.idle_timeout_s),
            compute_limit: Duration::from_secs(self.compute_limit_s),
            checkpoint: Duration::from_secs(self.checkpoint_s),
            drain_timeout: Duration::from_secs(self.drain_timeout_s),
            window_bytes: self.window_mib << 20,
            keepalive: Duration::from_secs(self.keepalive_s),
        }
    }
}

/// The addresses of a host and a port.
async fn addresses(listen: &str) -> Result<Vec<SocketAddr>, DoseError> {
    let port =
        listen.rsplit_once(':').filter(|(host, _)| !host.is_empty()).and_then(|(_, port)| port.parse::<u16>().ok());
    if port.is_none() {
        let reason = format!("is an address and a port from 0 to 65535, such as localhost:50051; got `{listen}`");
        return Err(DoseError::invalid("listen", reason));
    }
    let unknown = |error: std::io::Error| {
        DoseError::invalid("listen", format!("`{listen}` is not an address of this machine: {error}"))
    };
    Ok(lookup_host(listen).await.map_err(unknown)?.collect())
}

pub(super) fn run(args: Args) -> Result<(), DoseError> {
    start_log(args.log_json);
    let store = args.store.open()?;
    let device = device::open(args.device)?;
    let DeviceInfo { id, name, backend, driver, kind } = device.info();
    tracing::info!(device = id, name, backend, driver, why = device::why(args.device, kind), "computes on this device");
    let io = |error: std::io::Error| DoseError::Io(format!("cannot serve on {}: {error}", args.listen));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(io)?;
    runtime.block_on(async {
        let listener = TcpListener::bind(&*addresses(&args.listen).await?).await.map_err(io)?;
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate()).map_err(io)?, signal(SignalKind::interrupt()).map_err(io)?);
        println!("listening on {} with {}", listener.local_addr().map_err(io)?, device.info().name);
        let shutdown = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let config = args.config();
        let jobs = Arc::new(LocalJobs::start(device, config.plan_limits(), config.queue_length)?);
        serve_store(config, listener, jobs, store, shutdown).await
    })
}

/// Logs to stderr what `RUST_LOG` asks for, such as `debug` or `info,h2=off`.
fn start_log(as_json: bool) {
    let asked = std::env::var("RUST_LOG").ok().filter(|levels| !levels.trim().is_empty());
    let targets = asked.as_deref().map(str::parse::<Targets>).transpose();
    let log = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let usual = || Targets::new().with_default(LevelFilter::INFO);
    let filter = targets.as_ref().ok().cloned().flatten().unwrap_or_else(usual);
    if as_json {
        log.json().finish().with(filter).init();
    } else {
        log.finish().with(filter).init();
    }
    if let Err(error) = targets {
        tracing::warn!(%error, "RUST_LOG is not understood: info is logged");
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
        assert_eq!(args.config(), ServerConfig::default());
        assert_eq!(args.store.options(), StoreOptions::default());
    }
}
