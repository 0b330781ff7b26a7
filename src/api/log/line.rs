//! What is said of a call when it has ended.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderValue, Request};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::request_id;
use crate::api::door::{Peer, name_of_call};
use crate::api::traces::TraceSpan;
use crate::api::{deadline, status};
use crate::domain::{DoseError, StageTime, VoxelGrid};
use crate::metrics::Metrics;

/// Calls of services that are not this program's own.
const OF_OTHERS: [&str; 4] = ["Check", "Watch", "List", "ServerReflectionInfo"];

/// What the paths of this program's own services begin with.
const OWN: &str = "dosegrid.v1.";

/// A caller whose own clock ends a call may leave so much before the deadline comes here.
const CLOCKS_APART: Duration = Duration::from_millis(50);

/// What a call that computes tells of itself, once it knows.
#[derive(Clone, Debug, Default)]
pub(in crate::api) struct Facts {
    /// The method of dose calculation.
    pub(in crate::api) method: Option<String>,
    /// The nuclide, by the name that this program has for it.
    pub(in crate::api) nuclide: Option<String>,
    /// Voxels of the grid of the dose, such as `64x64x48`.
    pub(in crate::api) shape: Option<String>,
    /// The device that it is computed on.
    pub(in crate::api) device: Option<String>,
    /// Wall time by stage, such as `kernel=0.012 dose=0.340`.
    pub(in crate::api) stages_s: Option<String>,
}

impl Facts {
    /// Sets the shape to that of a grid.
    pub(in crate::api) fn set_shape(&mut self, grid: &VoxelGrid) {
        let [nx, ny, nz] = grid.shape();
        self.shape = Some(format!("{nx}x{ny}x{nz}"));
    }
}

/// The line of a call, for all who have something to say of it. Copies are of the same line.
#[derive(Clone, Debug)]
pub(in crate::api) struct CallLog(Arc<Mutex<Line>>);

/// Ends the line of a call when it is dropped, if nothing else did: then the caller has left.
#[derive(Debug)]
pub(super) struct Ending {
    log: CallLog,
    id: HeaderValue,
}

#[derive(Debug)]
struct Line {
    request_id: String,
    rpc: String,
    /// The name of the call in metrics.
    method: &'static str,
    metrics: Arc<Metrics>,
    peer: Option<SocketAddr>,
    began: Instant,
    deadline: Option<Duration>,
    facts: Facts,
    span: TraceSpan,
    has_ended: bool,
}

/// What the log calls a call: its path, unless that is of the caller's own making.
fn rpc(path: &str, method: &'static str) -> String {
    let path = path.trim_start_matches('/');
    let of_other = path.strip_prefix(method).and_then(|rest| rest.strip_prefix('/'));
    let is_known = path == method || of_other.is_some_and(|name| OF_OTHERS.contains(&name));
    if is_known { path.to_owned() } else { method.to_owned() }
}

/// Begins the line of a call.
pub(super) fn begin<B>(request: &Request<B>, metrics: Arc<Metrics>) -> Ending {
    let request_id = request_id::of(request.headers());
    let id = HeaderValue::from_str(&request_id).expect("letters, digits and a few signs");
    let method = name_of_call(request.uri().path());
    let rpc = rpc(request.uri().path(), method);
    let mut span = TraceSpan::of_call(request.headers(), method);
    span.note("dosegrid.request_id", request_id.clone());
    let line = Line {
        request_id,
        rpc,
        method,
        metrics,
        peer: request.extensions().get::<Peer>().map(|peer| peer.address),
        began: Instant::now(),
        deadline: deadline::timeout(request.headers()),
        facts: Facts::default(),
        span,
        has_ended: false,
    };
    Ending { log: CallLog(Arc::new(Mutex::new(line))), id }
}

impl CallLog {
    /// The line of a call, which [`super::Logged`] began.
    pub(in crate::api) fn of<T>(request: &tonic::Request<T>) -> Self {
        request.extensions().get::<Self>().expect("every service is served with a log").clone()
    }

    /// A span for everything else that the log says of this call.
    pub(in crate::api) fn span(&self) -> tracing::Span {
        let line = self.lock();
        let Facts { method, nuclide, shape, device, .. } = &line.facts;
        tracing::info_span!("call", request_id = line.request_id, method, nuclide, shape, device)
    }

    /// What a part of the call says of its trace; none if there is no trace.
    pub(in crate::api) fn traceparent(&self) -> Option<String> {
        self.lock().span.traceparent()
    }

    /// What is known of the call.
    pub(in crate::api) fn facts(&self) -> Facts {
        self.lock().facts.clone()
    }

    /// Adds what is known of the call.
    pub(in crate::api) fn note(&self, note: impl FnOnce(&mut Facts)) {
        note(&mut self.lock().facts);
    }

    /// Writes the line, if it is not written yet.
    pub(in crate::api) fn end(&self, status: &Status) {
        self.lock().end(status);
    }

    /// No code of others runs under the lock, so a poisoned one still guards a sound line.
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ending {
    pub(super) fn log(&self) -> &CallLog {
        &self.log
    }

    /// The id of the call, for its metadata.
    pub(super) fn id(&self) -> HeaderValue {
        self.id.clone()
    }

    pub(super) fn end(&mut self, status: &Status) {
        self.log.end(status);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let mut line = self.log.lock();
        let is_late = line.deadline.is_some_and(|deadline| line.began.elapsed() + CLOCKS_APART >= deadline);
        let error = if is_late { DoseError::DeadlineExceeded } else { DoseError::Cancelled };
        line.end(&error.into());
    }
}

impl Line {
    fn end(&mut self, status: &Status) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let details = status.get_error_details();
        let reason = details.error_info().map(|info| info.reason.as_str());
        let why = details.error_info().and_then(|info| info.metadata.get("why")).map(String::as_str);
        let fields = details.bad_request().map(|bad| {
            let fields = bad.field_violations.iter().map(|violation| violation.field.as_str());
            fields.collect::<Vec<_>>().join(",")
        });
        let (code, time) = (status::code_name(status.code()), self.began.elapsed());
        self.metrics.request(self.method, code, reason, time);
        self.end_span(status.code(), reason);
        let Self { request_id, rpc, facts, .. } = self;
        let Facts { method, nuclide, shape, device, stages_s } = facts;
        let (outcome, duration_s) = (code, time.as_secs_f64());
        let peer = self.peer.map(|peer| peer.to_string());
        // The level has to be known where the macro stands.
        macro_rules! log {
            ($level:ident) => {
                tracing::$level!(
                    request_id, rpc, peer, outcome, reason, why, fields, duration_s, method, nuclide, shape, device,
                    stages_s, "call"
                )
            };
        }
        let is_own = rpc.starts_with(OWN);
        match status.code() {
            // Health is asked every few seconds.
            Code::Ok | Code::Cancelled if !is_own => log!(debug),
            Code::Ok | Code::Cancelled => log!(info),
            Code::Internal | Code::DataLoss | Code::Unknown => log!(error),
            Code::InvalidArgument
            | Code::DeadlineExceeded
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Unavailable
            | Code::Unauthenticated => log!(warn),
        }
    }
}

impl Line {
    fn end_span(&mut self, code: Code, reason: Option<&str>) {
        let Facts { method, nuclide, shape, device, .. } = &self.facts;
        let facts = [
            ("dosegrid.method", method),
            ("dosegrid.nuclide", nuclide),
            ("dosegrid.shape", shape),
            ("dosegrid.device", device),
        ];
        for (key, value) in facts.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))) {
            self.span.note(key, value);
        }
        self.span.note("rpc.grpc.status_code", i64::from(code as i32));
        if code != Code::Ok {
            self.span.fail(reason.unwrap_or_else(|| status::code_name(code)));
        }
        self.span.end();
    }
}

/// Wall time by stage, in one word each.
pub(in crate::api) fn stages(times: &[StageTime]) -> String {
    times.iter().map(|time| format!("{}={:.3}", time.stage, time.seconds)).collect::<Vec<_>>().join(" ")
}
