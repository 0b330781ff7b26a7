//! Flags of where to compute.

use crate::cli::remote::{Remote, RemoteArgs};
use crate::domain::{Checks, DeviceSelector};

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Where to compute")]
pub(super) struct PlaceArgs {
    /// Device of this machine [default: auto]
    #[arg(long, value_name = "auto|cpu|gpu|gpu:N")]
    device: Option<String>,
    #[command(flatten)]
    remote: RemoteArgs,
    /// Leave the work to the server as a job that lasts, and print its name: `dosegrid jobs` follows it
    #[arg(long)]
    pub(super) detach: bool,
}

/// Where to compute.
pub(super) enum Place {
    /// In this process, on a device of this machine.
    Here(DeviceSelector),
    /// On a server.
    Server(Remote),
}

impl PlaceArgs {
    /// Leaves the work to a server, if one is named.
    pub(super) fn leave_to(&mut self, remote: RemoteArgs) {
        self.remote = remote;
    }

    /// Reads the flags and records every fault.
    pub(super) fn check(&self, checks: &mut Checks) -> Place {
        let device = self.device.as_deref().and_then(|name| checks.at("device", name.parse())).unwrap_or_default();
        if self.device.is_some() && self.remote.server.is_some() {
            checks.fail("device", "has no effect with --server: the server has its own device");
        }
        if self.detach && self.remote.server.is_none() {
            checks.fail("detach", "has no effect without --server");
        }
        self.remote.check(checks).map_or(Place::Here(device), Place::Server)
    }
}
