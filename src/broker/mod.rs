//! What lies between a gateway and its workers: NATS with JetStream. It carries work and bytes, and decides nothing.
//!
//! Words go straight from one to the other ([`Broker::tell`], [`Broker::ask`], [`Broker::hear`]) and are lost if nobody
//! listens. Messages that have to arrive wait in a stream ([`Broker::send`], [`Broker::inbox`]) until they are
//! acknowledged. Bytes lie in a store of objects ([`Broker::put`], [`Broker::get`]). JetStream acknowledges before it
//! syncs, and may lose all of it: whoever needs an answer asks again.

mod inbox;
mod objects;
mod options;

use std::time::Duration;

use async_nats::jetstream::{self, object_store, stream};
use async_nats::{Client, ConnectOptions, Event};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

pub use inbox::{Delivery, Inbox, Lane};
pub use options::BrokerOptions;

use crate::domain::DoseError;

/// Longest wait for an answer of the broker itself.
const ANSWER: Duration = Duration::from_secs(5);
/// How often a silent connection is tried.
const PING: Duration = Duration::from_secs(5);
/// Longest pause between two tries to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Pause before the second try to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// What all names at the broker begin with.
const PREFIX: &str = "dosegrid";
/// The store of objects.
const OBJECTS: &str = "dosegrid-bytes";
/// The stream below it.
const OBJECTS_STREAM: &str = "OBJ_dosegrid-bytes";

/// Why the broker does not do what it was asked for, in words without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the broker: {0}")]
pub struct BrokerError(String);

impl BrokerError {
    /// It does not answer in time.
    pub(crate) fn silent() -> Self {
        Self("it does not answer".into())
    }

    fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// A connection to the broker, which comes back by itself. Copies share it.
#[derive(Clone, Debug)]
pub struct Broker {
    client: Client,
    jetstream: jetstream::Context,
    up: watch::Receiver<bool>,
    replicas: usize,
}

impl Broker {
    /// Begins to connect. It goes on trying until it is dropped.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] if an address or a file of the options is not good.
    pub async fn connect(options: &BrokerOptions) -> Result<Self, DoseError> {
        let (state, up) = watch::channel(false);
        let pause = |tries: usize| {
            let doublings = u32::try_from(tries.saturating_sub(1)).unwrap_or(u32::MAX).min(10);
            (FIRST_PAUSE * 2u32.pow(doublings)).min(LONGEST_PAUSE)
        };
        let connect = options.signed_in(ConnectOptions::new())?;
        let connect = connect
            .name(PREFIX)
            .retry_on_initial_connect()
            .ping_interval(PING)
            .request_timeout(Some(ANSWER))
            .reconnect_delay_callback(pause)
            .event_callback(move |event| {
                let state = state.clone();
                async move {
                    match event {
                        Event::Connected => {
                            tracing::info!("the broker is there");
                            state.send_replace(true);
                        }
                        Event::Disconnected => {
                            tracing::warn!("the broker is gone; it is looked for");
                            state.send_replace(false);
                        }
                        Event::SlowConsumer(_) => tracing::warn!("words of the broker were lost: too many at once"),
                        // What an error says may name an address with its secret.
                        Event::ServerError(_) | Event::ClientError(_) => tracing::warn!("the broker refused something"),
                        Event::LameDuckMode | Event::Draining | Event::Closed => {}
                    }
                }
            });
        let addresses = options.addresses()?;
        let failed = |_| DoseError::invalid("queue", "no connection can be begun: is the address right?");
        let client = connect.connect(addresses).await.map_err(failed)?;
        let jetstream = jetstream::ContextBuilder::new().timeout(ANSWER).build(client.clone());
        Ok(Self { client, jetstream, up, replicas: options.replicas() })
    }

    /// Whether the broker is there.
    pub fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    /// Whether the broker is there, as it changes.
    pub fn up(&self) -> watch::Receiver<bool> {
        self.up.clone()
    }

    /// Waits until the broker is there.
    pub async fn wait_up(&self) {
        // Its sender lives as long as the connection.
        let _ = self.up.clone().wait_for(|is_up| *is_up).await;
    }

    /// Makes what is needed at the broker, if it is not there.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub async fn prepare(&self) -> Result<(), BrokerError> {
        for lane in Lane::ALL {
            self.stream(lane).await?;
        }
        self.objects().await.map(drop)
    }

    async fn stream(&self, lane: Lane) -> Result<stream::Stream, BrokerError> {
        let config = stream::Config {
            name: lane.stream().to_owned(),
            subjects: vec![format!("{}.>", lane.subject())],
            retention: stream::RetentionPolicy::WorkQueue,
            num_replicas: self.replicas,
            ..stream::Config::default()
        };
        self.jetstream.get_or_create_stream(config).await.map_err(BrokerError::of)
    }

    async fn objects(&self) -> Result<object_store::ObjectStore, BrokerError> {
        if let Ok(store) = self.jetstream.get_object_store(OBJECTS).await {
            return Ok(store);
        }
        let config =
            object_store::Config { bucket: OBJECTS.to_owned(), num_replicas: self.replicas, ..Default::default() };
        self.jetstream.create_object_store(config).await.map_err(BrokerError::of)
    }

    /// Says something to whoever listens now.
    ///
    /// # Errors
    /// [`BrokerError`] if the broker is not there.
    pub async fn tell(&self, to: &str, words: &impl Serialize) -> Result<(), BrokerError> {
        self.check_up()?;
        self.client.publish(format!("{PREFIX}.{to}"), encoded(words)).await.map_err(BrokerError::of)
    }

    /// Asks whoever listens, and waits for the answer.
    ///
    /// # Errors
    /// [`BrokerError`] if nobody answers within five seconds, or not in words that are known.
    pub async fn ask<A: DeserializeOwned>(&self, whom: &str, words: &impl Serialize) -> Result<A, BrokerError> {
        self.check_up()?;
        let answer = self.client.request(format!("{PREFIX}.{whom}"), encoded(words)).await.map_err(BrokerError::of)?;
        serde_json::from_slice(&answer.payload).map_err(BrokerError::of)
    }

    /// Listens. What is said while the broker is gone is not heard.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub async fn hear(&self, what: &str) -> Result<Words, BrokerError> {
        let heard = self.client.subscribe(format!("{PREFIX}.{what}")).await.map_err(BrokerError::of)?;
        Ok(Words { heard, client: self.client.clone() })
    }

    /// Puts a message into a stream. It is the broker's when this returns.
    ///
    /// * `to` – who takes it there. What is sent twice comes twice
    ///
    /// # Errors
    /// [`BrokerError`].
    pub async fn send(&self, lane: Lane, to: &str, words: &impl Serialize) -> Result<(), BrokerError> {
        self.check_up()?;
        self.stream(lane).await?;
        let sent = self.jetstream.publish(format!("{}.{to}", lane.subject()), encoded(words)).await;
        sent.map_err(BrokerError::of)?.await.map(drop).map_err(BrokerError::of)
    }

    fn check_up(&self) -> Result<(), BrokerError> {
        if self.is_up() { Ok(()) } else { Err(BrokerError("it is not there".into())) }
    }
}

fn encoded(words: &impl Serialize) -> Bytes {
    serde_json::to_vec(words).expect("messages have string keys and finite numbers").into()
}

/// What is said to whom, as it comes.
#[derive(Debug)]
pub struct Words {
    heard: async_nats::Subscriber,
    client: Client,
}

/// Something that was said, and the way to answer.
#[derive(Debug)]
pub struct Said {
    bytes: Bytes,
    reply: Option<async_nats::Subject>,
    client: Client,
}

impl Words {
    /// Waits for the next; none once the connection is closed for good.
    pub async fn next(&mut self) -> Option<Said> {
        let message = tokio_stream::StreamExt::next(&mut self.heard).await?;
        Some(Said { bytes: message.payload, reply: message.reply, client: self.client.clone() })
    }
}

impl Said {
    /// Its words, if they are known.
    pub fn words<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.bytes).ok()
    }

    /// Answers, if an answer is wanted.
    pub async fn answer(&self, words: &impl Serialize) {
        if let Some(reply) = &self.reply {
            // Who asked asks again.
            let _ = self.client.publish(reply.clone(), encoded(words)).await;
        }
    }
}
