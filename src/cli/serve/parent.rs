//! What a program needs that starts a service: where it listens, and that it ends with its parent.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tokio::sync::oneshot;

use crate::domain::DoseError;

/// The flags of a program that starts a service.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ParentArgs {
    /// Once it listens, write address, process id and version to this file as JSON, whole or not at all
    #[arg(long, value_name = "FILE")]
    pub(super) ready_file: Option<PathBuf>,
    /// End when standard input is closed, as if by SIGTERM: so the service ends with the program that started it,
    /// however that ends
    #[arg(long)]
    pub(super) end_with_stdin: bool,
}

/// What stands in the file.
#[derive(Serialize)]
struct Ready {
    address: SocketAddr,
    pid: u32,
    version: &'static str,
    tls: bool,
}

/// Writes where this service listens, under another name first: who sees the file can read all of it.
///
/// # Errors
/// [`DoseError::Invalid`] if it cannot be written.
pub(super) fn tell(path: &Path, address: SocketAddr, tls: bool) -> Result<(), DoseError> {
    let ready = Ready { address, pid: std::process::id(), version: env!("CARGO_PKG_VERSION"), tls };
    let text = serde_json::to_string(&ready).expect("numbers and plain texts");
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> std::io::Result<_> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        writeln!(file, "{text}")?;
        file.persist(path).map_err(|error| error.error)
    };
    write().map(drop).map_err(|error| DoseError::invalid("ready-file", format!("cannot be written: {error}")))
}

/// Ends when standard input is closed. What comes through it before is dropped.
pub(super) async fn stdin_closed() {
    let (closed, wait) = oneshot::channel();
    // On a thread of its own, which nobody waits for: a read cannot be interrupted.
    std::thread::spawn(move || {
        // Closed, or broken: either way the parent is gone.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = closed.send(());
    });
    // Without a thread nothing is known of the parent.
    if wait.await.is_err() {
        std::future::pending::<()>().await;
    }
}
