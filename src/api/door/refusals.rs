//! Why callers are refused, and how often that is told.

use std::collections::HashMap;
use std::net::IpAddr;
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
const WINDOW: Duration = Duration::from_secs(60);
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

/// Counts refusals by peer.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<Option<IpAddr>, (Instant, u64)>>);

impl Refusals {
    /// Counts one more refusal of a peer.
    pub(super) fn count(&self, peer: Option<IpAddr>, now: Instant) -> Note {
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if peers.len() >= MAX_PEERS && !peers.contains_key(&peer) {
            peers.retain(|_, (since, count)| now.duration_since(*since) < WINDOW || *count > ONE_BY_ONE);
        }
        let peer = if peers.len() >= MAX_PEERS && !peers.contains_key(&peer) { None } else { peer };
        let (since, count) = peers.entry(peer).or_insert((now, 0));
        if now.duration_since(*since) >= WINDOW {
            let left_out = count.saturating_sub(ONE_BY_ONE);
            (*since, *count) = (now, 1);
            return if left_out > 0 { Note::After(left_out) } else { Note::One };
        }
        *count += 1;
        if *count <= ONE_BY_ONE { Note::One } else { Note::Counted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_a_minute_are_told_one_by_one_and_the_rest_is_counted() {
        let (refusals, begin) = (Refusals::default(), Instant::now());
        let [a, b] = [1, 2].map(|last| Some(IpAddr::from([10, 0, 0, last])));
        for _ in 0..10 {
            assert_eq!(refusals.count(a, begin), Note::One);
        }
        for _ in 0..7 {
            assert_eq!(refusals.count(a, begin), Note::Counted);
        }
        assert_eq!(refusals.count(b, begin), Note::One);
        assert_eq!(refusals.count(a, begin + WINDOW), Note::After(7));
        assert_eq!(refusals.count(a, begin + 2 * WINDOW), Note::One);
    }
}
