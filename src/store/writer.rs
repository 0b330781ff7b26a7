//! The one thread that writes the ledger. Acts that wait together are committed together, so a crowd of callers costs
//! few syncs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::StoreError;
use super::change::{Change, Done, What};
use super::files::Folders;
use super::ledger::{Ledger, LedgerError, Table, Write};
use super::record::{JobRecord, Phase};
use super::state::State;
use crate::audit::{Chain, Head, Record, Sealed};
use crate::faults::{Fault, Faults};

/// Most acts of one transaction.
const MOST_TOGETHER: usize = 256;
/// The ledger's record of where the audit log ends, and of its last lines.
pub(super) const AUDIT_HEAD: &str = "head";

/// An act on the state, unless that cannot be written now, and how its caller learns of its end.
type Act = Box<dyn FnOnce(Result<&State, StoreError>) -> (Vec<Change>, Vec<Record>, Reply) + Send>;
type Reply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// What readers see: only what is safe on disk.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) state: RwLock<State>,
    /// Rises with every transaction.
    pub(super) version: watch::Sender<u64>,
    /// Nothing can be written any more.
    pub(super) is_broken: AtomicBool,
    /// Records written to the audit log.
    pub(super) audited: AtomicU64,
    /// Who hears of what happens, once there is somebody.
    pub(super) observer: OnceLock<Observer>,
}

/// What happens in a store, for metrics.
#[derive(Clone, Copy, Debug)]
pub enum StoreEvent<'a> {
    /// A transaction was made durable, with the audit log, in this time.
    Committed(Duration),
    /// A job has come to its final state.
    Ended(&'a JobRecord),
}

/// Hears of what happens.
pub(super) struct Observer(pub(super) Box<dyn Fn(StoreEvent<'_>) + Send + Sync>);

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observer").finish_non_exhaustive()
    }
}

impl Published {
    pub(super) fn new(state: State) -> Self {
        let (is_broken, audited) = (AtomicBool::new(false), AtomicU64::new(0));
        let observer = OnceLock::new();
        Self { state: RwLock::new(state), version: watch::channel(0).0, is_broken, audited, observer }
    }

    fn tell(&self, event: StoreEvent<'_>) {
        if let Some(Observer(hear)) = self.observer.get() {
            hear(event);
        }
    }

    /// Looks at the state.
    pub(super) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The way to the thread that writes.
#[derive(Debug)]
pub(super) struct Writer {
    acts: Mutex<Option<Sender<Act>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread owns.
pub(super) struct Books {
    pub(super) work: State,
    pub(super) ledger: Arc<Ledger>,
    pub(super) folders: Folders,
    pub(super) published: Arc<Published>,
    pub(super) chain: Chain,
    pub(super) head: Head,
    pub(super) faults: Faults,
    pub(super) ledger_bytes: u64,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(books: Books) -> std::io::Result<Self> {
        let (sender, acts) = channel();
        let thread = thread::Builder::new().name("store".into()).spawn(move || books.run(&acts))?;
        Ok(Self { acts: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    /// Acts on the state, and waits until what it changed is safe on disk. An act that refuses changes nothing. Where
    /// the disk has too little room for the ledger, all are refused, and nothing is touched.
    pub(super) fn write<T: Send + 'static>(
        &self,
        act: impl FnOnce(&State) -> Result<Done<T>, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = sync_channel(1);
        let act: Act = Box::new(move |state| match state.and_then(act) {
            Ok(Done { value, changes, events }) => (changes, events, told(reply, value)),
            Err(error) => {
                // The caller may have gone.
                let _ = reply.send(Err(error));
                (Vec::new(), Vec::new(), Box::new(|_| {}))
            }
        });
        let sender = self.acts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        sender.ok_or(StoreError::Unavailable)?.send(act).map_err(|_| StoreError::Unavailable)?;
        answer.recv().map_err(|_| StoreError::Unavailable)?
    }

    /// Ends the thread after what was asked for before.
    pub(super) fn close(&self) {
        drop(self.acts.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

fn told<T: Send + 'static>(reply: SyncSender<Result<T, StoreError>>, value: T) -> Reply {
    Box::new(move |outcome| {
        // The caller may have gone.
        let _ = reply.send(outcome.map(|()| value));
    })
}

impl Books {
    fn run(mut self, acts: &Receiver<Act>) {
        while let Ok(first) = acts.recv() {
            let more = std::iter::from_fn(|| acts.try_recv().ok()).take(MOST_TOGETHER - 1);
            let together: Vec<Act> = std::iter::once(first).chain(more).collect();
            self.perform(together);
        }
    }

    fn perform(&mut self, acts: Vec<Act>) {
        let (mut changes, mut writes, mut events, mut replies) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        // Where the system does not tell, the ledger does.
        let mut room = self.folders.free_bytes().ok();
        for act in acts {
            if self.published.is_broken.load(Ordering::Acquire) {
                break;
            }
            // What was written in part would close the store.
            let has_room = room.is_none_or(|room| room >= self.ledger_bytes);
            let (changed, told, reply) = act(if has_room { Ok(&self.work) } else { Err(StoreError::Full) });
            let written: serde_json::Result<Vec<Vec<Write>>> = changed.iter().map(Change::writes).collect();
            match written {
                Ok(written) => {
                    let new: u64 = written.iter().flatten().map(Write::most_bytes).sum();
                    room = room.map(|room| room.saturating_sub(new));
                    writes.extend(written.into_iter().flatten());
                }
                Err(error) => {
                    tracing::error!(%error, "an act is refused: the ledger could not be read after it");
                    reply(Err(StoreError::Unavailable));
                    continue;
                }
            }
            changed.iter().for_each(|change| self.work.apply(change));
            changes.extend(changed);
            events.extend(told);
            replies.push(reply);
        }
        let outcome = self.commit(writes, &events);
        if outcome.is_err() {
            // The memory is ahead of the disk from now on, and what the disk holds is unknown.
            self.published.is_broken.store(true, Ordering::Release);
            self.published.version.send_modify(|version| *version += 1);
        } else if !changes.is_empty() {
            let mut state = self.published.state.write().unwrap_or_else(PoisonError::into_inner);
            let mut ended = Vec::new();
            for change in &changes {
                if let What::Job(job) = &change.what
                    && job.state().is_final()
                {
                    ended.push(job.clone());
                }
                state.apply(change);
            }
            drop(state);
            self.published.version.send_modify(|version| *version += 1);
            ended.iter().for_each(|job| self.published.tell(StoreEvent::Ended(job)));
        }
        if outcome.is_ok() {
            self.remove_files(&changes);
        }
        replies.into_iter().for_each(|reply| reply(outcome.clone()));
    }

    /// Records and audit records in one transaction, then the audit log.
    fn commit(&mut self, mut writes: Vec<Write>, events: &[Record]) -> Result<(), StoreError> {
        if writes.is_empty() && events.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        let sealed: Vec<Sealed> = events.iter().map(|event| self.head.seal(event)).collect();
        if !sealed.is_empty() {
            writes.push(Write::put(Table::Audit, AUDIT_HEAD.to_owned(), audit_record(&self.head, &sealed)));
        }
        let injected = |_| LedgerError::injected();
        let writable = if self.faults.strikes(Fault::Fsync) { Err(()) } else { Ok(()) };
        writable.map_err(injected).and_then(|()| self.ledger.commit(&writes)).map_err(|error| {
            tracing::error!(%error, "the ledger cannot be written; the store is closed until a restart");
            StoreError::Unavailable
        })?;
        self.chain.append(&sealed).map_err(|error| {
            tracing::error!(%error, "the audit log cannot be written; the store is closed until a restart");
            StoreError::Unavailable
        })?;
        self.published.audited.fetch_add(sealed.len() as u64, Ordering::Relaxed);
        self.published.tell(StoreEvent::Committed(begun.elapsed()));
        Ok(())
    }

    /// Removes the files of what is not named any more.
    fn remove_files(&self, changes: &[Change]) {
        for Change { tenant, what } in changes {
            if let What::Volume(digest, record) = what
                && record.phase == Phase::Damaged
                && self.work.tenant(tenant).is_some_and(|tenant| tenant.volumes.get(digest) == Some(record))
            {
                self.folders.remove_part(tenant, digest);
            }
            if let What::NoVolume(digest) = what
                && self.work.tenant(tenant).is_none_or(|tenant| !tenant.volumes.contains_key(digest))
            {
                self.folders.remove_volume(tenant, digest);
            }
            if let What::Job(job) = what
                && job.state().is_final()
                && job.checkpoint > 0
            {
                self.folders.remove_checkpoint(job.id, job.checkpoint);
            }
        }
    }
}

/// Where the audit log ends, and the lines of the last transaction, which its file may not have yet.
fn audit_record(head: &Head, sealed: &[Sealed]) -> Vec<u8> {
    let lines: Vec<(u64, &str)> = sealed.iter().map(|line| (line.seq, line.line.as_str())).collect();
    serde_json::to_vec(&(head, lines)).expect("plain data")
}

/// The same, read.
pub(super) fn read_audit_record(bytes: &[u8]) -> Option<(Head, Vec<Sealed>)> {
    let (head, lines): (Head, Vec<(u64, String)>) = serde_json::from_slice(bytes).ok()?;
    Some((head, lines.into_iter().map(|(seq, line)| Sealed { seq, line }).collect()))
}
