//! Flags that go on to `dosegrid compute` as they are.

use clap::Parser;

use crate::cli::{Cli, Command, compute};
use crate::domain::Checks;

/// Flags that are checked before any work.
const FLAGS: [&str; 11] = [
    "method",
    "dose-grid",
    "hu-curve",
    "max-activity-outside",
    "negative",
    "histories",
    "target-uncertainty",
    "time-limit",
    "device",
    "report-language",
    "effective-half-life",
];

// Strings, so that `compute` names every fault by the same flag.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "As for compute")]
pub(super) struct PassedArgs {
    /// How the dose is computed [default: monte-carlo]
    #[arg(long, value_name = "local|kernel|monte-carlo")]
    method: Option<String>,
    /// Grid of the dose [default: activity, that of the reference time point]
    #[arg(long, value_name = "activity|ct|MM", allow_negative_numbers = true)]
    dose_grid: Option<String>,
    /// Calibration of the CT, CSV of hu,density_g_cm3 [default: Schneider 2000]
    #[arg(long, value_name = "FILE")]
    hu_curve: Option<String>,
    /// Part of the activity that may lie outside the CT [default: 0.01]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    max_activity_outside: Option<String>,
    /// Values below 0 in the activity
    #[arg(long, value_name = "refuse|zero|zero-keep-total")]
    negative: Option<String>,
    /// Histories of Monte Carlo
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    histories: Option<String>,
    /// 1σ at which Monte Carlo ends
    #[arg(long, value_name = "PART", allow_negative_numbers = true)]
    target_uncertainty: Option<String>,
    /// Time after which Monte Carlo ends
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    time_limit: Option<String>,
    /// Device of this machine
    #[arg(long, value_name = "auto|cpu|gpu|gpu:N")]
    device: Option<String>,
    /// Language of the report
    #[arg(long, value_name = "en|nl|fr")]
    report_language: Option<String>,
    /// Name the patient in the report
    #[arg(long)]
    report_identified: bool,
    /// Make warnings of the computation errors
    #[arg(long)]
    strict: bool,
    /// Print no progress and no summary
    #[arg(long)]
    pub(super) quiet: bool,
}

impl PassedArgs {
    /// Whether the method is Monte Carlo transport, which has an uncertainty.
    pub(super) fn is_monte_carlo(&self) -> bool {
        self.method.as_deref().is_none_or(|method| method == "monte-carlo")
    }

    /// Whether the dose lies on the grid of the CT.
    pub(super) fn is_on_ct(&self) -> bool {
        self.dose_grid.as_deref() == Some("ct")
    }

    /// Records faults of these flags, which `compute` would find after the curves are made.
    ///
    /// * `half_life` – of one time point
    pub(super) fn check(&self, half_life: Option<&str>, checks: &mut Checks) {
        let mut words: Vec<String> =
            ["dosegrid", "compute", "--nuclide=Lu-177", "--report=r"].map(str::to_owned).into();
        words.extend(match half_life {
            Some(half_life) => ["--activity-unit=bq".to_owned(), format!("--effective-half-life={half_life}")].to_vec(),
            None => vec!["--activity-unit=bq-s".to_owned()],
        });
        words.extend(self.words());
        match Cli::try_parse_from(words).map(|parsed| parsed.command) {
            Ok(Command::Compute(args)) => compute::check_flags(&args, &FLAGS, checks),
            // Its words are those of `compute`.
            _ => checks.fail("study", "has flags that compute does not take"),
        }
    }

    /// Words of the command.
    pub(super) fn words(&self) -> Vec<String> {
        let grid = Some("activity".to_owned());
        let values = [
            ("--method", &self.method),
            ("--dose-grid", if self.dose_grid.is_some() { &self.dose_grid } else { &grid }),
            ("--hu-curve", &self.hu_curve),
            ("--max-activity-outside", &self.max_activity_outside),
            ("--negative", &self.negative),
            ("--histories", &self.histories),
            ("--target-uncertainty", &self.target_uncertainty),
            ("--time-limit", &self.time_limit),
            ("--device", &self.device),
            ("--report-language", &self.report_language),
        ];
        let values = values.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value.clone()?]));
        let switches =
            [("--report-identified", self.report_identified), ("--strict", self.strict), ("--quiet", self.quiet)];
        let switches = switches.into_iter().filter(|(_, is_given)| *is_given).map(|(flag, _)| flag.to_owned());
        values.flatten().chain(switches).collect()
    }
}
