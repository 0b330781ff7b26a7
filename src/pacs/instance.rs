//! A file that is sent: what its file meta information says, and where its data set is.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};

use super::dimse::is_uid;
use crate::digest::Digest;
use crate::domain::Invalid;
use crate::formats::dicom::check_data_set;

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 1 << 16;
/// Bytes before the four letters `DICM`, and those.
const PREAMBLE_BYTES: u64 = 132;
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
        let meta = head.strip_prefix(b"DICM").and_then(Meta::of).ok_or_else(broken)?;
        let data_set_at = PREAMBLE_BYTES + meta.bytes;
        if data_set_at >= metadata.len() {
            return Err(broken());
        }
        let [class, uid, syntax] = meta.uids;
        Ok(Self { path: path.to_owned(), class, uid, syntax, bytes: metadata.len(), data_set_at })
    }

    /// An instance of which nothing but its file is known.
    #[cfg(test)]
    pub(super) fn unread(path: PathBuf, uid: String, bytes: u64) -> Self {
        Self { path, class: String::new(), uid, syntax: String::new(), bytes, data_set_at: 0 }
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

/// File meta information: UIDs of class, instance and transfer syntax. It is read here, as files of others are: no
/// length in it is believed, and nothing is reserved for what it promises. The group ends where another begins.
struct Meta {
    uids: [String; 3],
    /// Bytes of all its elements.
    bytes: u64,
}

/// Elements of the group 0002 that hold the UIDs. Source: DICOM PS3.10, table 7.1-1.
const UID_ELEMENTS: [u16; 3] = [0x0002, 0x0003, 0x0010];

impl Meta {
    fn of(bytes: &[u8]) -> Option<Self> {
        let mut uids = [const { None }; 3];
        let mut rest = bytes;
        while let [2, 0, low, high, first, second, more @ ..] = rest {
            let is_long = matches!(&[*first, *second], b"OB" | b"OW" | b"UN" | b"SQ" | b"UT");
            let (length, more) = if is_long {
                let (length, more) = more.get(2..)?.split_first_chunk::<4>()?;
                (u32::from_le_bytes(*length), more)
            } else {
                let (length, more) = more.split_first_chunk::<2>()?;
                (u16::from_le_bytes(*length).into(), more)
            };
            let (value, after) = more.split_at_checked(usize::try_from(length).ok()?)?;
            let element = u16::from_le_bytes([*low, *high]);
            if let Some(at) = UID_ELEMENTS.iter().position(|known| *known == element) {
                let text = std::str::from_utf8(value).ok()?.trim_matches([' ', '\0']);
                uids[at] = Some(text).filter(|text| is_uid(text)).map(str::to_owned);
            }
            rest = after;
        }
        let [Some(class), Some(instance), Some(syntax)] = uids else { return None };
        Some(Self { uids: [class, instance, syntax], bytes: (bytes.len() - rest.len()) as u64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(number: u16, vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len()).expect("short").to_le_bytes();
        [&[2, 0][..], &number.to_le_bytes(), vr, &length, value].concat()
    }

    fn meta() -> Vec<u8> {
        let version = [&[2, 0, 1, 0][..], b"OB", &[0, 0, 2, 0, 0, 0, 0, 1]].concat();
        let uids = UID_ELEMENTS.map(|number| element(number, b"UI", b"1.2\0"));
        [element(0, b"UL", &[1, 2, 3, 4]), version, uids.concat()].concat()
    }

    #[test]
    fn file_meta_information_ends_where_another_group_begins_whatever_it_promises() {
        let whole = [meta(), vec![8, 0, 5, 0, b'C', b'S', 0, 0]].concat();
        let read = Meta::of(&whole).expect("its UIDs");
        assert_eq!((read.uids, read.bytes), (["1.2", "1.2", "1.2"].map(str::to_owned), meta().len() as u64));
        // An element of four gigabytes, which a reader would make room for.
        let promise = [&[2, 0, 3, 0][..], b"UN", &[0, 0, 0xf0, 0xff, 0xff, 0xff]].concat();
        assert!(Meta::of(&[meta(), promise.clone()].concat()).is_none());
        assert!(Meta::of(&[whole, promise].concat()).is_some_and(|read| read.bytes == meta().len() as u64));
        for end in 0..meta().len() {
            assert!(Meta::of(&meta()[..end]).is_none(), "{end}");
        }
        assert!(Meta::of(&[meta(), element(3, b"UI", b"DOE^JOHN")].concat()).is_none());
    }
}
