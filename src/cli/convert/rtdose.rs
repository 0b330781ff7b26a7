//! A dose map as RTDOSE.

use super::Args;
use crate::domain::{Checks, DoseError, Invalid};
use crate::formats::dicom::write::DoseKind;
use crate::formats::volume_file::read_dose;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct RtDoseArgs {
    /// What the dose is, or has to be if it is DICOM: physical (absorbed dose), effective (weighted, BED or EQD2), or
    /// uncertainty (its 1σ) [default: physical]
    #[arg(long, value_enum)]
    kind: Option<Kind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    Physical,
    Effective,
    Uncertainty,
}

impl From<Kind> for DoseKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Physical => Self::Physical,
            Kind::Effective => Self::Effective,
            Kind::Uncertainty => Self::Uncertainty,
        }
    }
}

impl RtDoseArgs {
    /// Records flags that have no effect with another target.
    pub(super) fn refuse(&self, checks: &mut Checks) {
        if self.kind.is_some() {
            checks.fail("kind", "has no effect without --as rtdose or --as dose");
        }
    }

    /// What the dose is, or has to be.
    pub(super) fn kind(&self) -> DoseKind {
        self.kind.map_or(DoseKind::Physical, DoseKind::from)
    }
}

/// A dose of another kind, with the flag that takes it.
pub(super) fn with_kind(Invalid(reason): Invalid) -> Invalid {
    let is_other = DoseKind::ALL.into_iter().any(|kind| reason.contains(&format!("Dose Type {}", kind.dose_type())));
    if is_other { Invalid(reason + "; --kind says which is meant") } else { Invalid(reason) }
}

pub(super) fn run(args: &Args, mut checks: Checks) -> Result<(), DoseError> {
    let kind = args.rtdose.kind();
    let file = checks.at("input", read_dose(&args.input, Some(kind)).map_err(with_kind));
    let dicom = args.dicom.read(Some("output"), None, &mut checks);
    if let (Some(file), Some(dicom)) = (&file, &dicom) {
        let own = file.header.dicom.as_ref().map(|account| account.belonging()).unwrap_or_default();
        if checks.at("reference", dicom.check_belonging("the dose", &own)).is_some() {
            dicom.check_place(file.volume.grid(), &mut checks);
        }
    }
    checks.finish()?;
    let (file, dicom) = file.zip(dicom).expect("without a fault both are there");
    for warning in &file.warnings {
        tell!("warning: input: {warning}");
    }
    dicom.write_dose("output", &args.output, (kind, &file.volume), "")
}
