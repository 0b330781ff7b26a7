//! `dosegrid audit`: checks and shows the audit log of a store, or of a gateway.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::stdout;
use super::store_flags::refused;
use crate::audit::{self, Broken, FOLDER, Verified};
use crate::domain::DoseError;
use crate::gateway;
use crate::store::{OpenError, audit_known};

/// Time after which a record that was half written is whole.
const WRITTEN_AFTER: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check that no record was changed, left out or put elsewhere: exit status 0, or 1 with the first bad record
    Verify(VerifyArgs),
    /// Print the records, one line of JSON each
    Show(ShowArgs),
}

#[derive(Debug, clap::Args)]
struct VerifyArgs {
    /// Folder of the store, or of a gateway
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// A last hash that was noted before, elsewhere: it must be that of a record
    #[arg(long, value_name = "HASH")]
    head: Option<String>,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// Folder of the store, or of a gateway
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// Number of the first record
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    from: u64,
}

pub(super) fn run(args: &Args) -> Result<(), DoseError> {
    match &args.command {
        Command::Verify(args) => verify(args),
        Command::Show(args) => show(args),
    }
}

/// The folder of the log in a store.
fn folder(store: &Path) -> Result<PathBuf, DoseError> {
    let folder = store.join(FOLDER);
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(DoseError::invalid("store", format!("`{}` has no audit log: is it the folder of --store?", store.display())))
}

fn verify(args: &VerifyArgs) -> Result<(), DoseError> {
    let folder = folder(&args.store)?;
    let head = args.head.as_ref().map(|head| head.trim().to_ascii_lowercase());
    if head.as_ref().is_some_and(|head| head.len() != 64 || !head.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Err(DoseError::invalid("head", "is 64 hexadecimal digits, as `audit verify` prints them"));
    }
    let is_gateway = args.store.join(gateway::LEDGER).exists();
    let known = if is_gateway {
        gateway::audit_known(&args.store).map_err(|reason| match reason {
            None => OpenError::InUse(args.store.display().to_string()),
            Some(what) => OpenError::Damaged { folder: args.store.display().to_string(), what },
        })
    } else {
        audit_known(&args.store)
    };
    let io = |error: io::Error| DoseError::Io(error.to_string());
    let (verified, checked) = match known {
        Ok(known) => {
            (audit::verify_with(&folder, head.as_deref(), &known).map_err(io)?, "its end is that of the ledger")
        }
        Err(OpenError::InUse(_)) => {
            let checked = "the store is in use: the files alone were checked, and not whether its end is there";
            (verify_in_use(&folder, head.as_deref()).map_err(io)?, checked)
        }
        // What is wrong with the files is told first.
        Err(error) => match audit::verify(&folder, head.as_deref()).map_err(io)? {
            Ok(_) => return Err(refused(error)),
            Err(broken) => (Err(broken), ""),
        },
    };
    let Verified { records, last_hash, in_ledger } =
        verified.map_err(|broken| DoseError::Io(format!("the audit log is broken: {broken}")))?;
    let left_off = match in_ledger {
        0 => String::new(),
        _ => format!(
            "the last {in_ledger} of them stand in the ledger alone: a process was lost while it wrote them, and the \
             next start writes them again\n"
        ),
    };
    stdout::print(&format!("intact: {records} records, last hash {last_hash}\n{left_off}{checked}\n"))
}

/// Checks the files of a log that somebody writes to: a record may be half there when it is read.
fn verify_in_use(folder: &Path, head: Option<&str>) -> io::Result<Result<Verified, Broken>> {
    match audit::verify(folder, head)? {
        Err(_) => {
            std::thread::sleep(WRITTEN_AFTER);
            audit::verify(folder, head)
        }
        verified => Ok(verified),
    }
}

fn show(args: &ShowArgs) -> Result<(), DoseError> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let shown = audit::lines_from(&folder(&args.store)?, args.from, |json| writeln!(out, "{json}"));
    match shown.and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(DoseError::Io(error.to_string())),
        _ => Ok(()),
    }
}
