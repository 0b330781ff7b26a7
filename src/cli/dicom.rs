//! Outputs in DICOM: the CT that they belong to, and the plan that a dose refers to.

use std::io;
use std::path::{Path, PathBuf};

use crate::domain::{Checks, DoseError, Invalid, Volume, VoxelGrid};
use crate::formats::dicom::write::{DicomObject, DoseKind, Plan, Reference, RtDose};

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Outputs in DICOM")]
pub(super) struct DicomArgs {
    /// CT that outputs in DICOM belong to: a file or a folder. They get its patient, study and frame of reference
    #[arg(long, value_name = "FILE|FOLDER")]
    pub(super) reference: Option<PathBuf>,
    /// RTPLAN that a dose in DICOM refers to, by its SOP Instance UID [default: none]
    #[arg(long, value_name = "UID")]
    pub(super) plan_uid: Option<String>,
    /// Also write a minimal RTPLAN here, without beams or prescription, for readers that want one
    #[arg(long, value_name = "FILE")]
    pub(super) plan_output: Option<PathBuf>,
}

/// Whether the name of an output asks for DICOM.
pub(super) fn is_dicom_name(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("dcm"))
}

/// What objects are written with.
pub(super) struct DicomOutput {
    pub(super) reference: Reference,
    plan: Plan,
    plan_output: Option<PathBuf>,
    /// Whether a report is to name the patient.
    pub(super) is_identified: bool,
}

impl DicomArgs {
    /// Reads the reference, and records every fault; none without an output in DICOM, or with a fault.
    ///
    /// * `wanted` – flag of what needs the reference, if there is something
    /// * `ct` – the CT of the computation, which counts if no reference is given and it is DICOM
    pub(super) fn read(&self, wanted: Option<&str>, ct: Option<&Path>, checks: &mut Checks) -> Option<DicomOutput> {
        let Some(wanted) = wanted else {
            let given = [
                ("reference", self.reference.is_some()),
                ("plan-uid", self.plan_uid.is_some()),
                ("plan-output", self.plan_output.is_some()),
            ];
            for (flag, _) in given.into_iter().filter(|(_, is_given)| *is_given) {
                checks.fail(flag, "has no effect without an output whose name ends in .dcm");
            }
            return None;
        };
        let reference = match &self.reference {
            Some(path) => checks.at("reference", Reference::read(path))?,
            None => ct.and_then(|path| Reference::read(path).ok()).or_else(|| {
                let words = "the CT that the dose belongs to, a DICOM file or a folder of them";
                checks.fail("reference", format!("is needed for --{wanted}: {words}"));
                None
            })?,
        };
        let plan = match (&self.plan_uid, &self.plan_output) {
            (Some(_), Some(_)) => {
                checks.fail("plan-output", "has no effect with --plan-uid: the dose refers to that plan");
                None
            }
            (Some(uid), None) => checks.at("plan-uid", Plan::existing(uid)),
            (None, Some(_)) => checks.at("plan-output", Plan::minimal(&reference)),
            (None, None) => Some(Plan::None),
        };
        Some(DicomOutput { reference, plan: plan?, plan_output: self.plan_output.clone(), is_identified: false })
    }
}

impl DicomOutput {
    /// Whether a report is to name the patient.
    pub(super) fn identified(self, is_identified: bool) -> Self {
        Self { is_identified, ..self }
    }

    /// Records a dose grid that cannot be of this reference.
    pub(super) fn check_place(&self, grid: &VoxelGrid, checks: &mut Checks) {
        checks.at(
            "reference",
            self.reference.check_place(grid).map_err(|Invalid(reason)| Invalid(format!("the dose {reason}"))),
        );
    }

    /// Writes a dose, and the minimal plan if it is wanted.
    ///
    /// * `flag` – the output's
    /// * `comment` – how the dose was made, in ASCII
    pub(super) fn write_dose(
        &self,
        flag: &str,
        path: &Path,
        (kind, dose): (DoseKind, &Volume<f32>),
        comment: &str,
    ) -> Result<(), DoseError> {
        let object = RtDose { dose, kind, comment, plan: &self.plan }.object(&self.reference);
        write_object(flag, path, &object.map_err(|Invalid(reason)| DoseError::invalid(flag, reason))?)?;
        match (&self.plan, &self.plan_output) {
            (Plan::Minimal(plan), Some(path)) => write_object("plan-output", path, plan),
            _ => Ok(()),
        }
    }
}

/// Writes an object to a file.
pub(super) fn write_object(flag: &str, path: &Path, object: &DicomObject) -> Result<(), DoseError> {
    let cannot = |error: io::Error| DoseError::Io(format!("{flag}: cannot be written: {error}"));
    object.write(path).map_err(cannot)
}
