//! The gateway at work: one thread takes what comes, some look at studies, one computes, one for each destination
//! sends, one tells others, one for each worklist asks it, and each source that is called listens.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::config::{Config, SourceKind};
use super::delivery::Line;
use super::record::StudyRecord;
use super::sources::{Places, listen};
use super::{EndsAll, Gateway, OpenError, State, control};
use crate::domain::DoseError;

use super::ledger::Table;

/// How often a thread looks whether there is something to do, and how seldom, where a look takes long.
const LOOK: Duration = Duration::from_millis(100);
const LONGEST_LOOK: Duration = Duration::from_secs(2);
/// How many studies are looked at at one time. A look reads the whole study in other processes, and may take minutes:
/// one that does holds up neither what comes nor, while fewer do so than these, another study.
const LOOKERS: usize = 4;

/// How long what is in the middle of something has until the process may end, once it is told to.
pub const DRAIN: Duration = Duration::from_secs(20);
/// How often it is then looked whether all has ended.
const REST: Duration = Duration::from_millis(20);

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
/// * `overdue` – called where a part of it has not ended within [`DRAIN`], such as one that waits for an archive: the
///   process may end then, as all that is known stands in the ledger
///
/// # Errors
/// If its folder cannot be used, is in use, or its ledger fails; if it ends when all is done, and a source or a
/// worklist did not answer.
pub fn run(
    config: Config,
    program: PathBuf,
    until: Until,
    is_told: impl Fn() -> bool + Sync,
    overdue: impl Fn() + Sync,
) -> Result<(), DoseError> {
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
    let (open, running) = (Places::default(), AtomicUsize::new(0));
    let (gateway, open, running) = (&gateway, &open, &running);
    let done = thread::scope(|scope| {
        for (source, listener) in called {
            let alive = Alive::one(running);
            match &source.kind {
                SourceKind::Store(store) => {
                    scope
                        .spawn(move || alive.with(|| gateway.serve_store(scope, &source.name, store, &listener, open)));
                }
                SourceKind::Web(web) => {
                    scope.spawn(move || alive.with(|| gateway.serve_web(&source.name, web, listener)));
                }
                SourceKind::Folder { .. } | SourceKind::Orthanc { .. } => {}
            }
        }
        if let Some(listener) = figures {
            let alive = Alive::one(running);
            scope.spawn(move || alive.with(|| gateway.serve_figures(listener)));
        }
        let alive = Alive::one(running);
        scope.spawn(move || alive.with(|| socket.serve(gateway)));
        // One that ends when all is done asks its sources one after the other.
        for source in gateway.config.sources.iter().filter(|source| until == Until::Told && source.is_asked()) {
            let alive = Alive::one(running);
            scope.spawn(move || alive.with(|| gateway.follow_source(source)));
        }
        scope.spawn(|| gateway.end_when_told(&is_told, running, &overdue));
        let begun = gateway.works().into_iter().map(|work| {
            let alive = Alive::one(running);
            scope.spawn(move || alive.with(|| gateway.repeat(work)))
        });
        let threads: Vec<_> = begun.collect();
        let alive = Alive::one(running);
        let taken = alive.with(|| gateway.take_all(until));
        let ended = |thread: thread::ScopedJoinHandle<'_, Result<(), DoseError>>| {
            thread.join().unwrap_or_else(|_| Err(DoseError::Internal("a thread of the gateway failed".into())))
        };
        threads.into_iter().map(ended).fold(taken, Result::and)
    });
    done.and_then(|()| if until == Until::Done { gateway.all_have_answered() } else { Ok(()) })
}

/// What a thread of the gateway does again and again; whether there was anything to do.
type Work<'a> = Box<dyn Fn(&Gateway) -> Result<bool, DoseError> + Send + 'a>;

/// A thread that runs.
struct Alive<'a>(&'a AtomicUsize);

impl<'a> Alive<'a> {
    fn one(running: &'a AtomicUsize) -> Self {
        running.fetch_add(1, Ordering::SeqCst);
        Self(running)
    }

    /// Does something, after which it runs no more.
    fn with<T>(self, work: impl FnOnce() -> T) -> T {
        work()
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Gateway {
    /// What is done again and again, each in a thread of its own.
    fn works(&self) -> Vec<Work<'_>> {
        let own: [Work<'_>; 3] =
            [Box::new(Gateway::compute_next), Box::new(Gateway::tell_due), Box::new(Gateway::delete_old)];
        let looking = (0..LOOKERS).map(|_| -> Work<'_> { Box::new(Gateway::look_at_studies) });
        let lines = self.config.destinations.iter().map(|one| Line::To(&one.name)).chain([Line::Nowhere]);
        let sending = lines.map(|line| -> Work<'_> { Box::new(move |gateway: &Gateway| gateway.deliver_due(line)) });
        let lists = self.config.worklists.iter().map(|one| Line::To(&one.name)).chain([Line::Nowhere]);
        let asking = lists.map(|line| -> Work<'_> { Box::new(move |gateway: &Gateway| gateway.follow_worklist(line)) });
        own.into_iter().chain(looking).chain(sending).chain(asking).collect()
    }

    /// Does something again and again, until the gateway ends, or it cannot be done.
    pub(super) fn repeat(&self, work: impl Fn(&Self) -> Result<bool, DoseError>) -> Result<(), DoseError> {
        let _end = EndsAll(&self.stops);
        while !self.is_stopping() {
            let start = Instant::now();
            if !work(self)? {
                // Where much waits, a look at it takes a while: it is not all that is done.
                thread::sleep((4 * start.elapsed()).clamp(LOOK, LONGEST_LOOK));
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

    /// Ends all once it is told to. What is idle ends at once; what is in the middle of something has [`DRAIN`] for it.
    fn end_when_told(&self, is_told: &impl Fn() -> bool, running: &AtomicUsize, overdue: &impl Fn()) {
        while !self.is_stopping() {
            if is_told() {
                self.stops.store(true, Ordering::SeqCst);
            } else {
                thread::sleep(LOOK);
            }
        }
        let start = Instant::now();
        while self.end_idle_callers() + running.load(Ordering::SeqCst) > 0 {
            if start.elapsed() > DRAIN {
                return overdue();
            }
            thread::sleep(REST);
        }
    }

    /// Takes what comes.
    fn take_all(&self, until: Until) -> Result<(), DoseError> {
        let _end = EndsAll(&self.stops);
        let mut asked: Option<Instant> = None;
        loop {
            if self.is_stopping() {
                return Ok(());
            }
            self.check_audit()?;
            let mut came = 0;
            let is_due = until == Until::Done && asked.is_none_or(|at| at.elapsed() >= self.config.poll);
            if is_due {
                came += self.config.sources.iter().map(|source| self.ask_source(source)).sum::<usize>();
                asked = Some(Instant::now());
            }
            came += self.take_spool()?;
            if is_due && came == 0 && !self.has_work()? {
                return Ok(());
            }
            thread::sleep(LOOK);
        }
    }

    /// Whether something is left to do that waits neither for somebody nor for more of a study.
    pub(super) fn has_work(&self) -> Result<bool, DoseError> {
        for item in self.ledger.items()? {
            if self.has_to_tell_worklist(&item) {
                return Ok(true);
            }
            let waits = match item.state {
                State::Received => {
                    let study: Option<StudyRecord> = self.ledger.get(Table::Studies, &item.study)?;
                    study.is_some_and(|study| study.last_ms == item.looked_ms && !self.is_silent(&study).1)
                }
                // A report may have come that its item has not followed yet.
                State::Sent => item.stays_sent(),
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
}
