//! Calls a server and returns the same result as a computation in this process.

use std::{convert::Infallible, io::Cursor, time::Duration};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Channel, transport::Endpoint};

use super::chunks::Arriving;
use super::pb::compute_request::Message;
use super::pb::dose_service_client::DoseServiceClient;
use super::wire::result::Announced;
pub use super::wire::understood::Understood;
use super::{ServerConfig, chunks, pb, status, wire};
use crate::domain::{
    ActivityAccount, DoseError, DoseRequest, DoseResult, LabelMaps, Progress, Provenance, Volume, VolumeHeader,
    VolumeRole, VoxelGrid, Warning,
};
use crate::dosimetry::{CumulativeHistogram, OrganDose};
use crate::formats;
use crate::intake::{InputRole, Intake, IntakeAccount};

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

/// A connection to a server.
#[derive(Clone, Debug)]
pub struct Client {
    service: DoseServiceClient<Channel>,
}

impl Client {
    /// * `url` – such as `http://127.0.0.1:50051`
    ///
    /// # Errors
    /// [`DoseError::Invalid`] for something that is not a URL, [`DoseError::Remote`] if nobody answers.
    pub async fn connect(url: &str) -> Result<Self, DoseError> {
        let window_bytes = ServerConfig::default().window_bytes;
        let endpoint = Endpoint::from_shared(url.to_owned())
            .map_err(|error| DoseError::invalid("server", format!("is not a URL: {error}")))?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .initial_stream_window_size(window_bytes)
            .initial_connection_window_size(window_bytes.saturating_mul(2));
        let channel = endpoint.connect().await;
        let channel = channel.map_err(|error| nobody_answers(url, &error))?;
        Ok(Self { service: DoseServiceClient::new(channel) })
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
        let chunks = volumes.into_iter().flat_map(|Sent { role, bytes }| {
            let (role, index) = wire::volume::encode_role(role);
            chunks::of_bytes(role, index, bytes)
        });
        let messages = std::iter::once(Message::Header(header)).chain(chunks.map(Message::Chunk));
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
        let (outgoing, requests) = mpsc::channel(REQUESTS_AHEAD);
        tokio::select! {
            incoming = self.receive(ReceiverStream::new(requests), on_told, grid) => incoming,
            never = send(messages, outgoing) => match never {},
        }
    }

    async fn receive(
        &self,
        messages: ReceiverStream<pb::ComputeRequest>,
        on_told: impl FnMut(Told),
        grid: Option<&VoxelGrid>,
    ) -> Result<Incoming, DoseError> {
        let answer = self.service.clone().compute(messages).await.map_err(|status| status::to_error(&status))?;
        collect(answer.into_inner(), on_told, grid).await
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

/// Sends messages as fast as the server reads them, then waits for the answer to end the call.
async fn send(messages: impl Iterator<Item = Message>, outgoing: mpsc::Sender<pb::ComputeRequest>) -> Infallible {
    for message in messages {
        if outgoing.send(pb::ComputeRequest { message: Some(message) }).await.is_err() {
            break; // the server has ended the call, and says why in its answer
        }
    }
    drop(outgoing);
    std::future::pending().await
}

/// Reads the answer to its end.
async fn collect(
    mut answer: Streaming<pb::ComputeResponse>,
    mut on_told: impl FnMut(Told),
    grid: Option<&VoxelGrid>,
) -> Result<Incoming, DoseError> {
    use pb::compute_response::Message;
    let mut result = None;
    while let Some(response) = answer.message().await.map_err(|status| status::to_error(&status))? {
        match (response.message, &mut result) {
            (Some(Message::Progress(progress)), _) => {
                if let Some(progress) = wire::progress::decode(progress) {
                    on_told(Told::Progress(progress));
                }
            }
            (Some(Message::Understood(message)), _) => {
                on_told(Told::Understood(Box::new(wire::understood::decode(message))));
            }
            (Some(Message::Result(message)), None) => result = Some(Incoming::new(message, grid)?),
            (Some(Message::Chunk(chunk)), Some(incoming)) => incoming.accept(chunk)?,
            (Some(Message::TallyChunk(chunk)), Some(incoming)) => incoming.accept_tally(&chunk)?,
            (Some(Message::Result(_)), Some(_)) => return Err(broken("a second result")),
            (Some(Message::Chunk(_) | Message::TallyChunk(_)), None) => {
                return Err(broken("a chunk before the result"));
            }
            (None, _) => {} // a kind of message that this client does not know
        }
    }
    result.ok_or_else(|| broken("no result"))
}

/// The volumes that a result announced, while they arrive.
struct Incoming {
    provenance: Provenance,
    account: IntakeAccount,
    organs: Vec<(OrganDose, Option<CumulativeHistogram>)>,
    activity: ActivityAccount,
    warnings: Vec<Warning>,
    dose: Arriving,
    uncertainty: Option<Arriving>,
    weighted: Option<Arriving>,
    on_ct: Option<Arriving>,
    /// Bytes of the tally's file, and how many there will be.
    tally: Option<(Vec<u8>, u64)>,
}

impl Incoming {
    /// Makes room for what a result announces.
    ///
    /// * `grid` – that of the dose, if it is known
    fn new(message: pb::ComputeResult, grid: Option<&VoxelGrid>) -> Result<Self, DoseError> {
        let announced = wire::result::decode(message).map_err(broken)?;
        if grid.is_some_and(|grid| *grid != announced.grid) {
            return Err(broken("the dose is not on the grid of the activity"));
        }
        let arriving = || Arriving::new(VolumeHeader::float32(&announced.grid));
        let on_ct = announced.on_ct.as_ref().map(|grid| Arriving::new(VolumeHeader::float32(grid))).transpose()?;
        let uncertainty = announced.has_uncertainty.then(arriving).transpose()?;
        let weighted = announced.has_weighted.then(arriving).transpose()?;
        let tally = announced.tally_size_bytes.map(|size| (Vec::new(), size));
        let dose = arriving()?;
        let Announced { provenance, account, organs, activity, warnings, .. } = announced;
        Ok(Self { provenance, account, organs, activity, warnings, dose, uncertainty, weighted, on_ct, tally })
    }

    fn accept(&mut self, chunk: pb::VolumeChunk) -> Result<(), DoseError> {
        let volume = match chunk.volume() {
            pb::VolumeRole::Dose => Some(&mut self.dose),
            pb::VolumeRole::Uncertainty => self.uncertainty.as_mut(),
            pb::VolumeRole::WeightedDose => self.weighted.as_mut(),
            pb::VolumeRole::DoseOnCt => self.on_ct.as_mut(),
            pb::VolumeRole::Activity
            | pb::VolumeRole::Ct
            | pb::VolumeRole::Organ
            | pb::VolumeRole::DaughterActivity
            | pb::VolumeRole::Density
            | pb::VolumeRole::Labels
            | pb::VolumeRole::Materials
            | pb::VolumeRole::Unspecified => None,
        };
        let volume = volume.ok_or_else(|| broken("a chunk of a volume that was not announced"))?;
        volume.append(chunk.offset_bytes, &chunk.data).map_err(|error| broken(&error.to_string()))
    }

    fn accept_tally(&mut self, chunk: &pb::TallyChunk) -> Result<(), DoseError> {
        let (bytes, size) = self.tally.as_mut().ok_or_else(|| broken("a tally that was not announced"))?;
        let (received, more) = (bytes.len() as u64, chunk.data.len() as u64);
        if chunk.offset_bytes != received || received.saturating_add(more) > *size {
            return Err(broken("a piece of the tally out of its place"));
        }
        bytes.extend_from_slice(&chunk.data);
        Ok(())
    }

    fn finish(self) -> Result<Answer, DoseError> {
        let dose = self.dose.finish().map_err(|fault| broken(&format!("the dose {fault}")))?;
        let uncertainty = self.uncertainty.map(Arriving::finish).transpose();
        let uncertainty = uncertainty.map_err(|fault| broken(&format!("the uncertainty {fault}")))?;
        let weighted = self.weighted.map(Arriving::finish).transpose();
        let weighted = weighted.map_err(|fault| broken(&format!("the weighted dose {fault}")))?;
        let decode = |(bytes, _): (Vec<u8>, u64)| formats::tally::decode(Cursor::new(bytes)).map(Box::new);
        let tally = self.tally.map(decode).transpose().map_err(|fault| broken(&format!("the tally {fault}")))?;
        let dose_on_ct = self.on_ct.map(Arriving::finish).transpose();
        let dose_on_ct = dose_on_ct.map_err(|fault| broken(&format!("the dose on the CT {fault}")))?;
        let Self { provenance, activity, warnings, account, organs, .. } = self;
        let result = DoseResult { dose, uncertainty, weighted, tally, provenance, activity, warnings };
        Ok(Answer { result, account, organs, dose_on_ct })
    }
}

fn broken(what: &str) -> DoseError {
    DoseError::Remote(format!("the answer makes no sense: {what}"))
}
