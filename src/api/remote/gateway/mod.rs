//! The side of the store: hands jobs to workers in the order of the ledger, and takes what they report.

mod arrivals;
mod choice;
mod claim;
mod fleet;
mod janitor;
mod orders;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use self::claim::Account;
use self::fleet::{Fleet, Heard, Held};
use super::messages::{BEATS, Beat, Gone, HELLO, Lease, NEEDS, Need, Versioned, heard, stops_of};
use crate::api::durable::{Durable, blocking};
use crate::api::runner;
use crate::api::service::Shared;
use crate::broker::Broker;
use crate::store::{JobRecord, Outcome};

pub use claim::check_account;

/// How often leases are looked at, and help is sought.
const TICK: Duration = Duration::from_millis(500);
/// Rest after a failure of store or broker.
const REST: Duration = Duration::from_secs(1);

/// Longest time in which the last job that was taken from the ledger goes to its worker, once no more are.
const LAST_ORDER: Duration = Duration::from_secs(5);

/// What all parts of the gateway share.
pub(super) struct Gateway {
    shared: Arc<Shared>,
    durable: Durable,
    broker: Broker,
    fleet: Fleet,
    /// A worker came, or has room again.
    room: Notify,
}

/// Hands jobs to workers until the server drains. What runs then goes on, and is taken up after a restart.
///
/// * `lease` – how long a worker may be silent that has not said how long it may be
pub(in crate::api) async fn run(shared: Arc<Shared>, durable: Durable, broker: Broker, lease: Duration) {
    let draining = shared.draining.clone();
    let mut account = Account::new(broker.clone());
    let gateway = Arc::new(Gateway { shared, durable, broker, fleet: Fleet::new(lease), room: Notify::new() });
    loop {
        gateway.fleet.adopt(gateway.durable.store.running());
        let mut words = tokio::select! {
            words = account.until_alone() => words,
            () = draining.cancelled() => return,
        };
        gateway.fleet.renew_all();
        let parts = [
            tokio::spawn(gateway.clone().hear_beats()),
            tokio::spawn(gateway.clone().hear_needs()),
            tokio::spawn(gateway.clone().take_reports()),
            tokio::spawn(gateway.clone().watch_leases()),
            tokio::spawn(gateway.clone().clean()),
        ];
        let enough = draining.child_token();
        let mut handing_out = tokio::spawn(gateway.clone().hand_out(enough.clone()));
        let has_ended = tokio::select! {
            () = account.until_another(&mut words) => false,
            () = draining.cancelled() => true,
        };
        // A job that is taken from the ledger and whose order is not sent would wait for its lease, and count.
        enough.cancel();
        if timeout(LAST_ORDER, &mut handing_out).await.is_err() {
            handing_out.abort();
        }
        parts.iter().for_each(tokio::task::JoinHandle::abort);
        if has_ended {
            return;
        }
        gateway.tell_metrics(false);
    }
}

impl Gateway {
    /// Gives waiting jobs to workers that have room, and takes them from those that are silent, until it is enough.
    /// Orders that are on their way then are the server's to wait for.
    async fn hand_out(self: Arc<Self>, enough: CancellationToken) {
        let (mut changes, mut up) = (self.durable.store.changes(), self.broker.up());
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            changes.borrow_and_update();
            let is_up = *up.borrow_and_update();
            self.stop_those_that_left().await;
            while is_up && !enough.is_cancelled() && self.durable.store.has_waiting() {
                match self.take().await {
                    Ok(Some(held)) => drop(self.shared.attempts.spawn(self.clone().send(held))),
                    Ok(None) => break,
                    Err(_) => tokio::time::sleep(REST).await,
                }
            }
            self.tell_metrics(is_up);
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                changed = up.changed() => if changed.is_err() { return } else { self.greet().await },
                () = self.room.notified() => {}
                () = enough.cancelled() => return,
                _ = ticks.tick() => {
                    if is_up && !self.durable.store.has_waiting() {
                        self.find_help().await;
                    }
                }
            }
        }
    }

    /// Has all workers say that they live: the broker is there, and what they said before was not heard.
    async fn greet(&self) {
        if self.broker.is_up() {
            // Those that do not hear it say so by themselves.
            let _ = self.broker.prepare().await;
            let _ = self.broker.tell(HELLO, &Versioned::new(())).await;
        }
    }

    /// Takes the job that goes next, if a worker has room for it.
    async fn take(&self) -> Result<Option<Held>, tonic::Status> {
        let candidates = self.fleet.candidates();
        if candidates.is_empty() {
            return Ok(None);
        }
        let can_begin = {
            let candidates = candidates.clone();
            move |job: &JobRecord| candidates.iter().any(|worker| worker.can(job))
        };
        let choose = move |job: &JobRecord| choice::choose(&candidates, job);
        let taken = blocking(&self.durable, move |store| store.take(can_begin, choose)).await?;
        Ok(taken.map(|(attempt, worker)| self.fleet.hold(attempt, worker)))
    }

    /// Tells workers whose jobs went on without them: cancelled, deleted, or another's.
    async fn stop_those_that_left(&self) {
        let store = &self.durable.store;
        let is_current = |held: &Held| {
            let job = store.job(&held.attempt.tenant, held.attempt.job.id);
            job.is_some_and(|job| held.attempt.is_current(&job))
        };
        for held in self.fleet.remove_unless(is_current) {
            self.let_go(&held).await;
        }
    }

    /// Ends what the gateway knows of an attempt that is over.
    async fn let_go(&self, held: &Held) {
        let lease = Lease::of(&held.attempt);
        self.durable.note_progress(lease.job, None);
        self.stop(&held.worker, lease).await;
        self.room.notify_one();
    }

    async fn stop(&self, worker: &str, lease: Lease) {
        if worker.is_empty() {
            return;
        }
        // One that does not hear it is told with its next beat.
        let _ = self.broker.tell(&stops_of(worker), &Versioned::new(lease)).await;
    }

    /// Puts jobs back whose workers are silent. While the broker is gone, or this process stands still, nobody can be
    /// heard, and no lease ends.
    async fn watch_leases(self: Arc<Self>) {
        let up = self.broker.up();
        let mut last = Instant::now();
        loop {
            // Nothing else is waited for here: longer than this took, the process stood still.
            tokio::time::sleep(TICK).await;
            let since = last.elapsed();
            last = Instant::now();
            if !*up.borrow() {
                self.fleet.renew_all();
                continue;
            }
            for held in self.fleet.expired_after(since) {
                drop(tokio::spawn(self.clone().take_back(held)));
            }
        }
    }

    /// Puts a job back whose worker is silent.
    async fn take_back(self: Arc<Self>, held: Held) {
        if self.fleet.begin_end(Lease::of(&held.attempt)) {
            tracing::warn!(job = %held.attempt.job.id, "its worker is silent: the job waits again");
            self.end(&held, "unknown", Outcome::Lost { cause: "worker" }, 0.0).await;
        }
    }

    /// Puts a job back that its worker was given and has not begun: it was asked to end before. That does not count.
    async fn release(self: Arc<Self>, held: Held) {
        if self.fleet.begin_end(Lease::of(&held.attempt)) {
            tracing::info!(job = %held.attempt.job.id, "its worker ends and had not taken it: the job waits again");
            self.end(&held, "none", Outcome::Released, 0.0).await;
        }
    }

    /// Ends an attempt in the ledger, and with its worker.
    async fn end(&self, held: &Held, device: &str, outcome: Outcome, device_s: f64) {
        let outcome = Some(outcome);
        runner::count(&self.shared, &self.durable, &held.attempt, &outcome, device_s);
        self.shared.metrics.device_worked(device, Duration::from_secs_f64(device_s.max(0.0)));
        let began = held.attempt.job.life.started().unwrap_or_else(SystemTime::now);
        runner::end_span(&mut runner::span_of(&held.attempt, began), &outcome, device_s);
        tracing::info!(job = %held.attempt.job.id, outcome = runner::name(&outcome), "attempt ended");
        runner::end(&self.durable, held.attempt.clone(), device_s, outcome).await;
        self.durable.store.note_time(&held.attempt, device_s);
        self.fleet.remove(Lease::of(&held.attempt));
        self.let_go(held).await;
    }

    fn tell_metrics(&self, is_up: bool) {
        let metrics = &self.shared.metrics;
        metrics.broker_up.set(is_up.into());
        for (state, count) in self.fleet.counts() {
            metrics.set_workers(state, count);
        }
    }

    async fn hear_beats(self: Arc<Self>) {
        loop {
            if let Ok(mut words) = self.broker.hear(BEATS).await {
                self.greet().await;
                while let Some(said) = words.next().await {
                    if let Some(beat) = heard::<Beat>(&said) {
                        let Heard { gone, has_room, left } =
                            self.fleet.hear(beat, &|id, at| self.durable.note_progress(id, at));
                        said.answer(&Versioned::new(Gone { leases: gone })).await;
                        if has_room {
                            self.room.notify_one();
                        }
                        for held in left {
                            drop(tokio::spawn(self.clone().release(held)));
                        }
                    }
                }
            }
            tokio::time::sleep(REST).await;
        }
    }

    async fn hear_needs(self: Arc<Self>) {
        loop {
            if let Ok(mut words) = self.broker.hear(NEEDS).await {
                while let Some(said) = words.next().await {
                    if let Some(need) = heard::<Need>(&said) {
                        said.answer(&Versioned::new(())).await;
                        drop(tokio::spawn(self.clone().supply(need)));
                    }
                }
            }
            tokio::time::sleep(REST).await;
        }
    }
}
