//! A way to the broker that can be cut, as a network is: whoever uses it loses its connection, and gets no other.

use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(super) struct Way {
    port: u16,
    open: watch::Sender<bool>,
}

impl Way {
    /// * `broker` – its port on loopback
    pub(super) async fn to(broker: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let (open, is_open) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                tokio::spawn(pass(caller, broker, is_open.clone()));
            }
        });
        Self { port, open }
    }

    pub(super) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Cuts all that goes this way, for a while.
    pub(super) async fn cut(&self, pause: Duration) {
        self.open.send_replace(false);
        tokio::time::sleep(pause).await;
        self.open.send_replace(true);
    }
}

/// Passes bytes in both directions until the way is cut, or one side ends.
async fn pass(mut caller: TcpStream, broker: u16, mut is_open: watch::Receiver<bool>) {
    if !*is_open.borrow_and_update() {
        return;
    }
    let Ok(mut broker) = TcpStream::connect(("127.0.0.1", broker)).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut caller, &mut broker) => {}
        _ = is_open.wait_for(|is_open| !is_open) => {}
    }
}
