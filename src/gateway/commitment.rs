//! Storage commitment, where a destination cannot be read back: it is asked, and reports on the same association or on
//! one that it opens to a source of this gateway. It proves that the UID is there, and nothing of what lies under it.

use std::time::Duration;

use super::config::{Commitment, CommitmentWay, Destination, DestinationKind};
use super::delivery::is_on_its_way;
use super::ledger::{LedgerError, Table};
use super::record::{Delivery, DeliveryState, Item};
use super::{Gateway, later_ms};
use crate::domain::DoseError;
use crate::pacs::{self, NO_SUCH_INSTANCE, Report, Wanted};

/// How long a report is waited for on the association of its request.
const HERE: Duration = Duration::from_secs(60);
/// What a delivery says.
const ASKED: &str = "stored; asked for storage commitment";
const KEPT: &str = "by storage commitment the UID is there; what lies under it was not compared";
const SILENT: &str = "no report of storage commitment came in time";

/// How a destination is asked; none: it is not.
fn way(destination: &Destination) -> Option<Commitment> {
    match destination.kind {
        DestinationKind::Store { commitment, .. } => commitment,
        DestinationKind::Folder(_) | DestinationKind::Web(_) => None,
    }
}

impl Gateway {
    /// Asks for storage commitment, or gives up a report that did not come in its time. Whether the destination is one
    /// that is asked.
    pub(super) fn commit(&self, item: &Item, number: usize) -> Result<bool, DoseError> {
        let due = &item.deliveries[number];
        let destination = self.config.destination(&due.to);
        let Some((Destination { kind, .. }, Commitment { way, limit })) =
            destination.and_then(|one| Some((one, way(one)?)))
        else {
            return Ok(false);
        };
        let DestinationKind::Store { peer, calling, tls, .. } = kind else { return Ok(false) };
        if let Some(transaction) = &due.transaction {
            self.commit_failed(&item.id, number, transaction, SILENT)?;
            return Ok(true);
        }
        let transaction = format!("2.25.{}", uuid::Uuid::new_v4().as_u128());
        let object = &item.objects[due.object];
        let until = later_ms(limit);
        // In the ledger before it is asked: a report may come before the answer, and after a loss.
        self.note_of(&item.id, number, |one| {
            (one.transaction, one.unanswered) = (Some(transaction.clone()), false);
            (one.next_ms, one.said) = (until, ASKED.to_owned());
        })?;
        let wanted = Wanted { class: &object.class, instance: &object.instance, transaction: &transaction };
        let here = (way == CommitmentWay::SameAssociation).then_some(HERE.min(limit));
        match pacs::ask_commitment(wanted, peer, calling, tls.as_ref(), here) {
            Ok(None) => {}
            Ok(Some(report)) => {
                if !self.take_report(&report)? {
                    let said = "the report of storage commitment is of another request";
                    self.commit_failed(&item.id, number, &transaction, said)?;
                }
            }
            Err(error) => self.commit_failed(&item.id, number, &transaction, &error.to_string())?,
        }
        Ok(true)
    }

    /// A request came to nothing, unless its report has come meanwhile.
    fn commit_failed(&self, id: &str, number: usize, transaction: &str, said: &str) -> Result<(), DoseError> {
        self.note_of(id, number, |one| {
            if one.transaction.as_deref() == Some(transaction) {
                self.fail(one, DeliveryState::Stored, said.to_owned());
            }
        })
    }

    /// Changes a delivery that is stored, of an item that is on its way.
    fn note_of(&self, id: &str, number: usize, more: impl FnOnce(&mut Delivery)) -> Result<(), DoseError> {
        self.ledger.change(|change| {
            let mut item = change.item(id)?;
            if !is_on_its_way(item.state) || item.deliveries[number].state != DeliveryState::Stored {
                return Ok(());
            }
            more(&mut item.deliveries[number]);
            change.put(Table::Items, id, &item)
        })?;
        Ok(())
    }

    /// Takes a report; whether it answers a request of this gateway.
    pub(super) fn take_report(&self, report: &Report) -> Result<bool, LedgerError> {
        self.ledger.change(|change| {
            let is_it = |one: &Delivery| one.transaction.as_ref() == Some(&report.transaction);
            for (id, mut item) in change.list::<Item>(Table::Items, "")? {
                let Some(number) = item.deliveries.iter().position(is_it) else { continue };
                // One that comes again says nothing new.
                if item.deliveries[number].state == DeliveryState::Stored {
                    self.reported(&mut item, number, report);
                    change.put(Table::Items, &id, &item)?;
                }
                return Ok(true);
            }
            Ok(false)
        })
    }

    fn reported(&self, item: &mut Item, number: usize, report: &Report) {
        let object = &item.objects[item.deliveries[number].object];
        let kept = report.of(&object.class, &object.instance);
        let one = &mut item.deliveries[number];
        let not = |reason: u16| {
            let words = pacs::failure_words(reason);
            format!("by storage commitment it is not kept: {reason:04X}H {words}")
        };
        match kept {
            Some(Ok(())) => (one.state, one.next_ms, one.said) = (DeliveryState::Committed, 0, KEPT.to_owned()),
            // What was said to be stored, and is not there, is sent again.
            Some(Err(reason @ NO_SUCH_INSTANCE)) => self.fail(one, DeliveryState::Waiting, not(reason)),
            Some(Err(reason @ pacs::CLASS_CONFLICT)) => (one.state, one.said) = (DeliveryState::Failed, not(reason)),
            Some(Err(reason)) => self.fail(one, DeliveryState::Stored, not(reason)),
            None => {
                let said = "the report of storage commitment does not say what became of it";
                self.fail(one, DeliveryState::Stored, said.to_owned());
            }
        }
        tracing::info!(item = item.id, to = one.to, state = one.state.name(), said = one.said, "storage commitment");
    }
}
