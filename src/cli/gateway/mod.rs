//! `dosegrid gateway`: between an archive and the engine.

mod text;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use super::serve::{Signals, log};
use super::{stdout, study};
use crate::domain::DoseError;
use crate::gateway::{self, Asked, Config, DryRun, Item, State, Until};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, clap::Args)]
struct RunArgs {
    /// File with sources, destinations and rules (docs/gateway.md); all faults are named with their line
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    /// Say what would be done with a study, rule by rule, and do nothing
    #[arg(long, value_name = "FOLDER")]
    dry_run: Option<PathBuf>,
    /// In a dry run: the source that the study would come from [default: any]
    #[arg(long, value_name = "NAME", requires = "dry_run")]
    source: Option<String>,
    /// In a dry run: the title that would send the study by C-STORE [default: none]
    #[arg(long, value_name = "AE", requires = "dry_run")]
    calling: Option<String>,
    /// In a dry run: compute the dose too, into a temporary folder, which tells the UIDs
    #[arg(long, requires = "dry_run")]
    compute: bool,
    /// End once nothing is left to do that does not wait for somebody
    #[arg(long, conflicts_with = "dry_run")]
    once: bool,
    /// Log as JSON. RUST_LOG sets the level (default: info)
    #[arg(long)]
    log_json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List what is on its way, what is done, and what was put aside
    List(ListArgs),
    /// Show one item: where it stands and why, what was made of it, and how far it is at each destination
    Show(ShowArgs),
    /// Try again what was put aside or skipped
    Retry(IdsArgs),
    /// Do nothing more with items, and forget the files of their studies
    Drop(IdsArgs),
    /// Release doses that are held: they are sent
    Release(IdsArgs),
}

#[derive(Debug, clap::Args)]
struct Folder {
    /// File of the gateway
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    folder: Folder,
    /// Only items in this state
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// Name of the item
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    folder: Folder,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct IdsArgs {
    /// Names of items
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    folder: Folder,
}

pub(super) fn run(args: &Args) -> Result<(), DoseError> {
    match &args.command {
        None => serve(&args.run),
        Some(Command::List(list)) => {
            let state = list.state.as_deref().map(state_of).transpose()?;
            let items = ask(&list.folder, &Asked::List)?;
            let items: Vec<Item> = items.into_iter().filter(|item| state.is_none_or(|s| item.state == s)).collect();
            if list.json { stdout::print_json(&items) } else { stdout::print(&text::list(&items)) }
        }
        Some(Command::Show(show)) => {
            let items = ask(&show.folder, &Asked::Show(show.id.clone()))?;
            let item = items.first().ok_or_else(|| DoseError::Internal("an answer without an item".into()))?;
            if show.json { stdout::print_json(item) } else { stdout::print(&text::show(item)) }
        }
        Some(Command::Retry(ids)) => changed(ids, Asked::Retry(ids.ids.clone())),
        Some(Command::Drop(ids)) => changed(ids, Asked::Drop(ids.ids.clone())),
        Some(Command::Release(ids)) => changed(ids, Asked::Release(ids.ids.clone())),
    }
}

fn state_of(name: &str) -> Result<State, DoseError> {
    State::ALL.into_iter().find(|state| state.name() == name).ok_or_else(|| {
        let names: Vec<&str> = State::ALL.iter().map(|state| state.name()).collect();
        DoseError::invalid("state", format!("is one of {}; got `{name}`", names.join(", ")))
    })
}

fn program() -> Result<PathBuf, DoseError> {
    std::env::current_exe().map_err(|error| DoseError::Io(format!("this program is not found: {error}")))
}

fn ask(folder: &Folder, asked: &Asked) -> Result<Vec<Item>, DoseError> {
    gateway::ask(Config::read(&folder.config, &|words| study::faults_of(words))?, program()?, asked)
}

fn changed(ids: &IdsArgs, asked: Asked) -> Result<(), DoseError> {
    stdout::print(&text::list(&ask(&ids.folder, &asked)?))
}

fn serve(args: &RunArgs) -> Result<(), DoseError> {
    let path = args.config.as_ref().ok_or_else(|| DoseError::invalid("config", "--config is needed"))?;
    let config = Config::read(path, &|words| study::faults_of(words))?;
    if let Some(folder) = &args.dry_run {
        let asked = DryRun {
            folder: folder.clone(),
            source: args.source.clone(),
            calling: args.calling.clone().unwrap_or_default(),
            computes: args.compute,
        };
        return stdout::print(&gateway::dry_run(&config, &program()?, &asked)?);
    }
    log::start(args.log_json);
    let io = |error: std::io::Error| DoseError::Io(format!("cannot run: {error}"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(io)?;
    let is_told = std::sync::Arc::new(AtomicBool::new(false));
    let told = is_told.clone();
    let signals = {
        let _inside = runtime.enter();
        Signals::new().map_err(io)?
    };
    runtime.spawn(async move {
        signals.first(false).await;
        told.store(true, Ordering::SeqCst);
    });
    let until = if args.once { Until::Done } else { Until::Told };
    let asked_to_end = || is_told.load(Ordering::SeqCst);
    let done = gateway::run(config, program()?, until, asked_to_end, || {
        let seconds = gateway::DRAIN.as_secs();
        tracing::warn!("ends after {seconds} s in the middle of something: it stands in the ledger, and is done again");
        std::process::exit(i32::from(!asked_to_end()))
    });
    runtime.shutdown_background();
    done
}
