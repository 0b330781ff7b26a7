//! Removes what nobody needs any more at the broker: objects of finished jobs, and messages to workers that are gone.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::super::messages::{Lease, ObjectOf};
use super::Gateway;
use crate::broker::{BrokerError, Lane as Stream};
use crate::store::VolumeDigest;

/// How often it looks.
const PAUSE: Duration = Duration::from_secs(60);

impl Gateway {
    pub(super) async fn clean(self: Arc<Self>) {
        let mut known = HashSet::new();
        loop {
            self.broker.wait_up().await;
            match self.clean_once(&mut known).await {
                Ok(0) => {}
                Ok(removed) => tracing::info!(removed, "objects and messages that nobody needs were removed"),
                Err(error) => tracing::debug!(%error, "the broker was not cleaned"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// * `before` – readers without a worker when this last looked: a worker that has just come is not removed
    async fn clean_once(&self, before: &mut HashSet<String>) -> Result<usize, BrokerError> {
        let mut removed = 0;
        for object in self.broker.names().await? {
            // Looked at for each: what was begun meanwhile stays.
            if !self.is_needed(&object) {
                self.broker.remove(&object).await?;
                removed += 1;
            }
        }
        let living = self.fleet.names();
        let all = self.broker.readers(Stream::Work).await?;
        let without: HashSet<String> = all.into_iter().filter(|reader| !living.contains(reader)).collect();
        for reader in without.intersection(before) {
            self.broker.forget_reader(Stream::Work, reader).await?;
            removed += 1;
        }
        *before = without;
        Ok(removed)
    }

    /// Whether an attempt may still need an object.
    fn is_needed(&self, object: &str) -> bool {
        let held = self.fleet.held();
        let needs = |volume: &VolumeDigest| held.iter().any(|held| held.attempt.job.inputs.contains(volume));
        let runs = |job: &Uuid| held.iter().any(|held| held.attempt.job.id == *job);
        match ObjectOf::parse(object) {
            Some(ObjectOf::Volume(volume)) => needs(&volume),
            Some(ObjectOf::Job(job)) => runs(&job),
            Some(ObjectOf::Attempt(lease)) => held.iter().any(|held| Lease::of(&held.attempt) == lease),
            None => false,
        }
    }
}
