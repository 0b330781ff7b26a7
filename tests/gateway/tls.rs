//! TLS on both sides of a gateway: who may call it, and whom it calls.

use std::fs;

use super::network::{free_port, knock, listens, send, text};
use super::site::Site;
use crate::study::certificates::{authority, issued, tls_server};
use crate::study::servers::{store_scp, tls_before};
use crate::support::command::{dosegrid, stderr};

#[test]
fn a_study_comes_and_its_dose_goes_by_tls_alone() {
    let port = free_port();
    let (behind, scp) = store_scp(vec![0]);
    let (archives, config) = tls_server("store.example", true);
    let (archive, bridge) = tls_before(behind, config);
    let source = format!(
        "kind = 'c-store'\nlisten = '127.0.0.1:{port}'\ncalled = ['DOSEGRID']\n\
         certificate = 'gateway.pem'\nkey = 'gateway.key'\nclient_ca = 'ca.pem'"
    );
    let destination = format!(
        "kind = 'c-store'\nto = 'TEST-SCP@{archive}'\ntls_ca = 'archives.pem'\ntls_name = 'store.example'\n\
         certificate = 'caller.pem'\nkey = 'caller.key'"
    );
    let site = Site::with(&text(&source, &destination));
    let write = |name: &str, text: String| fs::write(site.path().join(name), text).expect("a writable folder");
    let own = authority();
    for (name, authority) in [("gateway", &own), ("camera", &own), ("caller", &archives)] {
        let (certificate, key) = issued(authority, &format!("{name}.example"));
        write(&format!("{name}.pem"), certificate.pem());
        write(&format!("{name}.key"), key.serialize_pem());
    }
    write("ca.pem", own.pem());
    write("archives.pem", archives.pem());
    let running = site.start();
    listens(port);
    knock(port);
    let peer = format!("DOSEGRID@127.0.0.1:{port}");
    let tls = ["--tls", "--ca=ca.pem", "--tls-name=gateway.example"];
    let identity = ["--client-certificate=camera.pem", "--client-key=camera.key"];
    let stranger = ["--client-certificate=caller.pem", "--client-key=caller.key"];
    // In the clear, without a certificate, with one of another authority.
    for flags in [&[][..], &tls, &[&tls[..], &stranger].concat()] {
        let output = send(site.path(), &peer, flags);
        assert_eq!(output.status.code(), Some(1), "{flags:?}");
        assert!(stderr(&output).contains("to: no association with"), "{flags:?}: {}", stderr(&output));
    }
    assert!(site.items().is_empty());
    let output = send(site.path(), &peer, &[&tls[..], &identity].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    site.wait("it is sent", |states| states.first().is_some_and(|(state, _)| state == "sent"));
    drop(running);
    assert!(bridge.join().expect("no panic"));
    assert_eq!(scp.join().expect("no panic").len(), 1);
    site.tells_nobody("");
}

#[test]
fn files_of_tls_that_do_not_go_together_are_faults() {
    let source = "kind = 'c-store'\nlisten = '127.0.0.1:1'\ncalled = ['A']\ncertificate = 'own.pem'";
    let destination = "kind = 'c-store'\nto = 'A@127.0.0.1:1'\ntls_name = 'store.example'";
    let site = Site::with(&text(source, destination));
    let faults = || {
        let output = dosegrid(site.path(), ["gateway", "--config", "gateway.toml"]);
        assert_eq!(output.status.code(), Some(2));
        stderr(&output)
    };
    let said = faults();
    for words in ["source.certificate own.pem cannot", "destination.tls_name needs tls_ca"] {
        assert!(said.replace(&format!("{}/", site.path().display()), "").contains(words), "{words}: {said}");
    }
    fs::write(site.path().join("own.pem"), authority().pem()).expect("a writable folder");
    assert!(faults().contains("source.certificate and key go together"));
    let (_, other) = issued(&authority(), "other.example");
    fs::write(site.path().join("own.key"), other.serialize_pem()).expect("a writable folder");
    let file = text(&format!("{source}\nkey = 'own.key'\nclient_ca = 'own.key'"), destination);
    fs::write(site.path().join("gateway.toml"), file).expect("a writable folder");
    let said = faults();
    assert!(said.contains("key and certificate do not fit") || said.contains("no certificate in the form"), "{said}");
}
