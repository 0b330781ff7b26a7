//! Seals records, and appends them to the files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files::{FILE_BYTES, Lines, NO_HASH, count, hash, invalid, number_of, parts, path};
use super::record::{Numbered, Record};

/// Where the chain ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// How many records there are; the last one has this number.
    pub records: u64,
    /// Hash of the last record, 64 hexadecimal digits; zeros before the first.
    pub hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self { records: 0, hash: NO_HASH.to_owned() }
    }
}

/// A record with its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its number, from 1.
    pub seq: u64,
    /// Its line, with the line end.
    pub line: String,
}

/// What the ledger knows of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Where it ends.
    pub head: Head,
    /// Its last records, which its files may not have yet.
    pub lines: Vec<Sealed>,
}

impl Head {
    /// The head after a record, if that is the next one.
    pub(super) fn after(&self, line: &Sealed) -> Option<Self> {
        let (found, json) = parts(line.line.as_bytes())?;
        let is_next = line.seq == self.records + 1 && found == hash(&self.hash, json);
        is_next.then(|| Self { records: line.seq, hash: found.to_owned() })
    }

    /// Gives a record the next place in the chain, and moves on to it. Pure: nothing is written.
    pub fn seal(&mut self, record: &Record) -> Sealed {
        let seq = self.records + 1;
        let json = serde_json::to_string(&Numbered { seq, record }).expect("plain data");
        *self = Self { records: seq, hash: hash(&self.hash, &json) };
        Sealed { seq, line: format!("{} {json}\n", self.hash) }
    }
}

/// The files of a chain, open at their end.
#[derive(Debug)]
pub struct Chain {
    folder: PathBuf,
    head: Head,
    file: File,
    number: u32,
    bytes: u64,
    /// A write or a sync has failed: what is on the disk is unknown.
    is_broken: bool,
}

impl Chain {
    /// Opens the files of a store, makes the first if there is none, drops a line that was cut off, and writes again
    /// what is missing at the end.
    ///
    /// # Errors
    /// If the files cannot be read or written, if their last one is not intact, or if they do not end where the ledger
    /// says.
    ///
    /// * `folder` – `STORE/audit`
    /// * `head` – where the chain ends according to the ledger
    /// * `known` – the last records that the ledger knows, the oldest first
    pub fn open(folder: &Path, head: &Head, known: &[Sealed]) -> io::Result<Self> {
        if !folder.is_dir() {
            fs::create_dir(folder)?;
            sync_folder(folder.parent().unwrap_or(folder))?;
        }
        let files = count(folder)?;
        let mut found = match files.checked_sub(1) {
            Some(before @ 1..) => end_of(&path(folder, before), None)?.0,
            Some(0) | None => Head::default(),
        };
        let number = files.max(1);
        let mut bytes = 0;
        if files > 0 {
            (found, bytes) = end_of(&path(folder, number), Some(found))?;
        }
        let file = OpenOptions::new().append(true).create(true).open(path(folder, number))?;
        if file.metadata()?.len() > bytes {
            file.set_len(bytes)?;
        }
        file.sync_all()?;
        sync_folder(folder)?;
        let mut chain = Self { folder: folder.to_owned(), head: found, file, number, bytes, is_broken: false };
        let missing: Vec<Sealed> = known.iter().filter(|line| line.seq > chain.head.records).cloned().collect();
        chain.append(&missing)?;
        if chain.head != *head {
            let (found, expected) = (chain.head.records, head.records);
            return Err(invalid(format!("it ends with record {found}, and the ledger with another, {expected}")));
        }
        Ok(chain)
    }

    /// Where the files end.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Whether a write has failed, after which nothing is appended any more.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// As after a write that failed.
    #[cfg(test)]
    pub(crate) fn break_it(&mut self) {
        self.is_broken = true;
    }

    /// Writes sealed records and syncs them. After a failure nothing is appended any more: what the disk holds is then
    /// unknown, and [`Chain::open`] finds it out.
    ///
    /// # Errors
    /// If they do not follow the last record, or cannot be written.
    pub fn append(&mut self, records: &[Sealed]) -> io::Result<()> {
        if self.is_broken {
            return Err(io::Error::other("audit log: closed after a failed write"));
        }
        if records.is_empty() {
            return Ok(());
        }
        let mut head = self.head.clone();
        for line in records {
            let next = head.after(line);
            head = next.ok_or_else(|| invalid(format!("record {} does not follow {}", line.seq, head.records)))?;
        }
        let written = self.write(records);
        self.is_broken = written.is_err();
        written?;
        self.head = head;
        Ok(())
    }

    fn write(&mut self, records: &[Sealed]) -> io::Result<()> {
        for Sealed { line, .. } in records {
            if self.bytes > 0 && self.bytes + line.len() as u64 > FILE_BYTES {
                self.file.sync_data()?;
                self.number += 1;
                self.file = OpenOptions::new().append(true).create_new(true).open(path(&self.folder, self.number))?;
                sync_folder(&self.folder)?;
                self.bytes = 0;
            }
            self.file.write_all(line.as_bytes())?;
            self.bytes += line.len() as u64;
        }
        self.file.sync_data()
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The last record of a file, and how many bytes its whole lines have. A last line without an end was cut off.
///
/// * `before` – the record that the file follows, if its chain is to be checked
fn end_of(path: &Path, before: Option<Head>) -> io::Result<(Head, u64)> {
    let is_checked = before.is_some();
    let mut head = before.unwrap_or_default();
    let mut bytes = 0;
    for line in Lines::open(path)? {
        let line = line?;
        if !line.ends_with(b"\n") {
            break;
        }
        let damaged = || invalid(format!("{} is damaged after record {}", path.display(), head.records));
        let (found, json) = parts(&line).ok_or_else(damaged)?;
        let seq = number_of(json).ok_or_else(damaged)?;
        if is_checked && (seq != head.records + 1 || found != hash(&head.hash, json)) {
            return Err(damaged());
        }
        head = Head { records: seq, hash: found.to_owned() };
        bytes += line.len() as u64;
    }
    Ok((head, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::record::Event;
    use crate::audit::verify;

    fn sealed(head: &mut Head, count: usize) -> Vec<Sealed> {
        (0..count).map(|_| head.seal(&Record::now(Event::JobCreated))).collect()
    }

    #[test]
    fn a_chain_goes_on_after_it_was_closed() {
        let store = tempfile::tempdir().expect("a temporary folder");
        let folder = store.path().join("audit");
        let mut head = Head::default();
        let mut chain = Chain::open(&folder, &head, &[]).expect("a writable folder");
        chain.append(&sealed(&mut head, 3)).expect("they follow");
        drop(chain);
        let mut chain = Chain::open(&folder, &head, &[]).expect("as it was left");
        chain.append(&sealed(&mut head, 1)).expect("it follows");
        let verified = verify(&folder, None).expect("readable").expect("intact");
        assert_eq!((verified.records, verified.last_hash), (4, head.hash.clone()));
        assert_eq!(chain.head(), &head);
    }

    #[test]
    fn a_cut_tail_is_written_again_from_what_the_ledger_knows() {
        let store = tempfile::tempdir().expect("a temporary folder");
        let folder = store.path().join("audit");
        let mut head = Head::default();
        let mut chain = Chain::open(&folder, &head, &[]).expect("a writable folder");
        let records = sealed(&mut head, 4);
        chain.append(&records).expect("they follow");
        drop(chain);
        let file = path(&folder, 1);
        let whole = fs::read(&file).expect("a file");
        for cut in [0, 1, 100, whole.len() - 1] {
            fs::write(&file, &whole[..cut]).expect("a writable file");
            assert!(Chain::open(&folder, &head, &[]).is_err(), "cut at {cut}, and nobody knows what was there");
            Chain::open(&folder, &head, &records).expect("the ledger knows them");
            assert_eq!(fs::read(&file).expect("a file"), whole, "cut at {cut}");
        }
        let mut damaged = whole.clone();
        damaged[70] ^= 1;
        fs::write(&file, &damaged).expect("a writable file");
        assert!(Chain::open(&folder, &head, &records).is_err());
    }

    #[test]
    fn what_does_not_follow_is_refused() {
        let store = tempfile::tempdir().expect("a temporary folder");
        let mut head = Head::default();
        let mut chain = Chain::open(&store.path().join("audit"), &head, &[]).expect("a writable folder");
        let records = sealed(&mut head, 2);
        assert!(chain.append(&records[1..]).is_err());
        chain.append(&records).expect("they follow");
    }

    #[test]
    fn a_full_file_is_followed_by_the_next() {
        let store = tempfile::tempdir().expect("a temporary folder");
        let folder = store.path().join("audit");
        let mut head = Head::default();
        let mut chain = Chain::open(&folder, &head, &[]).expect("a writable folder");
        chain.append(&sealed(&mut head, 1)).expect("it follows");
        chain.bytes = FILE_BYTES;
        chain.append(&sealed(&mut head, 2)).expect("they follow");
        assert_eq!(count(&folder).expect("a folder"), 2);
        drop(chain);
        let mut chain = Chain::open(&folder, &head, &[]).expect("as it was left");
        chain.append(&sealed(&mut head, 1)).expect("it follows");
        assert_eq!(verify(&folder, None).expect("readable").expect("intact").records, 4);
    }
}
