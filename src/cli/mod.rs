//! The command line: one file per subcommand.

mod bench;
mod compute;
mod daughters;
mod demo;
mod devices;
mod flags;
mod inspect;
mod kernel;
mod kernel_library;
mod merge;
mod nuclides;
mod outputs;
mod progress;
mod resample;
mod serve;
mod stdout;
mod summary;
mod validate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::domain::{DoseError, Violation, Warning};

/// Exit status of a failure that is not due to the input.
const EXIT_FAILURE: u8 = 1;
/// Exit status of bad input. clap uses the same.
const EXIT_BAD_INPUT: u8 = 2;

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
    Serve(serve::Args),
    /// Compute a dose from files, in this process or on a server
    Compute(Box<compute::Args>),
    /// Add the tallies of several Monte Carlo runs and compute their common dose
    Merge(Box<merge::Args>),
    /// Write voxel S values as CSV
    Kernel(kernel::Args),
    /// Compute a library of point kernels by Monte Carlo transport, like the ones built into this program
    KernelLibrary(kernel_library::Args),
    /// List the radionuclides, or show one in detail
    Nuclides(nuclides::Args),
    /// List the devices of this machine
    Devices(devices::Args),
    /// Show what volume files contain
    Inspect(inspect::Args),
    /// Put a map on another grid: that of another file, or one of another spacing
    Resample(resample::Args),
    /// Check the physics on a device against theory and EGSnrc, and write a report
    Validate(validate::Args),
    /// Measure the speed of a device
    Bench(bench::Args),
}

/// Parses and runs the command line. A failure is reported on stderr, with one line for each fault of the input.
pub fn run() -> ExitCode {
    match dispatch(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(DoseError::Invalid(violations)) => {
            for violation in violations {
                eprintln!("error: {}: {}", violation.field, violation.reason);
            }
            ExitCode::from(EXIT_BAD_INPUT)
        }
        Err(DoseError::Implausible(warnings)) => {
            for Warning { reason, message, field } in warnings {
                eprintln!("error: {field}: {message} ({reason}; --strict makes warnings errors)");
            }
            ExitCode::from(EXIT_BAD_INPUT)
        }
        Err(error) => {
            eprintln!("error: {error}");
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
        Command::Serve(args) => serve::run(args),
        Command::Compute(args) => compute::run(*args),
        Command::Merge(args) => merge::run(*args),
        Command::Kernel(args) => kernel::run(args),
        Command::KernelLibrary(args) => kernel_library::run(args),
        Command::Nuclides(args) => nuclides::run(args),
        Command::Devices(args) => devices::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Resample(args) => resample::run(&args),
        Command::Validate(args) => validate::run(args),
        Command::Bench(args) => bench::run(args),
    }
}
