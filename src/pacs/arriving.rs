//! A data set that comes by C-STORE, into a file of DICOM part 10.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use dicom_object::FileMetaTableBuilder;
use tempfile::NamedTempFile;

use super::scp::{OUT_OF_RESOURCES, SUCCESS};

const PREAMBLE_BYTES: usize = 128;

/// A data set that arrives.
pub(super) struct Arriving {
    file: BufWriter<NamedTempFile>,
    left: u64,
    /// Why it cannot be stored.
    pub(super) status: u16,
}

impl Arriving {
    /// Begins a file: preamble and file meta information.
    ///
    /// * `instance` – a UID
    ///
    /// # Errors
    /// If there is no room for it.
    pub(super) fn new(folder: &Path, [class, instance, syntax]: [&str; 3], most_bytes: u64) -> io::Result<Self> {
        let file = tempfile::Builder::new().prefix("c-store-").suffix(".part").tempfile_in(folder)?;
        let mut file = BufWriter::with_capacity(1 << 16, file);
        let meta = FileMetaTableBuilder::new()
            .media_storage_sop_class_uid(class)
            .media_storage_sop_instance_uid(instance)
            .transfer_syntax(syntax)
            .build()
            .map_err(io::Error::other)?;
        file.write_all(&[0; PREAMBLE_BYTES])?;
        file.write_all(b"DICM")?;
        meta.write(&mut file).map_err(io::Error::other)?;
        Ok(Self { file, left: most_bytes, status: SUCCESS })
    }

    /// Takes bytes. What is too much, or cannot be written, is dropped to the end of the data set.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        if self.status != SUCCESS {
            return;
        }
        match self.left.checked_sub(bytes.len() as u64) {
            Some(left) if self.file.write_all(bytes).is_ok() => self.left = left,
            _ => self.status = OUT_OF_RESOURCES,
        }
    }

    pub(super) fn finish(self) -> io::Result<NamedTempFile> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        File::sync_all(file.as_file())?;
        Ok(file)
    }
}
