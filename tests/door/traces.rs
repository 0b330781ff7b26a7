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

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_a_span_of_its_callers_trace() {
    let (url, heard) = collector().await;
    let server = Server::with("127.0.0.1:0", &[format!("--otlp-endpoint={url}")]);
    let channel = channel(&server.url, None).await.expect("the server listens");
    let mut client = DoseServiceClient::new(channel);
    let mut request = with(pb::ComputeKernelRequest::default(), None);
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    request.metadata_mut().insert("traceparent", trace.parse().expect("printable"));
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
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.parent_span_id)), trace);
    let fact = |key: &str| span.attributes.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.clone());
    assert_eq!(fact("rpc.grpc.status_code").and_then(|value| value.number), Some(3));
    assert_eq!(fact("error.type").and_then(|value| value.text).as_deref(), Some("INVALID_REQUEST"));
}
