//! Cases of `clinic-removal-1`: dialysis, drained parts, a bladder.

use std::path::Path;

use dosegrid::clinic::removal::{Bladder, Excretion, Removal, RemovedActivity, Session};
use dosegrid::domain::DoseError;
use serde_json::{Value, json};

use super::{Answers, each, members, number, optional, written};

pub(super) fn answers(file: &Value, _folder: &Path) -> Answers {
    each(file, "cases", answer).chain(each(file, "refusals", answer)).collect()
}

fn answer(case: &Value) -> Result<Value, DoseError> {
    let given = &case["given"];
    if !given["excretion"].is_null() {
        if !(members(given, "sessions")?.is_empty() && members(given, "removals")?.is_empty()) {
            return Err(DoseError::invalid("excretion", "a bladder has no sessions and no removals of its own"));
        }
        return Ok(json!({ "tia_mbq_h": bladder(given)?.integral()? }));
    }
    let activity = RemovedActivity {
        activity_at_zero_mbq: number(given, "activity_at_zero_mbq")?,
        physical_half_life_h: number(given, "physical_half_life_h")?,
        biological_half_life_h: optional(given, "biological_half_life_h")?,
        sessions: list(given, "sessions", session)?,
        removals: list(given, "removals", removal)?,
    };
    written(activity.integral()?)
}

fn list<T>(given: &Value, name: &str, read: fn(&Value) -> Result<T, DoseError>) -> Result<Vec<T>, DoseError> {
    members(given, name)?.iter().map(read).collect()
}

fn session(given: &Value) -> Result<Session, DoseError> {
    Ok(Session {
        start_h: number(given, "start_h")?,
        duration_h: number(given, "duration_h")?,
        clearance_half_time_h: number(given, "clearance_half_time_h")?,
    })
}

fn removal(given: &Value) -> Result<Removal, DoseError> {
    Ok(Removal { time_h: number(given, "time_h")?, fraction: number(given, "fraction")? })
}

fn bladder(given: &Value) -> Result<Bladder, DoseError> {
    Ok(Bladder {
        administered_activity_mbq: number(given, "administered_activity_mbq")?,
        physical_half_life_h: number(given, "physical_half_life_h")?,
        excretion: list(given, "excretion", excretion)?,
        voiding_interval_h: number(given, "voiding_interval_h")?,
    })
}

fn excretion(given: &Value) -> Result<Excretion, DoseError> {
    Ok(Excretion {
        fraction: number(given, "fraction")?,
        biological_half_life_h: number(given, "biological_half_life_h")?,
    })
}
