//! TLS of the server, from its files.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::client::verify_server_cert_signed_by_trust_anchor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use tokio_rustls::rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SignatureScheme};

use super::credentials::read;
use crate::domain::{Checks, Invalid};

/// Longest file of certificates or keys [bytes].
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Which certificates clients are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked<'a> {
    /// None.
    None,
    /// One of any authority, from those that have one: its digest says whose it is.
    Any,
    /// One that an authority of this file has signed, from every client.
    Signed(&'a Path),
}

/// What shakes hands with clients; none after a fault, which is recorded under its key.
///
/// * `certificate` – those of the server, its own first
pub(super) fn acceptor(certificate: &Path, key: &Path, asked: Asked<'_>, checks: &mut Checks) -> Option<TlsAcceptor> {
    let chain = checks.at("tls-certificate", certificates(certificate));
    let key = checks.at("tls-key", private_key(key));
    let verifier = match asked {
        Asked::None => None,
        Asked::Any => Some(Some(Arc::new(AnyAuthority(default_provider().signature_verification_algorithms)) as _)),
        Asked::Signed(path) => Some(checks.at("tls-client-ca", client_verifier(path))),
    };
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
    if !matches!(asked, Asked::None) {
        // A session that is resumed would bring the certificate of then, which nobody looks at again.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
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
    let own = chain.first().ok_or_else(|| Invalid::new("has no certificate"))?;
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    match in_its_time(own, UnixTime::since_unix_epoch(since)) {
        Ok(()) => Ok(()),
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { .. } | CertificateError::Expired)) => {
            Err(Invalid::new("has expired"))
        }
        Err(Error::InvalidCertificate(CertificateError::NotValidYetContext { .. } | CertificateError::NotValidYet)) => {
            Err(Invalid::new("is not yet valid"))
        }
        Err(_) => Err(Invalid::new("is not a certificate")),
    }
}

/// Whether a certificate is one, and valid at a time. Who trusts it is for others to say.
///
/// # Errors
/// That it has expired, is not yet valid, or is no certificate.
fn in_its_time(own: &CertificateDer<'_>, at: UnixTime) -> Result<(), Error> {
    let parsed = ParsedCertificate::try_from(own)?;
    let mut roots = RootCertStore::empty();
    roots.add(own.clone().into_owned())?;
    let algorithms = default_provider().signature_verification_algorithms.all;
    // Times are looked at first.
    match verify_server_cert_signed_by_trust_anchor(&parsed, &roots, &[], at, algorithms) {
        Err(Error::InvalidCertificate(
            fault @ (CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }),
        )) => Err(Error::InvalidCertificate(fault)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// When the time of a certificate is over; none if it is not a certificate.
pub(super) fn end_of(own: &CertificateDer<'_>) -> Option<SystemTime> {
    // What is wrong with it after the time of all.
    match in_its_time(own, UnixTime::since_unix_epoch(Duration::from_secs(1 << 40))) {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            Some(SystemTime::UNIX_EPOCH + Duration::from_secs(not_after.as_secs()))
        }
        Ok(()) | Err(_) => None,
    }
}

/// Takes certificates of any authority in their time, and clients without one. The handshake proves that a client has
/// the key of its certificate; whose it is, its digest says.
#[derive(Debug)]
struct AnyAuthority(WebPkiSupportedAlgorithms);

impl ClientCertVerifier for AnyAuthority {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        in_its_time(own, now).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, own, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, own, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_is_asked_for_a_certificate_shows_it_at_every_handshake() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let [certificate, key] = ["server.pem", "server.key"].map(|name| folder.path().join(name));
        std::fs::write(&certificate, made.cert.pem()).expect("a writable folder");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("a writable folder");
        for (asked, resumes) in [(Asked::None, true), (Asked::Any, false), (Asked::Signed(&certificate), false)] {
            let mut checks = Checks::new();
            let acceptor = acceptor(&certificate, &key, asked, &mut checks);
            checks.finish().expect("both files are good");
            let acceptor = acceptor.expect("both files are good");
            let config = acceptor.config();
            assert_eq!(config.session_storage.can_cache(), resumes, "{asked:?}");
            assert_eq!(config.send_tls13_tickets > 0 || config.ticketer.enabled(), resumes, "{asked:?}");
        }
    }
}
