//! Archives of others on loopback: where this process may, on that of a network namespace which nobody else sees.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::ports::free_port;

/// Where Debian puts programs, for those who are not root.
const PROGRAMS: &str = "/usr/sbin:/usr/local/sbin:/sbin";
/// The plugin of Orthanc for DICOMweb, as Debian installs it.
const PLUGIN: &str = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so";
/// After so long, a program is taken not to begin: a safety net, and no measure of speed.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often a program is started again whose port another took first.
const TRIES: usize = 5;

/// Loopback for programs of a test.
pub(crate) struct Network {
    /// Holds the namespace; none where there is none, and loopback is that of the machine.
    holder: Option<Child>,
}

impl Network {
    /// A namespace of its own; without the right to make one, or the programs for it, the loopback of the machine.
    pub(crate) fn own() -> Self {
        // It ends with this process, which holds its standard input.
        let mut command = with_path("unshare");
        command.args(["--net", "sh", "-c", "ip link set lo up && echo up && exec cat"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(mut holder) = command.spawn() else { return Self { holder: None } };
        let mut line = String::new();
        let stdout = holder.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("text");
        if line.trim() == "up" {
            return Self { holder: Some(holder) };
        }
        holder.wait().expect("a child that has said all");
        Self { holder: None }
    }

    /// A program in this network.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let Some(holder) = &self.holder else { return with_path(program) };
        let mut command = with_path("nsenter");
        command.args(["--target", &holder.id().to_string(), "--net", "--"]).arg(program);
        command
    }

    /// Runs `dosegrid` in this network.
    pub(crate) fn dosegrid(&self, folder: &Path, args: &[&str]) -> Output {
        let mut command = self.command(env!("CARGO_BIN_EXE_dosegrid"));
        command.current_dir(folder).args(args).output().expect("the binary is built with the tests")
    }

    /// A port that nobody has now. In a namespace nobody can take it.
    fn free_port(&self, number: u16) -> u16 {
        if self.holder.is_some() { number } else { free_port() }
    }

    /// Starts a program on free ports until it answers.
    ///
    /// * `command` – the program, for these ports
    /// * `answers` – whether it does, on these ports
    pub(crate) fn start<const N: usize>(
        &self,
        ports: [u16; N],
        mut command: impl FnMut([u16; N]) -> Command,
        answers: impl Fn([u16; N]) -> bool,
    ) -> Program<N> {
        for _ in 0..TRIES {
            let ports = ports.map(|number| self.free_port(number));
            let process = command(ports).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            let mut program = Program { process: process.expect("it was there when this was built"), ports };
            let begun = Instant::now();
            loop {
                if program.has_ended() {
                    break;
                }
                if answers(ports) && !program.has_ended() {
                    return program;
                }
                assert!(begun.elapsed() < PATIENCE, "it does not begin");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        panic!("it ended {TRIES} times before it answered");
    }

    /// Orthanc with DICOMweb, on a port for C-STORE, C-FIND and C-GET, and one for HTTP.
    ///
    /// * `folder` – what is its own
    pub(crate) fn orthanc(&self, folder: &Path) -> Orthanc {
        let config = folder.join("orthanc.json");
        // Of no other Orthanc, should one have taken the port meanwhile.
        let root = folder.file_name().expect("a temporary folder").to_string_lossy().trim_start_matches('.').to_owned();
        let command = |[dicom, http, gateway]: [u16; 3]| {
            let store = folder.join("store");
            let said = serde_json::json!({
                "Name": "of a test", "StorageDirectory": store, "IndexDirectory": store, "DicomAet": "ORTHANC",
                "DicomPort": dicom, "HttpPort": http, "RemoteAccessAllowed": false, "AuthenticationEnabled": false,
                "DicomCheckCalledAet": true,
                "DicomModalities": { "gateway": {
                    "AET": "DOSEGRID", "Host": "127.0.0.1", "Port": gateway, "AllowStorageCommitment": true,
                } },
                "DicomAlwaysAllowFind": true, "DicomAlwaysAllowGet": true, "Plugins": [PLUGIN],
                "DicomWeb": { "Enable": true, "Root": format!("/{root}/") },
            });
            std::fs::write(&config, said.to_string()).expect("a writable folder");
            let mut command = self.command("Orthanc");
            command.arg(&config);
            command
        };
        let web = |http: u16| format!("http://127.0.0.1:{http}/{root}");
        let program = self.start([4242, 8042, 11113], command, |[_, http, _]| {
            let output = self.dosegrid(folder, &["inspect", "1.2.3", "--dicom-web", &web(http)]);
            String::from_utf8_lossy(&output.stderr).contains("has no study and no series 1.2.3")
        });
        let [dicom, http, gateway] = program.ports;
        Orthanc { _program: program, dicom, web: web(http), gateway }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(mut holder) = self.holder.take() {
            end(&mut holder);
        }
    }
}

/// A program that serves, until dropped.
pub(crate) struct Program<const N: usize> {
    process: Child,
    pub(crate) ports: [u16; N],
}

impl<const N: usize> Program<N> {
    fn has_ended(&mut self) -> bool {
        self.process.try_wait().expect("it is a child of this process").is_some()
    }
}

impl<const N: usize> Drop for Program<N> {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// Orthanc, until dropped.
pub(crate) struct Orthanc {
    _program: Program<3>,
    /// Its port for C-STORE, C-FIND and C-GET.
    pub(crate) dicom: u16,
    /// Its address of DICOMweb.
    pub(crate) web: String,
    /// The port to which it reports on storage commitment.
    pub(crate) gateway: u16,
}

fn end(process: &mut Child) {
    // It may have ended by itself.
    let _ = process.kill();
    process.wait().expect("a killed process ends");
}

fn with_path(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", format!("{}:{PROGRAMS}", std::env::var("PATH").unwrap_or_default()));
    command
}
