//! The log of a service.

use std::io::IsTerminal;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Logs to stderr what `RUST_LOG` asks for, such as `debug` or `info,h2=off`.
pub(in crate::cli) fn start(as_json: bool) {
    let asked = std::env::var("RUST_LOG").ok().filter(|levels| !levels.trim().is_empty());
    let targets = asked.as_deref().map(str::parse::<Targets>).transpose();
    let log = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(std::io::stderr)
        // It would say on stderr that stderr is closed, and panic.
        .log_internal_errors(false)
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
