//! What people ask of a gateway: a running one by a socket in its folder, one that is stopped by its ledger. Either way
//! the ledger has one process that changes it.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::getuid;
use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;

use super::config::Config;
use super::delivery::{has_arrived, has_come_to};
use super::ledger::{Change, LedgerError, Table};
use super::record::{DeliveryState, Item, StudyRecord};
use super::{Gateway, OpenError, State, record_of};
use crate::domain::DoseError;

/// The socket.
const SOCKET: &str = "control.sock";
/// How long a question may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most bytes of a question.
const MAX_BYTES: u64 = 1 << 20;
/// Longest name of somebody whom a question is asked for [bytes].
const MAX_NAME_BYTES: usize = 128;
/// How often it is looked whether the gateway ends.
const LOOK: Duration = Duration::from_millis(100);

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// All items, the oldest first.
    List,
    /// One item.
    Show(String),
    /// Put aside or skipped: try again.
    Retry(Vec<String>),
    /// Nothing more is done with it, and its study is forgotten.
    Drop(Vec<String>),
    /// Held: send it.
    Release(Vec<String>),
}

impl Asked {
    /// Whether it may be asked twice.
    fn changes_nothing(&self) -> bool {
        match self {
            Self::List | Self::Show(_) => true,
            Self::Retry(_) | Self::Drop(_) | Self::Release(_) => false,
        }
    }
}

/// A question, and for whom it is asked where that is not the user of this machine who asks.
#[derive(Serialize, Deserialize)]
struct Question {
    asked: Asked,
    asked_for: Option<String>,
}

type Answer = Result<Vec<Item>, String>;

/// Asks a gateway, running or not.
///
/// # Errors
/// What it refuses, or that it cannot be asked.
pub fn ask(config: Config, program: PathBuf, asked: &Asked) -> Result<Vec<Item>, DoseError> {
    let refused = |reason: String| DoseError::invalid("gateway", reason);
    let failed = |error: io::Error| DoseError::Io(format!("gateway: no answer: {error}"));
    let socket = config.folder.join(SOCKET);
    let start = Instant::now();
    loop {
        if let Ok(stream) = UnixStream::connect(&socket) {
            match ask_running(stream, asked, None) {
                // It ended before it took the question.
                Err(error) if is_unheard(&error) && asked.changes_nothing() && start.elapsed() < PATIENCE => continue,
                answer => return answer.map_err(failed)?.map_err(refused),
            }
        }
        if !config.folder.join(super::LEDGER).exists() {
            let words = "is not the folder of a gateway: none has run there";
            return Err(refused(format!("{} {words}", config.folder.display())));
        }
        match Gateway::open(config.clone(), program.clone()) {
            Ok(gateway) => return gateway.answer(asked, &user_name(getuid().as_raw())).map_err(refused),
            // One begins or ends: its socket is there soon, or its folder free.
            Err(OpenError::InUse) if start.elapsed() < PATIENCE => {}
            Err(OpenError::InUse) => return Err(DoseError::Io("gateway: it starts or ends; try again".into())),
            Err(OpenError::Other(reason)) => return Err(DoseError::Io(format!("gateway: {reason}"))),
        }
    }
}

/// Whether an answer failed because nobody took the question.
fn is_unheard(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof)
}

/// Asks a gateway that runs, for somebody who is known by a name. Its ledger and audit log have that name.
///
/// # Errors
/// What it refuses; [`DoseError::Io`] if no gateway runs in the folder, or this user may not ask it.
pub fn ask_for(folder: &Path, asked: &Asked, name: &str) -> Result<Vec<Item>, DoseError> {
    let none = |error: io::Error| DoseError::Io(format!("gateway: it cannot be asked: {error}"));
    let failed = |error: io::Error| DoseError::Io(format!("gateway: no answer: {error}"));
    let stream = UnixStream::connect(folder.join(SOCKET)).map_err(none)?;
    let answer = ask_running(stream, asked, Some(name.to_owned())).map_err(failed)?;
    answer.map_err(|reason| DoseError::invalid("gateway", reason))
}

/// A user of this machine in ledger and audit log.
fn user_name(user: u32) -> String {
    format!("uid {user}")
}

fn ask_running(mut stream: UnixStream, asked: &Asked, asked_for: Option<String>) -> io::Result<Answer> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&serde_json::to_vec(&Question { asked: asked.clone(), asked_for })?)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// Where a running gateway is asked. Whoever may enter its folder may ask: its owner.
pub(super) struct Door {
    path: PathBuf,
    listener: std::os::unix::net::UnixListener,
}

impl Door {
    /// # Errors
    /// If the socket cannot be made: its path may be too long.
    pub(super) fn open(folder: &Path) -> Result<Self, DoseError> {
        let path = folder.join(SOCKET);
        // One of a process that is gone: the folder is locked by this one.
        let _ = fs::remove_file(&path);
        let listener = std::os::unix::net::UnixListener::bind(&path);
        let listener = listener.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
        let listener = listener.map_err(|error| {
            DoseError::invalid("config", format!("folder: no socket {} can be made: {error}", path.display()))
        })?;
        Ok(Self { path, listener })
    }

    /// Answers, until the gateway ends.
    pub(super) fn serve(self, gateway: &Gateway) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let served = runtime.and_then(|runtime| {
            let listener = {
                let _inside = runtime.enter();
                UnixListener::from_std(self.listener)?
            };
            runtime.block_on(async {
                while !gateway.is_stopping() {
                    let Ok(accepted) = tokio::time::timeout(LOOK, listener.accept()).await else { continue };
                    let answered = accepted.and_then(|(stream, _)| {
                        let user = stream.peer_cred()?.uid();
                        answer_one(stream.into_std()?, gateway, user)
                    });
                    // One that fails is no reason to answer no other.
                    if let Err(error) = answered {
                        tracing::warn!(%error, "a question was not answered");
                        tokio::time::sleep(LOOK).await;
                    }
                }
                Ok(())
            })
        });
        if let Err(error) = served {
            tracing::error!(%error, "nobody can ask this gateway any more");
        }
        let _ = fs::remove_file(self.path);
    }
}

fn answer_one(mut stream: UnixStream, gateway: &Gateway, user: u32) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut bytes = Vec::new();
    (&stream).take(MAX_BYTES).read_to_end(&mut bytes)?;
    let answer: Answer = match serde_json::from_slice(&bytes) {
        Ok(Question { asked, asked_for: None }) => gateway.answer(&asked, &user_name(user)),
        Ok(Question { asked, asked_for: Some(name) }) if is_name(&name) => {
            gateway.answer(&asked, &format!("{} for {name}", user_name(user)))
        }
        Ok(_) => Err("the name is too long, or has a control character".to_owned()),
        Err(_) => Err("the question is not understood: is it of another version?".to_owned()),
    };
    stream.write_all(&serde_json::to_vec(&answer)?)
}

/// Whether a text can stand for somebody in ledger and audit log.
fn is_name(text: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// The later version for which an item is not tried again: where it is to be sent, it has come to each destination that
/// the item failed at; where it is to be looked at again, to any.
fn left_to<'a>(item: &Item, to: State, versions: &'a [Item]) -> Option<&'a Item> {
    let later = || versions.iter().filter(|other| other.version > item.version);
    if to != State::Released {
        return later().find(|other| other.deliveries.iter().any(has_arrived));
    }
    let mut failed = item.deliveries.iter().filter(|one| one.state == DeliveryState::Failed);
    let first = failed.next().and_then(|one| later().find(|other| has_come_to(other, &one.to)))?;
    failed.all(|one| later().any(|other| has_come_to(other, &one.to))).then_some(first)
}

impl Gateway {
    /// Answers a question. Several items are changed all or none.
    ///
    /// * `user` – who asks, as ledger and audit log say it
    pub(super) fn answer(&self, asked: &Asked, user: &str) -> Answer {
        let words = |error: LedgerError| error.to_string();
        match asked {
            Asked::List => self.ledger.items().map_err(words),
            Asked::Show(id) => self.ledger.change(|change| change.item(id)).map(|item| vec![item]).map_err(words),
            Asked::Retry(ids) => self.each(ids, user, retry),
            Asked::Drop(ids) => self.drop_each(ids, user),
            Asked::Release(ids) => self.each(ids, user, release),
        }
    }

    /// Changes items in one transaction: all, or none.
    fn each(
        &self,
        ids: &[String],
        user: &str,
        work: impl Fn(&Change<'_>, &str, &str) -> Result<Item, LedgerError>,
    ) -> Answer {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let done = self.audited_each(
            |change| ids.iter().map(|id| work(change, id, user)).collect::<Result<Vec<Item>, LedgerError>>(),
            |items| items.iter().map(|item| record_of(item, Some(user))).collect(),
        );
        done.map_err(|error| error.to_string())
    }

    fn drop_each(&self, ids: &[String], user: &str) -> Answer {
        let _studies = self.studies.lock();
        let items = self.each(ids, user, drop_item)?;
        for item in items.iter().filter(|item| !item.study.is_empty()) {
            let folder = self.study_folder(&item.study);
            let has_files = self.ledger.change(|change| change.has_any(Table::Instances, &files_of(&item.study)));
            if folder.exists() && !has_files.map_err(|error| error.to_string())? {
                fs::remove_dir_all(&folder).map_err(|error| format!("its files cannot be deleted: {error}"))?;
            }
        }
        Ok(items)
    }
}

fn release(change: &Change<'_>, id: &str, user: &str) -> Result<Item, LedgerError> {
    let item = change.item(id)?;
    if item.state != State::Held {
        return Err(LedgerError::NoWay { id: id.to_owned(), from: item.state, to: State::Released });
    }
    let reason = format!("released by {user}");
    change.advance(id, State::Released, &reason, |item| item.released_by = Some(user.to_owned()))
}

/// What was computed goes to its destinations again; anything else is looked at again.
fn retry(change: &Change<'_>, id: &str, user: &str) -> Result<Item, LedgerError> {
    let item = change.item(id)?;
    let has_failed = item.deliveries.iter().any(|one| one.state == DeliveryState::Failed);
    let to = if item.state == State::Aside && has_failed { State::Released } else { State::Received };
    if item.study.is_empty() || !matches!(item.state, State::Aside | State::Skipped) {
        return Err(LedgerError::NoWay { id: id.to_owned(), from: item.state, to });
    }
    let versions = change.versions(&item.study)?;
    if let Some(later) = left_to(&item, to, &versions) {
        return Err(LedgerError::Older { id: id.to_owned(), later: later.id.clone() });
    }
    if to == State::Received && !change.has_any(Table::Instances, &files_of(&item.study))? {
        return Err(LedgerError::Forgotten(id.to_owned()));
    }
    forgive(change, &item.study)?;
    change.advance(id, to, &format!("tried again, asked by {user}"), |item| {
        (item.looked_ms, item.deleted_ms) = (0, None);
        (item.failures, item.next_ms) = (0, 0);
        for one in item.deliveries.iter_mut().filter(|one| one.state == DeliveryState::Failed) {
            (one.state, one.attempts, one.next_ms) = (DeliveryState::Waiting, 0, 0);
            (one.transaction, one.unanswered) = (None, false);
        }
    })
}

/// Ends an item, and forgets the files of its study: sent again, they are new. A version that is still to be computed
/// keeps them.
fn drop_item(change: &Change<'_>, id: &str, user: &str) -> Result<Item, LedgerError> {
    let item = change.advance(id, State::Skipped, &format!("dropped by {user}"), |_| {})?;
    let needs_files = |other: &Item| matches!(other.state, State::Received | State::Ready);
    if !item.study.is_empty() && !change.versions(&item.study)?.iter().any(needs_files) {
        forget_files(change, &item.study)?;
    }
    Ok(item)
}

/// Forgets the files of a study: sent again, they are new.
pub(super) fn forget_files(change: &Change<'_>, study: &str) -> Result<(), LedgerError> {
    for (key, _) in change.list::<serde_json::Value>(Table::Instances, &files_of(study))? {
        change.remove(Table::Instances, &key)?;
    }
    forgive(change, study)
}

/// What the keys of a study's files begin with.
fn files_of(study: &str) -> String {
    format!("{study}/")
}

/// Forgets which instances of a study came again with other bytes.
fn forgive(change: &Change<'_>, study: &str) -> Result<(), LedgerError> {
    match change.get::<StudyRecord>(Table::Studies, study)? {
        None => Ok(()),
        Some(record) => change.put(Table::Studies, study, &StudyRecord { conflicts: Vec::new(), ..record }),
    }
}
