//! Ports for programs that are yet to begin, or begin again.

use std::fs::File;
use std::net::TcpListener;
use std::sync::Mutex;

/// A port on loopback, below those that systems give to whoever asks for any, and of no other test, in this process or
/// another, until this process ends: it stays free while nothing runs there.
pub(crate) fn free_port() -> u16 {
    static TAKEN: Mutex<Vec<File>> = Mutex::new(Vec::new());
    let start = 20_000 + u16::try_from(std::process::id() % 12_000).expect("below 12000");
    for port in (start..32_000).chain(20_000..start) {
        let place = std::env::temp_dir().join(format!("dosegrid-test-port-{port}"));
        // One of another user is another user's port.
        let Ok(file) = File::options().create(true).append(true).open(place) else { continue };
        if file.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            TAKEN.lock().expect("no panic").push(file);
            return port;
        }
    }
    panic!("no port is free");
}

#[test]
fn no_port_is_given_twice() {
    let ports: std::collections::BTreeSet<u16> = (0..50).map(|_| free_port()).collect();
    assert_eq!(ports.len(), 50);
    assert!(ports.iter().all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()));
}
