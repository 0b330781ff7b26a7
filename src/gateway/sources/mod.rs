//! Where studies come from. Each source puts files into the spool, where they are safe before anybody is told so.

mod folder;
mod orthanc;
mod store;

use std::fs;
use std::io;

use tempfile::NamedTempFile;

use super::Gateway;
use super::config::{Source, SourceKind};
use super::intake::{Origin, sync};
use crate::domain::DoseError;

/// Most bytes of a file that is taken.
const MAX_BYTES: u64 = 4 << 30;

impl Gateway {
    /// Asks the sources that do not call by themselves. How many files came.
    pub(super) fn ask_sources(&self) -> usize {
        let mut came = 0;
        for source in &self.config.sources {
            let asked = match &source.kind {
                SourceKind::Folder { path, deletes } => self.scan_folder(source, path, *deletes),
                SourceKind::Orthanc { url, login } => self.follow_orthanc(source, url, login.as_ref()),
                SourceKind::Store(_) => Ok(0),
            };
            match asked {
                Ok(count) => came += count,
                // It is asked again.
                Err(error) => tracing::warn!(source = source.name, %error, "a source does not answer"),
            }
        }
        came
    }

    /// Puts a whole file into the spool; it is on the disk when this returns.
    pub(super) fn spool(&self, file: NamedTempFile, origin: &Origin) -> io::Result<()> {
        file.as_file().sync_all()?;
        let spool = self.at("spool");
        file.persist(spool.join(origin.file_name()))?;
        sync(&spool)
    }

    /// A file that is being received.
    fn receiving(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new().prefix("new-").suffix(".part").tempfile_in(self.at("receiving"))
    }

    /// Drops what was being received when the process was lost: nobody was told that it came.
    pub(super) fn clear_receiving(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.at("receiving"))? {
            fs::remove_file(entry?.path())?;
        }
        Ok(())
    }
}

fn failed(what: &str, error: &impl std::fmt::Display) -> DoseError {
    DoseError::Io(format!("{what}: {error}"))
}

fn origin(source: &Source) -> Origin {
    Origin { source: source.name.clone(), calling: String::new() }
}
