//! What a store holds, in memory: the ledger's records by tenant, and their sums.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use uuid::Uuid;

use super::VolumeDigest;
use super::change::{Change, What};
use super::endings::REQUEST_TTL;
use super::record::{JobRecord, RequestRecord, VolumeRecord};
use crate::jobs::JobState;

/// All tenants. It changes only by [`Change`]s.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) tenants: BTreeMap<Arc<str>, Tenant>,
    /// Jobs that wait, of all tenants.
    pub(super) queued: usize,
    /// Bytes that uploads and results may still take of the disk.
    pub(super) reserved_bytes: u64,
    /// The newest job's id.
    pub(super) newest: Option<Uuid>,
}

/// What one tenant has.
#[derive(Clone, Debug, Default)]
pub(super) struct Tenant {
    pub(super) jobs: BTreeMap<Uuid, Arc<JobRecord>>,
    /// Those that are not finished.
    pub(super) unfinished: BTreeSet<Uuid>,
    pub(super) volumes: BTreeMap<VolumeDigest, VolumeRecord>,
    pub(super) requests: BTreeMap<Uuid, RequestRecord>,
    /// Bytes by its quota: complete, unfinished and reserved.
    pub(super) bytes: u64,
}

impl Tenant {
    /// A job that has not expired.
    pub(super) fn job(&self, id: Uuid, now: SystemTime) -> Option<&Arc<JobRecord>> {
        self.jobs.get(&id).filter(|job| !job.is_expired(now))
    }

    /// A volume that has not expired.
    pub(super) fn volume(&self, digest: &VolumeDigest, now: SystemTime) -> Option<&VolumeRecord> {
        self.volumes.get(digest).filter(|volume| !volume.is_expired(now))
    }

    /// A request id that may not be used again yet.
    pub(super) fn request(&self, id: &Uuid, now: SystemTime) -> Option<&RequestRecord> {
        let known = self.requests.get(id).filter(|request| !request.is_over(now))?;
        // Its job may have expired long ago, and wait for the sweep.
        let expired = self.jobs.get(&known.job).and_then(|job| job.expires);
        expired.is_none_or(|at| at + REQUEST_TTL > now).then_some(known)
    }

    /// What volumes count in the quota that have expired, and wait for the sweep. It looks at every volume.
    pub(super) fn expired_bytes(&self, now: SystemTime) -> u64 {
        let expired = self.volumes.values().filter(|volume| volume.is_expired(now));
        expired.map(VolumeRecord::charged_bytes).sum()
    }
}

impl State {
    pub(super) fn tenant(&self, name: &str) -> Option<&Tenant> {
        self.tenants.get(name)
    }

    /// The name of a tenant as all of its records share it.
    pub(super) fn shared_name(&self, name: &str) -> Arc<str> {
        self.tenants.get_key_value(name).map_or_else(|| name.into(), |(name, _)| name.clone())
    }

    /// A tenant's job that has not expired.
    pub(super) fn job(&self, tenant: &str, id: Uuid, now: SystemTime) -> Option<&Arc<JobRecord>> {
        self.tenant(tenant)?.job(id, now)
    }

    /// A tenant's volume that has not expired.
    pub(super) fn volume(&self, tenant: &str, digest: &VolumeDigest, now: SystemTime) -> Option<&VolumeRecord> {
        self.tenant(tenant)?.volume(digest, now)
    }

    /// The jobs that are not finished, with their tenants.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<JobRecord>)> {
        self.tenants.iter().flat_map(|(name, tenant)| tenant.unfinished.iter().map(move |id| (name, &tenant.jobs[id])))
    }

    /// Takes over a change.
    pub(super) fn apply(&mut self, change: &Change) {
        let tenant = self.tenants.entry(change.tenant.clone()).or_default();
        let (mut charged, mut reserved) = (Difference::default(), Difference::default());
        match &change.what {
            What::Job(job) => {
                let before = tenant.jobs.insert(job.id, job.clone());
                let waits = |job: &JobRecord| usize::from(job.state() == JobState::Queued);
                self.queued = self.queued + waits(job) - before.as_deref().map_or(0, waits);
                let bytes = [before.map_or(0, |job| job.reserved_bytes()), job.reserved_bytes()];
                (charged, reserved) = (Difference(bytes), Difference(bytes));
                if job.state().is_final() {
                    tenant.unfinished.remove(&job.id);
                } else {
                    tenant.unfinished.insert(job.id);
                }
                self.newest = self.newest.max(Some(job.id));
            }
            What::NoJob(id) => {
                // Only finished jobs are deleted: they reserve nothing.
                tenant.jobs.remove(id);
            }
            What::Volume(digest, record) => {
                let before = tenant.volumes.insert(*digest, record.clone());
                let bytes = |of: fn(&VolumeRecord) -> u64| Difference([before.as_ref().map_or(0, of), of(record)]);
                charged = bytes(VolumeRecord::charged_bytes);
                reserved = bytes(VolumeRecord::reserved_bytes);
            }
            What::NoVolume(digest) => {
                if let Some(before) = tenant.volumes.remove(digest) {
                    charged = Difference([before.charged_bytes(), 0]);
                    reserved = Difference([before.reserved_bytes(), 0]);
                }
            }
            What::Request(id, record) => {
                self.newest = self.newest.max(Some(record.job));
                tenant.requests.insert(*id, record.clone());
            }
            What::NoRequest(id) => {
                tenant.requests.remove(id);
            }
            What::Spec(..) | What::Result(..) => {}
        }
        charged.apply(&mut tenant.bytes);
        reserved.apply(&mut self.reserved_bytes);
    }
}

/// A sum's part before and after.
#[derive(Clone, Copy, Default)]
struct Difference([u64; 2]);

impl Difference {
    fn apply(self, sum: &mut u64) {
        let Self([before, after]) = self;
        *sum = (*sum + after).saturating_sub(before);
    }
}
