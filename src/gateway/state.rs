//! The states of a study's way through the gateway, and the one table of what may follow what.

use serde::{Deserialize, Serialize};

/// Where a version of a study stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Files have come; it waits until it is whole.
    Received,
    /// It is whole, meets a rule, and waits for its turn.
    Ready,
    /// Its dose is on the disk.
    Computed,
    /// It waits for somebody to release it.
    Held,
    /// It is being sent.
    Released,
    /// Every destination said that it has stored it.
    Sent,
    /// Every destination gave it back as it was sent, or said by storage commitment that it keeps it.
    Verified,
    /// Nothing is to be done with it.
    Skipped,
    /// Somebody has to look at it.
    Aside,
}

impl State {
    /// All of them, in the order of the way.
    pub const ALL: [Self; 9] = [
        Self::Received,
        Self::Ready,
        Self::Computed,
        Self::Held,
        Self::Released,
        Self::Sent,
        Self::Verified,
        Self::Skipped,
        Self::Aside,
    ];

    /// Its name in lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Ready => "ready",
            Self::Computed => "computed",
            Self::Held => "held",
            Self::Released => "released",
            Self::Sent => "sent",
            Self::Verified => "verified",
            Self::Skipped => "skipped",
            Self::Aside => "aside",
        }
    }

    /// What may follow.
    pub fn followers(self) -> &'static [Self] {
        match self {
            Self::Received => &[Self::Ready, Self::Skipped, Self::Aside],
            // A slice that comes late, before the computation has ended.
            Self::Ready => &[Self::Received, Self::Computed, Self::Skipped, Self::Aside],
            Self::Computed => &[Self::Held, Self::Released],
            Self::Held => &[Self::Released, Self::Skipped],
            Self::Released => &[Self::Sent, Self::Skipped, Self::Aside],
            // What was said to be stored, and is not there, is sent again.
            Self::Sent => &[Self::Verified, Self::Released, Self::Aside],
            Self::Verified => &[],
            Self::Skipped => &[Self::Received],
            Self::Aside => &[Self::Received, Self::Released, Self::Skipped],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_reached_and_only_one_is_an_end() {
        for state in State::ALL {
            let reached = State::ALL.iter().any(|other| other.followers().contains(&state));
            assert!(reached || state == State::Received, "{state:?}");
            assert!(!state.followers().contains(&state), "{state:?}");
        }
        let ends: Vec<State> = State::ALL.into_iter().filter(|state| state.followers().is_empty()).collect();
        assert_eq!(ends, [State::Verified]);
        // Nothing is sent that was not computed, and nothing computed goes out but by a release.
        for state in State::ALL.into_iter().filter(|state| state.followers().contains(&State::Released)) {
            assert!(matches!(state, State::Computed | State::Held | State::Sent | State::Aside), "{state:?}");
        }
    }
}
