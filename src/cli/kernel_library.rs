//! `dosegrid kernel-library`.

use std::io;
use std::path::PathBuf;
use std::time::Instant;

use crate::domain::{Checks, DoseError, Invalid};
use crate::formats::atomic::{check_place, write_bytes};
use crate::kernel_library::{LibraryPlan, compute};
use crate::physics::material;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Medium: water, soft_tissue, lung, compact_bone or cortical_bone
    #[arg(long, default_value = "water")]
    medium: String,
    /// Histories for each kernel, a multiple of 32
    #[arg(long, default_value = "64000", allow_hyphen_values = true)]
    histories: String,
    /// Seed of the random numbers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// File to write
    #[arg(long)]
    output: PathBuf,
}

pub(super) fn run(args: Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let medium = checks.at("medium", material::find(&args.medium));
    let histories = checks.at("histories", parse_histories(&args.histories));
    let (Some(medium), Some(histories)) = (medium, histories) else {
        return checks.finish();
    };
    let failed = |error: io::Error| DoseError::Io(format!("cannot write {}: {error}", args.output.display()));
    check_place(&args.output).map_err(failed)?;
    let start = Instant::now();
    let plan = LibraryPlan { medium, seed: args.seed, histories };
    let library = compute(&plan, &mut |done, of| tell!("{done} of {of} kernels, {:.1?}", start.elapsed()));
    let bytes = library.map_err(|error| DoseError::invalid("histories", error.to_string()))?.to_bytes();
    write_bytes(&args.output, &bytes).map_err(failed)
}

fn parse_histories(text: &str) -> Result<u64, Invalid> {
    text.parse().map_err(|_| Invalid::new(format!("must be a whole number, got `{text}`")))
}
