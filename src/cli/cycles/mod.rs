//! `dosegrid cycles`: the sum of cycles, organ by organ and voxel by voxel.

mod maps;

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use self::maps::MapArgs;
use super::places::check_places;
use super::stdout;
use super::twins::warn_of_twins;
use crate::clinic::organ_cycles::{CycleOrgan, OrganSum, sum_of_cycles};
use crate::domain::{Checks, DoseError};
use crate::formats::atomic::write_file;
use crate::formats::json;
use crate::formats::organ_table::{self, OrganRow};
use crate::report::numbers::{DIGITS, significant};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Organ table of each cycle, from `compute --organs-output`, in order; organs are added by name
    #[arg(required_unless_present = "dose", value_name = "TABLE")]
    tables: Vec<PathBuf>,
    /// The sums, JSON; without --json and --csv they are printed
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// One row for each organ, CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    #[command(flatten)]
    maps: MapArgs,
}

pub(super) fn run(args: &Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let inputs = args.tables.iter().map(PathBuf::as_path).chain(args.maps.inputs());
    let outputs = [("json", args.json.as_deref()), ("csv", args.csv.as_deref())];
    check_places(inputs, outputs.into_iter().chain(args.maps.all_outputs()), &mut checks);
    if args.tables.is_empty() {
        for (flag, is_given) in [("json", args.json.is_some()), ("csv", args.csv.is_some())] {
            if is_given {
                checks.fail(flag, "has no effect without organ tables");
            }
        }
        return args.maps.run(checks);
    }
    let read = |path: &PathBuf| checks.at(path.display().to_string(), organ_table::read(path));
    let tables: Vec<Vec<OrganRow>> = args.tables.iter().filter_map(read).collect();
    if args.maps.is_given() {
        args.maps.run(checks)?;
    } else {
        checks.finish()?;
    }
    warn_of_twins(&args.tables, &tables);
    let organ = |row: &OrganRow| CycleOrgan {
        name: row.name.clone(),
        dose_gy: row.mean_by_mass_gy,
        sigma_gy: row.mean_by_mass_sigma_gy,
        time_integrated_activity_mbq_h: row.time_integrated_activity_mbq_h,
    };
    let cycles: Vec<Vec<CycleOrgan>> = tables.iter().map(|rows| rows.iter().map(organ).collect()).collect();
    let sums = sum_of_cycles(&cycles);
    for sum in sums.iter().filter(|sum| !sum.complete) {
        tell!("warning: {}: not every cycle has a dose of it; the sum is of those that do", sum.name);
    }
    let failed = |flag: &str, error: io::Error| DoseError::Io(format!("{flag}: cannot be written: {error}"));
    if let Some(path) = &args.json {
        json::write(path, &serde_json::json!({ "organs": sums })).map_err(|error| failed("json", error))?;
    }
    if let Some(path) = &args.csv {
        write_csv(path, &sums).map_err(|error| failed("csv", error))?;
    }
    if args.json.is_none() && args.csv.is_none() { stdout::print(&table(&sums)) } else { Ok(()) }
}

fn table(sums: &[OrganSum]) -> String {
    let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| significant(value, DIGITS));
    let mut text = format!("{:<20} {:>6} {:>10} {:>10}  of each cycle\n", "organ", "cycles", "dose Gy", "1σ Gy");
    for sum in sums {
        let each: Vec<String> = sum.doses_gy.iter().map(|&gy| figure(gy)).collect();
        let (dose, sigma, each) = (figure(sum.dose_gy), figure(sum.sigma_gy), each.join(" "));
        writeln!(text, "{:<20} {:>6} {dose:>10} {sigma:>10}  {each}", sum.name, sum.cycles)
            .expect("a string takes all text");
    }
    text.push_str("1σ: statistical alone. Doses of organs add by name; maps were not compared.\n");
    text
}

fn write_csv(path: &Path, sums: &[OrganSum]) -> io::Result<()> {
    write_file(path, |file| {
        let mut table = csv::Writer::from_writer(file);
        let head = ["name", "cycles", "complete", "mean_by_mass_gy", "mean_by_mass_sigma_gy"];
        table.write_record(head.into_iter().chain(["time_integrated_activity_mbq_h"]))?;
        for sum in sums {
            let figures = (sum.dose_gy, sum.sigma_gy, sum.time_integrated_activity_mbq_h);
            table.serialize((&sum.name, sum.cycles, sum.complete, figures))?;
        }
        table.flush()
    })
}
