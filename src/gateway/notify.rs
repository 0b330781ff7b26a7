//! Word to others, by a webhook: what is done, and what somebody has to look at.

use std::time::Duration;

use serde_json::json;
use ureq::Agent;

use super::{Gateway, Item, State};

/// How long it may take. Whoever is told may be away: nothing waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

impl Gateway {
    /// Tells of an item that is held, done or put aside. Nothing in it tells of a patient: not the reason either.
    pub(super) fn notify(&self, item: &Item) {
        let Some(url) = self.config.webhook.clone() else { return };
        if !matches!(item.state, State::Held | State::Sent | State::Verified | State::Aside) {
            return;
        }
        let body = json!({
            "item": item.id,
            "state": item.state.name(),
            "rule": item.rule,
            "since": item.since_ms,
        });
        let id = item.id.clone();
        std::thread::spawn(move || {
            let agent: Agent = Agent::config_builder().timeout_global(Some(PATIENCE)).max_redirects(0).build().into();
            let told = agent.post(&url).header("content-type", "application/json").send(body.to_string());
            if let Err(error) = told {
                tracing::warn!(item = id, %error, "the webhook was not told");
            }
        });
    }
}
