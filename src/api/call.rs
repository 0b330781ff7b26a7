//! One `Compute` call from its header to its last chunk.

use std::{
    convert::Infallible,
    future::pending,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::{interval, sleep};
use tonic::{Request, Status, Streaming};
use tonic_types::StatusExt;
use tracing::Instrument;

use super::aftermath::{Aftermath, Findings};
use super::desk::OfTenant;
use super::durable::blocking;
use super::gate::Turn;
use super::job_spec;
use super::log::{CallLog, stages};
use super::off_thread::{Watched, for_header, standing_back, watched};
use super::service::Shared;
use super::stored_volumes::{StoredVolume, Taken, read_all};
use super::stream::{self, Exchange, Responses, no_header, second_header};
use super::upload::Upload;
use super::wire::understood::Understood;
use super::{chunks, pb, status, wire};
use crate::audit::{Event, Record};
use crate::domain::{Control, DoseError, DoseResult, Progress, Stage, TallyRecord};
use crate::formats;
use crate::intake::{Assembled, InputRole, Intake};
use crate::jobs::{Reservation, Running};
use crate::plan::plan_watched;
use crate::store::{Store, VolumeDigest};

/// Least time between two messages of progress in one stage.
const PROGRESS_PAUSE: Duration = Duration::from_millis(50);
/// Time between two messages to a caller who waits for the device.
const QUEUED_PAUSE: Duration = Duration::from_millis(500);

/// Begins a call.
pub(super) fn begin(
    shared: &Arc<Shared>,
    request: Request<Streaming<pb::ComputeRequest>>,
) -> Responses<pb::ComputeResponse> {
    stream::begin(shared, request, |exchange| Call { exchange, inputs: Vec::new() }.run())
}

/// A request that was admitted: its memory is reserved, and its chunks may come.
struct Admitted {
    intake: Intake,
    /// Volumes that do not come, because the store has them.
    stored: Vec<StoredVolume>,
    upload: Upload,
    memory: Arc<Reservation>,
    is_small: bool,
}

/// A request that is computed, and its turn on the device if it has one of its own.
struct InTurn {
    running: Running,
    _turn: Option<Turn>,
}

/// Refuses a request for which there is no place, before its plan is made.
fn check_places(shared: &Shared) -> Result<(), DoseError> {
    shared.jobs.queue().check_room()?;
    if shared.durable.is_some() {
        drop(shared.gate.place(shared.config.queue_length)?);
    }
    Ok(())
}

/// The reason of a failure.
fn reason_of(status: &Status) -> String {
    status.get_details_error_info().map_or_else(|| "INTERNAL".to_owned(), |info| info.reason)
}

/// Admits or refuses a request by its header alone. This takes a while for a nuclide that was not asked for before: its
/// beta spectra are computed, and its kernel is summed.
fn admit(shared: &Shared, log: &CallLog, header: pb::ComputeHeader, control: &Control) -> Result<Admitted, DoseError> {
    let message = header.clone();
    let intake = wire::intake::decode(header).check()?;
    let names = job_spec::names(&message, &intake)?;
    let header = intake.header();
    for (_, volume) in intake.arrivals() {
        shared.check_size("a volume", volume.size_bytes())?;
    }
    log.note(|facts| {
        facts.method = Some(header.method().name().to_owned());
        facts.nuclide = Some(header.source().name().to_owned());
        facts.set_shape(header.grid());
        facts.device = Some(shared.jobs.device().id.clone());
    });
    check_places(shared)?;
    let plan = plan_watched(header, &shared.config.plan_limits(), &control.at_stage(Stage::Kernel))?;
    let device_time_s = job_spec::estimate(&intake, &plan, shared.jobs.device().kind).device_time_s;
    let small = shared.durable.as_ref().map(|durable| durable.store.options().small_job);
    let is_small = small.is_some_and(|longest| device_time_s <= longest.as_secs_f64());
    let bytes = plan.host_bytes.saturating_add(intake.host_bytes());
    let memory = Arc::new(shared.budget.reserve(bytes)?);
    let (mut come, mut stored) = (Vec::new(), Vec::new());
    for ((role, header), name) in intake.arrivals().iter().cloned().zip(names) {
        match name {
            Some(name) => stored.push(StoredVolume { role, header, name }),
            None => come.push((role, header)),
        }
    }
    let upload = Upload::new(&come, shared.durable.is_some())?;
    Ok(Admitted { upload, stored, intake, memory, is_small })
}

struct Call {
    exchange: Exchange<Streaming<pb::ComputeRequest>, pb::ComputeResponse>,
    /// Names of the volumes that came or were named, where an audit log tells of them.
    inputs: Vec<String>,
}

/// All that a call sends, once there is a dose.
struct Finished {
    findings: Findings,
    result: DoseResult,
    tally: Option<Bytes>,
    /// Names of the volumes, where an audit log tells of them.
    names: Vec<String>,
}

impl Call {
    async fn run(mut self) -> Result<(), Status> {
        let header = match self.receive().await? {
            Some(pb::compute_request::Message::Header(header)) => header,
            other => return Err(no_header(other.is_none()).into()),
        };
        let (shared, log) = (self.exchange.shared.clone(), self.exchange.log.clone());
        let admitted = for_header(header.emissions.len(), move |control| admit(&shared, &log, header, control)).await?;
        let span = self.exchange.log.span();
        async {
            let came = self.upload(admitted).await?;
            let begun = self.begin(came).await;
            if let Err(status) = &begun {
                self.note(Some(&reason_of(status)), Vec::new()).await?;
            }
            let (running, after, memory) = begun?;
            self.answer(running, after, memory).await
        }
        .instrument(span)
        .await
    }

    /// Tells the audit log of a call whose volumes all came, before its caller hears of its dose or of its failure.
    async fn note(&self, reason: Option<&str>, results: Vec<String>) -> Result<(), Status> {
        let Some(durable) = &self.exchange.shared.durable else { return Ok(()) };
        let (caller, facts) = (self.exchange.caller.clone(), self.exchange.log.facts());
        let record = Record {
            tenant: Some(caller.tenant),
            identity: Some(caller.name),
            peer: Some(caller.peer).filter(|peer| !peer.is_empty()),
            nuclide: facts.nuclide,
            method: facts.method,
            device: facts.device,
            version: Some(env!("CARGO_PKG_VERSION").into()),
            state: Some(if reason.is_none() { "succeeded" } else { "failed" }.into()),
            reason: reason.map(str::to_owned),
            inputs: self.inputs.clone(),
            results,
            ..Record::now(Event::ComputeFinished)
        };
        blocking(durable, move |store| store.note(record)).await
    }

    /// Takes all chunks.
    async fn upload(&mut self, mut admitted: Admitted) -> Result<Admitted, Status> {
        let Admitted { stored, upload, .. } = &mut admitted;
        self.check_stored(stored).await?;
        while let Some(message) = self.receive().await? {
            match message {
                pb::compute_request::Message::Chunk(chunk) => upload.accept(&chunk)?,
                pb::compute_request::Message::Header(_) => return Err(second_header().into()),
            }
        }
        if self.exchange.shared.durable.is_some() {
            let named = stored.iter().map(|volume| volume.name);
            self.inputs = named.chain(upload.names()).map(|name| name.to_string()).collect();
        }
        Ok(admitted)
    }

    /// Checks every value, says how the request was understood, and puts it into the queue.
    async fn begin(&self, admitted: Admitted) -> Result<(InTurn, Aftermath, Arc<Reservation>), Status> {
        let Admitted { intake, stored, upload, memory, is_small } = admitted;
        let mut volumes = self.read_stored(stored).await?;
        let Watched { run, stop: _stop } = watched(move |control| {
            volumes.extend(upload.finish());
            let place = |role: &InputRole| intake.arrivals().iter().position(|(known, _)| known == role);
            volumes.sort_by_key(|(role, _)| place(role));
            let assembled = intake.assemble(volumes, control)?;
            let understood = Understood::of(&assembled);
            assembled.check_if_strict()?;
            Ok((intake, assembled, understood))
        });
        let (intake, assembled, understood) = standing_back(run).await?;
        self.exchange.send(wire::understood::encode(understood)).await?;
        let running = self.submit(&assembled, &memory, is_small).await?;
        Ok((running, Aftermath::new(intake, assembled), memory))
    }

    /// Puts the request into the queue. Where jobs last, calls stand in line with them.
    async fn submit(&self, assembled: &Assembled, memory: &Arc<Reservation>, is_small: bool) -> Result<InTurn, Status> {
        let Shared { jobs, gate, durable, .. } = &*self.exchange.shared;
        let (request, tenant, memory) = (assembled.request.clone(), &self.exchange.caller.tenant, Some(memory.clone()));
        if durable.is_none() {
            return Ok(InTurn { running: jobs.submit(request, tenant, memory)?, _turn: None });
        }
        let _place = gate.place(self.exchange.shared.config.queue_length)?;
        if is_small {
            let turn = self.in_turn(gate.enter()).await?;
            return Ok(InTurn { running: jobs.submit_small(request, tenant, memory, None)?, _turn: Some(turn) });
        }
        let device = Arc::new(self.in_turn(gate.enter_large()).await?);
        Ok(InTurn { running: jobs.submit_with(request, tenant, memory, Some(device))?, _turn: None })
    }

    /// Waits for the device. The caller hears that it does.
    async fn in_turn<T>(&self, turn: impl Future<Output = Result<T, DoseError>>) -> Result<T, DoseError> {
        tokio::select! {
            biased;
            turn = turn => turn,
            never = self.tell_queued() => match never {},
        }
    }

    async fn tell_queued(&self) -> Infallible {
        let mut ticks = interval(QUEUED_PAUSE);
        loop {
            ticks.tick().await;
            self.exchange.send_if_taken(|| wire::progress::encode(Progress::new(Stage::Queued, 0.0), None));
        }
    }

    /// Sends progress, result and dose. Progress that the reader does not take in time is left out.
    async fn answer(&self, mut running: InTurn, after: Aftermath, _memory: Arc<Reservation>) -> Result<(), Status> {
        let mut sent: Option<(Stage, Instant)> = None;
        let (begin, begun) = oneshot::channel();
        let mut begin = Some(begin);
        let place = running.running.place();
        let send_if_taken = Mutex::new(|progress: Progress| {
            if progress.stage != Stage::Queued {
                // Nobody hears it once the limit has passed.
                let _ = begin.take().map(|begin| begin.send(()));
            }
            let due = sent.is_none_or(|(stage, at)| stage != progress.stage || at.elapsed() >= PROGRESS_PAUSE);
            let ahead = || place().and_then(|ahead| u32::try_from(ahead).ok());
            if due && self.exchange.send_if_taken(|| wire::progress::encode(progress, ahead())) {
                sent = Some((progress.stage, Instant::now()));
            }
        });
        let send = |progress| send_if_taken.lock().unwrap_or_else(PoisonError::into_inner)(progress);
        let place_in_queue = async {
            let mut ticks = interval(QUEUED_PAUSE);
            loop {
                ticks.tick().await;
                if place().is_none() {
                    break pending::<Infallible>().await;
                }
                send(Progress::new(Stage::Queued, 0.0));
            }
        };
        let limit = self.exchange.shared.config.compute_limit;
        let over = async {
            match begun.await {
                Ok(()) => sleep(limit).await,
                Err(_) => pending().await,
            }
        };
        let result = tokio::select! {
            biased;
            result = running.running.follow(send) => result,
            never = place_in_queue => match never {},
            () = over => {
                drop(running);
                self.note(Some("COMPUTE_LIMIT"), Vec::new()).await?;
                return Err(status::compute_limit(limit));
            }
        };
        drop(running);
        let finished = match result {
            Ok(result) => self.finish(result, after).await,
            Err(error) => Err(error),
        };
        let reason = finished.as_ref().err().map(DoseError::reason);
        self.note(reason, finished.as_ref().map_or_else(|_| Vec::new(), |finished| finished.names.clone())).await?;
        let Finished { findings, result, tally, names: _ } = finished?;
        let tally_bytes = tally.as_ref().map(|bytes| bytes.len() as u64);
        let announced = wire::result::encode(&result, &findings, tally_bytes);
        self.exchange.send(chunks::result_response(announced)).await?;
        for chunk in chunks::of_result(&result, findings.dose_on_ct.as_ref()) {
            self.exchange.send(chunks::response(chunk)).await?;
        }
        for chunk in tally.iter().flat_map(|bytes| chunks::of_tally(0, bytes)) {
            self.exchange.send(chunks::tally_response(chunk)).await?;
        }
        Ok(())
    }

    /// Makes all of a dose that is sent with it.
    async fn finish(&self, result: DoseResult, after: Aftermath) -> Result<Finished, DoseError> {
        let (findings, mut result) = after.findings(result).await?;
        self.exchange.log.note(|facts| facts.stages_s = Some(stages(&result.provenance.wall_time)));
        let tally = match result.tally.take() {
            Some(record) => Some(encode_tally(record).await?),
            None => None,
        };
        if self.exchange.shared.durable.is_none() {
            return Ok(Finished { findings, result, tally, names: Vec::new() });
        }
        standing_back(move || {
            let volumes = chunks::names_of_result(&result, findings.dose_on_ct.as_ref());
            let tallies = tally.iter().map(|bytes| VolumeDigest::of_bytes(bytes));
            let names = volumes.into_iter().chain(tallies).map(|name| name.to_string()).collect();
            Ok(Finished { findings, result, tally, names })
        })
        .await
    }

    /// Refuses volumes that the caller does not have, before any comes.
    async fn check_stored(&self, stored: &[StoredVolume]) -> Result<(), Status> {
        if stored.is_empty() {
            return Ok(());
        }
        let (durable, tenant, stored) =
            (self.exchange.shared.store()?, self.exchange.caller.tenant.clone(), stored.to_vec());
        let open = move |store: &Store| {
            let source = OfTenant { store, tenant: &tenant };
            stored.iter().try_for_each(|volume| volume.open(&source).map(drop))
        };
        blocking(durable, open).await
    }

    /// Reads the volumes that do not come.
    async fn read_stored(&self, stored: Vec<StoredVolume>) -> Result<Vec<Taken>, Status> {
        if stored.is_empty() {
            return Ok(Vec::new());
        }
        let tenant = self.exchange.caller.tenant.clone();
        let read = move |store: &Store| read_all(&OfTenant { store, tenant: &tenant }, &stored);
        Ok(blocking(self.exchange.shared.store()?, read).await??)
    }

    async fn receive(&mut self) -> Result<Option<pb::compute_request::Message>, Status> {
        match self.exchange.receive().await? {
            Some(pb::ComputeRequest { message: Some(message) }) => Ok(Some(message)),
            Some(pb::ComputeRequest { message: None }) => {
                Err(DoseError::invalid("message", "is neither a header nor a chunk").into())
            }
            None => Ok(None),
        }
    }
}

/// The bytes of a tally's file. Compressing them can take as long as computing a dose.
pub(super) async fn encode_tally(record: Box<TallyRecord>) -> Result<Bytes, DoseError> {
    let encode = move || {
        let mut bytes = Vec::new();
        formats::tally::encode(&mut bytes, &record).map(|()| Bytes::from(bytes))
    };
    let failed = |error: std::io::Error| DoseError::Internal(format!("the tally cannot be sent: {error}"));
    standing_back(move || encode().map_err(failed)).await
}
