//! Who is calling: tokens, good and bad, and what each role may do.

use std::fs;

use dosegrid::api::pb;
use dosegrid::api::pb::dose_service_client::DoseServiceClient;
use dosegrid::digest::sha256_hex;
use rustix::process::Signal;
use serde_json::{Value, json};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::pki::{Signer, now_s};
use super::{channel, facts, look_up, submit, with};
use crate::support::command::{Server, dosegrid, stderr};

fn identity(name: &str, role: &str, token: &str) -> String {
    format!(
        "[[identity]]\nname = \"{name}\"\ntenant = \"clinic-1\"\nroles = [\"{role}\"]\ntoken_sha256 = \"{}\"\n",
        sha256_hex(token)
    )
}

/// A server that needs identities, and the folder of its files.
fn server(signer: &Signer) -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    let text = identity("reader", "read", "reads") + &identity("submitter", "submit", "submits");
    fs::write(path("identities.toml"), text).expect("a writable folder");
    fs::write(path("keys.json"), signer.jwks().to_string()).expect("a writable folder");
    let flags = [
        format!("--identities={}", path("identities.toml").display()),
        format!("--jwt-keys={}", path("keys.json").display()),
        "--jwt-audience=dosegrid".to_owned(),
        "--jwt-issuer=https://issuer.example".to_owned(),
    ];
    (Server::with("127.0.0.1:0", &flags), folder)
}

fn claims() -> Value {
    json!({"sub": "alice", "tenant": "clinic-2", "roles": ["submit"], "aud": "dosegrid",
           "iss": "https://issuer.example", "exp": now_s() + 300})
}

/// Good claims with another value of one of them; without it, if the value is null.
fn but(claim: &str, value: Value) -> Value {
    let mut claims = claims();
    if value.is_null() {
        claims.as_object_mut().expect("an object").remove(claim);
    } else {
        claims[claim] = value;
    }
    claims
}

#[tokio::test(flavor = "multi_thread")]
async fn good_tokens_are_taken_and_bad_ones_refused_with_the_reason() {
    let (signer, other) = (Signer::new(), Signer::new());
    let (server, _folder) = server(&signer);
    let channel = channel(&server.url, None).await.expect("the server listens");
    let bearer = |token: &str| format!("Bearer {token}");
    for good in [
        bearer("reads"),
        "bearer submits".to_owned(),
        bearer(&signer.token("EdDSA", &claims())),
        bearer(&signer.token("ES256", &claims())),
        bearer(&signer.token("RS256", &claims())),
        bearer(&signer.token_by("ed", "EdDSA", &claims())),
        bearer(&signer.token("EdDSA", &but("aud", json!(["x", "dosegrid"])))),
        // Within the leeway.
        bearer(&signer.token("EdDSA", &but("exp", json!(now_s() - 5)))),
        bearer(&signer.token("EdDSA", &but("nbf", json!(now_s() + 5)))),
    ] {
        look_up(&channel, Some(&good)).await.unwrap_or_else(|status| panic!("{good}: {status:?}"));
    }
    let signed = |claims: Value| bearer(&signer.token("EdDSA", &claims));
    let mut forged = signed(claims());
    forged.insert(40, 'A');
    let bad = [
        (None, "missing"),
        (Some("Basic cmVhZHM6".to_owned()), "malformed"),
        (Some("Bearer".to_owned()), "malformed"),
        (Some(bearer("two words")), "malformed"),
        (Some(bearer("of.three.parts")), "malformed"),
        (Some(bearer("Reads")), "unknown"),
        (Some(signed(but("exp", json!(now_s() - 60)))), "expired"),
        (Some(signed(but("nbf", json!(now_s() + 60)))), "not_yet_valid"),
        (Some(bearer(&other.token("EdDSA", &claims()))), "signature"),
        (Some(bearer(&other.token("ES256", &claims()))), "signature"),
        // A key of another kind has the name that the token says.
        (Some(bearer(&signer.token_by("rsa", "ES256", &claims()))), "signature"),
        (Some(bearer(&signer.token("none", &claims()))), "algorithm"),
        (Some(bearer(&signer.token("HS256", &claims()))), "algorithm"),
        (Some(signed(but("aud", json!("others")))), "audience"),
        (Some(signed(but("aud", Value::Null))), "audience"),
        (Some(signed(but("iss", json!("https://other.example")))), "issuer"),
        (Some(signed(but("exp", Value::Null))), "claims"),
        (Some(signed(but("sub", Value::Null))), "claims"),
        (Some(signed(but("tenant", json!("Clinic 2")))), "claims"),
        (Some(signed(but("tenant", json!("../x")))), "claims"),
        (Some(signed(but("roles", json!([])))), "claims"),
        (Some(signed(but("roles", json!(["root"])))), "claims"),
    ];
    for (authorization, why) in bad {
        let status = look_up(&channel, authorization.as_deref()).await.expect_err(why);
        let expected = (Code::Unauthenticated, "UNAUTHENTICATED".to_owned(), Some(why.to_owned()));
        assert_eq!(facts(&status, "why"), expected, "{authorization:?}");
        // One line of the log, which says why and holds no token.
        let line = loop {
            let line = server.next_line();
            if line.contains("UNAUTHENTICATED") {
                break line;
            }
        };
        assert!(line.contains(why), "{why}: {line}");
        let token = authorization.as_deref().and_then(|text| text.split(' ').nth(1)).filter(|token| token.len() > 10);
        assert!(token.is_none_or(|token| !line.contains(token)), "{line}");
    }
    look_up(&channel, Some(&forged)).await.expect_err("a letter more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_needed_for_work_and_nothing_for_health() {
    let (server, folder) = server(&Signer::new());
    let channel = channel(&server.url, None).await.expect("the server listens");
    look_up(&channel, Some("Bearer reads")).await.expect("any identity may look things up");
    let status = submit(&channel, Some("Bearer reads")).await;
    let expected = (Code::PermissionDenied, "ROLE_MISSING".to_owned(), Some("submit".to_owned()));
    assert_eq!(facts(&status, "role"), expected);
    assert_eq!(submit(&channel, Some("Bearer submits")).await.code(), Code::InvalidArgument);
    // A stream is refused as well, before its first message.
    let stream = tokio_stream::pending::<pb::ComputeRequest>();
    let refused = DoseServiceClient::new(channel.clone()).compute(with(stream, Some("Bearer reads"))).await;
    assert_eq!(facts(&refused.expect_err("it only reads"), "role"), expected);
    let mut health = HealthClient::new(channel.clone());
    for service in ["", "live", "dosegrid.v1.DoseService"] {
        health.check(HealthCheckRequest { service: service.into() }).await.expect("health needs no identity");
    }
    // Reflection is off where identities are needed.
    let mut reflection =
        tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient::new(channel.clone());
    let asked = reflection.server_reflection_info(with(tokio_stream::empty(), Some("Bearer reads"))).await;
    assert_eq!(facts(&asked.expect_err("it is not served"), "").1, "UNKNOWN_METHOD");
    // Identities are read again at SIGHUP; a bad file changes nothing.
    let file = folder.path().join("identities.toml");
    fs::write(&file, "nonsense").expect("a writable folder");
    server.signal(Signal::HUP);
    while !server.next_line().contains("stay as they were") {}
    look_up(&channel, Some("Bearer reads")).await.expect("as before");
    fs::write(&file, identity("new", "read", "anew")).expect("a writable folder");
    server.signal(Signal::HUP);
    while !server.next_line().contains("read again") {}
    look_up(&channel, Some("Bearer anew")).await.expect("it is known now");
    look_up(&channel, Some("Bearer reads")).await.expect_err("it is known no more");
}

#[test]
fn what_cannot_be_read_is_told_before_anything_listens() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("bad.toml"), "[[identity]]\nname = \"x\"\ntoken = \"secret-token\"\n")
        .expect("writable");
    fs::write(folder.path().join("keys.json"), "{\"keys\": []}").expect("writable");
    let flags = ["serve", "--device=cpu", "--identities=bad.toml", "--jwt-keys=keys.json", "--jwt-audience=a"];
    let output = dosegrid(folder.path(), flags.iter().chain(&["--tls-certificate=none.pem", "--listen=0.0.0.0:0"]));
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for key in ["identities: ", "jwt-keys: ", "tls-certificate: "] {
        assert!(said.contains(&format!("error: {key}")), "{key}: {said}");
    }
    assert!(!said.contains("secret-token"), "{said}");
    let output = dosegrid(folder.path(), ["serve", "--device=cpu", "--listen=0.0.0.0:0"]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("--allow-plaintext"), "{}", stderr(&output));
}
