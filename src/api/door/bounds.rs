//! Bounds of calls: none begins while the server drains, and unary ones have a time and stand in the memory account.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::sleep_until;
use tokio_util::task::AbortOnDropHandle;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::Service;

use super::connection::Closer;
use super::roles::{Kind, kind};
use crate::api::service::Shared;
use crate::api::status::refused;
use crate::domain::DoseError;
use crate::jobs::{Budget, Reservation};

/// Bounds the calls of a service.
#[derive(Clone, Debug)]
pub(in crate::api) struct Bounds<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> Bounds<S> {
    pub(in crate::api) fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }
}

impl<S> Service<Request<Body>> for Bounds<S>
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
        let Some(kind) = kind(request.uri().path()) else { return Box::pin(self.inner.call(request)) };
        if self.shared.calls.is_closed() {
            return Box::pin(std::future::ready(Ok(Status::from(DoseError::ShuttingDown).into_http())));
        }
        let running = self.shared.calls.token();
        match kind {
            Kind::Stream => {
                let answer = self.inner.call(request);
                Box::pin(async move { Ok(answer.await?.map(|inner| Held::around(inner, running, None, None))) })
            }
            Kind::Unary => self.unary(request, running),
        }
    }
}

impl<S> Bounds<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    /// Ends a call after its time, with the reading of its request and of its answer.
    fn unary(
        &mut self,
        request: Request<Body>,
        running: TaskTrackerToken,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>> {
        let limit = self.shared.config.call_timeout;
        let end = tokio::time::Instant::now() + limit;
        let closer = request.extensions().get::<Closer>().cloned();
        let abort = self.shared.abort.clone();
        let account = Arc::new(Account { budget: self.shared.budget.clone(), held: Mutex::default() });
        let metered = account.clone();
        let answer = self.inner.call(request.map(|inner| Body::new(Metered { inner, account: metered })));
        Box::pin(async move {
            let response = tokio::select! {
                biased;
                response = answer => response?,
                () = sleep_until(end) => call_timeout(limit).into_http(),
                () = abort.cancelled() => Status::from(DoseError::ShuttingDown).into_http(),
            };
            // A reader who takes nothing is never heard of again: the connection goes.
            let is_read = response.body().is_end_stream();
            let late = closer.filter(|_| !is_read).map(|Closer(close)| {
                AbortOnDropHandle::new(tokio::spawn(async move {
                    sleep_until(end.max(tokio::time::Instant::now() + UNREAD)).await;
                    close.cancel();
                }))
            });
            Ok(response.map(|inner| Held::around(inner, running, Some(account), late)))
        })
    }
}

/// How long an answer that is made may at least take to be read.
const UNREAD: std::time::Duration = std::time::Duration::from_secs(10);

fn call_timeout(limit: std::time::Duration) -> Status {
    let limit_s = limit.as_secs_f64();
    let message = format!("the call took {limit_s} s, with the reading of its message; try again");
    refused(Code::DeadlineExceeded, "CALL_TIMEOUT", message, [("limit_s", limit_s.to_string())])
}

/// The memory of one call.
#[derive(Debug)]
struct Account {
    budget: Arc<Budget>,
    held: Mutex<Vec<Reservation>>,
}

impl Account {
    fn take(&self, bytes: usize) -> Result<(), DoseError> {
        let reservation = self.budget.reserve(bytes as u64)?;
        self.held.lock().unwrap_or_else(PoisonError::into_inner).push(reservation);
        Ok(())
    }
}

/// The body of a request, whose bytes are reserved as they come.
struct Metered {
    inner: Body,
    account: Arc<Account>,
}

impl http_body::Body for Metered {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
            && let Err(error) = self.account.take(data.len())
        {
            return Poll::Ready(Some(Err(error.into())));
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

/// The body of an answer, which holds what its call holds until it is read.
struct Held {
    inner: Body,
    account: Option<Arc<Account>>,
    _running: TaskTrackerToken,
    _late: Option<AbortOnDropHandle<()>>,
}

impl Held {
    fn around(
        inner: Body,
        running: TaskTrackerToken,
        account: Option<Arc<Account>>,
        late: Option<AbortOnDropHandle<()>>,
    ) -> Body {
        Body::new(Self { inner, account, _running: running, _late: late })
    }
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        if let (Some(account), Poll::Ready(Some(Ok(frame)))) = (&self.account, &polled)
            && let Some(data) = frame.data_ref()
        {
            // It is made: whether there is room or not, it has to leave.
            let _ = account.take(data.len());
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
