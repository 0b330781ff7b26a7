//! The flags of a store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{DoseError, Invalid};
use crate::faults::Faults;
use crate::store::{OpenError, Store, StoreKeys, StoreOptions};

/// Where a store is, what it may use, and how long it keeps what.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct StoreArgs {
    /// Folder for volumes and jobs that last. Without it, the server keeps nothing
    #[arg(long, value_name = "DIR")]
    pub(super) store: Option<PathBuf>,
    /// How long a volume is kept that no job refers to [s]
    #[arg(long, default_value_t = 604_800, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3_153_600_000))]
    volume_ttl_s: u64,
    /// How long an unfinished upload is kept after its last byte [s]
    #[arg(long, default_value_t = 86_400, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3_153_600_000))]
    upload_ttl_s: u64,
    /// How long a finished job is kept, with its results [s]
    #[arg(long, default_value_t = 2_592_000, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3_153_600_000))]
    job_ttl_s: u64,
    /// What one tenant may store, reservations included [MiB]
    #[arg(long, default_value_t = 65_536, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1 << 40))]
    tenant_store_mib: u64,
    /// Unfinished jobs that one tenant may have
    #[arg(long, default_value_t = 1000, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    tenant_jobs: u32,
    /// Jobs that may wait, of all tenants
    #[arg(long, default_value_t = 10_000, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    job_queue_length: u32,
    /// Disk that is kept free [MiB]
    #[arg(long, default_value_t = 1024, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=1 << 40))]
    store_reserve_mib: u64,
    /// Attempts in a row without a new checkpoint after which a job that is lost each time is given up
    #[arg(long, default_value_t = 3, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    max_attempts: u32,
    /// File with the keys that volumes are encrypted with on disk, 64 hexadecimal digits a line: the first one for new
    /// volumes
    #[arg(long, value_name = "FILE")]
    store_key_file: Option<PathBuf>,
    /// Longest estimate of a small job, which goes before large ones [s]
    #[arg(long, default_value_t = 10, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=86_400))]
    small_job_s: u64,
}

impl StoreArgs {
    /// Limits, times and keys.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] for a file of keys that cannot be used.
    pub(super) fn options(&self) -> Result<StoreOptions, DoseError> {
        Ok(StoreOptions {
            volume_ttl: Duration::from_secs(self.volume_ttl_s),
            upload_ttl: Duration::from_secs(self.upload_ttl_s),
            job_ttl: Duration::from_secs(self.job_ttl_s),
            tenant_bytes: self.tenant_store_mib << 20,
            tenant_jobs: self.tenant_jobs.into(),
            queue_length: usize::try_from(self.job_queue_length).unwrap_or(usize::MAX),
            reserve_bytes: self.store_reserve_mib << 20,
            ledger_bytes: StoreOptions::default().ledger_bytes,
            max_attempts: self.max_attempts,
            small_job: Duration::from_secs(self.small_job_s),
            keys: keys("store-key-file", self.store_key_file.as_deref())?,
            faults: Faults::of_environment(),
            leaves_running: false,
        })
    }

    /// Opens the store, if one is asked for, and begins to sweep it.
    ///
    /// * `runs_elsewhere` – whether jobs that ran when it was left may still run on workers
    ///
    /// # Errors
    /// [`DoseError::Invalid`] if another process has it, a newer version wrote it, or there cannot be one in its
    /// folder; [`DoseError::Io`].
    pub(super) fn open(&self, runs_elsewhere: bool) -> Result<Option<Arc<Store>>, DoseError> {
        let Some(folder) = &self.store else { return Ok(None) };
        let options = StoreOptions { leaves_running: runs_elsewhere, ..self.options()? };
        let store = Arc::new(Store::open(folder, options).map_err(refused)?);
        store.start_sweep().map_err(|error| DoseError::Io(format!("no thread for the store: {error}")))?;
        Ok(Some(store))
    }
}

/// The keys of a file; none without a file.
///
/// * `flag` – that names it
///
/// # Errors
/// [`DoseError::Invalid`] for a file that cannot be used.
pub(super) fn keys(flag: &str, path: Option<&Path>) -> Result<StoreKeys, DoseError> {
    let read = path.map(StoreKeys::read).transpose();
    let refused = |Invalid(reason)| DoseError::invalid(flag, reason);
    Ok(read.map_err(refused)?.unwrap_or_default())
}

/// Why a store is not opened, by its flag where the caller can name another.
pub(super) fn refused(error: OpenError) -> DoseError {
    match error {
        OpenError::InUse(_) | OpenError::Newer { .. } | OpenError::Unusable { .. } => {
            DoseError::invalid("store", error.to_string())
        }
        OpenError::NoKey { .. } => DoseError::invalid("store-key-file", error.to_string()),
        OpenError::Damaged { .. } | OpenError::Io { .. } => DoseError::Io(error.to_string()),
    }
}
