//! A server on a free port of the loopback interface.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::api::{
    ServerConfig,
    server::{Drained, serve},
};
use crate::domain::DoseError;
use crate::engine::Device;

/// A server that runs on its own thread until it is stopped or dropped.
#[derive(Debug)]
pub struct LoopbackServer {
    address: SocketAddr,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<Result<Drained, DoseError>>>,
}

impl LoopbackServer {
    /// Starts the server. It accepts requests as soon as this returns.
    ///
    /// # Errors
    /// [`DoseError::Io`] if there is no free port or no thread.
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

    /// The URL for clients.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends the server once running work has finished.
    ///
    /// # Errors
    /// The failure that ended the server earlier, if there was one.
    pub fn stop(mut self) -> Result<(), DoseError> {
        self.join()
    }

    fn join(&mut self) -> Result<(), DoseError> {
        self.shutdown.cancel();
        match self.thread.take() {
            Some(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).map(drop),
            None => Ok(()),
        }
    }
}

impl Drop for LoopbackServer {
    /// Ends the server if the caller returns early with an error.
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
