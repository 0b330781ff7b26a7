//! The ledger: tables in one file, which outlives the process at any moment. What a closure changes is whole or not at
//! all, and is on the disk when it returns.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::record::Item;
use super::{State, now_ms};

/// Memory for pages [bytes].
const CACHE_BYTES: usize = 32 << 20;

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// Salt, and where the audit log ends.
    Meta,
    /// By the name of the study.
    Studies,
    /// By `STUDY/SOP_INSTANCE_UID`.
    Instances,
    /// By their name.
    Items,
    /// What this gateway made, by SOP Instance UID.
    Own,
    /// Files of watched folders that were taken, and places in feeds of changes, by source.
    Places,
    /// What others are to be told, by time.
    Notices,
}

impl Table {
    const ALL: [Self; 7] =
        [Self::Meta, Self::Studies, Self::Instances, Self::Items, Self::Own, Self::Places, Self::Notices];

    fn definition(self) -> TableDefinition<'static, &'static str, &'static [u8]> {
        TableDefinition::new(match self {
            Self::Meta => "meta",
            Self::Studies => "studies",
            Self::Instances => "instances",
            Self::Items => "items",
            Self::Own => "own",
            Self::Places => "places",
            Self::Notices => "notices",
        })
    }
}

/// Why the ledger fails, or refuses.
#[derive(Debug, thiserror::Error)]
pub(super) enum LedgerError {
    /// The file, or what stands in it.
    #[error("the ledger fails: {0}")]
    Broken(String),
    /// A state that does not follow.
    #[error("{id} is {}, and cannot become {}", .from.name(), .to.name())]
    NoWay {
        /// The item.
        id: String,
        /// Where it stands.
        from: State,
        /// Where it was to go.
        to: State,
    },
    /// A version that is not the last that was sent.
    #[error("{id} is older than {later}, which was sent: an older dose does not follow a newer one")]
    Older {
        /// The item.
        id: String,
        /// The later one.
        later: String,
    },
    /// An item whose files were dropped or deleted.
    #[error("the files of {0} were dropped, or deleted for their age: send the study again, which makes a new item")]
    Forgotten(String),
    /// No such item.
    #[error("there is no item `{0}`")]
    Unknown(String),
}

fn broken(error: impl Into<redb::Error>) -> LedgerError {
    LedgerError::Broken(error.into().to_string())
}

fn damaged(key: &str) -> LedgerError {
    LedgerError::Broken(format!("the record `{key}` cannot be read"))
}

/// The tables in their file.
#[derive(Debug)]
pub(super) struct Ledger {
    tables: Database,
    /// Where each item stands, by its name. Items are kept for good: those that are done are not read again by every
    /// look for what is to be done.
    places: Mutex<BTreeMap<String, Place>>,
}

/// Of an item, what says whether there is something to do for it.
#[derive(Clone, Copy, Debug)]
struct Place {
    state: State,
    /// Whether it is sent, and stays so.
    is_at_its_end: bool,
    /// Whether its worklist may still be to be told something.
    has_open_claim: bool,
    /// Whether its files were not deleted for their age.
    has_files: bool,
}

impl Place {
    fn of(item: &Item) -> Self {
        let has_open_claim = item.workitem.as_ref().is_some_and(|claim| claim.state.is_open());
        let (is_at_its_end, has_files) = (item.stays_sent(), item.deleted_ms.is_none());
        Self { state: item.state, is_at_its_end, has_open_claim, has_files }
    }
}

/// A change that is being made.
pub(super) struct Change<'t> {
    transaction: &'t WriteTransaction,
    /// Items that it puts, which stand there once it is made.
    put: RefCell<Vec<(String, Place)>>,
}

impl Ledger {
    /// Opens the ledger, or begins one: under another name first, so that a loss leaves none that is half begun.
    pub(super) fn open(path: &Path) -> Result<Self, LedgerError> {
        let cannot = |error: io::Error| LedgerError::Broken(error.to_string());
        if !path.exists() {
            let beside = path.with_extension("new");
            if beside.exists() {
                fs::remove_file(&beside).map_err(cannot)?;
            }
            drop(Self::with_tables(&beside)?);
            fs::rename(&beside, path).map_err(cannot)?;
            let folder = path.parent().unwrap_or(Path::new("."));
            fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(cannot)?;
        }
        Self::with_tables(path)
    }

    fn with_tables(path: &Path) -> Result<Self, LedgerError> {
        let tables = Database::builder().set_cache_size(CACHE_BYTES).create(path).map_err(broken)?;
        let transaction = tables.begin_write().map_err(broken)?;
        for table in Table::ALL {
            transaction.open_table(table.definition()).map_err(broken)?;
        }
        transaction.commit().map_err(broken)?;
        let ledger = Self { tables, places: Mutex::default() };
        ledger.find_places()?;
        Ok(ledger)
    }

    /// Reads where each item stands, one after the other: all of them may be much.
    fn find_places(&self) -> Result<(), LedgerError> {
        let transaction = self.tables.begin_read().map_err(broken)?;
        let open = transaction.open_table(Table::Items.definition()).map_err(broken)?;
        let mut places = self.places();
        for entry in open.iter().map_err(broken)? {
            let (key, value) = entry.map_err(broken)?;
            let item: Item = serde_json::from_slice(value.value()).map_err(|_| damaged(key.value()))?;
            places.insert(key.value().to_owned(), Place::of(&item));
        }
        Ok(())
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<String, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a change; an error leaves all as it was.
    pub(super) fn change<T>(&self, work: impl FnOnce(&Change<'_>) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        let transaction = self.tables.begin_write().map_err(broken)?;
        let change = Change { transaction: &transaction, put: RefCell::default() };
        let value = work(&change)?;
        let put = change.put.into_inner();
        // Kept until it is made, so that of two changes the later one stands here too.
        let mut places = self.places();
        transaction.commit().map_err(broken)?;
        places.extend(put);
        Ok(value)
    }

    pub(super) fn get<T: DeserializeOwned>(&self, table: Table, key: &str) -> Result<Option<T>, LedgerError> {
        let transaction = self.tables.begin_read().map_err(broken)?;
        let open = transaction.open_table(table.definition()).map_err(broken)?;
        let found = open.get(key).map_err(broken)?;
        found.map(|value| serde_json::from_slice(value.value()).map_err(|_| damaged(key))).transpose()
    }

    /// All records whose key begins so, by rising key.
    pub(super) fn list<T: DeserializeOwned>(&self, table: Table, start: &str) -> Result<Vec<(String, T)>, LedgerError> {
        let transaction = self.tables.begin_read().map_err(broken)?;
        collect(&transaction.open_table(table.definition()).map_err(broken)?, start)
    }

    pub(super) fn items(&self) -> Result<Vec<Item>, LedgerError> {
        let mut items: Vec<Item> = self.list(Table::Items, "")?.into_iter().map(|(_, item)| item).collect();
        items.sort_by(|a, b| (a.since_ms, &a.id).cmp(&(b.since_ms, &b.id)));
        Ok(items)
    }

    /// Those in a state, the longest there first.
    pub(super) fn items_in(&self, state: State) -> Result<Vec<Item>, LedgerError> {
        Ok(self.items_at(|place| place.state == state)?.into_iter().filter(|item| item.state == state).collect())
    }

    /// Those that wait for a computation, or have a workitem whose worklist is still to be told something.
    pub(super) fn items_with_work(&self) -> Result<Vec<Item>, LedgerError> {
        self.items_at(|place| place.state == State::Ready || place.has_open_claim)
    }

    /// Those that are being sent, or were sent and may go on from there.
    pub(super) fn items_to_deliver(&self) -> Result<Vec<Item>, LedgerError> {
        self.items_at(|place| place.state == State::Released || place.state == State::Sent && !place.is_at_its_end)
    }

    /// Those whose files were not deleted for their age.
    pub(super) fn items_with_files(&self) -> Result<Vec<Item>, LedgerError> {
        self.items_at(|place| place.has_files)
    }

    fn items_at(&self, is_wanted: impl Fn(Place) -> bool) -> Result<Vec<Item>, LedgerError> {
        let names: Vec<String> =
            self.places().iter().filter(|(_, place)| is_wanted(**place)).map(|(id, _)| id.clone()).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let transaction = self.tables.begin_read().map_err(broken)?;
        let open = transaction.open_table(Table::Items.definition()).map_err(broken)?;
        let mut items = Vec::new();
        for id in names {
            if let Some(value) = open.get(id.as_str()).map_err(broken)? {
                items.push(serde_json::from_slice::<Item>(value.value()).map_err(|_| damaged(&id))?);
            }
        }
        items.sort_by(|a, b| (a.since_ms, &a.id).cmp(&(b.since_ms, &b.id)));
        Ok(items)
    }
}

fn collect<T: DeserializeOwned>(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    start: &str,
) -> Result<Vec<(String, T)>, LedgerError> {
    let mut found = Vec::new();
    for entry in table.range(start..).map_err(broken)? {
        let (key, value) = entry.map_err(broken)?;
        if !key.value().starts_with(start) {
            break;
        }
        let record = serde_json::from_slice(value.value()).map_err(|_| damaged(key.value()))?;
        found.push((key.value().to_owned(), record));
    }
    Ok(found)
}

impl Change<'_> {
    pub(super) fn get<T: DeserializeOwned>(&self, table: Table, key: &str) -> Result<Option<T>, LedgerError> {
        let open = self.transaction.open_table(table.definition()).map_err(broken)?;
        let found = open.get(key).map_err(broken)?;
        found.map(|value| serde_json::from_slice(value.value()).map_err(|_| damaged(key))).transpose()
    }

    pub(super) fn list<T: DeserializeOwned>(&self, table: Table, start: &str) -> Result<Vec<(String, T)>, LedgerError> {
        collect(&self.transaction.open_table(table.definition()).map_err(broken)?, start)
    }

    /// Whether a table has a key that begins so.
    pub(super) fn has_any(&self, table: Table, start: &str) -> Result<bool, LedgerError> {
        let open = self.transaction.open_table(table.definition()).map_err(broken)?;
        let first = open.range(start..).map_err(broken)?.next().transpose().map_err(broken)?;
        Ok(first.is_some_and(|(key, _)| key.value().starts_with(start)))
    }

    pub(super) fn put(&self, table: Table, key: &str, record: &impl Serialize) -> Result<(), LedgerError> {
        let bytes = serde_json::to_vec(record).map_err(|error| LedgerError::Broken(error.to_string()))?;
        if table == Table::Items {
            let item: Item = serde_json::from_slice(&bytes).map_err(|_| damaged(key))?;
            self.put.borrow_mut().push((key.to_owned(), Place::of(&item)));
        }
        let mut open = self.transaction.open_table(table.definition()).map_err(broken)?;
        open.insert(key, bytes.as_slice()).map(drop).map_err(broken)
    }

    pub(super) fn remove(&self, table: Table, key: &str) -> Result<(), LedgerError> {
        let mut open = self.transaction.open_table(table.definition()).map_err(broken)?;
        open.remove(key).map(drop).map_err(broken)
    }

    pub(super) fn item(&self, id: &str) -> Result<Item, LedgerError> {
        self.get(Table::Items, id)?.ok_or_else(|| LedgerError::Unknown(id.to_owned()))
    }

    /// The versions of a study, the first first.
    pub(super) fn versions(&self, study: &str) -> Result<Vec<Item>, LedgerError> {
        let found: Vec<(String, Item)> = self.list(Table::Items, &format!("{study}-"))?;
        let mut items: Vec<Item> = found.into_iter().map(|(_, item)| item).collect();
        items.sort_by_key(|item| item.version);
        Ok(items)
    }

    /// Takes an item on to another state: the one place where states change.
    ///
    /// # Errors
    /// If it stands where this state does not follow.
    pub(super) fn advance(
        &self,
        id: &str,
        to: State,
        reason: &str,
        more: impl FnOnce(&mut Item),
    ) -> Result<Item, LedgerError> {
        let mut item = self.item(id)?;
        if !item.state.followers().contains(&to) {
            return Err(LedgerError::NoWay { id: id.to_owned(), from: item.state, to });
        }
        more(&mut item);
        item.state = to;
        reason.clone_into(&mut item.reason);
        item.since_ms = now_ms();
        self.put(Table::Items, id, &item)?;
        // Whether what was sent stays so is not known yet.
        if to != State::Sent {
            self.tell(&item)?;
        }
        Ok(item)
    }

    /// Changes an item that stays where it is.
    ///
    /// # Errors
    /// If it stands elsewhere.
    pub(super) fn note(&self, id: &str, at: State, more: impl FnOnce(&mut Item)) -> Result<Item, LedgerError> {
        let mut item = self.item(id)?;
        if item.state != at {
            return Err(LedgerError::NoWay { id: id.to_owned(), from: item.state, to: at });
        }
        more(&mut item);
        self.put(Table::Items, id, &item)?;
        Ok(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_does_not_follow_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = Ledger::open(&folder.path().join("ledger.redb")).expect("a new ledger");
        let item = Item::new("study", 1, 5);
        ledger.change(|change| change.put(Table::Items, &item.id, &item)).expect("room");
        let sent = ledger.change(|change| change.advance("study-1", State::Sent, "", |item| item.failures = 9));
        assert!(matches!(sent, Err(LedgerError::NoWay { from: State::Received, .. })), "{sent:?}");
        assert_eq!(ledger.items().expect("readable"), [item]);
        let ready = ledger.change(|change| change.advance("study-1", State::Ready, "whole", |item| item.failures = 9));
        assert_eq!(ready.expect("it follows").failures, 9);
        drop(ledger);
        let ledger = Ledger::open(&folder.path().join("ledger.redb")).expect("the same");
        assert_eq!(ledger.items_in(State::Ready).expect("readable")[0].reason, "whole");
        assert!(matches!(ledger.change(|change| change.item("other-1")), Err(LedgerError::Unknown(_))));
    }
}
