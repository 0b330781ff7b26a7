//! Bytes at the broker, by name.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_nats::jetstream::object_store::{InfoErrorKind, Object, ObjectInfo};
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;

use super::{Broker, BrokerError, OBJECTS_STREAM};

/// What the subjects begin with at which the broker keeps what objects are.
const DESCRIBED: &str = "$O.dosegrid-bytes.M.";
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

    /// Removes an object, if it is there, and what the broker keeps of one that was removed.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub async fn remove(&self, name: &str) -> Result<(), BrokerError> {
        self.check_up()?;
        let store = self.objects().await?;
        match store.info(name).await {
            Ok(info) if info.deleted => {}
            Ok(_) => store.delete(name).await.map_err(BrokerError::of)?,
            Err(error) if error.kind() == InfoErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(BrokerError::of(error)),
        }
        self.forget(name).await
    }

    /// Removes what says that an object was removed. One that was put meanwhile has taken its place, and stays.
    async fn forget(&self, name: &str) -> Result<(), BrokerError> {
        let stream = self.jetstream.get_stream_no_info(OBJECTS_STREAM).await.map_err(BrokerError::of)?;
        let last = match stream.get_last_raw_message_by_subject(&described_at(name)).await {
            Ok(last) => last,
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => return Ok(()),
            Err(error) => return Err(BrokerError::of(error)),
        };
        let info: ObjectInfo = serde_json::from_slice(&last.payload).map_err(BrokerError::of)?;
        if info.deleted {
            // Another may have done it just now. What stays is among the names.
            let _ = stream.delete_message(last.sequence).await;
        }
        Ok(())
    }

    /// The names of all objects, and of those that were removed and that the broker has not forgotten.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub async fn names(&self) -> Result<Vec<String>, BrokerError> {
        self.check_up()?;
        self.objects().await?;
        let stream = self.jetstream.get_stream_no_info(OBJECTS_STREAM).await.map_err(BrokerError::of)?;
        let mut subjects = stream.info_with_subjects(format!("{DESCRIBED}>")).await.map_err(BrokerError::of)?;
        let mut names = Vec::new();
        while let Some(subject) = tokio_stream::StreamExt::next(&mut subjects).await {
            let (subject, _) = subject.map_err(BrokerError::of)?;
            names.extend(named_at(&subject));
        }
        Ok(names)
    }
}

/// The subject at which the broker keeps what an object is: its name in Base64.
fn described_at(name: &str) -> String {
    format!("{DESCRIBED}{}", URL_SAFE.encode(name))
}

/// The object of a subject; none if another program has put it there.
fn named_at(subject: &str) -> Option<String> {
    String::from_utf8(URL_SAFE.decode(subject.strip_prefix(DESCRIBED)?).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_told_by_their_subjects() {
        for name in ["volume/00ff", "made/7.1/checkpoint-3", "ü?>"] {
            assert_eq!(named_at(&described_at(name)).as_deref(), Some(name));
        }
        assert_eq!(described_at("??>"), "$O.dosegrid-bytes.M.Pz8-");
        for other in ["$O.dosegrid-bytes.C.Pz8-", "$O.dosegrid-bytes.M.?"] {
            assert_eq!(named_at(other), None, "{other}");
        }
    }
}
