//! A dose map as RTDOSE.

use super::Args;
use crate::domain::{Checks, DoseError};
use crate::formats::dicom::write::DoseKind;
use crate::formats::volume_file::read_volume;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct RtDoseArgs {
    /// What the dose is: physical (absorbed dose), effective (weighted, BED or EQD2), or uncertainty (its 1σ)
    /// [default: physical]
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
            checks.fail("kind", "has no effect without --as rtdose");
        }
    }
}

pub(super) fn run(args: &Args, mut checks: Checks) -> Result<(), DoseError> {
    let kind = args.rtdose.kind.map_or(DoseKind::Physical, DoseKind::from);
    let file = checks.at("input", read_volume(&args.input));
    let dicom = args.dicom.read(Some("output"), None, &mut checks);
    if let (Some(file), Some(dicom)) = (&file, &dicom) {
        dicom.check_place(file.volume.grid(), &mut checks);
    }
    checks.finish()?;
    let (file, dicom) = file.zip(dicom).expect("without a fault both are there");
    for warning in &file.warnings {
        tell!("warning: input: {warning}");
    }
    dicom.write_dose("output", &args.output, (kind, &file.volume), "")
}
