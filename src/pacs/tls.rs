//! TLS between application entities, by the profile that DICOM PS3.15 asks for: 1.2 or 1.3, and both sides named by
//! certificates where a site wants it.

use std::net::TcpStream;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};

use crate::domain::Invalid;

/// Whom to trust, and who calls.
#[derive(Clone, Debug)]
pub struct StoreTls {
    config: Arc<ClientConfig>,
    /// The name in the other side's certificate; none: that of its address.
    name: Option<ServerName<'static>>,
}

impl StoreTls {
    /// * `ca_pem` – authorities that the other side's certificate may be from
    /// * `identity_pem` – certificate and key to call with
    ///
    /// # Errors
    /// If one of them is not in the form of PEM, or the key does not fit its certificate.
    pub fn new(ca_pem: &[u8], identity_pem: Option<(&[u8], &[u8])>) -> Result<Self, Invalid> {
        let roots = authorities(ca_pem)?;
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has the suites of both versions")
            .with_root_certificates(roots);
        let config = match identity_pem {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = private_key(key)?;
                builder.with_client_auth_cert(certificates(certificate)?, key).map_err(|error| unfit(&error))?
            }
        };
        Ok(Self { config: Arc::new(config), name: None })
    }

    /// The same, for another side whose certificate has a name of its own.
    ///
    /// # Errors
    /// If it is no name of a host.
    pub fn for_name(self, name: &str) -> Result<Self, Invalid> {
        Ok(Self { name: Some(server_name(name)?), ..self })
    }

    /// # Errors
    /// If the other side is not who it must be, or speaks no TLS.
    pub(super) fn shake_hands(
        &self,
        mut tcp: TcpStream,
        host: &str,
    ) -> Result<StreamOwned<ClientConnection, TcpStream>, String> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => server_name(host).map_err(|Invalid(reason)| reason)?,
        };
        let mut connection = ClientConnection::new(self.config.clone(), name).map_err(|error| error.to_string())?;
        while connection.is_handshaking() {
            connection.complete_io(&mut tcp).map_err(|error| format!("TLS: {error}"))?;
        }
        Ok(StreamOwned::new(connection, tcp))
    }
}

/// Who is called, and who may call.
#[derive(Clone, Debug)]
pub struct ServeTls(Arc<ServerConfig>);

impl ServeTls {
    /// * `identity_pem` – certificate, the own first, and key to be called by
    /// * `clients_pem` – authorities, one of which must have signed the certificate of each caller; none: callers need
    ///   no certificate
    ///
    /// # Errors
    /// If one of them is not in the form of PEM, or the key does not fit its certificate.
    pub fn new(identity_pem: (&[u8], &[u8]), clients_pem: Option<&[u8]>) -> Result<Self, Invalid> {
        let (certificate, key) = identity_pem;
        let (chain, key) = (certificates(certificate)?, private_key(key)?);
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has the suites of both versions");
        let builder = match clients_pem {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let roots = Arc::new(authorities(pem)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::new(default_provider()));
                let unusable = |error| Invalid::new(format!("authorities of callers are not usable: {error}"));
                builder.with_client_cert_verifier(verifier.build().map_err(unusable)?)
            }
        };
        Ok(Self(Arc::new(builder.with_single_cert(chain, key).map_err(|error| unfit(&error))?)))
    }

    /// What an association is opened with.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.0.clone()
    }

    /// What shakes hands with callers by HTTP.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.clone())
    }
}

fn authorities(pem: &[u8]) -> Result<RootCertStore, Invalid> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|error| Invalid::new(format!("is of no authority: {error}")))?;
    }
    Ok(roots)
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, Invalid> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| Invalid::new("the key is not in the form of PEM"))
}

fn unfit(error: &tokio_rustls::rustls::Error) -> Invalid {
    Invalid::new(format!("key and certificate do not fit: {error}"))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Invalid> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.ok().filter(|found| !found.is_empty());
    found.ok_or_else(|| Invalid::new("has no certificate in the form of PEM"))
}

fn server_name(host: &str) -> Result<ServerName<'static>, Invalid> {
    let plain = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    ServerName::try_from(plain).map_err(|_| Invalid::new(format!("is no name of a host: {host}")))
}
