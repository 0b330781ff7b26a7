//! One `ComputeBed` call: regions and dose maps come, and biologically effective doses go.

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
use crate::intake::bed::{BedAnswer, BedWork};
use crate::jobs::Reservation;

type Call = Exchange<Streaming<pb::ComputeBedRequest>, pb::ComputeBedResponse>;
type Message = pb::compute_bed_request::Message;
type Said = pb::compute_bed_response::Message;

/// Begins a call.
pub(super) fn begin(
    shared: &Arc<Shared>,
    request: Request<Streaming<pb::ComputeBedRequest>>,
) -> Responses<pb::ComputeBedResponse> {
    stream::begin(shared, request, run)
}

/// What was admitted: its memory is reserved, and its chunks may come.
struct Admitted {
    work: BedWork,
    upload: Upload,
    place: Place,
    memory: Reservation,
}

/// Admits or refuses a call by its header alone.
fn admit(shared: &Shared, header: pb::BedHeader) -> Result<Admitted, DoseError> {
    let work = wire::bed::decode(header).check()?;
    for (_, volume) in work.arrivals() {
        shared.check_size("a volume", volume.size_bytes())?;
    }
    let place = shared.resampling.place()?;
    let memory = shared.budget.reserve(work.host_bytes())?;
    let upload = Upload::new(work.arrivals(), false)?;
    Ok(Admitted { work, upload, place, memory })
}

async fn run(mut call: Call) -> Result<(), Status> {
    let header = match receive(&mut call).await? {
        Some(Message::Header(header)) => header,
        other => return Err(no_header(other.is_none()).into()),
    };
    let shared = call.shared.clone();
    let admitted = off_thread(move || admit(&shared, header)).await?;
    call.log.note(|facts| {
        if let Some(grid) = admitted.work.grid() {
            facts.set_shape(grid);
        }
        facts.nuclide = Some(admitted.work.plan().nuclide.clone());
    });
    let span = call.log.span();
    answer(call, admitted).instrument(span).await
}

async fn answer(mut call: Call, admitted: Admitted) -> Result<(), Status> {
    let Admitted { work, mut upload, place, memory } = admitted;
    while let Some(message) = receive(&mut call).await? {
        match message {
            Message::Chunk(chunk) => upload.accept(&chunk)?,
            Message::Header(_) => return Err(second_header().into()),
        }
    }
    let gone = Gone::default();
    let (watcher, mut seen) = Watcher::new(&gone);
    let warnings = work.warnings();
    // The memory belongs to the work, which goes on for a moment if the caller leaves.
    let work = place.run(move || Ok((work.run(upload.finish(), &watcher)?, memory)));
    tokio::pin!(work);
    let (made, _memory) = loop {
        tokio::select! {
            done = &mut work => break done?,
            Ok(()) = seen.changed() => {
                let fraction = *seen.borrow_and_update();
                call.send_if_taken(|| pb::ComputeBedResponse { message: Some(Said::Fraction(fraction)) });
            }
        }
    };
    let maps = match &made {
        BedAnswer::Regions(_) => [None, None],
        BedAnswer::Maps(maps) => [(pb::VolumeRole::Bed, maps.bed.as_ref()), (pb::VolumeRole::Eqd2, maps.eqd2.as_ref())]
            .map(|(role, map)| map.map(|map| (role, map))),
    };
    let result = Said::Result(wire::bed::encode_result(&made, &warnings));
    let chunks = maps.iter().flatten().flat_map(|(role, map)| chunks::of_volume(*role, 0, map)).map(Said::Chunk);
    for message in std::iter::once(result).chain(chunks) {
        call.send(pb::ComputeBedResponse { message: Some(message) }).await?;
    }
    Ok(())
}

async fn receive(call: &mut Call) -> Result<Option<Message>, Status> {
    match call.receive().await? {
        Some(pb::ComputeBedRequest { message: Some(message) }) => Ok(Some(message)),
        Some(pb::ComputeBedRequest { message: None }) => {
            Err(DoseError::invalid("message", "is neither a header nor a chunk").into())
        }
        None => Ok(None),
    }
}
