//! Objects to their destinations, and back to be compared.

use std::time::Duration;

use super::config::{Destination, DestinationKind};
use super::ledger::{Change, LedgerError, Table};
use super::record::{Delivery, DeliveryState, Item};
use super::sending::Sending;
use super::work::unless_it_went_on;
use super::{Gateway, State, doubled, has_come, later_ms, now_ms, record_of};
use crate::domain::DoseError;

/// Longest wait between two attempts.
const MAX_WAIT: Duration = Duration::from_secs(6 * 3600);

/// What is done one after the other. Each destination, and each worklist, has a line of its own, so that one which is
/// slow, or says nothing, holds up no other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Line<'a> {
    /// What goes to a destination or a worklist, by its name.
    To(&'a str),
    /// What goes to those that the file does not name any more.
    Nowhere,
}

/// Whether an item in a state is sent and read back.
pub(super) fn is_on_its_way(state: State) -> bool {
    matches!(state, State::Released | State::Sent)
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
    if failed > 0 && waiting == 0 && (is_released || is_sent && stored == 0) {
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
    /// Sends what is due of a line, and reads back what was sent. Whether anything was due.
    pub(super) fn deliver_due(&self, line: Line<'_>) -> Result<bool, DoseError> {
        let mut was_due = false;
        let (released, sent): (Vec<Item>, Vec<Item>) =
            self.ledger.items_to_deliver()?.into_iter().partition(|item| item.state == State::Released);
        for found in released.into_iter().chain(sent) {
            // One without deliveries is of every line.
            let is_of = found.deliveries.is_empty() || found.deliveries.iter().any(|one| self.is_in(one, line));
            for number in 0..found.deliveries.len() {
                if self.is_stopping() {
                    return Ok(was_due);
                }
                was_due |= is_of && self.deliver(&found, number, line)?;
            }
            if is_of {
                self.conclude(&found.id)?;
            }
        }
        Ok(was_due)
    }

    /// Makes a delivery of an item, if it is of the line and due; whether it was.
    fn deliver(&self, found: &Item, number: usize, line: Line<'_>) -> Result<bool, DoseError> {
        // What came before may have taken minutes: it may have been dropped meanwhile.
        let now = self.ledger.get::<Item>(Table::Items, &found.id)?;
        let Some(item) = now.filter(|now| is_on_its_way(now.state)) else { return Ok(false) };
        let Some(due) = item.deliveries.get(number) else { return Ok(false) };
        // What one destination has is read back, whatever the others do.
        let (waits, is_stored) = (due.state == DeliveryState::Waiting, due.state == DeliveryState::Stored);
        let is_wanted = waits && item.state == State::Released || is_stored;
        if !is_wanted || !self.is_in(due, line) || !self.is_due(due) {
            return Ok(false);
        }
        if is_stored && self.commit(&item, number)? {
            return Ok(true);
        }
        let later = if waits { self.later_at(&item, &due.to)? } else { None };
        let next = later.map_or_else(|| self.attempt(&item, due), |later| superseded(due, &later));
        let has_answered = !next.unanswered && next.state != DeliveryState::Superseded;
        self.attempted(&item, number, next)?;
        if has_answered && let Line::To(name) = line {
            self.hasten(name)?;
        }
        Ok(true)
    }

    /// Whether a delivery is of a line.
    fn is_in(&self, one: &Delivery, line: Line<'_>) -> bool {
        match line {
            Line::To(name) => one.to == name,
            Line::Nowhere => self.config.destination(&one.to).is_none(),
        }
    }

    /// A destination has answered: what waits there because it did not is due.
    fn hasten(&self, to: &str) -> Result<(), DoseError> {
        let waits = |one: &Delivery| one.to == to && one.unanswered && one.next_ms > now_ms();
        for found in self.ledger.items_to_deliver()?.into_iter().filter(|item| item.deliveries.iter().any(waits)) {
            self.note(&found.id, found.state, |item| {
                item.deliveries.iter_mut().filter(|one| waits(one)).for_each(|one| one.next_ms = 0);
            })?;
        }
        Ok(())
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
            if !is_on_its_way(item.state) {
                if !has_arrived(&next) {
                    return Ok(None);
                }
                item.reason = format!("{}; {} had it by then", item.reason, next.to);
            }
            item.deliveries[number] = next;
            change.put(Table::Items, &item.id, &item)?;
            Ok(Some(item).filter(|item| !is_on_its_way(item.state)))
        })?;
        if let Some(item) = done {
            tracing::warn!(item = item.id, reason = item.reason, "item");
        }
        Ok(())
    }

    /// Takes an item on whose deliveries say so.
    fn conclude(&self, id: &str) -> Result<(), DoseError> {
        let Some(found) = self.ledger.get::<Item>(Table::Items, id)? else { return Ok(()) };
        let Some((to, reason)) = conclusion(&found) else { return Ok(()) };
        // Another line, or a report, may have changed it since: then it is looked at again.
        let is_so_still = |change: &Change<'_>| {
            let item = change.item(id)?;
            if item.state == found.state && conclusion(&item).is_some_and(|next| next == (to, reason.clone())) {
                return Ok(());
            }
            Err(LedgerError::NoWay { id: id.to_owned(), from: item.state, to })
        };
        let done = if to == found.state {
            // It has come to its end where it is: others are told.
            self.ledger.change(|change| {
                is_so_still(change)?;
                let item = change.note(id, to, |item| item.reason.clone_from(&reason))?;
                change.tell(&item)?;
                Ok(item)
            })
        } else {
            let advance = |change: &Change<'_>| {
                is_so_still(change)?;
                change.advance(id, to, &reason, |_| {})
            };
            self.audited(advance, |item| record_of(item, None))
        };
        if let Ok(item) = &done {
            tracing::info!(item = id, state = to.name(), reason = item.reason, "item");
        }
        unless_it_went_on(done)
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
        let is_answered = result.is_ok();
        let (state, said) = result.unwrap_or_else(|error| (due.state, error.to_string()));
        // What was to be done and is still to be done has failed; so has what was said to be stored, and is not there.
        let has_failed = state == due.state || state == DeliveryState::Waiting;
        if has_failed {
            self.fail(&mut next, state, said);
            next.unanswered = !is_answered;
        } else {
            next.unanswered = false;
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
        (one.said, one.transaction, one.unanswered) = (said, None, false);
    }
}

/// How long after so many attempts that failed the next one is made.
fn wait(destination: &Destination, attempts: u32) -> Duration {
    doubled(destination.backoff, attempts, MAX_WAIT)
}
