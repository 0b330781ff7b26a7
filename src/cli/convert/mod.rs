//! `dosegrid convert`: from volumes to DICOM.

mod rtdose;
mod seg;

use std::path::PathBuf;

use super::dicom::DicomArgs;
use crate::domain::{Checks, DoseError};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to convert
    #[arg(value_name = "INPUT")]
    input: PathBuf,
    /// What it becomes: rtdose (a dose in Gy as DICOM), seg (organs as a DICOM segmentation)
    #[arg(long = "as", value_enum)]
    target: Target,
    /// Where it goes
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    dicom: DicomArgs,
    #[command(flatten)]
    rtdose: rtdose::RtDoseArgs,
    #[command(flatten)]
    seg: seg::SegArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Target {
    Rtdose,
    Seg,
}

pub(super) fn run(args: &Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    if args.output.canonicalize().is_ok_and(|output| args.input.canonicalize().is_ok_and(|input| input == output)) {
        checks.fail("output", "is also the name of the input");
    }
    if args.target != Target::Rtdose {
        args.rtdose.refuse(&mut checks);
    }
    if args.target != Target::Seg {
        args.seg.refuse(&mut checks);
    }
    match args.target {
        Target::Rtdose => rtdose::run(args, checks),
        Target::Seg => seg::run(args, checks),
    }
}
