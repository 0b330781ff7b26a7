//! Organs as a segmentation.

use std::path::PathBuf;
use std::sync::Arc;

use super::Args;
use crate::cli::dicom::write_object;
use crate::domain::{Checks, DoseError, Invalid, Organ, Organs};
use crate::formats::dicom::LabelGrid;
use crate::formats::dicom::write::segmentation;
use crate::formats::{label_names, labels};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct SegArgs {
    /// Names of the organs: CSV of label,name, or as ITK-SNAP and 3D Slicer write them
    #[arg(long, value_name = "FILE")]
    pub(super) label_names: Option<PathBuf>,
}

impl SegArgs {
    /// Records flags that have no effect with another target.
    pub(super) fn refuse(&self, checks: &mut Checks) {
        if self.label_names.is_some() {
            checks.fail("label-names", "has no effect without --as seg");
        }
    }
}

pub(super) fn run(args: &Args, mut checks: Checks) -> Result<(), DoseError> {
    for (flag, is_given) in
        [("plan-uid", args.dicom.plan_uid.is_some()), ("plan-output", args.dicom.plan_output.is_some())]
    {
        if is_given {
            checks.fail(flag, "has no effect without --as rtdose");
        }
    }
    let files = checks.at("input", labels::read(std::slice::from_ref(&args.input)));
    let names = args.seg.label_names.as_deref().and_then(|path| checks.at("label-names", label_names::read(path)));
    let dicom = args.dicom.read(Some("output"), None, &mut checks);
    if let (Some(files), Some(dicom)) = (&files, &dicom) {
        let own = files.dicom.as_ref().map(LabelGrid::belonging).unwrap_or_default();
        checks.at("reference", dicom.check_belonging("the labels", &own));
    }
    checks.finish()?;
    let (files, dicom) = files.zip(dicom).expect("without a fault both are there");
    for warning in &files.warnings {
        tell!("warning: input: {warning}");
    }
    let names = names.unwrap_or_default();
    let named = |organ: &Organ| organ.renamed(organ.label, names.get(&organ.label).cloned().or(organ.name.clone()));
    let organs: Result<Vec<Organ>, Invalid> = files.organs.organs().iter().map(named).collect();
    let object = organs
        .and_then(|organs| Organs::new(Arc::new(dicom.placed(files.organs.grid())?), organs))
        .and_then(|organs| segmentation(&organs, &dicom.reference))
        .map_err(|Invalid(reason)| DoseError::invalid("input", reason))?;
    write_object("output", &args.output, &object)
}
