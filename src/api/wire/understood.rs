//! How a request was understood, said before it is computed.

use super::{activity_account, intake, pb};
use crate::domain::{ActivityAccount, Warning};
use crate::intake::{Assembled, IntakeAccount};

/// What is known of a request before it is computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Understood {
    /// Its activity, as a person recognises it.
    pub activity: ActivityAccount,
    /// What looks wrong in it.
    pub warnings: Vec<Warning>,
    /// What was done to its volumes.
    pub account: IntakeAccount,
}

impl Understood {
    pub(in crate::api) fn of(assembled: &Assembled) -> Self {
        let Assembled { request, account, .. } = assembled;
        let mut warnings = account.warnings.clone();
        Warning::add(&mut warnings, Warning::of_request(request));
        Self { activity: ActivityAccount::of(request), warnings, account: account.clone() }
    }
}

pub(in crate::api) fn encode(understood: Understood) -> pb::ComputeResponse {
    let Understood { activity, warnings, account } = understood;
    let understood = pb::Understood {
        activity: Some(activity_account::encode(activity)),
        warnings: warnings.into_iter().map(activity_account::encode_warning).collect(),
        intake: Some(intake::encode_account(&account)),
    };
    pb::ComputeResponse { message: Some(pb::compute_response::Message::Understood(understood)) }
}

pub(in crate::api) fn decode(message: pb::Understood) -> Understood {
    Understood {
        activity: activity_account::decode(message.activity.unwrap_or_default()),
        warnings: message.warnings.into_iter().map(activity_account::decode_warning).collect(),
        account: intake::decode_account(message.intake.unwrap_or_default()),
    }
}
