//! The command line: one file per subcommand.

mod bench;
mod compute;
mod daughters;
mod demo;
mod devices;
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

use crate::domain::DoseError;

/// Exit status of a failure that is not the input's fault.
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
    /// Compute a demonstration from end to end: phantom, server, dose, organ table, picture
    Demo(demo::Args),
    /// Serve dose computations through gRPC
    Serve(serve::Args),
    /// Compute a dose from files, in this process or on a server
    Compute(Box<compute::Args>),
    /// Add the tallies of Monte Carlo runs of different histories, and make the dose of all of them
    Merge(Box<merge::Args>),
    /// Write voxel S values as CSV
    Kernel(kernel::Args),
    /// Compute a library of point kernels by Monte Carlo transport, as this program carries them
    KernelLibrary(kernel_library::Args),
    /// List the radionuclides
    Nuclides(nuclides::Args),
    /// List the devices of this machine
    Devices(devices::Args),
    /// Show what a volume file holds
    Inspect(inspect::Args),
    /// Put a map on another grid: that of another file, or one of another spacing
    Resample(resample::Args),
    /// Check the physics on a device, against theory and EGSnrc, and write a report
    Validate(validate::Args),
    /// Measure the speed of a device
    Bench(bench::Args),
}

/// Parses the command line, runs it, and reports a failure on stderr, every fault of the input on a line of its own.
pub fn run() -> ExitCode {
    let result = match Cli::parse().command {
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
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(DoseError::Invalid(violations)) => {
            for violation in violations {
                eprintln!("error: {}: {}", violation.field, violation.reason);
            }
            ExitCode::from(EXIT_BAD_INPUT)
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(EXIT_FAILURE)
        }
    }
}
