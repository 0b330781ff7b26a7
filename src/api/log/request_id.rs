//! The id of a call.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderMap;

/// Metadata that holds the id, in both directions.
pub(super) const HEADER: &str = "x-request-id";
/// Longest id of a caller's own.
const MAX_BYTES: usize = 64;

/// What ids of this process begin with: random, so that those of another run are others.
static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
static CALLS: AtomicU64 = AtomicU64::new(0);

/// The caller's id if it is well formed, else a new one.
pub(super) fn of(headers: &HeaderMap) -> String {
    let given = headers.get(HEADER).and_then(|value| value.to_str().ok());
    given.filter(|text| is_well_formed(text)).map_or_else(new, str::to_owned)
}

/// Up to 64 letters, digits, and `-`, `_`, `.`, `:`.
fn is_well_formed(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    (1..=MAX_BYTES).contains(&text.len()) && text.bytes().all(is_allowed)
}

fn new() -> String {
    format!("{:016x}-{}", *PROCESS, CALLS.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_for(given: &str) -> String {
        of(&HeaderMap::from_iter([(HEADER.parse().expect("a name"), given.parse().expect("printable"))]))
    }

    #[test]
    fn a_well_formed_id_of_the_caller_is_kept() {
        for text in ["a", "3f2b9c1e-7d4a.B_1:2", &"x".repeat(64)] {
            assert_eq!(id_for(text), text);
        }
    }

    #[test]
    fn others_are_replaced_and_no_two_are_alike() {
        for text in ["", "two words", "a\"b", "a=b", &"x".repeat(65)] {
            assert!(is_well_formed(&id_for(text)) && id_for(text) != text, "{text}");
        }
        assert_ne!(new(), new());
        assert!(is_well_formed(&of(&HeaderMap::new())));
    }
}
