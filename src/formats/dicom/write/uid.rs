//! UIDs derived from what they stand for.

use crate::digest::Digest;

/// The UID of some bytes: `2.25.` and a UUID as a decimal number, the first 122 bits of the bytes' SHA-256.
///
/// Source: DICOM PS3.5, B.2; RFC 9562, version 8.
pub(super) fn derived(purpose: &str, bytes: &[u8]) -> String {
    let mut digest = Digest::new();
    digest.update(purpose);
    digest.update([0]);
    digest.update(bytes);
    let digest = digest.bytes();
    let first: [u8; 16] = digest[..16].try_into().expect("a digest has 32 bytes");
    let version = 8u128 << 76;
    let variant = 2u128 << 62;
    let uuid = u128::from_be_bytes(first) & !(0xf << 76) & !(3 << 62) | version | variant;
    format!("2.25.{uuid}")
}

/// Whether a text is a UID.
pub(super) fn is_uid(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) && (part == "0" || !part.starts_with('0'))
    };
    text.len() <= 64 && text.contains('.') && text.split('.').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_valid_and_differ_by_what_they_stand_for() {
        let uids = [derived("a", b"b"), derived("a", b"c"), derived("ab", b""), derived("", b"ab")];
        for (at, uid) in uids.iter().enumerate() {
            assert!(is_uid(uid) && uid.starts_with("2.25."), "{uid}");
            assert!(!uids[..at].contains(uid));
            let uuid: u128 = uid[5..].parse().expect("a number");
            assert_eq!((uuid >> 76 & 0xf, uuid >> 62 & 3), (8, 2));
        }
        assert_eq!(uids[0], derived("a", b"b"));
        for bad in ["", "1", "1..2", "1.02", "1.2a", &"1.".repeat(33)] {
            assert!(!is_uid(bad), "{bad}");
        }
    }
}
