//! The other side of STOW-RS: the parts of a request as files, and the answer in DICOM JSON.

use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use serde_json::{Map, Value, json};
use tempfile::NamedTempFile;

use super::multipart::{Parts, boundary_of};
use super::{Limits, Sent};

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 1 << 16;
/// What instances are sent as.
const INSTANCE: &str = "application/dicom";
/// Attributes of an answer. Source: DICOM PS3.18, table 10.5.3-1.
const CLASS: &str = "00081150";
const INSTANCE_UID: &str = "00081155";
const FAILURE_REASON: &str = "00081197";
const FAILED: &str = "00081198";
const STORED: &str = "00081199";
const OTHERS_FAILED: &str = "0008119A";
/// What cannot be read. Source: DICOM PS3.4, table B.2-1.
const NOT_UNDERSTOOD: u16 = 0xc000;

/// Why nothing of a request is taken.
#[derive(Debug, thiserror::Error)]
pub enum StowError {
    /// It is not of instances in parts.
    #[error("send instances as multipart/related; type=\"application/dicom\"")]
    MediaType,
    /// It is larger than the limits.
    #[error("it is larger than the limits of this server")]
    TooLarge,
    /// Its parts cannot be told from one another, or it ends too early.
    #[error("its parts cannot be read: {0}")]
    Broken(io::Error),
    /// A file cannot be written.
    #[error("there is no room: {0}")]
    NoRoom(io::Error),
}

/// Takes the parts of a request, each as a file in a folder; the files are gone when they are dropped.
///
/// * `content_type` – of the request
/// * `limits` – of the whole
/// * `most_bytes` – of a part
///
/// # Errors
/// If one of the parts cannot be taken: then none is.
pub fn receive_parts(
    content_type: &str,
    body: impl Read,
    folder: &Path,
    limits: Limits,
    most_bytes: u64,
) -> Result<Vec<NamedTempFile>, StowError> {
    let boundary = boundary_of(content_type).filter(|_| is_of_instances(content_type)).ok_or(StowError::MediaType)?;
    let mut left = limits.bytes;
    let mut parts = Parts::new(BufReader::with_capacity(BUFFER_BYTES, body), &boundary).map_err(StowError::Broken)?;
    let mut files = Vec::new();
    loop {
        if files.len() == limits.files {
            return Err(StowError::TooLarge);
        }
        let file = tempfile::Builder::new().prefix("stow-").suffix(".dcm").tempfile_in(folder);
        let mut part = Part { file: file.map_err(StowError::NoRoom)?, left: left.min(most_bytes), fault: None };
        let more = parts.next(&mut part);
        if let Some(fault) = part.fault {
            return Err(fault);
        }
        let has_more = more.map_err(StowError::Broken)?;
        left -= left.min(most_bytes) - part.left;
        files.push(part.file);
        if !has_more {
            return Ok(files);
        }
    }
}

/// Whether a content type does not name another type of parts than instances.
fn is_of_instances(content_type: &str) -> bool {
    let named = content_type.split(';').filter_map(|parameter| parameter.split_once('='));
    let mut kinds = named.filter(|(name, _)| name.trim().eq_ignore_ascii_case("type"));
    kinds.all(|(_, value)| value.trim().trim_matches('"').eq_ignore_ascii_case(INSTANCE))
}

/// A part on its way into a file.
struct Part {
    file: NamedTempFile,
    left: u64,
    /// Why it cannot be written.
    fault: Option<StowError>,
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
            self.fault = Some(StowError::TooLarge);
            return Err(io::ErrorKind::FileTooLarge.into());
        };
        if let Err(error) = self.file.write_all(bytes) {
            self.fault = Some(StowError::NoRoom(error));
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.left = left;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The answer to a request whose parts were taken: status of HTTP, and DICOM JSON.
///
/// * `told` – SOP Class UID of each instance, and what became of it
/// * `unread` – parts that are no instances
///
/// Source: DICOM PS3.18, 10.5.3.
pub fn stow_answer(told: &[(String, Sent)], unread: usize) -> (u16, Value) {
    let text = |uid: &str| json!({"vr": "UI", "Value": [uid]});
    let reason = |status: u16| json!({"vr": "US", "Value": [status]});
    let mut lists: [(&str, Vec<Value>); 3] = [(STORED, Vec::new()), (FAILED, Vec::new()), (OTHERS_FAILED, Vec::new())];
    for (class, sent) in told {
        let mut item = Map::new();
        item.insert(CLASS.into(), text(class));
        item.insert(INSTANCE_UID.into(), text(&sent.instance));
        if !sent.is_stored() {
            item.insert(FAILURE_REASON.into(), reason(sent.status));
        }
        lists[usize::from(!sent.is_stored())].1.push(Value::Object(item));
    }
    lists[2].1 = vec![json!({FAILURE_REASON: reason(NOT_UNDERSTOOD)}); unread];
    let (stored, failed) = (lists[0].1.len(), lists[1].1.len() + unread);
    let status = match (stored, failed) {
        (_, 0) => 200,
        (0, _) => 409,
        _ => 202,
    };
    let full = lists.into_iter().filter(|(_, items)| !items.is_empty());
    let answer = full.map(|(tag, items)| (tag.to_owned(), json!({"vr": "SQ", "Value": items}))).collect();
    (status, Value::Object(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { bytes: 10, files: 2 };
    const KIND: &str = "multipart/related; type=\"application/dicom\"; boundary=b";

    fn received(kind: &str, body: &str) -> Result<Vec<Vec<u8>>, StowError> {
        let folder = tempfile::tempdir().expect("a folder");
        let files = receive_parts(kind, body.as_bytes(), folder.path(), LIMITS, 6)?;
        Ok(files.iter().map(|file| std::fs::read(file.path()).expect("a file")).collect())
    }

    #[test]
    fn parts_become_files_within_the_limits() {
        let two = "--b\r\n\r\nfirst1\r\n--b\r\n\r\nlast\r\n--b--";
        assert_eq!(received(KIND, two).expect("two parts"), [&b"first1"[..], b"last"]);
        for large in [
            "--b\r\n\r\nseven77\r\n--b--",
            "--b\r\n\r\nsixsix\r\n--b\r\n\r\nfiver\r\n--b--",
            "--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b\r\n\r\n3\r\n--b--",
        ] {
            assert!(matches!(received(KIND, large), Err(StowError::TooLarge)), "{large}");
        }
        assert!(matches!(received(KIND, "--b\r\n\r\nhalf"), Err(StowError::Broken(_))));
        for kind in ["application/dicom", "multipart/related; type=\"application/dicom+json\"; boundary=b"] {
            assert!(matches!(received(kind, two), Err(StowError::MediaType)), "{kind}");
        }
        assert!(received("multipart/related; boundary=b; type=Application/DICOM", two).is_ok());
    }

    #[test]
    fn an_answer_tells_of_each_instance() {
        let told = |uid: &str, status| ("1.9".to_owned(), Sent::new(uid.into(), status));
        let (status, answer) = stow_answer(&[told("1.1", 0), told("1.2", 0x0122)], 1);
        assert_eq!(status, 202);
        assert_eq!(answer[STORED]["Value"][0][INSTANCE_UID]["Value"][0], "1.1");
        assert_eq!(answer[FAILED]["Value"][0][FAILURE_REASON]["Value"][0], 0x0122);
        assert_eq!(answer[OTHERS_FAILED]["Value"][0][FAILURE_REASON]["Value"][0], NOT_UNDERSTOOD);
        let (status, answer) = stow_answer(&[told("1.1", 0)], 0);
        assert!(status == 200 && answer.get(FAILED).is_none() && answer.get(OTHERS_FAILED).is_none());
        assert_eq!(stow_answer(&[told("1.2", 0x0110)], 0).0, 409);
        assert_eq!(stow_answer(&[], 1).0, 409);
    }
}
