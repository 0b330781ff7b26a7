//! The flags of the way between a gateway and its workers.

use std::path::PathBuf;
use std::time::Duration;

use crate::broker::BrokerOptions;
use crate::domain::DoseError;

/// Where the broker is, who signs in there, and how long a worker may be silent.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct QueueArgs {
    /// NATS with JetStream between gateway and workers: nats://HOST:PORT or tls://HOST:PORT, several with commas
    #[arg(long, value_name = "URL")]
    pub(super) queue: Option<String>,
    /// File with USER:PASSWORD or a token for NATS, in one line
    #[arg(long, value_name = "FILE")]
    queue_secret: Option<PathBuf>,
    /// File of credentials of NATS: a JWT and its seed
    #[arg(long, value_name = "FILE")]
    queue_credentials: Option<PathBuf>,
    /// Authorities of NATS as PEM, beside those of the system
    #[arg(long, value_name = "FILE")]
    queue_ca: Option<PathBuf>,
    /// Copies that NATS keeps of messages and bytes
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=5))]
    queue_replicas: u8,
    /// How long a worker may be silent before its jobs wait again [s]
    #[arg(long, default_value_t = 30, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    lease_s: u64,
}

impl QueueArgs {
    /// The broker, if one is asked for.
    ///
    /// # Errors
    /// Every key that is at fault.
    pub(super) fn options(&self) -> Result<Option<BrokerOptions>, DoseError> {
        let Some(url) = self.queue.clone() else { return Ok(None) };
        let options = BrokerOptions {
            url,
            secret: self.queue_secret.clone(),
            credentials: self.queue_credentials.clone(),
            ca: self.queue_ca.clone(),
            replicas: self.queue_replicas.into(),
        };
        options.check()?;
        Ok(Some(options))
    }

    /// How long a worker may be silent.
    pub(super) fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_s)
    }
}
