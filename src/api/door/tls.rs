//! TLS of the server, from its files.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::verify_server_cert_signed_by_trust_anchor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use tokio_rustls::rustls::{CertificateError, Error, RootCertStore, ServerConfig};

use super::credentials::read;
use crate::domain::{Checks, Invalid};

/// Longest file of certificates or keys [bytes].
const MAX_FILE_BYTES: u64 = 1 << 20;

/// What shakes hands with clients; none after a fault, which is recorded under its key.
///
/// * `certificate` – those of the server, its own first
/// * `client_ca` – authorities, one of which must have signed the certificate of each client
pub(super) fn acceptor(
    certificate: &Path,
    key: &Path,
    client_ca: Option<&Path>,
    checks: &mut Checks,
) -> Option<TlsAcceptor> {
    let chain = checks.at("tls-certificate", certificates(certificate));
    let key = checks.at("tls-key", private_key(key));
    let verifier = client_ca.map(|path| checks.at("tls-client-ca", client_verifier(path)));
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the suites of both versions");
    let builder = match verifier {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(verifier?),
    };
    let config = builder.with_single_cert(chain?, key?);
    let mut config = checks.at("tls-key", config.map_err(|error| Invalid::new(format!("does not fit: {error}"))))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Some(TlsAcceptor::from(Arc::new(config)))
}

/// The certificates of a file.
///
/// # Errors
/// If it cannot be read, or has none.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Invalid> {
    let pem = read(path, MAX_FILE_BYTES)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(Invalid::new("has no certificate in the form of PEM")),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Invalid> {
    let pem = read(path, MAX_FILE_BYTES)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| Invalid::new("has no private key in the form of PEM"))
}

fn client_verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, Invalid> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| Invalid::new(format!("has a certificate of no authority: {error}")))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()));
    verifier.build().map_err(|error| Invalid::new(format!("is not usable: {error}")))
}

/// Whether the first certificate of a file is valid at a time.
///
/// # Errors
/// If the file has none, or that one is not valid then.
pub fn certificate_is_good(path: &Path, at: SystemTime) -> Result<(), Invalid> {
    let chain = certificates(path)?;
    let [own, others @ ..] = &chain[..] else { return Err(Invalid::new("has no certificate")) };
    let parsed = ParsedCertificate::try_from(own).map_err(|_| Invalid::new("is not a certificate"))?;
    let mut roots = RootCertStore::empty();
    let last = others.last().unwrap_or(own).clone();
    roots.add(last).map_err(|_| Invalid::new("is not a certificate"))?;
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let algorithms = default_provider().signature_verification_algorithms.all;
    let checked = verify_server_cert_signed_by_trust_anchor(
        &parsed,
        &roots,
        others,
        UnixTime::since_unix_epoch(since),
        algorithms,
    );
    match checked {
        Err(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
            Err(Invalid::new("has expired"))
        }
        Err(Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. })) => {
            Err(Invalid::new("is not yet valid"))
        }
        // Times are looked at first; who trusts it is for the clients to say.
        Ok(()) | Err(_) => Ok(()),
    }
}
