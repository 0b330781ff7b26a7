//! The plan that a dose refers to.

use dicom_dictionary_std::{tags, uids};

use super::object::{DataSet, DicomObject};
use super::reference::Reference;
use super::uid::is_uid;
use crate::domain::Invalid;

/// The plan that a dose belongs to. Treatment with radionuclides has none, but some readers want one.
#[derive(Clone, Debug)]
pub enum Plan {
    /// None: the dose is an overview (`PLAN_OVERVIEW`).
    None,
    /// An RTPLAN of the caller's, by its SOP Instance UID.
    Existing(String),
    /// A minimal one, written beside the dose.
    Minimal(Box<DicomObject>),
}

impl Plan {
    /// # Errors
    /// If the text is not a UID.
    pub fn existing(uid: &str) -> Result<Self, Invalid> {
        if is_uid(uid) {
            Ok(Self::Existing(uid.to_owned()))
        } else {
            Err(Invalid::new(
                "is the SOP Instance UID of an RTPLAN: numbers with points between, at most 64 characters",
            ))
        }
    }

    /// A plan without beams, sources or prescription, so that a dose can refer to one.
    ///
    /// # Errors
    /// If it cannot be encoded.
    pub fn minimal(reference: &Reference) -> Result<Self, Invalid> {
        let mut plan = reference.data_set();
        plan.text(tags::MODALITY, "RTPLAN")
            .text(tags::SERIES_DESCRIPTION, "dosegrid minimal plan")
            .text(tags::SERIES_NUMBER, "1")
            .text(tags::RT_PLAN_LABEL, "dosegrid")
            .text(
                tags::RT_PLAN_DESCRIPTION,
                "Minimal plan without beams or prescription, for the dose that refers to it",
            )
            .text(tags::RT_PLAN_GEOMETRY, "TREATMENT_DEVICE")
            .text(tags::PLAN_INTENT, "RESEARCH")
            .text(tags::APPROVAL_STATUS, "UNAPPROVED")
            .empty(&[tags::RT_PLAN_DATE, tags::RT_PLAN_TIME, tags::OPERATORS_NAME]);
        Ok(Self::Minimal(Box::new(plan.finish(uids::RT_PLAN_STORAGE)?)))
    }

    /// SOP Instance UID.
    fn uid(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Existing(uid) => Some(uid),
            Self::Minimal(plan) => Some(plan.instance_uid()),
        }
    }

    /// What a dose says of its plan. One without a plan has an overview with nothing in it, which is what the standard
    /// has for a dose that follows no plan.
    pub(super) fn describe(&self, dose: &mut DataSet) {
        if let Some(uid) = self.uid() {
            let plan = DicomObject::referenced(uids::RT_PLAN_STORAGE, uid);
            dose.text(tags::DOSE_SUMMATION_TYPE, "PLAN").items(tags::REFERENCED_RT_PLAN_SEQUENCE, vec![plan]);
        } else {
            let mut overview = DataSet::new();
            overview.number(tags::PLAN_OVERVIEW_INDEX, 1).empty(&[
                tags::RT_PLAN_LABEL,
                tags::TREATMENT_SITE,
                tags::TREATMENT_SITE_CODE_SEQUENCE,
                tags::PRESCRIPTION_OVERVIEW_SEQUENCE,
            ]);
            dose.text(tags::DOSE_SUMMATION_TYPE, "PLAN_OVERVIEW").items(tags::PLAN_OVERVIEW_SEQUENCE, vec![overview]);
        }
    }
}
