//! The command line: one file per subcommand.

// Both panic where the reader has closed the pipe; `stdout` and `tell!` do not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[macro_use]
mod stderr;

mod audit;
mod bed;
mod bench;
mod budget;
mod calibration;
mod capture;
mod cohort;
mod compute;
mod convert;
mod cycles;
mod daughters;
mod demo;
mod device;
mod devices;
mod dicom;
mod dicom_web;
mod doctor;
mod driver_noise;
mod flags;
mod gateway;
mod inspect;
mod integrate;
mod jobs;
mod kernel;
mod kernel_library;
mod manual;
mod merge;
mod next_cycle;
mod nuclides;
mod organ_volumes;
mod orphan;
mod outputs;
mod places;
mod progress;
mod queue_flags;
mod remote;
mod report;
mod report_again;
mod report_data;
mod resample;
mod send;
mod serve;
mod settings;
mod stdout;
mod store;
mod store_flags;
mod study;
mod summary;
mod summary_page;
mod time_points;
mod twins;
mod validate;
mod view;
mod worker;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::domain::{DoseError, Violation, Warning};
use crate::formats::dicom::{read_apart_with, serve as answer_about_dicom};

/// Exit status of a failure that is not due to the input.
const EXIT_FAILURE: u8 = 1;
/// Exit status of bad input. clap uses the same.
const EXIT_BAD_INPUT: u8 = 2;
/// The hidden command that reads DICOM files in a process of its own.
const READ_DICOM: &str = "read-dicom";

/// Absorbed dose, voxel by voxel, for radioligand therapy.
#[derive(Debug, Parser)]
#[command(name = "dosegrid", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a demonstration: phantom, server, dose, organ table and picture
    Demo(demo::Args),
    /// Serve dose computations over gRPC
    Serve(Box<serve::Args>),
    /// Compute jobs of a server elsewhere, which hands them out over NATS
    Worker(Box<worker::Args>),
    /// Check whether `serve` with the same flags would run well here, a line for each part
    Doctor(Box<doctor::Args>),
    /// Check or show the audit log of a store
    Audit(audit::Args),
    /// Compute a dose from files, in this process or on a server
    Compute(Box<compute::Args>),
    /// List, follow, cancel, delete or download jobs of a server
    Jobs(Box<jobs::Args>),
    /// Look after a store that no server has
    Store(store::Args),
    /// Add the tallies of several Monte Carlo runs and compute their common dose
    Merge(Box<merge::Args>),
    /// Compute biologically effective doses of regions or voxels
    Bed(Box<bed::Args>),
    /// Make the uncertainty budget of doses, one line a part
    Budget(budget::Args),
    /// Add cycles of treatment, organ by organ
    Cycles(cycles::Args),
    /// Find the activity of the next cycle that stays within limits that you give
    NextCycle(next_cycle::Args),
    /// Write voxel S values as CSV
    Kernel(kernel::Args),
    /// Compute a library of point kernels by Monte Carlo transport, like the ones built into this program
    KernelLibrary(kernel_library::Args),
    /// List the radionuclides, or show one in detail
    Nuclides(nuclides::Args),
    /// List the devices of this machine
    Devices(devices::Args),
    /// Show what volume files and DICOM folders contain
    Inspect(inspect::Args),
    /// Convert between DICOM and volume files
    Convert(Box<convert::Args>),
    /// Make the report of a dose again from the folder of its results, in another language or with names
    Report(Box<report_again::Args>),
    /// Look at the dose of a finished result in a browser of this machine
    View(view::Args),
    /// Send DICOM files to an archive, by C-STORE or STOW-RS
    Send(Box<send::Args>),
    /// Put a map on another grid: that of another file, or one of another spacing
    Resample(resample::Args),
    /// Integrate activity over time: tables of regions, or series of maps
    Integrate(Box<integrate::Args>),
    /// From a folder from the scanner to doses, tables, DICOM objects and a report
    Study(Box<study::Args>),
    /// Stand between an archive and the engine: take studies, compute their doses by rules, send what is released
    Gateway(Box<gateway::Args>),
    /// Many studies of a manifest, and one table and page of all
    Cohort(Box<cohort::Args>),
    /// Check the physics on a device against theory and EGSnrc, and write a report
    Validate(validate::Args),
    /// Measure the speed of a device
    Bench(bench::Args),
    /// Keep what a GPU is given and what it answers, to be run again by any other WebGPU
    Capture(capture::Args),
    /// Print what a shell needs to complete commands, such as `dosegrid completions bash`
    Completions(manual::CompletionsArgs),
    /// Write the manual pages that packages install
    #[command(hide = true)]
    Man(manual::ManArgs),
    /// Answer a question about DICOM files, from stdin to stdout, under limits; this program asks it of itself
    #[command(hide = true)]
    ReadDicom,
}

impl Command {
    /// The command, with what its keys hold and whence.
    fn with(mut self, settings: settings::Settings) -> Self {
        if let Self::Serve(args) = &mut self {
            args.settings = settings;
        } else if let Self::Worker(args) = &mut self {
            args.settings = settings;
        } else if let Self::Doctor(args) = &mut self {
            args.set(settings);
        }
        self
    }

    /// Whether it may ask the drivers of this machine for their GPUs.
    fn may_look_for_gpus(&self) -> bool {
        match self {
            Self::Demo(_)
            | Self::Serve(_)
            | Self::Worker(_)
            | Self::Doctor(_)
            | Self::Compute(_)
            | Self::Study(_)
            | Self::Cohort(_)
            | Self::Devices(_)
            | Self::Validate(_)
            | Self::Bench(_)
            | Self::Capture(_) => true,
            Self::Audit(_)
            | Self::Jobs(_)
            | Self::Store(_)
            | Self::Merge(_)
            | Self::Bed(_)
            | Self::Budget(_)
            | Self::Cycles(_)
            | Self::NextCycle(_)
            | Self::Kernel(_)
            | Self::KernelLibrary(_)
            | Self::Nuclides(_)
            | Self::Inspect(_)
            | Self::Convert(_)
            | Self::Send(_)
            | Self::Gateway(_)
            | Self::Report(_)
            | Self::View(_)
            | Self::ReadDicom
            | Self::Completions(_)
            | Self::Man(_)
            | Self::Resample(_)
            | Self::Integrate(_) => false,
        }
    }
}

/// Prints warnings to stderr.
fn print_warnings(warnings: &[Warning]) {
    for Warning { reason, message, field } in warnings {
        tell!("warning: {field}: {message} ({reason})");
    }
}

/// The command of this process, with what its keys hold now, or what clap says instead.
///
/// # Errors
/// Every key that is at fault.
fn command_of_this_process() -> Result<Result<Command, clap::Error>, DoseError> {
    let text = |text: OsString| text.to_string_lossy().into_owned();
    let environment = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
    let layered = settings::layered(&Cli::command(), std::env::args_os().collect(), &environment);
    let (words, settings) = layered.map_err(with_faults_of_the_rest)?;
    Ok(Cli::try_parse_from(words).map(|cli| cli.command.with(settings)))
}

/// What is at fault in flags, environment and file, with what is in the meaning of the rest.
fn with_faults_of_the_rest(refused: settings::Refused) -> DoseError {
    let command = Cli::try_parse_from(&refused.words).ok().map(|cli| cli.command.with(refused.settings.clone()));
    let checked = if let Some(Command::Serve(args)) = &command {
        args.check().map(drop)
    } else if let Some(Command::Worker(args)) = &command {
        args.check().map(drop)
    } else {
        Ok(())
    };
    refused.with(checked.err().map_or_else(Vec::new, |error| error.violations()))
}

/// Parses and runs the command line. A failure is reported on stderr, with one line for each fault of the input.
pub fn run() -> ExitCode {
    let done = command_of_this_process().and_then(|parsed| {
        let command = parsed.unwrap_or_else(|instead| instead.exit());
        if command.may_look_for_gpus() {
            driver_noise::silence();
        }
        if !matches!(command, Command::ReadDicom)
            && let Ok(program) = std::env::current_exe()
        {
            read_apart_with(program, READ_DICOM);
        }
        dispatch(command)
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(DoseError::Invalid(violations)) => {
            for violation in violations {
                tell!("error: {}: {}", violation.field, violation.reason);
            }
            ExitCode::from(EXIT_BAD_INPUT)
        }
        Err(DoseError::Implausible(warnings)) => {
            for Warning { reason, message, field } in warnings {
                tell!("error: {field}: {message} ({reason}; --strict makes warnings errors)");
            }
            ExitCode::from(EXIT_BAD_INPUT)
        }
        Err(error) => {
            tell!("error: {error}");
            ExitCode::from(EXIT_FAILURE)
        }
    }
}

/// Runs a command line, the name of the program first, and reports nothing; for fuzz targets.
///
/// # Errors
/// What [`run`] reports; words that no subcommand takes are a fault of `command`.
#[doc(hidden)]
pub fn run_words(words: &[String]) -> Result<(), DoseError> {
    let unknown = |error: clap::Error| vec![Violation { field: "command".into(), reason: error.to_string() }];
    dispatch(Cli::try_parse_from(words).map_err(|error| DoseError::Invalid(unknown(error)))?.command)
}

fn dispatch(command: Command) -> Result<(), DoseError> {
    match command {
        Command::Demo(args) => demo::run(args),
        Command::Serve(args) => serve::run(*args),
        Command::Worker(args) => worker::run(*args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Compute(args) => compute::run(*args),
        Command::Jobs(args) => jobs::run(*args),
        Command::Store(args) => store::run(args),
        Command::Merge(args) => merge::run(&args),
        Command::Bed(args) => bed::run(*args),
        Command::Budget(args) => budget::run(&args),
        Command::Cycles(args) => cycles::run(&args),
        Command::NextCycle(args) => next_cycle::run(&args),
        Command::Kernel(args) => kernel::run(args),
        Command::KernelLibrary(args) => kernel_library::run(args),
        Command::Nuclides(args) => nuclides::run(args),
        Command::Devices(args) => devices::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Report(args) => report_again::run(&args),
        Command::View(args) => view::run(&args),
        Command::Send(args) => send::run(&args),
        Command::Resample(args) => resample::run(&args),
        Command::Integrate(args) => integrate::run(&args),
        Command::Study(args) => study::run(&args),
        Command::Gateway(args) => gateway::run(&args),
        Command::Cohort(args) => cohort::run(&args),
        Command::Validate(args) => validate::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Capture(args) => capture::run(&args),
        Command::Convert(args) => convert::run(&args),
        Command::Completions(args) => manual::completions(&args, Cli::command()),
        Command::Man(args) => manual::man(&args, Cli::command()),
        Command::ReadDicom => answer_about_dicom().map_err(|error| DoseError::Io(format!("DICOM: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of values that begin with a number and end with a unit, or that are several numbers.
    const COMPOSED: [&str; 6] = ["TIME", "TIME|physical", "ENERGY", "X,Y,Z", "SPACING", "HOST:PORT"];
    /// Names of values that are one number.
    const NUMBERS: [&str; 8] = ["N", "PART", "LABEL", "MM", "G_CM3", "WEIGHT", "MBQ", "HOURS"];

    #[test]
    fn a_number_below_0_reaches_the_check_of_its_flag() {
        let mut found = 0;
        for command in Cli::command().get_subcommands() {
            for arg in command.get_arguments() {
                let value = arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
                let number = NUMBERS.contains(&value)
                    || ["_MIB", "_S", "_LENGTH", "_VOXELS"].iter().any(|end| value.ends_with(end));
                let takes_numbers = arg.is_allow_negative_numbers_set() || arg.is_allow_hyphen_values_set();
                let is_good =
                    if COMPOSED.contains(&value) { arg.is_allow_hyphen_values_set() } else { takes_numbers || !number };
                assert!(is_good, "{} --{:?} {value}", command.get_name(), arg.get_long());
                found += usize::from(number || COMPOSED.contains(&value));
            }
        }
        assert!(found > 25, "only {found} flags with numbers");
    }
}
