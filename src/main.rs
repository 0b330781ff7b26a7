//! The `dosegrid` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    dosegrid::cli::run()
}
