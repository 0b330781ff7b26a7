//! A server on a free port of this machine's loopback interface.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::api::{ServerConfig, server::serve};
use crate::domain::DoseError;
use crate::engine::Device;

/// A server that runs beside its caller until it is stopped or dropped.
#[derive(Debug)]
pub struct LoopbackServer {
    address: SocketAddr,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<Result<(), DoseError>>>,
}

impl LoopbackServer {
    /// Starts to listen; requests are taken from now on.
    ///
    /// # Errors
    /// [`DoseError::Io`] if there is no port or no thread to be had.
    pub fn start(device: Device) -> Result<Self, DoseError> {
        let io = |error: std::io::Error| DoseError::Io(format!("cannot serve on loopback: {error}"));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(io)?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).map_err(io)?;
        let address = listener.local_addr().map_err(io)?;
        let shutdown = CancellationToken::new();
        let stopped = shutdown.clone().cancelled_owned();
        let serve = move || runtime.block_on(serve(ServerConfig::default(), listener, device, stopped));
        let thread = std::thread::Builder::new().name("demo server".to_owned()).spawn(serve).map_err(io)?;
        Ok(Self { address, shutdown, thread: Some(thread) })
    }

    /// Where it listens, as clients want it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets running work finish and ends the server.
    ///
    /// # Errors
    /// What ended the server before.
    pub fn stop(mut self) -> Result<(), DoseError> {
        self.join()
    }

    fn join(&mut self) -> Result<(), DoseError> {
        self.shutdown.cancel();
        match self.thread.take() {
            Some(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            None => Ok(()),
        }
    }
}

impl Drop for LoopbackServer {
    /// Ends the server where an error of the caller's comes first.
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
