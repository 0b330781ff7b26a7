//! Objects to their destinations, and back to be compared.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::config::{Destination, DestinationKind};
use super::ledger::Table;
use super::record::{Delivery, DeliveryState, Item, Object};
use super::work::unless_it_went_on;
use super::{Gateway, State, doubled, has_come, intake, later_ms};
use crate::domain::{DoseError, Invalid};
use crate::formats::{atomic, dicom};
use crate::pacs::{self, Instance, Web};

/// Longest wait between two attempts.
const MAX_WAIT: Duration = Duration::from_secs(6 * 3600);
/// Bytes beside those of the file that an archive may give back: its own file meta information.
const MORE_BYTES: u64 = 1 << 20;

/// What an attempt found.
enum Found {
    /// It has what was sent.
    Equal,
    /// It has something else under the UID.
    Other,
    /// It does not have it.
    Nothing,
}

/// Whether a destination has said that it has an object.
pub(super) fn has_arrived(delivery: &Delivery) -> bool {
    use DeliveryState::{Committed, Stored, Unverified, Verified};
    matches!(delivery.state, Stored | Verified | Committed | Unverified)
}

/// Whether a destination has said that it has an object of an item.
pub(super) fn has_come_to(item: &Item, to: &str) -> bool {
    item.deliveries.iter().any(|one| one.to == to && has_arrived(one))
}

/// A delivery that is not made, for a later version came first.
fn superseded(due: &Delivery, later: &str) -> Delivery {
    let said = format!("{later}, a later version, was sent there: this one is not sent any more");
    tracing::info!(to = due.to, said, "delivery");
    Delivery { state: DeliveryState::Superseded, next_ms: 0, said, ..due.clone() }
}

/// Where the deliveries of an item take it, and why; none where it stays with the reason that it has.
pub(super) fn conclusion(item: &Item) -> Option<(State, String)> {
    let count = |state: DeliveryState| item.deliveries.iter().filter(|one| one.state == state).count();
    let said = |state: DeliveryState| {
        let mut words: Vec<String> = Vec::new();
        for one in item.deliveries.iter().filter(|one| one.state == state) {
            let next = format!("{}: {}", one.to, one.said);
            // Several objects may have met the same.
            if !words.contains(&next) {
                words.push(next);
            }
        }
        words.join("; ")
    };
    let (waiting, failed, stored) =
        (count(DeliveryState::Waiting), count(DeliveryState::Failed), count(DeliveryState::Stored));
    let superseded = said(DeliveryState::Superseded);
    let is_left_to_later = count(DeliveryState::Superseded) == item.deliveries.len() && !item.deliveries.is_empty();
    let with = |words: &str, more: &str| if more.is_empty() { words.to_owned() } else { format!("{words}; {more}") };
    let (is_released, is_sent) = (item.state == State::Released, item.state == State::Sent);
    if is_released && waiting == 0 && failed > 0 || is_sent && stored == 0 && failed > 0 {
        Some((State::Aside, said(DeliveryState::Failed)))
    } else if is_released && is_left_to_later {
        Some((State::Skipped, superseded))
    } else if is_released && waiting == 0 {
        Some((State::Sent, with("stored by every destination", &superseded)))
    } else if is_sent && waiting > 0 {
        Some((State::Released, said(DeliveryState::Waiting)))
    } else if is_sent && stored == 0 && count(DeliveryState::Unverified) == 0 {
        let committed = said(DeliveryState::Committed);
        let is_read_back = count(DeliveryState::Verified) > 0;
        let reason = match (committed.is_empty(), is_read_back) {
            (true, _) if superseded.is_empty() => "read back from every destination, and equal".to_owned(),
            (true, _) => "read back from every destination that it was sent to, and equal".to_owned(),
            (false, false) => committed,
            (false, true) => format!("read back and equal where it can be; {committed}"),
        };
        Some((State::Verified, with(&reason, &superseded)))
    } else if is_sent && stored == 0 {
        // It stays, by the word of a destination alone.
        let reason = with(&said(DeliveryState::Unverified), &superseded);
        Some((State::Sent, reason)).filter(|(_, reason)| item.reason != *reason)
    } else {
        None
    }
}

impl Gateway {
    /// Sends what is due, and reads back what was sent. Whether anything was due.
    pub(super) fn deliver_due(&self) -> Result<bool, DoseError> {
        let mut was_due = false;
        for state in [State::Released, State::Sent] {
            for found in self.ledger.items_in(state)? {
                for number in 0..found.deliveries.len() {
                    if self.is_stopping() {
                        return Ok(was_due);
                    }
                    // What came before may have taken minutes: it may have been dropped meanwhile.
                    let now = self.ledger.get::<Item>(Table::Items, &found.id)?;
                    let Some(item) = now.filter(|now| now.state == state) else { break };
                    let Some(due) = item.deliveries.get(number) else { break };
                    let wanted = if state == State::Released { DeliveryState::Waiting } else { DeliveryState::Stored };
                    if due.state == wanted && self.is_due(due) {
                        was_due = true;
                        if state == State::Sent && self.commit(&item, number)? {
                            continue;
                        }
                        let later = if state == State::Released { self.later_at(&item, &due.to)? } else { None };
                        let next = later.map_or_else(|| self.attempt(&item, due), |later| superseded(due, &later));
                        self.attempted(&item, number, next)?;
                    }
                }
                self.conclude(&found.id)?;
            }
        }
        Ok(was_due)
    }

    /// Whether the next attempt is due.
    fn is_due(&self, one: &Delivery) -> bool {
        let longest = self.config.destination(&one.to).map_or(Duration::ZERO, |destination| match destination.kind {
            // A report is waited for.
            DestinationKind::Store { commitment: Some(asked), .. } if one.transaction.is_some() => asked.limit,
            DestinationKind::Store { .. } | DestinationKind::Folder(_) | DestinationKind::Web(_) => {
                wait(destination, one.attempts)
            }
        });
        has_come(one.next_ms, longest)
    }

    /// The latest version of an item's study that came to a destination after it: the older dose would be the last
    /// that came there.
    fn later_at(&self, item: &Item, to: &str) -> Result<Option<String>, DoseError> {
        let versions: Vec<(String, Item)> = self.ledger.list(Table::Items, &format!("{}-", item.study))?;
        let is_later = |other: &&Item| other.version > item.version && has_come_to(other, to);
        let latest = versions.iter().map(|(_, other)| other).filter(is_later).max_by_key(|one| one.version);
        Ok(latest.map(|later| later.id.clone()))
    }

    /// Notes an attempt. What arrived while its item was skipped is there all the same, and the item says so.
    pub(super) fn attempted(&self, found: &Item, number: usize, next: Delivery) -> Result<(), DoseError> {
        let done = self.ledger.change(|change| {
            let mut item = change.item(&found.id)?;
            let is_same = item.deliveries.get(number) == Some(&found.deliveries[number]);
            if !is_same {
                return Ok(None);
            }
            if item.state != found.state {
                if !has_arrived(&next) {
                    return Ok(None);
                }
                item.reason = format!("{}; {} had it by then", item.reason, next.to);
            }
            item.deliveries[number] = next;
            change.put(Table::Items, &item.id, &item)?;
            Ok(Some(item).filter(|item| item.state != found.state))
        })?;
        if let Some(item) = done {
            tracing::warn!(item = item.id, reason = item.reason, "item");
        }
        Ok(())
    }

    /// Takes an item on whose deliveries say so.
    fn conclude(&self, id: &str) -> Result<(), DoseError> {
        let item = self.ledger.change(|change| change.item(id))?;
        match conclusion(&item) {
            Some((state, reason)) if state == item.state => self.stays(id, state, reason),
            Some((state, reason)) => self.settle(id, state, &reason, |_| {}),
            None => Ok(()),
        }
    }

    /// An item has come to its end where it is: others are told.
    fn stays(&self, id: &str, state: State, reason: String) -> Result<(), DoseError> {
        let told = self.ledger.change(|change| {
            let item = change.note(id, state, |item| item.reason = reason)?;
            change.tell(&item)?;
            Ok(item)
        });
        if let Ok(item) = &told {
            tracing::info!(item = id, state = state.name(), reason = item.reason, "item");
        }
        unless_it_went_on(told)
    }

    /// One attempt: sends what waits, or reads back what is stored.
    fn attempt(&self, item: &Item, due: &Delivery) -> Delivery {
        let mut next = due.clone();
        let Some(destination) = self.config.destination(&due.to) else {
            next.state = DeliveryState::Failed;
            next.said = "there is no such destination any more".to_owned();
            return next;
        };
        let object = &item.objects[due.object];
        let path = self.results(&item.id).join(&object.file);
        let to = Sending { destination, object, path: &path, work: self.at("work") };
        let result = if due.state == DeliveryState::Waiting { to.send() } else { to.read_back() };
        let (state, said) = result.unwrap_or_else(|error| (due.state, error.to_string()));
        // What was to be done and is still to be done has failed; so has what was said to be stored, and is not there.
        let has_failed = state == due.state || state == DeliveryState::Waiting;
        if has_failed {
            self.fail(&mut next, state, said);
        } else {
            (next.state, next.next_ms, next.said) = (state, 0, said);
            if state == DeliveryState::Stored {
                self.metrics.stored(&due.to);
            }
        }
        tracing::info!(item = item.id, to = next.to, failures = next.attempts, said = next.said, "delivery");
        next
    }

    /// Notes an attempt that failed: it is made again, unless it was the last.
    ///
    /// * `again` – what is then to be done
    pub(super) fn fail(&self, one: &mut Delivery, again: DeliveryState, said: String) {
        self.metrics.delivery_failed(&one.to);
        one.attempts += 1;
        let destination = self.config.destination(&one.to);
        let is_last = destination.is_none_or(|destination| one.attempts >= destination.attempts);
        one.next_ms = destination.map_or(0, |destination| later_ms(wait(destination, one.attempts)));
        one.state = if is_last { DeliveryState::Failed } else { again };
        (one.said, one.transaction) = (said, None);
    }
}

/// How long after so many attempts that failed the next one is made.
fn wait(destination: &Destination, attempts: u32) -> Duration {
    doubled(destination.backoff, attempts, MAX_WAIT)
}

/// An object and where it goes.
struct Sending<'a> {
    destination: &'a Destination,
    object: &'a Object,
    path: &'a Path,
    /// For what is read back.
    work: PathBuf,
}

impl Sending<'_> {
    /// # Errors
    /// If the destination does not answer; it is asked again.
    fn send(&self) -> Result<(DeliveryState, String), DoseError> {
        let stored = || Ok((DeliveryState::Stored, "stored".to_owned()));
        // Never other bytes under a UID that is there, and nothing twice.
        match self.found()? {
            Some(Found::Equal) => return Ok((DeliveryState::Stored, "was there already".to_owned())),
            Some(Found::Other) => return Ok((DeliveryState::Failed, self.other())),
            Some(Found::Nothing) | None => {}
        }
        let instance = Instance::read(self.path)
            .map_err(|Invalid(reason)| DoseError::Io(format!("{} {reason}", self.object.file)))?;
        let mut said = None;
        let each = |_: &Instance, sent: &pacs::Sent| said = Some(sent.clone());
        match &self.destination.kind {
            DestinationKind::Folder(folder) => {
                let place = self.place(folder);
                let cannot = |error: io::Error| DoseError::Io(format!("cannot be written: {error}"));
                fs::create_dir_all(place.parent().unwrap_or(folder)).map_err(cannot)?;
                atomic::write_bytes(&place, &fs::read(self.path).map_err(cannot)?).map_err(cannot)?;
                intake::sync(place.parent().unwrap_or(folder)).map_err(cannot)?;
                return stored();
            }
            DestinationKind::Store { peer, calling, tls, .. } => {
                pacs::send(&[instance], peer, calling, tls.as_ref(), each)?;
            }
            DestinationKind::Web(web) => web.store(&[instance], each)?,
        }
        match said {
            Some(sent) if sent.is_stored() => Ok((DeliveryState::Stored, sent.words.to_owned())),
            Some(sent) => Err(DoseError::Io(format!("{:04X}H {}", sent.status, sent.words))),
            None => Err(DoseError::Io("nothing was said of it".to_owned())),
        }
    }

    fn read_back(&self) -> Result<(DeliveryState, String), DoseError> {
        Ok(match self.found()? {
            None => (DeliveryState::Unverified, "stored, and not read back: the destination has no way".to_owned()),
            Some(Found::Equal) => (DeliveryState::Verified, "read back, and equal".to_owned()),
            Some(Found::Other) => (DeliveryState::Failed, self.other()),
            Some(Found::Nothing) => {
                (DeliveryState::Waiting, "said to be stored, and not there when it was read back".to_owned())
            }
        })
    }

    fn other(&self) -> String {
        "other bytes are there under its SOP Instance UID; what is there was left as it is".to_owned()
    }

    /// A file for each object, by its UID, in the folder of its study.
    fn place(&self, folder: &Path) -> PathBuf {
        folder.join(&self.object.study).join(format!("{}.dcm", self.object.instance))
    }

    /// What the destination has under the UID; none where it cannot be asked.
    fn found(&self) -> Result<Option<Found>, DoseError> {
        match &self.destination.kind {
            DestinationKind::Folder(folder) => {
                let place = self.place(folder);
                Ok(Some(if place.exists() { self.compare(&place) } else { Found::Nothing }))
            }
            DestinationKind::Store { read_back: None, .. } => Ok(None),
            DestinationKind::Store { read_back: Some(web), .. } | DestinationKind::Web(web) => {
                self.fetch(web).map(Some)
            }
        }
    }

    fn fetch(&self, web: &Web) -> Result<Found, DoseError> {
        let cannot = |error: io::Error| DoseError::Io(format!("reading back: {error}"));
        let most = fs::metadata(self.path).map_err(cannot)?.len() + MORE_BYTES;
        let Object { study, series, instance, .. } = self.object;
        let Some(bytes) = web.instance([study, series, instance].map(String::as_str), most)? else {
            return Ok(Found::Nothing);
        };
        let file = tempfile::Builder::new().prefix("back-").tempfile_in(&self.work).map_err(cannot)?;
        fs::write(file.path(), bytes).map_err(cannot)?;
        Ok(self.compare(file.path()))
    }

    /// Compares a file with the object: what an archive gives is read apart, as all that comes from elsewhere.
    fn compare(&self, path: &Path) -> Found {
        let outlines = dicom::read_outlines(path).unwrap_or_default();
        let content = outlines.into_iter().next().and_then(|one| one.found.ok()?.content);
        if content.as_ref() == Some(&self.object.digest) { Found::Equal } else { Found::Other }
    }
}
