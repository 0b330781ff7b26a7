//! `dosegrid worker`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::queue_flags::QueueArgs;
use super::serve::{Signals, log, memory};
use super::settings::Settings;
use super::{device, stdout, store_flags};
use crate::api::ServerConfig;
use crate::api::remote::{CacheOptions, WorkerParts, work};
use crate::broker::{Broker, BrokerOptions};
use crate::domain::{DeviceInfo, DeviceSelector, DoseError};
use crate::jobs::LocalJobs;

/// Volumes that are kept in a folder that stays [MiB].
const MIB_IN_FOLDER: u64 = 16_384;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    queue: QueueArgs,
    /// Device to compute on: auto, cpu, gpu or gpu:N. Several GPUs are several workers
    #[arg(long, default_value = "auto")]
    device: DeviceSelector,
    /// Memory for all jobs together [MiB]; by default less where the machine has less
    #[arg(long, default_value_t = 8192, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1 << 30))]
    memory_mib: u64,
    /// Volumes that are kept between jobs: a folder that stays, for this worker alone, or MiB in one that does not
    #[arg(long, value_name = "DIR|MIB", default_value = "4096", allow_negative_numbers = true)]
    cache: String,
    /// File with the keys that a folder of --cache is encrypted with, as `serve` has them for its store. One that does
    /// not stay is always encrypted
    #[arg(long, value_name = "FILE")]
    cache_key_file: Option<PathBuf>,
    /// Log as JSON. RUST_LOG sets the level (default: info)
    #[arg(long)]
    log_json: bool,
    /// File with these keys as TOML, such as `lease_s = 30`. A flag comes first, then a variable such as
    /// DOSEGRID_LEASE_S, then this file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print all keys as TOML, each with where it comes from, and end
    #[arg(long)]
    print_config: bool,
    #[arg(skip)]
    pub(super) settings: Settings,
}

/// Where volumes are kept, from what the flags say.
fn cache(text: &str, key_file: Option<&Path>) -> Result<CacheOptions, DoseError> {
    const MIB: u64 = 1 << 20;
    let keys = store_flags::keys("cache-key-file", key_file)?;
    match text.parse::<i64>().map(u64::try_from) {
        Ok(Ok(mib @ 1..=0x4000_0000)) => {
            if key_file.is_some() {
                let reason = "needs a folder as --cache: what does not stay has a key that does not stay";
                return Err(DoseError::invalid("cache-key-file", reason));
            }
            Ok(CacheOptions { folder: None, most_bytes: mib * MIB, keys })
        }
        Ok(_) => Err(DoseError::invalid("cache", "is a folder, or a number of MiB from 1 to 1073741824")),
        Err(_) if text.is_empty() => Err(DoseError::invalid("cache", "is empty: a folder, or a number of MiB")),
        Err(_) => Ok(CacheOptions { folder: Some(PathBuf::from(text)), most_bytes: MIB_IN_FOLDER * MIB, keys }),
    }
}

/// All that is known before anything begins.
#[derive(Debug)]
pub(super) struct Checked {
    config: ServerConfig,
    broker: BrokerOptions,
    cache: CacheOptions,
}

impl Args {
    /// Checks all keys.
    ///
    /// # Errors
    /// Every key that is at fault.
    pub(super) fn check(&self) -> Result<Checked, DoseError> {
        let mut faults = Vec::new();
        let mut note = |error: DoseError| faults.extend(error.violations());
        let given = self.settings.is_given("memory_mib");
        let memory_bytes = memory::limit_bytes(self.memory_mib, given).map_err(&mut note).unwrap_or_default();
        let missing = || DoseError::invalid("queue", "is missing: the NATS that the gateway uses, nats://HOST:PORT");
        let broker = self.queue.options().and_then(|broker| broker.ok_or_else(missing)).map_err(&mut note).ok();
        let cache = cache(&self.cache, self.cache_key_file.as_deref()).map_err(&mut note).ok();
        match (broker, cache) {
            (Some(broker), Some(cache)) if faults.is_empty() => {
                Ok(Checked { config: ServerConfig { memory_bytes, ..ServerConfig::default() }, broker, cache })
            }
            _ => Err(DoseError::Invalid(faults)),
        }
    }
}

pub(super) fn run(args: Args) -> Result<(), DoseError> {
    let Checked { config, broker: options, cache } = args.check()?;
    if args.print_config {
        return stdout::print(&args.settings.toml());
    }
    log::start(args.log_json);
    let device = device::open(args.device)?;
    let DeviceInfo { id, name, backend, driver, kind } = device.info();
    tracing::info!(device = id, name, backend, driver, why = device::why(args.device, kind), "computes on this device");
    let io = |error: std::io::Error| DoseError::Io(format!("cannot work: {error}"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(io)?;
    let done = runtime.block_on(async {
        let mut shutdown = Box::pin(Signals::new().map_err(io)?.first(false));
        let broker = Broker::connect(&options).await?;
        let jobs = Arc::new(LocalJobs::start_lanes(device, config.plan_limits(), config.queue_length)?);
        tokio::select! {
            () = &mut shutdown => return Ok(()),
            () = broker.wait_up() => {}
        }
        if let Err(error) = stdout::print(&format!("working for {} with {name}\n", options.place())) {
            tracing::warn!(%error, "nobody hears for whom this works");
        }
        work(config, WorkerParts { broker, jobs, cache, lease: args.queue.lease() }, shutdown).await
    });
    // What still runs on other threads was cut.
    runtime.shutdown_background();
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_is_a_folder_or_a_size() {
        let size = cache("64", None).expect("a size");
        assert_eq!((size.folder, size.most_bytes), (None, 64 << 20));
        assert_eq!(cache("/var/cache", None).expect("a folder").folder, Some(PathBuf::from("/var/cache")));
        for bad in ["", "0", "-1", "9999999999"] {
            assert!(cache(bad, None).is_err(), "{bad}");
        }
        let error = cache("/var/cache", Some(Path::new("/no/such/file"))).expect_err("no file of keys");
        assert_eq!(error.violations()[0].field, "cache-key-file");
    }
}
