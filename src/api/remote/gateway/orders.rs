//! Orders to workers, and the bytes that they need.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::super::messages::{Lease, Need, Order, Versioned, helps_of, volume_object};
use super::fleet::Held;
use super::{Gateway, REST};
use crate::broker::{BrokerError, Lane as Stream};
use crate::store::{Attempt, Outcome, Store, StoreError, VolumeDigest};

/// Bytes of a checkpoint that are read at once.
const PIECE_BYTES: usize = 1 << 20;

/// Why an order is not sent.
enum Refused {
    Broker(BrokerError),
    Store(StoreError),
}

impl From<BrokerError> for Refused {
    fn from(error: BrokerError) -> Self {
        Self::Broker(error)
    }
}

impl Gateway {
    /// Sends an order. If the broker does not take it, the job waits again, as if it had not begun.
    pub(super) async fn send(self: Arc<Self>, held: Held) {
        let lease = Lease::of(&held.attempt);
        match self.order(&held).await {
            Ok(()) => {
                if let Some(left) = self.fleet.sent(lease) {
                    self.release(left).await;
                }
            }
            Err(Refused::Store(error)) => self.end(&held, "none", Outcome::Failed(error.into()), 0.0).await,
            Err(Refused::Broker(error)) => {
                tracing::warn!(%error, job = %lease.job, "an order cannot be sent");
                tokio::time::sleep(REST).await;
                self.end(&held, "none", Outcome::Released, 0.0).await;
            }
        }
    }

    async fn order(&self, held: &Held) -> Result<(), Refused> {
        self.put_spec(held).await?;
        if held.attempt.job.checkpoint > 0 {
            self.put_checkpoint(held).await?;
        }
        let order = self.order_of(held);
        Ok(self.broker.send(Stream::Work, &held.worker, &Versioned::new(order)).await?)
    }

    /// Puts the request of a job, if it is not there.
    async fn put_spec(&self, held: &Held) -> Result<(), Refused> {
        let name = Lease::of(&held.attempt).spec_object();
        if self.broker.size_of(&name).await?.is_some() {
            return Ok(());
        }
        let Attempt { tenant, job } = held.attempt.clone();
        self.put(&name, move |store, take| take(store.spec(&tenant, job.id)?)).await
    }

    /// Puts the checkpoint that an attempt begins with.
    async fn put_checkpoint(&self, held: &Held) -> Result<(), Refused> {
        let attempt = held.attempt.clone();
        let read = move |store: &Store, take: &mut Take<'_>| {
            let failed = |error: io::Error| StoreError::of_io("reading a checkpoint", &error);
            let Some(mut file) = store.checkpoint(&attempt)? else { return Ok(()) };
            loop {
                let mut piece = vec![0; PIECE_BYTES];
                let length = file.read(&mut piece).map_err(failed)?;
                if length == 0 {
                    return Ok(());
                }
                piece.truncate(length);
                take(piece)?;
            }
        };
        self.put(&Lease::of(&held.attempt).checkpoint_object(), read).await
    }

    /// Tells workers that have nothing to do whose jobs they may help with. One that does not hear it is told again.
    pub(super) async fn find_help(&self) {
        for (held, worker) in self.fleet.helpers() {
            let order = Order { has_checkpoint: false, ..self.order_of(&held) };
            let _ = self.broker.tell(&helps_of(&worker), &Versioned::new(order)).await;
        }
    }

    fn order_of(&self, held: &Held) -> Order {
        let (lease, job) = (Lease::of(&held.attempt), &held.attempt.job);
        Order {
            lease,
            is_small: job.is_small,
            device_s: job.device_s,
            compute_limit_s: self.shared.config.compute_limit.as_secs_f64(),
            checkpoint_s: self.shared.config.checkpoint.as_secs_f64(),
            inputs: job.inputs.clone(),
            has_checkpoint: job.checkpoint > 0,
        }
    }

    /// Sends a volume of a job, or its request and checkpoint, to the broker, if it is not there.
    pub(super) async fn supply(self: Arc<Self>, need: Need) {
        let Need { lease, volume } = need;
        let is_of_job = |held: &Held| volume.is_none_or(|volume| held.attempt.job.inputs.contains(&volume));
        let Some(held) = self.fleet.get(lease).filter(is_of_job) else {
            return;
        };
        let name = volume.map_or_else(|| lease.spec_object(), |volume| volume_object(&volume));
        if !self.fleet.begin_supply(&name) {
            return;
        }
        let outcome = match volume {
            Some(volume) => self.supply_of(&held, volume).await,
            None => self.supply_order(&held).await,
        };
        self.fleet.end_supply(&name);
        match outcome {
            Ok(()) => {}
            Err(Refused::Broker(error)) => tracing::warn!(%error, job = %lease.job, "what it needs cannot be sent"),
            Err(Refused::Store(error)) => self.end(&held, "none", Outcome::Failed(error.into()), 0.0).await,
        }
    }

    /// Puts again what an order came with, where the broker has lost it.
    async fn supply_order(&self, held: &Held) -> Result<(), Refused> {
        self.put_spec(held).await?;
        let name = Lease::of(&held.attempt).checkpoint_object();
        if held.attempt.job.checkpoint > 0 && self.broker.size_of(&name).await?.is_none() {
            self.put_checkpoint(held).await?;
        }
        Ok(())
    }

    async fn supply_of(&self, held: &Held, volume: VolumeDigest) -> Result<(), Refused> {
        let object = volume_object(&volume);
        if self.broker.size_of(&object).await?.is_some() {
            return Ok(());
        }
        let tenant = held.attempt.tenant.clone();
        let read = move |store: &Store, take: &mut Take<'_>| {
            let mut reading = store.read_volume(&tenant, volume)?;
            while let Some((_, piece)) = reading.next(store)? {
                take(piece)?;
            }
            Ok(())
        };
        self.put(&object, read).await
    }

    /// Puts an object from the store. What is damaged there does not come to its end.
    async fn put(
        &self,
        name: &str,
        read: impl FnOnce(&Store, &mut Take<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), Refused> {
        let store = self.durable.store.clone();
        let fault = Arc::new(Mutex::new(None));
        let told = fault.clone();
        let put = self.broker.put(name, move |take| {
            // The broker's side is told by the other error.
            let mut is_gone = false;
            let mut pass = |piece: Vec<u8>| {
                take(piece).map_err(|_| {
                    is_gone = true;
                    StoreError::Unavailable
                })
            };
            match read(&store, &mut pass) {
                Ok(()) => Ok(()),
                Err(_) if is_gone => Err(io::Error::other("the broker takes no more")),
                Err(error) => {
                    *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    Err(io::Error::other("the store cannot read it"))
                }
            }
        });
        let put = tokio::time::timeout(LONGEST, put).await.unwrap_or_else(|_| Err(BrokerError::silent()));
        match fault.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(Refused::Store(error)),
            None => put.map_err(Refused::Broker),
        }
    }
}

/// Takes bytes on their way to the broker.
type Take<'a> = dyn FnMut(Vec<u8>) -> Result<(), StoreError> + 'a;

/// Longest time for one object.
const LONGEST: Duration = Duration::from_secs(600);
