//! Listens for readers of pages.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::Body;

/// Connections at a time.
const MAX_CONNECTIONS: usize = 128;
/// How long a reader may take for TLS, and for the headers of a question.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest list of headers [bytes].
const MAX_HEADER_BYTES: usize = 32 << 10;
/// How long a connection may last.
const LONGEST: Duration = Duration::from_secs(3600);
/// How long to wait where no connection can be accepted.
const REST: Duration = Duration::from_millis(100);

/// Who reads.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Where from.
    pub address: SocketAddr,
    /// The certificate that was shown, if there was one (DER).
    pub certificate: Option<Vec<u8>>,
}

/// Answers readers for as long as it is polled.
///
/// * `tls` – what to shake hands with, asked at each connection; none: connections are not encrypted
/// * `answer` – to a question
pub async fn serve<T, H, F>(listener: TcpListener, tls: T, answer: H) -> Infallible
where
    T: Fn() -> Option<TlsAcceptor>,
    H: Fn(Request<Incoming>, Arc<Reader>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place = places.clone().acquire_owned().await.expect("it is never closed");
        let Ok((socket, address)) = listener.accept().await else {
            sleep(REST).await;
            continue;
        };
        let (tls, answer) = (tls(), answer.clone());
        tokio::spawn(async move {
            let _place = place;
            let reader = Reader { address, certificate: None };
            // Whoever reads badly harms nobody else.
            match tls {
                None => _ = timeout(LONGEST, run(socket, reader, answer)).await,
                Some(tls) => {
                    let Ok(Ok(stream)) = timeout(HANDSHAKE_TIMEOUT, tls.accept(socket)).await else { return };
                    let chain = stream.get_ref().1.peer_certificates();
                    let certificate = chain.and_then(|chain| chain.first()).map(|der| der.to_vec());
                    _ = timeout(LONGEST, run(stream, Reader { certificate, ..reader }, answer)).await;
                }
            }
        });
    }
}

async fn run<S, H, F>(stream: S, reader: Reader, answer: H) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request<Incoming>, Arc<Reader>) -> F,
    F: Future<Output = Response<Body>>,
{
    let reader = Arc::new(reader);
    let service = hyper::service::service_fn(|request| {
        let answer = answer(request, reader.clone());
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HANDSHAKE_TIMEOUT).max_buf_size(MAX_HEADER_BYTES);
    builder.serve_connection(TokioIo::new(stream), service).await
}
