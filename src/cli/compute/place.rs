//! Flags of where to compute.

use crate::cli::remote::check_url;
use crate::domain::{Checks, DeviceSelector};

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Where to compute")]
pub(super) struct PlaceArgs {
    /// Device of this machine [default: auto]
    #[arg(long, value_name = "auto|cpu|gpu|gpu:N")]
    device: Option<String>,
    /// Compute on this server instead of in this process
    #[arg(long, value_name = "URL")]
    server: Option<String>,
}

/// Where to compute.
pub(super) enum Place {
    /// In this process, on a device of this machine.
    Here(DeviceSelector),
    /// On the server of this URL.
    Server(String),
}

impl PlaceArgs {
    /// Reads the flags and records every fault.
    pub(super) fn check(&self, checks: &mut Checks) -> Place {
        let device = self.device.as_deref().and_then(|name| checks.at("device", name.parse())).unwrap_or_default();
        if self.device.is_some() && self.server.is_some() {
            checks.fail("device", "has no effect with --server: the server has its own device");
        }
        match &self.server {
            None => Place::Here(device),
            Some(url) => {
                check_url(url, checks);
                Place::Server(url.clone())
            }
        }
    }
}
