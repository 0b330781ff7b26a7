//! `compute --server`: the volumes as they are, prepared and computed by a server.

use super::inputs::{input_account, write_dose_on_ct};
use super::outgoing::Outgoing;
use super::{Args, print_warnings, told_by_flag};
use crate::api::client::{Answer, Told};
use crate::cli::outputs::{self, OrganTables, ResultInputs};
use crate::cli::progress::ProgressReport;
use crate::cli::remote::{Remote, in_words};
use crate::cli::stdout;
use crate::cli::summary::activity_lines;
use crate::domain::{Checks, DoseError, Warning};

/// Sends all files to a server and writes what it answers. On the same device, the result has the same bytes as one
/// from this process.
pub(super) fn run(args: &Args, remote: &Remote, mut checks: Checks) -> Result<(), DoseError> {
    if args.monte_carlo.keep_partial {
        checks.fail("keep-partial", "has no effect with --server");
    }
    let outgoing = Outgoing::read(args, &mut checks);
    checks.finish()?;
    let outgoing = outgoing.expect("what has no fault is complete");
    let density = args.volumes.density_flag();
    let by_flag = |error| told_by_flag(in_words(error, |field| field), density);
    Warning::check(&outgoing.warnings, args.strict).map_err(by_flag)?;
    print_warnings(&outgoing.warnings, density);
    if args.place.detach {
        let name = remote.call(async |client| client.create_job(&outgoing.intake, outgoing.sent()).await);
        return stdout::print(&format!("{}\n", name.map_err(by_flag)?));
    }
    let mut heard = Heard { args, density, known: outgoing.warnings.clone(), printed: Ok(()) };
    let mut report = ProgressReport::new(args.outputs.quiet);
    let answer = ask(remote, &outgoing, |told| heard.tell(told, &mut report));
    report.finish();
    let Answer { mut result, account, organs, dose_on_ct } = answer.map_err(by_flag)?;
    let Heard { known, printed, .. } = heard;
    printed?;
    let new: Vec<Warning> = result.warnings.iter().filter(|warning| !known.contains(warning)).cloned().collect();
    print_warnings(&new, density);
    result.warnings.splice(0..0, outgoing.warnings.iter().cloned());
    let organs = OrganTables::of_pairs(organs);
    let from = ResultInputs {
        organs: (!args.outputs.labels.is_empty()).then_some(&organs),
        inputs: input_account(args, outgoing.unit(), account.placing),
        origin: outgoing.origin.clone(),
        ready: outgoing.ready,
        report: None,
    };
    if let (Some(path), Some(dose)) = (&args.grids.dose_on_ct, &dose_on_ct) {
        write_dose_on_ct(path, dose, &outgoing.ct_origin)?;
    }
    outputs::write(&args.outputs, &from, &result)
}

/// What a server has said so far.
struct Heard<'a> {
    args: &'a Args,
    density: &'static str,
    /// Warnings that were printed.
    known: Vec<Warning>,
    printed: Result<(), DoseError>,
}

impl Heard<'_> {
    /// Passes on what a server says: how it understood the request, as this process says it before any work.
    fn tell(&mut self, told: Told, report: &mut ProgressReport) {
        match told {
            Told::Progress(progress) => report.update(progress),
            Told::Understood(understood) => {
                if !self.args.outputs.quiet {
                    self.printed = stdout::print(&activity_lines(&understood.activity));
                }
                print_warnings(&understood.warnings, self.density);
                self.known.extend(understood.warnings);
            }
        }
    }
}

fn ask(remote: &Remote, outgoing: &Outgoing, mut on_told: impl FnMut(Told)) -> Result<Answer, DoseError> {
    remote.call(async |client| match client.compute_as_job(&outgoing.intake, outgoing.sent(), &mut on_told).await? {
        Some(answer) => Ok(answer),
        None => client.compute_intake(&outgoing.intake, outgoing.sent(), on_told).await,
    })
}
