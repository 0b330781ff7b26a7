//! One `MergeTallies` call: tallies come one after another and are added as they come.

use std::sync::Arc;

use tonic::{Request, Status, Streaming};
use tracing::Instrument;

use super::aftermath::{Findings, Table, table};
use super::call::encode_tally;
use super::log::stages;
use super::off_thread::{Watched, off_thread, watched};
use super::service::Shared;
use super::stream::{self, Exchange, Responses, no_header, second_header};
use super::tallies::Tallies;
use super::turns::Place;
use super::upload::Upload;
use super::{chunks, pb, wire};
use crate::domain::{Control, DoseError, DoseResult, Extras, Organs, TallyRecord};
use crate::intake::{IntakeAccount, Merging};
use crate::jobs::Reservation;
use crate::method::merged_dose;

type Call = Exchange<Streaming<pb::MergeTalliesRequest>, pb::MergeTalliesResponse>;
type Message = pb::merge_tallies_request::Message;

/// Begins a call.
pub(super) fn begin(
    shared: &Arc<Shared>,
    request: Request<Streaming<pb::MergeTalliesRequest>>,
) -> Responses<pb::MergeTalliesResponse> {
    stream::begin(shared, request, run)
}

/// What was admitted: its memory is reserved, and its tallies may come.
struct Admitted {
    merging: Merging,
    upload: Upload,
    place: Place,
    memory: Arc<Reservation>,
}

/// Admits or refuses a call by its header alone.
fn admit(shared: &Shared, header: pb::MergeTalliesHeader) -> Result<Admitted, DoseError> {
    let merging = wire::merging::decode(header).check()?;
    for (_, volume) in merging.arrivals() {
        shared.check_size("a volume", volume.size_bytes())?;
    }
    for size in merging.tallies_bytes() {
        shared.check_size("a tally", *size)?;
    }
    let place = shared.resampling.place()?;
    let memory = Arc::new(shared.budget.reserve(merging.host_bytes())?);
    let upload = Upload::new(merging.arrivals(), false)?;
    Ok(Admitted { merging, upload, place, memory })
}

async fn run(mut call: Call) -> Result<(), Status> {
    let header = match receive(&mut call).await? {
        Some(Message::Header(header)) => header,
        other => return Err(no_header(other.is_none()).into()),
    };
    let shared = call.shared.clone();
    let admitted = off_thread(move || admit(&shared, header)).await?;
    call.log.note(|facts| {
        facts.method = Some("monte-carlo".to_owned());
        facts.set_shape(admitted.merging.grid());
    });
    let span = call.log.span();
    async {
        let merged = take(&mut call, admitted).await?;
        answer(&call, merged).await
    }
    .instrument(span)
    .await
}

/// What was merged, and what is found in it.
struct Merged {
    result: DoseResult,
    findings: Findings,
    _memory: Arc<Reservation>,
}

/// Takes all tallies and volumes, and computes the dose.
async fn take(call: &mut Call, admitted: Admitted) -> Result<Merged, Status> {
    let Admitted { merging, mut upload, place, memory } = admitted;
    let mut tallies = Tallies::new(&merging, memory.clone())?;
    while let Some(message) = receive(call).await? {
        match message {
            Message::TallyChunk(chunk) => {
                tallies.accept(&chunk)?;
                tallies = tallies.added(&place).await?;
            }
            Message::Chunk(chunk) => upload.accept(&chunk)?,
            Message::Header(_) => return Err(second_header().into()),
        }
    }
    let record = tallies.finish()?;
    let Watched { run, stop: _stop } = watched(move |control| {
        let organs = merging.organs(upload.finish())?;
        let (result, findings) = dose(record, &merging, organs.as_ref(), control)?;
        Ok(Merged { result, findings, _memory: memory })
    });
    Ok(place.run(run).await?)
}

/// The dose of all histories, and the table of organs.
fn dose(
    record: TallyRecord,
    merging: &Merging,
    organs: Option<&Organs>,
    control: &Control,
) -> Result<(DoseResult, Findings), DoseError> {
    let (activity, density) = (record.activity.clone(), record.density.clone());
    let extras = Extras { uncertainty: merging.return_uncertainty || organs.is_some(), tally: merging.return_tally };
    let labels = organs.map(Organs::label_map);
    let mut result = merged_dose(record, labels.as_ref(), extras, control)?;
    let inputs = |organs| Table {
        activity: &activity,
        density: Some(&density),
        organs,
        names: merging.names(),
        dose_volume_points: merging.dose_volume_points(),
    };
    let organs = organs.map(|organs| table(&result, &inputs(organs))).unwrap_or_default();
    if !merging.return_uncertainty {
        result.uncertainty = None;
    }
    let account = IntakeAccount { density: "tally".to_owned(), ..IntakeAccount::default() };
    Ok((result, Findings { account, organs, dose_on_ct: None }))
}

async fn answer(call: &Call, merged: Merged) -> Result<(), Status> {
    use pb::merge_tallies_response::Message;
    let Merged { mut result, findings, _memory } = merged;
    call.log.note(|facts| {
        facts.nuclide = Some(result.provenance.nuclide.clone());
        facts.stages_s = Some(stages(&result.provenance.wall_time)).filter(|stages| !stages.is_empty());
    });
    let tally = match result.tally.take() {
        Some(record) => Some(encode_tally(record).await?),
        None => None,
    };
    let announced = wire::result::encode(&result, &findings, tally.as_ref().map(|bytes| bytes.len() as u64));
    let chunks = chunks::of_result(&result, None).map(Message::Chunk);
    let tally = tally.iter().flat_map(|bytes| chunks::of_tally(0, bytes)).map(Message::TallyChunk);
    for message in std::iter::once(Message::Result(announced)).chain(chunks).chain(tally) {
        call.send(pb::MergeTalliesResponse { message: Some(message) }).await?;
    }
    Ok(())
}

async fn receive(call: &mut Call) -> Result<Option<Message>, Status> {
    match call.receive().await? {
        Some(pb::MergeTalliesRequest { message: Some(message) }) => Ok(Some(message)),
        Some(pb::MergeTalliesRequest { message: None }) => {
            Err(DoseError::invalid("message", "is neither a header nor a chunk").into())
        }
        None => Ok(None),
    }
}
