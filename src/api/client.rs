//! Calls a server and returns the same result as a computation in this process.

mod access;
mod as_job;
mod bed;
mod gather;
mod incoming;
mod integrate;
mod lasting;
mod merge;
mod resample;

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

use super::pb::compute_request::Message;
use super::pb::dose_service_client::DoseServiceClient;
pub use super::wire::understood::Understood;
use super::{ServerConfig, chunks, pb, status, wire};
use crate::domain::{DoseError, DoseRequest, DoseResult, LabelMaps, Progress, Volume, VolumeRole, VoxelGrid};
use crate::dosimetry::{CumulativeHistogram, OrganDose};
use crate::intake::{InputRole, Intake, IntakeAccount};
pub use access::Access;
use access::Bearer;
use gather::{Said, gather};
use incoming::{Incoming, Piece, broken};
pub use lasting::JobInfo;

/// How long a server may take to answer a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Messages held ready for the connection.
const REQUESTS_AHEAD: usize = 2;

/// What a server computed from volumes as they were sent.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The dose, on the grid that was asked for, and its provenance.
    pub result: DoseResult,
    /// How the volumes were understood, and what was done to them.
    pub account: IntakeAccount,
    /// The dose of each organ, by rising label, with its histogram if one was asked for.
    pub organs: Vec<(OrganDose, Option<CumulativeHistogram>)>,
    /// The dose on the grid of the CT or density [Gy], if it was asked for.
    pub dose_on_ct: Option<Volume<f32>>,
}

/// What a server says while it computes.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// How it understood the request: once, before it begins.
    Understood(Box<Understood>),
    /// How far it is.
    Progress(Progress),
}

/// A volume to send, as the header describes it.
#[derive(Clone, Debug)]
pub struct Sent {
    /// What it is.
    pub role: InputRole,
    /// Its values, little-endian, x fastest.
    pub bytes: Bytes,
}

/// A connection on which each call says who makes it.
type Guarded = InterceptedService<Channel, Bearer>;

/// A connection to a server.
#[derive(Clone, Debug)]
pub struct Client {
    service: DoseServiceClient<Guarded>,
    channel: Guarded,
}

impl Client {
    /// Connects to a server that needs no identity, and whose certificate this system trusts if it has one.
    ///
    /// * `url` – such as `http://127.0.0.1:50051`
    ///
    /// # Errors
    /// [`DoseError::Invalid`] for something that is not a URL, [`DoseError::Remote`] if nobody answers.
    pub async fn connect(url: &str) -> Result<Self, DoseError> {
        Self::connect_with(url, &Access::default()).await
    }

    /// Connects to a server.
    ///
    /// * `url` – such as `https://dose.example:50051`
    /// * `access` – whom to trust, and who calls
    ///
    /// # Errors
    /// As [`Client::connect`]; [`DoseError::Invalid`] for certificates, a key or a token that cannot be used.
    pub async fn connect_with(url: &str, access: &Access) -> Result<Self, DoseError> {
        let window_bytes = ServerConfig::default().window_bytes;
        let endpoint = Endpoint::from_shared(url.to_owned())
            .map_err(|error| DoseError::invalid("server", format!("is not a URL: {error}")))?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .initial_stream_window_size(window_bytes)
            .initial_connection_window_size(window_bytes.saturating_mul(2));
        let endpoint = match access.tls(url)? {
            Some(tls) => endpoint.tls_config(tls).map_err(|_| {
                DoseError::invalid("ca", "has no certificate in the form of PEM, or the client's does not fit its key")
            })?,
            None => endpoint,
        };
        let channel = endpoint.connect().await;
        let channel = channel.map_err(|error| nobody_answers(url, &error))?;
        let channel = InterceptedService::new(channel, access.bearer()?);
        Ok(Self { service: DoseServiceClient::new(channel.clone()), channel })
    }

    /// Computes a dose on the server. Dropping the future stops it there.
    ///
    /// # Errors
    /// The server's own error if it can be rebuilt from the status, else [`DoseError::Remote`].
    pub async fn compute(
        &self,
        request: &DoseRequest,
        mut on_progress: impl FnMut(Progress),
    ) -> Result<DoseResult, DoseError> {
        let messages = messages_of(request);
        let told = |told| {
            if let Told::Progress(progress) = told {
                on_progress(progress);
            }
        };
        let incoming = self.exchange(messages, told, Some(request.activity().decays().grid())).await?;
        Ok(incoming.finish()?.result)
    }

    /// Computes a dose from volumes on grids and with values of their own, which the server prepares. Dropping the
    /// future stops it there.
    ///
    /// # Errors
    /// As [`Client::compute`].
    ///
    /// * `volumes` – each is asked for when those before it are sent
    /// * `on_told` – hears what the server says meanwhile
    pub async fn compute_as_sent(
        &self,
        header: pb::ComputeHeader,
        volumes: impl IntoIterator<Item = Sent>,
        on_told: impl FnMut(Told),
    ) -> Result<Answer, DoseError> {
        let messages = std::iter::once(Message::Header(header)).chain(chunks_of(volumes).map(Message::Chunk));
        self.exchange(messages, on_told, None).await?.finish()
    }

    /// As [`Client::compute_as_sent`], for a header that was checked here.
    ///
    /// # Errors
    /// As [`Client::compute`].
    pub async fn compute_intake(
        &self,
        intake: &Intake,
        volumes: impl IntoIterator<Item = Sent>,
        on_told: impl FnMut(Told),
    ) -> Result<Answer, DoseError> {
        self.compute_as_sent(wire::intake::encode(intake), volumes, on_told).await
    }

    /// Sends messages and reads the answer to its end.
    ///
    /// * `grid` – that of the dose, if it is known
    async fn exchange(
        &self,
        messages: impl Iterator<Item = Message>,
        on_told: impl FnMut(Told),
        grid: Option<&VoxelGrid>,
    ) -> Result<Incoming, DoseError> {
        let messages = messages.map(|message| pb::ComputeRequest { message: Some(message) });
        let call = async |requests| {
            let answer = self.service.clone().compute(requests).await.map_err(|status| status::to_error(&status))?;
            collect(answer.into_inner(), on_told, grid).await
        };
        while_sending(messages, call).await
    }
}

/// What a call gives while messages are sent to it, as fast as the server reads them.
async fn while_sending<M, T>(
    messages: impl Iterator<Item = M>,
    call: impl AsyncFnOnce(ReceiverStream<M>) -> Result<T, DoseError>,
) -> Result<T, DoseError> {
    let (outgoing, requests) = mpsc::channel(REQUESTS_AHEAD);
    tokio::select! {
        answer = call(ReceiverStream::new(requests)) => answer,
        never = send(messages, outgoing) => match never {},
    }
}

/// Nobody answers, for the innermost of the reasons.
fn nobody_answers(url: &str, error: &dyn std::error::Error) -> DoseError {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    DoseError::Remote(format!(
        "nobody answers at {url} ({cause}); is it running there? `dosegrid serve --listen HOST:PORT` starts one"
    ))
}

/// A request as messages.
fn messages_of(request: &DoseRequest) -> impl Iterator<Item = Message> {
    let header = std::iter::once(Message::Header(wire::header::encode(request.header())));
    let of = |role, volume| {
        let (role, index) = wire::volume::encode_role(VolumeRole::into(role));
        chunks::of_volume(role, index, volume)
    };
    let activity = of(VolumeRole::Activity, request.activity().decays());
    let density = request.density().map(|density| of(VolumeRole::Density, density.g_cm3()));
    let LabelMaps { regions, materials } = request.labels();
    let regions = regions.as_ref().map(|map| chunks::of_labels(pb::VolumeRole::Labels, map));
    let materials = materials.as_ref().map(|map| chunks::of_labels(pb::VolumeRole::Materials, map));
    let labels = regions.into_iter().flatten().chain(materials.into_iter().flatten());
    let daughters = request.volumes().daughters.iter().enumerate();
    let daughters = daughters.flat_map(move |(number, map)| of(VolumeRole::DaughterActivity(number), map.decays()));
    let all = activity.chain(density.into_iter().flatten()).chain(labels).chain(daughters);
    header.chain(all.map(Message::Chunk))
}

/// The chunks of volumes that are sent, each asked for when those before it are sent.
fn chunks_of(volumes: impl IntoIterator<Item = Sent>) -> impl Iterator<Item = pb::VolumeChunk> {
    volumes.into_iter().flat_map(|Sent { role, bytes }| {
        let (role, index) = wire::volume::encode_role(role);
        chunks::of_bytes(role, index, bytes)
    })
}

/// Sends messages as fast as the server reads them, then waits for the answer to end the call.
async fn send<M>(messages: impl Iterator<Item = M>, outgoing: mpsc::Sender<M>) -> Infallible {
    for message in messages {
        if outgoing.send(message).await.is_err() {
            break; // the server has ended the call, and says why in its answer
        }
    }
    drop(outgoing);
    std::future::pending().await
}

/// Reads the answer to its end.
async fn collect(
    answer: Streaming<pb::ComputeResponse>,
    mut on_told: impl FnMut(Told),
    grid: Option<&VoxelGrid>,
) -> Result<Incoming, DoseError> {
    use pb::compute_response::Message;
    let said = |response: pb::ComputeResponse| {
        match response.message {
            Some(Message::Result(result)) => return Said::Result(result),
            Some(Message::Chunk(chunk)) => return Said::Chunk(Piece::Volume(chunk)),
            Some(Message::TallyChunk(chunk)) => return Said::Chunk(Piece::Tally(chunk)),
            Some(Message::Progress(progress)) => {
                if let Some(progress) = wire::progress::decode(progress) {
                    on_told(Told::Progress(progress));
                }
            }
            Some(Message::Understood(message)) => {
                on_told(Told::Understood(Box::new(wire::understood::decode(message))));
            }
            None => {}
        }
        Said::Aside
    };
    gather(answer, said, |result| Incoming::new(result, grid), Incoming::accept).await
}
