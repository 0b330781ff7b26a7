//! The ledger behind a broker, as the checks of every queue act on it: callers act on the store, and workers are names
//! that say that they live, take orders and report.

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::messages::{BEATS, Beat, GATEWAY, Gone, Lease, Made, Order, Report, Versioned, What, read};
use crate::api::ServerConfig;
use crate::api::service::Shared;
use crate::broker::{Broker, BrokerOptions, Lane as Stream};
use crate::digest::Digest;
use crate::domain::DeviceSelector;
use crate::engine::Device;
use crate::jobs::conformance::every::{End, Queue, Seen, Taken, every_queue};
use crate::jobs::{JobState, LocalJobs, Priority};
use crate::store::VolumeDigest;
use crate::store::conformance::{Ledger, fault};

/// Where Debian puts `nats-server`, for those who are not root.
const PROGRAMS: &str = "/usr/sbin:/usr/local/sbin";
/// After so long, what a test waits for is taken not to come.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two beats of a worker.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a worker may be silent [s]: longer than a test.
const LEASE_S: f64 = 600.0;
/// How long a report that must change nothing has to do so.
const IGNORED: Duration = Duration::from_millis(300);

/// A broker, a gateway, and workers by name.
struct Brokered {
    ledger: Ledger,
    broker: Broker,
    /// What each worker says; held while it is said, so that nothing older is said after something newer.
    workers: Arc<Mutex<BTreeMap<String, Beat>>>,
    /// Who took what.
    taken: BTreeMap<(String, u32), (String, Lease)>,
    shared: Arc<Shared>,
    runtime: Runtime,
    nats: Child,
    _folder: tempfile::TempDir,
}

fn nats(folder: &std::path::Path) -> (Child, String) {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = free.local_addr().expect("a bound socket").port();
    drop(free);
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("nats-server");
    command.env("PATH", format!("{path}:{PROGRAMS}")).args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"]);
    let process = command.arg(folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < PATIENCE, "the broker does not begin");
        std::thread::sleep(Duration::from_millis(10));
    }
    (process.expect("nats-server is there"), format!("nats://127.0.0.1:{port}"))
}

impl Brokered {
    fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (nats, url) = nats(folder.path());
        let (ledger, runtime) = (Ledger::open(), Runtime::new().expect("threads"));
        let options = BrokerOptions { url, ..BrokerOptions::default() };
        let connect = || async { Broker::connect(&options).await.expect("a good address") };
        let (of_gateway, broker) = runtime.block_on(async { (connect().await, connect().await) });
        let config = ServerConfig::default();
        let device = Device::open(DeviceSelector::Cpu).expect("the CPU is always there");
        let jobs = LocalJobs::start(device, config.plan_limits(), 8).expect("a thread");
        let shared = Arc::new(Shared::new(config, Arc::new(jobs), Some(ledger.store.clone()), Arc::default()));
        let durable = shared.durable.clone().expect("it has a store");
        let lease = Duration::from_secs_f64(LEASE_S);
        runtime.spawn(super::run(shared.clone(), durable, of_gateway, lease));
        let workers: Arc<Mutex<BTreeMap<String, Beat>>> = Arc::default();
        let (beating, beats) = (broker.clone(), workers.clone());
        runtime.spawn(async move {
            loop {
                for beat in beats.lock().await.values() {
                    // A gateway that is not there yet hears the next.
                    let _ = beating.ask::<Versioned<Gone>>(BEATS, &Versioned::new(beat.clone())).await;
                }
                sleep(PAUSE).await;
            }
        });
        Self { ledger, broker, workers, taken: BTreeMap::new(), shared, runtime, nats, _folder: folder }
    }

    /// Says at once what a worker says from now on.
    fn say(&self, beat: Beat) {
        self.runtime.block_on(async {
            let mut workers = self.workers.lock().await;
            workers.insert(beat.worker.clone(), beat.clone());
            let _ = self.broker.ask::<Versioned<Gone>>(BEATS, &Versioned::new(beat)).await;
        });
    }

    fn is_current(&self, taken: &Taken) -> bool {
        let seen = self.ledger.see("a", &taken.job).expect("jobs of this owner are taken");
        (seen.state, seen.attempts) == (JobState::Running, taken.attempt)
    }

    /// Reports. False if that changes nothing.
    fn report(&mut self, taken: &Taken, what: What) -> bool {
        let (worker, lease) = self.taken[&(taken.job.clone(), taken.attempt)].clone();
        let (before, is_current) = (self.ledger.see("a", &taken.job), self.is_current(taken));
        // No worker had the device for so long: what cannot be true of a report is not believed.
        let report =
            Versioned::new(Report { worker: worker.clone(), device: "test".into(), lease, device_s: 1e300, what });
        let sent = self.runtime.block_on(self.broker.send(Stream::Done, GATEWAY, &report));
        sent.expect("the broker is there");
        let begun = Instant::now();
        if is_current {
            while self.is_current(taken) {
                assert!(begun.elapsed() < PATIENCE, "a report is not dealt with");
                std::thread::sleep(Duration::from_millis(5));
            }
            self.workers.blocking_lock().remove(&worker);
            return true;
        }
        std::thread::sleep(IGNORED);
        self.ledger.see("a", &taken.job) != before
    }

    /// Puts an object at the broker.
    fn put(&self, object: String, bytes: Vec<u8>) -> Made {
        let mut digest = Digest::new();
        digest.update(&bytes);
        let made = Made { object, digest: VolumeDigest::of(digest), size_bytes: bytes.len() as u64 };
        let put = self.broker.put(&made.object, move |take| take(bytes));
        self.runtime.block_on(put).expect("the broker is there");
        made
    }
}

impl Drop for Brokered {
    fn drop(&mut self) {
        self.shared.draining.cancel();
        // It may have ended by itself.
        let _ = self.nats.kill();
        self.nats.wait().expect("a killed process ends");
    }
}

impl Queue for Brokered {
    fn submit(&mut self, owner: &str, priority: Priority) -> Option<String> {
        self.ledger.submit(owner, priority)
    }

    fn take(&mut self) -> Option<Taken> {
        if !self.ledger.store.has_waiting() {
            return None;
        }
        // A worker of its own for each job: it has room for one, and takes no other.
        let worker = format!("worker-{}", self.taken.len());
        let beat = Beat {
            worker: worker.clone(),
            lease_s: LEASE_S,
            device: "test".into(),
            memory_bytes: u64::MAX,
            is_draining: false,
            holds: Vec::new(),
            tasks: Vec::new(),
            device_key: worker.clone(),
            helps: None,
        };
        self.say(beat.clone());
        let mut inbox = self.broker.inbox(Stream::Work, &worker, Duration::from_secs(60), 3);
        let order: Order = self.runtime.block_on(async {
            let delivery = timeout(PATIENCE, inbox.next()).await.expect("an order comes");
            let order = read(&delivery).expect("a known version");
            delivery.done().await;
            order
        });
        self.say(Beat { is_draining: true, tasks: vec![(order.lease, None)], ..beat });
        let (_, job) = self.ledger.store.job_of_any(order.lease.job).expect("it was taken");
        let taken = Taken { job: crate::store::job_name(job.id), attempt: job.life.attempts() };
        self.taken.insert((taken.job.clone(), taken.attempt), (worker, order.lease));
        Some(taken)
    }

    fn finish(&mut self, taken: &Taken, end: End) -> bool {
        let what = match end {
            End::Fail => What::Failed(fault()),
            End::Succeed => {
                let (_, lease) = self.taken[&(taken.job.clone(), taken.attempt)];
                let volumes = vec![self.put(lease.made_object(0), taken.job.clone().into_bytes())];
                What::Succeeded { result: self.put(lease.made_object("result"), b"a result".to_vec()), volumes }
            }
        };
        self.report(taken, what)
    }

    fn lose(&mut self, taken: &Taken) -> bool {
        self.report(taken, What::DeviceLost)
    }

    fn cancel(&mut self, owner: &str, job: &str) -> Option<Seen> {
        self.ledger.cancel(owner, job)
    }

    fn see(&mut self, owner: &str, job: &str) -> Option<Seen> {
        self.ledger.see(owner, job)
    }

    fn list(&mut self, owner: &str, states: &[JobState]) -> Vec<String> {
        self.ledger.list(owner, states)
    }
}

every_queue! { [#[cfg_attr(no_nats, ignore = "there is no nats-server")]] Brokered::open() }
