//! The services, called within this process for somebody else.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderMap, HeaderValue, Request, Response, header};
use tonic::body::Body;
use tonic::service::Routes;
use tower::Service;

use crate::api::door::{Authority, Bounds, Complete, Peer};
use crate::api::log::Logged;
use crate::api::pb::dose_service_client::DoseServiceClient;
use crate::api::pb::job_service_client::JobServiceClient;
use crate::api::pb::volume_service_client::VolumeServiceClient;

/// The services, with all that stands before them.
pub(in crate::api) type Calls = Logged<Complete<Authority<Bounds<Routes>>>>;

/// The services, for one reader.
#[derive(Clone, Debug)]
pub(super) struct Within {
    calls: Calls,
    pub(super) peer: Peer,
    authorization: Vec<HeaderValue>,
}

impl Within {
    /// * `headers` – of the reader's question: its `authorization` is that of the calls
    pub(super) fn new(calls: Calls, peer: Peer, headers: &HeaderMap) -> Self {
        let authorization = headers.get_all(header::AUTHORIZATION).iter().cloned().collect();
        Self { calls, peer, authorization }
    }

    pub(super) fn dose(&self) -> DoseServiceClient<Self> {
        DoseServiceClient::new(self.clone()).max_decoding_message_size(usize::MAX)
    }

    pub(super) fn jobs(&self) -> JobServiceClient<Self> {
        JobServiceClient::new(self.clone()).max_decoding_message_size(usize::MAX)
    }

    pub(super) fn volumes(&self) -> VolumeServiceClient<Self> {
        VolumeServiceClient::new(self.clone()).max_decoding_message_size(usize::MAX)
    }
}

impl Service<Request<Body>> for Within {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.calls.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        request.extensions_mut().insert(self.peer.clone());
        for value in &self.authorization {
            request.headers_mut().append(header::AUTHORIZATION, value.clone());
        }
        self.calls.call(request)
    }
}
