//! The built binary, run as a user runs it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// After so long, what a test waits for is taken not to come: a safety net, and no measure of speed.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs `dosegrid` to its end.
pub(crate) fn dosegrid(folder: &Path, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dosegrid"));
    command.current_dir(folder).args(args).output().expect("the binary is built with the tests")
}

/// Runs `dosegrid`, which must succeed, and gives its stdout.
pub(crate) fn succeed(folder: &Path, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> String {
    let output = dosegrid(folder, args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    String::from_utf8(output.stdout).expect("stdout is text")
}

/// What a run said on stderr.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("stderr is text")
}

/// Where a run says something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stream {
    /// Results.
    Stdout,
    /// Everything else.
    Stderr,
}

/// The first line that a run says on a stream. The run is then ended.
pub(crate) fn first_line(args: &[&str], stream: Stream) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dosegrid"));
    command.args(args).env_remove("RUST_LOG").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("the binary is built with the tests");
    let (stdout, stderr) = (process.stdout.take().expect("piped"), process.stderr.take().expect("piped"));
    let mut line = String::new();
    let read = match stream {
        Stream::Stdout => BufReader::new(stdout).read_line(&mut line),
        Stream::Stderr => BufReader::new(stderr).read_line(&mut line),
    };
    read.expect("text");
    process.kill().expect("it has not been waited for");
    process.wait().expect("a killed process ends");
    line
}

/// `dosegrid serve` on a free port, until dropped.
pub(crate) struct Server {
    process: Child,
    // Held open: a server whose stdout is closed could fail to print.
    _stdout: BufReader<ChildStdout>,
    /// Lines of its log, as they come.
    log: mpsc::Receiver<String>,
    /// Where it listens.
    pub(crate) url: String,
}

impl Server {
    /// Starts a server on the CPU and waits until it listens.
    pub(crate) fn start() -> Self {
        Self::listening_on("127.0.0.1:0")
    }

    /// As [`Server::start`], at an address.
    pub(crate) fn listening_on(address: &str) -> Self {
        Self::with(address, &[])
    }

    /// As [`Server::listening_on`], with more flags.
    pub(crate) fn with(address: &str, flags: &[String]) -> Self {
        Self::with_variables(address, flags, &[])
    }

    /// As [`Server::with`], with variables of the environment.
    pub(crate) fn with_variables(address: &str, flags: &[String], variables: &[(&str, &str)]) -> Self {
        let mut command = Self::command(address, flags);
        command.envs(variables.iter().copied());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary is built");
        let stderr = BufReader::new(process.stderr.take().expect("stderr is piped"));
        let (line, log) = mpsc::channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|text| line.send(text)));
        let mut stdout = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("the server says where it listens");
        let address = line.strip_prefix("listening on ").and_then(|rest| rest.split_whitespace().next());
        let scheme = if flags.iter().any(|flag| flag.starts_with("--tls-certificate")) { "https" } else { "http" };
        let url = format!("{scheme}://{}", address.expect("the server says where it listens"));
        Self { process, _stdout: stdout, log, url }
    }

    fn command(address: &str, flags: &[String]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dosegrid"));
        command.args(["serve", "--listen", address, "--device", "cpu", "--log-json"]).args(flags);
        command.env_remove("RUST_LOG");
        command
    }

    /// Starts a server and kills it after a while, whether it listens by then or not.
    pub(crate) fn kill_at_start(flags: &[String], after: Duration) {
        let mut command = Self::command("127.0.0.1:0", flags);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut process = process.expect("the binary is built");
        std::thread::sleep(after);
        process.kill().expect("it has not been waited for");
        process.wait().expect("a killed process ends");
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let process = Pid::from_child(&self.process);
        kill_process(process, signal).expect("the server runs");
    }

    /// Its exit status, once it has ended.
    pub(crate) fn ended(mut self) -> Option<i32> {
        self.process.wait().expect("it is a child of this process").code()
    }

    /// Asks it to end, and waits until it has: what it has logged since it was last asked.
    pub(crate) fn rest_of_log(mut self) -> Vec<String> {
        self.signal(Signal::TERM);
        self.process.wait().expect("it is a child of this process");
        self.log.iter().collect()
    }

    /// What it has logged since it was last asked, as far as that has come.
    pub(crate) fn log_so_far(&self) -> Vec<String> {
        self.log.try_iter().collect()
    }

    /// The next line of its log, which must come.
    pub(crate) fn next_line(&self) -> String {
        self.log.recv_timeout(PATIENCE).expect("a line is logged")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, as some tests want it.
        let _ = self.process.kill();
        self.process.wait().expect("a killed process ends");
    }
}
