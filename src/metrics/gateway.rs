//! Figures of a gateway for Prometheus. Labels are names of its file and states: none tells of a patient.

use std::fmt;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Labels, label, text_of, whole};

/// How a computation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Computed {
    /// With a dose.
    Done,
    /// Its input was refused.
    Refused,
    /// For another reason.
    Failed,
}

impl Computed {
    const ALL: [Self; 3] = [Self::Done, Self::Refused, Self::Failed];

    fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// What the figures of a gateway are.
#[derive(Default)]
pub struct GatewayMetrics {
    items: Family<Labels, Gauge>,
    deliveries: Family<Labels, Gauge>,
    received: Family<Labels, Counter>,
    source_failures: Family<Labels, Counter>,
    computations: Family<Labels, Counter>,
    stored: Family<Labels, Counter>,
    delivery_failures: Family<Labels, Counter>,
    build_info: Family<Labels, Gauge>,
}

impl fmt::Debug for GatewayMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayMetrics").finish_non_exhaustive()
    }
}

impl GatewayMetrics {
    /// Figures of a gateway that has done nothing yet; each has a sample.
    ///
    /// * `sources`, `destinations` – their names
    pub fn new<'a>(
        version: &str,
        sources: impl IntoIterator<Item = &'a str>,
        destinations: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let metrics = Self::default();
        metrics.build_info.get_or_create(&vec![label("version", version)]).set(1);
        for source in sources.into_iter().map(|name| vec![label("source", name)]) {
            let _ = (metrics.received.get_or_create(&source), metrics.source_failures.get_or_create(&source));
        }
        for to in destinations.into_iter().map(|name| vec![label("destination", name)]) {
            let _ = (metrics.stored.get_or_create(&to), metrics.delivery_failures.get_or_create(&to));
        }
        for end in Computed::ALL {
            let _ = metrics.computations.get_or_create(&vec![label("outcome", end.name())]);
        }
        metrics
    }

    /// Items of the ledger in a state.
    pub fn set_items(&self, state: &str, count: usize) {
        self.items.get_or_create(&vec![label("state", state)]).set(whole(count as u64));
    }

    /// Objects at a destination in a state, of all items of the ledger.
    pub fn set_deliveries(&self, destination: &str, state: &str, count: usize) {
        let labels = vec![label("destination", destination), label("state", state)];
        self.deliveries.get_or_create(&labels).set(whole(count as u64));
    }

    /// A file is on the disk.
    pub fn received(&self, source: &str) {
        self.received.get_or_create(&vec![label("source", source)]).inc();
    }

    /// A source does not answer, or somebody could not send to it.
    pub fn source_failed(&self, source: &str) {
        self.source_failures.get_or_create(&vec![label("source", source)]).inc();
    }

    /// A computation has ended.
    pub fn computed(&self, end: Computed) {
        self.computations.get_or_create(&vec![label("outcome", end.name())]).inc();
    }

    /// A destination has said that it has an object.
    pub fn stored(&self, destination: &str) {
        self.stored.get_or_create(&vec![label("destination", destination)]).inc();
    }

    /// An attempt to send an object, or to read it back, has failed.
    pub fn delivery_failed(&self, destination: &str) {
        self.delivery_failures.get_or_create(&vec![label("destination", destination)]).inc();
    }

    /// All figures, as Prometheus reads them (text format 0.0.4).
    pub fn text(&self) -> String {
        text_of(|all| {
            all.register("build_info", "Version of the program", self.build_info.clone());
            self.register(all.sub_registry_with_prefix("gateway"));
        })
    }

    fn register(&self, to: &mut Registry) {
        to.register("items", "Versions of studies by state", self.items.clone());
        to.register("deliveries", "Objects at destinations by state", self.deliveries.clone());
        to.register("received_files", "Files that came", self.received.clone());
        to.register("source_failures", "Sources that failed", self.source_failures.clone());
        to.register("computations", "Computations by outcome", self.computations.clone());
        to.register("stored_objects", "Objects that destinations said to have", self.stored.clone());
        to.register("delivery_failures", "Attempts that failed", self.delivery_failures.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of the contract, each with the labels that it has.
    const LINES: [&str; 9] = [
        "dosegrid_build_info{version=\"1\"} 1",
        "dosegrid_gateway_items{state=\"held\"} 3",
        "dosegrid_gateway_deliveries{destination=\"pacs\",state=\"waiting\"} 2",
        "dosegrid_gateway_received_files_total{source=\"spect\"} 1",
        "dosegrid_gateway_source_failures_total{source=\"spect\"} 0",
        "dosegrid_gateway_computations_total{outcome=\"refused\"} 1",
        "dosegrid_gateway_computations_total{outcome=\"done\"} 0",
        "dosegrid_gateway_stored_objects_total{destination=\"pacs\"} 0",
        "dosegrid_gateway_delivery_failures_total{destination=\"pacs\"} 1",
    ];

    #[test]
    fn names_are_those_of_the_contract() {
        let metrics = GatewayMetrics::new("1", ["spect"], ["pacs"]);
        metrics.set_items("held", 3);
        metrics.set_deliveries("pacs", "waiting", 2);
        metrics.received("spect");
        metrics.computed(Computed::Refused);
        metrics.delivery_failed("pacs");
        let text = metrics.text();
        for line in LINES {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }
}
