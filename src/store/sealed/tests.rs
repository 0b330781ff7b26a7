//! Sealed files: grown, cut, read, damaged.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::*;
use crate::faults::Faults;

fn keys() -> StoreKeys {
    StoreKeys::parse(&"07".repeat(32)).expect("a good key")
}

fn open(path: &std::path::Path) -> File {
    File::options().read(true).write(true).create(true).truncate(false).open(path).expect("a writable folder")
}

fn read(path: &std::path::Path, keys: &StoreKeys) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Opened::new(open(path), Some(keys))?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[test]
fn a_sealed_file_grows_is_cut_and_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, keys) = (folder.path().join("a"), keys());
    let clear: Vec<u8> = (0..2_500_000u32).map(|i| i.to_le_bytes()[0]).collect();
    let mut growing = Growing::begin(open(&path), keys.current(), &Faults::default()).expect("room");
    for piece in clear[..2_000_000].chunks(300_001) {
        growing.append(piece).expect("room");
    }
    growing.sync().expect("room");
    growing.append(&clear[2_000_000..2_400_000]).expect("room");
    growing.sync().expect("room");
    drop(growing);
    // What follows the first sync is dropped, seen or not.
    for is_seen in [true, false] {
        let mut seen = Vec::new();
        let mut see = |bytes: &[u8]| seen.extend_from_slice(bytes);
        let see: Option<&mut See<'_>> = if is_seen { Some(&mut see) } else { None };
        let resumed = Growing::resume(open(&path), Some(&keys), 2_000_000, see, &Faults::default()).expect("readable");
        let mut resumed = resumed.expect("it is there");
        assert!(seen == if is_seen { &clear[..2_000_000] } else { &[] });
        resumed.append(&clear[2_000_000..]).expect("room");
        resumed.sync().expect("room");
        assert!(read(&path, &keys).expect("it is whole") == clear);
    }
    for absent in [2_000_001, 3_000_000] {
        assert!(
            Growing::resume(open(&path), Some(&keys), absent, None, &Faults::default()).expect("readable").is_none(),
            "{absent}"
        );
    }
    let mut opened = Opened::known_by_its_start(open(&path), &keys).expect("sealed");
    assert_eq!(opened.seek(SeekFrom::End(0)).expect("known"), clear.len() as u64);
    opened.rewind().expect("known");
    let mut start = [0; 10];
    opened.read_exact(&mut start).expect("it is there");
    assert_eq!(start, clear[..10]);
    let bytes = std::fs::read(&path).expect("a file");
    assert!(!bytes.windows(64).any(|window| window == &clear[..64]), "nothing of it can be read");
}

#[test]
fn a_changed_byte_another_key_and_frames_in_another_order_are_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, keys) = (folder.path().join("a"), keys());
    let mut growing = Growing::begin(open(&path), keys.current(), &Faults::default()).expect("room");
    for piece in [[1; 40], [2; 40]] {
        growing.append(&piece).expect("room");
        growing.sync().expect("room");
    }
    let whole = std::fs::read(&path).expect("a file");
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        std::fs::write(&path, &changed).expect("a writable file");
        assert!(read(&path, &keys).is_err(), "byte {at}");
    }
    let (head, frames) = whole.split_at(HEAD_BYTES);
    let (first, second) = frames.split_at(frames.len() / 2);
    for wrong in [[head, second, first], [head, first, first], [head, second, &[]]] {
        std::fs::write(&path, wrong.concat()).expect("a writable file");
        assert!(read(&path, &keys).is_err());
    }
    std::fs::write(&path, &whole).expect("a writable file");
    let other = StoreKeys::parse(&"08".repeat(32)).expect("a good key");
    assert_eq!(read(&path, &other).expect_err("another key").kind(), io::ErrorKind::PermissionDenied);
    assert_eq!(read(&path, &keys).expect("it is whole").len(), 80);
}
