//! The body of an answer, watched for the status at its end.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};

use super::line::Ending;
use super::request_id;

/// The body of an answer. Its end, or its being dropped before, ends the call's line.
pub(super) struct LoggedBody {
    inner: Body,
    ending: Ending,
}

impl LoggedBody {
    /// The answer with the id of its call. A status among the headers is that of a call without a body.
    pub(super) fn around(response: Response<Body>, mut ending: Ending) -> Response<Body> {
        let (mut head, inner) = response.into_parts();
        if let Some(status) = Status::from_header_map(&head.headers) {
            ending.end(&status);
        }
        head.headers.insert(request_id::HEADER, ending.id());
        Response::from_parts(head, Body::new(Self { inner, ending }))
    }
}

impl http_body::Body for LoggedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut polled = Pin::new(&mut self.inner).poll_frame(context);
        match &mut polled {
            Poll::Ready(Some(Ok(frame))) => {
                let id = self.ending.id();
                if let Some(trailers) = frame.trailers_mut()
                    && let Some(status) = Status::from_header_map(trailers)
                {
                    if status.code() != Code::Ok {
                        trailers.insert(request_id::HEADER, id);
                    }
                    self.ending.end(&status);
                }
            }
            Poll::Ready(Some(Err(status))) => self.ending.end(status),
            Poll::Ready(None) | Poll::Pending => {}
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
