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
use super::{Cohort, folder_of, places};
use crate::digest::{Digest, sha256_hex};
use crate::domain::DoseError;
use crate::formats::dicom;

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
    /// Why its key is not known: the server does not say what it has of it.
    fault: Option<String>,
}

impl Task {
    pub(super) fn of(cohort: &Cohort, line: &Line) -> Self {
        let study = cohort.salt.pseudonym('S', &line.identity());
        let mut key = Digest::new();
        key.update(line.identity());
        for part in [env!("CARGO_PKG_VERSION"), env!("DOSEGRID_COMMIT")] {
            key.update([0]);
            key.update(part);
        }
        for file in places::files(&line.flags).into_iter().map(Path::new).filter(|path| path.is_file()) {
            key.update([0]);
            // One that cannot be read is a fault of the study.
            key.update(digest_of(file).unwrap_or_default());
        }
        let mut fault = None;
        match cohort.web.as_ref().map(|web| web.instances(&line.input)) {
            Some(Ok(instances)) => instances.iter().for_each(|uid| key.update(format!("\0{uid}"))),
            Some(Err(error)) => fault = Some(error.to_string()),
            None => {
                for file in listed(Path::new(&line.input)) {
                    key.update([0]);
                    key.update(file.place.as_os_str().as_encoded_bytes());
                    key.update(file.bytes.to_le_bytes());
                    key.update(file.changed.to_le_bytes());
                }
            }
        }
        Self { study, key: key.hex(), fault }
    }
}

/// A file of a study, as it is listed.
struct Listed {
    place: PathBuf,
    bytes: u64,
    /// When it was changed [ns since 1970].
    changed: u128,
}

/// All files below a folder as a study finds them, also behind links; none if it is no folder.
fn listed(folder: &Path) -> Vec<Listed> {
    let listed = |place: PathBuf| {
        let about = fs::metadata(&place).ok()?;
        let changed = about.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        Some(Listed { place, bytes: about.len(), changed: changed.map_or(0, |time| time.as_nanos()) })
    };
    dicom::files_below(folder).into_iter().filter_map(listed).collect()
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
    let Task { study, key, fault } = task;
    let entry = |reason: Option<String>, inputs_sha256: Option<String>| {
        let seconds = began.elapsed().as_secs_f64();
        Ok(Some(Entry { study: study.clone(), key: key.clone(), reason, seconds, inputs_sha256 }))
    };
    let output = folder_of(&cohort.args.output, &task.study);
    let cannot = |error: io::Error| DoseError::Io(format!("line {}: cannot be begun: {error}", line.number));
    // What a run that was cut has left.
    match fs::remove_dir_all(&output) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot(error)),
        _ => fs::create_dir_all(&output).map_err(cannot)?,
    }
    if let Some(fault) = fault {
        return entry(Some(without_paths(fault, cohort, line, &output)), None);
    }
    let is_local = Path::new(&line.input).is_dir();
    let inputs_sha256 = match is_local.then(|| digest_of_files(Path::new(&line.input))).transpose() {
        Ok(digest) => digest,
        Err(error) => return entry(Some(format!("a file of the study cannot be read: {error}")), None),
    };
    let log = output.join(LOG);
    let mut command = command(cohort, line);
    command.arg("--output").arg(&output).arg("--quiet");
    let Some(status) = ended(command, &log, stop).map_err(cannot)? else { return Ok(None) };
    let reason = (!status.success()).then(|| without_paths(&reason(status, &log), cohort, line, &output));
    entry(reason, inputs_sha256)
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
    Ok(Some(if status.success() {
        Ok(())
    } else {
        Err(without_paths(&reason(status, &log), cohort, line, folder.path()))
    }))
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

/// Why a study failed, from what it said.
fn reason(status: ExitStatus, log: &Path) -> String {
    let mut text = Vec::new();
    let said = File::open(log).and_then(|file| file.take(MOST_LOG_BYTES).read_to_end(&mut text));
    let text = if said.is_ok() { String::from_utf8_lossy(&text).into_owned() } else { String::new() };
    let errors: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("error: ")).collect();
    match (errors.is_empty(), status.signal()) {
        (false, _) => errors.join("; "),
        (true, Some(signal)) => format!("ended by signal {signal}; 9 is that of a machine without memory"),
        (true, None) => format!("ended with status {} and said no reason", status.code().unwrap_or_default()),
    }
}

/// A reason without where the study, the files of its options and its results lie, which may name a patient.
fn without_paths(words: &str, cohort: &Cohort, line: &Line, output: &Path) -> String {
    let outputs = [output, &cohort.args.output].map(|path| path.display().to_string());
    let named = |paths: &[&str], what: &'static str| -> Vec<(String, &'static str)> {
        paths.iter().flat_map(|path| places::forms(path)).map(|form| (form, what)).collect()
    };
    let mut known = named(&[&line.input], "STUDY");
    known.extend(named(&places::files(&line.flags), "FILE"));
    known.extend(named(&outputs.each_ref().map(String::as_str), "OUTPUT"));
    let words = places::without(words, &known);
    match words.char_indices().nth(MOST_REASON_CHARS) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}
