//! A call whose maps are worked on beside the device: a header announces them, they come in chunks, and what is made of
//! them goes. How far the work is, is told on the way.

use std::sync::Arc;

use prost::Message;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status, Streaming};
use tracing::Instrument;

use super::log::Facts;
use super::off_thread::off_thread;
use super::pb::VolumeChunk;
use super::service::Shared;
use super::stream::{self, Exchange, Responses, no_header, second_header};
use super::turns::Place;
use super::upload::Upload;
use crate::domain::{Control, DoseError, Invalid, Volume, VolumeHeader};
use crate::intake::InputRole;
use crate::jobs::Reservation;

/// A message of the caller.
pub(super) enum Part<H> {
    /// The first.
    Header(H),
    /// A piece of a map.
    Chunk(VolumeChunk),
}

/// What a kind of call asks for, once its header is checked.
pub(super) trait MapWork: Sized + Send + 'static {
    /// Messages of the caller.
    type Request: Message + Default + 'static;
    /// The first of them.
    type Header: Send + 'static;
    /// Messages of the answer.
    type Response: Message + 'static;
    /// What is made of the maps.
    type Made: Send + Sync + 'static;

    /// What a message is; none if it is nothing.
    fn part(request: Self::Request) -> Option<Part<Self::Header>>;

    /// Checks a header.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every bad field.
    fn check(header: Self::Header) -> Result<Self, DoseError>;

    /// The maps that will come.
    fn announced(&self) -> &[(InputRole, VolumeHeader)];

    /// Memory that maps and work take [bytes].
    fn memory_bytes(&self) -> u64;

    /// What the line of the call says of it.
    fn note(&self, facts: &mut Facts);

    /// Does the work.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every map that is not there or has bad values.
    fn make(self, maps: Maps, control: &Control) -> Result<Self::Made, DoseError>;

    /// Tells which part of the work is done, 0 to 1; none where the protocol has no word for it.
    fn fraction(part: f64) -> Option<Self::Response>;

    /// The answer: its figures, and then its maps in chunks.
    fn answer(made: &Self::Made) -> impl Iterator<Item = Self::Response> + Send;
}

/// The maps as they were announced; or why one is not there.
pub(super) type Maps = Vec<(InputRole, Result<Volume<f32>, Invalid>)>;

type Call<W> = Exchange<Streaming<<W as MapWork>::Request>, <W as MapWork>::Response>;

/// Begins a call.
pub(super) fn begin<W: MapWork>(
    shared: &Arc<Shared>,
    request: Request<Streaming<W::Request>>,
) -> Responses<W::Response> {
    stream::begin(shared, request, run::<W>)
}

/// What was admitted: its memory is reserved, and its chunks may come.
struct Admitted<W> {
    work: W,
    upload: Upload,
    place: Place,
    memory: Reservation,
}

/// Admits or refuses a call by its header alone.
fn admit<W: MapWork>(shared: &Shared, header: W::Header) -> Result<Admitted<W>, DoseError> {
    let work = W::check(header)?;
    for (_, volume) in work.announced() {
        shared.check_size("a volume", volume.size_bytes())?;
    }
    let place = shared.resampling.place()?;
    let memory = shared.budget.reserve(work.memory_bytes())?;
    let upload = Upload::new(work.announced(), false)?;
    Ok(Admitted { work, upload, place, memory })
}

async fn run<W: MapWork>(mut call: Call<W>) -> Result<(), Status> {
    let header = match receive::<W>(&mut call).await? {
        Some(Part::Header(header)) => header,
        other => return Err(no_header(other.is_none()).into()),
    };
    let shared = call.shared.clone();
    let admitted = off_thread(move || admit::<W>(&shared, header)).await?;
    call.log.note(|facts| admitted.work.note(facts));
    let span = call.log.span();
    answer(call, admitted).instrument(span).await
}

async fn answer<W: MapWork>(mut call: Call<W>, admitted: Admitted<W>) -> Result<(), Status> {
    let Admitted { work, mut upload, place, memory } = admitted;
    while let Some(part) = receive::<W>(&mut call).await? {
        match part {
            Part::Chunk(chunk) => upload.accept(&chunk)?,
            Part::Header(_) => return Err(second_header().into()),
        }
    }
    let cancel = CancellationToken::new();
    let (control, mut seen) = Control::new(cancel.clone());
    let _stop = cancel.drop_guard();
    let (made, _memory) = {
        // The memory belongs to the work, which goes on for a moment if the caller leaves.
        let work = place.run(move || Ok((work.make(upload.finish().collect(), &control)?, memory)));
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => break done?,
                Ok(()) = seen.changed() => {
                    let fraction = seen.borrow_and_update().fraction;
                    if let Some(told) = W::fraction(fraction) {
                        call.send_if_taken(|| told);
                    }
                }
            }
        }
    };
    drop(place);
    // The last progress is told whoever was faster.
    let last = seen.borrow().fraction;
    if let Some(told) = W::fraction(last).filter(|_| last > 0.0) {
        call.send(told).await?;
    }
    for message in W::answer(&made) {
        call.send(message).await?;
    }
    Ok(())
}

async fn receive<W: MapWork>(call: &mut Call<W>) -> Result<Option<Part<W::Header>>, Status> {
    let Some(request) = call.receive().await? else { return Ok(None) };
    match W::part(request) {
        Some(part) => Ok(Some(part)),
        None => Err(DoseError::invalid("message", "is neither a header nor a chunk").into()),
    }
}
