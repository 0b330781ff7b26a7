//! Whom a client trusts, and who it is.

use std::fmt;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};
use tonic::{Request, Status};

use crate::domain::DoseError;

/// Whom a client trusts, and who it is.
#[derive(Clone, Default)]
pub struct Access {
    /// Authorities that the server's certificate may be from (PEM); those of the system if there are none.
    pub ca_pem: Option<Vec<u8>>,
    /// A certificate of the client, and its key (PEM).
    pub identity_pem: Option<(Vec<u8>, Vec<u8>)>,
    /// A bearer token.
    pub token: Option<String>,
    /// The span that calls are part of, as in the header `traceparent` of W3C Trace Context.
    pub trace: Option<String>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

impl Access {
    /// TLS for a URL; none for plain `http`.
    pub(super) fn tls(&self, url: &str) -> Result<Option<ClientTlsConfig>, DoseError> {
        if !url.starts_with("https://") {
            let fault = "has no effect with http://; a server with TLS has a URL that begins with https://";
            return match (&self.ca_pem, &self.identity_pem) {
                (None, None) => Ok(None),
                (Some(_), _) => Err(DoseError::invalid("ca", fault)),
                (None, Some(_)) => Err(DoseError::invalid("client-certificate", fault)),
            };
        }
        let tls = match &self.ca_pem {
            Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        Ok(Some(match &self.identity_pem {
            Some((certificate, key)) => tls.identity(Identity::from_pem(certificate, key)),
            None => tls,
        }))
    }

    /// What adds the token to each call.
    pub(super) fn bearer(&self) -> Result<Bearer, DoseError> {
        let value = |token: &String| {
            let mut value: MetadataValue<Ascii> =
                format!("Bearer {token}").parse().map_err(|_| DoseError::invalid("token", "is not plain ASCII"))?;
            value.set_sensitive(true);
            Ok::<_, DoseError>(value)
        };
        // One that is no header is left out: a trace is no reason to fail.
        let trace = self.trace.as_ref().and_then(|trace| trace.parse().ok());
        Ok(Bearer { token: self.token.as_ref().map(value).transpose()?, trace })
    }
}

/// Adds a token and a trace to each call.
#[derive(Clone, Debug)]
pub(super) struct Bearer {
    token: Option<MetadataValue<Ascii>>,
    trace: Option<MetadataValue<Ascii>>,
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        for (name, value) in [("authorization", &self.token), ("traceparent", &self.trace)] {
            if let Some(value) = value {
                request.metadata_mut().insert(name, value.clone());
            }
        }
        Ok(request)
    }
}
