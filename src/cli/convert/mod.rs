//! `dosegrid convert`: from DICOM to volumes, and from volumes to DICOM.

mod from_dicom;
mod labels;
mod rtdose;
mod seg;
mod volume;

use std::path::{Path, PathBuf};

use super::dicom::DicomArgs;
use super::dicom_web::FetchArgs;
use super::places::check_places;
use crate::domain::{Checks, DoseError};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// What to convert: a file, a folder of DICOM files, or a series in it as FOLDER#SERIES_UID. With --dicom-web the
    /// UID of a study or series
    #[arg(value_name = "INPUT")]
    input: PathBuf,
    /// What it becomes. From DICOM: activity (Bq/mL), ct (HU), dose (Gy), labels (a folder with a mask each). To DICOM:
    /// rtdose (a dose in Gy), seg (organs as a segmentation)
    #[arg(long = "as", value_enum)]
    target: Target,
    /// Where it goes: .nii, .nii.gz, .nrrd, .nhdr, .mha or .mhd; of labels a folder; to DICOM .dcm
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    from_dicom: from_dicom::FromDicomArgs,
    #[command(flatten)]
    dicom: DicomArgs,
    #[command(flatten)]
    rtdose: rtdose::RtDoseArgs,
    #[command(flatten)]
    seg: seg::SegArgs,
    #[command(flatten)]
    fetch: FetchArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Target {
    Activity,
    Ct,
    Labels,
    Dose,
    Rtdose,
    Seg,
}

impl Target {
    /// Whether it is a DICOM object.
    fn is_dicom(self) -> bool {
        matches!(self, Self::Rtdose | Self::Seg)
    }
}

impl Args {
    /// Records outputs that cannot be written, or would replace an input or one another.
    fn check_places(&self, checks: &mut Checks) {
        let outputs = [
            ("output", (self.target != Target::Labels).then_some(self.output.as_path())),
            ("json", self.from_dicom.json_file()),
            ("plan-output", self.dicom.plan_output.as_deref()),
        ];
        check_places(self.inputs(), outputs, checks);
    }

    /// Files that are read.
    fn inputs(&self) -> impl Iterator<Item = &Path> {
        let beside = [&self.from_dicom.grid, &self.seg.label_names].into_iter().flatten();
        std::iter::once(&self.input).chain(beside).map(PathBuf::as_path).chain(self.dicom.inputs())
    }
}

pub(super) fn run(args: &Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    args.check_places(&mut checks);
    if args.fetch.is_used() {
        checks.finish()?;
        checks = Checks::new();
    }
    let input = args.fetch.input(&args.input)?;
    let args = &Args { input: input.path().to_owned(), ..args.clone() };
    if !matches!(args.target, Target::Rtdose | Target::Dose) {
        args.rtdose.refuse(&mut checks);
    }
    if args.target != Target::Seg {
        args.seg.refuse(&mut checks);
    }
    args.from_dicom.check(args.target, &mut checks);
    if !args.target.is_dicom() {
        args.dicom.read(None, None, &mut checks);
    }
    match args.target {
        Target::Activity | Target::Ct | Target::Dose => volume::run(args, checks),
        Target::Labels => labels::run(args, checks),
        Target::Rtdose => rtdose::run(args, checks),
        Target::Seg => seg::run(args, checks),
    }
}
