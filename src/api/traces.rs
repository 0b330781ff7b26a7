//! Spans of calls and jobs, for a collector of OpenTelemetry. A call is part of its caller's trace, and a job part of
//! that of the call that created it, also after a restart. Without [`Traces`], nothing is sent, and what a caller says
//! of its trace is passed on. Spans hold the words of the log: no value of a volume, and no text of the caller's.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use opentelemetry::global::{self, BoxedSpan};
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{Span, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tonic::transport::ClientTlsConfig;

use crate::domain::DoseError;

/// The header of W3C Trace Context that says of which span a call is a part.
const HEADER: &str = "traceparent";
/// Name of the service in traces.
const SERVICE: &str = "dosegrid";
/// How long the last spans may take to leave.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// Sends spans to a collector, until it is dropped.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to send the spans of this process, from within a runtime. Whether the collector answers is not waited
    /// for.
    ///
    /// * `endpoint` – URL of its OTLP over gRPC, such as `http://127.0.0.1:4317`
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with the key `otlp-endpoint` for a URL of another form.
    pub fn start(endpoint: &str) -> Result<Self, DoseError> {
        let mut exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint);
        if endpoint.starts_with("https://") {
            exporter = exporter.with_tls_config(ClientTlsConfig::new().with_native_roots());
        }
        let failed = |error| DoseError::invalid("otlp-endpoint", format!("cannot be used: {error}"));
        let exporter = exporter.build().map_err(failed)?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder_empty().with_service_name(SERVICE).with_attribute(version).build();
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        global::set_tracer_provider(provider.clone());
        Ok(Self(provider))
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST_SPANS) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// A span that has begun. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct TraceSpan(BoxedSpan);

impl TraceSpan {
    /// The span of a call.
    ///
    /// * `method` – such as `dosegrid.v1.DoseService/Compute`
    pub(super) fn of_call(headers: &HeaderMap, method: &'static str) -> Self {
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers));
        let mut span = Self::begin(method, SpanKind::Server, &parent, SystemTime::now());
        span.note("rpc.system", "grpc");
        span
    }

    /// The span of an attempt at a job.
    ///
    /// * `trace` – the span of the call that created it
    /// * `began` – when the attempt did
    pub(super) fn of_job(trace: Option<&str>, began: SystemTime) -> Self {
        let fields: HashMap<String, String> =
            HashMap::from_iter(trace.map(|trace| (HEADER.to_owned(), trace.to_owned())));
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &fields);
        Self::begin("job", SpanKind::Consumer, &parent, began)
    }

    fn begin(name: &'static str, kind: SpanKind, parent: &Context, began: SystemTime) -> Self {
        let tracer = global::tracer(SERVICE);
        let builder = tracer.span_builder(name).with_kind(kind).with_start_time(began);
        Self(tracer.build_with_context(builder, parent))
    }

    /// Adds a fact.
    pub(super) fn note(&mut self, key: &'static str, value: impl Into<Value>) {
        self.0.set_attribute(KeyValue::new(key, value));
    }

    /// Ends it with a reason in place of success.
    pub(super) fn fail(&mut self, reason: &str) {
        self.note("error.type", reason.to_owned());
        self.0.set_status(Status::error(reason.to_owned()));
    }

    /// Ends it.
    pub(super) fn end(&mut self) {
        self.0.end();
    }

    /// What a part of it says of its trace; none if there is no trace.
    pub(super) fn traceparent(&self) -> Option<String> {
        let context = Context::new().with_remote_span_context(self.0.span_context().clone());
        let mut fields = HashMap::new();
        TraceContextPropagator::new().inject_context(&context, &mut fields);
        fields.remove(HEADER)
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_a_caller_says_of_its_trace_is_passed_on_if_it_is_well_formed() {
        let of = |text: &'static str| {
            let headers = HeaderMap::from_iter([(http::HeaderName::from_static(HEADER), text.parse().expect("text"))]);
            TraceSpan::of_call(&headers, "m").traceparent()
        };
        assert_eq!(of(GIVEN).as_deref(), Some(GIVEN));
        for bad in ["", "00-0-0-0", "00-00000000000000000000000000000000-b7ad6b7169203331-01", "x"] {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert_eq!(TraceSpan::of_job(Some(GIVEN), SystemTime::now()).traceparent().as_deref(), Some(GIVEN));
        assert_eq!(TraceSpan::of_job(None, SystemTime::now()).traceparent(), None);
    }
}
