//! Says who makes a call, and whether this caller may make it.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{HeaderMap, Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use super::accept::Gate;
use super::io::Peer;
use super::refusals::{Note, Why};
use super::roles::{Need, need};
use crate::api::identity::{Caller, Role};
use crate::domain::DoseError;

/// Longest list of headers of a call [bytes].
const MAX_HEADER_BYTES: usize = 16 << 10;
/// What each header counts beside its name and value [bytes].
const AROUND_HEADER: usize = 32;

/// Puts the [`Caller`] beside each call, and ends those that may not be made.
#[derive(Clone, Debug)]
pub(in crate::api) struct Authority<S> {
    inner: S,
    gate: Arc<Gate>,
}

impl<S> Authority<S> {
    pub(in crate::api) fn new(inner: S, gate: Arc<Gate>) -> Self {
        Self { inner, gate }
    }

    /// The caller, who may make this call; none for calls that anybody may make.
    fn caller<B>(&self, request: &Request<B>) -> Result<Option<Caller>, Refusal> {
        let need = need(request.uri().path());
        if need == Need::Nothing {
            return Ok(None);
        }
        let peer = request.extensions().get::<Peer>().ok_or_else(|| Why::Missing.status())?;
        let caller = self.gate.credentials.caller(request.headers(), peer);
        let caller = caller.map_err(|why| Refusal::of(why.status(), self.gate.note_refused_identity(why, peer)))?;
        if let Need::Role(role) = need {
            caller.require(role)?;
        }
        Ok(Some(caller))
    }
}

/// Refuses long lists of headers.
fn check_headers<B>(request: &Request<B>) -> Result<(), Refusal> {
    if header_bytes(request) <= MAX_HEADER_BYTES {
        return Ok(());
    }
    let reason = format!("of a call have at most {MAX_HEADER_BYTES} bytes, 32 more for each counted");
    Err(Status::from(DoseError::invalid("headers", reason)).into())
}

/// The size of a list of headers, those of HTTP/2 itself included [bytes].
///
/// Source: RFC 9113, section 6.5.2.
fn header_bytes<B>(request: &Request<B>) -> usize {
    let (uri, method) = (request.uri(), request.method());
    let own = [
        (":method", method.as_str()),
        (":scheme", uri.scheme_str().unwrap_or_default()),
        (":authority", uri.authority().map_or("", |authority| authority.as_str())),
        (":path", uri.path_and_query().map_or("", |path| path.as_str())),
    ];
    let own = own.iter().map(|(name, value)| name.len() + value.len());
    let others = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    own.chain(others).map(|bytes| bytes + AROUND_HEADER).sum()
}

/// What has to be written before an answer.
type Written = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Why a call is not made, and what is written before its caller hears of it.
struct Refusal {
    status: Status,
    written: Option<Written>,
}

impl Refusal {
    fn of(status: Status, written: Option<Written>) -> Self {
        Self { status, written }
    }

    async fn answer(self) -> Response<Body> {
        if let Some(written) = self.written {
            written.await;
        }
        self.status.into_http()
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::of(status, None)
    }
}

impl Gate {
    /// Who asks for something that is no call, and whether this caller may.
    ///
    /// * `role` – that is needed; none: an identity is enough
    pub(in crate::api) async fn admit(
        &self,
        headers: &HeaderMap,
        peer: &Peer,
        role: Option<Role>,
    ) -> Result<Caller, Status> {
        let caller = match self.credentials.caller(headers, peer) {
            Ok(caller) => caller,
            Err(why) => {
                if let Some(written) = self.note_refused_identity(why, peer) {
                    written.await;
                }
                return Err(why.status());
            }
        };
        role.map_or(Ok(()), |role| caller.require(role))?;
        Ok(caller)
    }

    /// Tells the audit log of a caller without an identity. None: it is counted alone.
    fn note_refused_identity(&self, why: Why, peer: &Peer) -> Option<Written> {
        let count = match self.refused_identities.count(peer.address, why.name(), Instant::now()) {
            Note::One => None,
            Note::After(before) => Some(before),
            Note::Counted => return None,
        };
        Some((self.on_refused.0)(why.name(), peer.address, count))
    }

    /// Tells of refusals that were only counted, in minutes that began at least so long ago.
    pub(in crate::api) async fn tell_counted(&self, age: Duration) {
        let now = Instant::now();
        for (peer, reason, count) in self.refusals.end_windows(age, now) {
            tracing::warn!(%peer, reason, count, "connections refused");
        }
        for (peer, why, count) in self.refused_identities.end_windows(age, now) {
            (self.on_refused.0)(why, peer, Some(count)).await;
        }
    }
}

impl<S> Service<Request<Body>> for Authority<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        match check_headers(&request).and_then(|()| self.caller(&request)) {
            Ok(caller) => {
                if let Some(caller) = caller {
                    request.extensions_mut().insert(caller);
                }
                Box::pin(self.inner.call(request))
            }
            Err(refusal) => Box::pin(async { Ok(refusal.answer().await) }),
        }
    }
}
