//! Bytes at the broker, by name.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_nats::jetstream::object_store::{InfoErrorKind, Object};
use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;

use super::{Broker, BrokerError};

/// Bytes that are read at once.
const PIECE_BYTES: usize = 256 << 10;
/// Pieces that may wait to be sent.
const PIECES: usize = 8;

/// Pieces as they come from a thread that reads.
struct Pipe {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    left: Bytes,
}

impl AsyncRead for Pipe {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.left.is_empty() {
            match self.pieces.poll_recv(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Ready(Some(piece)) => self.left = piece?,
            }
        }
        let length = self.left.len().min(buffer.remaining());
        buffer.put_slice(&self.left.split_to(length));
        Poll::Ready(Ok(()))
    }
}

/// An object on its way from the broker.
#[derive(Debug)]
pub struct Incoming(Object);

impl Incoming {
    /// Its size [bytes].
    pub fn size_bytes(&self) -> u64 {
        self.0.info.size as u64
    }

    /// The next bytes; none at the end. The broker's own digest of them is checked at the end.
    ///
    /// # Errors
    /// [`BrokerError`] if the broker is gone, or the bytes are damaged.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, BrokerError> {
        let mut piece = vec![0; PIECE_BYTES];
        let mut buffer = ReadBuf::new(&mut piece);
        let read = std::future::poll_fn(|cx| Pin::new(&mut self.0).poll_read(cx, &mut buffer));
        let silent = |_| BrokerError("the bytes of an object do not come".into());
        tokio::time::timeout(super::ANSWER, read).await.map_err(silent)?.map_err(BrokerError::of)?;
        let length = buffer.filled().len();
        piece.truncate(length);
        Ok((length > 0).then_some(piece))
    }
}

impl Broker {
    /// Puts an object, in place of one of the same name.
    ///
    /// * `produce` – hands out its bytes piece by piece to what it is given, on a thread of its own. What that does not
    ///   take is an error of the broker
    ///
    /// # Errors
    /// [`BrokerError`] if the broker is gone, or what `produce` says.
    pub async fn put(
        &self,
        name: &str,
        produce: impl FnOnce(&mut dyn FnMut(Vec<u8>) -> io::Result<()>) -> io::Result<()> + Send + 'static,
    ) -> Result<(), BrokerError> {
        self.check_up()?;
        let store = self.objects().await?;
        let (send, pieces) = mpsc::channel(PIECES);
        let reading = tokio::task::spawn_blocking(move || {
            let mut take = |piece: Vec<u8>| {
                let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the object is not taken");
                send.blocking_send(Ok(piece.into())).map_err(gone)
            };
            if let Err(error) = produce(&mut take) {
                let _ = send.blocking_send(Err(error));
            }
        });
        let mut pipe = Pipe { pieces, left: Bytes::new() };
        let put = store.put(name, &mut pipe).await.map(drop).map_err(BrokerError::of);
        drop(pipe);
        let _ = reading.await;
        put
    }

    /// Opens an object; none if it is not there.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub async fn get(&self, name: &str) -> Result<Option<Incoming>, BrokerError> {
        self.check_up()?;
        if self.size_of(name).await?.is_none() {
            return Ok(None);
        }
        self.objects().await?.get(name).await.map(|object| Some(Incoming(object))).map_err(BrokerError::of)
    }

    /// The size of an object [bytes]; none if it is not there.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub async fn size_of(&self, name: &str) -> Result<Option<u64>, BrokerError> {
        self.check_up()?;
        match self.objects().await?.info(name).await {
            Ok(info) => Ok((!info.deleted).then_some(info.size as u64)),
            Err(error) if error.kind() == InfoErrorKind::NotFound => Ok(None),
            Err(error) => Err(BrokerError::of(error)),
        }
    }

    /// Removes an object, if it is there.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub async fn remove(&self, name: &str) -> Result<(), BrokerError> {
        if self.size_of(name).await?.is_some() {
            self.objects().await?.delete(name).await.map_err(BrokerError::of)?;
        }
        Ok(())
    }

    /// The names of all objects. What is removed while they come may keep the broker from saying that all have come:
    /// those that came until it was silent are then taken for all.
    ///
    /// # Errors
    /// [`BrokerError`]; also if the broker is gone before all have come.
    pub async fn names(&self) -> Result<Vec<String>, BrokerError> {
        let mut list = self.objects().await?.list().await.map_err(BrokerError::of)?;
        let mut names = Vec::new();
        loop {
            let info = match tokio::time::timeout(super::ANSWER, tokio_stream::StreamExt::next(&mut list)).await {
                Ok(Some(info)) => info.map_err(BrokerError::of)?,
                Ok(None) => break,
                Err(_) => {
                    self.check_up()?;
                    break;
                }
            };
            if !info.deleted {
                names.push(info.name);
            }
        }
        Ok(names)
    }
}
