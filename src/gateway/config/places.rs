//! Sources and destinations.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;

use super::section::{Faults, Section};
use super::tls;
use super::{
    Commitment, CommitmentWay, Destination, DestinationKind, Login, Source, SourceKind, StoreSource, Token, WebSource,
};
use crate::domain::Invalid;
use crate::pacs::{Peer, Web, is_title};

/// After nothing came for so long, a study is looked at.
const QUIET: Duration = Duration::from_secs(120);
/// After nothing came for so long, what is not whole is put aside.
const LIMIT: Duration = Duration::from_secs(24 * 3600);
/// How often an object is tried, and how long the first wait is: with doubled waits, over eight hours.
const ATTEMPTS: u32 = 10;
const BACKOFF: Duration = Duration::from_secs(60);
/// How long a report of storage commitment is waited for.
const COMMITMENT: Duration = Duration::from_secs(3600);
/// Title that the gateway calls itself by.
const CALLING: &str = "DOSEGRID";
/// Most bytes of a file with a token, a password or certificates.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The address that is told of what is done.
pub(super) fn webhook(file: &mut Section<'_, '_>, faults: &mut Faults<'_>) -> Option<String> {
    let url = file.text("webhook", faults)?;
    if !url.starts_with("https://") && !url.starts_with("http://") {
        file.fault("webhook", "is a URL such as https://notify.example/dose", faults);
    }
    Some(url)
}

/// Where metrics are served.
pub(super) fn metrics(file: &mut Section<'_, '_>, faults: &mut Faults<'_>) -> Option<SocketAddr> {
    let text = file.text("metrics", faults)?;
    address(file, "metrics", &text, faults)
}

pub(super) fn sources(file: &mut Section<'_, '_>, base: &Path, faults: &mut Faults<'_>) -> Vec<Source> {
    let sections = file.tables("source", faults);
    if sections.is_empty() {
        file.fault("source", "is needed: at least one [[source]]", faults);
    }
    let mut found: Vec<Source> = Vec::new();
    for mut section in sections {
        let name = name(&mut section, found.iter().map(|one| one.name.as_str()), faults);
        let quiet = section.time("quiet", QUIET, faults);
        let limit = section.time("limit", LIMIT.max(quiet), faults);
        if limit < quiet {
            section.fault("limit", "is at least as long as `quiet`", faults);
        }
        let kind = match section.needed("kind", faults).as_deref() {
            Some("folder") => folder(&mut section, base, faults),
            Some("c-store") => store(&mut section, base, faults),
            Some("stow-rs") => stow(&mut section, base, faults),
            Some("orthanc") => orthanc(&mut section, base, faults),
            Some(other) => {
                let reason = format!("is one of folder, c-store, stow-rs, orthanc; got `{other}`");
                section.fault("kind", &reason, faults);
                continue;
            }
            None => continue,
        };
        section.finish(faults);
        if let (Some(name), Some(kind)) = (name, kind) {
            found.push(Source { name, kind, quiet, limit });
        }
    }
    found
}

/// Names that tables of an array have, whatever else is at fault in them.
pub(super) fn declared(file: &DeTable<'_>, key: &str) -> Vec<String> {
    let tables = file.get(key).and_then(|value| value.get_ref().as_array());
    let named = tables
        .into_iter()
        .flat_map(|tables| tables.iter())
        .filter_map(|table| Some(table.get_ref().as_table()?.get("name")?.get_ref().as_str()?.to_owned()));
    named.collect()
}

pub(super) fn name<'a>(
    section: &mut Section<'_, '_>,
    mut others: impl Iterator<Item = &'a str>,
    faults: &mut Faults<'_>,
) -> Option<String> {
    let name = section.needed("name", faults)?;
    if others.any(|other| other == name) {
        section.fault("name", &format!("is there twice: `{name}`"), faults);
    }
    Some(name)
}

fn folder(section: &mut Section<'_, '_>, base: &Path, faults: &mut Faults<'_>) -> Option<SourceKind> {
    let path = section.needed("path", faults).map(|path| base.join(path));
    let deletes = section.one_of("after", &[("keep", false), ("delete", true)], faults);
    let path = path?;
    if !path.is_dir() {
        section.fault("path", &format!("{} is no folder", path.display()), faults);
    }
    Some(SourceKind::Folder { path, deletes })
}

fn store(section: &mut Section<'_, '_>, base: &Path, faults: &mut Faults<'_>) -> Option<SourceKind> {
    let listen = listen(section, faults);
    let called = section.texts("called", faults);
    if called.is_empty() {
        section.fault("called", "is needed: the titles that this application entity is called by", faults);
    }
    let calling = section.texts("calling", faults);
    for (key, titles) in [("called", &called), ("calling", &calling)] {
        for title in titles.iter().filter(|title| !is_title(title)) {
            let reason = format!("has no title of an application entity, at most 16 plain characters: `{title}`");
            section.fault(key, &reason, faults);
        }
    }
    let addresses = addresses(section, faults);
    let tls = tls::serving(section, base, faults);
    Some(SourceKind::Store(StoreSource { listen: listen?, called, calling, addresses, tls }))
}

fn stow(section: &mut Section<'_, '_>, base: &Path, faults: &mut Faults<'_>) -> Option<SourceKind> {
    let listen = listen(section, faults);
    let token = secret(section, "token_file", base, faults).map(Token);
    let addresses = addresses(section, faults);
    let tls = tls::serving(section, base, faults);
    if token.is_some() && !section.has("certificate") && listen.is_some_and(|listen| !listen.ip().is_loopback()) {
        section.fault("token_file", "goes over the network in the clear: give certificate and key", faults);
    }
    Some(SourceKind::Web(WebSource { listen: listen?, token, addresses, tls }))
}

/// Where a source listens.
fn listen(section: &mut Section<'_, '_>, faults: &mut Faults<'_>) -> Option<SocketAddr> {
    let text = section.needed("listen", faults)?;
    address(section, "listen", &text, faults)
}

fn address(section: &Section<'_, '_>, key: &str, text: &str, faults: &mut Faults<'_>) -> Option<SocketAddr> {
    let address = text.parse::<SocketAddr>().ok();
    if address.is_none() {
        section.fault(key, &format!("is an address and a port, such as 0.0.0.0:11112; got `{text}`"), faults);
    }
    address
}

/// Addresses that may call.
fn addresses(section: &mut Section<'_, '_>, faults: &mut Faults<'_>) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    for text in section.texts("addresses", faults) {
        match text.parse::<IpAddr>() {
            Ok(address) => addresses.push(address),
            Err(_) => section.fault("addresses", &format!("has no IP address: `{text}`"), faults),
        }
    }
    addresses
}

fn orthanc(section: &mut Section<'_, '_>, base: &Path, faults: &mut Faults<'_>) -> Option<SourceKind> {
    let url = section.needed("url", faults);
    let login = login(section, base, faults);
    let url = url?.trim_end_matches('/').to_owned();
    let is_here = ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|start| url.starts_with(start));
    if !url.starts_with("https://") && !url.starts_with("http://") {
        section.fault("url", "is a URL such as https://orthanc.example", faults);
    } else if section.has("user") && !url.starts_with("https://") && !is_here {
        section.fault("url", "is plain http: the password would go over the network in the clear", faults);
    }
    Some(SourceKind::Orthanc { url, login })
}

/// User and password.
pub(super) fn login(section: &mut Section<'_, '_>, base: &Path, faults: &mut Faults<'_>) -> Option<Login> {
    let user = section.text("user", faults);
    let password = secret(section, "password_file", base, faults);
    if user.is_some() != section.has("password_file") {
        section.fault("user", "and password_file go together", faults);
    }
    user.zip(password).map(|(user, password)| Login { user, password })
}

/// What a file holds, without white space at its ends.
fn secret(section: &mut Section<'_, '_>, key: &'static str, base: &Path, faults: &mut Faults<'_>) -> Option<String> {
    let path = section.text(key, faults)?;
    let read = bytes(&base.join(path)).and_then(|bytes| {
        let text = String::from_utf8(bytes).map_err(|_| Invalid::new("is no text"))?.trim().to_owned();
        if text.is_empty() { Err(Invalid::new("is empty")) } else { Ok(text) }
    });
    read.map_err(|Invalid(reason)| section.fault(key, &reason, faults)).ok()
}

pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, Invalid> {
    let cannot = |error: std::io::Error| Invalid::new(format!("{} cannot be read: {error}", path.display()));
    if fs::metadata(path).map_err(cannot)?.len() > MAX_FILE_BYTES {
        return Err(Invalid::new("is too large"));
    }
    fs::read(path).map_err(cannot)
}

pub(super) fn destinations(file: &mut Section<'_, '_>, base: &Path, faults: &mut Faults<'_>) -> Vec<Destination> {
    let sections = file.tables("destination", faults);
    if sections.is_empty() {
        file.fault("destination", "is needed: at least one [[destination]]", faults);
    }
    let mut found: Vec<Destination> = Vec::new();
    for mut section in sections {
        let name = name(&mut section, found.iter().map(|one| one.name.as_str()), faults);
        let attempts = section.count("attempts", faults).unwrap_or(ATTEMPTS);
        let backoff = section.time("backoff", BACKOFF, faults);
        let kind = match section.needed("kind", faults).as_deref() {
            Some("folder") => destination_folder(&mut section, base, faults),
            Some("c-store") => peer(&mut section, base, faults),
            Some("dicom-web") => web(&mut section, "url", base, faults).map(DestinationKind::Web),
            Some(other) => {
                let reason = format!("is one of folder, c-store, dicom-web; got `{other}`");
                section.fault("kind", &reason, faults);
                continue;
            }
            None => continue,
        };
        section.finish(faults);
        if let (Some(name), Some(kind)) = (name, kind) {
            found.push(Destination { name, kind, attempts, backoff });
        }
    }
    found
}

fn destination_folder(section: &mut Section<'_, '_>, base: &Path, faults: &mut Faults<'_>) -> Option<DestinationKind> {
    let path: PathBuf = base.join(section.needed("path", faults)?);
    if !path.is_dir() {
        section.fault("path", &format!("{} is no folder", path.display()), faults);
    }
    Some(DestinationKind::Folder(path))
}

fn peer(section: &mut Section<'_, '_>, base: &Path, faults: &mut Faults<'_>) -> Option<DestinationKind> {
    let to = section.needed("to", faults);
    let peer =
        to.and_then(|text| Peer::parse(&text).map_err(|Invalid(reason)| section.fault("to", &reason, faults)).ok());
    let calling = section.text("calling", faults).unwrap_or_else(|| CALLING.to_owned());
    if !is_title(&calling) {
        section.fault("calling", "is the title of an application entity: at most 16 plain characters", faults);
    }
    let tls = tls::calling(section, base, faults);
    let read_back = web(section, "read_back", base, faults);
    let commitment = commitment(section, faults);
    Some(DestinationKind::Store { peer: peer?, calling, tls, read_back, commitment })
}

/// How an archive is asked whether it keeps what it was sent.
fn commitment(section: &mut Section<'_, '_>, faults: &mut Faults<'_>) -> Option<Commitment> {
    use CommitmentWay::{NewAssociation, SameAssociation};
    let ways = [("no", None), ("same-association", Some(SameAssociation)), ("new-association", Some(NewAssociation))];
    let way = section.one_of("commitment", &ways, faults);
    let limit = section.time("commitment_limit", COMMITMENT, faults);
    if way.is_none() && section.has("commitment_limit") {
        section.fault("commitment_limit", "has no effect without `commitment`", faults);
    }
    if way.is_some() && section.has("read_back") {
        section.fault("commitment", "has no effect with `read_back`, which proves more", faults);
    }
    Some(Commitment { way: way?, limit })
}

/// Checks that archives which report on associations of their own find a source that takes them.
pub(super) fn heard(file: &Section<'_, '_>, sources: &[Source], destinations: &[Destination], faults: &mut Faults<'_>) {
    for Destination { name, kind, .. } in destinations {
        let DestinationKind::Store { peer, calling, commitment: Some(commitment), .. } = kind else { continue };
        let hears = |source: &Source| {
            let SourceKind::Store(store) = &source.kind else { return false };
            let is_called = store.called.iter().any(|title| title.trim() == calling.trim());
            is_called
                && (store.calling.is_empty() || store.calling.iter().any(|title| title.trim() == peer.title().trim()))
        };
        if commitment.way == CommitmentWay::NewAssociation && !sources.iter().any(hears) {
            let reason = format!(
                "`{name}` reports on associations of its own: it needs a [[source]] of kind c-store that is called \
                 `{calling}` and lets `{}` call, and the address of the archive in it",
                peer.title()
            );
            file.fault("destination", &reason, faults);
        }
    }
}

/// A DICOMweb server; none where the key is not there and need not be.
pub(super) fn web(
    section: &mut Section<'_, '_>,
    key: &'static str,
    base: &Path,
    faults: &mut Faults<'_>,
) -> Option<Web> {
    let url = if key == "url" { section.needed(key, faults) } else { section.text(key, faults) };
    let token = secret(section, "token_file", base, faults);
    let ca = section
        .text("ca", faults)
        .and_then(|path| bytes(&base.join(path)).map_err(|Invalid(reason)| section.fault("ca", &reason, faults)).ok());
    Web::new(&url?, token, ca.as_deref()).map_err(|Invalid(reason)| section.fault(key, &reason, faults)).ok()
}
