//! Outputs in DICOM: the CT that they belong to, and the plan that a dose refers to.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::{Checks, DoseError, Invalid, RigidTransform, Volume, VoxelGrid};
use crate::formats::dicom::write::{DicomObject, DoseKind, Plan, Reference, RtDose};
use crate::formats::dicom::{Belonging, check_pair};
use crate::formats::transform::{self, TransformFile};

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Outputs in DICOM")]
pub(super) struct DicomArgs {
    /// CT that outputs in DICOM belong to: a file or a folder. They get its patient, study and frame of reference
    #[arg(long, value_name = "FILE|FOLDER")]
    pub(super) reference: Option<PathBuf>,
    /// Rigid transform of ITK between what is written and the CT that it belongs to (CT moving), where the two lie in
    /// different coordinates: the object lies where it leads. `compute --transform` needs none
    #[arg(long, value_name = "FILE")]
    pub(super) reference_transform: Option<PathBuf>,
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
    /// From points of what is written to those of the reference.
    to_reference: RigidTransform,
    /// Whether a caller said so.
    is_registered: bool,
    /// Whether a report is to name the patient.
    pub(super) is_identified: bool,
}

impl DicomArgs {
    /// Files that these flags name.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &Path> {
        self.reference.iter().chain(&self.reference_transform).map(PathBuf::as_path)
    }

    /// Reads the reference, and records every fault; none without an output in DICOM, or with a fault.
    ///
    /// * `wanted` – flag of what needs the reference, if there is something
    /// * `ct` – the CT of the computation, which counts if no reference is given and it is DICOM
    pub(super) fn read(&self, wanted: Option<&str>, ct: Option<&Path>, checks: &mut Checks) -> Option<DicomOutput> {
        let Some(wanted) = wanted else {
            let given = [
                ("reference", self.reference.is_some()),
                ("reference-transform", self.reference_transform.is_some()),
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
        let registered = self.reference_transform.as_deref();
        let registered = registered.map(|path| checks.at("reference-transform", read_registration(path)));
        let plan = match (&self.plan_uid, &self.plan_output) {
            (Some(_), Some(_)) => {
                checks.fail("plan-output", "has no effect with --plan-uid: the dose refers to that plan");
                None
            }
            (Some(uid), None) => checks.at("plan-uid", Plan::existing(uid)),
            (None, Some(_)) => checks.at("plan-output", Plan::minimal(&reference)),
            (None, None) => Some(Plan::None),
        };
        let is_registered = registered.is_some();
        let to_reference = registered.unwrap_or(Some(RigidTransform::IDENTITY))?;
        let plan_output = self.plan_output.clone();
        Some(DicomOutput { reference, plan: plan?, plan_output, to_reference, is_registered, is_identified: false })
    }
}

/// A registration that needs no grids.
fn read_registration(path: &Path) -> Result<RigidTransform, Invalid> {
    match transform::read(path)? {
        TransformFile::Itk(transform) => Ok(transform),
        TransformFile::Fsl(_) => Err(Invalid::new(
            "is a matrix of FSL, which says nothing without the grids of both images; give one of ITK",
        )),
    }
}

impl DicomOutput {
    /// Whether a report is to name the patient.
    pub(super) fn identified(self, is_identified: bool) -> Self {
        Self { is_identified, ..self }
    }

    /// Says where the reference lies to what is written, where no flag does.
    pub(super) fn lead(&mut self, to_reference: RigidTransform) {
        if !self.is_registered {
            self.to_reference = to_reference;
        }
    }

    /// Whether the reference is of this patient and, without a registration, of this frame of reference.
    ///
    /// * `what` – is written, or was read for it, in words
    ///
    /// # Errors
    /// If it is not.
    pub(super) fn check_belonging(&self, what: &str, of: &Belonging) -> Result<(), Invalid> {
        let reference = self.reference.belonging();
        check_pair(what, &of.of_patient(), "the reference", &reference)?;
        if self.is_registered {
            return Ok(());
        }
        let named = |Invalid(reason)| Invalid(reason + "; --reference-transform gives it");
        check_pair(what, of, "the reference", &reference).map_err(named)
    }

    /// The place of what is written, in the coordinates of the reference.
    ///
    /// # Errors
    /// As [`RigidTransform::grid`].
    pub(super) fn placed(&self, grid: &VoxelGrid) -> Result<VoxelGrid, Invalid> {
        if self.to_reference == RigidTransform::IDENTITY { Ok(grid.clone()) } else { self.to_reference.grid(grid) }
    }

    /// Records a dose grid that cannot be of this reference.
    pub(super) fn check_place(&self, grid: &VoxelGrid, checks: &mut Checks) {
        let checked = self.placed(grid).and_then(|grid| self.reference.check_place(&grid));
        checks.at("reference", checked.map_err(|Invalid(reason)| Invalid(format!("the dose {reason}"))));
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
        let invalid = |Invalid(reason)| DoseError::invalid(flag, reason);
        let grid = Arc::new(self.placed(dose.grid()).map_err(invalid)?);
        let dose = &Volume::from_vec(grid, dose.as_slice().to_vec()).map_err(invalid)?;
        let object = RtDose { dose, kind, comment, plan: &self.plan }.object(&self.reference);
        write_object(flag, path, &object.map_err(invalid)?)?;
        match (&self.plan, &self.plan_output) {
            (Plan::Minimal(plan), Some(path)) => write_object("plan-output", path, plan),
            _ => Ok(()),
        }
    }
}

/// Writes an object to a file.
pub(super) fn write_object(flag: &str, path: &Path, object: &DicomObject) -> Result<(), DoseError> {
    let cannot = |error: io::Error| DoseError::Io(format!("{flag}: cannot be written: {}: {error}", path.display()));
    object.write(path).map_err(cannot)
}
