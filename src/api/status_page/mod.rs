//! The status page: what this server does, for people. It asks the services as any caller does, within this process,
//! with the identity of whoever reads: roles, tenants, log, metrics and audit are those of calls.

mod gateway;
mod json;
mod requests;
mod results;
mod volumes;
mod within;

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::door::{Gate, Peer};
use super::service::Shared;
use super::status::code_name;
use crate::digest::sha256_hex;
use crate::page::{self, Body, Fault, Reader};
use within::{Calls, Within};

/// Where the page is served, and what it shows beside this server.
#[derive(Debug)]
pub struct StatusPage {
    /// Listens already.
    pub listener: TcpListener,
    /// Folder of the gateway that it shows.
    pub gateway: Option<PathBuf>,
}

/// What the page answers from.
#[derive(Debug)]
pub(super) struct Site {
    /// The services, with all that stands before them.
    pub(super) calls: Calls,
    pub(super) gate: Arc<Gate>,
    pub(super) shared: Arc<Shared>,
    pub(super) gateway: Option<PathBuf>,
}

/// Serves the page for as long as it is polled.
pub(super) async fn serve(listener: TcpListener, site: Site) -> Infallible {
    let gate = site.gate.clone();
    let site = Arc::new(site);
    let answer = move |request: Request<Incoming>, reader: Arc<Reader>| {
        let site = site.clone();
        async move { site.answer(request.into_parts().0, &reader).await }
    };
    page::serve(listener, move || gate.credentials.tls().as_ref().map(with_http_1), answer).await
}

/// The same handshake, for HTTP/1.1.
fn with_http_1(tls: &TlsAcceptor) -> TlsAcceptor {
    let mut config = (**tls.config()).clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

impl Site {
    async fn answer(&self, head: http::request::Parts, reader: &Reader) -> Response<Body> {
        if !self.gate.credentials.is_needed() && !page::names_this_machine(&head.headers) {
            return page::wrong_host();
        }
        let path = head.uri.path();
        let is_read = matches!(head.method, Method::GET | Method::HEAD);
        let Some(place) = path.strip_prefix("/api/") else {
            return match page::file(path) {
                Some(file) if is_read => file,
                Some(_) => page::wrong_method(),
                None => page::not_found(),
            };
        };
        if !page::is_own(&head.headers) {
            return page::not_this_page();
        }
        let certificate_sha256 = reader.certificate.as_ref().map(|der| sha256_hex(der).into());
        let peer = Peer { address: reader.address, certificate_sha256 };
        let within = Within::new(self.calls.clone(), peer, &head.headers);
        let parts: Vec<&str> = place.split('/').collect();
        let answered = match (&head.method, &parts[..]) {
            (&Method::GET, ["server"]) => self.server(&within, &head.headers).await,
            (&Method::GET, ["jobs"]) => requests::jobs(&within, head.uri.query().unwrap_or_default()).await,
            (&Method::GET, ["results", id]) => results::result(&within, id).await,
            (&Method::POST, ["jobs", id, "cancel"]) => requests::cancel(&within, id).await,
            (&Method::GET, ["volumes", digest]) => self.volume(&within, digest, &head.headers).await,
            (&Method::GET, ["gateway"]) => self.items(&within, &head.headers).await,
            (&Method::POST, ["gateway", id, what]) => self.change(&within, &head.headers, id, what).await,
            (&Method::GET, _) => Ok(page::not_found()),
            _ => Ok(page::wrong_method()),
        };
        answered.unwrap_or_else(|status| refused(&status))
    }
}

/// What a call was refused with, as an answer.
fn refused(status: &Status) -> Response<Body> {
    let details = status.get_error_details();
    let fields = details.bad_request().map(|bad| {
        let field = |one: &tonic_types::FieldViolation| (one.field.clone(), one.description.clone());
        bad.field_violations.iter().map(field).collect()
    });
    let reason = details.error_info().map_or_else(|| code_name(status.code()), |info| info.reason.as_str());
    let fault =
        Fault { reason: reason.to_owned(), message: status.message().to_owned(), fields: fields.unwrap_or_default() };
    fault.answer(code(status.code()))
}

/// The code of HTTP for one of gRPC.
///
/// Source: google/rpc/code.proto, "HTTP Mapping".
fn code(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded | Code::Cancelled => StatusCode::GATEWAY_TIMEOUT,
        Code::Internal | Code::Unknown | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
