//! Who reads the page: tokens, roles and tenants are those of calls, over TLS too.

use std::fs;
use std::path::Path;

use dosegrid::api::pb;
use dosegrid::api::pb::job_service_client::JobServiceClient;
use dosegrid::api::pb::volume_service_client::VolumeServiceClient;
use dosegrid::digest::sha256_hex;
use serde_json::json;
use tonic::Request;
use tonic::transport::Channel;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::{OWN, Page};
use crate::door::pki::Authority;
use crate::durable::{monte_carlo, request_id};

/// Name, tenant, role and token.
const WHO: [[&str; 4]; 4] = [
    ["ann", "a", "submit", "of-ann"],
    ["rob", "a", "read", "of-rob"],
    ["bea", "b", "submit", "of-bea"],
    ["head", "c", "admin", "of-head"],
];

fn identities(folder: &Path) -> String {
    let entry = |[name, tenant, role, token]: [&str; 4]| {
        let digest = sha256_hex(token);
        format!("[[identity]]\nname='{name}'\ntenant='{tenant}'\nroles=['{role}']\ntoken_sha256='{digest}'\n")
    };
    let path = folder.join("identities.toml");
    fs::write(&path, WHO.map(entry).concat()).expect("a writable folder");
    format!("--identities={}", path.display())
}

fn of(token: &str) -> String {
    format!("{OWN}Authorization: Bearer {token}\r\n")
}

fn with<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("printable"));
    request
}

/// A long job of a tenant: its id, and the digest of its volume.
async fn job(channel: &Channel, token: &str) -> (String, String) {
    let bytes = [1.0_f32; 64].map(f32::to_le_bytes).concat();
    let digest = format!("sha256:{}", sha256_hex(&bytes));
    let size_bytes = bytes.len() as u64;
    let put = pb::PutVolumeRequest { digest: digest.clone(), size_bytes, data: bytes.into(), offset_bytes: 0 };
    let mut volumes = VolumeServiceClient::new(channel.clone());
    volumes.put_volume(with(tokio_stream::iter([put]), token)).await.expect("room");
    let volume = || {
        let grid = pb::VoxelGrid { shape: vec![4; 3], spacing_mm: vec![3.0; 3], affine_mm: Vec::new() };
        let element_type = pb::ElementType::Float32.into();
        Some(pb::VolumeDescriptor { grid: Some(grid), element_type, digest: digest.clone(), ..Default::default() })
    };
    let compute = pb::ComputeHeader {
        activity: volume(),
        density: volume(),
        activity_unit: Some(pb::ActivityUnit { unit: Some(pb::activity_unit::Unit::BqS(pb::TimeIntegratedBqS {})) }),
        nuclide: "Lu-177".into(),
        method: Some(pb::Method { method: Some(monte_carlo(100_000_000_000)) }),
        ..Default::default()
    };
    let spec = Some(pb::JobSpec { compute: Some(compute), priority: 0 });
    let request = pb::CreateJobRequest { spec, request_id: request_id(), validate_only: false };
    let created = JobServiceClient::new(channel.clone()).create_job(with(request, token)).await.expect("a good job");
    let name = created.into_inner().job.expect("a job").name;
    (name.strip_prefix("jobs/").expect("a name").to_owned(), digest)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_what_it_opens_for_calls_and_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, page) = Page::start(folder.path(), &[identities(folder.path())]);
    // The page itself tells nothing, and asks for a token.
    assert_eq!(page.send("GET", "/", "Host: dose.example\r\n").code, 200);
    for path in ["/api/server", "/api/jobs", "/api/results/x", "/api/volumes/x", "/api/gateway"] {
        assert_eq!(page.get(path).refusal(), (401, "UNAUTHENTICATED".to_owned()), "{path}");
        assert_eq!(page.send("GET", path, &of("guessed")).code, 401, "{path}");
    }
    let endpoint = tonic::transport::Endpoint::from_shared(server.url.clone()).expect("a URL");
    let (id, digest) = job(&endpoint.connect().await.expect("it listens"), "of-ann").await;
    let get = |path: &str, token: &str| page.send("GET", path, &of(token));
    let server = get("/api/server", "of-rob").json();
    assert_eq!(server["caller"], json!({ "name": "rob", "tenant": "a", "roles": ["read"] }));
    let (job, volume) = (format!("/api/results/{id}"), format!("/api/volumes/{digest}"));
    for token in ["of-ann", "of-rob"] {
        assert_eq!(get("/api/jobs", token).json()["jobs"][0]["id"], json!(id), "{token}");
        assert_eq!(get(&job, token).json()["nuclide"], "Lu-177");
        assert_eq!(get(&volume, token).body.len(), 256);
    }
    // Another tenant finds nothing, and cannot ask for it.
    assert_eq!(get("/api/jobs", "of-bea").json()["jobs"], json!([]));
    assert_eq!(get(&job, "of-bea").refusal(), (404, "JOB_NOT_FOUND".to_owned()));
    assert_eq!(get(&volume, "of-bea").refusal(), (404, "VOLUME_NOT_FOUND".to_owned()));
    assert_eq!(get("/api/jobs?tenant=a", "of-bea").refusal(), (403, "ROLE_MISSING".to_owned()));
    let cancel = |token: &str| page.send("POST", &format!("/api/jobs/{id}/cancel"), &of(token));
    assert_eq!(cancel("of-bea").refusal(), (404, "JOB_NOT_FOUND".to_owned()));
    assert_eq!(cancel("of-rob").refusal(), (403, "ROLE_MISSING".to_owned()));
    // An administrator sees the jobs of every tenant, and reads no volume of another's.
    assert_eq!(get("/api/jobs?tenant=a", "of-head").json()["jobs"][0]["id"], json!(id));
    assert_eq!(get(&job, "of-head").json()["id"], json!(id));
    assert_eq!(get(&volume, "of-head").refusal(), (404, "VOLUME_NOT_FOUND".to_owned()));
    // The gateway has no tenant: it is for administrators.
    assert_eq!(get("/api/gateway", "of-ann").refusal(), (403, "ROLE_MISSING".to_owned()));
    assert_eq!(get("/api/gateway", "of-head").refusal(), (501, "NO_GATEWAY".to_owned()));
    assert_eq!(cancel("of-ann").json()["state"], "cancelled");
}

#[test]
fn beyond_this_machine_it_is_encrypted_as_the_server_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new("authority");
    authority.issue("127.0.0.1", 2100).write(folder.path(), "server");
    let file = |flag: &str, name: &str| format!("--{flag}={}", folder.path().join(name).display());
    let more = [file("tls-certificate", "server.pem"), file("tls-key", "server.key"), identities(folder.path())];
    let (_server, page) = Page::start(folder.path(), &more);
    let root = Certificate::from_pem(authority.pem.as_bytes()).expect("a certificate");
    let tls = TlsConfig::builder().root_certs(RootCerts::from(vec![root])).build();
    let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().tls_config(tls).build());
    let url = format!("https://{}/api/server", page.0);
    let asked = agent.get(&url).header("x-dosegrid", "1").header("authorization", "Bearer of-ann").call();
    let text = asked.expect("it is trusted").body_mut().read_to_string().expect("text");
    assert!(text.contains("\"tenant\":\"a\""), "{text}");
    // Whoever trusts nobody does not connect.
    assert!(ureq::get(&url).call().is_err());
}
