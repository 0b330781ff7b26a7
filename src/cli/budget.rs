//! `dosegrid budget`: the uncertainty budget of the dose of regions.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use super::places::check_places;
use super::remote::RemoteArgs;
use super::{print_warnings, stdout};
use crate::clinic::budget::PartSource;
use crate::domain::{Checks, DoseError};
use crate::formats::atomic::write_file;
use crate::formats::{json, toml_file};
use crate::intake::budget::{BudgetPlan, RegionBudget};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Regions and what is known of them, TOML (docs/clinic.md)
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// The answer, JSON; without --json and --csv a table is printed
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// One row for each part of each region, CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    #[command(flatten)]
    remote: RemoteArgs,
}

pub(super) fn run(args: &Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let remote = args.remote.check(&mut checks);
    let plan: Option<BudgetPlan> = checks.at("plan", toml_file::read(&args.plan));
    let outputs = [("json", args.json.as_deref()), ("csv", args.csv.as_deref())];
    check_places([args.plan.as_path()], outputs, &mut checks);
    checks.finish()?;
    let plan = plan.ok_or_else(|| DoseError::Internal("a fault was not recorded".into()))?;
    // Checked here too: so its faults have the names of the file.
    let here = plan.budgets()?;
    let regions = match remote {
        None => here,
        Some(remote) => remote.call(async |client| client.compute_budget(&plan).await)?,
    };
    let warnings = plan.warnings();
    print_warnings(&warnings);
    let failed = |flag: &str, error: io::Error| DoseError::Io(format!("{flag}: cannot be written: {error}"));
    if let Some(path) = &args.json {
        json::write(path, &serde_json::json!({ "regions": regions, "warnings": warnings }))
            .map_err(|error| failed("json", error))?;
    }
    if let Some(path) = &args.csv {
        write_csv(path, &regions).map_err(|error| failed("csv", error))?;
    }
    if args.json.is_none() && args.csv.is_none() { stdout::print(&table(&regions)) } else { Ok(()) }
}

/// The lines of every budget, for people.
fn table(regions: &[RegionBudget]) -> String {
    let percent =
        |relative: Option<f64>| relative.map_or_else(|| "-".to_owned(), |part| format!("{:.2}", 100.0 * part));
    let mut text = String::new();
    for RegionBudget { region, budget, sum } in regions {
        writeln!(text, "{region}\n  {:<14} {:>8}  source", "part", "1σ %").expect("a string takes all text");
        for part in &budget.parts {
            let (sigma, source) = (percent(part.relative_sigma), part.source.name());
            writeln!(text, "  {:<14} {sigma:>8}  {source}", part.name).expect("as above");
        }
        let bound = if budget.is_lower_bound { "a lower bound: not all parts are given" } else { "" };
        writeln!(text, "  {:<14} {:>8}  {bound}", "total", percent(Some(budget.dose_relative_sigma)))
            .expect("as above");
        if let Some(sum) = sum {
            let relative = percent(Some(sum.dose_relative_sigma));
            writeln!(text, "  all cycles: {:.4} ± {:.4} Gy ({relative} %)", sum.dose_gy, sum.dose_sigma_gy)
                .expect("as above");
        }
        budget.flags.iter().for_each(|flag| writeln!(text, "  {flag}").expect("as above"));
    }
    text
}

fn write_csv(path: &Path, regions: &[RegionBudget]) -> io::Result<()> {
    write_file(path, |file| {
        let mut table = csv::Writer::from_writer(file);
        table.write_record(["region", "part", "relative_sigma", "source"])?;
        for RegionBudget { region, budget, .. } in regions {
            for part in &budget.parts {
                table.serialize((region, part.name, part.relative_sigma, part.source.name()))?;
            }
            let source = if budget.is_lower_bound { "lower bound" } else { PartSource::Computed.name() };
            table.serialize((region, "total", budget.dose_relative_sigma, source))?;
        }
        table.flush()
    })
}
