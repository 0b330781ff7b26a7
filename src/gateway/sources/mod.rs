//! Where studies come from. Each source puts files into the spool, where they are safe before anybody is told so.

mod folder;
mod orthanc;
mod store;
mod web;

pub(super) use store::{Caller, Places};

use std::convert::Infallible;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use super::config::{Source, SourceKind};
use super::intake::{Origin, sync};
use super::ledger::Table;
use super::{EndsAll, Gateway};
use crate::domain::DoseError;

/// Most bytes of a file that is taken.
const MAX_BYTES: u64 = 4 << 30;
/// How often it is looked whether the gateway ends.
const LOOK: Duration = Duration::from_millis(100);
/// How long processes of a lost gateway are waited for, and between two tries.
const LEFT_PATIENCE: Duration = Duration::from_secs(3);
const LEFT_REST: Duration = Duration::from_millis(20);

/// Listens; what cannot be listened on is known before anything else begins.
pub(super) fn listen(address: SocketAddr) -> Result<TcpListener, DoseError> {
    let cannot = |error: io::Error| DoseError::invalid("config", format!("cannot listen on {address}: {error}"));
    let listener = TcpListener::bind(address).map_err(cannot)?;
    listener.set_nonblocking(true).map_err(cannot)?;
    Ok(listener)
}

/// Does something that has no end, until the gateway ends.
pub(super) fn until_stopped(gateway: &Gateway, work: impl Future<Output = io::Result<Infallible>>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stopped = async {
        while !gateway.is_stopping() {
            tokio::time::sleep(LOOK).await;
        }
    };
    runtime.block_on(async {
        tokio::select! {
            ended = work => ended.map(|never| match never {}),
            () = stopped => Ok(()),
        }
    })
}

/// Whether an address may call; where none is named, this machine may.
fn admits(addresses: &[IpAddr], address: IpAddr) -> bool {
    let address = address.to_canonical();
    if addresses.is_empty() {
        return address.is_loopback();
    }
    addresses.iter().any(|known| known.to_canonical() == address)
}

impl Gateway {
    /// Asks a source, if it is one that does not call by itself. How many files came.
    pub(super) fn ask_source(&self, source: &Source) -> usize {
        let asked = match &source.kind {
            SourceKind::Folder { path, deletes } => self.scan_folder(source, path, *deletes),
            SourceKind::Orthanc { url, login } => self.follow_orthanc(source, url, login.as_ref()),
            SourceKind::Store(_) | SourceKind::Web(_) => Ok(0),
        };
        self.has_answered(&format!("source {}", source.name), asked.as_ref().err());
        asked.unwrap_or_else(|error| {
            // It is asked again.
            self.metrics.source_failed(&source.name);
            tracing::warn!(source = source.name, %error, "a source does not answer");
            0
        })
    }

    /// Asks a source again and again, until the gateway ends. One that is silent holds up no other.
    pub(super) fn follow_source(&self, source: &Source) {
        let _end = EndsAll(&self.stops);
        while !self.is_stopping() {
            self.ask_source(source);
            let asked = Instant::now();
            thread::sleep(LOOK);
            while asked.elapsed() < self.config.poll && !self.is_stopping() {
                thread::sleep(LOOK);
            }
        }
    }

    /// Notes whether a source or a worklist has answered.
    ///
    /// * `who` – for a reader
    pub(super) fn has_answered(&self, who: &str, error: Option<&DoseError>) {
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            Some(error) => silent.insert(who.to_owned(), error.to_string()),
            None => silent.remove(who),
        };
    }

    /// Sources and worklists that did not answer when they were asked last, each with the reason.
    ///
    /// # Errors
    /// If there are any.
    pub(super) fn all_have_answered(&self) -> Result<(), DoseError> {
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        if silent.is_empty() {
            return Ok(());
        }
        let each: Vec<String> = silent.iter().map(|(who, reason)| format!("{who}: {reason}")).collect();
        Err(DoseError::Io(format!("gateway: not all have answered, what they have is not known: {}", each.join("; "))))
    }

    /// Puts a whole file into the spool; it is on the disk when this returns.
    pub(super) fn spool(&self, file: NamedTempFile, origin: &Origin) -> io::Result<()> {
        file.as_file().sync_all()?;
        let spool = self.at("spool");
        file.persist(spool.join(origin.file_name()))?;
        sync(&spool)?;
        self.metrics.received(&origin.source);
        Ok(())
    }

    /// A file that is being received.
    fn receiving(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new().prefix("new-").suffix(".part").tempfile_in(self.at("receiving"))
    }

    /// Drops what was being received, computed or read back when the process was lost: nobody was told that it came,
    /// and nothing of a study stays that was dropped.
    pub(super) fn clear_unfinished(&self) -> io::Result<()> {
        for name in ["receiving", "work"] {
            for entry in fs::read_dir(self.at(name))? {
                let path = entry?.path();
                if let Err(error) = remove(&path) {
                    tracing::warn!(path = %path.display(), %error, "what is left of a lost process cannot be deleted");
                }
            }
        }
        self.clear_forgotten()?;
        self.clear_old_results()
    }

    /// Deletes what is left of studies that were being forgotten when the process was lost. A file that has its place,
    /// and is not known yet, lies in the spool too.
    fn clear_forgotten(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.at("studies"))? {
            let entry = entry?;
            let start = format!("{}/", entry.file_name().to_string_lossy());
            let known = self.ledger.list::<serde_json::Value>(Table::Instances, &start).map_err(io::Error::other)?;
            if known.is_empty() {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }
}

/// Deletes a file or folder. A process of a lost gateway, which ends by itself, may still write into it.
fn remove(path: &Path) -> io::Result<()> {
    let start = Instant::now();
    loop {
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(_) if start.elapsed() < LEFT_PATIENCE => thread::sleep(LEFT_REST),
            done => return done,
        }
    }
}

fn failed(what: &str, error: &impl std::fmt::Display) -> DoseError {
    DoseError::Io(format!("{what}: {error}"))
}

fn origin(source: &Source) -> Origin {
    Origin { source: source.name.clone(), calling: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_may_call_where_nothing_is_said() {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert!(admits(&[], address("127.0.0.1")) && admits(&[], address("::1")));
        assert!(!admits(&[], address("10.0.0.1")));
        let one = [address("10.0.0.1")];
        assert!(admits(&one, address("10.0.0.1")) && admits(&one, address("::ffff:10.0.0.1")));
        assert!(!admits(&one, address("127.0.0.1")));
    }
}
