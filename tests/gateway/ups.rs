//! A worklist of our own, by the rules of DICOM PS3.18, chapter 11, and PS3.4, annex CC: states, and Transaction UIDs
//! by which a performer is known. It may lose answers to what it has done.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};

use crate::study::servers::{Answer, Asked, web};

const STATE: &str = "00741000";
const TRANSACTION: &str = "00081195";
const UID: &str = "00080018";
const STUDY: &str = "0020000D";
const INPUT: &str = "00404021";
const PERFORMED: &str = "00741216";
const PROGRESS: &str = "00741002";

/// Workitems by their UID, and what happened.
#[derive(Default)]
pub(super) struct Worklist {
    items: BTreeMap<String, Map<String, Value>>,
    /// Who has claimed what.
    locks: BTreeMap<String, String>,
    /// Every change of state that was made, and every step of progress that was told, with its workitem.
    pub(super) told: Vec<(String, String)>,
    /// What went against the rules.
    pub(super) faults: Vec<String>,
    /// Whether it looks into no sequences, answers 400 where the standard lets it choose, and wants the Transaction UID
    /// of an update by name, in the path alone.
    pub(super) is_plain: bool,
    /// Whether another performer claims the next workitem in the moment in which it is to be claimed.
    pub(super) locks_at_claim: bool,
    /// The header `Warning` of every answer to a change.
    pub(super) warning: Option<&'static str>,
    /// Every how many changes the answer is lost; 0: none.
    pub(super) loses: usize,
    changes: usize,
}

/// A worklist that is shared with its server.
pub(super) type Shared = Arc<Mutex<Worklist>>;

/// Serves a worklist until the test ends; its URL.
pub(super) fn worklist() -> (String, Shared) {
    let shared = Shared::default();
    let seen = shared.clone();
    let (url, _) = web(move |asked| seen.lock().expect("no panic").answer(asked));
    (url, shared)
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> &'a str {
    object.get(key).and_then(|element| element["Value"][0].as_str()).unwrap_or_default()
}

fn dicom(status: u16, body: &Value) -> Answer {
    (status, "application/dicom+json".to_owned(), body.to_string().into_bytes())
}

fn empty(status: u16) -> Answer {
    (status, "text/plain".to_owned(), Vec::new())
}

impl Worklist {
    /// Schedules a workitem for a study.
    pub(super) fn schedule(&mut self, uid: &str, study: &str, label: &str, priority: &str) {
        let element = |vr: &str, value: &str| json!({ "vr": vr, "Value": [value] });
        let code = json!({ "00080100": element("SH", "D-1"), "00080102": element("SH", "99TEST") });
        let object = json!({
            UID: element("UI", uid),
            STATE: element("CS", "SCHEDULED"),
            "00741200": element("CS", priority),
            "00741204": element("LO", label),
            "00404018": { "vr": "SQ", "Value": [code] },
            "00100010": { "vr": "PN", "Value": [{ "Alphabetic": "CANARY^WORKLIST" }] },
            INPUT: { "vr": "SQ", "Value": [{ STUDY: element("UI", study) }] },
        });
        self.items.insert(uid.to_owned(), object.as_object().expect("an object").clone());
    }

    /// Lets another performer claim a workitem.
    pub(super) fn claim(&mut self, uid: &str) {
        self.items
            .get_mut(uid)
            .expect("a workitem")
            .insert(STATE.into(), json!({ "vr": "CS", "Value": ["IN PROGRESS"] }));
        self.locks.insert(uid.to_owned(), "1.2.3".to_owned());
    }

    pub(super) fn state(&self, uid: &str) -> String {
        text(&self.items[uid], STATE).to_owned()
    }

    /// What was performed of a workitem.
    pub(super) fn performed(&self, uid: &str) -> Value {
        self.items[uid].get(PERFORMED).map_or(Value::Null, |element| element["Value"][0].clone())
    }

    /// The progress of a workitem.
    pub(super) fn progress(&self, uid: &str) -> Value {
        self.items[uid].get(PROGRESS).map_or(Value::Null, |element| element["Value"][0].clone())
    }

    fn answer(&mut self, asked: &Asked) -> Answer {
        let (method, target) = asked.line.split_once(' ').expect("a method and a path");
        let target = target.strip_prefix("/dicom-web/workitems").expect("nothing else is asked");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let answer = match (method, parts.as_slice()) {
            ("GET", []) => return self.search(query),
            ("GET", [uid]) => return self.items.get(*uid).map_or(empty(404), |one| dicom(200, &json!([one]))),
            ("PUT", [uid, "state"]) => self.change(uid, &asked.body),
            ("POST", [uid]) => self.update(uid, query, &asked.body),
            _ => empty(400),
        };
        self.changes += 1;
        let (status, mut kind, body) = answer;
        if let Some(warning) = self.warning {
            kind = format!("{kind}\r\nwarning: {warning}");
        }
        let answer = (status, kind, body);
        if self.loses > 0 && self.changes.is_multiple_of(self.loses) { (0, String::new(), Vec::new()) } else { answer }
    }

    /// By state and by the study of the input, as PS3.18, 8.3.4.1, writes an attribute in a sequence.
    fn search(&mut self, query: &str) -> Answer {
        let mut found: Vec<&Map<String, Value>> = self.items.values().collect();
        for (key, value) in query.split('&').filter_map(|part| part.split_once('=')) {
            match key.split('.').collect::<Vec<_>>().as_slice() {
                ["includefield" | "limit" | "offset"] => {}
                [INPUT, STUDY] if self.is_plain => {}
                [INPUT, STUDY] => found.retain(|one| {
                    let study = &one[INPUT]["Value"][0][STUDY]["Value"][0];
                    study.as_str() == Some(value)
                }),
                [key] => found.retain(|one| text(one, key) == value),
                _ => self.faults.push(format!("it was asked for {key}")),
            }
        }
        let number = |name: &str| {
            let part = query.split('&').find_map(|part| part.strip_prefix(name)).expect("it is asked for");
            part.parse::<usize>().expect("a number")
        };
        let page: Vec<_> = found.into_iter().skip(number("offset=")).take(number("limit=")).collect();
        if page.is_empty() { empty(204) } else { dicom(200, &json!(page)) }
    }

    fn body(bytes: &[u8]) -> Map<String, Value> {
        let whole: Value = serde_json::from_slice(bytes).expect("JSON");
        whole[0].as_object().expect("one data set").clone()
    }

    /// Source: DICOM PS3.4, tables CC.1.1-2 and CC.2.1-2.
    fn change(&mut self, uid: &str, body: &[u8]) -> Answer {
        let body = Self::body(body);
        let (to, transaction) = (text(&body, STATE), text(&body, TRANSACTION));
        if std::mem::take(&mut self.locks_at_claim) {
            self.claim(uid);
        }
        let Some(item) = self.items.get_mut(uid) else { return empty(404) };
        let now = text(item, STATE).to_owned();
        if transaction.is_empty() {
            return empty(400);
        }
        let is_owner = self.locks.get(uid).is_some_and(|owner| owner == transaction);
        match (now.as_str(), to) {
            ("SCHEDULED", "IN PROGRESS") => {
                self.locks.insert(uid.to_owned(), transaction.to_owned());
            }
            ("IN PROGRESS", "COMPLETED" | "CANCELED") if is_owner => {
                // Table CC.2.5-3: what the final state needs.
                let performed = item.get(PERFORMED).map(|element| &element["Value"][0]);
                let has = |key: &str| performed.is_some_and(|one| one.get(key).is_some());
                let needed = ["00404050", "00404051", "00404019", "00404028", "00404033"];
                let reason = item.get(PROGRESS).map(|element| &element["Value"][0]["0074100E"]["Value"][0]);
                let has_reason = reason.is_some_and(|code| code["00080100"].is_object());
                if to == "COMPLETED" && !needed.into_iter().all(has) || to == "CANCELED" && !has_reason {
                    self.faults.push(format!("{uid} lacks what {to} needs"));
                    return empty(409);
                }
            }
            _ => return empty(if self.is_plain { 400 } else { 409 }),
        }
        item.insert(STATE.to_owned(), json!({ "vr": "CS", "Value": [to] }));
        self.told.push((uid.to_owned(), to.to_owned()));
        empty(200)
    }

    /// Source: DICOM PS3.18, 11.6; PS3.4, CC.2.6.2.
    fn update(&mut self, uid: &str, query: &str, body: &[u8]) -> Answer {
        let mut body = Self::body(body);
        let Some(item) = self.items.get_mut(uid) else { return empty(404) };
        let told = text(&body, TRANSACTION);
        let is_owner = self.locks.get(uid).is_some_and(|owner| {
            if self.is_plain {
                told.is_empty() && query.strip_prefix("transaction-uid=") == Some(owner)
            } else {
                owner == query && owner == told
            }
        });
        if self.is_plain && !is_owner {
            return empty(if told.is_empty() { 409 } else { 400 });
        }
        if text(item, STATE) != "IN PROGRESS" || !is_owner {
            return empty(409);
        }
        // The Transaction UID is never given back.
        body.remove(TRANSACTION);
        if let Some(words) = body.get(PROGRESS).and_then(|one| one["Value"][0]["00741006"]["Value"][0].as_str()) {
            self.told.push((uid.to_owned(), words.to_owned()));
        }
        item.extend(body);
        empty(200)
    }
}
