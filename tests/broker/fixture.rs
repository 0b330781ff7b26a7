//! NATS, a gateway and workers, each a process on loopback that ends with its owner.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::way::Way;
use crate::support::command::Server;
use crate::support::ports::free_port;

/// Where Debian puts it, for those who are not root.
const PROGRAMS: &str = "/usr/sbin:/usr/local/sbin";
/// After so long, a process is taken not to begin.
const PATIENCE: Duration = Duration::from_secs(60);

/// A broker and a store.
pub(super) struct Site {
    broker: Option<Child>,
    port: u16,
    options: Vec<String>,
    folder: tempfile::TempDir,
}

impl Site {
    /// Starts a broker.
    ///
    /// * `options` – more of `nats-server`
    pub(super) fn start(options: &[&str]) -> Self {
        let port = free_port();
        let options = options.iter().map(ToString::to_string).collect();
        let mut site = Self { broker: None, port, options, folder: tempfile::tempdir().expect("a folder") };
        site.start_broker();
        site
    }

    pub(super) fn start_broker(&mut self) {
        let mut command = Command::new("nats-server");
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:{PROGRAMS}"));
        command.args(["-js", "-a", "127.0.0.1", "-p", &self.port.to_string(), "-sd"]).arg(self.broker_folder());
        command.args(&self.options).stdout(Stdio::null()).stderr(Stdio::null());
        self.broker = Some(command.spawn().expect("nats-server is there"));
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "the broker does not begin");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills the broker.
    pub(super) fn stop_broker(&mut self) {
        if let Some(mut broker) = self.broker.take() {
            broker.kill().expect("it runs");
            broker.wait().expect("a killed process ends");
        }
    }

    /// Sends the broker a signal.
    pub(super) fn signal_broker(&self, signal: Signal) {
        kill_process(Pid::from_child(self.broker.as_ref().expect("it runs")), signal).expect("it runs");
    }

    fn broker_folder(&self) -> std::path::PathBuf {
        self.folder.path().join("nats")
    }

    /// Has the broker, which does not run, lose all it had.
    pub(super) fn lose_broker_data(&self) {
        std::fs::remove_dir_all(self.broker_folder()).expect("it has written");
    }

    pub(super) fn store(&self) -> std::path::PathBuf {
        self.folder.path().join("store")
    }

    pub(super) fn url(&self) -> String {
        let scheme = if self.options.iter().any(|option| option == "--tls") { "tls" } else { "nats" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// What lies under the streams and objects of the broker.
    pub(super) async fn jetstream(&self) -> async_nats::jetstream::Context {
        async_nats::jetstream::new(async_nats::connect(self.url()).await.expect("it runs"))
    }

    /// Starts the gateway.
    pub(super) fn gateway(&self, flags: &[&str]) -> Server {
        self.gateway_of(&self.store(), flags)
    }

    /// Starts the gateway of a store.
    pub(super) fn gateway_of(&self, store: &Path, flags: &[&str]) -> Server {
        let queue = self.url();
        crate::durable::restart::serve(store, &[&["--queue", &queue], flags].concat())
    }

    /// Starts the gateway at an address.
    pub(super) fn gateway_at(&self, address: &str) -> Server {
        let store = self.store();
        let flags = ["--store", store.to_str().expect("a path of text"), "--store-reserve-mib", "0", "--queue"];
        let flags = flags.map(String::from).into_iter().chain([self.url()]).collect::<Vec<_>>();
        Server::with(address, &flags)
    }

    pub(super) fn worker(&self, flags: &[&str]) -> Worker {
        self.worker_by(&self.url(), flags)
    }

    /// Starts a worker that reaches the broker by another way.
    pub(super) fn worker_by(&self, url: &str, flags: &[&str]) -> Worker {
        Worker::start(self.folder.path(), url, flags)
    }

    /// A way to the broker that can be cut.
    pub(super) async fn way(&self) -> Way {
        Way::to(self.port).await
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop_broker();
    }
}

/// `dosegrid worker` on the CPU, until dropped.
pub(super) struct Worker {
    process: Child,
    // Held open: a worker whose stdout is closed could fail to print.
    _stdout: BufReader<ChildStdout>,
    log: tempfile::NamedTempFile,
    /// What it said first.
    pub(super) first_line: String,
}

impl Worker {
    fn start(folder: &Path, url: &str, flags: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dosegrid"));
        command.current_dir(folder).args(["worker", "--queue", url, "--device", "cpu"]).args(flags);
        let log = tempfile::NamedTempFile::new_in(folder).expect("a writable folder");
        let stderr = log.as_file().try_clone().expect("an open file");
        command.env_remove("RUST_LOG").stdout(Stdio::piped()).stderr(stderr);
        let mut process = command.spawn().expect("the binary is built");
        let mut stdout = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let mut first_line = String::new();
        stdout.read_line(&mut first_line).expect("the worker says that it works");
        assert!(first_line.starts_with(&format!("working for {url} with ")), "{first_line}");
        Self { process, _stdout: stdout, log, first_line }
    }

    /// Its log so far.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).expect("its log is text")
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("it runs");
    }

    /// Asks it to end, and waits until it has.
    pub(super) fn terminate(self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Its exit status, once it has ended.
    pub(super) fn ended(mut self) -> Option<i32> {
        self.process.wait().expect("it is a child of this process").code()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        self.process.wait().expect("a killed process ends");
    }
}
