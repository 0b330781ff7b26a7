//! Metrics of a gateway.

use std::fs;

use super::network::{free_port, listens};
use super::site::{NAMES, Site, study};

#[test]
fn what_a_gateway_does_is_counted() {
    let site = Site::new("release = 'auto'", "");
    let port = free_port();
    let file = fs::read_to_string(site.path().join("gateway.toml")).expect("the file");
    let file = format!("metrics = '127.0.0.1:{port}'\n{file}");
    fs::write(site.path().join("gateway.toml"), file).expect("a writable folder");
    site.put(study(), &[]);
    let _running = site.start();
    listens(port);
    let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let text = |path: &str| {
        let mut answer = ureq::get(url(path)).call().expect("an answer");
        answer.body_mut().read_to_string().expect("text")
    };
    assert_eq!(text("/live"), "live\n");
    assert!(text("/metrics").contains("dosegrid_gateway_stored_objects_total{destination=\"out\"} "));
    site.wait("it is verified", |states| states.first().is_some_and(|(state, _)| state == "verified"));
    let found = text("/metrics");
    for line in [
        "dosegrid_gateway_items{state=\"verified\"} 1",
        "dosegrid_gateway_items{state=\"aside\"} 0",
        "dosegrid_gateway_deliveries{destination=\"out\",state=\"verified\"} 1",
        "dosegrid_gateway_received_files_total{source=\"inbox\"} 16",
        "dosegrid_gateway_computations_total{outcome=\"done\"} 1",
        "dosegrid_gateway_stored_objects_total{destination=\"out\"} 1",
        "dosegrid_gateway_delivery_failures_total{destination=\"out\"} 0",
    ] {
        assert!(found.lines().any(|one| one == line), "{line}: {found}");
    }
    assert!(NAMES.iter().all(|name| !found.contains(name)), "{found}");
    assert!(ureq::get(url("/")).call().is_err(), "nothing else is there");
}
