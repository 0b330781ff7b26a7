//! `dosegrid merge`: adds the tallies of runs with different histories and computes their dose.

use std::path::PathBuf;

use super::outputs::{self, InputAccount, OutputArgs, ResultInputs};
use super::stdout;
use super::summary::activity_lines;
use crate::domain::{Checks, DoseError, Extras, Invalid, Organs, RigidTransform, TallyRecord, Warning};
use crate::formats::tally;
use crate::formats::volume_file::Origin;
use crate::method::{merge, merged_dose};
use crate::resample::Resampler;

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
    let mut warnings = Vec::new();
    let (labels, names) = args.outputs.read_labels(&mut checks, &mut warnings);
    // A tally does not keep how its inputs say where they lie; labels on its grid say it the same way.
    let origin = labels.as_ref().map_or_else(Origin::default, |files| files.origin.on_another_grid());
    let organs = labels.map(|files| files.organs);
    args.outputs.check(args.tallies.iter().map(|path| Some(path.as_path())), &[], &mut checks);
    if args.outputs.weighted_output.is_some() {
        checks.fail(
            "weighted-output",
            "cannot be made from tallies: they do not distinguish alpha particles from recoils",
        );
    }
    let record = add(&args.tallies, &mut checks);
    let organs = match (&record, organs) {
        (Some(record), Some(organs)) => checks.at("labels", in_order(&organs, record)),
        (_, organs) => organs,
    };
    checks.finish()?;
    let record = record.ok_or_else(|| DoseError::invalid("tallies", "at least one is needed"))?;
    let (activity, density) = (record.activity.clone(), record.density.clone());
    let extras = Extras {
        uncertainty: args.outputs.uncertainty_output.is_some() || organs.is_some(),
        tally: args.outputs.tally_output.is_some(),
    };
    let labels = organs.as_ref().map(Organs::label_map);
    let mut result = merged_dose(record, labels.as_ref(), extras)?;
    result.warnings.splice(0..0, warnings);
    for Warning { reason, message, field } in &result.warnings {
        eprintln!("warning: {field}: {message} ({reason})");
    }
    if !args.outputs.quiet {
        stdout::print(&activity_lines(&result.activity))?;
    }
    let table = |organs| outputs::organ_table(&result, &activity, Some(&density), organs, &names);
    let organs = organs.as_ref().map(table);
    let from = ResultInputs {
        organs: organs.as_deref(),
        inputs: InputAccount {
            activity_unit: "bq-s",
            effective_half_life_s: None,
            imaged_after_s: None,
            density: "tally",
            grids: None,
        },
        origin,
    };
    outputs::write(&args.outputs, &from, &result)
}

/// The organs in the order of the tally's voxels.
fn in_order(organs: &Organs, record: &TallyRecord) -> Result<Organs, Invalid> {
    let grid = record.density.g_cm3().grid();
    let resampler = Resampler::new(organs.grid(), grid, &RigidTransform::IDENTITY);
    if resampler.is_reordering() {
        return resampler.organs(organs);
    }
    grid.check_same(organs.grid()).map(|()| organs.clone())
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
