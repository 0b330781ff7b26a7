//! TLS towards an application entity, by the profile that DICOM PS3.15 asks for: 1.2 or 1.3, and both sides named by
//! certificates where a site wants it.

use std::net::TcpStream;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

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
        let mut roots = RootCertStore::empty();
        for certificate in certificates(ca_pem)? {
            roots.add(certificate).map_err(|error| Invalid::new(format!("is of no authority: {error}")))?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has the suites of both versions")
            .with_root_certificates(roots);
        let config = match identity_pem {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let no_key = |_| Invalid::new("the key is not in the form of PEM");
                let key = PrivateKeyDer::from_pem_slice(key).map_err(no_key)?;
                let chain = certificates(certificate)?;
                let unfit = |error| Invalid::new(format!("key and certificate do not fit: {error}"));
                builder.with_client_auth_cert(chain, key).map_err(unfit)?
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

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Invalid> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.ok().filter(|found| !found.is_empty());
    found.ok_or_else(|| Invalid::new("has no certificate in the form of PEM"))
}

fn server_name(host: &str) -> Result<ServerName<'static>, Invalid> {
    let plain = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    ServerName::try_from(plain).map_err(|_| Invalid::new(format!("is no name of a host: {host}")))
}
