//! Items for a reader.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::gateway::{DeliveryState, Item, State};

/// A moment, in UTC.
fn moment(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| "?".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// A line each, and how many there are in each state.
pub(super) fn list(items: &[Item]) -> String {
    let mut text = String::new();
    for item in items {
        let rule = item.rule.as_deref().unwrap_or("-");
        writeln!(text, "{}  {:<8}  {}  {rule}  {}", item.id, item.state.name(), moment(item.since_ms), item.reason)
            .expect("a string takes all text");
    }
    let count = |state: State| items.iter().filter(|item| item.state == state).count();
    let counts: Vec<String> = State::ALL
        .into_iter()
        .filter(|state| count(*state) > 0)
        .map(|state| format!("{} {}", count(state), state.name()))
        .collect();
    text + &if counts.is_empty() { "nothing\n".to_owned() } else { counts.join(", ") + "\n" }
}

/// All that is known of an item.
pub(super) fn show(item: &Item) -> String {
    let mut text = String::new();
    let mut line = |name: &str, words: &str| writeln!(text, "{name:<10} {words}").expect("a string takes all text");
    line("item", &item.id);
    line("state", &format!("{} since {}", item.state.name(), moment(item.since_ms)));
    line("reason", &item.reason);
    line("rule", item.rule.as_deref().unwrap_or("-"));
    line("key", item.key.as_deref().unwrap_or("-"));
    line("computed", &format!("dosegrid study {}", item.words.join(" ")));
    line("of", &format!("{} files", item.inputs.len()));
    if let Some(by) = &item.released_by {
        line("released", &format!("by {by}"));
    }
    if let Some(claim) = &item.workitem {
        let words = format!("{} of {}: {}; {}", claim.workitem, claim.worklist, claim.state.name(), claim.said);
        line("workitem", &words);
    }
    if let Some(at) = item.deleted_ms {
        line("files", &format!("deleted for their age at {}", moment(at)));
    }
    for object in &item.objects {
        line("object", &format!("{} {} sha256 {}", object.file, object.instance, object.digest));
    }
    for one in &item.deliveries {
        let state = match one.state {
            DeliveryState::Waiting => "waiting",
            DeliveryState::Stored => "stored",
            DeliveryState::Verified => "verified",
            DeliveryState::Committed => "committed, not compared",
            DeliveryState::Unverified => "stored, unverified",
            DeliveryState::Superseded => "not sent, a later version was",
            DeliveryState::Failed => "failed",
        };
        let object = item.objects.get(one.object).map_or("?", |object| object.file.as_str());
        let failures = if one.attempts > 0 { format!(", {} attempts failed", one.attempts) } else { String::new() };
        line("to", &format!("{} {object}: {state}{failures}; {}", one.to, one.said));
    }
    text
}
