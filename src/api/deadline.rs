//! The caller's deadline. tonic's own answer says no reason, and it does not end a streaming body: both is done here.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::sleep;

/// The caller's `grpc-timeout`, if it sent a well-formed one: at most eight digits and a unit.
///
/// Source: gRPC over HTTP/2, "Timeout".
pub(super) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

/// Ends when a time that begins now is over; never, if there is none.
pub(super) fn expired(timeout: Option<Duration>) -> impl Future<Output = ()> + Send {
    let timer = timeout.map(sleep);
    async {
        match timer {
            Some(timer) => timer.await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Duration> {
        timeout(&HeaderMap::from_iter([("grpc-timeout".parse().expect("a name"), text.parse().expect("printable"))]))
    }

    #[test]
    fn well_formed_timeouts_are_read() {
        let cases = [("2H", 7_200_000), ("3M", 180_000), ("4S", 4000), ("5m", 5), ("6000u", 6), ("7000000n", 7)];
        for (text, ms) in cases {
            assert_eq!(parse(text), Some(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn others_are_ignored() {
        for text in ["", "S", "1", "1s", "-1S", "123456789S", "1.5S", "1 S"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(timeout(&HeaderMap::new()), None);
    }
}
