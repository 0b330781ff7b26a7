//! One gateway has an account of the broker for itself. Two would take each other's reports: the second is noticed, and
//! hands out nothing until it is alone.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use super::super::messages::{Versioned, heard};
use super::REST;
use crate::broker::{Broker, BrokerError, Words};
use crate::domain::DoseError;

/// Where gateways say that they are there.
const CLAIMS: &str = "claim";
/// How long the others have for an answer.
const ANSWER: Duration = Duration::from_millis(300);
/// How long a broker may take to be there before a gateway begins without having asked.
const CONNECT: Duration = Duration::from_secs(1);
/// Rest before the next question whether the other is still there.
const AGAIN: Duration = Duration::from_secs(2);
/// How often the log tells of the other.
const TELL: Duration = Duration::from_secs(60);

/// That a gateway is there, or wants to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    gateway: Uuid,
    /// Since when it has the account [ms since 1970]; none: it asks.
    since_ms: Option<u64>,
    host: String,
    process: u32,
}

impl Claim {
    fn new(gateway: Uuid) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { gateway, since_ms: None, host, process: std::process::id() }
    }

    /// The smaller one counts: who has the account, the longer the better, before who asks.
    fn rank(&self) -> (u64, Uuid) {
        (self.since_ms.unwrap_or(u64::MAX), self.gateway)
    }

    fn comes_before(&self, other: &Self) -> bool {
        self.gateway != other.gateway && self.rank() < other.rank()
    }
}

/// The claim of one gateway on its account.
pub(super) struct Account {
    broker: Broker,
    own: Claim,
    told: Option<Instant>,
}

impl Account {
    pub(super) fn new(broker: Broker) -> Self {
        Self { broker, own: Claim::new(Uuid::new_v4()), told: None }
    }

    async fn say(&self) -> Result<(), BrokerError> {
        self.broker.tell(CLAIMS, &Versioned::new(self.own.clone())).await
    }

    /// Waits until no other gateway has the account. It is this one's then, and what others say of it comes.
    pub(super) async fn until_alone(&mut self) -> Words {
        loop {
            self.broker.wait_up().await;
            match self.ask().await {
                Ok((None, words)) => {
                    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                    self.own.since_ms = Some(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
                    // Those who ask meanwhile are answered when they are heard.
                    let _ = self.say().await;
                    return words;
                }
                Ok((Some(other), _)) => {
                    self.complain(&other);
                    sleep(AGAIN).await;
                }
                Err(error) => {
                    tracing::debug!(%error, "no other gateway can be asked for");
                    sleep(REST).await;
                }
            }
        }
    }

    /// Asks who has the account before this one.
    async fn ask(&self) -> Result<(Option<Claim>, Words), BrokerError> {
        let mut words = self.broker.hear(CLAIMS).await?;
        self.say().await?;
        let until = Instant::now() + ANSWER;
        while let Ok(Some(said)) = timeout_at(until, words.next()).await {
            match heard::<Claim>(&said) {
                Some(other) if other.comes_before(&self.own) => return Ok((Some(other), words)),
                // It asks as well, and may not have heard this one.
                Some(other) if other.gateway != self.own.gateway => self.say().await?,
                Some(_) | None => {}
            }
        }
        Ok((None, words))
    }

    /// Answers those who ask, until one comes that has had the account for longer.
    pub(super) async fn until_another(&mut self, words: &mut Words) {
        let mut up = self.broker.up();
        loop {
            tokio::select! {
                said = words.next() => {
                    // The connection is closed for good: nobody is heard any more.
                    let Some(said) = said else { return std::future::pending().await };
                    match heard::<Claim>(&said) {
                        Some(other) if other.comes_before(&self.own) => {
                            self.own.since_ms = None;
                            return self.complain(&other);
                        }
                        Some(other) if other.gateway != self.own.gateway => {
                            let _ = self.say().await;
                        }
                        Some(_) | None => {}
                    }
                }
                // What was said meanwhile was not heard.
                changed = up.changed() => if changed.is_ok() {
                    let _ = self.say().await;
                },
            }
        }
    }

    fn complain(&mut self, other: &Claim) {
        if self.told.is_none_or(|told| told.elapsed() >= TELL) {
            let Claim { host, process, .. } = other;
            tracing::error!(
                host,
                process,
                "another gateway uses the account of NATS of --queue: this one hands out no jobs until that has ended; \
                 give each gateway an account of its own"
            );
            self.told = Some(Instant::now());
        }
    }
}

/// Asks, if the broker is there, whether another gateway has the account.
///
/// # Errors
/// [`DoseError::Invalid`] if one has.
pub async fn check_account(broker: &Broker) -> Result<(), DoseError> {
    if tokio::time::timeout(CONNECT, broker.wait_up()).await.is_err() {
        return Ok(());
    }
    let asks = Account { broker: broker.clone(), own: Claim::new(Uuid::max()), told: None };
    match asks.ask().await {
        Ok((Some(Claim { host, process, since_ms: Some(_), .. }), _)) => {
            let reason = format!(
                "is used by another gateway, process {process} on {host}: give each an account of NATS of its own"
            );
            Err(DoseError::invalid("queue", reason))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_the_account_comes_before_who_asks() {
        let claim = |number, since_ms| Claim { since_ms, ..Claim::new(Uuid::from_u128(number)) };
        let (old, new, asks, asks_too) = (claim(9, Some(5)), claim(1, Some(6)), claim(2, None), claim(3, None));
        for (first, second) in [(&old, &new), (&old, &asks), (&new, &asks), (&asks, &asks_too)] {
            assert!(first.comes_before(second) && !second.comes_before(first), "{first:?} {second:?}");
        }
        assert!(!claim(9, Some(4)).comes_before(&old), "it is the same gateway");
    }
}
