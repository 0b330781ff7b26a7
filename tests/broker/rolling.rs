//! Gateway and workers are restarted one after another while callers work: a call that is cut succeeds when it is sent
//! again once.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use dosegrid::api::pb::{self, JobState};
use rustix::process::Signal;
use tonic::{Code, Status};

use super::fixture::Site;
use crate::durable::{Client, local, monte_carlo, request_id};
use crate::support::command::Server;

/// How long a caller waits until somebody listens.
const PATIENCE: Duration = Duration::from_secs(60);

/// A caller who sends a call again once.
struct Caller {
    port: u16,
    client: Client,
    again: Arc<AtomicUsize>,
}

impl Caller {
    async fn new(port: u16, again: &Arc<AtomicUsize>) -> Self {
        let client = connect(port).await;
        Self { port, client, again: again.clone() }
    }

    async fn call<T>(&mut self, what: &str, make: impl AsyncFn(&mut Client) -> Result<T, Status>) -> T {
        let first = match make(&mut self.client).await {
            Ok(answer) => return answer,
            Err(status) => status,
        };
        assert_eq!(first.code(), Code::Unavailable, "{what}: {first:?}");
        self.again.fetch_add(1, Ordering::Relaxed);
        self.client = connect(self.port).await;
        make(&mut self.client).await.unwrap_or_else(|status| panic!("{what} failed twice: {first:?}, then {status:?}"))
    }

    /// Creates a job and follows it to its end.
    async fn job(&mut self, spec: &pb::JobSpec) {
        let id = request_id();
        let job = self.call("CreateJob", async |client| client.create(spec, &id).await).await;
        let (_, ended) = self.call("WatchJob", async |client| client.watch(&job.name).await).await;
        assert_eq!(ended.state(), JobState::Succeeded, "{:?}", ended.error);
        self.call("GetJob", async |client| client.job(&job.name).await).await;
    }
}

/// A connection, once somebody listens.
async fn connect(port: u16) -> Client {
    let listens = async {
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, listens).await.expect("a gateway comes back");
    Client::of(&format!("http://127.0.0.1:{port}")).await
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn a_rolling_restart_fails_no_call_that_is_sent_again() {
    let site = Site::start(&[]);
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = free.local_addr().expect("a bound socket").port();
    drop(free);
    let start = || {
        let flags = [format!("--store={}", site.store().display()), "--store-reserve-mib=0".to_owned()];
        let queue = [format!("--queue={}", site.url()), "--drain-timeout-s=5".to_owned()];
        Server::with(&format!("127.0.0.1:{port}"), &[flags, queue].concat())
    };
    let mut gateway = start();
    let mut workers = [site.worker(&[]), site.worker(&[])].map(Some);
    let mut client = connect(port).await;
    let specs = [client.upload_job(local(), [4, 3, 2]).await, client.upload_job(monte_carlo(40_000), [6, 5, 4]).await];
    let (again, done, is_over) = <(Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicBool>)>::default();
    let mut callers = Vec::new();
    for number in 0..3 {
        let (again, done, is_over) = (again.clone(), done.clone(), is_over.clone());
        let spec = specs[number % specs.len()].clone();
        callers.push(std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("threads");
            runtime.block_on(async {
                let mut caller = Caller::new(port, &again).await;
                while !is_over.load(Ordering::Relaxed) {
                    caller.job(&spec).await;
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }));
    }
    let more = async |count: usize| {
        let until = done.load(Ordering::Relaxed) + count;
        while done.load(Ordering::Relaxed) < until && callers.iter().all(|caller| !caller.is_finished()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    for _ in 0..2 {
        more(3).await;
        for worker in &mut workers {
            let before = worker.replace(site.worker(&[])).expect("it runs");
            let ended = tokio::task::spawn_blocking(move || before.terminate()).await.expect("no panic");
            assert_eq!(ended, Some(0));
            more(2).await;
        }
        gateway.signal(Signal::TERM);
        let ended = tokio::task::spawn_blocking(move || gateway.ended()).await.expect("no panic");
        assert_eq!(ended, Some(0), "no call was cut");
        gateway = start();
        more(3).await;
    }
    is_over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.join().expect("no call failed twice");
    }
    let (done, again) = (done.load(Ordering::Relaxed), again.load(Ordering::Relaxed));
    println!("2 restarts of the gateway and 4 of workers: {done} jobs done, {again} calls sent again");
    assert!(done >= 16 && again > 0, "{done} {again}");
}
