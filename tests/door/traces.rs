//! Spans for a collector: a small one, in this process.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel as pipe};
use std::task::{Context, Poll};
use std::time::Duration;

use prost::Message;
use rustix::process::Signal;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use super::{channel, with};
use crate::durable::restart::{serve, until_running};
use crate::durable::{Client, local, monte_carlo, request_id};
use crate::support::command::Server;
use dosegrid::api::pb::{self, dose_service_client::DoseServiceClient};

/// Messages of OTLP (opentelemetry.proto.collector.trace.v1), as far as they are looked at.
#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<OfResource>,
}

#[derive(Clone, PartialEq, Message)]
struct OfResource {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<OfScope>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct OfScope {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
    #[prost(int64, optional, tag = "3")]
    number: Option<i64>,
}

/// Passes all spans on.
#[derive(Clone)]
struct Collector(Sender<Export>);

impl NamedService for Collector {
    const NAME: &'static str = "opentelemetry.proto.collector.trace.v1.TraceService";
}

impl UnaryService<Export> for Collector {
    type Response = ();
    type Future = std::future::Ready<Result<Response<()>, Status>>;

    fn call(&mut self, request: Request<Export>) -> Self::Future {
        // The test may have heard enough.
        let _ = self.0.send(request.into_inner());
        std::future::ready(Ok(Response::new(())))
    }
}

impl tower::Service<http::Request<Body>> for Collector {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let collector = self.clone();
        Box::pin(async move { Ok(Grpc::new(ProstCodec::<(), Export>::default()).unary(collector, request).await) })
    }
}

/// A collector on a free port.
async fn collector() -> (String, Receiver<Export>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("a bound socket"));
    let (spans, heard) = pipe();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(tonic::transport::Server::builder().add_service(Collector(spans)).serve_with_incoming(incoming));
    (url, heard)
}

/// A trace that a caller is part of.
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

impl Span {
    fn fact(&self, key: &str) -> Option<AnyValue> {
        self.attributes.iter().find(|pair| pair.key == key)?.value.clone()
    }

    fn text(&self, key: &str) -> Option<String> {
        self.fact(key)?.text
    }

    fn number(&self, key: &str) -> Option<i64> {
        self.fact(key)?.number
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The spans that came.
struct Spans {
    heard: Receiver<Export>,
    came: Vec<Span>,
}

impl Spans {
    /// Waits for one that is wanted.
    fn find(&mut self, is_it: impl Fn(&Span) -> bool) -> Span {
        loop {
            if let Some(span) = self.came.iter().find(|span| is_it(span)) {
                return span.clone();
            }
            let export = self.heard.recv_timeout(Duration::from_secs(60)).expect("the span comes");
            let scopes = export.resources.into_iter().flat_map(|of| of.scopes);
            self.came.extend(scopes.flat_map(|scope| scope.spans));
        }
    }
}

/// Creates a job as part of [`TRACE`].
async fn create(client: &mut Client, spec: pb::JobSpec) -> String {
    let message = pb::CreateJobRequest { spec: Some(spec), request_id: request_id(), validate_only: false };
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("traceparent", TRACE.parse().expect("printable"));
    client.jobs.create_job(request).await.expect("a good job").into_inner().job.expect("a job").name
}

#[tokio::test(flavor = "multi_thread")]
async fn each_attempt_at_a_job_is_a_span_of_the_trace_that_created_it() {
    let (url, heard) = collector().await;
    let mut spans = Spans { heard, came: Vec::new() };
    let folder = tempfile::tempdir().expect("a folder");
    let endpoint = format!("--otlp-endpoint={url}");
    let server = serve(folder.path(), &[&endpoint]);
    let mut client = Client::of(&server.url).await;
    // One that succeeds, and one of values that are found to be bad when it runs.
    let spec = client.upload_job(local(), [4, 3, 2]).await;
    let good = create(&mut client, spec.clone()).await;
    let nan = client.put(&f32::NAN.to_le_bytes().repeat(24)).await;
    let mut bad = spec;
    bad.compute.as_mut().expect("a header").activity.as_mut().expect("given").digest = nan;
    let bad = create(&mut client, bad).await;
    let endless = client.upload_job(monte_carlo(1 << 36), [6, 5, 4]).await;
    for job in [&good, &bad] {
        client.watch(job).await.expect("it ends");
    }
    let call = spans.find(|span| span.name.ends_with("CreateJob"));
    let of = |job: &str| {
        let job = job.to_owned();
        move |span: &Span| span.name == "job" && span.text("dosegrid.job").as_ref() == Some(&job)
    };
    let succeeded = spans.find(of(&good));
    assert_eq!((succeeded.trace_id.clone(), succeeded.parent_span_id.clone()), (call.trace_id.clone(), call.span_id));
    assert_eq!(hex(&call.trace_id), TRACE.split('-').nth(1).expect("a trace"));
    let facts = ["dosegrid.method", "dosegrid.nuclide", "error.type"].map(|key| succeeded.text(key));
    assert_eq!(facts, [Some("local".into()), Some("Lu-177".into()), None]);
    assert_eq!(succeeded.number("dosegrid.attempt"), Some(1));
    assert_eq!(spans.find(of(&bad)).text("error.type").as_deref(), Some("INVALID_REQUEST"));
    // The trace outlives the process.
    let lost = create(&mut client, endless).await;
    until_running(&mut client, &lost).await;
    drop(server);
    let server = serve(folder.path(), &[&endpoint]);
    let mut client = Client::of(&server.url).await;
    until_running(&mut client, &lost).await;
    client.jobs.cancel_job(pb::CancelJobRequest { name: lost.clone() }).await.expect("it runs");
    let again = spans.find(of(&lost));
    assert_eq!((again.number("dosegrid.attempt"), &again.trace_id), (Some(2), &call.trace_id));
    assert_eq!(again.text("error.type").as_deref(), Some("left"));
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_a_span_of_its_callers_trace() {
    let (url, heard) = collector().await;
    let server = Server::with("127.0.0.1:0", &[format!("--otlp-endpoint={url}")]);
    let channel = channel(&server.url, None).await.expect("the server listens");
    let mut client = DoseServiceClient::new(channel);
    let mut request = with(pb::ComputeKernelRequest::default(), None);
    request.metadata_mut().insert("traceparent", TRACE.parse().expect("printable"));
    client.compute_kernel(request).await.expect_err("the message is empty");
    // The last spans leave at the end.
    server.signal(Signal::TERM);
    assert_eq!(server.ended(), Some(0));
    let patience = Duration::from_secs(60);
    let all = std::iter::from_fn(|| heard.recv_timeout(patience).ok());
    let found = all.flat_map(|export| export.resources).find_map(|of| {
        let service = of.resource.iter().flat_map(|resource| &resource.attributes);
        let is_ours = service.clone().any(|pair| pair.key == "service.name");
        let span =
            of.scopes.into_iter().flat_map(|scope| scope.spans).find(|span| span.name.ends_with("ComputeKernel"));
        span.filter(|_| is_ours)
    });
    let span = found.expect("the span of the call");
    assert_eq!(format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.parent_span_id)), TRACE);
    assert_eq!(span.number("rpc.grpc.status_code"), Some(3));
    assert_eq!(span.text("error.type").as_deref(), Some("INVALID_REQUEST"));
}
