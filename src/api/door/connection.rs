//! One connection, from its handshake to its end.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use super::accept::Gate;
use super::io::{Counted, Passed, Peer};
use super::tls::end_of;
use crate::digest::sha256_hex;

/// Largest HTTP/2 frame taken: one system call for many of the default 16 KiB.
const MAX_FRAME_BYTES: u32 = 1 << 20;
/// Longest list of headers that the transport takes [bytes]: more than a call may have, so that its caller is told.
const MAX_HEADER_BYTES: u32 = 64 << 10;
/// How many calls of a connection may be left by their caller in [`RESET_WINDOW`] before it is closed.
const MAX_RESETS: u32 = 1000;
const RESET_WINDOW: Duration = Duration::from_secs(10);
/// How long a connection that was asked to end may move nothing.
const LAST_BYTES: Duration = Duration::from_secs(2);
/// How long a connection without a call stays while the server drains, so that new calls are told why, and one that was
/// idle for long may move nothing once it was asked to end.
const LEAVE: Duration = Duration::from_secs(1);
/// Longest time between two looks at the clock.
const LONGEST_LOOK: Duration = Duration::from_secs(60);

/// Why a connection was closed before its first call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refused {
    /// It took too long, TLS or preface.
    Slow,
    /// The TLS handshake failed.
    Tls,
    /// It does not speak HTTP/2.
    Protocol,
}

impl Refused {
    /// Every reason.
    pub(super) const ALL: [Self; 3] = [Self::Slow, Self::Tls, Self::Protocol];

    /// Its name in metrics and the log.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Slow => "handshake_timeout",
            Self::Tls => "tls",
            Self::Protocol => "protocol",
        }
    }
}

/// Closes the connection of a call at once.
#[derive(Clone, Debug)]
pub(super) struct Closer(pub(super) CancellationToken);

/// What the calls of a connection tell of it.
#[derive(Debug)]
struct Calls {
    /// How many are open.
    open: watch::Sender<usize>,
    /// Calls that their caller left, since when.
    resets: Mutex<(Instant, u32)>,
    /// Closes the connection at once.
    close: CancellationToken,
}

/// An open call, until it is dropped.
#[derive(Debug)]
struct OpenCall {
    calls: Arc<Calls>,
    is_complete: bool,
}

impl Calls {
    /// * `close` – closes the connection at once
    fn new(close: CancellationToken) -> Arc<Self> {
        Arc::new(Self { open: watch::Sender::new(0), resets: Mutex::new((Instant::now(), 0)), close })
    }

    fn begin(self: &Arc<Self>) -> OpenCall {
        self.open.send_modify(|open| *open += 1);
        OpenCall { calls: self.clone(), is_complete: false }
    }

    /// Counts a call that its caller left, and closes the connection if there are floods of them.
    fn count_reset(&self) {
        let mut resets = self.resets.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = &mut *resets;
        if since.elapsed() > RESET_WINDOW {
            (*since, *count) = (Instant::now(), 0);
        }
        *count += 1;
        if *count > MAX_RESETS {
            self.close.cancel();
        }
    }

    /// Ends when there was no call for a time.
    async fn silence(&self, long: Duration) {
        let mut open = self.open.subscribe();
        loop {
            if open.wait_for(|open| *open == 0).await.is_err() {
                return;
            }
            tokio::select! {
                () = sleep(long) => return,
                _ = open.changed() => {}
            }
        }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.calls.open.send_modify(|open| *open -= 1);
        if !self.is_complete {
            self.calls.count_reset();
        }
    }
}

/// Serves a connection to its end.
///
/// # Errors
/// Why it was closed before its first call.
pub(super) async fn serve<S>(gate: &Gate, socket: TcpStream, mut peer: Peer, service: S) -> Result<(), Refused>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    // It fails on a socket that is closed already.
    let _ = socket.set_nodelay(true);
    let passed = [gate.passed.clone(), Arc::new(Passed::default())];
    let own = passed[1].clone();
    let limit = gate.config.handshake_timeout;
    match gate.credentials.tls() {
        None => {
            let stream = timeout(limit, Counted::after_preface(socket, passed)).await;
            let stream = stream.map_err(|_| Refused::Slow)?.map_err(|_| Refused::Protocol)?;
            run(gate, stream, own, (peer, None), service).await;
        }
        Some(tls) => {
            let mut until = None;
            let shake = async {
                let stream = tls.accept(socket).await.map_err(|_| Refused::Tls)?;
                let certificates = stream.get_ref().1.peer_certificates();
                let certificate = certificates.and_then(|chain| chain.first());
                peer.certificate_sha256 = certificate.map(|der| sha256_hex(der).into());
                until = certificate.and_then(end_of);
                Counted::after_preface(stream, passed).await.map_err(|_| Refused::Protocol)
            };
            let stream = timeout(limit, shake).await.map_err(|_| Refused::Slow)??;
            run(gate, stream, own, (peer, until), service).await;
        }
    }
    Ok(())
}

/// Serves calls until one side ends the connection.
///
/// * `peer` – who calls, and when the time of its certificate is over: no new call after that
async fn run<T, S>(
    gate: &Gate,
    stream: Counted<T>,
    passed: Arc<Passed>,
    (peer, until): (Peer, Option<SystemTime>),
    service: S,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let config = &gate.config;
    let window = gate.windows.take();
    let calls = Calls::new(gate.cut.child_token());
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(window.of_stream())
        .initial_connection_window_size(window.of_connection())
        .max_frame_size(MAX_FRAME_BYTES)
        .max_header_list_size(MAX_HEADER_BYTES)
        .max_concurrent_streams(config.max_streams)
        .keep_alive_interval(config.keepalive);
    let each = Each { service, calls: calls.clone(), peer };
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), each));
    let leave = async {
        tokio::select! {
            // Nothing has moved for long: what is left is the other side's own end.
            () = calls.silence(config.connection_idle) => LEAVE,
            () = gate.ended.cancelled() => LAST_BYTES,
            () = passing(until) => LAST_BYTES,
            () = async { gate.draining.cancelled().await; calls.silence(LEAVE).await } => LAST_BYTES,
        }
    };
    let last = tokio::select! {
        _ = connection.as_mut() => return,
        () = calls.close.cancelled() => return,
        last = leave => last,
    };
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection => {}
        () = calls.close.cancelled() => {}
        () = standstill(&calls, &passed, last) => {}
    }
}

/// Ends at a time of the clock on the wall, or never.
async fn passing(until: Option<SystemTime>) {
    let Some(until) = until else { return pending().await };
    // The clock may be set: it is looked at now and then.
    while let Ok(left) = until.duration_since(SystemTime::now()) {
        sleep(left.min(LONGEST_LOOK) + Duration::from_millis(1)).await;
    }
}

/// Ends when a connection that was asked to end has no call, and has moved nothing for a time.
async fn standstill(calls: &Calls, passed: &Passed, long: Duration) {
    loop {
        let before = passed.sent.load(Ordering::Relaxed);
        calls.silence(long).await;
        if passed.sent.load(Ordering::Relaxed) == before {
            return;
        }
    }
}

/// The services, for the calls of one connection.
struct Each<S> {
    service: S,
    calls: Arc<Calls>,
    peer: Peer,
}

impl<S> hyper::service::Service<Request<Incoming>> for Each<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Whole>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.peer.clone());
        request.extensions_mut().insert(Closer(self.calls.close.clone()));
        let mut call = self.calls.begin();
        // The router is always ready.
        let answer = self.service.clone().call(request);
        Box::pin(async move {
            let response = answer.await?;
            call.is_complete = http_body::Body::is_end_stream(response.body());
            Ok(response.map(|inner| Whole { inner, call }))
        })
    }
}

/// The body of an answer. It knows whether its reader took all of it.
struct Whole {
    inner: Body,
    call: OpenCall,
}

impl http_body::Body for Whole {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        match &polled {
            Poll::Ready(None | Some(Err(_))) => self.call.is_complete = true,
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => self.call.is_complete = true,
            Poll::Ready(Some(Ok(_))) => self.call.is_complete = http_body::Body::is_end_stream(&self.inner),
            Poll::Pending => {}
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
