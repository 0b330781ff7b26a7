//! `dosegrid kernel`.

use crate::domain::DoseError;

#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: Args) -> Result<(), DoseError> {
    unimplemented!()
}
