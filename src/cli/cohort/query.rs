//! The study that a question to a DICOMweb server means.

use crate::domain::Invalid;

/// A question of `key=value` pairs, percent-encoded: `PatientID=4711&StudyDate=20260105`.
///
/// # Errors
/// If a key is no keyword of DICOM, or a value is missing.
pub(super) fn encoded(text: &str) -> Result<String, Invalid> {
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_key || value.is_empty() {
            return Err(Invalid::new("is of the form PatientID=…&StudyDate=20260105"));
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let coded: String = value
            .bytes()
            .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect();
        Ok(format!("{key}={coded}"))
    };
    let pairs: Vec<String> = text.trim().split('&').map(pair).collect::<Result<_, _>>()?;
    Ok(pairs.join("&"))
}

/// Whether the cell of a study is a question.
pub(super) fn is_query(cell: &str) -> bool {
    cell.contains('=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_and_keys_checked() {
        let question = encoded("PatientName=Doe^Jane Ä&StudyDate=20260105-20260112");
        assert_eq!(question.expect("good"), "PatientName=Doe%5EJane%20%C3%84&StudyDate=20260105-20260112");
        for bad in ["PatientID=", "=4711", "Patient ID=4711", "PatientID=1&&"] {
            assert!(encoded(bad).is_err(), "{bad}");
        }
        assert!(is_query("PatientID=1") && !is_query("1.2.840.1"));
    }
}
