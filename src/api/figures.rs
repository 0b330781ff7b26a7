//! What the metrics of a server say that is asked for, and not counted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::door::{Gate, REFUSALS, names_of_calls};
use super::reasons;
use super::service::Shared;
use crate::domain::Method;
use crate::jobs::JobState;
use crate::metrics::{Known, Metrics};
use crate::store::{Figures, JobRecord, Lane, StoreEvent};

/// States of workers that a gateway hears of.
const WORKER_STATES: [&str; 4] = ["idle", "busy", "draining", "silent"];

/// Gives every figure a sample, and has those set that are asked for, and not counted.
///
/// * `has_workers` – whether jobs go to workers elsewhere; else this process is the one worker that there is
pub(super) fn watch(metrics: &Metrics, shared: &Arc<Shared>, gate: &Arc<Gate>, has_workers: bool) {
    metrics.begin(&Known {
        device: &shared.jobs.device().id,
        calls: &names_of_calls(),
        reasons: reasons::OF_CALLS,
        methods: &Method::NAMES,
        job_reasons: reasons::OF_JOBS,
        final_states: &JobState::ALL
            .into_iter()
            .filter(|state| state.is_final())
            .map(JobState::name)
            .collect::<Vec<_>>(),
        refusals: &REFUSALS,
        worker_states: if has_workers { &WORKER_STATES } else { &WORKER_STATES[..2] },
    });
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    metrics.memory_limit_bytes.set(bytes(shared.config.memory_bytes.saturating_add(shared.config.windows_bytes)));
    if let Some(durable) = &shared.durable {
        for job in durable.store.lost_at_start() {
            metrics.attempt_lost("process");
            // One that was lost too often ended before anybody heard of it.
            if job.state().is_final() {
                ended(metrics, job);
            }
        }
        let metrics = shared.metrics.clone();
        durable.store.observe(move |event| match event {
            StoreEvent::Committed(time) => metrics.committed(time),
            StoreEvent::Ended(job) => ended(&metrics, job),
        });
    }
    let (shared, gate) = (Arc::downgrade(shared), Arc::downgrade(gate));
    let told = Mutex::new(Duration::ZERO);
    metrics.refresh_by(move |metrics| {
        if let (Some(shared), Some(gate)) = (shared.upgrade(), gate.upgrade()) {
            metrics.set_device_up(&shared.jobs.device().id, shared.jobs.is_device_up());
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            let worked = shared.jobs.time_worked();
            metrics.device_worked(&shared.jobs.device().id, worked.saturating_sub(*told));
            *told = worked;
            drop(told);
            if !has_workers {
                let is_busy = shared.jobs.is_busy();
                metrics.set_workers("idle", u64::from(!is_busy));
                metrics.set_workers("busy", u64::from(is_busy));
            }
            let reserved = shared.config.memory_bytes.saturating_sub(shared.budget.free_bytes());
            metrics.memory_reserved_bytes.set(bytes(reserved));
            let (received, sent) = gate.take_passed();
            metrics.moved(received, sent);
            if let Some(durable) = &shared.durable {
                set_store(metrics, &durable.store.figures(SystemTime::now()));
            }
        }
    });
}

fn ended(metrics: &Metrics, job: &JobRecord) {
    metrics.job_finished(job.state().name());
    job.error.iter().for_each(|fault| metrics.job_failed(&fault.reason));
}

fn set_store(metrics: &Metrics, figures: &Figures) {
    for lane in [Lane::Small, Lane::Large] {
        for (state, count) in ["queued", "running"].into_iter().zip(figures.jobs[lane as usize]) {
            metrics.set_jobs(state, lane.name(), count);
        }
    }
    let kinds = [
        ("volumes", figures.volume_bytes),
        ("results", figures.result_bytes),
        ("uploads", figures.upload_bytes),
        ("ledger", figures.ledger_bytes),
    ];
    kinds.into_iter().for_each(|(kind, bytes)| metrics.set_store_bytes(kind, bytes));
    metrics.queue_oldest_seconds.set(figures.oldest_wait_s);
    metrics.store_free_bytes.set(i64::try_from(figures.free_bytes).unwrap_or(i64::MAX));
    let written = figures.audit_records.saturating_sub(metrics.audit_records.get());
    metrics.audit_records.inc_by(written);
}
