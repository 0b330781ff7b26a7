//! Calls of a server, for the commands that can leave their work to one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::api::client::{Access, Client};
use crate::api::status::in_words_of_flags;
use crate::domain::{Checks, DoseError, Invalid, Violation};

/// Longest file of a certificate, key or token [bytes].
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Flags of a server, and of who calls it.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Server")]
pub(super) struct RemoteArgs {
    /// Leave the work to this server instead of this process, such as https://dose.example:50051
    #[arg(long, value_name = "URL")]
    pub(super) server: Option<String>,
    /// Authorities that the server's certificate may be from, as PEM [env: DOSEGRID_CA] [default: those of the system]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Token to call with; others on this machine can read the command line [env: DOSEGRID_TOKEN]
    #[arg(long, value_name = "TEXT")]
    token: Option<String>,
    /// File with the token to call with
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
    /// Certificate to call with, as PEM
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_certificate: Option<PathBuf>,
    /// Key of that certificate, as PEM
    #[arg(long, value_name = "FILE", requires = "client_certificate")]
    client_key: Option<PathBuf>,
}

/// A server, and who calls it.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    url: String,
    access: Access,
}

impl RemoteArgs {
    /// The flags as words, without the token.
    pub(super) fn words(&self) -> Vec<OsString> {
        let url = self.server.as_ref().map(|url| OsString::from("--server=".to_owned() + url));
        let files = [
            ("--ca", &self.ca),
            ("--token-file", &self.token_file),
            ("--client-certificate", &self.client_certificate),
            ("--client-key", &self.client_key),
        ];
        let files = files.into_iter().filter_map(|(flag, path)| {
            let mut word = OsString::from(flag);
            word.push("=");
            word.push(path.as_ref()?);
            Some(word)
        });
        url.into_iter().chain(files).collect()
    }

    /// The token as a variable of the environment: others on this machine can read the command line.
    pub(super) fn secret(&self) -> Option<(&'static str, &str)> {
        Some(("DOSEGRID_TOKEN", self.token.as_deref()?))
    }

    /// The server that is asked for; none if the work is for this process. Records every fault.
    pub(super) fn check(&self, checks: &mut Checks) -> Option<Remote> {
        let Some(url) = self.server.clone() else {
            let is_given = [
                ("ca", self.ca.is_some()),
                ("token", self.token.is_some()),
                ("token-file", self.token_file.is_some()),
                ("client-certificate", self.client_certificate.is_some()),
            ];
            for (flag, _) in is_given.into_iter().filter(|(_, is_given)| *is_given) {
                checks.fail(flag, "has no effect without --server");
            }
            return None;
        };
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            checks.fail("server", format!("is a URL such as http://127.0.0.1:50051, got `{url}`"));
        }
        let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let is_tls = url.starts_with("https://");
        let of_environment = || environment("DOSEGRID_CA").filter(|_| is_tls).map(PathBuf::from);
        let ca = self.ca.clone().or_else(of_environment);
        let ca_pem = ca.and_then(|path| checks.at("ca", read_file(&path)));
        let certificate =
            self.client_certificate.as_ref().and_then(|path| checks.at("client-certificate", read_file(path)));
        let key = self.client_key.as_ref().and_then(|path| checks.at("client-key", read_file(path)));
        let of_file = self.token_file.as_ref().and_then(|path| checks.at("token-file", read_token(path)));
        let token = self.token.clone().or(of_file).or_else(|| environment("DOSEGRID_TOKEN"));
        Some(Remote {
            url,
            access: Access { ca_pem, identity_pem: certificate.zip(key), token, trace: environment("TRACEPARENT") },
        })
    }
}

impl Remote {
    /// Calls the server and waits for its answer.
    ///
    /// # Errors
    /// If nobody answers, and those of the call.
    pub(super) fn call<T>(&self, call: impl AsyncFnOnce(Client) -> Result<T, DoseError>) -> Result<T, DoseError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| DoseError::Io(format!("no asynchronous runtime: {error}")))?;
        runtime.block_on(async { call(Client::connect_with(&self.url, &self.access).await?).await })
    }
}

/// A small file, such as a certificate.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, Invalid> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| Invalid::new(format!("cannot be opened: {error}")))?;
    let read = file.take(MAX_FILE_BYTES).read_to_end(&mut bytes);
    read.map(|_| bytes).map_err(|error| Invalid::new(format!("cannot be read: {error}")))
}

/// The token of a file: its text without spaces and line ends around it.
pub(super) fn read_token(path: &Path) -> Result<String, Invalid> {
    let text = String::from_utf8(read_file(path)?).map_err(|_| Invalid::new("is not text"))?;
    match text.trim() {
        "" => Err(Invalid::new("is empty")),
        token => Ok(token.to_owned()),
    }
}

/// Faults that a server found, in the words of the command line.
///
/// * `flag` – the flag of a field
pub(super) fn in_words(error: DoseError, flag: impl Fn(String) -> String) -> DoseError {
    let DoseError::Invalid(faults) = error else { return error };
    let told = |Violation { field, reason }| Violation { field: flag(field), reason: in_words_of_flags(&reason) };
    DoseError::Invalid(faults.into_iter().map(told).collect())
}
