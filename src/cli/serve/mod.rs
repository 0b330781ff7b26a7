//! `dosegrid serve`.

pub(super) mod args;
pub(super) mod log;
pub(super) mod memory;
mod parent;
mod priority;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{device, stdout};
use crate::api::remote::check_account;
use crate::api::server::{Drained, Parts, serve_parts};
use crate::api::{Credentials, ServerConfig, StatusPage, Traces, WarmUp};
use crate::broker::{Broker, BrokerOptions};
use crate::domain::{DeviceInfo, DoseError};
use crate::jobs::LocalJobs;
use crate::metrics::Metrics;
use crate::store::Store;
pub(super) use args::Args;

/// How long what arrived may take to become safe after a second signal.
const AT_ONCE: Duration = Duration::from_millis(800);

/// The addresses of a host and a port.
///
/// * `key` – that they stand in
pub(super) fn addresses(key: &str, listen: &str) -> Result<Vec<SocketAddr>, DoseError> {
    let port =
        listen.rsplit_once(':').filter(|(host, _)| !host.is_empty()).and_then(|(_, port)| port.parse::<u16>().ok());
    if port.is_none() {
        let reason = format!("is an address and a port from 0 to 65535, such as localhost:50051; got `{listen}`");
        return Err(DoseError::invalid(key, reason));
    }
    let unknown = |error: std::io::Error| {
        DoseError::invalid(key, format!("`{listen}` is not an address of this machine: {error}"))
    };
    Ok(std::net::ToSocketAddrs::to_socket_addrs(listen).map_err(unknown)?.collect())
}

/// All that is known before anything is bound.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) config: ServerConfig,
    listen: Vec<SocketAddr>,
    metrics_listen: Option<Vec<SocketAddr>>,
    page_listen: Option<Vec<SocketAddr>>,
    credentials: Arc<Credentials>,
    /// The way to workers.
    queue: Option<BrokerOptions>,
}

impl Checked {
    /// Where to listen.
    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.listen
    }

    /// Where to serve the status page.
    pub(super) fn page_addresses(&self) -> Option<&[SocketAddr]> {
        self.page_listen.as_deref()
    }
}

impl Args {
    /// Checks all keys.
    ///
    /// # Errors
    /// Every key that is at fault.
    pub(super) fn check(&self) -> Result<Checked, DoseError> {
        let mut faults = Vec::new();
        let mut note = |error: DoseError| faults.extend(error.violations());
        let mut config = self.limits();
        let memory = memory::limit_bytes(self.memory_mib, self.settings.is_given("memory_mib"));
        if let Ok(bytes) = memory.map_err(&mut note) {
            config = config.with_memory(bytes);
        }
        let listen = addresses("listen", &self.listen).map_err(&mut note).unwrap_or_default();
        let page_listen = self.door.page_listen.as_deref();
        let page_listen = page_listen.and_then(|listen| addresses("page-listen", listen).map_err(&mut note).ok());
        for (key, addresses) in [("listen", Some(&listen)), ("page-listen", page_listen.as_ref())] {
            let is_beyond = addresses.into_iter().flatten().any(|address| !address.ip().to_canonical().is_loopback());
            if is_beyond && !config.credentials.has_tls() && !self.door.allow_plaintext {
                let reason = "is beyond this machine, and connections are not encrypted: give --tls-certificate and \
                              --tls-key, or --allow-plaintext if something else encrypts them";
                note(DoseError::invalid(key, reason));
            }
        }
        if self.door.page_gateway.is_some() && self.door.page_listen.is_none() {
            note(DoseError::invalid("page-gateway", "has no effect without --page-listen"));
        }
        let metrics_listen = self.door.metrics_listen.as_deref();
        let metrics_listen =
            metrics_listen.and_then(|listen| addresses("metrics-listen", listen).map_err(&mut note).ok());
        if let Some(url) = &self.door.otlp_endpoint
            && !["http://", "https://"].iter().any(|scheme| url.starts_with(scheme) && url.len() > scheme.len())
        {
            note(DoseError::invalid("otlp-endpoint", "is a URL such as http://127.0.0.1:4317"));
        }
        self.store.options().map(drop).unwrap_or_else(&mut note);
        let credentials = Credentials::load(&config.credentials).map_err(&mut note).ok();
        let queue = self.queue.options().map_err(&mut note).unwrap_or_default();
        if queue.is_some() && self.store.store.is_none() {
            note(DoseError::invalid("queue", "needs --store: jobs stand in its ledger before workers get them"));
        }
        match credentials {
            Some(credentials) if faults.is_empty() => {
                Ok(Checked { config, listen, metrics_listen, page_listen, credentials, queue })
            }
            _ => Err(DoseError::Invalid(faults)),
        }
    }
}

pub(super) fn run(args: Args) -> Result<(), DoseError> {
    let otlp_endpoint = args.door.otlp_endpoint.clone();
    let Checked { config, listen, metrics_listen, page_listen, credentials, queue } = args.check()?;
    if args.print_config {
        return stdout::print(&args.settings.toml());
    }
    log::start(args.log_json);
    priority::let_callers_go_first();
    // While the store is read.
    let warm_up = args.store.store.is_some().then(WarmUp::begin);
    let store = args.store.open(queue.is_some())?;
    let device = device::open(args.device)?;
    let DeviceInfo { id, name, backend, driver, kind } = device.info();
    tracing::info!(device = id, name, backend, driver, why = device::why(args.device, kind), "computes on this device");
    let io = |error: std::io::Error| DoseError::Io(format!("cannot serve on {}: {error}", args.listen));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(io)?;
    let drained = runtime.block_on(async {
        // The last spans leave when this ends.
        let _traces = otlp_endpoint.as_deref().map(Traces::start).transpose()?;
        let listener = TcpListener::bind(&*listen).await.map_err(io)?;
        let metrics_listener = bound(metrics_listen.as_deref(), "metrics").await?;
        let page_listener = bound(page_listen.as_deref(), "the status page").await?;
        let signals = Signals::new().map_err(io)?;
        let hangup = signal(SignalKind::hangup()).map_err(io)?;
        tokio::spawn(reload_at_hangup(hangup, credentials.clone(), store.clone()));
        let said = format!("listening on {} with {}\n", listener.local_addr().map_err(io)?, device.info().name);
        if let Some(address) = metrics_listener.as_ref().and_then(|listener| listener.local_addr().ok()) {
            tracing::info!(%address, "metrics");
        }
        if let Some(address) = page_listener.as_ref().and_then(|listener| listener.local_addr().ok()) {
            tracing::info!(%address, "status page");
        }
        let gateway = args.door.page_gateway.clone();
        let page = page_listener.map(|listener| StatusPage { listener, gateway });
        let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"), env!("DOSEGRID_COMMIT")));
        let start = if store.is_some() { LocalJobs::start_lanes } else { LocalJobs::start };
        let jobs = Arc::new(start(device, config.plan_limits(), config.queue_length)?);
        let queue = match &queue {
            Some(options) => {
                let broker = Broker::connect(options).await?;
                check_account(&broker).await?;
                Some((broker, args.queue.lease()))
            }
            None => None,
        };
        if let Some(warm_up) = warm_up {
            warm_up.tables().await;
        }
        if let Err(error) = stdout::print(&said) {
            tracing::warn!(%error, "nobody hears where this listens");
        }
        if let Some(path) = &args.parent.ready_file {
            parent::tell(path, listener.local_addr().map_err(io)?, config.credentials.has_tls())?;
        }
        let at_once = CancellationToken::new();
        let end = signals.first_then(args.parent.end_with_stdin, end_within(at_once.clone()));
        let parts = Parts { listener, metrics_listener, page, credentials, metrics, jobs, store, queue, at_once };
        serve_parts(config, parts, end).await
    })?;
    // What still runs on other threads was cut.
    runtime.shutdown_background();
    match drained {
        Drained::Complete => Ok(()),
        Drained::Cut => Err(DoseError::Io("calls were cut at the end of --drain-timeout-s".into())),
        Drained::AtOnce => Err(DoseError::Io("calls were cut by a second signal".into())),
    }
}

/// Tells a server to end at once, and ends the process if it does not.
fn end_within(at_once: CancellationToken) -> impl FnOnce() + Send + 'static {
    move || {
        tracing::warn!("a second signal: ending at once");
        at_once.cancel();
        std::thread::spawn(|| {
            std::thread::sleep(AT_ONCE);
            std::process::exit(1);
        });
    }
}

/// Listens for readers, if that is wanted.
///
/// * `what` – they read
async fn bound(addresses: Option<&[SocketAddr]>, what: &str) -> Result<Option<TcpListener>, DoseError> {
    let Some(addresses) = addresses else { return Ok(None) };
    let bound = TcpListener::bind(addresses).await;
    bound.map(Some).map_err(|error| DoseError::Io(format!("cannot serve {what}: {error}")))
}

/// Reads certificates, keys and identities again at each SIGHUP, and the limits and times of the store.
async fn reload_at_hangup(mut hangup: Signal, credentials: Arc<Credentials>, store: Option<Arc<Store>>) {
    while hangup.recv().await.is_some() {
        match credentials.reload() {
            Ok(()) => tracing::info!("certificates, keys and identities were read again"),
            Err(error) => tracing::error!(%error, "certificates, keys and identities stay as they were"),
        }
        let Some(store) = &store else { continue };
        match again().and_then(|args| args.store.options()) {
            Ok(limits) => {
                store.set_limits(limits);
                tracing::info!("limits and times of the store were read again");
            }
            Err(error) => tracing::error!(%error, "limits and times of the store stay as they were"),
        }
    }
}

/// The flags of this service with what the environment and the file of keys say now.
fn again() -> Result<Args, DoseError> {
    if let Ok(super::Command::Serve(args)) = super::command_of_this_process()? {
        Ok(*args)
    } else {
        Err(DoseError::Internal("the keys of this service cannot be read again".into()))
    }
}

/// What asks a service to end.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Ends at the first signal. The second one ends the process.
    ///
    /// * `with_stdin` – whether the end of standard input counts as the first
    pub(super) async fn first(self, with_stdin: bool) {
        let end = || {
            tracing::warn!("a second signal: ending at once");
            std::process::exit(1);
        };
        self.first_then(with_stdin, end).await;
    }

    /// Ends at the first signal.
    ///
    /// * `with_stdin` – whether the end of standard input counts as the first
    /// * `second` – called at the second one
    async fn first_then(mut self, with_stdin: bool, second: impl FnOnce() + Send + 'static) {
        tokio::select! {
            () = self.next() => {}
            () = parent::stdin_closed(), if with_stdin => {}
        }
        tokio::spawn(async move {
            self.next().await;
            second();
        });
    }
}
