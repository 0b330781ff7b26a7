//! Worklists, as their client: a study whose rule has a worklist is computed for a workitem that is claimed, which ends
//! with what was made, or with the reason. What is about to be asked stands in the ledger before it is: a question that
//! was asked twice changes nothing.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use super::config::{Rule, Worklist};
use super::delivery::Line;
use super::ledger::Table;
use super::record::{Claim, ClaimState, Item, StudyRecord};
use super::{Gateway, State, doubled, has_come, later_ms, now_ms};
use crate::domain::DoseError;
use crate::pacs::{self, Changed, Output, Step};

/// How often a worklist is tried in a row, the first wait and the longest.
const ATTEMPTS: u32 = 20;
const WAIT: Duration = Duration::from_secs(2);
const MAX_WAIT: Duration = Duration::from_secs(3600);
/// Characters of a reason that a worklist is told. Source: DICOM PS3.5, table 6.2-1, LT.
const MAX_REASON: usize = 1024;

/// What a worklist is to be told of an item.
enum News {
    Nothing,
    /// How far it is [%], in words.
    Progress(u8, &'static str),
    Completed,
    Canceled,
}

/// What an attempt found.
enum Told {
    /// It is as far as this; with what the worklist warns of.
    At(ClaimState, Option<&'static str>),
    /// Another has it, or it is gone.
    Lost(String),
}

/// What is to be told of an item that is claimed.
fn news(item: &Item, claim: &Claim) -> News {
    // What the item has not followed yet may send it again, or put it aside.
    match item.state {
        State::Verified => News::Completed,
        State::Sent if item.stays_sent() => News::Completed,
        State::Aside | State::Skipped => News::Canceled,
        state if claim.told == Some(state) => News::Nothing,
        State::Received => News::Progress(0, "waits until the study is whole"),
        State::Ready => News::Progress(10, "is being computed"),
        State::Computed => News::Progress(50, "computed"),
        State::Held => News::Progress(50, "computed; waits for a release"),
        State::Released => News::Progress(75, "released; is being sent"),
        State::Sent => News::Progress(90, "sent; is being read back"),
    }
}

impl Gateway {
    /// The rule and the worklist of an item, if its rule has one.
    fn worklist_of(&self, item: &Item) -> Option<(&Rule, &Worklist)> {
        let rule = self.config.rule(item.rule.as_deref()?)?;
        Some((rule, self.config.worklist(rule.worklist.as_deref()?)?))
    }

    /// Whether an item that is ready is not computed until a workitem is claimed for it.
    pub(super) fn waits_for_workitem(&self, item: &Item) -> bool {
        let is_claimed = item.workitem.as_ref().is_some_and(|claim| claim.state == ClaimState::InProgress);
        self.worklist_of(item).is_some() && !is_claimed
    }

    /// Whether a worklist is still to be asked for an item, or told of it.
    pub(super) fn has_to_tell_worklist(&self, item: &Item) -> bool {
        match &item.workitem {
            Some(claim) if claim.state == ClaimState::Claiming => true,
            Some(claim) if claim.state == ClaimState::InProgress => !matches!(news(item, claim), News::Nothing),
            _ => {
                // What is ready since a time to come was so before the clock was set back.
                let is_asked = |(_, at_ms)| at_ms > item.since_ms || item.since_ms > now_ms();
                let asked = self.worklist_of(item).and_then(|(_, worklist)| self.last_asked(&worklist.name));
                self.needs_workitem(item) && !asked.is_some_and(is_asked)
            }
        }
    }

    fn needs_workitem(&self, item: &Item) -> bool {
        let has_open = item.workitem.as_ref().is_some_and(|claim| claim.state.is_open());
        item.state == State::Ready && !has_open && self.worklist_of(item).is_some()
    }

    /// When the worklist of an item was last asked for work, by the clock too [ms since 1970].
    fn last_asked(&self, worklist: &str) -> Option<(Instant, i64)> {
        self.asked_worklists.lock().unwrap_or_else(PoisonError::into_inner).get(worklist).copied()
    }

    /// Whether the worklist that an item is asked for at, or that is told of it, is of a line.
    fn is_asked_in(&self, item: &Item, line: Line<'_>) -> bool {
        let claimed = item.workitem.as_ref().filter(|claim| claim.state.is_open());
        let name = match claimed {
            Some(claim) => Some(claim.worklist.as_str()),
            None => self.worklist_of(item).map(|(_, worklist)| worklist.name.as_str()),
        };
        match line {
            Line::To(wanted) => name == Some(wanted),
            Line::Nowhere => name.is_some_and(|name| self.config.worklist(name).is_none()),
        }
    }

    /// Claims workitems of a worklist for what is ready, and tells it what is new. Whether anything was due. Each has a
    /// line of its own: one that is silent holds up no other.
    pub(super) fn follow_worklist(&self, line: Line<'_>) -> Result<bool, DoseError> {
        let mut was_due = false;
        let asked = match line {
            Line::To(name) => self.last_asked(name),
            Line::Nowhere => None,
        };
        let looks = asked.is_none_or(|(last, _)| last.elapsed() >= self.config.poll);
        let now = (Instant::now(), now_ms());
        for found in self.ledger.items_with_work()? {
            if self.is_stopping() {
                return Ok(was_due);
            }
            if !self.is_asked_in(&found, line) {
                continue;
            }
            // What came before may have taken minutes.
            let Some(item) = self.ledger.get::<Item>(Table::Items, &found.id)? else { continue };
            if !self.is_asked_in(&item, line) {
                continue;
            }
            match &item.workitem {
                Some(claim) if claim.state.is_open() => {
                    let is_new = claim.state == ClaimState::Claiming || !matches!(news(&item, claim), News::Nothing);
                    if is_new && has_come(claim.next_ms, wait(claim.attempts)) {
                        was_due = true;
                        self.tell_worklist(&item, claim)?;
                    }
                }
                _ if looks && self.needs_workitem(&item) => was_due |= self.find_workitem(&item)?,
                _ => {}
            }
        }
        if looks && let Line::To(name) = line {
            self.asked_worklists.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), now);
        }
        Ok(was_due)
    }

    /// Chooses a workitem for an item; whether there is one. It is claimed once it stands in the ledger.
    fn find_workitem(&self, item: &Item) -> Result<bool, DoseError> {
        let Some((rule, worklist)) = self.worklist_of(item) else { return Ok(false) };
        let Some(study) = self.ledger.get::<StudyRecord>(Table::Studies, &item.study)? else { return Ok(false) };
        let found = worklist.web.scheduled(&study.uid);
        self.has_answered(&format!("worklist {}", worklist.name), found.as_ref().err());
        let found = match found {
            Ok(found) => found,
            // It is asked again.
            Err(error) => {
                tracing::warn!(worklist = worklist.name, %error, "a worklist does not answer");
                return Ok(false);
            }
        };
        let Some(workitem) = found.into_iter().find(|one| rule.workitem.meets(one)) else {
            let reason = format!("waits for a workitem of {}", worklist.name);
            if item.reason != reason {
                self.note(&item.id, State::Ready, |item| item.reason = reason)?;
            }
            return Ok(false);
        };
        let claim = Claim::new(&worklist.name, workitem.uid, now_ms());
        self.note(&item.id, State::Ready, |item| item.workitem = Some(claim))?;
        Ok(true)
    }

    /// Claims a workitem, or tells of it. What came of it is noted, wherever the item stands by then.
    fn tell_worklist(&self, item: &Item, claim: &Claim) -> Result<(), DoseError> {
        let told = match self.config.worklist(&claim.worklist) {
            None => Ok(Told::Lost("there is no such worklist any more".to_owned())),
            Some(worklist) if claim.state == ClaimState::Claiming => take(worklist, claim),
            Some(worklist) => end_or_update(worklist, item, claim),
        };
        self.has_answered(&format!("worklist {}", claim.worklist), told.as_ref().err());
        self.ledger.change(|change| {
            // It may have gone over to a later version of the study.
            let mut items = change.list::<Item>(Table::Items, &format!("{}-", item.study))?.into_iter();
            let is_it = |now: &Item| now.workitem.as_ref().is_some_and(|now| now.transaction == claim.transaction);
            let Some((key, mut now)) = items.find(|(_, now)| is_it(now)) else { return Ok(()) };
            if let Some(now) = &mut now.workitem {
                note(now, item.state, &told);
                tracing::info!(item = key, workitem = now.state.name(), said = now.said, "worklist");
            }
            // One that another was quicker to claim was never this gateway's.
            now.workitem.take_if(|now| claim.state == ClaimState::Claiming && now.state == ClaimState::Lost);
            change.put(Table::Items, &key, &now)
        })?;
        Ok(())
    }
}

/// How long after so many attempts that failed the next one is made.
fn wait(attempts: u32) -> Duration {
    doubled(WAIT, attempts, MAX_WAIT)
}

/// Notes what came of an attempt.
///
/// * `state` – of which it was told
fn note(claim: &mut Claim, state: State, told: &Result<Told, DoseError>) {
    match told {
        Ok(Told::At(at, warning)) => {
            claim.told = if claim.state == ClaimState::Claiming { None } else { Some(state) };
            (claim.state, claim.attempts, claim.next_ms) = (*at, 0, 0);
            claim.said = with(at.name(), *warning);
        }
        Ok(Told::Lost(words)) => (claim.state, claim.said) = (ClaimState::Lost, words.clone()),
        Err(error) => {
            claim.attempts += 1;
            claim.said = error.to_string();
            claim.next_ms = later_ms(wait(claim.attempts));
            if claim.attempts >= ATTEMPTS {
                claim.state = ClaimState::Lost;
            }
        }
    }
}

/// Claims a workitem. One that is in progress is this gateway's if it may be changed with its Transaction UID: the
/// answer to an earlier attempt was then lost.
fn take(worklist: &Worklist, claim: &Claim) -> Result<Told, DoseError> {
    let Claim { workitem, transaction, .. } = claim;
    match worklist.web.change_state(workitem, transaction, Step::InProgress)? {
        Changed::Done(warning) => Ok(Told::At(ClaimState::InProgress, warning)),
        Changed::Gone => Ok(gone()),
        Changed::Conflict(why) => match worklist.web.update(workitem, transaction, &pacs::progress(0, "claimed"))? {
            Changed::Done(warning) => Ok(Told::At(ClaimState::InProgress, warning)),
            Changed::Conflict(_) | Changed::Gone => Ok(Told::Lost(with("another has claimed the workitem", why))),
        },
    }
}

/// Tells how far an item is, or ends its workitem.
fn end_or_update(worklist: &Worklist, item: &Item, claim: &Claim) -> Result<Told, DoseError> {
    let Claim { workitem, transaction, .. } = claim;
    let update = |with: Value| worklist.web.update(workitem, transaction, &with);
    let (step, state) = match news(item, claim) {
        News::Nothing => return Ok(Told::At(ClaimState::InProgress, None)),
        News::Progress(percent, words) => {
            return match update(pacs::progress(percent, words))? {
                Changed::Done(warning) => Ok(Told::At(ClaimState::InProgress, warning)),
                Changed::Conflict(why) => Ok(Told::Lost(with("the worklist takes no change any more", why))),
                Changed::Gone => Ok(gone()),
            };
        }
        News::Completed => (Step::Completed, ClaimState::Completed),
        News::Canceled => (Step::Canceled, ClaimState::Canceled),
    };
    let Some(known) = worklist.web.workitem(workitem)? else { return Ok(gone()) };
    // The answer to an earlier attempt may have been lost.
    if known.state() == step.word() {
        return Ok(Told::At(state, None));
    }
    let ended = date_time(item.since_ms)?;
    let why_not = |changed| match changed {
        Changed::Conflict(why) => why,
        Changed::Done(_) | Changed::Gone => None,
    };
    let why;
    if step == Step::Completed {
        let output: Vec<Output<'_>> = item
            .objects
            .iter()
            .map(|one| Output { class: &one.class, instance: &one.instance, series: &one.series, study: &one.study })
            .collect();
        why = why_not(update(known.performed(&date_time(claim.begun_ms)?, &ended, &output))?);
        update(pacs::progress(100, "done"))?;
    } else {
        let reason: String = item.reason.chars().take(MAX_REASON).collect();
        why = why_not(update(pacs::discontinued(&reason, &ended))?);
    }
    match worklist.web.change_state(workitem, transaction, step)? {
        Changed::Done(warning) => Ok(Told::At(state, warning)),
        Changed::Gone => Ok(gone()),
        Changed::Conflict(last) => {
            let words = "the worklist does not let it end: its state or its claimer changed";
            Ok(Told::Lost(with(words, why.or(last))))
        }
    }
}

/// Words, with what a worklist says.
fn with(words: &str, said: Option<&str>) -> String {
    said.map_or_else(|| words.to_owned(), |said| format!("{words}; the worklist says: {said}"))
}

fn gone() -> Told {
    Told::Lost("the workitem is gone".to_owned())
}

/// A moment as DICOM writes it, in UTC. Source: DICOM PS3.5, table 6.2-1, DT.
fn date_time(ms: i64) -> Result<String, DoseError> {
    let at = Timestamp::from_millisecond(ms).map_err(|error| DoseError::Internal(error.to_string()))?;
    Ok(at.strftime("%Y%m%d%H%M%S.%3f+0000").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::DeliveryState;

    #[test]
    fn a_workitem_is_not_completed_before_its_item_has_followed_its_deliveries() {
        use DeliveryState::{Committed, Failed, Stored, Unverified, Verified, Waiting};
        let delivery = |state: DeliveryState| crate::gateway::Delivery {
            object: 0,
            to: "out".into(),
            state,
            attempts: 0,
            next_ms: 0,
            said: "out".into(),
            transaction: None,
            unanswered: false,
        };
        let claim = Claim { state: ClaimState::InProgress, ..Claim::new("ris", "1.2".into(), 0) };
        for (states, is_over) in [
            // Not there when it was read back: it is sent again. Refused at one of two: it is put aside.
            (&[Waiting][..], false),
            (&[Committed, Failed], false),
            (&[Verified, Stored], false),
            (&[Verified, Verified], false),
            // It stays, and its reason says so.
            (&[Verified, Unverified], true),
        ] {
            let mut item = Item::new("study", 1, 5);
            (item.state, item.reason) = (State::Sent, "out: out".to_owned());
            item.deliveries = states.iter().copied().map(delivery).collect();
            assert_eq!(matches!(news(&item, &claim), News::Completed), is_over, "{states:?}");
        }
    }

    #[test]
    fn moments_are_those_of_dicom() {
        assert_eq!(date_time(0).expect("a moment"), "19700101000000.000+0000");
        assert_eq!(date_time(1_767_225_601_250).expect("a moment"), "20260101000001.250+0000");
    }
}
