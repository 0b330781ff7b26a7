//! Checks that nothing of an audit log was changed, left out, or put in another order.

use std::io;
use std::path::Path;

use super::chain::{Head, Known};
use super::files::{Lines, count, event_of, hash, number_of, parts, path};

/// The last event of a log that was closed.
const CLOSED: &str = "server.stopped";

/// An audit log that is intact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many records it has.
    pub records: u64,
    /// Hash of the last one.
    pub last_hash: String,
    /// How many of them stand in the ledger alone: a process was lost while it wrote them, and the next writes them
    /// again when it starts. Always 0 of files alone.
    pub in_ledger: u64,
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
    check(folder, head, None)
}

/// As [`verify()`], and whether the files end where the ledger says. A process that was lost may have left out the last
/// records, or cut one off within its line: if the ledger has them, nothing is missing. A process that closed the log
/// left nothing out.
///
/// # Errors
/// If the files cannot be read.
pub fn verify_with(folder: &Path, head: Option<&str>, known: &Known) -> io::Result<Result<Verified, Broken>> {
    check(folder, head, Some(known))
}

fn check(folder: &Path, head: Option<&str>, known: Option<&Known>) -> io::Result<Result<Verified, Broken>> {
    let mut last = Head::default();
    let mut has_head = head.is_none_or(|head| head == last.hash);
    let mut file = String::new();
    let files = count(folder)?;
    for number in 1..=files {
        let path = path(folder, number);
        file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for line in Lines::open(&path)? {
            let record = last.records + 1;
            let broken = |reason| Ok(Err(Broken { record, file: file.clone(), reason }));
            let line = line?;
            let Some((found, json)) = parts(&line) else {
                // Without its end it is the last of its file.
                let is_left_off = number == files && !line.ends_with(b"\n");
                if is_left_off && known.is_some_and(|known| has_begun(known, &last, &line)) {
                    break;
                }
                return broken("is not a whole line of hash and JSON");
            };
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
    let in_files = last.records;
    if let Some(known) = known {
        for line in known.lines.iter().filter(|line| line.seq > in_files) {
            let next = last.after(line);
            last = next.unwrap_or(last);
            has_head |= head == Some(&last.hash);
        }
        let is_closed = known.lines.last().is_some_and(|line| event_of(&line.line).as_deref() == Some(CLOSED));
        if last != known.head || is_closed && last.records > in_files {
            let (record, reason) = match in_files > known.head.records {
                true => (known.head.records + 1, "is not in the ledger"),
                false => (in_files + 1, "is missing, or another: by the ledger the log goes on"),
            };
            return Ok(Err(Broken { record, file, reason }));
        }
    }
    if !has_head {
        let reason = "no record has the hash that was noted: records are missing at the end";
        return Ok(Err(Broken { record: last.records + 1, file, reason }));
    }
    let in_ledger = last.records - in_files;
    Ok(Ok(Verified { records: last.records, last_hash: last.hash, in_ledger }))
}

/// Whether bytes are the beginning of the record that the ledger has after the last one.
fn has_begun(known: &Known, last: &Head, bytes: &[u8]) -> bool {
    let next = known.lines.iter().find(|line| line.seq == last.records + 1);
    next.is_some_and(|next| next.line.as_bytes().starts_with(bytes))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::audit::{Chain, Event, Record, Sealed};

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

    /// A log of four records, of which the ledger has the last two; its file, and the bytes of that.
    fn left(last: Event) -> (tempfile::TempDir, std::path::PathBuf, Vec<u8>, Known) {
        let store = tempfile::tempdir().expect("a temporary folder");
        let folder = store.path().join("audit");
        let mut head = Head::default();
        let mut chain = Chain::open(&folder, &head, &[]).expect("a writable folder");
        let events = [Event::ServerStarted, Event::JobCreated, Event::JobStarted, last];
        let records: Vec<Sealed> = events.into_iter().map(|event| head.seal(&Record::now(event))).collect();
        chain.append(&records).expect("they follow");
        let whole = fs::read(path(&folder, 1)).expect("a file");
        (store, folder, whole, Known { head, lines: records[2..].to_vec() })
    }

    #[test]
    fn what_a_lost_process_left_off_stands_in_the_ledger() {
        let (_store, folder, whole, known) = left(Event::JobCancelled);
        let of_first_two = whole.len() - known.lines.iter().map(|line| line.line.len()).sum::<usize>();
        let begins = of_first_two + known.lines[0].line.len();
        let ends =
            (of_first_two..whole.len()).step_by(37).chain(begins - 2..begins + 3).chain([whole.len() - 1, whole.len()]);
        for end in ends {
            fs::write(path(&folder, 1), &whole[..end]).expect("a writable file");
            let found = verify_with(&folder, Some(&known.head.hash), &known).expect("readable").expect("intact");
            let lines = whole[..end].iter().filter(|byte| **byte == b'\n').count() as u64;
            assert_eq!((found.records, found.in_ledger), (4, 4 - lines), "{end} bytes");
            assert_eq!(found.last_hash, known.head.hash);
            let is_whole = end == of_first_two || whole[end - 1] == b'\n';
            assert_eq!(verify(&folder, None).expect("readable").is_ok(), is_whole, "the files alone, {end} bytes");
            // It is what the next start writes again.
            Chain::open(&folder, &known.head, &known.lines).expect("the ledger has the rest");
            assert_eq!(fs::read(path(&folder, 1)).expect("a file"), whole);
        }
    }

    #[test]
    fn what_the_ledger_does_not_have_is_broken() {
        let (_store, folder, whole, known) = left(Event::JobCancelled);
        let of_first_two = whole.len() - known.lines.iter().map(|line| line.line.len()).sum::<usize>();
        let check = |bytes: &[u8]| {
            fs::write(path(&folder, 1), bytes).expect("a writable file");
            verify_with(&folder, None, &known).expect("readable").map_err(|broken| broken.record)
        };
        assert_eq!(check(&whole[..of_first_two - 1]), Err(2), "a record that the ledger left to the file");
        let mut other = whole[..of_first_two + 90].to_vec();
        other[of_first_two + 80] ^= 1;
        assert_eq!(check(&other), Err(3), "the beginning of another record");
        assert_eq!(check(&[&whole, &b"0123"[..]].concat()), Err(5), "more than the ledger knows");
        let (_store, folder, whole, known) = left(Event::ServerStopped);
        assert!(verify_with(&folder, None, &known).expect("readable").is_ok());
        for missing in [1, known.lines[1].line.len()] {
            fs::write(path(&folder, 1), &whole[..whole.len() - missing]).expect("a writable file");
            let broken = verify_with(&folder, None, &known).expect("readable").expect_err("it was closed whole");
            assert_eq!(broken.record, 4);
        }
    }
}
