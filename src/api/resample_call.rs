//! One `Resample` call: a volume comes, and goes on another grid.

use std::sync::Arc;

use tonic::{Request, Status, Streaming};
use tracing::Instrument;

use super::off_thread::{Watched, off_thread, watched};
use super::service::Shared;
use super::stream::{self, Exchange, Responses, no_header, second_header};
use super::turns::Place;
use super::upload::Upload;
use super::{chunks, pb, wire};
use crate::domain::{DoseError, Stage};
use crate::intake::{Regrid, RegriddedValues};
use crate::jobs::Reservation;

type Call = Exchange<Streaming<pb::ResampleRequest>, pb::ResampleResponse>;

/// Begins a call.
pub(super) fn begin(
    shared: &Arc<Shared>,
    request: Request<Streaming<pb::ResampleRequest>>,
) -> Responses<pb::ResampleResponse> {
    stream::begin(shared, request, run)
}

/// What was admitted: its memory is reserved, and its chunks may come.
struct Admitted {
    regrid: Regrid,
    upload: Upload,
    place: Place,
    memory: Reservation,
}

/// Admits or refuses a call by its header alone.
fn admit(shared: &Shared, header: pb::ResampleHeader) -> Result<Admitted, DoseError> {
    let regrid = wire::regrid::decode(header).check()?;
    for (_, volume) in regrid.arrivals() {
        shared.check_size("a volume", volume.size_bytes())?;
    }
    let place = shared.resampling.place()?;
    let memory = shared.budget.reserve(regrid.host_bytes())?;
    let upload = Upload::new(regrid.arrivals(), false)?;
    Ok(Admitted { regrid, upload, place, memory })
}

async fn run(mut call: Call) -> Result<(), Status> {
    let header = match receive(&mut call).await? {
        Some(pb::resample_request::Message::Header(header)) => header,
        other => return Err(no_header(other.is_none()).into()),
    };
    let shared = call.shared.clone();
    let admitted = off_thread(move || admit(&shared, header)).await?;
    call.log.note(|facts| facts.set_shape(admitted.regrid.regridding().target()));
    let span = call.log.span();
    answer(call, admitted).instrument(span).await
}

async fn answer(mut call: Call, admitted: Admitted) -> Result<(), Status> {
    let Admitted { regrid, mut upload, place, memory } = admitted;
    while let Some(message) = receive(&mut call).await? {
        match message {
            pb::resample_request::Message::Chunk(chunk) => upload.accept(&chunk)?,
            pb::resample_request::Message::Header(_) => return Err(second_header().into()),
        }
    }
    // The memory belongs to the work, which goes on for a moment if the caller leaves.
    let Watched { run, stop: _stop } = watched(move |control| {
        let made = regrid.until(control.clone()).run(upload.finish())?;
        control.checkpoint(Stage::Finish, 1.0)?;
        Ok((made, memory))
    });
    let (made, _memory) = place.run(run).await?;
    drop(place);
    let result = pb::resample_response::Message::Result(wire::regrid::encode_result(&made));
    call.send(pb::ResampleResponse { message: Some(result) }).await?;
    let chunks: Box<dyn Iterator<Item = pb::VolumeChunk> + Send> = match &made.values {
        RegriddedValues::Numbers(volume) => Box::new(chunks::of_volume(pb::VolumeRole::Resampled, 0, volume)),
        RegriddedValues::Labels(map) => Box::new(chunks::of_uint16(pb::VolumeRole::Resampled, map.labels())),
    };
    for chunk in chunks {
        call.send(pb::ResampleResponse { message: Some(pb::resample_response::Message::Chunk(chunk)) }).await?;
    }
    Ok(())
}

async fn receive(call: &mut Call) -> Result<Option<pb::resample_request::Message>, Status> {
    match call.receive().await? {
        Some(pb::ResampleRequest { message: Some(message) }) => Ok(Some(message)),
        Some(pb::ResampleRequest { message: None }) => {
            Err(DoseError::invalid("message", "is neither a header nor a chunk").into())
        }
        None => Ok(None),
    }
}
