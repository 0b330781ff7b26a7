//! TLS: who is trusted on either side.

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;
use tonic::Code;
use tonic::transport::{Certificate, ClientTlsConfig};

use super::pki::{Authority, Issued};
use super::{channel, facts, look_up, submit};
use crate::support::command::{Server, dosegrid, stderr};
use crate::support::nifti::{FLOAT32, NiftiBytes};

struct Site {
    folder: TempDir,
    authority: Authority,
    client: Issued,
}

impl Site {
    /// Files of a server, with a client that may submit.
    fn new(last_year: i32) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let authority = Authority::new("authority");
        authority.issue("127.0.0.1", last_year).write(folder.path(), "server");
        let client = authority.issue("client.example", 2100);
        client.write(folder.path(), "client");
        fs::write(folder.path().join("ca.pem"), &authority.pem).expect("a writable folder");
        let identities = format!(
            "[[identity]]\nname='c'\ntenant='t'\nroles=['submit']\ncertificate_sha256='{}'\n",
            client.sha256.to_uppercase()
        );
        fs::write(folder.path().join("identities.toml"), identities).expect("a writable folder");
        Self { folder, authority, client }
    }

    fn serve(&self, more: &[(&str, &str)]) -> Server {
        let always = [("tls-certificate", "server.pem"), ("tls-key", "server.key"), ("identities", "identities.toml")];
        let flag = |(flag, file): &(&str, &str)| format!("--{flag}={}", self.folder.path().join(file).display());
        Server::with("127.0.0.1:0", &always.iter().chain(more).map(flag).collect::<Vec<_>>())
    }

    fn trusting(&self) -> ClientTlsConfig {
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&self.authority.pem))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_an_identity() {
    let site = Site::new(2100);
    // Without an authority of clients none has to have one. Who has one is known by it, whoever signed it.
    let foreign = Authority::new("other").issue("client.example", 2100);
    let old = site.authority.issue("client.example", 2021);
    let entry = |name: &str, issued: &Issued| {
        let digest = &issued.sha256;
        format!("[[identity]]\nname='{name}'\ntenant='t'\nroles=['submit']\ncertificate_sha256='{digest}'\n")
    };
    let identities = entry("c", &site.client) + &entry("f", &foreign) + &entry("o", &old);
    fs::write(site.folder.path().join("identities.toml"), identities).expect("a writable folder");
    let server = site.serve(&[]);
    for (with, why) in [
        (site.trusting(), Some("missing")),
        (site.trusting().identity(site.client.identity()), None),
        (site.trusting().identity(foreign.identity()), None),
        (site.trusting().identity(site.authority.issue("stranger", 2100).identity()), Some("unknown")),
    ] {
        let channel = channel(&server.url, Some(with)).await.expect("a connection");
        let refused = look_up(&channel, None).await.err();
        assert_eq!(refused.and_then(|status| facts(&status, "why").2).as_deref(), why);
    }
    assert!(!is_served(&server.url, site.trusting().identity(old.identity())).await, "its time is over");
    let server = site.serve(&[("tls-client-ca", "ca.pem")]);
    let known = channel(&server.url, Some(site.trusting().identity(site.client.identity()))).await.expect("trusted");
    look_up(&known, None).await.expect("it is known");
    assert_eq!(submit(&known, None).await.code(), Code::InvalidArgument);
    // A token comes before the certificate, also a bad one.
    look_up(&known, Some("Bearer x")).await.expect_err("nobody has this token");
    let stranger = site.authority.issue("stranger", 2100);
    let stranger = channel(&server.url, Some(site.trusting().identity(stranger.identity()))).await.expect("trusted");
    let status = look_up(&stranger, None).await.expect_err("nobody knows it");
    assert_eq!(facts(&status, "why").2.as_deref(), Some("unknown"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_ends_with_the_time_of_its_certificate() {
    let site = Site::new(2100);
    // Long enough for a handshake on a busy machine.
    let end = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970") + Duration::from_secs(5);
    let brief = site.authority.issue_until("client.example", end);
    let identities =
        format!("[[identity]]\nname='c'\ntenant='t'\nroles=['submit']\ncertificate_sha256='{}'\n", brief.sha256);
    fs::write(site.folder.path().join("identities.toml"), identities).expect("a writable folder");
    let server = site.serve(&[("tls-client-ca", "ca.pem")]);
    let channel = channel(&server.url, Some(site.trusting().identity(brief.identity()))).await.expect("in its time");
    let patience = Instant::now() + Duration::from_secs(60);
    let mut served = 0;
    while look_up(&channel, None).await.is_ok() {
        served += 1;
        assert!(Instant::now() < patience, "a call on the same connection is still answered");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(served > 0, "it was served in its time");
}

/// Whether a call comes through. With TLS 1.3 a client learns only then that it is not trusted.
async fn is_served(url: &str, tls: ClientTlsConfig) -> bool {
    match channel(url, Some(tls)).await {
        Ok(channel) => look_up(&channel, None).await.is_ok(),
        Err(_) => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_trusted_is_not_served() {
    let (site, other) = (Site::new(2100), Authority::new("other"));
    let server = site.serve(&[("tls-client-ca", "ca.pem")]);
    let client = || site.client.identity();
    assert!(is_served(&server.url, site.trusting().identity(client())).await);
    let expired = site.authority.issue("client.example", 2021);
    let foreign = other.issue("client.example", 2100);
    for (bad, tls) in [
        ("no certificate", site.trusting()),
        ("of another authority", site.trusting().identity(foreign.identity())),
        ("expired", site.trusting().identity(expired.identity())),
        (
            "the client trusts others",
            ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&other.pem)).identity(client()),
        ),
        ("the server has another name", site.trusting().identity(client()).domain_name("other.example")),
    ] {
        assert!(!is_served(&server.url, tls).await, "{bad}");
        while !server.next_line().contains("connection refused") {}
    }
    let late = Site::new(2021);
    let server = late.serve(&[("tls-client-ca", "ca.pem")]);
    assert!(
        !is_served(&server.url, late.trusting().identity(late.client.identity())).await,
        "the server's has expired"
    );
}

#[test]
fn commands_call_with_certificates_and_tokens() {
    let site = Site::new(2100);
    let server = site.serve(&[("tls-client-ca", "ca.pem")]);
    let folder = site.folder.path();
    let map = NiftiBytes::new([2; 3], [2.0; 3], FLOAT32, &[1.0; 8]);
    fs::write(folder.join("in.nii"), map.bytes()).expect("a writable folder");
    let run = |more: &[&str]| {
        let at = format!("--server={}", server.url);
        let always = ["resample", "in.nii", "--output=out.nii", "--kind=density", "--spacing=1", &at];
        dosegrid(folder, always.iter().chain(more))
    };
    let good = ["--ca=ca.pem", "--client-certificate=client.pem", "--client-key=client.key"];
    let output = run(&good);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for (bad, code) in [(&good[1..], 1), (&good[..1], 1), (&["--ca=none.pem"][..], 2)] {
        let output = run(bad);
        assert_eq!(output.status.code(), Some(code), "{bad:?}: {}", stderr(&output));
    }
    let output = run(&[&good[..], &["--token=bad"]].concat());
    assert!(output.status.code() == Some(1) && stderr(&output).contains("UNAUTHENTICATED"), "{}", stderr(&output));
}
