//! What a store tells of itself, and what others have it write into the audit log.

use std::sync::atomic::Ordering;
use std::time::SystemTime;

use super::change::Done;
use super::{Lane, Phase, Store, StoreError};
use crate::audit::Record;
use crate::jobs::JobState;

/// Figures of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// How many jobs wait and run, by lane.
    pub jobs: [[u64; 2]; 2],
    /// How long the oldest waiting job has waited [s]; 0 if none waits.
    pub oldest_wait_s: f64,
    /// Complete volumes that no job made [bytes].
    pub volume_bytes: u64,
    /// Volumes that jobs made [bytes].
    pub result_bytes: u64,
    /// Safe bytes of volumes that are on their way [bytes].
    pub upload_bytes: u64,
    /// The ledger's file [bytes].
    pub ledger_bytes: u64,
    /// Space left on the disk [bytes].
    pub free_bytes: u64,
    /// Records written to the audit log since the start.
    pub audit_records: u64,
}

impl Store {
    /// What the store holds now. It looks at every volume and at every job that is not finished.
    pub fn figures(&self, now: SystemTime) -> Figures {
        let mut figures = Figures {
            ledger_bytes: std::fs::metadata(self.folders.at("ledger")).map_or(0, |file| file.len()),
            free_bytes: self.folders.free_bytes().unwrap_or(0),
            audit_records: self.published.audited.load(Ordering::Relaxed),
            ..Figures::default()
        };
        self.published.read(|state| {
            for (_, job) in state.unfinished() {
                let runs = job.state() == JobState::Running;
                figures.jobs[Lane::of(job) as usize][usize::from(runs)] += 1;
                let waited = now.duration_since(job.life.created()).unwrap_or_default();
                if !runs {
                    figures.oldest_wait_s = figures.oldest_wait_s.max(waited.as_secs_f64());
                }
            }
            for volume in state.tenants.values().flat_map(|tenant| tenant.volumes.values()) {
                match volume.phase {
                    Phase::Uploading { committed_bytes, .. } => figures.upload_bytes += committed_bytes,
                    Phase::Complete if volume.results > 0 => figures.result_bytes += volume.size_bytes,
                    Phase::Complete | Phase::Damaged => figures.volume_bytes += volume.size_bytes,
                }
            }
        });
        figures
    }

    /// Writes a record into the audit log.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn note(&self, record: Record) -> Result<(), StoreError> {
        self.writer.write(move |_| Ok(Done { value: (), changes: Vec::new(), events: vec![record] }))
    }
}
