//! One study in a process of its own: what it takes of memory is given back, and what it does wrong is its own.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio_util::sync::CancellationToken;

use super::ledger::Entry;
use super::manifest::Line;
use super::{Cohort, folder_of};
use crate::digest::{Digest, sha256_hex};
use crate::domain::DoseError;

/// The folder of the results of all studies.
pub(super) const STUDIES: &str = "studies";
/// What a study said, in the folder of its results.
const LOG: &str = "study.log";
/// How often a study is asked whether it has ended.
const POLL: Duration = Duration::from_millis(30);
/// Most bytes of what a study said that are looked at.
const MOST_LOG_BYTES: u64 = 64 << 10;
/// Longest reason.
const MOST_REASON_CHARS: usize = 600;
/// Bytes of a file that are read at a time.
const BLOCK: usize = 1 << 16;

/// What a study is called, and all that its results depend on.
pub(super) struct Task {
    pub(super) study: String,
    pub(super) key: String,
}

impl Task {
    pub(super) fn of(cohort: &Cohort, line: &Line) -> Self {
        let study = cohort.salt.pseudonym('S', &line.identity());
        let mut key = Digest::new();
        key.update(line.identity());
        key.update([0]);
        key.update(env!("CARGO_PKG_VERSION"));
        for file in listed(Path::new(&line.input)) {
            key.update([0]);
            key.update(file.place.as_os_str().as_encoded_bytes());
            key.update(file.bytes.to_le_bytes());
            key.update(file.changed.to_le_bytes());
        }
        Self { study, key: key.hex() }
    }
}

/// A file of a study, as it is listed.
struct Listed {
    place: PathBuf,
    bytes: u64,
    /// When it was changed [ns since 1970].
    changed: u128,
}

/// All files below a folder, by name; none if it is no folder.
fn listed(folder: &Path) -> Vec<Listed> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(about) = entry.metadata() else { continue };
            if about.is_dir() {
                folders.push(entry.path());
            } else {
                let changed = about.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
                let changed = changed.map_or(0, |time| time.as_nanos());
                found.push(Listed { place: entry.path(), bytes: about.len(), changed });
            }
        }
    }
    found.sort_by(|a, b| a.place.cmp(&b.place));
    found
}

/// SHA-256 over the sorted SHA-256 of all files below a folder, whatever they are called.
pub(super) fn digest_of_files(folder: &Path) -> io::Result<String> {
    let mut all: Vec<String> = listed(folder).iter().map(|file| digest_of(&file.place)).collect::<io::Result<_>>()?;
    all.sort_unstable();
    Ok(sha256_hex(all.join("\n")))
}

/// SHA-256 of a file.
pub(super) fn digest_of(path: &Path) -> io::Result<String> {
    let (mut file, mut digest, mut block) = (File::open(path)?, Digest::new(), vec![0; BLOCK]);
    loop {
        match file.read(&mut block)? {
            0 => return Ok(digest.hex()),
            count => digest.update(&block[..count]),
        }
    }
}

/// Runs a study to its end; none if it was stopped.
///
/// # Errors
/// If it cannot be begun. That it fails is no error.
pub(super) fn run(
    cohort: &Cohort,
    line: &Line,
    task: &Task,
    stop: &CancellationToken,
) -> Result<Option<Entry>, DoseError> {
    let began = Instant::now();
    let output = folder_of(&cohort.args.output, &task.study);
    let cannot = |error: io::Error| DoseError::Io(format!("line {}: cannot be begun: {error}", line.number));
    // What a run that was cut has left.
    match fs::remove_dir_all(&output) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot(error)),
        _ => fs::create_dir_all(&output).map_err(cannot)?,
    }
    let is_local = Path::new(&line.input).is_dir();
    let inputs_sha256 = is_local.then(|| digest_of_files(Path::new(&line.input))).transpose().map_err(cannot)?;
    let log = output.join(LOG);
    let mut command = command(cohort, line);
    command.arg("--output").arg(&output).arg("--quiet");
    let Some(status) = ended(command, &log, stop).map_err(cannot)? else { return Ok(None) };
    let reason = (!status.success()).then(|| reason(status, &log, line));
    let Task { study, key } = task;
    let seconds = began.elapsed().as_secs_f64();
    Ok(Some(Entry { study: study.clone(), key: key.clone(), reason, seconds, inputs_sha256 }))
}

/// What a study would do; none if it was stopped. The fault is why it would do nothing.
pub(super) fn plan(
    cohort: &Cohort,
    line: &Line,
    stop: &CancellationToken,
) -> Result<Option<Result<(), String>>, DoseError> {
    let cannot = |error: io::Error| DoseError::Io(format!("line {}: cannot be begun: {error}", line.number));
    let folder = tempfile::tempdir().map_err(cannot)?;
    let log = folder.path().join(LOG);
    let mut command = command(cohort, line);
    command.arg("--dry-run");
    let Some(status) = ended(command, &log, stop).map_err(cannot)? else { return Ok(None) };
    Ok(Some(if status.success() { Ok(()) } else { Err(reason(status, &log, line)) }))
}

/// `dosegrid study` of a line. It ends with this process, and has its share of the cores.
fn command(cohort: &Cohort, line: &Line) -> Command {
    let program = std::env::current_exe().unwrap_or_else(|_| "dosegrid".into());
    let mut command = Command::new(program);
    command.arg("study").arg(&line.input).args(&line.flags).arg("--end-with-stdin");
    command.args(cohort.args.web.words()).args(cohort.args.remote.words());
    command.envs(cohort.args.remote.secret());
    if std::env::var_os(THREADS).is_none() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        command.env(THREADS, (cores / cohort.jobs).max(1).to_string());
    }
    // An interrupt is for the cohort, which stops its studies: a study alone would end with a poorer dose.
    command.process_group(0);
    command
}

/// How many threads compute.
const THREADS: &str = "RAYON_NUM_THREADS";

/// How a process ended; none if it was stopped.
fn ended(mut command: Command, log: &Path, stop: &CancellationToken) -> io::Result<Option<ExitStatus>> {
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(File::create(log)?);
    let mut child = command.spawn()?;
    // Held open as long as it runs.
    let held = child.stdin.take();
    loop {
        if let Some(status) = child.try_wait()? {
            drop(held);
            return Ok(Some(status));
        }
        if stop.is_cancelled() {
            end(&mut child);
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

/// Ends a process and those that it started.
fn end(child: &mut Child) {
    if let Ok(group) = i32::try_from(child.id())
        && let Some(group) = Pid::from_raw(group)
    {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Why a study failed, from what it said. Where it lies may name a patient, and is left out.
fn reason(status: ExitStatus, log: &Path, line: &Line) -> String {
    let mut text = Vec::new();
    let said = File::open(log).and_then(|file| file.take(MOST_LOG_BYTES).read_to_end(&mut text));
    let text = if said.is_ok() { String::from_utf8_lossy(&text).into_owned() } else { String::new() };
    let errors: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("error: ")).collect();
    let words = match (errors.is_empty(), status.signal()) {
        (false, _) => errors.join("; "),
        (true, Some(signal)) => format!("ended by signal {signal}; 9 is that of a machine without memory"),
        (true, None) => format!("ended with status {} and said no reason", status.code().unwrap_or_default()),
    };
    let words = words.replace(&line.input, "STUDY");
    match words.char_indices().nth(MOST_REASON_CHARS) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}
