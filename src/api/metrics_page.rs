//! Metrics over HTTP, with two pages that say whether the process lives and whether it takes work.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// Readers at a time.
const MAX_READERS: usize = 32;
/// How long a reader may take for its headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may last: longer than any reader needs.
const LONGEST: Duration = Duration::from_secs(300);

/// Serves the pages for as long as it is polled.
///
/// * `unready` – cancelled while the service takes no work
pub(super) async fn serve(listener: TcpListener, metrics: Arc<Metrics>, unready: CancellationToken) -> Infallible {
    let places = Arc::new(Semaphore::new(MAX_READERS));
    loop {
        let place = places.clone().acquire_owned().await.expect("it is never closed");
        let Ok((socket, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (metrics, unready) = (metrics.clone(), unready.clone());
        tokio::spawn(async move {
            let _place = place;
            let service = hyper::service::service_fn(|request: Request<Incoming>| {
                let page = page(&request, &metrics, &unready);
                async move { Ok::<_, Infallible>(page) }
            });
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
            // Whoever reads badly harms nobody else.
            let _ = tokio::time::timeout(LONGEST, builder.serve_connection(TokioIo::new(socket), service)).await;
        });
    }
}

fn page<B>(request: &Request<B>, metrics: &Metrics, unready: &CancellationToken) -> Response<String> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let (code, text) = match request.uri().path() {
        _ if !is_read => (StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned()),
        "/metrics" => (StatusCode::OK, metrics.text()),
        "/live" => (StatusCode::OK, "live\n".to_owned()),
        "/ready" if unready.is_cancelled() => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n".to_owned()),
        "/ready" => (StatusCode::OK, "ready\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "/metrics, /live or /ready\n".to_owned()),
    };
    let mut response = Response::new(text);
    *response.status_mut() = code;
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
