//! `dosegrid report`: a report made again from the folder of its results.

use std::path::{Path, PathBuf};

use super::places::check_places;
use super::report::{ReportArgs, identification};
use super::report_data::ReportData;
use crate::domain::{Checks, DoseError};
use crate::formats::dicom::write::Reference;
use crate::report::dose_report::Identification;

/// Where a study keeps what its report is made from.
pub(super) const DATA_FOLDER: &str = "report_data";
/// What a study calls its report, its fits, and its dose as DICOM, which knows the patient.
pub(super) const REPORT: &str = "report.html";
pub(super) const CURVES: &str = "curves.json";
pub(super) const RTDOSE: &str = "dose.dcm";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of the results of `study`, or that of `compute --report-data`
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// DICOM object that names the patient, for --report-identified [default: dose.dcm in the folder]
    #[arg(long, value_name = "FILE|FOLDER", requires = "report_identified")]
    reference: Option<PathBuf>,
    #[command(flatten)]
    report: ReportArgs,
}

pub(super) fn run(args: &Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let of_study = args.folder.join(DATA_FOLDER);
    let data = if of_study.is_dir() { of_study } else { args.folder.clone() };
    if args.report.report_data.is_some() {
        checks.fail("report-data", "has no effect here: the data are there");
    }
    // In the folder, each has the name that `study` gives it.
    let beside = |name: &str| Some(args.folder.join(name)).filter(|path: &PathBuf| path.exists());
    let mut flags = args.report.clone();
    flags.report.get_or_insert_with(|| args.folder.join(REPORT));
    flags.report_curves = flags.report_curves.or_else(|| beside(CURVES));
    flags.report_data = None;
    let inputs = flags.inputs().chain(args.reference.as_deref());
    check_places(inputs, [("report", flags.report.as_deref())], &mut checks);
    let ready = flags.read(&mut checks);
    let who = if args.report.report_identified {
        let reference = args.reference.clone().or_else(|| beside(RTDOSE));
        if reference.is_none() {
            checks.fail("reference", "is needed with --report-identified: the folder has no dose.dcm");
        }
        reference.and_then(|path: PathBuf| checks.at("reference", read(&path)))
    } else {
        Some(Identification::default())
    };
    let data = checks.at("folder", ReportData::read(&data));
    checks.finish()?;
    let (Some(ready), Some(who), Some(data)) = (ready, who, data) else {
        return Err(DoseError::Internal("a fault was not recorded".into()));
    };
    ready.write_again(&data, &who)
}

fn read(path: &Path) -> Result<Identification, crate::domain::Invalid> {
    Reference::read(path).map(|reference| identification(&reference))
}
