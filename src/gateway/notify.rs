//! Word to others, by a webhook and by mail: what waits for somebody, what is done, and what somebody has to look at.
//! What is to be told stands in the ledger until it was told: neither a loss nor a server that is away drops it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use ureq::Agent;

use super::ledger::{Change, LedgerError, Table};
use super::{Gateway, Item, State, doubled, has_come, later_ms};
use crate::domain::DoseError;

/// How long a webhook may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is tried to tell somebody, and how long the first wait is; it doubles: over an hour.
const ATTEMPTS: u32 = 12;
const WAIT: Duration = Duration::from_secs(2);

/// What is to be told of an item. Nothing in it tells of a patient: the reason is not there either.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Notice {
    item: String,
    state: State,
    rule: Option<String>,
    /// When it came to this state [ms since 1970].
    since_ms: i64,
    /// Ways by which it was told.
    told: Vec<Way>,
    /// How often it was tried.
    attempts: u32,
    /// When it is tried again [ms since 1970].
    next_ms: i64,
}

/// By what somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Way {
    Webhook,
    Mail,
}

impl State {
    /// Whether others may be told of it.
    pub(super) fn is_told(self) -> bool {
        matches!(self, Self::Held | Self::Sent | Self::Verified | Self::Aside)
    }

    /// What it means to somebody who is told.
    fn told(self) -> &'static str {
        match self {
            Self::Held => "waits for a release",
            Self::Sent => "was sent, and cannot be verified: a destination cannot be read back",
            Self::Verified => "is done: sent and verified",
            Self::Aside => "was put aside: somebody has to look at it",
            Self::Received | Self::Ready | Self::Computed | Self::Released | Self::Skipped => self.name(),
        }
    }
}

impl Change<'_> {
    /// Has others told of an item, once the change is made.
    pub(super) fn tell(&self, item: &Item) -> Result<(), LedgerError> {
        if !item.state.is_told() {
            return Ok(());
        }
        let notice = Notice {
            item: item.id.clone(),
            state: item.state,
            rule: item.rule.clone(),
            since_ms: item.since_ms,
            told: Vec::new(),
            attempts: 0,
            next_ms: 0,
        };
        // By time, so that they are told in order; one state may follow another within the same millisecond.
        let key = format!("{:016}-{}-{}", item.since_ms, item.id, item.state.name());
        self.put(Table::Notices, &key, &notice)
    }
}

/// How long after so many attempts that failed the next one is made.
fn wait(attempts: u32) -> Duration {
    doubled(WAIT, attempts, Duration::MAX)
}

impl Gateway {
    /// Tells what is due. Whether anything was. A way that has just failed is left to the next time: with much to tell,
    /// a webhook that never answers would keep all letters waiting.
    pub(super) fn tell_due(&self) -> Result<bool, DoseError> {
        let (mut was_due, mut failed) = (false, Vec::new());
        for (key, notice) in self.ledger.list::<Notice>(Table::Notices, "")? {
            if self.is_stopping() {
                break;
            }
            if has_come(notice.next_ms, wait(notice.attempts)) {
                was_due = true;
                let next = self.tell(notice, &mut failed);
                self.ledger.change(|change| match &next {
                    Some(next) => change.put(Table::Notices, &key, next),
                    None => change.remove(Table::Notices, &key),
                })?;
            }
        }
        Ok(was_due)
    }

    /// Whether something is to be told that was not tried yet.
    pub(super) fn has_news(&self) -> Result<bool, DoseError> {
        Ok(self.ledger.list::<Notice>(Table::Notices, "")?.iter().any(|(_, notice)| notice.attempts == 0))
    }

    /// Tells it by each way that is left; none if nothing is left to be tried.
    ///
    /// * `failed` – ways that are not tried now
    fn tell(&self, mut notice: Notice, failed: &mut Vec<Way>) -> Option<Notice> {
        let (mut is_told, mut is_tried) = (true, false);
        for way in [Way::Webhook, Way::Mail] {
            if notice.told.contains(&way) {
                continue;
            }
            if failed.contains(&way) {
                is_told = false;
                continue;
            }
            match self.tell_by(way, &notice) {
                Ok(()) => notice.told.push(way),
                Err(error) => {
                    (is_told, is_tried) = (false, true);
                    failed.push(way);
                    tracing::warn!(item = notice.item, ?way, error, "nobody was told");
                }
            }
        }
        if is_told {
            return None;
        }
        if !is_tried {
            return Some(notice);
        }
        notice.attempts += 1;
        if notice.attempts >= ATTEMPTS {
            tracing::error!(item = notice.item, state = notice.state.name(), "nobody could be told: given up");
            return None;
        }
        notice.next_ms = later_ms(wait(notice.attempts));
        Some(notice)
    }

    /// # Errors
    /// Why it was not told.
    fn tell_by(&self, way: Way, notice: &Notice) -> Result<(), String> {
        let Notice { item, state, rule, since_ms, .. } = notice;
        match way {
            Way::Webhook => {
                let Some(url) = &self.config.webhook else { return Ok(()) };
                let agent: Agent =
                    Agent::config_builder().timeout_global(Some(PATIENCE)).max_redirects(0).build().into();
                let body = json!({ "item": item, "state": state.name(), "rule": rule, "since": since_ms }).to_string();
                let told = agent.post(url).header("content-type", "application/json").send(body);
                told.map(drop).map_err(|error| error.to_string())
            }
            Way::Mail => {
                let Some(mail) = self.config.mail.as_ref().filter(|mail| mail.tells_of(*state)) else { return Ok(()) };
                let since = Timestamp::from_millisecond(*since_ms).map_err(|error| error.to_string())?;
                let text = format!(
                    "Item {item} {}.\n\nrule   {}\nsince  {}\n\n\
                     `dosegrid gateway show {item} --config FILE` says why, and what was made of it.\n",
                    state.told(),
                    rule.as_deref().unwrap_or("none"),
                    since.strftime("%Y-%m-%d %H:%M:%SZ"),
                );
                mail.send(&format!("{since_ms}.{item}"), &format!("dosegrid: {item} {}", state.name()), text)
            }
        }
    }
}
