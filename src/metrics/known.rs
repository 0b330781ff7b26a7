//! Samples that stand from the start. What has not happened yet is 0: a rate or an alert then sees the first event too.

use super::{Metrics, SIZES, label};

/// Where jobs wait.
const LANES: [&str; 2] = ["small", "large"];
/// Size of a job that is larger than all of [`SIZES`].
pub(super) const ABOVE: &str = "above";

/// Values of labels that can be told before anything has happened.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The device that jobs are computed on.
    pub device: &'a str,
    /// Calls, as [`Metrics::request`] has them.
    pub calls: &'a [&'a str],
    /// Reasons of failed calls.
    pub reasons: &'a [&'a str],
    /// Methods of dose calculation.
    pub methods: &'a [&'a str],
    /// Reasons of failed jobs.
    pub job_reasons: &'a [&'a str],
    /// Final states of jobs.
    pub final_states: &'a [&'a str],
    /// Reasons for which connections are refused.
    pub refusals: &'a [&'a str],
    /// States of workers.
    pub worker_states: &'a [&'a str],
}

impl Metrics {
    /// Gives every figure a sample, 0 if nothing is counted yet.
    pub fn begin(&self, known: &Known<'_>) {
        for lane in LANES {
            for state in ["queued", "running"] {
                let _ = self.jobs.get_or_create(&vec![label("state", state), label("lane", lane)]);
            }
            let _ = self.job_wait_seconds.0.get_or_create(&vec![label("lane", lane)]);
        }
        for method in known.methods {
            for size in SIZES.iter().map(|(_, size)| *size).chain([ABOVE]) {
                let _ = self.job_run_seconds.0.get_or_create(&vec![label("method", method), label("size", size)]);
            }
        }
        for call in known.calls {
            let _ = self.requests.get_or_create(&vec![label("method", call), label("code", "OK")]);
            let _ = self.request_seconds.0.get_or_create(&vec![label("method", call)]);
        }
        let _ = self.store_commit_seconds.0.get_or_create(&Vec::new());
        let _ = self.device_busy_seconds.get_or_create(&vec![label("device", known.device)]);
        let counters = [
            (&self.jobs_finished, "state", known.final_states),
            (&self.job_errors, "reason", known.job_reasons),
            (&self.job_attempts_lost, "cause", &["process", "worker", "device"]),
            (&self.errors, "reason", known.reasons),
            (&self.connections_refused, "reason", known.refusals),
        ];
        for (family, name, values) in counters {
            for value in values {
                let _ = family.get_or_create(&vec![label(name, value)]);
            }
        }
        let gauges = [
            (&self.device_up, "device", &[known.device][..]),
            (&self.store_bytes, "kind", &["volumes", "results", "uploads", "ledger"]),
            (&self.workers, "state", known.worker_states),
        ];
        for (family, name, values) in gauges {
            for value in values {
                let _ = family.get_or_create(&vec![label(name, value)]);
            }
        }
    }
}
