//! The door of the built server: TLS, tokens, roles, connections, keys, metrics, and its end.

mod audit;
mod canary;
mod connections;
mod identities;
mod keys;
pub(crate) mod metrics;
pub(crate) mod pki;
mod tls;
mod traces;
mod tries;

use dosegrid::api::pb::{self, dose_service_client::DoseServiceClient};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

/// A connection, with TLS if there is some.
async fn channel(url: &str, tls: Option<ClientTlsConfig>) -> Result<Channel, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(url.to_owned()).expect("a URL");
    match tls {
        Some(tls) => endpoint.tls_config(tls).expect("good certificates"),
        None => endpoint,
    }
    .connect()
    .await
}

/// A request with an `authorization`.
fn with<T>(message: T, authorization: Option<&str>) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(text) = authorization {
        request.metadata_mut().insert("authorization", text.parse().expect("printable"));
    }
    request
}

/// A call that needs an identity and no role.
async fn look_up(channel: &Channel, authorization: Option<&str>) -> Result<(), Status> {
    let mut client = DoseServiceClient::new(channel.clone());
    client.get_server_info(with(pb::GetServerInfoRequest {}, authorization)).await.map(drop)
}

/// A call that needs the role `submit`, of a message that is refused for its content.
async fn submit(channel: &Channel, authorization: Option<&str>) -> Status {
    let mut client = DoseServiceClient::new(channel.clone());
    let bad = pb::ComputeKernelRequest::default();
    client.compute_kernel(with(bad, authorization)).await.expect_err("the message is empty")
}

/// Code, reason and a fact of a status.
fn facts(status: &Status, fact: &str) -> (Code, String, Option<String>) {
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, "dosegrid");
    (status.code(), info.reason.clone(), info.metadata.get(fact).cloned())
}
