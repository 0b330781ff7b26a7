//! One `Integrate` call: maps come, and their integrals go.

use std::sync::Arc;

use tonic::{Request, Status, Streaming};
use tracing::Instrument;

use super::gone::{Gone, Watcher};
use super::off_thread::off_thread;
use super::service::Shared;
use super::stream::{self, Exchange, Responses, no_header, second_header};
use super::turns::Place;
use super::upload::Upload;
use super::{chunks, pb, wire};
use crate::domain::DoseError;
use crate::intake::MapIntegration;
use crate::jobs::Reservation;

type Call = Exchange<Streaming<pb::IntegrateRequest>, pb::IntegrateResponse>;
type Message = pb::integrate_request::Message;
type Said = pb::integrate_response::Message;

/// Begins a call.
pub(super) fn begin(
    shared: &Arc<Shared>,
    request: Request<Streaming<pb::IntegrateRequest>>,
) -> Responses<pb::IntegrateResponse> {
    stream::begin(shared, request, run)
}

/// What was admitted: its memory is reserved, and its chunks may come.
struct Admitted {
    integration: MapIntegration,
    upload: Upload,
    place: Place,
    memory: Reservation,
}

/// Admits or refuses a call by its header alone.
fn admit(shared: &Shared, header: pb::IntegrateHeader) -> Result<Admitted, DoseError> {
    let integration = wire::integration::decode(header).check()?;
    for (_, volume) in integration.arrivals() {
        shared.check_size("a volume", volume.size_bytes())?;
    }
    let place = shared.resampling.place()?;
    let memory = shared.budget.reserve(integration.host_bytes())?;
    let upload = Upload::new(integration.arrivals(), false)?;
    Ok(Admitted { integration, upload, place, memory })
}

async fn run(mut call: Call) -> Result<(), Status> {
    let header = match receive(&mut call).await? {
        Some(Message::Header(header)) => header,
        other => return Err(no_header(other.is_none()).into()),
    };
    let shared = call.shared.clone();
    let admitted = off_thread(move || admit(&shared, header)).await?;
    call.log.note(|facts| {
        facts.set_shape(admitted.integration.grid());
        facts.nuclide = Some(admitted.integration.nuclide().to_owned());
    });
    let span = call.log.span();
    answer(call, admitted).instrument(span).await
}

async fn answer(mut call: Call, admitted: Admitted) -> Result<(), Status> {
    let Admitted { integration, mut upload, place, memory } = admitted;
    while let Some(message) = receive(&mut call).await? {
        match message {
            Message::Chunk(chunk) => upload.accept(&chunk)?,
            Message::Header(_) => return Err(second_header().into()),
        }
    }
    let administered_mbq = integration.raw().administered_activity_mbq;
    let gone = Gone::default();
    let (watcher, mut seen) = Watcher::new(&gone);
    // The memory belongs to the work, which goes on for a moment if the caller leaves.
    let work = place.run(move || Ok((integration.run(upload.finish(), &watcher)?, memory)));
    tokio::pin!(work);
    let (made, _memory) = loop {
        tokio::select! {
            done = &mut work => break done?,
            Ok(()) = seen.changed() => {
                let fraction = *seen.borrow_and_update();
                call.send_if_taken(|| pb::IntegrateResponse { message: Some(Said::Fraction(fraction)) });
            }
        }
    };
    // The last progress is told whoever was faster.
    let last = *seen.borrow();
    if last > 0.0 {
        call.send(pb::IntegrateResponse { message: Some(Said::Fraction(last)) }).await?;
    }
    let result = Said::Result(wire::integration::encode_result(&made, administered_mbq));
    let map = chunks::of_volume(pb::VolumeRole::TimeIntegratedActivity, 0, &made.tia_bq_s);
    let sigma = made.sigma_bq_s.iter();
    let sigma = sigma.flat_map(|map| chunks::of_volume(pb::VolumeRole::TimeIntegratedActivityUncertainty, 0, map));
    let kinds = made.kinds.iter().flat_map(|map| chunks::of_uint8(pb::VolumeRole::VoxelKinds, map));
    for message in std::iter::once(result).chain(map.chain(sigma).chain(kinds).map(Said::Chunk)) {
        call.send(pb::IntegrateResponse { message: Some(message) }).await?;
    }
    Ok(())
}

async fn receive(call: &mut Call) -> Result<Option<Message>, Status> {
    match call.receive().await? {
        Some(pb::IntegrateRequest { message: Some(message) }) => Ok(Some(message)),
        Some(pb::IntegrateRequest { message: None }) => {
            Err(DoseError::invalid("message", "is neither a header nor a chunk").into())
        }
        None => Ok(None),
    }
}
