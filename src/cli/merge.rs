//! `dosegrid merge`: adds the tallies of runs with different histories and computes their dose.

use std::path::PathBuf;

use super::outputs::{self, InputAccount, OutputArgs, ResultInputs};
use crate::domain::{Checks, DoseError, Extras, Invalid, LabelMap, TallyRecord};
use crate::formats::tally;
use crate::method::{merge, merged_dose};

// The parser takes every flag as optional, so that one run reports every fault.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Tallies from `compute --tally-output`, of the same request and seed but with different histories
    #[arg(value_name = "TALLY")]
    tallies: Vec<PathBuf>,
    #[command(flatten)]
    outputs: OutputArgs,
}

pub(super) fn run(args: Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let (labels, names) = args.outputs.read_labels(&mut checks);
    args.outputs.check(args.tallies.iter().map(|path| Some(path.as_path())), &mut checks);
    if args.outputs.weighted_output.is_some() {
        checks.fail(
            "weighted-output",
            "cannot be made from tallies: they do not distinguish alpha particles from recoils",
        );
    }
    let record = add(&args.tallies, &mut checks);
    let labels = labels.and_then(|labels| checks.at("labels", LabelMap::new(&labels)));
    if let (Some(record), Some(labels)) = (&record, &labels) {
        checks.at("labels", record.density.g_cm3().grid().check_same(labels.labels().grid()));
    }
    checks.finish()?;
    let record = record.ok_or_else(|| DoseError::invalid("tallies", "at least one is needed"))?;
    let (activity, density) = (record.activity.clone(), record.density.clone());
    let extras =
        Extras { uncertainty: args.outputs.uncertainty_output.is_some(), tally: args.outputs.tally_output.is_some() };
    let result = merged_dose(record, labels.as_ref(), extras)?;
    let from = ResultInputs {
        activity: &activity,
        density: Some(&density),
        labels: labels.as_ref(),
        names: &names,
        inputs: InputAccount {
            activity_unit: "bq-s",
            effective_half_life_s: None,
            imaged_after_s: None,
            density: "tally",
        },
    };
    outputs::write(&args.outputs, &from, &result)
}

/// Reads the files one after another, so that no more than two tallies are in memory. Every bad file is recorded by
/// name.
fn add(paths: &[PathBuf], checks: &mut Checks) -> Option<TallyRecord> {
    let mut sum: Option<TallyRecord> = None;
    if paths.is_empty() {
        checks.fail("tallies", "at least one is needed");
    }
    for path in paths {
        let name = path.display().to_string();
        let Some(record) = checks.at(&name, tally::read(path)) else { continue };
        match &mut sum {
            None => sum = Some(record),
            Some(sum) => {
                let added: Result<(), Invalid> = merge(sum, record);
                checks.at(&name, added);
            }
        }
    }
    sum
}
