//! Tokens of pages. One says where to go on, and belongs to its request.

use uuid::Uuid;

use crate::digest::Digest;
use crate::domain::Invalid;
use crate::jobs::JobState;

/// Hexadecimal digits of what binds a token to its request.
const BOUND_DIGITS: usize = 16;

/// What a token belongs to.
#[derive(Debug)]
pub(super) struct Bound {
    tenant: String,
    states: Vec<JobState>,
}

impl Bound {
    pub(super) fn new(tenant: &str, states: &[JobState]) -> Self {
        let mut states = states.to_vec();
        states.sort_unstable();
        states.dedup();
        Self { tenant: tenant.to_owned(), states }
    }

    /// A token to go on after a job.
    pub(super) fn encode(&self, last: Uuid) -> String {
        format!("{}{}", last.simple(), self.digits(last))
    }

    /// The job to go on after.
    ///
    /// # Errors
    /// If the token is not one of this request.
    pub(super) fn decode(&self, token: &str) -> Result<Uuid, Invalid> {
        let wrong = || Invalid::new("is not a token of an answer to the same request");
        let (id, bound) = token.split_at_checked(32).ok_or_else(wrong)?;
        let id = Uuid::try_parse(id).map_err(|_| wrong())?;
        if bound == self.digits(id) { Ok(id) } else { Err(wrong()) }
    }

    fn digits(&self, last: Uuid) -> String {
        let mut digest = Digest::new();
        digest.update(format!("{}/{:?}/{last}", self.tenant, self.states));
        digest.hex()[..BOUND_DIGITS].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_belongs_to_its_request() {
        let (id, states) = (Uuid::from_u128(7), [JobState::Failed, JobState::Queued]);
        let bound = Bound::new("a", &states);
        let token = bound.encode(id);
        assert_eq!(bound.decode(&token).expect("its own"), id);
        assert_eq!(Bound::new("a", &[JobState::Queued, JobState::Failed]).decode(&token).expect("the same"), id);
        for other in [Bound::new("b", &states), Bound::new("a", &states[..1]), Bound::new("a", &[])] {
            assert!(other.decode(&token).is_err(), "{other:?}");
        }
        for bad in ["", "x", "é", &token[1..], &token.replace('0', "1"), "ü".repeat(40).as_str()] {
            assert!(bound.decode(bad).is_err(), "{bad}");
        }
    }
}
