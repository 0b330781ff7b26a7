//! Checks every stored volume, for an operator while no server has the store.

use super::{Store, StoreError, VolumeDigest};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreAccount {
    /// Complete volumes that are whole.
    pub volumes: u64,
    /// Their bytes.
    pub volume_bytes: u64,
    /// Unfinished uploads.
    pub uploads: u64,
    /// Jobs, finished or not.
    pub jobs: u64,
    /// Volumes whose file is not what was stored, by tenant. Their files were set aside.
    pub damaged: Vec<(String, VolumeDigest)>,
}

impl Store {
    /// Reads every volume, and sets those aside that are damaged.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if a file cannot be read at all.
    pub fn verify_volumes(&self) -> Result<StoreAccount, StoreError> {
        let mut account = StoreAccount::default();
        let names: Vec<(String, VolumeDigest)> = self.published.read(|state| {
            account.jobs = state.tenants.values().map(|tenant| tenant.jobs.len() as u64).sum();
            let of = |(name, tenant): (&std::sync::Arc<str>, &super::state::Tenant)| {
                let volumes = tenant.volumes.iter().filter(|(_, volume)| volume.is_complete());
                volumes.map(|(digest, _)| (name.to_string(), *digest)).collect::<Vec<_>>()
            };
            let is_upload = |volume: &&super::VolumeRecord| matches!(volume.phase, super::Phase::Uploading { .. });
            let volumes = state.tenants.values().flat_map(|tenant| tenant.volumes.values());
            account.uploads = volumes.filter(is_upload).count() as u64;
            state.tenants.iter().flat_map(of).collect()
        });
        for (tenant, name) in names {
            match self.read_whole(&tenant, name) {
                Ok(bytes) => {
                    account.volumes += 1;
                    account.volume_bytes += bytes;
                }
                Err(StoreError::VolumeDamaged(_)) => account.damaged.push((tenant, name)),
                // Its time was over.
                Err(StoreError::VolumeNotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(account)
    }

    fn read_whole(&self, tenant: &str, name: VolumeDigest) -> Result<u64, StoreError> {
        let mut reading = self.read_volume(tenant, name)?;
        while reading.next(self)?.is_some() {}
        Ok(reading.size_bytes())
    }
}
