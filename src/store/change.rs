//! The only words in which a store changes: what the ledger writes is what the memory learns.

use std::sync::Arc;

use uuid::Uuid;

use super::VolumeDigest;
use super::ledger::{Table, Write};
use super::record::{JobRecord, RequestRecord, VolumeRecord};
use crate::audit::Record;

/// One change of one tenant's things.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) tenant: Arc<str>,
    pub(super) what: What,
}

/// What changes.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// A job is as this says.
    Job(Arc<JobRecord>),
    /// A job is gone, with its specification and result.
    NoJob(Uuid),
    /// The specification of a job.
    Spec(Uuid, Arc<[u8]>),
    /// The result of a job.
    Result(Uuid, Arc<[u8]>),
    /// A volume is as this says.
    Volume(VolumeDigest, VolumeRecord),
    /// A volume is gone.
    NoVolume(VolumeDigest),
    /// A request id is as this says.
    Request(Uuid, RequestRecord),
    /// A request id may be used again.
    NoRequest(Uuid),
}

impl Change {
    pub(super) fn new(tenant: &Arc<str>, what: What) -> Self {
        Self { tenant: tenant.clone(), what }
    }

    /// What the ledger writes.
    ///
    /// # Errors
    /// If a record could not be read again.
    pub(super) fn writes(&self) -> serde_json::Result<Vec<Write>> {
        let key = |id: &dyn std::fmt::Display| format!("{}/{id}", self.tenant);
        let put = |table, id: &dyn std::fmt::Display, value: Vec<u8>| vec![Write::put(table, key(id), value)];
        Ok(match &self.what {
            What::Job(job) => put(Table::Jobs, &job.id, serde_json::to_vec(&**job)?),
            What::NoJob(id) => [Table::Jobs, Table::Specs, Table::Results]
                .into_iter()
                .map(|table| Write::remove(table, key(id)))
                .collect(),
            What::Spec(id, bytes) => put(Table::Specs, id, bytes.to_vec()),
            What::Result(id, bytes) => put(Table::Results, id, bytes.to_vec()),
            What::Volume(digest, record) => put(Table::Volumes, &digest.hex(), serde_json::to_vec(record)?),
            What::NoVolume(digest) => vec![Write::remove(Table::Volumes, key(&digest.hex()))],
            What::Request(id, record) => put(Table::Requests, id, serde_json::to_vec(record)?),
            What::NoRequest(id) => vec![Write::remove(Table::Requests, key(id))],
        })
    }
}

/// What an act on the store gives: its answer, what it changes, and what the audit log says of it.
#[derive(Debug)]
pub(super) struct Done<T> {
    pub(super) value: T,
    pub(super) changes: Vec<Change>,
    pub(super) events: Vec<Record>,
}

impl<T> Done<T> {
    /// An answer that changes nothing.
    pub(super) fn unchanged(value: T) -> Self {
        Self { value, changes: Vec::new(), events: Vec::new() }
    }
}
