//! Messages that wait in a stream until somebody has dealt with them.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::{AckKind, Message};
use serde::de::DeserializeOwned;

use super::{Broker, BrokerError};

/// How long one question for messages lasts, if nothing else is said.
const PATIENCE: Duration = Duration::from_secs(5);
/// Rest after a failure of the broker.
const REST: Duration = Duration::from_millis(200);
/// How long the broker keeps the place of a reader that is gone.
const FORGOTTEN: Duration = Duration::from_secs(3600);

/// A stream of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// From the gateway to workers.
    Work,
    /// From workers to the gateway.
    Done,
}

impl Lane {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Work, Self::Done];

    pub(super) fn stream(self) -> &'static str {
        match self {
            Self::Work => "dosegrid-work",
            Self::Done => "dosegrid-done",
        }
    }

    pub(super) fn subject(self) -> &'static str {
        match self {
            Self::Work => "dosegrid.work",
            Self::Done => "dosegrid.done",
        }
    }
}

/// The messages of one reader.
#[derive(Debug)]
pub struct Inbox {
    broker: Broker,
    lane: Lane,
    reader: String,
    /// How long a message may be worked on before it is handed out again.
    again_after: Duration,
    most_deliveries: i64,
    /// How long one question for messages lasts.
    patience: Duration,
    consumer: Option<PullConsumer>,
}

/// A message. One that is dropped comes again.
#[derive(Debug)]
pub struct Delivery(Message);

impl Broker {
    /// The messages of one reader, which wait while it is away.
    ///
    /// * `again_after` – how long a message may be worked on before it comes again
    /// * `most_deliveries` – how often one comes that nobody acknowledges; it stays in the stream then
    pub fn inbox(&self, lane: Lane, reader: &str, again_after: Duration, most_deliveries: i64) -> Inbox {
        let (broker, reader) = (self.clone(), reader.to_owned());
        Inbox { broker, lane, reader, again_after, most_deliveries, patience: PATIENCE, consumer: None }
    }

    /// Removes the messages for a reader who is gone, and its place.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub async fn forget_reader(&self, lane: Lane, reader: &str) -> Result<(), BrokerError> {
        let stream = self.stream(lane).await?;
        stream.purge().filter(format!("{}.{reader}", lane.subject())).await.map_err(BrokerError::of)?;
        // One that is not there needs no removing.
        let _ = stream.delete_consumer(reader).await;
        Ok(())
    }

    /// The readers that have a place in a stream.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub async fn readers(&self, lane: Lane) -> Result<Vec<String>, BrokerError> {
        let stream = self.stream(lane).await?;
        let mut names = stream.consumer_names();
        let mut readers = Vec::new();
        while let Some(name) = tokio_stream::StreamExt::next(&mut names).await {
            readers.push(name.map_err(BrokerError::of)?);
        }
        Ok(readers)
    }
}

impl Inbox {
    /// The same, with questions for messages that last so long, in place of five seconds.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    async fn consumer(&mut self) -> Result<PullConsumer, BrokerError> {
        if let Some(consumer) = &self.consumer {
            return Ok(consumer.clone());
        }
        let stream = self.broker.stream(self.lane).await?;
        let config = pull::Config {
            durable_name: Some(self.reader.clone()),
            filter_subject: format!("{}.{}", self.lane.subject(), self.reader),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.again_after,
            max_deliver: self.most_deliveries,
            inactive_threshold: FORGOTTEN,
            ..pull::Config::default()
        };
        let consumer = stream.get_or_create_consumer(&self.reader, config).await.map_err(BrokerError::of)?;
        self.consumer = Some(consumer.clone());
        Ok(consumer)
    }

    /// Waits for the next message, through all failures of the broker.
    pub async fn next(&mut self) -> Delivery {
        let mut up = self.broker.up();
        loop {
            // Its sender lives as long as the connection.
            let _ = up.wait_for(|is_up| *is_up).await;
            let looked = tokio::select! {
                looked = self.look() => looked,
                // A question that was asked of a broker that is gone has no answer: it is asked again.
                _ = up.changed() => Err(BrokerError("it is gone".into())),
            };
            match looked {
                Ok(Some(message)) => return Delivery(message),
                // Its place may be gone with all that the broker had, and nobody says so: it is looked for.
                Ok(None) => self.consumer = None,
                Err(error) => {
                    tracing::debug!(%error, "no messages");
                    self.consumer = None;
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    async fn look(&mut self) -> Result<Option<Message>, BrokerError> {
        let consumer = self.consumer().await?;
        let asked =
            consumer.batch().max_messages(1).expires(self.patience).messages().await.map_err(BrokerError::of)?;
        let mut messages = std::pin::pin!(asked);
        let next = tokio::time::timeout(self.patience * 2, tokio_stream::StreamExt::next(&mut messages)).await;
        match next {
            Ok(Some(message)) => message.map(Some).map_err(|error| BrokerError(error.to_string())),
            Ok(None) => Ok(None),
            Err(_) => Err(BrokerError("it says nothing".into())),
        }
    }
}

impl Delivery {
    /// Its words, if they are known.
    pub fn words<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.0.payload).ok()
    }

    /// Says that it was dealt with. If the broker does not hear it, it comes again.
    pub async fn done(self) {
        let _ = self.0.ack_with(AckKind::Ack).await;
    }
}
