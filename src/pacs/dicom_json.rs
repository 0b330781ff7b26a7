//! Elements of the DICOM JSON model. Source: DICOM PS3.18, annex F.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use serde_json::{Map, Value, json};

/// A tag as DICOM JSON writes it.
pub(super) fn key(tag: Tag) -> String {
    format!("{:04X}{:04X}", tag.group(), tag.element())
}

pub(super) fn element(vr: &str, text: &str) -> Value {
    json!({ "vr": vr, "Value": [text] })
}

pub(super) fn sequence(items: Vec<Value>) -> Value {
    if items.is_empty() { json!({ "vr": "SQ" }) } else { json!({ "vr": "SQ", "Value": items }) }
}

pub(super) fn first_text(object: &Map<String, Value>, tag: Tag) -> Option<String> {
    let value = object.get(&key(tag))?.get("Value")?.get(0)?;
    Some(value.as_str()?.trim_matches([' ', '\0']).to_owned())
}

pub(super) fn items(object: &Map<String, Value>, tag: Tag) -> impl Iterator<Item = &Map<String, Value>> {
    let list = object.get(&key(tag)).and_then(|element| element.get("Value")).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_object)
}

pub(super) fn codes(object: &Map<String, Value>, tag: Tag) -> Vec<String> {
    items(object, tag).filter_map(|item| first_text(item, tags::CODE_VALUE)).collect()
}
