//! Gives each failed call the reason that it lacks: the transport's own errors have none.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::Service;

use crate::api::status;

/// Headers that a status is made of.
const OF_STATUS: [&str; 3] = ["grpc-status", "grpc-message", "grpc-status-details-bin"];

/// Completes the statuses of a service.
#[derive(Clone, Debug)]
pub(in crate::api) struct Complete<S> {
    inner: S,
    max_message_bytes: usize,
}

impl<S> Complete<S> {
    /// * `max_message_bytes` – the limit that a message may have exceeded
    pub(in crate::api) fn new(inner: S, max_message_bytes: usize) -> Self {
        Self { inner, max_message_bytes }
    }
}

/// Completes the status among some headers or trailers, if there is one.
fn complete(headers: &mut HeaderMap, max_message_bytes: usize) {
    let Some(found) = Status::from_header_map(headers) else { return };
    if found.code() == Code::Ok || !found.details().is_empty() {
        return;
    }
    OF_STATUS.iter().for_each(|name| _ = headers.remove(*name));
    let told = status::of_transport(found, max_message_bytes);
    if told.add_header(headers).is_err() {
        headers.insert(OF_STATUS[0], (Code::Internal as i32).into());
    }
}

impl<S> Service<Request<Body>> for Complete<S>
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

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let max_message_bytes = self.max_message_bytes;
        let answer = self.inner.call(request);
        Box::pin(async move {
            let (mut head, inner) = answer.await?.into_parts();
            complete(&mut head.headers, max_message_bytes);
            Ok(Response::from_parts(head, Body::new(Completed { inner, max_message_bytes })))
        })
    }
}

struct Completed {
    inner: Body,
    max_message_bytes: usize,
}

impl http_body::Body for Completed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut polled = Pin::new(&mut self.inner).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &mut polled
            && let Some(trailers) = frame.trailers_mut()
        {
            complete(trailers, self.max_message_bytes);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::*;

    fn completed(given: Status) -> Status {
        let mut headers = HeaderMap::new();
        given.add_header(&mut headers).expect("printable");
        complete(&mut headers, 7);
        Status::from_header_map(&headers).expect("a status")
    }

    #[test]
    fn a_status_without_a_reason_gets_one_and_no_text_of_the_caller() {
        for (given, code, reason, limit) in [
            (Status::unimplemented(""), Code::Unimplemented, "UNKNOWN_METHOD", None),
            (Status::internal("failed to decode: secret"), Code::InvalidArgument, "MALFORMED_MESSAGE", Some("7")),
            (Status::out_of_range("9 bytes"), Code::OutOfRange, "MESSAGE_TOO_LARGE", Some("7")),
        ] {
            let found = completed(given);
            let info = found.get_details_error_info().expect("a reason");
            assert_eq!((found.code(), info.reason.as_str()), (code, reason));
            // Nothing but a message has a limit.
            let facts: Vec<_> = info.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            assert_eq!(facts, limit.map(|limit| ("max_message_bytes", limit)).into_iter().collect::<Vec<_>>());
            assert!(!found.message().is_empty() && !found.message().contains("secret"), "{}", found.message());
        }
    }

    #[test]
    fn others_stay_as_they_are() {
        let known = Status::from(crate::domain::DoseError::ShuttingDown);
        assert_eq!(completed(known.clone()).details(), known.details());
    }
}
