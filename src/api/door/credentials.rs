//! The files that say who the server is and who may call: read at start, and again at SIGHUP.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use http::{HeaderMap, header};
use tokio_rustls::TlsAcceptor;

use super::identities::Identities;
use super::io::Peer;
use super::jwt::{self, Issuers};
use super::refusals::Why;
use super::tls::{self, Asked};
use crate::api::identity::Caller;
use crate::domain::{Checks, DoseError, Invalid};

/// Longest token [bytes].
const MAX_TOKEN_BYTES: usize = 12 << 10;

/// Files with certificates, keys and identities. No secret stands in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CredentialFiles {
    /// Certificates of the server, its own first (PEM).
    pub tls_certificate: Option<PathBuf>,
    /// The key of the first certificate (PEM).
    pub tls_key: Option<PathBuf>,
    /// Authorities, one of which must have signed the certificate of every client (PEM).
    pub tls_client_ca: Option<PathBuf>,
    /// Who has which token or certificate (TOML).
    pub identities: Option<PathBuf>,
    /// Keys of issuers of tokens (JWKS).
    pub jwt_keys: Option<PathBuf>,
    /// Whom tokens must be for.
    pub jwt_audience: Option<String>,
    /// Whom tokens must be from.
    pub jwt_issuer: Option<String>,
}

/// What stands in the files.
struct Loaded {
    tls: Option<TlsAcceptor>,
    identities: Option<Identities>,
    issuers: Option<Issuers>,
}

/// What stands in the files of [`CredentialFiles`], for all connections.
pub struct Credentials {
    files: CredentialFiles,
    loaded: RwLock<Arc<Loaded>>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("files", &self.files).finish_non_exhaustive()
    }
}

impl CredentialFiles {
    /// Whether connections are encrypted.
    pub fn has_tls(&self) -> bool {
        self.tls_certificate.is_some()
    }

    /// Whether callers have to say who they are.
    pub fn has_identities(&self) -> bool {
        self.identities.is_some() || self.jwt_keys.is_some()
    }
}

impl Credentials {
    /// Reads all files.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with the fault of each key.
    pub fn load(files: &CredentialFiles) -> Result<Arc<Self>, DoseError> {
        let loaded = RwLock::new(Arc::new(Loaded::read(files)?));
        Ok(Arc::new(Self { files: files.clone(), loaded }))
    }

    /// Reads all files again. After a fault, what was read before goes on to count.
    ///
    /// # Errors
    /// As [`Credentials::load`].
    pub fn reload(&self) -> Result<(), DoseError> {
        let loaded = Arc::new(Loaded::read(&self.files)?);
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }

    /// What to shake hands with; none if connections are not encrypted.
    pub(in crate::api) fn tls(&self) -> Option<TlsAcceptor> {
        self.loaded().tls.clone()
    }

    /// Whether callers have to say who they are.
    pub(in crate::api) fn is_needed(&self) -> bool {
        self.files.has_identities()
    }

    /// Who makes a call: whose token it has, else whose certificate its connection has.
    pub(super) fn caller(&self, headers: &HeaderMap, peer: &Peer) -> Result<Caller, Why> {
        let mut caller = if self.is_needed() {
            self.identified(headers, peer)?
        } else if peer.address.ip().to_canonical().is_loopback() {
            Caller::default()
        } else {
            return Err(Why::Missing);
        };
        caller.peer = peer.address.to_string();
        Ok(caller)
    }

    fn identified(&self, headers: &HeaderMap, peer: &Peer) -> Result<Caller, Why> {
        let loaded = self.loaded();
        if let Some(token) = bearer(headers)? {
            let known = loaded.identities.as_ref().and_then(|identities| identities.by_token(token));
            return match (known, &loaded.issuers) {
                (Some(caller), _) => Ok(caller.clone()),
                (None, Some(issuers)) => issuers.caller(token).map_err(|why| {
                    // A token of another form can only have been meant for the file of identities.
                    let is_other = loaded.identities.is_some() && !jwt::has_form(token);
                    if why == Why::Malformed && is_other { Why::Unknown } else { why }
                }),
                (None, None) => Err(Why::Unknown),
            };
        }
        let digest = peer.certificate_sha256.as_deref().ok_or(Why::Missing)?;
        let known = loaded.identities.as_ref().and_then(|identities| identities.by_certificate(digest));
        known.cloned().ok_or(Why::Unknown)
    }

    fn loaded(&self) -> Arc<Loaded> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The token that a call brings; none if there is no `authorization`.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Why> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Why::Malformed);
    }
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Why::Malformed)?;
    let token = token.trim();
    let is_token = (1..=MAX_TOKEN_BYTES).contains(&token.len()) && !token.contains(char::is_whitespace);
    if scheme.eq_ignore_ascii_case("bearer") && is_token { Ok(Some(token)) } else { Err(Why::Malformed) }
}

impl Loaded {
    fn read(files: &CredentialFiles) -> Result<Self, DoseError> {
        let mut checks = Checks::new();
        let needs = |checks: &mut Checks, key: &str, is_there: bool, other: &str, has_other: bool| {
            if is_there && !has_other {
                checks.fail(key, format!("needs --{other} as well"));
            }
        };
        let CredentialFiles { tls_certificate, tls_key, tls_client_ca, identities, jwt_keys, jwt_audience, jwt_issuer } =
            files;
        let (has_certificate, has_key) = (tls_certificate.is_some(), tls_key.is_some());
        needs(&mut checks, "tls-certificate", has_certificate, "tls-key", has_key);
        needs(&mut checks, "tls-key", has_key, "tls-certificate", has_certificate);
        needs(&mut checks, "tls-client-ca", tls_client_ca.is_some(), "tls-certificate", has_certificate);
        needs(&mut checks, "jwt-keys", jwt_keys.is_some(), "jwt-audience", jwt_audience.is_some());
        needs(&mut checks, "jwt-audience", jwt_audience.is_some(), "jwt-keys", jwt_keys.is_some());
        needs(&mut checks, "jwt-issuer", jwt_issuer.is_some(), "jwt-keys", jwt_keys.is_some());
        let identities = identities.as_deref().and_then(|path| checks.at("identities", Identities::read(path)));
        let asked = match tls_client_ca {
            Some(authorities) => Asked::Signed(authorities),
            None if identities.as_ref().is_some_and(Identities::has_certificates) => Asked::Any,
            None => Asked::None,
        };
        let tls = match (tls_certificate, tls_key) {
            (Some(certificate), Some(key)) => tls::acceptor(certificate, key, asked, &mut checks),
            _ => None,
        };
        let issuers = match (jwt_keys, jwt_audience) {
            (Some(path), Some(audience)) => checks.at("jwt-keys", Issuers::read(path, audience, jwt_issuer.as_deref())),
            _ => None,
        };
        checks.finish()?;
        Ok(Self { tls, identities, issuers })
    }
}

/// The bytes of a file.
pub(super) fn read(path: &Path, max_bytes: u64) -> Result<Vec<u8>, Invalid> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| Invalid::new(format!("cannot be opened: {error}")))?;
    let read = file.take(max_bytes + 1).read_to_end(&mut bytes);
    read.map_err(|error| Invalid::new(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > max_bytes {
        return Err(Invalid::new(format!("is longer than {max_bytes} bytes")));
    }
    Ok(bytes)
}
