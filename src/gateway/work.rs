//! The computation: `dosegrid study` in a process of its own, under limits.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::config::Limits;
use super::ledger::{Change, LedgerError, Table};
use super::record::{Delivery, DeliveryState, Item, Object};
use super::{Gateway, Rule, State, doubled, has_come, intake, later_ms};
use crate::domain::{DoseError, Invalid};
use crate::formats::dicom::{self, Unread};
use crate::metrics::Computed;

/// Most bytes that are kept of what a process says.
const MAX_SAID_BYTES: u64 = 1 << 16;
/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How long the question whether something can be computed may take.
const QUESTION: Limits = Limits { memory_mib: 16_384, time: Duration::from_secs(900) };
/// How often a computation is tried that fails for another reason than its input, such as a full disk; and one that
/// takes too long. The first wait doubles: over half an hour.
const TRIES: u32 = 6;
const TRIES_IF_SLOW: u32 = 2;
const WAIT: Duration = Duration::from_secs(60);
/// Exit status of bad input.
const EXIT_BAD_INPUT: i32 = 2;

/// How a process ended.
enum Ended {
    Done,
    /// What it said of its input.
    Refused(Vec<String>),
    Failed(String),
    TookTooLong(String),
    /// The gateway is to end.
    Stopped,
}

/// Why something was not computed.
#[derive(Clone, Debug)]
pub(super) struct Undone {
    pub(super) reason: String,
    /// How often it is tried in all.
    pub(super) tries: u32,
}

impl Undone {
    /// What its input, or what was made, is the reason of.
    fn for_good(reason: String) -> Self {
        Self { reason, tries: 1 }
    }
}

/// How long after so many failures a computation is tried again.
fn wait(failures: u32) -> Duration {
    doubled(WAIT, failures, Duration::MAX)
}

/// Runs this program. It ends with this process: its standard input is then closed.
fn run_limited(program: &Path, words: &[String], limits: Limits, is_stopping: impl Fn() -> bool) -> Ended {
    let mut command = Command::new(program);
    command.args(words).arg("--end-with-stdin").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Ended::Failed(format!("the process does not start: {error}")),
    };
    let bytes = limits.memory_mib.saturating_mul(1 << 20);
    let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
    let limited = prlimit(Some(Pid::from_child(&child)), Resource::As, limit);
    let said = child.stderr.take().map(|pipe| std::thread::spawn(move || said(pipe)));
    let start = Instant::now();
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Ok(status),
            Ok(None) if is_stopping() => break Err(Ended::Stopped),
            Ok(None) if start.elapsed() > limits.time => {
                break Err(Ended::TookTooLong(format!("it takes longer than {} s", limits.time.as_secs())));
            }
            Ok(None) => std::thread::sleep(LOOK),
            Err(error) => break Err(Ended::Failed(format!("the process cannot be waited for: {error}"))),
        }
    };
    // One that has ended cannot be killed.
    let _ = child.kill();
    let _ = child.wait();
    let said = said.and_then(|thread| thread.join().ok()).unwrap_or_default();
    let faults = || said.lines().filter_map(|line| line.strip_prefix("error: ")).map(str::to_owned).collect();
    match (ended, limited) {
        (Err(ended), _) => ended,
        (Ok(_), Err(error)) => Ended::Failed(format!("its memory cannot be limited: {error}")),
        (Ok(status), Ok(_)) if status.success() => Ended::Done,
        (Ok(status), Ok(_)) if status.code() == Some(EXIT_BAD_INPUT) => Ended::Refused(faults()),
        (Ok(status), Ok(_)) => {
            let faults: Vec<String> = faults();
            Ended::Failed(format!("the process ended by {status}: {}", faults.join("; ")))
        }
    }
}

/// The end of what a process says, in bounds.
fn said(mut pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    // A process that says too much is read to its end all the same.
    let _ = pipe.by_ref().take(MAX_SAID_BYTES).read_to_end(&mut bytes);
    let _ = io::copy(&mut pipe, &mut io::sink());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Why the computation would refuse a study; empty: it would not.
///
/// # Errors
/// If it cannot be asked.
pub(super) fn study_faults(
    program: &Path,
    folder: &Path,
    words: &[String],
    is_stopping: &dyn Fn() -> bool,
) -> Result<Vec<String>, String> {
    let mut all = vec!["study".to_owned(), folder.display().to_string(), "--dry-run".to_owned()];
    all.extend_from_slice(words);
    match run_limited(program, &all, QUESTION, is_stopping) {
        Ended::Done => Ok(Vec::new()),
        Ended::Refused(faults) if faults.is_empty() => Ok(vec!["the words of the rule are not understood".to_owned()]),
        Ended::Refused(faults) => Ok(faults),
        Ended::Failed(reason) | Ended::TookTooLong(reason) => Err(reason),
        Ended::Stopped => Err("the gateway ends".to_owned()),
    }
}

/// Computes a study into a folder.
///
/// # Errors
/// Why it was not done; none if it was stopped.
pub(super) fn compute(
    program: &Path,
    (input, output): (&Path, &Path),
    words: &[String],
    limits: Limits,
    is_stopping: impl Fn() -> bool,
) -> Result<(), Option<Undone>> {
    let path = |path: &Path| path.display().to_string();
    let mut all = vec!["study".to_owned(), path(input), "--output".to_owned(), path(output), "--quiet".to_owned()];
    all.extend_from_slice(words);
    match run_limited(program, &all, limits, is_stopping) {
        Ended::Done => Ok(()),
        Ended::Refused(faults) => Err(Some(Undone::for_good(faults.join("; ")))),
        Ended::Failed(reason) => Err(Some(Undone { reason, tries: TRIES })),
        Ended::TookTooLong(reason) => Err(Some(Undone { reason, tries: TRIES_IF_SLOW })),
        Ended::Stopped => Err(None),
    }
}

/// The objects in a folder of results that a rule sends.
///
/// # Errors
/// If one is not there, or is no DICOM object that can be read.
pub(super) fn objects(folder: &Path, rule: &Rule) -> Result<Vec<Object>, Undone> {
    let mut found = Vec::new();
    let bad = |reason: String| Err(Undone::for_good(reason));
    for kind in &rule.send {
        let path = folder.join(kind.file());
        let words = |error: Invalid| format!("{} {error}", kind.file());
        let outlines = dicom::outlines_or_why(&path).map_err(|why| {
            let tries = if matches!(why, Unread::Refused(_)) { 1 } else { TRIES };
            Undone { reason: words(why.reason()), tries }
        })?;
        let Some(outline) = outlines.into_iter().next().and_then(|one| one.found.ok()) else {
            return bad(format!("{} is no DICOM object", kind.file()));
        };
        if let Some(missing) = outline.missing.first() {
            return bad(format!("{} lacks {missing}, which its IOD wants", kind.file()));
        }
        let Some(digest) = outline.content else {
            return bad(format!("{} is not what this program makes", kind.file()));
        };
        found.push(Object {
            file: kind.file().to_owned(),
            digest,
            class: outline.class,
            instance: outline.instance,
            series: outline.series,
            study: outline.study,
        });
    }
    Ok(found)
}

impl Gateway {
    /// Computes the study that is ready longest, of those that wait for no workitem. Whether there was one.
    pub(super) fn compute_next(&self) -> Result<bool, DoseError> {
        let mut ready = self.ledger.items_in(State::Ready)?.into_iter();
        let is_due = |item: &Item| has_come(item.next_ms, wait(item.failures)) && !self.waits_for_workitem(item);
        let Some(item) = ready.find(is_due) else { return Ok(false) };
        let rule = item.rule.as_deref().and_then(|name| self.config.rule(name));
        let Some(rule) = rule else {
            self.settle_waiting(&item, State::Received, "its rule is no longer there", |item| item.looked_ms = 0)?;
            return Ok(true);
        };
        // No process of a lost gateway has the same.
        let work = self.at("work").join(format!("{}-{}", item.id, uuid::Uuid::now_v7().simple()));
        let failed = |error: io::Error| DoseError::Io(format!("gateway: the folder of the computation: {error}"));
        let (input, output) = (work.join("input"), work.join("output"));
        fs::create_dir_all(&input).map_err(failed)?;
        if let Err(reason) = self.link_inputs(&item, &input) {
            let _ = fs::remove_dir_all(&work);
            self.settle_waiting(&item, State::Aside, &reason, |_| {})?;
            return Ok(true);
        }
        let places = (input.as_path(), output.as_path());
        // What nobody waits for any more is not computed to its end.
        let is_idle = || self.is_stopping() || !self.still_waits(&item);
        let done = compute(&self.program, places, &item.words, self.config.limits, is_idle);
        let done = done.and_then(|()| objects(&output, rule).map_err(Some));
        match &done {
            Err(None) => {}
            Err(Some(Undone { tries: 1, .. })) => self.metrics.computed(Computed::Refused),
            Err(Some(_)) => self.metrics.computed(Computed::Failed),
            Ok(_) => self.metrics.computed(Computed::Done),
        }
        match done {
            Err(None) => {}
            Err(Some(undone)) => self.not_computed(&item, &undone)?,
            Ok(objects) => self.computed(&item, rule, &output, objects).map_err(failed)?,
        }
        let _ = fs::remove_dir_all(&work);
        Ok(true)
    }

    /// Has a computation that failed tried again later, unless this was the last try.
    pub(super) fn not_computed(&self, item: &Item, undone: &Undone) -> Result<(), DoseError> {
        let Undone { reason, tries } = undone;
        let failures = item.failures + 1;
        if failures >= *tries {
            return self.settle_waiting(item, State::Aside, reason, |item| item.failures = failures);
        }
        let next_ms = later_ms(wait(failures));
        tracing::warn!(item = item.id, reason, failures, "a computation failed, and is tried again");
        self.ledger.change(|change| {
            let mut now = change.item(&item.id)?;
            // For other files it may be computed at once.
            if now.still_waits(item) {
                (now.failures, now.next_ms) = (failures, next_ms);
                now.reason = format!("waits to be tried again: {reason}");
                change.put(Table::Items, &now.id, &now)?;
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Takes an item on that waits for a computation, unless it waits for another by now, or for none: what was found
    /// of fewer files says nothing of more.
    fn settle_waiting(
        &self,
        found: &Item,
        to: State,
        reason: &str,
        more: impl FnOnce(&mut Item),
    ) -> Result<(), DoseError> {
        let still_waits = |change: &Change<'_>| {
            let now = change.item(&found.id)?;
            if now.still_waits(found) { Ok(()) } else { Err(LedgerError::NoWay { id: now.id, from: now.state, to }) }
        };
        self.settle_if(&found.id, to, reason, still_waits, more)
    }

    /// Whether an item waits for the same computation as when it was found. A ledger that fails says so elsewhere.
    fn still_waits(&self, item: &Item) -> bool {
        let now = self.ledger.get::<Item>(Table::Items, &item.id);
        now.map_or(true, |now| now.is_some_and(|now| now.still_waits(item)))
    }

    /// The files that an item is computed from, as they were when it became ready.
    fn link_inputs(&self, item: &Item, input: &Path) -> Result<(), String> {
        let folder = self.study_folder(&item.study);
        for (instance, digest) in &item.inputs {
            let name = intake::kept_name(instance);
            let from = folder.join(&name);
            if intake::digest_of(&from).ok().as_ref() != Some(digest) {
                return Err(format!("the file of the instance {instance} is not what it was; send the study again"));
            }
            fs::hard_link(&from, input.join(name)).map_err(|error| format!("a file cannot be linked: {error}"))?;
        }
        Ok(())
    }

    /// Keeps results, and lets them wait or go.
    pub(super) fn computed(&self, item: &Item, rule: &Rule, output: &Path, objects: Vec<Object>) -> io::Result<()> {
        if !self.still_waits(item) {
            return Ok(());
        }
        let place = self.results(&item.id);
        if place.exists() {
            fs::remove_dir_all(&place)?;
        }
        sync_all(output)?;
        fs::rename(output, &place)?;
        intake::sync(&self.at("results"))?;
        let delivery = |(object, to): (usize, &String)| Delivery {
            object,
            to: to.clone(),
            state: DeliveryState::Waiting,
            attempts: 0,
            next_ms: 0,
            said: String::new(),
            transaction: None,
            unanswered: false,
        };
        let pairs = (0..objects.len()).flat_map(|object| rule.destinations.iter().map(move |to| (object, to)));
        let deliveries: Vec<Delivery> = pairs.map(delivery).collect();
        let (next, reason) = if rule.waits {
            (State::Held, "waits for `dosegrid gateway release`")
        } else {
            (State::Released, "goes out by its rule")
        };
        let done = self.audited(
            |change| {
                let now = change.item(&item.id)?;
                if !now.still_waits(item) {
                    return Err(LedgerError::NoWay { id: now.id, from: now.state, to: State::Computed });
                }
                change.advance(&item.id, State::Computed, "", |item| {
                    item.objects = objects;
                    item.deliveries = deliveries;
                })?;
                let item = change.advance(&item.id, next, reason, |_| {})?;
                for object in &item.objects {
                    change.put(Table::Own, &object.instance, &item.id)?;
                }
                Ok(item)
            },
            |item| super::record_of(item, None),
        );
        match done {
            Ok(item) => {
                tracing::info!(item = item.id, state = item.state.name(), "computed");
                Ok(())
            }
            Err(LedgerError::NoWay { .. }) => {
                tracing::info!(item = item.id, "more of the study came while it was computed");
                Ok(())
            }
            Err(other) => Err(io::Error::other(other.to_string())),
        }
    }
}

/// What was to be done with an item is not done if it has gone on meanwhile.
pub(super) fn unless_it_went_on(done: Result<Item, LedgerError>) -> Result<(), DoseError> {
    match done {
        Ok(_) | Err(LedgerError::NoWay { .. }) => Ok(()),
        Err(other) => Err(other.into()),
    }
}

/// Makes the files of a folder last.
fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path: PathBuf = entry?.path();
        if path.is_dir() {
            sync_all(&path)?;
        } else {
            fs::File::open(&path)?.sync_all()?;
        }
    }
    intake::sync(folder)
}
