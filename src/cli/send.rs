//! `dosegrid send`: DICOM files to an archive.

use std::path::PathBuf;

use serde::Serialize;

use super::dicom_web::DicomWebArgs;
use super::remote::read_file;
use super::stdout;
use crate::domain::{Checks, DoseError, Invalid};
use crate::pacs::{self, Instance, Peer, Sent, StoreTls};

/// Title of this application entity.
const CALLING: &str = "DOSEGRID";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// DICOM files with file meta information, such as those of `compute`, `convert` and `study`
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Application entity that takes them by C-STORE; without --tls the network between sees all of it
    #[arg(long, value_name = "AE@HOST:PORT", required_unless_present = "dicom_web", conflicts_with = "dicom_web")]
    to: Option<String>,
    /// Title that this program calls itself by
    #[arg(long, value_name = "AE", default_value = CALLING, conflicts_with = "dicom_web")]
    calling: String,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    web: DicomWebArgs,
    /// What became of each instance, as JSON
    #[arg(long)]
    json: bool,
}

/// Flags of C-STORE over TLS.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "TLS of C-STORE")]
struct TlsArgs {
    /// Send by TLS 1.2 or 1.3
    #[arg(long, conflicts_with = "dicom_web")]
    tls: bool,
    /// Authorities that the other side's certificate may be from, as PEM
    #[arg(long, value_name = "FILE", requires = "tls")]
    ca: Option<PathBuf>,
    /// Name in that certificate, if it is not that of --to
    #[arg(long, value_name = "HOST", requires = "tls")]
    tls_name: Option<String>,
    /// Certificate to call with, as PEM
    #[arg(long, value_name = "FILE", requires = "tls", requires = "client_key")]
    client_certificate: Option<PathBuf>,
    /// Key of that certificate, as PEM
    #[arg(long, value_name = "FILE", requires = "tls", requires = "client_certificate")]
    client_key: Option<PathBuf>,
}

impl TlsArgs {
    /// What is said of TLS; none if it is not wanted. Faults are recorded.
    fn check(&self, checks: &mut Checks) -> Option<StoreTls> {
        if !self.tls {
            return None;
        }
        let Some(ca) = &self.ca else {
            checks.fail("ca", "--ca is needed: who signs certificates of the other side");
            return None;
        };
        let ca = checks.at("ca", read_file(ca));
        let certificate =
            self.client_certificate.as_ref().and_then(|path| checks.at("client-certificate", read_file(path)));
        let key = self.client_key.as_ref().and_then(|path| checks.at("client-key", read_file(path)));
        let identity = certificate.as_deref().zip(key.as_deref());
        let tls =
            checks.at(if identity.is_some() { "client-certificate" } else { "ca" }, StoreTls::new(&ca?, identity))?;
        match &self.tls_name {
            Some(name) => checks.at("tls-name", tls.for_name(name)),
            None => Some(tls),
        }
    }
}

/// What became of a file.
#[derive(Serialize)]
struct Row {
    file: String,
    instance_uid: String,
    /// As in the standard, hexadecimal.
    status: String,
    words: &'static str,
    is_stored: bool,
}

pub(super) fn run(args: &Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let mut instances = Vec::new();
    for path in &args.files {
        let named = |Invalid(reason): Invalid| Invalid::new(format!("{}: {reason}", path.display()));
        let read = Instance::read(path).and_then(|instance| instance.check_whole().map(|()| instance));
        instances.extend(checks.at("file", read.map_err(named)));
    }
    let peer = args.to.as_deref().and_then(|text| checks.at("to", Peer::parse(text)));
    let tls = args.tls.check(&mut checks);
    let web = args.web.check(&mut checks);
    checks.finish()?;
    let mut rows: Vec<Row> = Vec::new();
    let mut told = Ok(());
    let mut each = |instance: &Instance, sent: &Sent| {
        let row = Row {
            file: instance.path.display().to_string(),
            instance_uid: sent.instance.clone(),
            status: format!("{:04X}H", sent.status),
            words: sent.words,
            is_stored: sent.is_stored(),
        };
        if !args.json && told.is_ok() {
            told = stdout::print(&format!("{}: {} {} ({})\n", row.file, row.status, row.words, row.instance_uid));
        }
        rows.push(row);
    };
    let done = match (&peer, &web) {
        (Some(peer), _) => pacs::send(&instances, peer, &args.calling, tls.as_ref(), &mut each),
        (None, Some(web)) => web.store(&instances, &mut each),
        (None, None) => Err(DoseError::invalid("to", "--to or --dicom-web is needed")),
    };
    told?;
    if args.json {
        stdout::print_json(&rows)?;
    }
    done?;
    let stored = rows.iter().filter(|row| row.is_stored).count();
    if stored < instances.len() {
        let count = instances.len();
        return Err(DoseError::Io(format!("{stored} of {count} instances were stored")));
    }
    Ok(())
}
