//! One line in the log for each call, however it ends, and the id by which the caller and the log name it.
//!
//! The line is written once, in one place: a layer around all services sees the status that a call ends with, whether
//! it is refused before its first message, ends in the middle of a stream, or is left by its caller. What only the call
//! itself knows it adds to its [`CallLog`]. There are no values of volumes in it, and no text of the caller's but an id
//! of its own.

mod body;
mod line;
mod request_id;

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower::{BoxError, Layer, Service};

use super::deadline;
use crate::domain::DoseError;
use body::LoggedBody;
pub(super) use line::{CallLog, stages};

/// Puts [`Logged`] around the services of a server.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogLayer;

impl<S> Layer<S> for LogLayer {
    type Service = Logged<S>;

    fn layer(&self, inner: S) -> Logged<S> {
        Logged { inner }
    }
}

/// Logs the calls of a service, gives each its id, and ends those whose deadline passes before they are answered.
#[derive(Clone, Debug)]
pub(super) struct Logged<S> {
    inner: S,
}

impl<S, B> Service<Request<Body>> for Logged<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let ending = line::begin(&request);
        request.extensions_mut().insert(ending.log().clone());
        // The clock starts here and not at the first poll: tonic's own, whose answer says neither reason nor id, starts
        // right after this.
        let expired = deadline::expired(deadline::timeout(request.headers()));
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = tokio::select! {
                biased;
                answer = answer => answer?.map(Body::new),
                () = expired => Status::from(DoseError::DeadlineExceeded).into_http(),
            };
            Ok(LoggedBody::around(response, ending))
        })
    }
}
