//! A call whose messages come and go in streams: its deadline, its end, and the pauses of its caller.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Instant,
};

use prost::Message;
use tokio::{
    sync::mpsc::{self, error::SendTimeoutError},
    time::timeout,
};
use tokio_stream::Stream;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Request, Status, Streaming};

use super::identity::{Caller, caller_of};
use super::log::CallLog;
use super::pace::Pace;
use super::service::Shared;
use super::{deadline, status};
use crate::domain::DoseError;
use crate::faults::Fault;

/// Messages that wait for a reader: one being sent, one ready.
const RESPONSES_AHEAD: usize = 2;

/// The answer as it comes. It owns the call: dropping it, as tonic does when the caller goes away, cancels the job.
#[derive(Debug)]
pub(super) struct Responses<O> {
    messages: mpsc::Receiver<Result<O, Status>>,
    /// Why the call failed, if it did: what comes after the last message.
    failure: Arc<Mutex<Option<Status>>>,
    _call: AbortOnDropHandle<()>,
}

impl<O> Stream for Responses<O> {
    type Item = Result<O, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.messages.poll_recv(context).map(|message| {
            let failure = || self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
            message.or_else(|| failure().map(Err))
        })
    }
}

/// What comes from a caller, its message or its stream, and the stream of the answer.
pub(super) struct Exchange<I, O> {
    pub(super) shared: Arc<Shared>,
    pub(super) log: CallLog,
    /// Who calls.
    pub(super) caller: Caller,
    pub(super) incoming: I,
    out: mpsc::Sender<Result<O, Status>>,
    sending: Pace,
    reading: Mutex<Pace>,
}

/// Begins a call. Its deadline bounds it from the first message to the last, and so does the drain timeout of a server
/// that shuts down.
pub(super) fn begin<I, O, F>(
    shared: &Arc<Shared>,
    request: Request<I>,
    run: impl FnOnce(Exchange<I, O>) -> F,
) -> Responses<O>
where
    F: Future<Output = Result<(), Status>> + Send + 'static,
    O: Send + 'static,
{
    let log = CallLog::of(&request);
    let expired = deadline::expired(deadline::timeout(request.metadata().as_ref()));
    let (out, messages) = mpsc::channel(RESPONSES_AHEAD);
    let caller = caller_of(request.extensions());
    let incoming = request.into_inner();
    let call = run(Exchange {
        shared: shared.clone(),
        log: log.clone(),
        caller,
        incoming,
        out: out.clone(),
        sending: Pace::default(),
        reading: Mutex::default(),
    });
    let abort = shared.abort.clone();
    let failure = Arc::new(Mutex::new(None));
    let failed = failure.clone();
    let task = shared.calls.spawn(async move {
        let outcome = tokio::select! {
            outcome = call => outcome,
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

impl<I: Message, O> Exchange<Streaming<I>, O> {
    /// The next message of the caller; none at the end of its stream.
    pub(super) async fn receive(&mut self) -> Result<Option<I>, Status> {
        let config = &self.shared.config;
        let idle = config.idle_timeout;
        let began = Instant::now();
        if self.shared.faults.strikes(Fault::SlowClient) {
            return Err(DoseError::Stalled { idle }.into());
        }
        let message = timeout(idle, self.incoming.message()).await.map_err(|_| DoseError::Stalled { idle })?;
        if let Ok(Some(message)) = &message {
            self.sending.note(began.elapsed(), message.encoded_len(), idle)?;
        }
        let with_reason = |status: Status| {
            if status.details().is_empty() { status::of_transport(status, config.max_message_bytes) } else { status }
        };
        message.map_err(with_reason)
    }
}

impl<I, O: Message> Exchange<I, O> {
    /// Waits until the reader takes it: responses are made no faster than they are read.
    pub(super) async fn send(&self, message: O) -> Result<(), DoseError> {
        let idle = self.shared.config.idle_timeout;
        let (began, bytes) = (Instant::now(), message.encoded_len());
        self.out.send_timeout(Ok(message), idle).await.map_err(|error| match error {
            SendTimeoutError::Timeout(_) => DoseError::Stalled { idle },
            SendTimeoutError::Closed(_) => DoseError::Cancelled,
        })?;
        self.reading.lock().unwrap_or_else(PoisonError::into_inner).note(began.elapsed(), bytes, idle)
    }

    /// Sends what is made, if the reader has room for it now.
    pub(super) fn send_if_taken(&self, make: impl FnOnce() -> O) -> bool {
        let place = self.out.try_reserve().ok();
        place.map(|place| place.send(Ok(make()))).is_some()
    }
}

/// What a stream says that does not begin with its header.
pub(super) fn no_header(is_empty: bool) -> DoseError {
    let reason = if is_empty { "the stream is empty" } else { "a chunk came first" };
    DoseError::invalid("header", format!("is missing: {reason}"))
}

/// What a stream says that has its header in the middle.
pub(super) fn second_header() -> DoseError {
    DoseError::invalid("header", "came twice")
}
