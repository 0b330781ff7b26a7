//! One `Compute` call from its header to its last chunk.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    sync::mpsc::{self, error::SendTimeoutError},
    time::timeout,
};
use tokio_stream::Stream;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Request, Status, Streaming};
use tracing::Instrument;

use super::aftermath::Aftermath;
use super::log::{CallLog, stages};
use super::off_thread::off_thread;
use super::service::Shared;
use super::upload::Upload;
use super::{chunks, deadline, pb, status, wire};
use crate::domain::{DoseError, DoseResult, Progress, Stage, TallyRecord};
use crate::formats;
use crate::jobs::{Reservation, Running};
use crate::plan::plan;

/// Messages that wait for a reader: one being sent, one ready.
const RESPONSES_AHEAD: usize = 2;

/// Whose the jobs of all callers are, as long as callers have no identity.
const OWNER: &str = "default";

/// Least time between two messages of progress in one stage.
const PROGRESS_PAUSE: Duration = Duration::from_millis(50);

type Response = Result<pb::ComputeResponse, Status>;

/// The answer as it comes. It owns the call: dropping it, as tonic does when the caller goes away, cancels the job.
#[derive(Debug)]
pub(super) struct Responses {
    messages: mpsc::Receiver<Response>,
    /// Why the call failed, if it did: what comes after the last message.
    failure: Arc<Mutex<Option<Status>>>,
    _call: AbortOnDropHandle<()>,
}

impl Stream for Responses {
    type Item = Response;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Response>> {
        self.messages.poll_recv(context).map(|message| {
            let failure = || self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
            message.or_else(|| failure().map(Err))
        })
    }
}

/// Begins a call. Its deadline bounds it from the first message to the last, and so does the drain timeout of a server
/// that shuts down.
pub(super) fn begin(shared: &Arc<Shared>, request: Request<Streaming<pb::ComputeRequest>>) -> Responses {
    let log = CallLog::of(&request);
    let expired = deadline::expired(deadline::timeout(request.metadata().as_ref()));
    let (out, messages) = mpsc::channel(RESPONSES_AHEAD);
    let call = Call { shared: shared.clone(), incoming: request.into_inner(), out: out.clone(), log: log.clone() };
    let abort = shared.abort.clone();
    let failure = Arc::new(Mutex::new(None));
    let failed = failure.clone();
    let task = shared.calls.spawn(async move {
        let outcome = tokio::select! {
            outcome = call.run() => outcome,
            () = expired => Err(DoseError::DeadlineExceeded.into()),
            () = abort.cancelled() => Err(DoseError::ShuttingDown.into()),
        };
        if let Err(status) = outcome {
            // Said now: a reader who takes nothing may never come to the end of the answer.
            log.end(&status);
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
        }
        // The answer ends when the last sender is gone, so not before the failure is there.
        drop(out);
    });
    Responses { messages, failure, _call: AbortOnDropHandle::new(task) }
}

/// A request that was admitted: its memory is reserved, and its chunks may come.
struct Admitted {
    upload: Upload,
    memory: Arc<Reservation>,
}

/// Admits or refuses a request by its header alone. This takes a while for a nuclide that was not asked for before: its
/// beta spectra are computed, and its kernel is summed.
fn admit(shared: &Shared, log: &CallLog, header: pb::ComputeHeader) -> Result<Admitted, DoseError> {
    let intake = wire::intake::decode(header).check()?;
    let header = intake.header();
    let limit_bytes = shared.config.max_volume_bytes;
    for (_, volume) in intake.arrivals() {
        let needed_bytes = volume.size_bytes();
        if needed_bytes > limit_bytes {
            return Err(DoseError::TooLarge { what: "a volume", needed_bytes, limit_bytes });
        }
    }
    let [nx, ny, nz] = header.grid().shape();
    log.note(|facts| {
        facts.method = Some(header.method().name().to_owned());
        facts.nuclide = Some(header.source().name().to_owned());
        facts.shape = Some(format!("{nx}x{ny}x{nz}"));
        facts.device = Some(shared.jobs.device().id.clone());
    });
    let plan = plan(header, &shared.config.plan_limits())?;
    shared.jobs.queue().check_room()?;
    let bytes = plan.host_bytes.saturating_add(intake.host_bytes());
    let memory = Arc::new(shared.budget.reserve(bytes)?);
    Ok(Admitted { upload: Upload::new(intake)?, memory })
}

struct Call {
    shared: Arc<Shared>,
    incoming: Streaming<pb::ComputeRequest>,
    out: mpsc::Sender<Response>,
    log: CallLog,
}

impl Call {
    async fn run(mut self) -> Result<(), Status> {
        let header = match self.receive().await? {
            Some(pb::compute_request::Message::Header(header)) => header,
            Some(pb::compute_request::Message::Chunk(_)) => {
                return Err(DoseError::invalid("header", "is missing: a chunk came first").into());
            }
            None => return Err(DoseError::invalid("header", "is missing: the stream is empty").into()),
        };
        let (shared, log) = (self.shared.clone(), self.log.clone());
        let admitted = off_thread(move || admit(&shared, &log, header)).await?;
        let span = self.log.span();
        async {
            let (running, after, memory) = self.upload(admitted).await?;
            self.answer(running, after, memory).await
        }
        .instrument(span)
        .await
    }

    /// Takes all chunks, and puts the request into the queue.
    async fn upload(&mut self, admitted: Admitted) -> Result<(Running, Aftermath, Arc<Reservation>), Status> {
        let Admitted { mut upload, memory } = admitted;
        while let Some(message) = self.receive().await? {
            match message {
                pb::compute_request::Message::Chunk(chunk) => upload.accept(chunk)?,
                pb::compute_request::Message::Header(_) => {
                    return Err(DoseError::invalid("header", "came twice").into());
                }
            }
        }
        // Every value is checked.
        let (intake, assembled) = off_thread(move || {
            let (intake, assembled) = upload.assemble()?;
            assembled.check_if_strict()?;
            Ok((intake, assembled))
        })
        .await?;
        let running = self.shared.jobs.submit(assembled.request.clone(), OWNER, Some(memory.clone()))?;
        Ok((running, Aftermath::new(intake, assembled), memory))
    }

    /// Sends progress, result and dose. Progress that the reader does not take in time is left out.
    async fn answer(&self, mut running: Running, after: Aftermath, _memory: Arc<Reservation>) -> Result<(), Status> {
        let mut sent: Option<(Stage, Instant)> = None;
        let send_if_taken = |progress: Progress| {
            let due = sent.is_none_or(|(stage, at)| stage != progress.stage || at.elapsed() >= PROGRESS_PAUSE);
            if due && let Ok(place) = self.out.try_reserve() {
                place.send(Ok(wire::progress::encode(progress)));
                sent = Some((progress.stage, Instant::now()));
            }
        };
        let result = running.follow(send_if_taken).await?;
        let (findings, mut result) = after.findings(result).await?;
        self.log.note(|facts| facts.stages_s = Some(stages(&result.provenance.wall_time)));
        let tally = match result.tally.take() {
            Some(record) => Some(encode_tally(record).await?),
            None => None,
        };
        let tally_bytes = tally.as_ref().map(|bytes| bytes.len() as u64);
        self.send(wire::result::encode(&result, &findings, tally_bytes)).await?;
        let DoseResult { dose, uncertainty, weighted, .. } = &result;
        let uncertainty = uncertainty.as_ref().map(|sigma| chunks::of_volume(pb::VolumeRole::Uncertainty, 0, sigma));
        let weighted = weighted.as_ref().map(|weighted| chunks::of_volume(pb::VolumeRole::WeightedDose, 0, weighted));
        let on_ct = findings.dose_on_ct.as_ref().map(|dose| chunks::of_volume(pb::VolumeRole::DoseOnCt, 0, dose));
        let more = uncertainty.into_iter().flatten().chain(weighted.into_iter().flatten());
        let more = more.chain(on_ct.into_iter().flatten());
        for chunk in chunks::of_volume(pb::VolumeRole::Dose, 0, dose).chain(more) {
            self.send(chunks::response(chunk)).await?;
        }
        for chunk in tally.iter().flat_map(chunks::of_tally) {
            self.send(chunks::tally_response(chunk)).await?;
        }
        Ok(())
    }

    async fn receive(&mut self) -> Result<Option<pb::compute_request::Message>, Status> {
        let idle = self.shared.config.idle_timeout;
        let message = timeout(idle, self.incoming.message()).await.map_err(|_| DoseError::Stalled { idle })?;
        match message.map_err(|status| status::of_transport(status, self.shared.config.max_message_bytes))? {
            Some(pb::ComputeRequest { message: Some(message) }) => Ok(Some(message)),
            Some(pb::ComputeRequest { message: None }) => {
                Err(DoseError::invalid("message", "is neither a header nor a chunk").into())
            }
            None => Ok(None),
        }
    }

    /// Waits until the reader takes it: responses are made no faster than they are read.
    async fn send(&self, message: pb::ComputeResponse) -> Result<(), DoseError> {
        let idle = self.shared.config.idle_timeout;
        self.out.send_timeout(Ok(message), idle).await.map_err(|error| match error {
            SendTimeoutError::Timeout(_) => DoseError::Stalled { idle },
            SendTimeoutError::Closed(_) => DoseError::Cancelled,
        })
    }
}

/// The bytes of a tally's file. Compressing them can take as long as computing a dose.
async fn encode_tally(record: Box<TallyRecord>) -> Result<Bytes, DoseError> {
    let encode = move || {
        let mut bytes = Vec::new();
        formats::tally::encode(&mut bytes, &record).map(|()| Bytes::from(bytes))
    };
    let failed = |error: std::io::Error| DoseError::Internal(format!("the tally cannot be sent: {error}"));
    off_thread(move || encode().map_err(failed)).await
}
