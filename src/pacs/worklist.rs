//! UPS-RS: workitems of a worklist, found, claimed, told of and ended.
//! Source: DICOM PS3.18, chapter 11; PS3.4, annex CC.

use std::collections::BTreeSet;
use std::io::Read;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use serde_json::{Map, Value, json};

use super::Web;
use super::dicom_json::{codes, element, first_text, items, key, sequence};
use super::dimse::is_uid;
use super::web::MAX_JSON_BYTES;
use crate::domain::DoseError;

/// What bodies are written in.
const DICOM_JSON: &str = "application/dicom+json";
/// Workitems that are asked for at a time, and most that are looked at.
const PAGE: usize = 100;
const MAX_WORKITEMS: usize = 10_000;
/// The answer to a change that does not go with the state or the Transaction UID of a workitem, as 409 is. Source:
/// DICOM PS3.18, tables 11.6.3-1 and 11.7.3-1.
const BAD_REQUEST: u16 = 400;

/// States of a workitem that a performer asks for. Source: DICOM PS3.4, table CC.1.1-2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Claimed.
    InProgress,
    /// Done.
    Completed,
    /// Given up.
    Canceled,
}

impl Step {
    /// As the standard writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::InProgress => "IN PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Canceled => "CANCELED",
        }
    }
}

/// What a worklist makes of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is made, perhaps with a warning.
    Done(Option<&'static str>),
    /// It does not go with the state of the workitem, or another has claimed it; with what the worklist says of it.
    Conflict(Option<&'static str>),
    /// There is no such workitem any more.
    Gone,
}

/// A workitem, as a worklist gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct Workitem {
    /// Its SOP Instance UID.
    pub uid: String,
    object: Map<String, Value>,
}

impl Workitem {
    fn of(value: Value) -> Option<Self> {
        let Value::Object(object) = value else { return None };
        let uid = first_text(&object, tags::SOP_INSTANCE_UID).filter(|uid| is_uid(uid))?;
        Some(Self { uid, object })
    }

    /// Its state, such as `SCHEDULED`.
    pub fn state(&self) -> String {
        first_text(&self.object, tags::PROCEDURE_STEP_STATE).unwrap_or_default()
    }

    /// Procedure Step Label.
    pub fn label(&self) -> String {
        first_text(&self.object, tags::PROCEDURE_STEP_LABEL).unwrap_or_default()
    }

    /// Worklist Label.
    pub fn worklist_label(&self) -> String {
        first_text(&self.object, tags::WORKLIST_LABEL).unwrap_or_default()
    }

    /// Code Values of the scheduled workitem.
    pub fn codes(&self) -> Vec<String> {
        codes(&self.object, tags::SCHEDULED_WORKITEM_CODE_SEQUENCE)
    }

    /// Code Values of the stations that it is scheduled for.
    pub fn stations(&self) -> Vec<String> {
        codes(&self.object, tags::SCHEDULED_STATION_NAME_CODE_SEQUENCE)
    }

    /// Whether a study is among its input.
    pub fn is_of(&self, study: &str) -> bool {
        items(&self.object, tags::INPUT_INFORMATION_SEQUENCE)
            .any(|input| first_text(input, tags::STUDY_INSTANCE_UID).as_deref() == Some(study))
    }

    /// In what order workitems are taken: by priority, by time, by name.
    pub fn order(&self) -> (u8, String, String) {
        let priority = first_text(&self.object, tags::SCHEDULED_PROCEDURE_STEP_PRIORITY).unwrap_or_default();
        let rank = match priority.as_str() {
            "HIGH" => 0,
            "LOW" => 2,
            _ => 1,
        };
        let start = first_text(&self.object, tags::SCHEDULED_PROCEDURE_STEP_START_DATE_TIME).unwrap_or_default();
        (rank, start, self.uid.clone())
    }

    /// What was performed, for its end: station and kind of work are those that were scheduled.
    ///
    /// * `begun`, `ended` – date and time as DICOM writes them (DT)
    /// * `output` – what was made
    pub fn performed(&self, begun: &str, ended: &str, output: &[Output<'_>]) -> Value {
        let copied = |tag: Tag| self.object.get(&key(tag)).and_then(|element| element.get("Value")).cloned();
        let codes = |tag| sequence(copied(tag).and_then(|list| list.as_array().cloned()).unwrap_or_default());
        let mut made: Vec<Value> = Vec::new();
        for one in output {
            let mut reference = Map::new();
            reference.insert(key(tags::REFERENCED_SOP_CLASS_UID), element("UI", one.class));
            reference.insert(key(tags::REFERENCED_SOP_INSTANCE_UID), element("UI", one.instance));
            let mut item = Map::new();
            item.insert(key(tags::TYPE_OF_INSTANCES), element("CS", "DICOM"));
            item.insert(key(tags::STUDY_INSTANCE_UID), element("UI", one.study));
            item.insert(key(tags::SERIES_INSTANCE_UID), element("UI", one.series));
            item.insert(key(tags::REFERENCED_SOP_SEQUENCE), sequence(vec![Value::Object(reference)]));
            made.push(Value::Object(item));
        }
        let mut performed = Map::new();
        let station = codes(tags::SCHEDULED_STATION_NAME_CODE_SEQUENCE);
        performed.insert(key(tags::PERFORMED_STATION_NAME_CODE_SEQUENCE), station);
        performed.insert(key(tags::PERFORMED_WORKITEM_CODE_SEQUENCE), codes(tags::SCHEDULED_WORKITEM_CODE_SEQUENCE));
        performed.insert(key(tags::PERFORMED_PROCEDURE_STEP_START_DATE_TIME), element("DT", begun));
        performed.insert(key(tags::PERFORMED_PROCEDURE_STEP_END_DATE_TIME), element("DT", ended));
        performed.insert(key(tags::OUTPUT_INFORMATION_SEQUENCE), sequence(made));
        let mut object = Map::new();
        let tag = key(tags::UNIFIED_PROCEDURE_STEP_PERFORMED_PROCEDURE_SEQUENCE);
        object.insert(tag, sequence(vec![Value::Object(performed)]));
        Value::Object(object)
    }
}

/// An instance that was made.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    /// SOP Class UID.
    pub class: &'a str,
    /// SOP Instance UID.
    pub instance: &'a str,
    /// Series Instance UID.
    pub series: &'a str,
    /// Study Instance UID.
    pub study: &'a str,
}

/// How far a workitem is.
///
/// * `percent` – of the whole
pub fn progress(percent: u8, words: &str) -> Value {
    let mut item = Map::new();
    item.insert(key(tags::PROCEDURE_STEP_PROGRESS), json!({ "vr": "DS", "Value": [percent] }));
    item.insert(key(tags::PROCEDURE_STEP_PROGRESS_DESCRIPTION), element("ST", words));
    progress_of(item)
}

/// Why a workitem is given up. The code is that for reasons without one. Source: DICOM PS3.16, CID 9300.
///
/// * `at` – date and time as DICOM writes them (DT)
pub fn discontinued(reason: &str, at: &str) -> Value {
    let mut code = Map::new();
    code.insert(key(tags::CODE_VALUE), element("SH", "110513"));
    code.insert(key(tags::CODING_SCHEME_DESIGNATOR), element("SH", "DCM"));
    code.insert(key(tags::CODE_MEANING), element("LO", "Discontinued for unspecified reason"));
    let mut item = Map::new();
    item.insert(key(tags::PROCEDURE_STEP_CANCELLATION_DATE_TIME), element("DT", at));
    item.insert(key(tags::REASON_FOR_CANCELLATION), element("LT", reason));
    item.insert(key(tags::PROCEDURE_STEP_DISCONTINUATION_REASON_CODE_SEQUENCE), sequence(vec![Value::Object(code)]));
    progress_of(item)
}

fn progress_of(item: Map<String, Value>) -> Value {
    let mut object = Map::new();
    object.insert(key(tags::PROCEDURE_STEP_PROGRESS_INFORMATION_SEQUENCE), sequence(vec![Value::Object(item)]));
    Value::Object(object)
}

impl Web {
    /// Scheduled workitems with a study among their input, the first to be taken first.
    ///
    /// # Errors
    /// If the worklist does not answer, or not as the standard says.
    pub fn scheduled(&self, study: &str) -> Result<Vec<Workitem>, DoseError> {
        let (state, input) = (key(tags::PROCEDURE_STEP_STATE), key(tags::INPUT_INFORMATION_SEQUENCE));
        let study_key = key(tags::STUDY_INSTANCE_UID);
        let path = format!("/workitems?{state}=SCHEDULED&{input}.{study_key}={study}&includefield=all&limit={PAGE}");
        let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
        let mut offset = 0;
        while offset < MAX_WORKITEMS {
            let page = self.workitems(&format!("{path}&offset={offset}"))?;
            offset += page.list.len();
            let new: Vec<Workitem> = page.list.into_iter().filter(|one| seen.insert(one.uid.clone())).collect();
            let is_last = new.is_empty() || !page.is_cut;
            // Not every worklist looks into sequences.
            found.extend(new.into_iter().filter(|one| one.state() == "SCHEDULED" && one.is_of(study)));
            if is_last {
                break;
            }
        }
        found.sort_by_key(Workitem::order);
        Ok(found)
    }

    /// A workitem; none where it is not there any more.
    ///
    /// # Errors
    /// If the worklist does not answer, or not as the standard says.
    pub fn workitem(&self, uid: &str) -> Result<Option<Workitem>, DoseError> {
        Ok(self.workitems(&format!("/workitems/{uid}"))?.list.into_iter().find(|one| one.uid == uid))
    }

    fn workitems(&self, path: &str) -> Result<Page, DoseError> {
        let mut answer = self.get(path, DICOM_JSON)?;
        match answer.status().as_u16() {
            200 | 206 => {}
            204 | 404 | 410 => return Ok(Page { list: Vec::new(), is_cut: false }),
            status => return Err(refused(status)),
        }
        let is_said_cut = answer.status() == 206 || answer.headers().contains_key("warning");
        let unusable = || DoseError::Io("worklist: the answer is no DICOM JSON".into());
        let mut text = Vec::new();
        let reader = answer.body_mut().with_config().limit(MAX_JSON_BYTES).reader();
        reader.take(MAX_JSON_BYTES).read_to_end(&mut text).map_err(|_| unusable())?;
        let whole: Value = serde_json::from_slice(&text).map_err(|_| unusable())?;
        let list = if let Value::Array(list) = whole { list } else { vec![whole] };
        let is_cut = is_said_cut || list.len() >= PAGE;
        Ok(Page { list: list.into_iter().filter_map(Workitem::of).collect(), is_cut })
    }

    /// Asks for another state of a workitem.
    ///
    /// * `transaction` – UID that claims it, and by which its claimer is known
    ///
    /// # Errors
    /// If the worklist does not answer, or refuses.
    pub fn change_state(&self, uid: &str, transaction: &str, to: Step) -> Result<Changed, DoseError> {
        let mut object = Map::new();
        object.insert(key(tags::TRANSACTION_UID), element("UI", transaction));
        object.insert(key(tags::PROCEDURE_STEP_STATE), element("CS", to.word()));
        changed(self.send_json("PUT", &format!("/workitems/{uid}/state"), &Value::Object(object))?)
    }

    /// Changes attributes of a workitem that was claimed.
    ///
    /// # Errors
    /// If the worklist does not answer, or refuses.
    pub fn update(&self, uid: &str, transaction: &str, with: &Value) -> Result<Changed, DoseError> {
        // In the path by PS3.18, 11.6.1, in the data set by PS3.4, CC.2.6.2.
        let mut whole = with.clone();
        if let Value::Object(object) = &mut whole {
            object.insert(key(tags::TRANSACTION_UID), element("UI", transaction));
        }
        let first = changed(self.send_json("POST", &format!("/workitems/{uid}?{transaction}"), &whole)?)?;
        if !matches!(first, Changed::Conflict(_)) {
            return Ok(first);
        }
        // There are worklists that want it in the path alone, or by a name, and say the one or the other of the rest.
        for query in [transaction.to_owned(), format!("transaction-uid={transaction}")] {
            let next = changed(self.send_json("POST", &format!("/workitems/{uid}?{query}"), with)?)?;
            if !matches!(next, Changed::Conflict(_)) {
                return Ok(next);
            }
        }
        Ok(first)
    }
}

/// What a header `Warning` says, by the sentences that the standard has for it. Any other may tell of a patient, and is
/// not repeated. Source: DICOM PS3.18, 11.6.3.2 and 11.7.3.2.
fn warning_words(header: &str) -> &'static str {
    const KNOWN: [(&str, &str); 8] = [
        ("transaction uid is missing", "the Transaction UID is missing"),
        ("transaction uid is incorrect", "the Transaction UID is incorrect"),
        ("did not reference a claimed workitem", "the workitem is not claimed"),
        ("requested state of canceled", "the workitem is CANCELED already"),
        ("requested state of completed", "the workitem is COMPLETED already"),
        ("inconsistent with the", "the change does not go with the state of the workitem"),
        ("updated with modifications", "the change was made with modifications"),
        ("optional attributes are not supported", "optional attributes are not supported"),
    ];
    let header = header.to_ascii_lowercase();
    let found = KNOWN.iter().find(|(sentence, _)| header.contains(sentence));
    found.map_or("a warning that is none of the standard's", |(_, words)| *words)
}

/// Workitems of one answer.
struct Page {
    list: Vec<Workitem>,
    /// Whether there may be more of them.
    is_cut: bool,
}

fn changed((status, warning): (u16, Option<String>)) -> Result<Changed, DoseError> {
    let words = warning.as_deref().map(warning_words);
    match status {
        200..=299 => Ok(Changed::Done(words)),
        BAD_REQUEST | 409 => Ok(Changed::Conflict(words)),
        404 | 410 => Ok(Changed::Gone),
        status => Err(refused(status)),
    }
}

fn refused(status: u16) -> DoseError {
    let why = match status {
        401 | 403 => ": give a token_file",
        300..=399 => ": redirects are not followed; give the URL itself",
        _ => "",
    };
    DoseError::Io(format!("worklist: answered by HTTP status {status}{why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workitem(priority: &str, uid: &str) -> Workitem {
        let text = format!(
            r#"{{"00080018": {{"vr": "UI", "Value": ["{uid}"]}}, "00741000": {{"vr": "CS", "Value": ["SCHEDULED"]}},
            "00741200": {{"vr": "CS", "Value": ["{priority}"]}},
            "00404018": {{"vr": "SQ", "Value": [{{"00080100": {{"vr": "SH", "Value": ["D-1"]}}}}]}},
            "00404021": {{"vr": "SQ", "Value": [{{"0020000D": {{"vr": "UI", "Value": ["1.2"]}}}}]}}}}"#
        );
        Workitem::of(serde_json::from_str(&text).expect("JSON")).expect("a workitem")
    }

    #[test]
    fn a_workitem_says_what_it_is_for() {
        let one = workitem("LOW", "1.2.3");
        assert_eq!((one.state().as_str(), one.codes()), ("SCHEDULED", vec!["D-1".to_owned()]));
        assert!(one.is_of("1.2") && !one.is_of("1.3") && one.stations().is_empty() && one.label().is_empty());
        assert!(workitem("HIGH", "9").order() < workitem("MEDIUM", "1").order());
        assert!(workitem("MEDIUM", "1").order() < one.order());
        // What is no UID goes into no path.
        for bad in ["1/../2", "", "a"] {
            assert!(Workitem::of(json!({ "00080018": { "vr": "UI", "Value": [bad] } })).is_none(), "{bad}");
        }
    }

    #[test]
    fn warnings_are_said_in_words_of_ours() {
        for (header, words) in [
            ("299 ris.example: \"The Transaction UID is incorrect.\"", "the Transaction UID is incorrect"),
            (
                "299 <service>: The UPS is already in the requested state of COMPLETED.",
                "the workitem is COMPLETED already",
            ),
            (
                "299 - \"The submitted request is inconsistent with the current state of the Workitem.\"",
                "the change does not go with the state of the workitem",
            ),
            ("299 ris \"Doe^John has left\"", "a warning that is none of the standard's"),
        ] {
            assert_eq!(warning_words(header), words, "{header}");
        }
        assert_eq!(changed((200, None)).expect("made"), Changed::Done(None));
        let refused = changed((409, Some("299 a: The Transaction UID is missing.".into())));
        assert_eq!(refused.expect("a conflict"), Changed::Conflict(Some("the Transaction UID is missing")));
    }

    #[test]
    fn what_was_performed_names_what_was_made() {
        let output = Output { class: "1.4", instance: "1.5", series: "1.6", study: "1.2" };
        let performed = workitem("LOW", "1.2.3").performed("20260101", "20260102", &[output]);
        let performed = &performed["00741216"]["Value"][0];
        assert_eq!(performed["00404050"]["Value"][0], "20260101");
        assert_eq!(performed["00404019"]["Value"][0]["00080100"]["Value"][0], "D-1");
        assert_eq!(performed["00404028"], json!({ "vr": "SQ" }));
        let made = &performed["00404033"]["Value"][0];
        assert_eq!(made["00081199"]["Value"][0]["00081155"]["Value"][0], "1.5");
        assert_eq!((&made["0020000D"]["Value"][0], &made["0040E020"]["Value"][0]), (&json!("1.2"), &json!("DICOM")));
    }
}
