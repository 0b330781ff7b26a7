//! A file that is sent: what its file meta information says, and where its data set is.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};

use dicom_object::FileMetaTable;

use crate::digest::Digest;
use crate::domain::Invalid;
use crate::formats::dicom::check_data_set;

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 1 << 16;
/// Bytes before the four letters `DICM`, and those.
const PREAMBLE_BYTES: u64 = 132;
/// Bytes of the element that says how long the group of file meta information is.
const LENGTH_ELEMENT_BYTES: u64 = 12;
/// Most bytes of that group: UIDs and names.
const MAX_META_BYTES: u64 = 1 << 16;

/// A DICOM file with its UIDs.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Where it is.
    pub path: PathBuf,
    /// SOP Class UID.
    pub class: String,
    /// SOP Instance UID.
    pub uid: String,
    /// UID of its transfer syntax.
    pub syntax: String,
    /// Bytes of the whole file.
    pub bytes: u64,
    /// Where the data set begins.
    data_set_at: u64,
}

impl Instance {
    /// Reads the file meta information of a file.
    ///
    /// # Errors
    /// If it has none. The reason says nothing of what is in the file.
    pub fn read(path: &Path) -> Result<Self, Invalid> {
        let cannot = |error: std::io::Error| Invalid::new(format!("cannot be opened: {error}"));
        let broken = || Invalid::new("is no DICOM file with file meta information, which sending needs");
        let metadata = std::fs::metadata(path).map_err(cannot)?;
        if !metadata.is_file() {
            return Err(Invalid::new("is no file; name the files to send"));
        }
        let mut file = File::open(path).map_err(cannot)?;
        let mut head = Vec::new();
        file.seek(SeekFrom::Start(PREAMBLE_BYTES - 4)).map_err(cannot)?;
        file.take(MAX_META_BYTES).read_to_end(&mut head).map_err(cannot)?;
        if !head.starts_with(b"DICM") {
            return Err(broken());
        }
        let meta = FileMetaTable::from_reader(head.as_slice()).map_err(|_| broken())?;
        let data_set_at = PREAMBLE_BYTES + LENGTH_ELEMENT_BYTES + u64::from(meta.information_group_length);
        if data_set_at >= metadata.len() {
            return Err(broken());
        }
        let uid = |text: &str| text.trim_matches([' ', '\0']).to_owned();
        Ok(Self {
            path: path.to_owned(),
            class: uid(&meta.media_storage_sop_class_uid),
            uid: uid(&meta.media_storage_sop_instance_uid),
            syntax: uid(&meta.transfer_syntax),
            bytes: metadata.len(),
            data_set_at,
        })
    }

    /// Whether the data set ends where the file does: an archive keeps what is cut short under its UID.
    ///
    /// # Errors
    /// If it does not, or the file cannot be read.
    pub fn check_whole(&self) -> Result<(), Invalid> {
        let mut bytes = Vec::new();
        let read = self.data_set().and_then(|mut data| data.read_to_end(&mut bytes));
        read.map_err(|error| Invalid::new(format!("cannot be read: {error}")))?;
        check_data_set(&bytes, &self.class, &self.syntax)
    }

    /// Digest of the data set and its transfer syntax: the same whatever file meta information a sender has written.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn digest(&self) -> std::io::Result<String> {
        let mut digest = Digest::new();
        digest.update(&self.syntax);
        digest.update([0]);
        let mut data_set = self.data_set()?;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match data_set.read(&mut buffer)? {
                0 => return Ok(digest.hex()),
                count => digest.update(&buffer[..count]),
            }
        }
    }

    /// The whole file.
    pub(super) fn file(&self) -> std::io::Result<Take<File>> {
        Ok(File::open(&self.path)?.take(self.bytes))
    }

    /// The data set, without file meta information.
    pub(super) fn data_set(&self) -> std::io::Result<Take<File>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.data_set_at))?;
        Ok(file.take(self.bytes - self.data_set_at))
    }
}
