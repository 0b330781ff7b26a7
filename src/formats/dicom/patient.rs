//! Who a file is of, as far as two patients have to be told apart: a value that does not say who it is.

use std::collections::{BTreeMap, BTreeSet};

use dicom_dictionary_std::tags;

use super::attributes::{Attributes, Object};
use crate::digest;

/// What tells two patients apart, for messages.
pub const PATIENT_TOLD_BY: &str = "Patient ID with its issuer, or date of birth";
/// What the digest of the date of birth stands behind.
const BORN: char = '+';

/// The digest of Patient ID and its issuer, and where it is known that of the date of birth; none without a Patient ID.
pub(super) fn of(object: &Object) -> Option<String> {
    let id = object.text(tags::PATIENT_ID)?;
    let issuer = object.text(tags::ISSUER_OF_PATIENT_ID).unwrap_or_default();
    let own = digest::sha256_hex(format!("{id}\n{issuer}"));
    // Once written with points between year, month and day.
    let born: String = object.text(tags::PATIENT_BIRTH_DATE).unwrap_or_default();
    let born: String = born.chars().filter(char::is_ascii_digit).collect();
    if born.is_empty() {
        return Some(own);
    }
    let born = digest::sha256_hex(format!("{own}\n{born}"));
    Some(format!("{own}{BORN}{born}"))
}

/// The value without the date of birth, and that.
fn parts(value: &str) -> (&str, Option<&str>) {
    value.split_once(BORN).map_or((value, None), |(own, born)| (own, Some(born)))
}

/// Whether two may be one patient: with one Patient ID, and one date of birth as far as both have it. What names no
/// patient goes with the same alone.
pub(super) fn may_be_one(a: Option<&str>, b: Option<&str>) -> bool {
    match (a.map(parts), b.map(parts)) {
        (Some((a, born_a)), Some((b, born_b))) => a == b && (born_a == born_b || born_a.is_none() || born_b.is_none()),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// How many patients there are at least; files that name none count as one.
pub(super) fn count(values: impl Iterator<Item = Option<String>>) -> usize {
    let mut dates = BTreeMap::<Option<String>, BTreeSet<String>>::new();
    for value in values {
        let (own, born) = value.as_deref().map(parts).map_or((None, None), |(own, born)| (Some(own), born));
        dates.entry(own.map(str::to_owned)).or_default().extend(born.map(str::to_owned));
    }
    dates.values().map(|dates| dates.len().max(1)).sum()
}

#[cfg(test)]
mod tests {
    use dicom_core::{DataElement, PrimitiveValue, Tag, VR};

    use super::*;

    fn patient(values: &[(Tag, VR, &str)]) -> Option<String> {
        let mut object = Object::new_empty();
        for (tag, vr, value) in values {
            object.put(DataElement::new(*tag, *vr, PrimitiveValue::from(*value)));
        }
        of(&object)
    }

    #[test]
    fn a_patient_is_an_id_of_an_issuer_and_a_date_of_birth() {
        let id = (tags::PATIENT_ID, VR::LO, "4711");
        let born = |date| (tags::PATIENT_BIRTH_DATE, VR::DA, date);
        let issuer = (tags::ISSUER_OF_PATIENT_ID, VR::LO, "NORTH");
        let plain = patient(&[id]);
        let [old, dotted, young] = ["19600102", "1960.01.02", "19910304"].map(|date| patient(&[id, born(date)]));
        let north = patient(&[id, issuer, born("19600102")]);
        let is_one = |a: &Option<String>, b: &Option<String>| may_be_one(a.as_deref(), b.as_deref());
        assert!(is_one(&plain, &old) && is_one(&plain, &young) && is_one(&old, &dotted));
        assert!(!is_one(&old, &young) && !is_one(&old, &north) && !is_one(&plain, &None) && is_one(&None, &None));
        let all = |all: &[&Option<String>]| count(all.iter().map(|one| (*one).clone()));
        assert_eq!((all(&[&plain, &old, &dotted]), all(&[&plain, &old, &young]), all(&[&old, &north])), (1, 2, 2));
        assert_eq!((all(&[&None, &None]), all(&[&None, &plain]), all(&[])), (1, 2, 0));
        assert!(!old.expect("a patient").contains("1960"));
    }
}
