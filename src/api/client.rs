//! Calls a server and returns the same result as a computation in this process.

use std::{convert::Infallible, io::Cursor, time::Duration};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Channel, transport::Endpoint};

use super::chunks::Arriving;
use super::pb::dose_service_client::DoseServiceClient;
use super::{ServerConfig, chunks, pb, status, wire};
use crate::domain::{
    ActivityAccount, DoseError, DoseRequest, DoseResult, LabelMaps, Progress, Provenance, VolumeHeader, VolumeRole,
    Warning,
};
use crate::formats;

/// How long a server may take to answer a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Messages held ready for the connection.
const REQUESTS_AHEAD: usize = 2;

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
        on_progress: impl FnMut(Progress),
    ) -> Result<DoseResult, DoseError> {
        let (outgoing, messages) = mpsc::channel(REQUESTS_AHEAD);
        tokio::select! {
            result = self.receive(request, ReceiverStream::new(messages), on_progress) => result,
            never = send(request, outgoing) => match never {},
        }
    }

    async fn receive(
        &self,
        request: &DoseRequest,
        messages: ReceiverStream<pb::ComputeRequest>,
        on_progress: impl FnMut(Progress),
    ) -> Result<DoseResult, DoseError> {
        let answer = self.service.clone().compute(messages).await.map_err(|status| status::to_error(&status))?;
        collect(request, answer.into_inner(), on_progress).await?.finish()
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

/// Sends a request chunk by chunk, as fast as the server reads it, then waits for the answer to end the call.
async fn send(request: &DoseRequest, outgoing: mpsc::Sender<pb::ComputeRequest>) -> Infallible {
    use pb::compute_request::Message;
    let header = std::iter::once(Message::Header(wire::header::encode(request.header())));
    let of = |role, volume| {
        let (role, index) = wire::volume::encode_role(role);
        chunks::of_volume(role, index, volume)
    };
    let activity = of(VolumeRole::Activity, request.activity().decays());
    let density = request.density().map(|density| of(VolumeRole::Density, density.g_cm3()));
    let LabelMaps { regions, materials } = request.labels();
    let regions = regions.as_ref().map(|map| chunks::of_labels(pb::VolumeRole::Labels, map));
    let materials = materials.as_ref().map(|map| chunks::of_labels(pb::VolumeRole::Materials, map));
    let labels = regions.into_iter().flatten().chain(materials.into_iter().flatten());
    let daughters = request.volumes().daughters.iter().enumerate();
    let daughters = daughters.flat_map(|(number, map)| of(VolumeRole::DaughterActivity(number), map.decays()));
    let all = activity.chain(density.into_iter().flatten()).chain(labels).chain(daughters);
    for message in header.chain(all.map(Message::Chunk)) {
        if outgoing.send(pb::ComputeRequest { message: Some(message) }).await.is_err() {
            break; // the server has ended the call, and says why in its answer
        }
    }
    drop(outgoing);
    std::future::pending().await
}

/// Reads the answer to its end.
async fn collect(
    request: &DoseRequest,
    mut answer: Streaming<pb::ComputeResponse>,
    mut on_progress: impl FnMut(Progress),
) -> Result<Incoming, DoseError> {
    use pb::compute_response::Message;
    let mut result = None;
    while let Some(response) = answer.message().await.map_err(|status| status::to_error(&status))? {
        match (response.message, &mut result) {
            (Some(Message::Progress(progress)), _) => {
                if let Some(progress) = wire::progress::decode(progress) {
                    on_progress(progress);
                }
            }
            (Some(Message::Result(message)), None) => result = Some(Incoming::new(request, message)?),
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
    activity: ActivityAccount,
    warnings: Vec<Warning>,
    dose: Arriving,
    uncertainty: Option<Arriving>,
    weighted: Option<Arriving>,
    /// Bytes of the tally's file, and how many there will be.
    tally: Option<(Vec<u8>, u64)>,
}

impl Incoming {
    /// Makes room for what a result announces: volumes in single precision, on the grid of the request.
    fn new(request: &DoseRequest, message: pb::ComputeResult) -> Result<Self, DoseError> {
        let grid = request.activity().decays().grid();
        let announced = wire::result::decode(message, grid).map_err(broken)?;
        let arriving = || Arriving::new(VolumeHeader::float32(grid));
        let uncertainty = announced.has_uncertainty.then(arriving).transpose()?;
        let weighted = announced.has_weighted.then(arriving).transpose()?;
        let tally = announced.tally_size_bytes.map(|size| (Vec::new(), size));
        let wire::result::Announced { provenance, activity, warnings, .. } = announced;
        Ok(Self { provenance, activity, warnings, dose: arriving()?, uncertainty, weighted, tally })
    }

    fn accept(&mut self, chunk: pb::VolumeChunk) -> Result<(), DoseError> {
        let volume = match chunk.volume() {
            pb::VolumeRole::Dose => Some(&mut self.dose),
            pb::VolumeRole::Uncertainty => self.uncertainty.as_mut(),
            pb::VolumeRole::WeightedDose => self.weighted.as_mut(),
            pb::VolumeRole::Activity
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

    fn finish(self) -> Result<DoseResult, DoseError> {
        let dose = self.dose.finish().map_err(|fault| broken(&format!("the dose {fault}")))?;
        let uncertainty = self.uncertainty.map(Arriving::finish).transpose();
        let uncertainty = uncertainty.map_err(|fault| broken(&format!("the uncertainty {fault}")))?;
        let weighted = self.weighted.map(Arriving::finish).transpose();
        let weighted = weighted.map_err(|fault| broken(&format!("the weighted dose {fault}")))?;
        let decode = |(bytes, _): (Vec<u8>, u64)| formats::tally::decode(Cursor::new(bytes)).map(Box::new);
        let tally = self.tally.map(decode).transpose().map_err(|fault| broken(&format!("the tally {fault}")))?;
        let Self { provenance, activity, warnings, .. } = self;
        Ok(DoseResult { dose, uncertainty, weighted, tally, provenance, activity, warnings })
    }
}

fn broken(what: &str) -> DoseError {
    DoseError::Remote(format!("the answer makes no sense: {what}"))
}
