//! An object on its way to a destination, and what the destination has of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::config::{Destination, DestinationKind};
use super::intake;
use super::record::{DeliveryState, Object};
use crate::domain::{DoseError, Invalid};
use crate::formats::atomic;
use crate::formats::dicom::{self, Unread};
use crate::pacs::{self, Instance, Web};

/// Bytes beside those of the file that an archive may give back: its own file meta information.
const MORE_BYTES: u64 = 1 << 20;

/// What an attempt found.
enum Found {
    /// It has what was sent.
    Equal,
    /// It has something else under the UID.
    Other,
    /// It does not have it.
    Nothing,
}

/// An object and where it goes.
pub(super) struct Sending<'a> {
    pub(super) destination: &'a Destination,
    pub(super) object: &'a Object,
    pub(super) path: &'a Path,
    /// For what is read back.
    pub(super) work: PathBuf,
}

impl Sending<'_> {
    /// # Errors
    /// If the destination does not answer; it is asked again.
    pub(super) fn send(&self) -> Result<(DeliveryState, String), DoseError> {
        let stored = || Ok((DeliveryState::Stored, "stored".to_owned()));
        // Never other bytes under a UID that is there, and nothing twice.
        match self.found()? {
            Some(Found::Equal) => return Ok((DeliveryState::Stored, "was there already".to_owned())),
            Some(Found::Other) => return Ok((DeliveryState::Failed, self.other())),
            Some(Found::Nothing) | None => {}
        }
        // What is sent is what was computed, and not what a disk has made of it.
        let cannot = |error: io::Error| DoseError::Io(format!("{} cannot be read: {error}", self.object.file));
        fs::metadata(self.path).map_err(cannot)?;
        match self.compare(self.path)? {
            Found::Equal => {}
            Found::Other | Found::Nothing => {
                let words =
                    format!("{} is not what was computed any more: drop it and send the study again", self.object.file);
                return Ok((DeliveryState::Failed, words));
            }
        }
        let instance = Instance::read(self.path)
            .map_err(|Invalid(reason)| DoseError::Io(format!("{} {reason}", self.object.file)))?;
        let mut said = None;
        let each = |_: &Instance, sent: &pacs::Sent| said = Some(sent.clone());
        match &self.destination.kind {
            DestinationKind::Folder(folder) => {
                let place = self.place(folder);
                let cannot = |error: io::Error| DoseError::Io(format!("cannot be written: {error}"));
                let study = place.parent().unwrap_or(folder);
                // The folder itself is not made: where it is gone, what it is a part of may be.
                match fs::create_dir(study) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(cannot(error)),
                    Ok(()) | Err(_) => intake::sync(folder).map_err(cannot)?,
                }
                atomic::write_bytes(&place, &fs::read(self.path).map_err(cannot)?).map_err(cannot)?;
                intake::sync(study).map_err(cannot)?;
                return stored();
            }
            DestinationKind::Store { peer, calling, tls, .. } => {
                pacs::send(&[instance], peer, calling, tls.as_ref(), each)?;
            }
            DestinationKind::Web(web) => web.store(&[instance], each)?,
        }
        match said {
            Some(sent) if sent.is_stored() => Ok((DeliveryState::Stored, sent.words.to_owned())),
            Some(sent) => Ok((DeliveryState::Waiting, format!("{:04X}H {}", sent.status, sent.words))),
            None => Err(DoseError::Io("nothing was said of it".to_owned())),
        }
    }

    pub(super) fn read_back(&self) -> Result<(DeliveryState, String), DoseError> {
        Ok(match self.found()? {
            None => (DeliveryState::Unverified, "stored, and not read back: the destination has no way".to_owned()),
            Some(Found::Equal) => (DeliveryState::Verified, "read back, and equal".to_owned()),
            Some(Found::Other) => (DeliveryState::Failed, self.other()),
            Some(Found::Nothing) => {
                (DeliveryState::Waiting, "said to be stored, and not there when it was read back".to_owned())
            }
        })
    }

    fn other(&self) -> String {
        "other bytes are there under its SOP Instance UID; what is there was left as it is".to_owned()
    }

    /// A file for each object, by its UID, in the folder of its study.
    fn place(&self, folder: &Path) -> PathBuf {
        folder.join(&self.object.study).join(format!("{}.dcm", self.object.instance))
    }

    /// What the destination has under the UID; none where it cannot be asked.
    fn found(&self) -> Result<Option<Found>, DoseError> {
        match &self.destination.kind {
            DestinationKind::Folder(folder) => {
                let cannot = |error: io::Error| DoseError::Io(format!("cannot be read: {error}"));
                fs::metadata(folder).map_err(cannot)?;
                let place = self.place(folder);
                if place.try_exists().map_err(cannot)? {
                    self.compare(&place).map(Some)
                } else {
                    Ok(Some(Found::Nothing))
                }
            }
            DestinationKind::Store { read_back: None, .. } => Ok(None),
            DestinationKind::Store { read_back: Some(web), .. } | DestinationKind::Web(web) => {
                self.fetch(web).map(Some)
            }
        }
    }

    fn fetch(&self, web: &Web) -> Result<Found, DoseError> {
        let cannot = |error: io::Error| DoseError::Io(format!("reading back: {error}"));
        let most = fs::metadata(self.path).map_err(cannot)?.len() + MORE_BYTES;
        let Object { study, series, instance, .. } = self.object;
        let Some(bytes) = web.instance([study, series, instance].map(String::as_str), most)? else {
            return Ok(Found::Nothing);
        };
        let file = tempfile::Builder::new().prefix("back-").tempfile_in(&self.work).map_err(cannot)?;
        fs::write(file.path(), bytes).map_err(cannot)?;
        self.compare(file.path())
    }

    /// Compares a file with the object: what an archive gives is read apart, as all that comes from elsewhere.
    ///
    /// # Errors
    /// If it cannot be read for a reason that may be of this machine: then nothing is known of it.
    fn compare(&self, path: &Path) -> Result<Found, DoseError> {
        let outlines = match dicom::outlines_or_why(path) {
            Ok(outlines) => outlines,
            Err(Unread::Refused(_)) => return Ok(Found::Other),
            Err(Unread::Ended(Invalid(reason)) | Unread::NoProcess(Invalid(reason))) => {
                return Err(DoseError::Io(format!("what is there {reason}")));
            }
        };
        let content = outlines.into_iter().next().and_then(|one| one.found.ok()?.content);
        Ok(if content.as_ref() == Some(&self.object.digest) { Found::Equal } else { Found::Other })
    }
}
