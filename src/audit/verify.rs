//! Checks that nothing of an audit log was changed, left out, or put in another order.

use std::io;
use std::path::Path;

use super::chain::Head;
use super::files::{Lines, count, hash, number_of, parts, path};

/// An audit log that is intact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many records it has.
    pub records: u64,
    /// Hash of the last one.
    pub last_hash: String,
}

/// Where an audit log is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {record} ({file}): {reason}")]
pub struct Broken {
    /// Number of the first record that is not as it was written.
    pub record: u64,
    /// Its file.
    pub file: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Checks every record of an audit log. Files alone cannot tell whether records are missing at the end: `head` can.
///
/// # Errors
/// If the files cannot be read.
///
/// * `folder` – `STORE/audit`
/// * `head` – a hash that was noted elsewhere: it must be that of a record
pub fn verify(folder: &Path, head: Option<&str>) -> io::Result<Result<Verified, Broken>> {
    let mut last = Head::default();
    let mut has_head = head.is_none_or(|head| head == last.hash);
    let mut file = String::new();
    for number in 1..=count(folder)? {
        let path = path(folder, number);
        file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for line in Lines::open(&path)? {
            let record = last.records + 1;
            let broken = |reason| Ok(Err(Broken { record, file: file.clone(), reason }));
            let line = line?;
            let Some((found, json)) = parts(&line) else { return broken("is not a whole line of hash and JSON") };
            if found != hash(&last.hash, json) {
                return broken("its hash is not that of its text and the record before");
            }
            if number_of(json) != Some(record) {
                return broken("its number does not follow that of the record before");
            }
            last = Head { records: record, hash: found.to_owned() };
            has_head |= head == Some(found);
        }
    }
    if !has_head {
        let reason = "no record has the hash that was noted: records are missing at the end";
        return Ok(Err(Broken { record: last.records + 1, file, reason }));
    }
    Ok(Ok(Verified { records: last.records, last_hash: last.hash }))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::audit::{Chain, Event, Record};

    #[test]
    fn a_flipped_bit_a_lost_line_and_a_cut_tail_are_found() {
        let store = tempfile::tempdir().expect("a temporary folder");
        let folder = store.path().join("audit");
        let mut head = Head::default();
        let mut chain = Chain::open(&folder, &head, &[]).expect("a writable folder");
        let records: Vec<_> = (0..3).map(|_| head.seal(&Record::now(Event::VolumeStored))).collect();
        chain.append(&records).expect("they follow");
        let file = path(&folder, 1);
        let whole = fs::read(&file).expect("a file");
        let check = |bytes: &[u8], head: Option<&str>| {
            fs::write(&file, bytes).expect("a writable file");
            verify(&folder, head).expect("readable")
        };
        assert_eq!(check(&whole, Some(&head.hash)).expect("intact").records, 3);
        for at in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
            for bit in [0, 5] {
                let mut changed = whole.clone();
                changed[at] ^= 1 << bit;
                let broken = check(&changed, None).expect_err("a bit is another");
                let expected = 1 + whole[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
                assert_eq!(broken.record, expected, "bit {bit} of byte {at}");
            }
        }
        let first = records[0].line.len();
        let without_second = [&whole[..first], records[2].line.as_bytes()].concat();
        assert_eq!(check(&without_second, None).expect_err("a line is missing").record, 2);
        let cut = &whole[..whole.len() - records[2].line.len()];
        assert_eq!(check(cut, None).expect("the files alone do not tell").records, 2);
        assert_eq!(check(cut, Some(&head.hash)).expect_err("a head was noted").record, 3);
    }
}
