//! Figures of a running service for Prometheus. No label holds a tenant, a name or a digest.

mod gateway;
mod known;
mod process;

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

pub use gateway::{Computed, GatewayMetrics};
pub use known::Known;

/// Names and values of labels.
type Labels = Vec<(&'static str, String)>;
/// A number with a fraction that may fall.
type Level = Gauge<f64, std::sync::atomic::AtomicU64>;
/// A number with a fraction that only rises.
type Sum = Counter<f64, std::sync::atomic::AtomicU64>;
/// Times, by labels.
struct Times(Family<Labels, Histogram, Buckets>);
/// Sets figures that are asked for, and not counted.
type Refresh = Box<dyn Fn(&Metrics) + Send + Sync>;

/// Voxels that a size of [`Metrics::job_ran`] holds at most.
const SIZES: [(u64, &str); 4] = [(1 << 18, "64"), (1 << 21, "128"), (1 << 24, "256"), (1 << 27, "512")];

/// Figures of the program and of its process, as Prometheus reads them (text format 0.0.4).
fn text_of(register: impl FnOnce(&mut Registry)) -> String {
    let mut registry = Registry::default();
    register(registry.sub_registry_with_prefix("dosegrid"));
    process::register(registry.sub_registry_with_prefix("process"));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry).expect("a string takes all");
    text
}

/// What the figures of a service are.
#[derive(Default)]
pub struct Metrics {
    /// Connections that are open.
    pub connections: Gauge,
    /// Memory that requests have reserved [bytes].
    pub memory_reserved_bytes: Gauge,
    /// Memory that requests may reserve [bytes].
    pub memory_limit_bytes: Gauge,
    /// How long the oldest waiting job has waited [s].
    pub queue_oldest_seconds: Level,
    /// Space left where the store is [bytes].
    pub store_free_bytes: Gauge,
    /// Whether the broker answers: 0 or 1.
    pub broker_up: Gauge,
    /// Records in the audit log since the start.
    pub audit_records: Counter,
    jobs: Family<Labels, Gauge>,
    jobs_finished: Family<Labels, Counter>,
    job_errors: Family<Labels, Counter>,
    job_attempts_lost: Family<Labels, Counter>,
    job_wait_seconds: Times,
    job_run_seconds: Times,
    device_up: Family<Labels, Gauge>,
    device_busy_seconds: Family<Labels, Sum>,
    requests: Family<Labels, Counter>,
    request_seconds: Times,
    errors: Family<Labels, Counter>,
    received_bytes: Counter,
    sent_bytes: Counter,
    connections_refused: Family<Labels, Counter>,
    store_bytes: Family<Labels, Gauge>,
    store_commit_seconds: Times,
    workers: Family<Labels, Gauge>,
    build_info: Family<Labels, Gauge>,
    refresh: Mutex<Vec<Refresh>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Bounds of times: from 1 ms to 4.6 hours, by factors of 4.
#[derive(Clone, Copy, Debug, Default)]
struct Buckets;

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(exponential_buckets(0.001, 4.0, 13))
    }
}

impl Default for Times {
    fn default() -> Self {
        Self(Family::new_with_constructor(Buckets))
    }
}

impl Times {
    fn observe(&self, labels: &Labels, time: Duration) {
        self.0.get_or_create(labels).observe(time.as_secs_f64());
    }
}

fn label(name: &'static str, value: &str) -> (&'static str, String) {
    (name, value.to_owned())
}

impl Metrics {
    /// Figures of a service that has done nothing yet.
    ///
    /// * `commit` – of the source that the program was built from
    pub fn new(version: &str, commit: &str) -> Self {
        let metrics = Self::default();
        let build = vec![label("version", version), label("commit", commit)];
        metrics.build_info.get_or_create(&build).set(1);
        metrics
    }

    /// Has figures set that are asked for, and not counted, whenever somebody looks.
    pub fn refresh_by(&self, refresh: impl Fn(&Self) + Send + Sync + 'static) {
        self.refresh.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(refresh));
    }

    /// Jobs that wait or run now.
    ///
    /// * `state` – `queued` or `running`
    /// * `lane` – `small` or `large`
    pub fn set_jobs(&self, state: &str, lane: &str, count: u64) {
        self.jobs.get_or_create(&vec![label("state", state), label("lane", lane)]).set(whole(count));
    }

    /// A job has come to its final state.
    pub fn job_finished(&self, state: &str) {
        self.jobs_finished.get_or_create(&vec![label("state", state)]).inc();
    }

    /// A job has failed.
    ///
    /// * `reason` – that of its error
    pub fn job_failed(&self, reason: &str) {
        self.job_errors.get_or_create(&vec![label("reason", reason)]).inc();
    }

    /// An attempt at a job was lost.
    ///
    /// * `cause` – `process`, `worker` or `device`
    pub fn attempt_lost(&self, cause: &str) {
        self.job_attempts_lost.get_or_create(&vec![label("cause", cause)]).inc();
    }

    /// A job has waited, and begins.
    pub fn job_waited(&self, lane: &str, wait: Duration) {
        self.job_wait_seconds.observe(&vec![label("lane", lane)], wait);
    }

    /// A job has run.
    ///
    /// * `voxels` – of the grid of its dose
    pub fn job_ran(&self, method: &str, voxels: u64, time: Duration) {
        let size = SIZES.iter().find(|(most, _)| voxels <= *most).map_or(known::ABOVE, |(_, name)| name);
        self.job_run_seconds.observe(&vec![label("method", method), label("size", size)], time);
    }

    /// Whether a device can be used.
    pub fn set_device_up(&self, device: &str, is_up: bool) {
        self.device_up.get_or_create(&vec![label("device", device)]).set(is_up.into());
    }

    /// A device has worked.
    pub fn device_worked(&self, device: &str, time: Duration) {
        self.device_busy_seconds.get_or_create(&vec![label("device", device)]).inc_by(time.as_secs_f64());
    }

    /// A call has ended.
    ///
    /// * `method` – one of the protocol's, such as `dosegrid.v1.DoseService/Compute`
    /// * `code` – such as `OK`
    /// * `reason` – of its error
    pub fn request(&self, method: &str, code: &str, reason: Option<&str>, time: Duration) {
        self.requests.get_or_create(&vec![label("method", method), label("code", code)]).inc();
        self.request_seconds.observe(&vec![label("method", method)], time);
        if let Some(reason) = reason {
            self.errors.get_or_create(&vec![label("reason", reason)]).inc();
        }
    }

    /// Bytes have passed in either direction.
    pub fn moved(&self, received: u64, sent: u64) {
        self.received_bytes.inc_by(received);
        self.sent_bytes.inc_by(sent);
    }

    /// A connection was refused, or could not be accepted.
    pub fn connection_refused(&self, reason: &str) {
        self.connections_refused.get_or_create(&vec![label("reason", reason)]).inc();
    }

    /// What the store holds.
    ///
    /// * `kind` – `volumes`, `results`, `uploads` or `ledger`
    pub fn set_store_bytes(&self, kind: &str, bytes: u64) {
        self.store_bytes.get_or_create(&vec![label("kind", kind)]).set(whole(bytes));
    }

    /// The ledger was made durable.
    pub fn committed(&self, time: Duration) {
        self.store_commit_seconds.observe(&Vec::new(), time);
    }

    /// Workers that are known.
    pub fn set_workers(&self, state: &str, count: u64) {
        self.workers.get_or_create(&vec![label("state", state)]).set(whole(count));
    }

    /// All figures, as Prometheus reads them (text format 0.0.4).
    pub fn text(&self) -> String {
        for refresh in self.refresh.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            refresh(self);
        }
        text_of(|all| self.register(all))
    }

    fn register(&self, to: &mut Registry) {
        to.register("build_info", "Version and commit of the program", self.build_info.clone());
        to.register("jobs", "Jobs that wait or run", self.jobs.clone());
        to.register("jobs_finished", "Jobs by their final state", self.jobs_finished.clone());
        to.register("job_errors", "Failed jobs by the reason of their error", self.job_errors.clone());
        to.register("job_attempts_lost", "Attempts that were lost", self.job_attempts_lost.clone());
        to.register("job_wait_seconds", "Time from submission to the start", self.job_wait_seconds.0.clone());
        to.register("job_run_seconds", "Time of computing a job", self.job_run_seconds.0.clone());
        to.register("queue_oldest_seconds", "Age of the oldest waiting job", self.queue_oldest_seconds.clone());
        to.register("device_up", "Whether a device can be used", self.device_up.clone());
        to.register("device_busy_seconds", "Time that a device has worked", self.device_busy_seconds.clone());
        to.register("requests", "Calls by method and status", self.requests.clone());
        to.register("request_seconds", "Time of a call", self.request_seconds.0.clone());
        to.register("errors", "Failed calls by the reason of their error", self.errors.clone());
        to.register("received_bytes", "Bytes received from callers", self.received_bytes.clone());
        to.register("sent_bytes", "Bytes sent to callers", self.sent_bytes.clone());
        to.register("connections", "Open connections", self.connections.clone());
        to.register("connections_refused", "Connections that were refused", self.connections_refused.clone());
        to.register("memory_reserved_bytes", "Memory that requests have reserved", self.memory_reserved_bytes.clone());
        to.register("memory_limit_bytes", "Memory that requests may reserve", self.memory_limit_bytes.clone());
        to.register("store_bytes", "What the store holds", self.store_bytes.clone());
        to.register("store_free_bytes", "Space left where the store is", self.store_free_bytes.clone());
        to.register("store_commit_seconds", "Time of making the ledger durable", self.store_commit_seconds.0.clone());
        to.register("workers", "Workers by state", self.workers.clone());
        to.register("broker_up", "Whether the broker answers", self.broker_up.clone());
        to.register("audit_records", "Records written to the audit log", self.audit_records.clone());
    }
}

/// A count as a gauge takes it.
fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of the contract, each with labels that it must have.
    const NAMES: [&str; 26] = [
        "dosegrid_build_info{version=\"1\",commit=\"c\"} 1",
        "dosegrid_jobs{state=\"queued\",lane=\"small\"} 3",
        "dosegrid_jobs_finished_total{state=\"failed\"} 1",
        "dosegrid_job_errors_total{reason=\"COMPUTE_LIMIT\"} 1",
        "dosegrid_job_attempts_lost_total{cause=\"process\"} 1",
        "dosegrid_job_wait_seconds_count{lane=\"large\"} 1",
        "dosegrid_job_run_seconds_count{method=\"local\",size=\"64\"} 1",
        "dosegrid_job_run_seconds_count{method=\"local\",size=\"above\"} 1",
        "dosegrid_queue_oldest_seconds 0",
        "dosegrid_device_up{device=\"cpu\"} 1",
        "dosegrid_device_busy_seconds_total{device=\"cpu\"} 1.5",
        "dosegrid_requests_total{method=\"m\",code=\"OK\"} 1",
        "dosegrid_request_seconds_bucket{method=\"m\",le=\"0.001\"}",
        "dosegrid_errors_total{reason=\"SERVER_BUSY\"} 1",
        "dosegrid_received_bytes_total 5",
        "dosegrid_sent_bytes_total 7",
        "dosegrid_connections 0",
        "dosegrid_connections_refused_total{reason=\"tls\"} 1",
        "dosegrid_memory_reserved_bytes 11",
        "dosegrid_memory_limit_bytes 0",
        "dosegrid_store_bytes{kind=\"ledger\"} 9",
        "dosegrid_store_free_bytes 0",
        "dosegrid_store_commit_seconds_count 1",
        "dosegrid_workers{state=\"idle\"} 2",
        "dosegrid_broker_up 0",
        "dosegrid_audit_records_total 0",
    ];

    #[test]
    fn names_are_those_of_the_contract() {
        let metrics = Metrics::new("1", "c");
        metrics.refresh_by(|metrics| _ = metrics.memory_reserved_bytes.set(11));
        let second = Duration::from_millis(1500);
        metrics.set_jobs("queued", "small", 3);
        metrics.job_finished("failed");
        metrics.job_failed("COMPUTE_LIMIT");
        metrics.attempt_lost("process");
        metrics.job_waited("large", second);
        metrics.job_ran("local", 64 * 64 * 64, second);
        metrics.job_ran("local", 1 << 28, second);
        metrics.set_device_up("cpu", true);
        metrics.device_worked("cpu", second);
        metrics.request("m", "OK", None, second);
        metrics.request("m", "RESOURCE_EXHAUSTED", Some("SERVER_BUSY"), second);
        metrics.moved(5, 7);
        metrics.connection_refused("tls");
        metrics.set_store_bytes("ledger", 9);
        metrics.committed(second);
        metrics.set_workers("idle", 2);
        let text = metrics.text();
        for name in NAMES {
            assert!(text.lines().any(|line| line.starts_with(name)), "{name} is missing in\n{text}");
        }
        for name in ["cpu_seconds_total", "resident_memory_bytes", "open_fds", "start_time_seconds"] {
            assert!(text.contains(&format!("\nprocess_{name} ")), "{name} is missing in\n{text}");
        }
    }
}
