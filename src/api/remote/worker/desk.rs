//! The desk of an order: what it needs is fetched before it begins, and what it makes goes to the gateway.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::super::messages::{Lease, NEEDS, Need, Order, Versioned, What, volume_object};
use super::Worker;
use super::cache::HeldVolume;
use super::help::Help;
use super::lead::Lead;
use super::reports;
use super::task::Doing;
use crate::api::desk::{Desk, Pieces, Readable, Task, VolumeSource};
use crate::domain::{Helpers, Helping, Progress};
use crate::store::{NewFile, StoreError, StoredFile, VolumeDigest};

/// Rest between two looks for what is on its way.
const PAUSE: Duration = Duration::from_millis(100);
/// Looks for a volume between two questions for it.
const LOOKS: u32 = 50;
/// How often in a row an object may not come whole before it is taken for one of which the broker lost the bytes.
const MOST_BROKEN: u32 = 2;

/// What an order needs, fetched.
#[derive(Debug)]
pub(super) struct RemoteDesk {
    worker: Arc<Worker>,
    doing: Arc<Doing>,
    task: Task,
    spec: StoredFile,
    checkpoint: Mutex<Option<Arc<StoredFile>>>,
    volumes: HashMap<VolumeDigest, HeldVolume>,
    /// Checkpoints that were sent.
    sent: AtomicU64,
    /// Who may run a part of the histories.
    lead: Option<Arc<Lead>>,
    /// Whose histories are run here.
    help: Option<Help>,
}

impl RemoteDesk {
    /// Fetches all that an order needs, however long it takes.
    ///
    /// # Errors
    /// Those of the cache, which cannot be written.
    pub(super) async fn fetch(worker: &Arc<Worker>, order: Order, doing: &Arc<Doing>) -> Result<Self, StoreError> {
        let seconds = |s: f64| Duration::try_from_secs_f64(s).unwrap_or(Duration::MAX);
        let task = Task {
            id: order.lease.job,
            owner: "a gateway".into(),
            is_small: order.is_small,
            device_s: order.device_s,
            compute_limit: seconds(order.compute_limit_s),
            checkpoint: seconds(order.checkpoint_s),
        };
        let spec = object(worker, &order.lease, &order.lease.spec_object()).await?;
        let checkpoint = match order.has_checkpoint {
            true => Some(Arc::new(object(worker, &order.lease, &order.lease.checkpoint_object()).await?)),
            false => None,
        };
        let mut volumes = HashMap::new();
        for name in order.inputs {
            volumes.insert(name, volume(worker, &order.lease, name).await?);
        }
        let (worker, doing, checkpoint, sent) =
            (worker.clone(), doing.clone(), Mutex::new(checkpoint), AtomicU64::new(0));
        Ok(Self { worker, doing, task, spec, checkpoint, volumes, sent, lead: None, help: None })
    }

    /// The same, for histories of which others may run a part.
    pub(super) fn leading(self, lead: Arc<Lead>) -> Self {
        Self { lead: Some(lead), ..self }
    }

    /// The same, for a part of the histories of another worker.
    pub(super) fn helping(self, help: Help) -> Self {
        Self { help: Some(help), ..self }
    }
}

/// Fetches an object that the gateway put before it sent the order, and has it put again if the broker has lost it.
async fn object(worker: &Worker, lease: &Lease, name: &str) -> Result<StoredFile, StoreError> {
    let (mut looks, mut broken) = (0, 0);
    loop {
        worker.broker.wait_up().await;
        match look(worker, name).await? {
            Found::Whole(file) => return Ok(file),
            Found::Nothing => broken = 0,
            Found::Broken => remove_broken(worker, name, &mut broken, &mut looks).await,
        }
        ask_for(worker, lease, None, &mut looks).await;
    }
}

/// Removes an object that has not come whole again and again. The broker names it still, and has lost bytes of it: as
/// long as it is there, nobody puts it again.
async fn remove_broken(worker: &Worker, name: &str, broken: &mut u32, looks: &mut u32) {
    *broken += 1;
    if *broken >= MOST_BROKEN {
        tracing::warn!(object = name, "the broker has lost bytes of an object; it is put again");
        let _ = worker.broker.remove(name).await;
        // It is asked for at once.
        (*broken, *looks) = (0, 0);
    }
}

/// Has the gateway send what is not there, now and then; rests until the next look.
async fn ask_for(worker: &Worker, lease: &Lease, volume: Option<VolumeDigest>, looks: &mut u32) {
    if looks.is_multiple_of(LOOKS) {
        let need = Versioned::new(Need { lease: *lease, volume });
        // Nobody may be there to hear it: it is asked again.
        let _ = worker.broker.ask::<Versioned<()>>(NEEDS, &need).await;
    }
    *looks += 1;
    sleep(PAUSE).await;
}

/// Takes a volume from the cache, or has the gateway send it.
async fn volume(worker: &Arc<Worker>, lease: &Lease, name: VolumeDigest) -> Result<HeldVolume, StoreError> {
    let (mut looks, mut broken, object) = (0, 0, volume_object(&name));
    loop {
        let (there, of) = (worker.clone(), name);
        if let Ok(Some(held)) = tokio::task::spawn_blocking(move || there.cache.get(of)).await {
            return Ok(held);
        }
        worker.broker.wait_up().await;
        match look(worker, &object).await? {
            Found::Whole(file) if file.digest() != name => {
                tracing::warn!("a volume came damaged from the broker");
                let _ = worker.broker.remove(&object).await;
            }
            Found::Whole(file) => {
                let failed = |error| StoreError::of_io("keeping a volume in the cache", &error);
                return worker.cache.add(name, &file).map_err(failed);
            }
            Found::Nothing => broken = 0,
            Found::Broken => remove_broken(worker, &object, &mut broken, &mut looks).await,
        }
        ask_for(worker, lease, Some(name), &mut looks).await;
    }
}

/// What the broker has of an object.
enum Found {
    Whole(StoredFile),
    /// Not all bytes came.
    Broken,
    /// It is not there, or cannot be asked for.
    Nothing,
}

/// An object as a file; none if it is not there, or does not come whole.
pub(super) async fn download(worker: &Worker, name: &str) -> Option<StoredFile> {
    match look(worker, name).await {
        Ok(Found::Whole(file)) => Some(file),
        Ok(Found::Broken | Found::Nothing) | Err(_) => None,
    }
}

/// # Errors
/// If the cache cannot be written: to look again does not help.
async fn look(worker: &Worker, name: &str) -> Result<Found, StoreError> {
    let Ok(Some(mut incoming)) = worker.broker.get(name).await else { return Ok(Found::Nothing) };
    let failed = |error: io::Error| StoreError::of_io("writing what an order needs", &error);
    // While the broker is gone, nothing comes.
    let broken = || if worker.broker.is_up() { Found::Broken } else { Found::Nothing };
    let mut file = worker.cache.new_file().map_err(failed)?;
    loop {
        match incoming.next().await {
            Ok(Some(piece)) => file = on_disk(move || file.write_all(&piece).map(|()| file).map_err(failed)).await?,
            Ok(None) => break,
            Err(_) => return Ok(broken()),
        }
    }
    let file = on_disk(move || file.finish()).await?;
    Ok(if file.size_bytes() == incoming.size_bytes() { Found::Whole(file) } else { broken() })
}

async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(StoreError::Unavailable))
}

impl VolumeSource for RemoteDesk {
    fn open(&self, name: VolumeDigest) -> Result<Box<dyn Pieces + '_>, StoreError> {
        let held = self.volumes.get(&name).ok_or(StoreError::VolumeNotFound)?;
        let pieces = held.pieces().map_err(|error| StoreError::of_io("reading a volume of the cache", &error))?;
        Ok(Box::new(pieces))
    }
}

impl Desk for RemoteDesk {
    fn task(&self) -> &Task {
        &self.task
    }

    fn spec(&self) -> Result<Vec<u8>, StoreError> {
        let failed = |error| StoreError::of_io("reading a specification", &error);
        let mut bytes = Vec::new();
        self.spec.open().map_err(failed)?.read_to_end(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }

    fn is_current(&self) -> bool {
        !self.doing.is_gone()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.doing.changes()
    }

    fn note_progress(&self, progress: Progress) {
        self.doing.note(progress);
        self.worker.news.notify_one();
    }

    fn new_file(&self) -> Result<NewFile, StoreError> {
        self.worker.cache.new_file().map_err(|error| StoreError::of_io("creating a file", &error))
    }

    fn waits_for_room(&self) -> bool {
        false
    }

    fn checkpoint(&self) -> Result<Option<Box<dyn Readable>>, StoreError> {
        let newest = self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let opened = newest.map(|file| file.open()).transpose();
        let opened = opened.map_err(|error| StoreError::of_io("reading a checkpoint", &error))?;
        Ok(opened.map(|file| Box::new(file) as Box<dyn Readable>))
    }

    fn keep_checkpoint(&self, file: StoredFile, device_s: f64) -> Result<bool, StoreError> {
        let number = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        let (lease, file) = (self.doing.lease(), Arc::new(file));
        let made = reports::made(lease.made_object(format_args!("checkpoint-{number}")), &file);
        let sending = async {
            reports::put(&self.worker, &made, &file).await?;
            reports::send(&self.worker, lease, &What::Checkpoint(made.clone()), device_s).await
        };
        match self.worker.runtime.block_on(sending) {
            Ok(()) => Ok(self.is_current()),
            Err(error) => {
                tracing::warn!(%error, "a checkpoint cannot be sent");
                Err(StoreError::Unavailable)
            }
        }
    }

    fn helpers(&self) -> Option<&dyn Helpers> {
        self.lead.as_deref().map(|lead| lead as &dyn Helpers)
    }

    fn helping(&self) -> Option<&dyn Helping> {
        self.help.as_ref().map(|help| help as &dyn Helping)
    }
}
