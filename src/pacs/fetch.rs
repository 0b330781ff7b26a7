//! Studies and series from a DICOMweb server, into a folder.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::Web;
use super::multipart::{Parts, boundary_of};
use crate::domain::DoseError;

/// What is asked for: instances as they are stored.
const ACCEPT: &str = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";
/// Bytes that are read at once.
const BUFFER_BYTES: usize = 1 << 16;

/// Bounds of what is fetched.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most bytes of all files.
    pub bytes: u64,
    /// Most files.
    pub files: usize,
}

/// What was fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Files.
    pub files: usize,
    /// Bytes of all of them.
    pub bytes: u64,
}

impl Web {
    /// Fetches a study or a series by its UID, and writes its instances into a folder that is there.
    ///
    /// # Errors
    /// If the server knows no such study or series, does not answer as the standard says, sends fewer instances than it
    /// has, or more than the limits allow.
    pub fn fetch(&self, uid: &str, folder: &Path, limits: Limits) -> Result<Fetched, DoseError> {
        let path = self.path_of(uid)?;
        let expected = self.count(&path)?;
        if expected > limits.files {
            return Err(DoseError::Io(format!(
                "dicom-web: {uid} has {expected} instances, more than the limit of {}",
                limits.files
            )));
        }
        let answer = self.get(&path, ACCEPT)?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(DoseError::Io(format!("dicom-web: WADO-RS of {uid} was answered by HTTP status {status}")));
        }
        let kind = answer.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let boundary = boundary_of(kind).ok_or_else(|| DoseError::Io("dicom-web: the answer has no parts".into()))?;
        let body = answer.into_body().into_with_config().limit(limits.bytes.saturating_mul(2)).reader();
        let mut parts = Parts::new(BufReader::with_capacity(BUFFER_BYTES, body), &boundary).map_err(broken)?;
        let mut fetched = Fetched::default();
        loop {
            if fetched.files == limits.files {
                return Err(DoseError::Io(format!("dicom-web: more than {} instances come", limits.files)));
            }
            let file = File::create_new(folder.join(format!("{:06}.dcm", fetched.files))).map_err(broken)?;
            let mut bounded = Bounded { inner: BufWriter::new(file), left: limits.bytes - fetched.bytes, written: 0 };
            let has_more = parts.next(&mut bounded).and_then(|more| bounded.inner.flush().map(|()| more));
            let has_more = has_more.map_err(broken)?;
            fetched.files += 1;
            fetched.bytes += bounded.written;
            if !has_more {
                break;
            }
        }
        if fetched.files < expected {
            return Err(DoseError::Io(format!(
                "dicom-web: {} instances came of the {expected} that the server has of {uid}",
                fetched.files
            )));
        }
        Ok(fetched)
    }

    /// Fetches an instance; none where the server does not have it.
    ///
    /// * `uids` – of study, series and instance
    /// * `most` – bytes that it may have
    ///
    /// # Errors
    /// If the server does not answer, or not as the standard says, or sends more.
    pub fn instance(&self, [study, series, instance]: [&str; 3], most: u64) -> Result<Option<Vec<u8>>, DoseError> {
        let path = format!("/studies/{study}/series/{series}/instances/{instance}");
        let answer = self.get(&path, ACCEPT)?;
        match answer.status().as_u16() {
            200 => {}
            204 | 404 | 410 => return Ok(None),
            status => {
                return Err(DoseError::Io(format!("dicom-web: WADO-RS was answered by HTTP status {status}")));
            }
        }
        let kind = answer.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let boundary = boundary_of(kind).ok_or_else(|| DoseError::Io("dicom-web: the answer has no parts".into()))?;
        let body = answer.into_body().into_with_config().limit(most.saturating_mul(2)).reader();
        let mut parts = Parts::new(BufReader::with_capacity(BUFFER_BYTES, body), &boundary).map_err(broken)?;
        let mut bounded = Bounded { inner: Vec::new(), left: most, written: 0 };
        parts.next(&mut bounded).map_err(broken)?;
        Ok(Some(bounded.inner))
    }

    /// UIDs of the studies that a question means.
    ///
    /// * `question` – such as `PatientID=4711&StudyDate=20260105`, percent-encoded
    ///
    /// # Errors
    /// If the server does not answer as the standard says.
    pub fn studies(&self, question: &str) -> Result<Vec<String>, DoseError> {
        let found = self.search(&format!("/studies?{question}"))?;
        let uid = |study: &InMemDicomObject| {
            let uid = text(study, tags::STUDY_INSTANCE_UID)?;
            uid.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.').then_some(uid)
        };
        Ok(found.iter().filter_map(uid).collect())
    }

    /// SOP Instance UIDs that the server has of a study or series, sorted.
    ///
    /// # Errors
    /// If the server does not answer, or has no such study.
    pub fn instances(&self, uid: &str) -> Result<Vec<String>, DoseError> {
        let found = self.search(&format!("{}/instances", self.path_of(uid)?))?;
        let mut uids: Vec<String> = found.iter().filter_map(|one| text(one, tags::SOP_INSTANCE_UID)).collect();
        uids.sort_unstable();
        Ok(uids)
    }

    /// Path of a study, or of a series in its study.
    fn path_of(&self, uid: &str) -> Result<String, DoseError> {
        if !self.search(&format!("/studies?StudyInstanceUID={uid}"))?.is_empty() {
            return Ok(format!("/studies/{uid}"));
        }
        let series = self.search(&format!("/series?SeriesInstanceUID={uid}"))?;
        let study = series.first().and_then(|series| text(series, tags::STUDY_INSTANCE_UID));
        let study = study.filter(|study| study.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
        let study =
            study.ok_or_else(|| DoseError::Io(format!("dicom-web: the server has no study and no series {uid}")))?;
        Ok(format!("/studies/{study}/series/{uid}"))
    }

    /// Instances that the server has of a study or series.
    fn count(&self, path: &str) -> Result<usize, DoseError> {
        Ok(self.search(&format!("{path}/instances"))?.len())
    }
}

fn broken(error: io::Error) -> DoseError {
    DoseError::Io(format!("dicom-web: fetching failed: {error}"))
}

fn text(object: &InMemDicomObject, tag: Tag) -> Option<String> {
    Some(object.get(tag)?.to_str().ok()?.trim_matches([' ', '\0']).to_owned())
}

/// Takes no more than so many bytes.
struct Bounded<W> {
    inner: W,
    left: u64,
    written: u64,
}

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len() as u64;
        if count > self.left {
            return Err(io::Error::other("it is larger than the limit; --dicom-web-limit sets another"));
        }
        let written = self.inner.write(bytes)?;
        self.left -= written as u64;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
