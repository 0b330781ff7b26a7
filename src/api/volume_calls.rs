//! `dosegrid.v1.VolumeService`: volumes by content.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};
use tonic::{Request, Response, Status, Streaming};

use super::durable::{Durable, blocking};
use super::identity::Role;
use super::pace::Pace;
use super::pb;
use super::service::Shared;
use super::stream::{self, Exchange, Responses};
use super::wire::stored;
use super::{deadline, status};
use crate::domain::{Checks, DoseError};
use crate::store::{Actor, Beginning, StoreError, Upload, VolumeDigest, VolumeRecord};

/// Most digests that one call asks for.
const MOST_DIGESTS: usize = 1000;
/// How long what a caller still sends after its answer is taken and dropped.
const AFTER_ANSWER: Duration = Duration::from_secs(10);

/// `dosegrid.v1.VolumeService`.
#[derive(Clone, Debug)]
pub(super) struct Volumes(pub(super) Arc<Shared>);

#[tonic::async_trait]
impl pb::volume_service_server::VolumeService for Volumes {
    async fn check_volumes(
        &self,
        request: Request<pb::CheckVolumesRequest>,
    ) -> Result<Response<pb::CheckVolumesResponse>, Status> {
        let (durable, actor) = self.0.durable(&request, Role::Submit)?;
        let digests = request.into_inner().digests;
        if digests.is_empty() || digests.len() > MOST_DIGESTS {
            let reason = format!("are {}; 1 to {MOST_DIGESTS} may be asked for", digests.len());
            return Err(DoseError::invalid("digests", reason).into());
        }
        let mut checks = Checks::new();
        let parse =
            |(number, text): (usize, &String)| checks.at(format!("digests[{number}]"), VolumeDigest::parse(text));
        let names: Vec<VolumeDigest> = digests.iter().enumerate().filter_map(parse).collect();
        checks.finish().map_err(Status::from)?;
        let asked = names.clone();
        let found = blocking(&durable, move |store| store.check_volumes(&actor.tenant, &asked)).await?;
        let volumes = names.iter().zip(&found).map(|(name, found)| stored::volume(name, found.as_ref())).collect();
        Ok(Response::new(pb::CheckVolumesResponse { volumes }))
    }

    async fn put_volume(
        &self,
        request: Request<Streaming<pb::PutVolumeRequest>>,
    ) -> Result<Response<pb::PutVolumeResponse>, Status> {
        let (durable, actor) = self.0.durable(&request, Role::Submit)?;
        let expired = Box::pin(deadline::expired(deadline::timeout(request.metadata().as_ref())));
        let (answer, answered) = oneshot::channel();
        let (messages, pace) = (request.into_inner(), Pace::default());
        let mut incoming = Incoming { shared: self.0.clone(), expired, messages, pace, fault: None };
        // A task of its own: what arrived is kept although the caller has left.
        self.0.calls.spawn(async move {
            let outcome = put(&durable, &actor, &mut incoming).await;
            // The caller may have left.
            let _ = answer.send(outcome);
            // Some callers take a stream that is reset for a failure, although its answer came before.
            tokio::spawn(incoming.drop_rest());
        });
        let ended = || Status::from(DoseError::Internal("an upload ended without an answer".into()));
        let volume = answered.await.map_err(|_| ended())??;
        Ok(Response::new(pb::PutVolumeResponse { volume: Some(volume) }))
    }

    type GetVolumeStream = Responses<pb::GetVolumeResponse>;

    async fn get_volume(
        &self,
        request: Request<pb::GetVolumeRequest>,
    ) -> Result<Response<Self::GetVolumeStream>, Status> {
        let (durable, actor) = self.0.durable(&request, Role::Read)?;
        let name = digest(&request.get_ref().digest)?;
        Ok(Response::new(stream::begin(&self.0, request, move |exchange| get(durable, actor, name, exchange))))
    }

    async fn delete_volume(
        &self,
        request: Request<pb::DeleteVolumeRequest>,
    ) -> Result<Response<pb::DeleteVolumeResponse>, Status> {
        let (durable, actor) = self.0.durable(&request, Role::Submit)?;
        let name = digest(&request.into_inner().digest)?;
        blocking(&durable, move |store| store.delete_volume(&actor, name)).await?;
        Ok(Response::new(pb::DeleteVolumeResponse {}))
    }
}

fn digest(text: &str) -> Result<VolumeDigest, DoseError> {
    let mut checks = Checks::new();
    let digest = checks.at("digest", VolumeDigest::parse(text));
    checks.finish()?;
    digest.ok_or_else(|| DoseError::invalid("digest", "is missing"))
}

/// What a caller sends.
struct Incoming {
    shared: Arc<Shared>,
    /// Ends at the caller's deadline.
    expired: Pin<Box<dyn Future<Output = ()> + Send>>,
    messages: Streaming<pb::PutVolumeRequest>,
    pace: Pace,
    /// Why nothing more is taken: what came before that is stored.
    fault: Option<DoseError>,
}

impl Incoming {
    /// The next message; none at the end.
    async fn next(&mut self) -> Result<Option<pb::PutVolumeRequest>, Status> {
        let idle = self.shared.config.idle_timeout;
        if let Some(fault) = self.fault.take() {
            return Err(fault.into());
        }
        let began = Instant::now();
        // Only the wait is cut short: what arrived is always stored.
        let message = tokio::select! {
            message = timeout(idle, self.messages.message()) => message.map_err(|_| DoseError::Stalled { idle })?,
            () = &mut self.expired => return Err(DoseError::DeadlineExceeded.into()),
            () = self.shared.abort.cancelled() => return Err(DoseError::ShuttingDown.into()),
        };
        if let Ok(Some(message)) = &message {
            self.fault = self.pace.note(began.elapsed(), message.encoded_len(), idle).err();
        }
        message.map_err(|error| status::of_transport(error, self.shared.config.max_message_bytes))
    }

    /// Takes what still comes, for a while.
    async fn drop_rest(mut self) {
        let end = Instant::now() + AFTER_ANSWER;
        while let Ok(Ok(Some(_))) = timeout_at(end, self.messages.message()).await {}
    }
}

/// Takes an upload, as far as it comes.
async fn put(durable: &Durable, actor: &Actor, incoming: &mut Incoming) -> Result<pb::Volume, Status> {
    let Some(first) = incoming.next().await? else {
        return Err(DoseError::invalid("digest", "is missing: the stream is empty").into());
    };
    let mut checks = Checks::new();
    let name = checks.at("digest", VolumeDigest::parse(&first.digest));
    let (size, offset) = (first.size_bytes, first.offset_bytes);
    if size == 0 {
        checks.fail("size_bytes", "is missing, or 0");
    }
    checks.finish().map_err(Status::from)?;
    let name = name.ok_or_else(|| DoseError::invalid("digest", "is missing"))?;
    incoming.shared.check_size("a volume", size)?;
    let owner = actor.clone();
    let begun = blocking(durable, move |store| store.upload(&owner, name, size, offset)).await?;
    let upload = match begun {
        Beginning::Complete(volume) => return Ok(stored::volume(&name, Some(&volume))),
        Beginning::Open(upload) => upload,
    };
    let mut part = Part { durable, upload: Some(upload), next: offset };
    let outcome = part.take_all(incoming, first).await;
    // However it ended, what arrived is safe before the answer.
    let left = part.leave().await;
    let volume = match outcome? {
        Taken::Complete(volume) => volume,
        Taken::All => left?,
        Taken::Gap => return Err(StoreError::WrongOffset { committed_bytes: left?.committed_bytes() }.into()),
    };
    Ok(stored::volume(&name, Some(&volume)))
}

/// What came of the messages of a call.
enum Taken {
    /// The volume is complete.
    Complete(VolumeRecord),
    /// They were all, and some bytes are still to come.
    All,
    /// One does not go on where the one before ended.
    Gap,
}

/// A call's part in an upload.
struct Part<'a> {
    durable: &'a Durable,
    upload: Option<Upload>,
    next: u64,
}

impl Part<'_> {
    /// Adds all that comes, until the volume is complete.
    async fn take_all(&mut self, incoming: &mut Incoming, first: pb::PutVolumeRequest) -> Result<Taken, Status> {
        let mut message = first;
        loop {
            if message.offset_bytes != self.next {
                return Ok(Taken::Gap);
            }
            self.next = self.next.saturating_add(message.data.len() as u64);
            if let Some(volume) = self.add(message.data).await? {
                return Ok(Taken::Complete(volume));
            }
            match incoming.next().await? {
                None => return Ok(Taken::All),
                Some(next) => message = next,
            }
            let mut checks = Checks::new();
            if !message.digest.is_empty() {
                checks.fail("digest", "is for the first message only");
            }
            if message.size_bytes != 0 {
                checks.fail("size_bytes", "is for the first message only");
            }
            checks.finish().map_err(Status::from)?;
        }
    }

    async fn add(&mut self, data: Bytes) -> Result<Option<VolumeRecord>, Status> {
        let Some(mut upload) = self.upload.take() else { return Err(StoreError::Unavailable.into()) };
        let (upload, added) = blocking(self.durable, move |store| {
            let added = store.add(&mut upload, &data);
            Ok((upload, added))
        })
        .await?;
        self.upload = Some(upload);
        Ok(added?)
    }

    async fn leave(&mut self) -> Result<VolumeRecord, Status> {
        let Some(upload) = self.upload.take() else { return Err(StoreError::Unavailable.into()) };
        blocking(self.durable, move |store| store.leave(&upload)).await
    }
}

/// Sends a volume, or a part of it. The whole is hashed; the last piece leaves only if it is right.
async fn get(
    durable: Durable,
    actor: Actor,
    name: VolumeDigest,
    exchange: Exchange<pb::GetVolumeRequest, pb::GetVolumeResponse>,
) -> Result<(), Status> {
    let pb::GetVolumeRequest { offset_bytes: from, length_bytes, .. } = exchange.incoming;
    let mut reading = blocking(&durable, move |store| {
        let size_bytes = store.read_volume(&actor.tenant, name)?.size_bytes();
        if from > size_bytes {
            return Err(StoreError::PastEnd { size_bytes });
        }
        store.hand_out(&actor, name)
    })
    .await?;
    let to = if length_bytes == 0 { u64::MAX } else { from.saturating_add(length_bytes) };
    let mut held: Option<pb::GetVolumeResponse> = None;
    loop {
        let (back, piece) = blocking(&durable, move |store| {
            let piece = reading.next(store)?;
            Ok((reading, piece))
        })
        .await?;
        reading = back;
        let Some((begin, bytes)) = piece else { break };
        let end = begin + bytes.len() as u64;
        let (first, last) = (from.clamp(begin, end), to.clamp(begin, end));
        if first < last {
            let at = |place: u64| usize::try_from(place - begin).unwrap_or(usize::MAX);
            let data = Bytes::from(bytes).slice(at(first)..at(last));
            if let Some(before) = held.replace(pb::GetVolumeResponse { offset_bytes: first, data }) {
                exchange.send(before).await?;
            }
        }
    }
    // All was read, and is right.
    if let Some(last) = held {
        exchange.send(last).await?;
    }
    Ok(())
}
