//! Deletion by age: of what is done, the files go after a time, and the ledger stays.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::control::forget_files;
use super::ledger::{Change, LedgerError, Table};
use super::record::{Item, StudyRecord};
use super::{Gateway, State, now_ms, record_of};
use crate::audit::Record;
use crate::domain::DoseError;

/// How often it is looked, at least and at most.
const SELDOM: Duration = Duration::from_secs(3600);
const OFTEN: Duration = Duration::from_secs(1);
/// What the audit log says of a deletion.
const REASON: &str = "files deleted for their age";

/// Whether all of a study is done and has been so for a time: each version verified, or skipped. What waits for
/// somebody, is on its way, or was sent and could not be verified, keeps the files of its study.
fn is_old(study: Option<&StudyRecord>, versions: &[Item], keep: Duration) -> bool {
    let before_ms = now_ms().saturating_sub(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
    let is_done = |item: &Item| matches!(item.state, State::Verified | State::Skipped) && item.since_ms <= before_ms;
    let is_told = |item: &Item| item.workitem.as_ref().is_none_or(|claim| !claim.state.is_open());
    let is_quiet = study.is_none_or(|study| study.last_ms <= before_ms);
    is_quiet && versions.iter().all(|item| is_done(item) && is_told(item))
}

/// Notes that the files of a study are deleted. Its versions that had some.
///
/// # Errors
/// If it is not old any more: somebody asked for it again.
fn note_deleted(change: &Change<'_>, study: &str, keep: Duration) -> Result<Vec<Item>, LedgerError> {
    let versions = change.versions(study)?;
    let record = change.get::<StudyRecord>(Table::Studies, study)?;
    let last = versions.last().ok_or_else(|| LedgerError::Unknown(study.to_owned()))?;
    if !is_old(record.as_ref(), &versions, keep) {
        return Err(LedgerError::NoWay { id: last.id.clone(), from: last.state, to: last.state });
    }
    forget_files(change, study)?;
    let now = now_ms();
    let mut deleted = Vec::new();
    for item in versions.into_iter().filter(|item| item.deleted_ms.is_none()) {
        let item = Item { deleted_ms: Some(now), ..item };
        change.put(Table::Items, &item.id, &item)?;
        deleted.push(item);
    }
    Ok(deleted)
}

impl Gateway {
    /// Deletes the files of studies that have been done for longer than they are kept. Whether there were any.
    pub(super) fn delete_old(&self) -> Result<bool, DoseError> {
        let Some(keep) = self.config.keep else { return Ok(false) };
        {
            let mut last = self.looked_for_old.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(|at| at.elapsed() < (keep / 10).clamp(OFTEN, SELDOM)) {
                return Ok(false);
            }
            *last = Some(Instant::now());
        }
        let mut by_study: BTreeMap<String, Vec<Item>> = BTreeMap::new();
        for item in self.ledger.items_with_files()?.into_iter().filter(|item| !item.study.is_empty()) {
            by_study.entry(item.study.clone()).or_default().push(item);
        }
        let mut has_deleted = false;
        for (study, versions) in by_study {
            if self.is_stopping() {
                break;
            }
            let record = self.ledger.get::<StudyRecord>(Table::Studies, &study)?;
            if is_old(record.as_ref(), &versions, keep) {
                has_deleted |= self.delete_study(&study, keep)?;
            }
        }
        Ok(has_deleted)
    }

    /// Deletes the files of a study and what was made of it: first the ledger forgets them, so that a loss leaves none
    /// that is known and not there.
    fn delete_study(&self, study: &str, keep: Duration) -> Result<bool, DoseError> {
        // No file gets its place meanwhile.
        let _studies = self.studies.lock();
        let told = |item: &Item| Record { reason: Some(REASON.to_owned()), ..record_of(item, None) };
        let done =
            self.audited_each(|change| note_deleted(change, study, keep), |items| items.iter().map(told).collect());
        let deleted = match done {
            Ok(deleted) => deleted,
            Err(LedgerError::NoWay { .. }) => return Ok(false),
            Err(other) => return Err(other.into()),
        };
        let folders = [self.study_folder(study)].into_iter().chain(deleted.iter().map(|item| self.results(&item.id)));
        for folder in folders {
            // What is left is deleted at the next start.
            if let Err(error) = remove_if_there(&folder) {
                tracing::warn!(path = %folder.display(), %error, "old files cannot be deleted");
            }
        }
        for item in &deleted {
            tracing::info!(item = item.id, state = item.state.name(), "its files were deleted for their age");
        }
        Ok(true)
    }

    /// Deletes results that were being deleted when the process was lost.
    pub(super) fn clear_old_results(&self) -> io::Result<()> {
        let there: BTreeSet<String> = fs::read_dir(self.at("results"))?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<_>>()?;
        for id in there {
            let item = self.ledger.get::<Item>(Table::Items, &id).map_err(io::Error::other)?;
            if item.is_some_and(|item| item.deleted_ms.is_some()) {
                remove_if_there(&self.results(&id))?;
            }
        }
        Ok(())
    }
}

fn remove_if_there(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
