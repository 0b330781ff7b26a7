//! A gateway with its folders, and a study to send through it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use dosegrid::demo::{DicomStudy, StylisedPhantom};

use crate::support::command::{dosegrid, stderr, succeed};

/// Coarse voxels: quick, and every organ still has some.
const SHAPE: [u64; 3] = [16, 16, 12];
/// After so long, what a test waits for is taken not to come: a safety net, and no measure of speed.
const PATIENCE: Duration = Duration::from_secs(240);
/// The patient of the study: found nowhere but in objects.
pub(super) const NAMES: [&str; 2] = ["PHANTOM", "DOSEGRID-DEMO"];

/// The study of the demonstration, made once: a CT of 12 slices, three SPECT images, organs.
pub(crate) fn study() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let phantom = StylisedPhantom::new(SHAPE).expect("a good shape");
        DicomStudy::of(&phantom).expect("a study").write(folder.path()).expect("a writable folder");
        folder
    });
    folder.path()
}

/// Files of a folder and those in it, by name.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let mut found: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    found.sort();
    found
}

/// Folders, and the file of a gateway.
pub(crate) struct Site {
    folder: TempDir,
}

impl Site {
    /// From a folder to a folder.
    ///
    /// * `rule` – more keys of the rule
    /// * `compute` – more keys of its computation
    pub(crate) fn new(rule: &str, compute: &str) -> Self {
        let text = format!(
            "folder = 'state'\npoll = '1s'\n\
             [[source]]\nname = 'inbox'\nkind = 'folder'\npath = 'in'\nquiet = '1s'\nlimit = '1s'\n\
             [[destination]]\nname = 'out'\nkind = 'folder'\npath = 'out'\nbackoff = '1s'\nattempts = 2\n\
             [[rule]]\nname = 'lu'\nto = 'out'\n{rule}\n[rule.compute]\nmethod = 'local'\n{compute}\n"
        );
        Self::with(&text)
    }

    /// With a file of its own.
    pub(super) fn with(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["in", "out"] {
            fs::create_dir(folder.path().join(name)).expect("a writable folder");
        }
        fs::write(folder.path().join("gateway.toml"), text).expect("a writable folder");
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts files of a study into the inbox, without those whose path begins with a word or whose stem is one.
    pub(crate) fn put(&self, folder: &Path, without: &[&str]) {
        for path in files(folder) {
            let name = path.strip_prefix(folder).expect("inside").to_string_lossy().replace('/', "-");
            let is_out = |word: &&str| name.starts_with(word) || name.contains(&format!("-{word}."));
            if !without.iter().any(is_out) {
                fs::copy(&path, self.path().join("in").join(name)).expect("a writable folder");
            }
        }
    }

    fn words<'a>(&self, words: &[&'a str]) -> Vec<&'a str> {
        ["gateway"].into_iter().chain(words.iter().copied()).chain(["--config", "gateway.toml"]).collect()
    }

    /// Runs the gateway until nothing is left to do; what it logged.
    pub(super) fn run(&self) -> String {
        let output = dosegrid(self.path(), self.words(&["--once"]));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stderr(&output)
    }

    /// What a question is answered.
    pub(super) fn asked(&self, words: &[&str]) -> String {
        succeed(self.path(), self.words(words))
    }

    /// What a question is refused with.
    pub(super) fn refused(&self, words: &[&str]) -> String {
        let output = dosegrid(self.path(), self.words(words));
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        stderr(&output)
    }

    /// All items.
    pub(super) fn items(&self) -> Vec<Value> {
        let text = self.asked(&["list", "--json"]);
        serde_json::from_str::<Value>(&text).expect("JSON").as_array().expect("items").clone()
    }

    /// State and reason of each item.
    pub(super) fn states(&self) -> Vec<(String, String)> {
        let text = |item: &Value, key: &str| item[key].as_str().expect("text").to_owned();
        self.items().iter().map(|item| (text(item, "state"), text(item, "reason"))).collect()
    }

    /// The only item.
    pub(crate) fn item(&self) -> Value {
        let items = self.items();
        assert_eq!(items.len(), 1, "{items:#?}");
        items[0].clone()
    }

    /// What was delivered, by name, with its bytes.
    pub(super) fn delivered(&self) -> Vec<(PathBuf, Vec<u8>)> {
        files(&self.path().join("out")).into_iter().map(|path| (path.clone(), fs::read(path).expect("it"))).collect()
    }

    /// Starts the gateway, to run until it is dropped.
    pub(crate) fn start(&self) -> Running {
        self.start_by(Command::new(env!("CARGO_BIN_EXE_dosegrid")))
    }

    /// Starts it by a command of its own.
    pub(super) fn start_by(&self, mut command: Command) -> Running {
        command.current_dir(self.path()).args(self.words(&[])).stdout(Stdio::null());
        let log = fs::File::options().create(true).append(true).open(self.path().join("log")).expect("a file");
        Running(command.stderr(log).spawn().expect("the binary is built"))
    }

    /// Waits until something holds of the states and reasons of the items.
    pub(crate) fn wait(&self, what: &str, holds: impl Fn(&[(String, String)]) -> bool) {
        self.wait_for(what, |items| {
            let text = |item: &Value, key: &str| item[key].as_str().expect("text").to_owned();
            let states: Vec<_> = items.iter().map(|item| (text(item, "state"), text(item, "reason"))).collect();
            holds(&states)
        });
    }

    /// Waits until something holds of the items.
    pub(super) fn wait_for(&self, what: &str, holds: impl Fn(&[Value]) -> bool) {
        self.wait_longer(Duration::ZERO, what, holds);
    }

    /// As [`Self::wait_for`], for so much longer.
    pub(super) fn wait_longer(&self, more: Duration, what: &str, holds: impl Fn(&[Value]) -> bool) {
        let start = Instant::now();
        while start.elapsed() < PATIENCE + more {
            let output = dosegrid(self.path(), self.words(&["list", "--json"]));
            // It may just begin, or end.
            if output.status.success() && holds(&serde_json::from_slice::<Vec<Value>>(&output.stdout).expect("JSON")) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{what}: {:?}", self.states());
    }

    /// Asserts that nothing that is written for people, and no name of a file, tells of the patient.
    pub(super) fn tells_nobody(&self, more: &str) {
        let log = fs::read_to_string(self.path().join("log")).unwrap_or_default();
        let audit: Vec<String> = files(&self.path().join("state/audit"))
            .iter()
            .map(|path| fs::read_to_string(path).expect("text"))
            .collect();
        let names: Vec<String> = files(self.path()).iter().map(|path| path.display().to_string()).collect();
        let list = self.asked(&["list"]);
        for text in [more, &log, &audit.concat(), &names.concat(), &list] {
            for name in NAMES {
                assert!(!text.contains(name), "{name}: {text}");
            }
        }
    }
}

/// A gateway that runs.
pub(crate) struct Running(Child);

impl Running {
    /// SIGKILL.
    pub(super) fn kill(mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("a child");
    }

    /// SIGTERM.
    pub(super) fn terminate(&self) {
        kill_process(Pid::from_child(&self.0), Signal::TERM).expect("it runs");
    }

    /// How it has ended.
    pub(super) fn ended(mut self) -> std::process::ExitStatus {
        self.0.wait().expect("a child")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have been killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
