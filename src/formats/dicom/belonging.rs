//! Whose files are, and in which coordinates they lie: what has to be one before two of them meet.

use super::patient::{self, PATIENT_TOLD_BY};
use crate::domain::Invalid;
use crate::resample::Space;

/// Whose something is, and in which coordinates it lies, as far as its files say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Belonging {
    /// UID of the coordinates that it lies in.
    pub frame_of_reference: Option<String>,
    /// Tells two patients apart; it does not say who they are.
    pub patient: Option<String>,
}

impl Belonging {
    /// The patient alone, where a registration says how the coordinates lie to others.
    #[must_use]
    pub fn of_patient(&self) -> Self {
        Self { frame_of_reference: None, patient: self.patient.clone() }
    }
}

/// Whether two belong to one patient and lie in the same coordinates, as far as both say.
///
/// # Errors
/// If they do not.
pub fn check_pair(a: &str, of_a: &Belonging, b: &str, of_b: &Belonging) -> Result<(), Invalid> {
    let patients = [of_a, of_b].map(|of| of.patient.as_deref());
    if patients.iter().all(Option::is_some) && !patient::may_be_one(patients[0], patients[1]) {
        return Err(Invalid::new(format!("{a} and {b} belong to two patients ({PATIENT_TOLD_BY})")));
    }
    if let (Some(first), Some(second)) = (&of_a.frame_of_reference, &of_b.frame_of_reference)
        && first != second
    {
        return Err(Invalid::new(format!(
            "{a} and {b} lie in two frames of reference, {first} and {second}: they need a registration; each frame of \
             reference has coordinates of its own"
        )));
    }
    Ok(())
}

/// In whose coordinates something lies by its frame of reference; none if nothing says it. What has the frame of both
/// may lie with either: a registration within one frame of reference mends a motion between two scans.
///
/// * `own`, `activity`, `ct` – UIDs of frames of reference, as far as they are known
pub fn space_of_frame(own: Option<&str>, activity: Option<&str>, ct: Option<&str>) -> Option<Space> {
    if own.is_none() || activity == ct {
        return None;
    }
    if own == activity {
        return Some(Space::Activity);
    }
    (own == ct).then_some(Space::Ct)
}

/// # Errors
/// If something lies in a third frame of reference, beside the known ones of an activity and a CT.
pub fn check_no_third(own: Option<&str>, activity: Option<&str>, ct: Option<&str>) -> Result<(), Invalid> {
    match (own, activity, ct) {
        (Some(own), Some(activity), Some(ct)) if own != activity && own != ct => Err(Invalid::new(format!(
            "lie in the frame of reference {own}, which is neither that of the activity, {activity}, nor that of the CT, \
             {ct}; put them on one of these first, with dosegrid resample --kind labels --transform"
        ))),
        (Some(_) | None, Some(_) | None, Some(_) | None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_reference_says_where_something_lies() {
        let (a, c) = (Some("1.1"), Some("1.2"));
        assert_eq!(space_of_frame(a, a, c), Some(Space::Activity));
        assert_eq!(space_of_frame(c, a, c), Some(Space::Ct));
        assert_eq!(space_of_frame(a, a, None), Some(Space::Activity));
        assert_eq!(space_of_frame(c, None, c), Some(Space::Ct));
        for (own, activity, ct) in [(a, a, a), (None, a, c), (None, None, None), (Some("1.3"), a, c)] {
            assert_eq!(space_of_frame(own, activity, ct), None, "{own:?} {activity:?} {ct:?}");
        }
        assert!(check_no_third(Some("1.3"), a, c).is_err() && check_no_third(a, a, c).is_ok());
        assert!(check_no_third(Some("1.3"), a, None).is_ok() && check_no_third(None, a, c).is_ok());
    }

    #[test]
    fn two_that_meet_are_of_one_patient_and_lie_in_one_frame_as_far_as_both_say() {
        let of = |frame: Option<&str>, patient: Option<&str>| Belonging {
            frame_of_reference: frame.map(str::to_owned),
            patient: patient.map(str::to_owned),
        };
        let check = |a: &Belonging, b: &Belonging| check_pair("it", a, "the other", b).map_err(|fault| fault.0);
        let own = of(Some("1.1"), Some("a"));
        assert_eq!(check(&own, &own), Ok(()));
        assert_eq!(check(&own, &Belonging::default()), Ok(()));
        assert!(check(&own, &of(Some("1.1"), Some("b"))).expect_err("two patients").contains("two patients"));
        let other = of(Some("1.2"), Some("a"));
        assert!(check(&own, &other).expect_err("two frames").contains("two frames of reference"));
        assert_eq!(check(&own, &other.of_patient()), Ok(()));
    }
}
