//! `dosegrid doctor`: would a service with these keys run well here? A line for each part, with what to do.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::serve::{self, memory};
use super::settings::Settings;
use super::stdout;
use super::store_flags::StoreArgs;
use crate::api::{CredentialFiles, Credentials, ServerConfig, certificate_is_good};
use crate::domain::{DoseError, Invalid, Violation};
use crate::engine::Device;
use crate::store::{OpenError, audit_known};

/// A certificate that ends within this time has to be renewed now.
const RENEW: Duration = Duration::from_secs(14 * 86_400);
/// Open files that a service needs beside its connections.
const FILES: u64 = 256;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    serve: serve::Args,
}

impl Args {
    pub(super) fn set(&mut self, settings: Settings) {
        self.serve.settings = settings;
    }
}

/// The port of a broker whose address has none.
const BROKER_PORT: u16 = 4222;
/// Longest wait for a broker.
const BROKER_WAIT: Duration = Duration::from_secs(2);

/// What was found of one part.
type Found = Result<String, String>;

/// The report: a line for each part.
#[derive(Debug, Default)]
struct Report {
    text: String,
    faults: usize,
}

impl Report {
    fn add(&mut self, part: &str, found: Found) {
        let (word, text) = match found {
            Ok(text) => ("ok", text),
            Err(text) => {
                self.faults += 1;
                ("FAULT", text)
            }
        };
        self.text.push_str(&format!("{word:<6}{part}: {text}\n"));
    }
}

pub(super) fn run(args: &Args) -> Result<(), DoseError> {
    let serve = &args.serve;
    let mut report = Report::default();
    let config = serve.limits();
    match serve.check() {
        Ok(checked) => {
            report.add("keys", Ok("all can be used".into()));
            report.add("listen", listen(checked.addresses(), &serve.listen));
            if let Some((addresses, name)) = checked.page_addresses().zip(serve.door.page_listen.as_deref()) {
                report.add("status page", listen(addresses, name));
            }
        }
        Err(error) => {
            for Violation { field, reason } in error.violations() {
                report.add(&field, Err(reason));
            }
        }
    }
    report.add(
        "device",
        match Device::open(serve.device) {
            Ok(device) => Ok(format!("{} can be opened", device.info().name)),
            Err(error) => Err(format!("{error}; `dosegrid devices` lists those that there are")),
        },
    );
    report.add("memory", of_memory(serve));
    report.add("files", open_files(&config));
    report.add("clock", clock(SystemTime::now()));
    let credentials = &config.credentials;
    if let Some(path) = &credentials.tls_certificate {
        report.add("certificate", certificate(path));
    }
    if let Some(path) = &credentials.tls_client_ca {
        report.add("client authority", certificate(path));
    }
    report.add("identities", identities(credentials));
    if let Some(folder) = &serve.store.store {
        report.add("store", store(folder));
        report.add("disk", disk(folder, &serve.store));
    }
    report.add("queue", queue(serve));
    stdout::print(&report.text)?;
    match report.faults {
        0 => Ok(()),
        faults => Err(DoseError::Io(format!("{faults} faults"))),
    }
}

fn listen(addresses: &[std::net::SocketAddr], listen: &str) -> Found {
    match std::net::TcpListener::bind(addresses) {
        Ok(_) => Ok(format!("{listen} is free")),
        Err(error) => Err(format!("{listen}: {error}; if a service runs there, this is as it should be")),
    }
}

fn of_memory(serve: &serve::Args) -> Found {
    let limit = memory::limit_bytes(serve.memory_mib, serve.settings.is_given("memory_mib"));
    let limit = limit.map_err(|error| error.to_string())? >> 20;
    Ok(match memory::available_bytes() {
        Some(available) => format!("{limit} MiB of {} MiB for requests", available >> 20),
        None => format!("{limit} MiB for requests"),
    })
}

fn open_files(config: &ServerConfig) -> Found {
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let needed = config.max_connections as u64 + FILES;
    match most {
        Some(most) if most < needed => {
            Err(format!("{most} may be open, {needed} are needed: raise the limit, or lower --max-connections"))
        }
        _ => Ok(format!("enough may be open for {} connections", config.max_connections)),
    }
}

/// Who may call.
fn identities(credentials: &CredentialFiles) -> Found {
    match (credentials.has_identities(), &credentials.tls_client_ca) {
        (true, _) => match Credentials::load(credentials) {
            Ok(_) => Ok("can be read".into()),
            Err(error) => Err(error.to_string()),
        },
        (false, Some(_)) => Err("a client needs a certificate, but nobody is known by one: give --identities".into()),
        (false, None) => {
            Ok("none: only callers on this machine are served; --identities or --jwt-keys for others".into())
        }
    }
}

/// Whether a store is there, or can be made. Nothing is changed.
fn store(folder: &Path) -> Found {
    if !folder.exists() {
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let may_write = rustix::fs::access(parent, rustix::fs::Access::WRITE_OK).is_ok();
        return if may_write {
            Ok(format!("{} will be made", folder.display()))
        } else {
            Err(format!("{} cannot be made: make it, owned by the user of the service", folder.display()))
        };
    }
    if !folder.join("format").is_file() {
        let is_empty = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
        return if is_empty {
            Ok(format!("{} is empty: a store will be made there", folder.display()))
        } else {
            Err(format!("{} holds other files and no store: name another folder", folder.display()))
        };
    }
    match audit_known(folder) {
        Ok(known) => {
            let records = known.head.records;
            Ok(format!("{} can be opened; {records} records in its audit log", folder.display()))
        }
        Err(OpenError::InUse(_)) => Ok(format!("{} is in use: a service has it", folder.display())),
        Err(error) => Err(format!("{error}; `dosegrid store check` says more")),
    }
}

/// Whether the disk has more room than is kept free.
fn disk(folder: &Path, store: &StoreArgs) -> Found {
    let there = folder.ancestors().find(|place| place.exists()).unwrap_or(Path::new("."));
    let disk = rustix::fs::statvfs(there).map_err(|error| error.to_string())?;
    let free_mib = disk.f_bavail.saturating_mul(disk.f_frsize) >> 20;
    let kept_mib = store.options().map_err(|error| error.to_string())?.reserve_bytes >> 20;
    if free_mib <= kept_mib {
        let what = "make room, or lower --store-reserve-mib";
        return Err(format!("{free_mib} MiB are free, and {kept_mib} MiB are kept free: {what}"));
    }
    Ok(format!("{free_mib} MiB are free, {kept_mib} MiB of them are kept free"))
}

/// Where jobs wait, and who computes them.
fn queue(serve: &serve::Args) -> Found {
    match serve.queue.options().map_err(|error| error.to_string())? {
        Some(options) => broker(&options.place()),
        None if serve.store.store.is_some() => Ok("of the store, for the device of this machine".into()),
        None => Ok("in memory: nothing lasts".into()),
    }
}

/// Whether a broker answers. Nobody signs in.
fn broker(place: &str) -> Found {
    let reached = place.split(',').any(|address| {
        let host = address.split_once("://").map_or(address, |(_, host)| host);
        let host = if host.contains(':') { host.to_owned() } else { format!("{host}:{BROKER_PORT}") };
        let addresses = std::net::ToSocketAddrs::to_socket_addrs(&host).into_iter().flatten();
        addresses.into_iter().any(|address| std::net::TcpStream::connect_timeout(&address, BROKER_WAIT).is_ok())
    });
    match reached {
        true => Ok(format!("of the store, for workers at {place}, which answers")),
        false => Err(format!("{place} does not answer: start nats-server there, or correct --queue")),
    }
}

/// A clock that is behind the files of this program was never set.
fn clock(now: SystemTime) -> Found {
    let program = std::env::current_exe().and_then(|path| fs::metadata(path)?.modified());
    match program {
        Ok(built) if built > now => Err("is behind the date of this program: set it, and keep it by NTP".into()),
        _ => Ok(format!("{}", jiff::Timestamp::try_from(now).unwrap_or_default())),
    }
}

fn certificate(path: &Path) -> Found {
    let now = SystemTime::now();
    certificate_is_good(path, now).map_err(|Invalid(reason)| format!("{reason}; get a new one"))?;
    certificate_is_good(path, now + RENEW)
        .map_err(|Invalid(reason)| format!("it ends within 14 days ({reason} then); renew it"))?;
    Ok("is valid now and in 14 days".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_found() {
        assert!(clock(SystemTime::UNIX_EPOCH).is_err());
        assert!(clock(SystemTime::now()).is_ok());
    }

    #[test]
    fn a_store_that_cannot_be_is_found_and_nothing_is_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let absent = folder.path().join("store");
        assert!(store(&absent).is_ok() && !absent.exists());
        assert!(store(folder.path()).is_ok(), "an empty folder");
        fs::write(folder.path().join("letter"), "dear").expect("a writable folder");
        assert!(store(folder.path()).expect_err("other files").contains("another folder"));
        fs::write(folder.path().join("format"), "dosegrid store 99\n").expect("a writable folder");
        assert!(store(folder.path()).expect_err("a newer one").contains("99"));
    }

    #[test]
    fn a_broker_answers_or_not() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let place = format!("nats://{}", listener.local_addr().expect("a bound socket"));
        assert!(broker(&place).is_ok());
        drop(listener);
        assert!(broker(&place).is_err_and(|text| text.contains("--queue")));
    }

    #[test]
    fn faults_are_counted_and_told() {
        let mut report = Report::default();
        report.add("a", Ok("good".into()));
        report.add("b", Err("bad".into()));
        assert_eq!((report.faults, report.text.as_str()), (1, "ok    a: good\nFAULT b: bad\n"));
    }
}
