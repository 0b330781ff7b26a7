//! Jobs in the ledger, on the side of what computes them: taken, put back, finished.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::{Arc, PoisonError};
use std::time::SystemTime;

use uuid::Uuid;

use super::change::{Change, Done, What};
use super::endings::{Loss, ended, put_back};
use super::new_file::{NewFile, StoredFile};
use super::order::Lane;
use super::record::{JobFault, JobRecord, Phase, VolumeRecord};
use super::sealed::Opened;
use super::state::State;
use super::told::{by_itself, finished};
use super::{Store, StoreError, VolumeDigest};
use crate::audit::Event;
use crate::jobs::{JobEvent, JobState};

/// A job in the hands of what computes it. The revision of the job when it was taken tells this attempt from others: a
/// number of attempts comes again after a release.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Whose it is.
    pub tenant: Arc<str>,
    /// The job as it was taken.
    pub job: Arc<JobRecord>,
}

impl Attempt {
    /// What no other attempt at its job has.
    pub fn revision(&self) -> u64 {
        self.job.life.revision()
    }

    /// Whether a job still is this attempt.
    pub fn is_current(&self, job: &JobRecord) -> bool {
        job.state() == JobState::Running && job.life.revision() == self.revision()
    }

    /// The job as it is now, unless it went on without this attempt.
    fn current<'a>(&self, state: &'a State) -> Option<&'a Arc<JobRecord>> {
        let job = state.tenant(&self.tenant)?.jobs.get(&self.job.id)?;
        self.is_current(job).then_some(job)
    }
}

/// What came of an attempt.
#[derive(Debug)]
pub enum Outcome {
    /// Results are stored.
    Succeeded {
        /// The result, as bytes of the caller's protocol.
        result: Arc<[u8]>,
        /// Its volumes.
        volumes: Vec<StoredFile>,
    },
    /// It cannot be computed.
    Failed(JobFault),
    /// What computed it was lost.
    Lost {
        /// `worker` or `device`.
        cause: &'static str,
    },
    /// What computed it is shut down. The attempt does not count.
    Released,
}

impl Store {
    /// The attempts that run, as far as the ledger knows.
    pub fn running(&self) -> Vec<Attempt> {
        self.published.read(|state| {
            let running = state.unfinished().filter(|(_, job)| job.state() == JobState::Running);
            running.map(|(tenant, job)| Attempt { tenant: tenant.clone(), job: job.clone() }).collect()
        })
    }

    /// Which jobs may begin beside those that run, where all are lost together. Two that were lost as often as a job
    /// may be do not run at once: the one that took the other along so far would be given up, and so would the other.
    pub fn may_begin(&self) -> impl Fn(&JobRecord) -> bool + Send + use<> {
        let most = self.options().max_attempts;
        // A job that may not be lost at all has shown nothing yet.
        let is_last_of = move |attempt: u32| attempt > 1 && attempt >= most;
        let last_runs = self.running().iter().any(|running| is_last_of(running.job.unproven));
        move |job| !(last_runs && is_last_of(job.unproven.saturating_add(1)))
    }

    /// Begins a file that a transaction will name.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Unavailable`].
    pub fn new_file(&self) -> Result<NewFile, StoreError> {
        let failed = |error| StoreError::of_io("creating a file for a result", &error);
        let (path, file) = self.folders.incoming().map_err(failed)?;
        let options = self.options();
        NewFile::begin(path, file, &options.keys, &options.faults).map_err(failed)
    }

    /// Takes the job that goes next. That it begins is safe on disk when this returns; none if none waits.
    ///
    /// * `can_begin` – whether a job that waits may begin; those that may not keep no others waiting
    /// * `choose` – what will compute the job: its device for the audit log, and what the caller calls it; none if it
    ///   has to wait
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn take<T: Send + 'static>(
        &self,
        can_begin: impl Fn(&JobRecord) -> bool + Send + 'static,
        choose: impl FnOnce(&JobRecord) -> Option<(String, T)> + Send + 'static,
    ) -> Result<Option<(Attempt, T)>, StoreError> {
        let shares = self.shares.clone();
        self.writer.write(move |state| {
            let next = shares.lock().unwrap_or_else(PoisonError::into_inner).next(state, can_begin);
            let Some((tenant, job)) = next else { return Ok(Done::unchanged(None)) };
            let Some((device, chosen)) = choose(&job) else { return Ok(Done::unchanged(None)) };
            let mut job = (*job).clone();
            job.life.step(JobEvent::Take, SystemTime::now()).map_err(|_| StoreError::Unavailable)?;
            job.unproven += 1;
            job.device = Some(device);
            let job = Arc::new(job);
            let changes = vec![Change::new(&tenant, What::Job(job.clone()))];
            let events = vec![by_itself(Event::JobStarted, &tenant, &job)];
            Ok(Done { value: Some((Attempt { tenant, job }, chosen)), changes, events })
        })
    }

    /// Notes that an attempt had the device.
    pub fn note_time(&self, attempt: &Attempt, seconds: f64) {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares.note(Lane::of(&attempt.job), &attempt.tenant, seconds);
    }

    /// Keeps a checkpoint in place of the one before. False if the job went on without this attempt.
    ///
    /// * `device_s` – time on the device so far in this attempt [s]
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Unavailable`].
    pub fn keep_checkpoint(&self, attempt: &Attempt, file: StoredFile, device_s: f64) -> Result<bool, StoreError> {
        // The job can do without; what is reserved for others is theirs.
        self.check_disk(0)?;
        let (attempt, folders) = (attempt.clone(), self.folders.clone());
        let kept = self.writer.write(move |state| {
            let Some(job) = attempt.current(state) else { return Ok(Done::unchanged(None)) };
            let mut next = (**job).clone();
            let before = next.checkpoint;
            next.checkpoint += 1;
            next.unproven = 0;
            next.device_s = attempt.job.device_s + device_s;
            folders
                .place_checkpoint(&file.path.0, next.id, next.checkpoint)
                .map_err(|error| StoreError::of_io("storing a checkpoint", &error))?;
            let changes = vec![Change::new(&attempt.tenant, What::Job(Arc::new(next)))];
            Ok(Done { value: Some((attempt.job.id, before)), changes, events: Vec::new() })
        })?;
        if let Some((id, before @ 1..)) = kept {
            self.folders.remove_checkpoint(id, before);
        }
        Ok(kept.is_some())
    }

    /// The newest checkpoint of a job, open for reading; none if it has none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn checkpoint(&self, attempt: &Attempt) -> Result<Option<Opened>, StoreError> {
        let JobRecord { id, checkpoint, .. } = *attempt.job;
        if checkpoint == 0 {
            return Ok(None);
        }
        let opened = File::open(self.folders.checkpoint(id, checkpoint));
        let opened = opened.and_then(|file| Opened::known_by_its_start(file, &self.options().keys));
        opened.map(Some).map_err(|error| StoreError::of_io("reading a checkpoint", &error))
    }

    /// Ends an attempt. False, and the outcome is dropped, if the job went on without it.
    ///
    /// * `device_s` – time on the device in this attempt, as far as it is known [s]
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Unavailable`].
    pub fn end_attempt(&self, attempt: &Attempt, device_s: f64, outcome: Outcome) -> Result<bool, StoreError> {
        let (attempt, folders, options) = (attempt.clone(), self.folders.clone(), self.options());
        self.writer.write(move |state| {
            let Some(job) = attempt.current(state) else { return Ok(Done::unchanged(false)) };
            let (now, name) = (SystemTime::now(), &attempt.tenant);
            let mut next = (**job).clone();
            // A worker that is lost cannot say how long it had the device: what its checkpoints said holds.
            next.device_s = next.device_s.max(attempt.job.device_s + device_s);
            let refused = |_| StoreError::Unavailable;
            match outcome {
                Outcome::Lost { cause } => {
                    let (max_attempts, job_ttl, volume_ttl) =
                        (options.max_attempts, options.job_ttl, options.volume_ttl);
                    let loss = Loss { cause, max_attempts, job_ttl, volume_ttl };
                    let (_, changes, events) = put_back(state, name, &next, loss, now);
                    Ok(Done { value: true, changes, events })
                }
                Outcome::Released => {
                    next.life.step(JobEvent::Release, now).map_err(refused)?;
                    next.unproven = next.unproven.saturating_sub(1);
                    next.is_first = true;
                    let changes = vec![Change::new(name, What::Job(Arc::new(next)))];
                    Ok(Done { value: true, changes, events: Vec::new() })
                }
                Outcome::Failed(fault) => {
                    next.life.step(JobEvent::Fail, now).map_err(refused)?;
                    next.error = Some(fault);
                    next.expires = Some(now + options.job_ttl);
                    let next = Arc::new(next);
                    let changes = ended(state, name, &next, options.volume_ttl, now);
                    Ok(Done { value: true, changes, events: vec![finished(name, &next)] })
                }
                Outcome::Succeeded { result, volumes } => {
                    next.life.step(JobEvent::Succeed, now).map_err(refused)?;
                    next.expires = Some(now + options.job_ttl);
                    let names: BTreeSet<VolumeDigest> = volumes.iter().map(StoredFile::digest).collect();
                    next.results = names.into_iter().collect();
                    // A file under another key stays with its record: the two change in no single step.
                    let known = state.tenant(name).map(|tenant| &tenant.volumes);
                    let stays = |file: &&StoredFile| {
                        let volume = known.and_then(|known| known.get(&file.digest));
                        volume.is_some_and(|volume| volume.is_complete() && volume.key != file.key)
                    };
                    for file in volumes.iter().filter(|file| !stays(file)) {
                        folders
                            .place_volume(&file.path.0, name, &file.digest)
                            .map_err(|error| StoreError::of_io("storing a result", &error))?;
                    }
                    let next = Arc::new(next);
                    let mut changes = ended(state, name, &next, options.volume_ttl, now);
                    add_results(state, name, &next, &volumes, &mut changes);
                    changes.push(Change::new(name, What::Result(next.id, result)));
                    Ok(Done { value: true, changes, events: vec![finished(name, &next)] })
                }
            }
        })
    }
}

/// Names the results of a job. One that is there already, as an input of the same job may be, is there once.
fn add_results(state: &State, name: &Arc<str>, job: &JobRecord, files: &[StoredFile], changes: &mut Vec<Change>) {
    for digest in &job.results {
        let file = files.iter().find(|file| file.digest == *digest);
        let (size_bytes, key) = file.map_or((0, None), |file| (file.size_bytes, file.key));
        let mut changed = None;
        for change in changes.iter() {
            if let What::Volume(other, record) = &change.what
                && other == digest
            {
                changed = Some(record.clone());
            }
        }
        let known = changed.or_else(|| state.tenant(name)?.volumes.get(digest).cloned());
        let complete = |known: VolumeRecord| VolumeRecord {
            size_bytes,
            phase: Phase::Complete,
            key: if known.is_complete() { known.key } else { key },
            results: known.results + 1,
            results_until: match known.results {
                0 => job.expires,
                // One that is not known stays so.
                _ => known.results_until.and_then(|until| job.expires.map(|expires| until.max(expires))),
            },
            // An unfinished upload of the same bytes was the caller's, who will not find it unfinished any more.
            kept_until: known.kept_until,
            ..known
        };
        let (phase, results_until) = (Phase::Complete, job.expires);
        let new = VolumeRecord { size_bytes, phase, inputs: 0, results: 1, kept_until: None, results_until, key };
        changes.push(Change::new(name, What::Volume(*digest, known.map_or(new, complete))));
    }
}

impl Store {
    /// Puts the jobs back that ran when the process was lost; those jobs, as they are then.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub(super) fn recover(&self) -> Result<Vec<Arc<JobRecord>>, StoreError> {
        let options = self.options();
        if self.running().is_empty() {
            return Ok(Vec::new());
        }
        self.writer.write(move |state| {
            let now = SystemTime::now();
            let (max_attempts, job_ttl, volume_ttl) = (options.max_attempts, options.job_ttl, options.volume_ttl);
            let loss = Loss { cause: "process", max_attempts, job_ttl, volume_ttl };
            let mut work = state.clone();
            let (mut changes, mut events, mut jobs) = (Vec::new(), Vec::new(), Vec::new());
            let running = |(_, job): &(&Arc<str>, &Arc<JobRecord>)| job.state() == JobState::Running;
            for (tenant, job) in state.unfinished().filter(running) {
                let (next, made, told) = put_back(&work, tenant, job, loss, now);
                made.iter().for_each(|change| work.apply(change));
                changes.extend(made);
                events.extend(told);
                jobs.push(next);
            }
            Ok(Done { value: jobs, changes, events })
        })
    }
}

/// Names of jobs as callers write them.
pub fn job_name(id: Uuid) -> String {
    format!("jobs/{id}")
}

/// The id of a job's name; none for one that no job has.
pub fn job_id(name: &str) -> Option<Uuid> {
    let text = name.strip_prefix("jobs/")?;
    let id: Uuid = text.parse().ok()?;
    // There is one way to write it.
    (id.to_string() == text).then_some(id)
}
