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
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower::{BoxError, Layer, Service};

use super::deadline;
use crate::domain::DoseError;
use crate::metrics::Metrics;
use body::LoggedBody;
pub(super) use line::{CallLog, Facts, stages};

/// Puts [`Logged`] around the services of a server.
#[derive(Clone, Debug)]
pub(super) struct LogLayer {
    metrics: Arc<Metrics>,
}

impl LogLayer {
    /// * `metrics` – where calls are counted as well
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics }
    }
}

impl<S> Layer<S> for LogLayer {
    type Service = Logged<S>;

    fn layer(&self, inner: S) -> Logged<S> {
        Logged { inner, metrics: self.metrics.clone() }
    }
}

/// Logs the calls of a service, gives each its id, and ends those whose deadline passes before they are answered.
#[derive(Clone, Debug)]
pub(super) struct Logged<S> {
    inner: S,
    metrics: Arc<Metrics>,
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
        let ending = line::begin(&request, self.metrics.clone());
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

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::*;

    /// A service that never answers.
    struct Silent;

    impl Service<Request<Body>> for Silent {
        type Response = Response<Body>;
        type Error = std::convert::Infallible;
        type Future = std::future::Pending<Result<Self::Response, Self::Error>>;

        fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _request: Request<Body>) -> Self::Future {
            std::future::pending()
        }
    }

    #[tokio::test]
    async fn a_deadline_that_passes_before_an_answer_has_a_reason_and_the_id() {
        let request = Request::builder().header("grpc-timeout", "1m").header("x-request-id", "mine");
        let request = request.body(Body::empty()).expect("a good request");
        let answer = LogLayer::new(Arc::default()).layer(Silent).call(request).await.expect("an answer");
        assert_eq!(answer.headers()["x-request-id"], "mine");
        let status = Status::from_header_map(answer.headers()).expect("a status");
        assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
        assert_eq!(status.get_details_error_info().expect("a reason").reason, "DEADLINE_EXCEEDED");
    }
}
