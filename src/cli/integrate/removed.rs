//! What was taken away between the scans of a table.

use serde_json::{Value, json};

use crate::clinic::Removals;
use crate::clinic::removal::{Removal, Session};
use crate::domain::Checks;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct RemovalArgs {
    /// A session of extra clearance, such as dialysis, of all regions: its start and duration, and the half-time of
    /// what it clears besides, in h: 20,4,3.2. Without the half-time (20,4) it is fitted in each region, one for all
    /// such sessions. Once for each session
    #[arg(long, value_name = "START,DURATION[,HALF_TIME]", allow_hyphen_values = true, requires = "table")]
    session: Vec<String>,
    /// A part of all regions that is taken away at once, by drainage or resection: when, in h, and which part: 30,0.5
    #[arg(long, value_name = "TIME,PART", allow_hyphen_values = true, requires = "table")]
    removed: Vec<String>,
}

impl RemovalArgs {
    /// What the flags say. Faults are recorded.
    ///
    /// * `infusion_h` – how long the infusion took [h]
    /// * `has_server` – whether a server is to integrate
    pub(super) fn check(&self, infusion_h: f64, has_server: bool, checks: &mut Checks) -> Removals {
        let of_removal = |text: &String| numbers::<2>(text).map(|[time_h, fraction]| Removal { time_h, fraction });
        let mut bad = |flag: &'static str, text: &String, form: &str| {
            checks.fail(flag, format!("has the form {form}, got {text:?}"));
        };
        let mut removals = Removals::default();
        for text in &self.session {
            let (known, open) = (numbers::<3>(text), numbers::<2>(text));
            if open.is_some() {
                removals.fitted.push(removals.sessions.len());
            }
            // The half-time of one that is fitted is not used.
            match known.or(open.map(|[start_h, duration_h]| [start_h, duration_h, 1.0])) {
                Some([start_h, duration_h, clearance_half_time_h]) => {
                    removals.sessions.push(Session { start_h, duration_h, clearance_half_time_h });
                }
                None => bad("session", text, "START,DURATION,HALF_TIME in h, or START,DURATION"),
            }
        }
        for text in &self.removed {
            match of_removal(text) {
                Some(removal) => removals.at_once.push(removal),
                None => bad("removed", text, "TIME,PART"),
            }
        }
        if !removals.is_empty() && has_server {
            checks.fail("server", "knows of no sessions and removals: leave it out");
        }
        if let Err(error) = removals.check(infusion_h) {
            for fault in error.violations() {
                let flag = if fault.field.starts_with("removal") { "removed" } else { "session" };
                checks.fail(flag, format!("{}: {}", fault.field, fault.reason));
            }
        }
        removals
    }
}

/// Numbers with commas between them; none if there are not as many, or one is no number.
fn numbers<const N: usize>(text: &str) -> Option<[f64; N]> {
    let found: Option<Vec<f64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    found?.try_into().ok()
}

/// As it stands in results.
pub(super) fn as_json(removals: &Removals) -> Value {
    let sessions = removals.sessions.iter().enumerate().map(|(place, one)| {
        let half_time_h = (!removals.fitted.contains(&place)).then_some(one.clearance_half_time_h);
        json!({ "start_h": one.start_h, "duration_h": one.duration_h, "clearance_half_time_h": half_time_h })
    });
    let at_once = removals.at_once.iter().map(|one| json!({ "time_h": one.time_h, "fraction": one.fraction }));
    json!({ "sessions": sessions.collect::<Vec<_>>(), "removals": at_once.collect::<Vec<_>>() })
}
