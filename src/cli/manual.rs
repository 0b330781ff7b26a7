//! `dosegrid completions` and `dosegrid man`: what packages install beside the program, made from the command line
//! itself.

use std::path::PathBuf;

use clap::Command;
use clap_complete::Shell;

use super::stdout;
use crate::domain::DoseError;

#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// Folder for the pages, which is there
    folder: PathBuf,
}

/// Prints what a shell reads to complete commands.
pub(super) fn completions(args: &CompletionsArgs, mut program: Command) -> Result<(), DoseError> {
    let name = program.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut program, name, &mut text);
    stdout::print(&String::from_utf8_lossy(&text))
}

/// Writes a page for the program and one for each command that help lists.
pub(super) fn man(args: &ManArgs, program: Command) -> Result<(), DoseError> {
    clap_mangen::generate_to(program, &args.folder).map_err(|error| {
        DoseError::invalid("folder", format!("pages cannot be written to {}: {error}", args.folder.display()))
    })
}
