//! What carries a connection: its bytes are counted, and the first ones may have been read before.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// The other side of a connection.
#[derive(Clone, Debug)]
pub(in crate::api) struct Peer {
    pub(in crate::api) address: SocketAddr,
    /// SHA-256 of the DER of its certificate, if it has shown one: 64 hexadecimal digits.
    pub(in crate::api) certificate_sha256: Option<Arc<str>>,
}

/// Bytes that have passed.
#[derive(Debug, Default)]
pub(super) struct Passed {
    pub(super) received: AtomicU64,
    pub(super) sent: AtomicU64,
}

/// A stream whose first bytes were read before, and whose bytes are counted: for itself, and for all connections.
pub(super) struct Counted<S> {
    inner: S,
    first: Vec<u8>,
    taken: usize,
    passed: [Arc<Passed>; 2],
}

/// What a client sends before anything else, and the frame of settings that follows it.
///
/// Source: RFC 9113, section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Length of the head of a frame [bytes], and where its type stands.
const FRAME_HEAD: usize = 9;
const FRAME_TYPE: usize = 3;
const SETTINGS: u8 = 4;

impl<S: AsyncRead + AsyncWrite + Unpin> Counted<S> {
    /// Waits for the preface of HTTP/2 and the head of the frame that has to follow.
    ///
    /// # Errors
    /// If something else comes.
    pub(super) async fn after_preface(mut inner: S, passed: [Arc<Passed>; 2]) -> io::Result<Self> {
        let mut first = vec![0; PREFACE.len() + FRAME_HEAD];
        let mut length = 0;
        while length < first.len() {
            let read = inner.read(&mut first[length..]).await?;
            length += read;
            let common = length.min(PREFACE.len());
            if read == 0 || first[..common] != PREFACE[..common] {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "not HTTP/2"));
            }
        }
        if first[PREFACE.len() + FRAME_TYPE] != SETTINGS {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no settings"));
        }
        passed.iter().for_each(|passed| _ = passed.received.fetch_add(length as u64, Ordering::Relaxed));
        Ok(Self { inner, first, taken: 0, passed })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.taken < self.first.len() {
            let length = into.remaining().min(self.first.len() - self.taken);
            let (from, to) = (self.taken, self.taken + length);
            into.put_slice(&self.first[from..to]);
            self.taken = to;
            return Poll::Ready(Ok(()));
        }
        let before = into.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, into);
        let read = (into.filled().len() - before) as u64;
        self.passed.iter().for_each(|passed| _ = passed.received.fetch_add(read, Ordering::Relaxed));
        polled
    }
}

impl<S: AsyncWrite + Unpin> Counted<S> {
    fn sent(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(sent)) = &polled {
            self.passed.iter().for_each(|passed| _ = passed.sent.fetch_add(*sent as u64, Ordering::Relaxed));
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.sent(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.sent(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
