//! A look at a study that has been quiet: whether it is whole, which rule it meets, and whether the program takes it.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::ledger::{Change, LedgerError, Table};
use super::offer::Offer;
use super::record::{Item, StudyRecord};
use super::whole::{Order, Verdict, conflict, unread, verdict};
use super::work::unless_it_went_on;
use super::{Gateway, State, now_ms};
use crate::domain::DoseError;

/// How long after a study could not be looked at it is tried again.
const AGAIN: Duration = Duration::from_secs(60);

/// A study that is being looked at.
struct Looking<'a> {
    gateway: &'a Gateway,
    study: String,
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.gateway.looking.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.study);
    }
}

impl Gateway {
    /// Looks at studies that have been quiet, and puts those aside that wait for too long. Whether there were any.
    pub(super) fn look_at_studies(&self) -> Result<bool, DoseError> {
        let mut has_looked = false;
        for found in self.ledger.items_in(State::Received)? {
            if self.is_stopping() {
                break;
            }
            // Two versions of a study, and one of them twice, are not looked at at one time: what one look finds
            // decides whether the next has anything to do.
            let Some(_own) = self.look_alone(&found.study) else { continue };
            // Another may have looked at it since it was found.
            let Some(item) = self.ledger.get::<Item>(Table::Items, &found.id)? else { continue };
            let Some(study) = self.ledger.get::<StudyRecord>(Table::Studies, &item.study)? else { continue };
            if item.state != State::Received {
                continue;
            }
            if study.last_ms > now_ms() {
                self.quiet_from_now(&item.study)?;
                continue;
            }
            let (is_quiet, is_over) = self.is_silent(&study);
            if !is_quiet || item.looked_ms == study.last_ms && !is_over || self.rests(&item.id) {
                continue;
            }
            has_looked = true;
            self.look(&item, &study, is_over)?;
        }
        Ok(has_looked)
    }

    /// Whether nothing of a study came for the quiet time of its source, and for the limit. What lies in the spool has
    /// come too: time counts to when the spool was last looked into, and all of it was then taken.
    pub(super) fn is_silent(&self, study: &StudyRecord) -> (bool, bool) {
        let source = self.config.source(&study.source);
        let (quiet, limit) = source.map_or((Duration::ZERO, Duration::ZERO), |one| (one.quiet, one.limit));
        let silent_ms = self.taken_ms.load(Ordering::SeqCst).saturating_sub(study.last_ms);
        let is_for = |time: Duration| silent_ms >= i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        (is_for(quiet), is_for(quiet.max(limit)))
    }

    /// Has a study for a look of this thread alone, until what it gives is dropped; none if another has it.
    fn look_alone(&self, study: &str) -> Option<Looking<'_>> {
        let is_free = self.looking.lock().unwrap_or_else(PoisonError::into_inner).insert(study.to_owned());
        is_free.then(|| Looking { gateway: self, study: study.to_owned() })
    }

    /// Whether an item could not be looked at a short time ago.
    fn rests(&self, id: &str) -> bool {
        let mut tried = self.look_again.lock().unwrap_or_else(PoisonError::into_inner);
        let rests = tried.get(id).is_some_and(|at| at.elapsed() < AGAIN);
        if !rests {
            tried.remove(id);
        }
        rests
    }

    /// Has a study be quiet from now on: its last file came at a time that is yet to be, so the clock was set back.
    fn quiet_from_now(&self, study: &str) -> Result<(), DoseError> {
        self.ledger.change(|change| {
            let Some(mut record) = change.get::<StudyRecord>(Table::Studies, study)? else { return Ok(()) };
            let (before, now) = (record.last_ms, now_ms());
            record.last_ms = now;
            // What was looked at with all its files needs no other look.
            for item in change.versions(study)?.into_iter().filter(|item| item.looked_ms == before) {
                change.put(Table::Items, &item.id, &Item { looked_ms: now, ..item.clone() })?;
            }
            change.put(Table::Studies, study, &record)
        })?;
        tracing::warn!(study, "the clock was set back: what is quiet is measured anew");
        Ok(())
    }

    fn look(&self, item: &Item, study: &StudyRecord, is_over: bool) -> Result<(), DoseError> {
        let settle = |to: State, reason: &str| self.settle_looked(item, study, to, reason, |_| {});
        if !study.conflicts.is_empty() {
            return settle(State::Aside, &conflict(&study.conflicts));
        }
        let folder = self.study_folder(&item.study);
        let way = study.way();
        let verdict = match Offer::read(&folder, Some(way.source), &way.calling) {
            Err(why) => unread("its folder", why),
            Ok(mut offer) => verdict(&mut offer, &self.config.rules, &self.program, &|| self.is_stopping()),
        };
        // What was not looked at to its end says nothing.
        if self.is_stopping() {
            return Ok(());
        }
        match verdict {
            Verdict::Again(reason) if !is_over => {
                tracing::warn!(item = item.id, reason, "cannot be looked at now");
                self.look_again.lock().unwrap_or_else(PoisonError::into_inner).insert(item.id.clone(), Instant::now());
                self.note(&item.id, State::Received, |item| item.reason = format!("is looked at again: {reason}"))
            }
            Verdict::Waits(reason, state) if is_over => settle(state, &reason),
            Verdict::Waits(reason, _) => {
                tracing::info!(item = item.id, reason, "waits");
                unless_it_went_on(self.ledger.change(|change| {
                    is_as_looked_at(change, item, study, State::Received)?;
                    change.note(&item.id, State::Received, |item| {
                        item.looked_ms = study.last_ms;
                        item.reason = reason;
                    })
                }))
            }
            Verdict::Again(reason) | Verdict::Aside(reason) => settle(State::Aside, &reason),
            Verdict::Ready(order) => self.order(item, study, *order),
        }
    }

    /// Takes an item on that was looked at, unless more of its study came meanwhile: then it is looked at again.
    fn settle_looked(
        &self,
        item: &Item,
        study: &StudyRecord,
        to: State,
        reason: &str,
        more: impl FnOnce(&mut Item),
    ) -> Result<(), DoseError> {
        self.settle_if(
            &item.id,
            to,
            reason,
            |change| is_as_looked_at(change, item, study, to),
            |item| {
                item.looked_ms = study.last_ms;
                more(item);
            },
        )
    }

    /// Has a study computed, unless the same was computed before, or more of it came while it was looked at.
    fn order(&self, item: &Item, study: &StudyRecord, order: Order) -> Result<(), DoseError> {
        let items = self.ledger.items()?;
        let is_same = |other: &&Item| {
            other.id != item.id
                && other.key.as_ref() == Some(&order.key)
                && !matches!(other.state, State::Skipped | State::Aside)
        };
        if let Some(same) = items.iter().find(is_same) {
            let reason = format!("nothing new: {} has the same files, settings and version", same.id);
            return self.settle_looked(item, study, State::Skipped, &reason, |_| {});
        }
        self.settle_looked(item, study, State::Ready, "waits for its turn", |item| {
            // Of other files, it may be computed at once.
            item.next_ms = if item.key.as_ref() == Some(&order.key) { item.next_ms } else { 0 };
            item.rule = Some(order.rule);
            item.key = Some(order.key);
            item.inputs = order.inputs;
            item.words = order.words;
        })
    }
}

/// # Errors
/// If more of a study came since it was looked at: what was found of fewer files says nothing of all.
fn is_as_looked_at(change: &Change<'_>, item: &Item, study: &StudyRecord, to: State) -> Result<(), LedgerError> {
    match change.get::<StudyRecord>(Table::Studies, &item.study)? {
        Some(now) if now == *study => Ok(()),
        _ => Err(LedgerError::NoWay { id: item.id.clone(), from: item.state, to }),
    }
}
