//! The gateway at work: one thread takes and looks, one computes, one sends, one tells others, one asks worklists, and
//! each source that is called listens.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::{Duration, Instant};

use super::config::{Config, SourceKind};
use super::offer::Offer;
use super::record::{Item, StudyRecord};
use super::sources::listen;
use super::whole::{Verdict, conflict, verdict};
use super::{EndsAll, Gateway, OpenError, State, control, delivery, now_ms};
use crate::domain::{DoseError, Invalid};

use super::ledger::Table;

/// How often a thread looks whether there is something to do.
const LOOK: Duration = Duration::from_millis(100);

/// When a gateway ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// When it is told to.
    Told,
    /// When nothing is left to do that does not wait for somebody.
    Done,
}

/// Runs a gateway.
///
/// * `program` – this program, for what is done in a process of its own
/// * `until` – when it ends by itself
/// * `is_told` – whether it is to end
///
/// # Errors
/// If its folder cannot be used, is in use, or its ledger fails.
pub fn run(config: Config, program: PathBuf, until: Until, is_told: impl Fn() -> bool + Sync) -> Result<(), DoseError> {
    let folder = config.folder.clone();
    let gateway = Gateway::open(config, program).map_err(|error| match error {
        OpenError::InUse => DoseError::invalid("config", format!("{} is in use by another gateway", folder.display())),
        OpenError::Other(reason) => DoseError::Io(format!("gateway: {reason}")),
    })?;
    let gateway = Arc::new(gateway);
    gateway.clear_unfinished().map_err(|error| DoseError::Io(format!("gateway: {error}")))?;
    gateway.look_anew()?;
    let called = gateway.config.sources.iter().filter_map(|source| match &source.kind {
        SourceKind::Store(store) => Some(listen(store.listen).map(|listener| (source, listener))),
        SourceKind::Web(web) => Some(listen(web.listen).map(|listener| (source, listener))),
        SourceKind::Folder { .. } | SourceKind::Orthanc { .. } => None,
    });
    let called = called.collect::<Result<Vec<_>, DoseError>>()?;
    let figures = gateway.config.metrics.map(listen).transpose()?;
    let socket = control::Door::open(&gateway.config.folder)?;
    tracing::info!(folder = %folder.display(), rules = gateway.config.rules.len(), "the gateway runs");
    let open = AtomicUsize::new(0);
    let (gateway, open) = (&gateway, &open);
    thread::scope(|scope| {
        for (source, listener) in called {
            match &source.kind {
                SourceKind::Store(store) => {
                    scope.spawn(move || gateway.serve_store(scope, &source.name, store, &listener, open));
                }
                SourceKind::Web(web) => {
                    scope.spawn(move || gateway.serve_web(&source.name, web, listener));
                }
                SourceKind::Folder { .. } | SourceKind::Orthanc { .. } => {}
            }
        }
        if let Some(listener) = figures {
            scope.spawn(move || gateway.serve_figures(listener));
        }
        scope.spawn(move || socket.serve(gateway));
        let computing = scope.spawn(|| gateway.repeat(Gateway::compute_next));
        let sending = scope.spawn(|| gateway.repeat(Gateway::deliver_due));
        let telling = scope.spawn(|| gateway.repeat(Gateway::tell_due));
        let working = scope.spawn(|| gateway.repeat(Gateway::follow_worklists));
        let looked = gateway.take_and_look(until, &is_told);
        let ended = |thread: thread::ScopedJoinHandle<'_, Result<(), DoseError>>| {
            thread.join().unwrap_or_else(|_| Err(DoseError::Internal("a thread of the gateway failed".into())))
        };
        looked.and(ended(computing)).and(ended(sending)).and(ended(telling)).and(ended(working))
    })
}

impl Gateway {
    /// Does something again and again, until the gateway ends, or it cannot be done.
    pub(super) fn repeat(&self, work: impl Fn(&Self) -> Result<bool, DoseError>) -> Result<(), DoseError> {
        let _end = EndsAll(&self.stops);
        while !self.is_stopping() {
            if !work(self)? {
                thread::sleep(LOOK);
            }
        }
        Ok(())
    }

    /// Has all studies looked at that are not computed: rules and program may be others than the last time.
    pub(super) fn look_anew(&self) -> Result<(), DoseError> {
        for item in self.ledger.items_in(State::Ready)? {
            self.settle(&item.id, State::Received, "is looked at by the rules of this start", |_| {})?;
        }
        for item in self.ledger.items_in(State::Received)? {
            self.note(&item.id, State::Received, |item| item.looked_ms = 0)?;
        }
        Ok(())
    }

    fn take_and_look(&self, until: Until, is_told: &(impl Fn() -> bool + Sync)) -> Result<(), DoseError> {
        let _end = EndsAll(&self.stops);
        let mut asked: Option<Instant> = None;
        loop {
            if is_told() || self.is_stopping() {
                return Ok(());
            }
            let mut came = 0;
            let is_due = asked.is_none_or(|at| at.elapsed() >= self.config.poll);
            if is_due {
                came += self.ask_sources();
                asked = Some(Instant::now());
            }
            came += self.take_spool()?;
            self.look_at_studies()?;
            if until == Until::Done && is_due && came == 0 && !self.has_work()? {
                return Ok(());
            }
            thread::sleep(LOOK);
        }
    }

    /// Whether something is left to do that waits neither for somebody nor for more of a study.
    pub(super) fn has_work(&self) -> Result<bool, DoseError> {
        use super::record::DeliveryState::Stored;
        for item in self.ledger.items()? {
            if self.has_to_tell_worklist(&item) {
                return Ok(true);
            }
            let waits = match item.state {
                State::Received => {
                    let study: Option<StudyRecord> = self.ledger.get(Table::Studies, &item.study)?;
                    study.is_some_and(|study| study.last_ms == item.looked_ms)
                }
                // A report may have come that its item has not followed yet.
                State::Sent => {
                    item.deliveries.iter().all(|one| one.state != Stored) && delivery::conclusion(&item).is_none()
                }
                State::Ready => self.waits_for_workitem(&item),
                State::Computed | State::Released => false,
                State::Held | State::Verified | State::Skipped | State::Aside => true,
            };
            if !waits {
                return Ok(true);
            }
        }
        self.has_news()
    }

    /// Looks at studies that have been quiet, and puts those aside that wait for too long.
    pub(super) fn look_at_studies(&self) -> Result<(), DoseError> {
        for item in self.ledger.items_in(State::Received)? {
            if self.is_stopping() {
                return Ok(());
            }
            let Some(study) = self.ledger.get::<StudyRecord>(Table::Studies, &item.study)? else { continue };
            if study.last_ms > now_ms() {
                self.quiet_from_now(&item.study)?;
                continue;
            }
            let source = self.config.source(&study.source);
            let (quiet, limit) = source.map_or((Duration::ZERO, Duration::ZERO), |one| (one.quiet, one.limit));
            let silent = Duration::from_millis(u64::try_from(now_ms() - study.last_ms).unwrap_or(0));
            if silent < quiet {
                continue;
            }
            let is_over = silent >= limit;
            if item.looked_ms == study.last_ms && !is_over {
                continue;
            }
            self.look(&item, &study, is_over)?;
        }
        Ok(())
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
        if !study.conflicts.is_empty() {
            return self.settle(&item.id, State::Aside, &conflict(&study.conflicts), |_| {});
        }
        let folder = self.study_folder(&item.study);
        let way = study.way();
        let verdict = match Offer::read(&folder, Some(way.source), &way.calling) {
            Err(Invalid(reason)) => Verdict::Aside(format!("its folder {reason}")),
            Ok(mut offer) => verdict(&mut offer, &self.config.rules, &self.program),
        };
        match verdict {
            Verdict::Waits(reason, state) if is_over => {
                self.settle(&item.id, state, &reason, |item| item.looked_ms = study.last_ms)
            }
            Verdict::Waits(reason, _) => {
                tracing::info!(item = item.id, reason, "waits");
                self.note(&item.id, State::Received, |item| {
                    item.looked_ms = study.last_ms;
                    item.reason = reason;
                })
            }
            Verdict::Aside(reason) => self.settle(&item.id, State::Aside, &reason, |_| {}),
            Verdict::Ready(order) => self.order(item, study, *order),
        }
    }

    /// Has a study computed, unless the same was computed before, or more of it came while it was looked at.
    fn order(&self, item: &Item, study: &StudyRecord, order: super::whole::Order) -> Result<(), DoseError> {
        let items = self.ledger.items()?;
        let is_same = |other: &&Item| {
            other.id != item.id
                && other.key.as_ref() == Some(&order.key)
                && !matches!(other.state, State::Skipped | State::Aside)
        };
        if let Some(same) = items.iter().find(is_same) {
            let reason = format!("nothing new: {} has the same files, settings and version", same.id);
            return self.settle(&item.id, State::Skipped, &reason, |_| {});
        }
        let now: Option<StudyRecord> = self.ledger.get(Table::Studies, &item.study)?;
        if now.is_none_or(|now| now.last_ms != study.last_ms) {
            return Ok(());
        }
        self.settle(&item.id, State::Ready, "waits for its turn", |item| {
            item.looked_ms = study.last_ms;
            // Of other files, it may be computed at once.
            item.next_ms = if item.key.as_ref() == Some(&order.key) { item.next_ms } else { 0 };
            item.rule = Some(order.rule);
            item.key = Some(order.key);
            item.inputs = order.inputs;
            item.words = order.words;
        })
    }
}
