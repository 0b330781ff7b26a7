//! Why callers are refused, and how often that is told.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tonic::{Code, Status};

use crate::api::status::refused;

/// Why a call has no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// There is neither a token nor a certificate.
    Missing,
    /// The token is none by its form.
    Malformed,
    /// Its time is over.
    Expired,
    /// Its time has not begun.
    NotYetValid,
    /// No known key made its signature.
    Signature,
    /// It is signed in a way that is not taken.
    Algorithm,
    /// It is for others.
    Audience,
    /// It is from others.
    Issuer,
    /// It lacks a tenant, a role or a subject, or they are malformed.
    Claims,
    /// Nobody has this token or certificate.
    Unknown,
}

impl Why {
    /// Its name in errors and the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Signature => "signature",
            Self::Algorithm => "algorithm",
            Self::Audience => "audience",
            Self::Issuer => "issuer",
            Self::Claims => "claims",
            Self::Unknown => "unknown",
        }
    }

    /// What the caller is told.
    pub(super) fn status(self) -> Status {
        let message = match self {
            Self::Missing => "send a bearer token in `authorization`, or a client certificate",
            Self::Malformed => "the token is malformed",
            Self::Expired => "the token has expired; get a new one",
            Self::NotYetValid => "the token is not yet valid; check the clocks",
            Self::Signature => "no known key has signed the token",
            Self::Algorithm => "the token must be signed by RS256, ES256 or EdDSA",
            Self::Audience => "the token is for another audience",
            Self::Issuer => "the token is from another issuer",
            Self::Claims => "the token needs `exp`, `aud`, `sub`, `tenant` and `roles`",
            Self::Unknown => "nobody is known by this token or certificate",
        };
        refused(Code::Unauthenticated, "UNAUTHENTICATED", message, [("why", self.name().to_owned())])
    }
}

/// How many refusals of one peer are recorded one by one in [`WINDOW`].
const ONE_BY_ONE: u64 = 10;
/// The time that refusals of a peer are counted over.
pub(in crate::api) const WINDOW: Duration = Duration::from_secs(60);
/// Peers that are counted apart. More share one count.
const MAX_PEERS: usize = 10_000;

/// What to record of one more refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// It by itself.
    One,
    /// Nothing now: it is counted.
    Counted,
    /// It, and how many were counted before it in the window that is over.
    After(u64),
}

/// Refusals of one peer that are counted together.
#[derive(Debug)]
struct Window {
    since: Instant,
    count: u64,
    last: (SocketAddr, &'static str),
}

/// Counts refusals by peer.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<Option<IpAddr>, Window>>);

impl Window {
    /// How many were not told one by one.
    fn left_out(&self) -> u64 {
        self.count.saturating_sub(ONE_BY_ONE)
    }
}

impl Refusals {
    /// Counts one more refusal of a peer, for a reason.
    pub(super) fn count(&self, address: SocketAddr, reason: &'static str, now: Instant) -> Note {
        let peer = Some(address.ip());
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if peers.len() >= MAX_PEERS && !peers.contains_key(&peer) {
            peers.retain(|_, window| now.duration_since(window.since) < WINDOW || window.count > ONE_BY_ONE);
        }
        let peer = if peers.len() >= MAX_PEERS && !peers.contains_key(&peer) { None } else { peer };
        let last = (address, reason);
        let window = peers.entry(peer).or_insert(Window { since: now, count: 0, last });
        if now.duration_since(window.since) >= WINDOW {
            let left_out = window.left_out();
            *window = Window { since: now, count: 1, last };
            return if left_out > 0 { Note::After(left_out) } else { Note::One };
        }
        (window.count, window.last) = (window.count + 1, last);
        if window.count <= ONE_BY_ONE { Note::One } else { Note::Counted }
    }

    /// Ends the windows of an age: the last peer and reason of each in which some were only counted, and how many.
    pub(super) fn end_windows(&self, age: Duration, now: Instant) -> Vec<(SocketAddr, &'static str, u64)> {
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = peers.extract_if(|_, window| now.duration_since(window.since) >= age);
        let told = ended.map(|(_, window)| (window.last.0, window.last.1, window.left_out()));
        told.filter(|(_, _, left_out)| *left_out > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_a_minute_are_told_one_by_one_and_the_rest_is_counted() {
        let (refusals, begin) = (Refusals::default(), Instant::now());
        let [a, b] = [1, 2].map(|last| SocketAddr::from(([10, 0, 0, last], 4000)));
        let count = |peer, now| refusals.count(peer, "missing", now);
        for _ in 0..10 {
            assert_eq!(count(a, begin), Note::One);
        }
        for _ in 0..7 {
            assert_eq!(count(a, begin), Note::Counted);
        }
        assert_eq!(count(b, begin), Note::One);
        assert_eq!(count(a, begin + WINDOW), Note::After(7));
        assert_eq!(count(a, begin + 2 * WINDOW), Note::One);
    }

    #[test]
    fn what_was_only_counted_is_told_once_its_minute_is_over() {
        let (refusals, begin) = (Refusals::default(), Instant::now());
        let [a, b] = [1, 2].map(|last| SocketAddr::from(([10, 0, 0, last], 4000)));
        (0..12).for_each(|_| _ = refusals.count(a, "missing", begin));
        let last = SocketAddr::new(a.ip(), 4001);
        assert_eq!(refusals.count(last, "unknown", begin), Note::Counted);
        assert_eq!(refusals.count(b, "missing", begin), Note::One);
        assert!(refusals.end_windows(WINDOW, begin + WINDOW / 2).is_empty());
        assert_eq!(refusals.end_windows(WINDOW, begin + WINDOW), [(last, "unknown", 3)]);
        assert_eq!(refusals.count(a, "missing", begin + WINDOW), Note::One, "it was told before");
        assert!(refusals.end_windows(Duration::ZERO, begin + WINDOW).is_empty());
    }
}
