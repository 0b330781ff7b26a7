//! The ledger: tables of records in one file. A record carries a check sum, so that a flipped bit is found.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::files::sync_folder;
use crate::digest::Digest;

/// Bytes of a record's check sum.
const SUM_BYTES: usize = 8;
/// Memory for pages of the ledger [bytes].
const CACHE_BYTES: usize = 64 << 20;

/// Pages of the tree that a record's change writes anew [bytes].
const PAGES_BYTES: u64 = 16 << 10;

/// A table. Keys are `TENANT/ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Jobs,
    Specs,
    Results,
    Volumes,
    Requests,
    /// What the audit log has to hold: its head, and lines that may not be in its file yet.
    Audit,
}

impl Table {
    const ALL: [Self; 6] = [Self::Jobs, Self::Specs, Self::Results, Self::Volumes, Self::Requests, Self::Audit];

    fn name(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Specs => "specs",
            Self::Results => "results",
            Self::Volumes => "volumes",
            Self::Requests => "requests",
            Self::Audit => "audit",
        }
    }

    fn definition(self) -> TableDefinition<'static, &'static str, &'static [u8]> {
        TableDefinition::new(self.name())
    }
}

/// A record to write, or to remove.
#[derive(Debug)]
pub(super) struct Write {
    table: Table,
    key: String,
    value: Option<Vec<u8>>,
}

impl Write {
    pub(super) fn put(table: Table, key: String, value: Vec<u8>) -> Self {
        Self { table, key, value: Some(value) }
    }

    pub(super) fn remove(table: Table, key: String) -> Self {
        Self { table, key, value: None }
    }

    /// A bound of what it takes of the disk before old pages are free again.
    pub(super) fn most_bytes(&self) -> u64 {
        let own = self.key.len() + self.value.as_ref().map_or(0, Vec::len);
        PAGES_BYTES + 2 * own as u64
    }
}

/// Why the ledger fails, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct LedgerError(String);

impl LedgerError {
    fn of(error: impl Into<redb::Error>) -> Self {
        Self(error.into().to_string())
    }

    pub(super) fn injected() -> Self {
        Self("an injected fault".to_owned())
    }

    pub(super) fn damaged(table: Table) -> Self {
        Self(format!("a record of the table `{}` of its ledger is damaged", table.name()))
    }
}

/// The tables in their file.
#[derive(Debug)]
pub(super) struct Ledger(Database);

impl Ledger {
    /// Opens the ledger, or begins one. The folder of a new one is synced: redb does not do that.
    pub(super) fn open(path: &Path) -> Result<Self, LedgerError> {
        let database = Database::builder().set_cache_size(CACHE_BYTES).create(path).map_err(LedgerError::of)?;
        let ledger = Self(database);
        let transaction = ledger.0.begin_write().map_err(LedgerError::of)?;
        for table in Table::ALL {
            transaction.open_table(table.definition()).map_err(LedgerError::of)?;
        }
        transaction.commit().map_err(LedgerError::of)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        sync_folder(folder).map_err(|error| LedgerError(error.to_string()))?;
        Ok(ledger)
    }

    /// Writes all in one transaction. It is safe on disk when this returns.
    pub(super) fn commit(&self, writes: &[Write]) -> Result<(), LedgerError> {
        let transaction = self.0.begin_write().map_err(LedgerError::of)?;
        for kind in Table::ALL {
            if writes.iter().all(|write| write.table != kind) {
                continue;
            }
            let mut table = transaction.open_table(kind.definition()).map_err(LedgerError::of)?;
            for Write { key, value, .. } in writes.iter().filter(|write| write.table == kind) {
                match value {
                    Some(value) => table.insert(key.as_str(), sealed(key, value).as_slice()).map(drop),
                    None => table.remove(key.as_str()).map(drop),
                }
                .map_err(LedgerError::of)?;
            }
        }
        transaction.commit().map_err(LedgerError::of)
    }

    /// One record.
    pub(super) fn get(&self, table: Table, key: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        let transaction = self.0.begin_read().map_err(LedgerError::of)?;
        let open = transaction.open_table(table.definition()).map_err(LedgerError::of)?;
        let found = open.get(key).map_err(LedgerError::of)?;
        found.map(|value| opened(table, key, value.value()).map(<[u8]>::to_vec)).transpose()
    }

    /// Every record of a table, by rising key.
    pub(super) fn each(
        &self,
        table: Table,
        mut see: impl FnMut(&str, &[u8]) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let transaction = self.0.begin_read().map_err(LedgerError::of)?;
        let open = transaction.open_table(table.definition()).map_err(LedgerError::of)?;
        for entry in open.iter().map_err(LedgerError::of)? {
            let (key, value) = entry.map_err(LedgerError::of)?;
            see(key.value(), opened(table, key.value(), value.value())?)?;
        }
        Ok(())
    }
}

fn check_sum(key: &str, value: &[u8]) -> [u8; SUM_BYTES] {
    let mut digest = Digest::new();
    digest.update(key);
    digest.update(value);
    *digest.bytes().first_chunk().expect("a digest is longer")
}

/// A value with its check sum.
fn sealed(key: &str, value: &[u8]) -> Vec<u8> {
    [&check_sum(key, value)[..], value].concat()
}

/// A value whose check sum is right.
fn opened<'a>(table: Table, key: &str, bytes: &'a [u8]) -> Result<&'a [u8], LedgerError> {
    let (sum, value) = bytes.split_first_chunk::<SUM_BYTES>().ok_or_else(|| LedgerError::damaged(table))?;
    if *sum == check_sum(key, value) { Ok(value) } else { Err(LedgerError::damaged(table)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_stay_and_a_flipped_bit_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ledger");
        let put = |key: &str, value: &[u8]| Write::put(Table::Jobs, key.to_owned(), value.to_vec());
        let ledger = Ledger::open(&path).expect("a new ledger");
        ledger.commit(&[put("a/1", b"one"), put("a/2", b"two")]).expect("room");
        ledger.commit(&[Write::remove(Table::Jobs, "a/1".to_owned())]).expect("room");
        drop(ledger);
        let ledger = Ledger::open(&path).expect("the same");
        assert_eq!(ledger.get(Table::Jobs, "a/1").expect("readable"), None);
        assert_eq!(ledger.get(Table::Jobs, "a/2").expect("readable").as_deref(), Some(&b"two"[..]));
        let mut keys = Vec::new();
        let each = ledger.each(Table::Jobs, |key, _| {
            keys.push(key.to_owned());
            Ok(())
        });
        each.expect("readable");
        assert_eq!(keys, ["a/2"]);
        let mut flipped = sealed("a/2", b"two");
        flipped[SUM_BYTES] ^= 1;
        assert!(opened(Table::Jobs, "a/2", &flipped).is_err() && opened(Table::Jobs, "a/2", &[1]).is_err());
        assert!(opened(Table::Jobs, "a/3", &sealed("a/2", b"two")).is_err(), "a value of another key");
    }
}
