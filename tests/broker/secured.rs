//! NATS with TLS and signed credentials, a store and workers that keep nothing in the clear.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dosegrid::broker::{Broker, BrokerOptions};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::fixture::Site;
use crate::door::pki::Authority;
use crate::durable::restart::results;
use crate::durable::{Client, monte_carlo, request_id};

/// First byte of keys, by what they are of. Source: github.com/nats-io/nkeys, `strkey.go`.
const OPERATOR: u8 = 14 << 3;
const ACCOUNT: u8 = 0;
const USER: u8 = 20 << 3;
const SEED: u8 = 18 << 3;

/// A key of NATS.
struct Nkey {
    kind: u8,
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

/// Base32 of RFC 4648 without padding, of bytes with their CRC-16/XMODEM, the lower byte first.
fn nkey_text(bytes: &[u8]) -> String {
    let crc = bytes.iter().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    });
    let all = [bytes, &crc.to_le_bytes()].concat();
    let bit = |at: usize| all.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    let letter = |group: usize| (0..5).fold(0, |value, at| value << 1 | bit(group * 5 + at));
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    (0..(all.len() * 8).div_ceil(5)).map(|group| char::from(letters[usize::from(letter(group))])).collect()
}

impl Nkey {
    fn new(kind: u8) -> Self {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).expect("random bytes");
        Self { kind, seed, pair: Ed25519KeyPair::from_seed_unchecked(&seed).expect("32 bytes") }
    }

    fn public(&self) -> String {
        nkey_text(&[&[self.kind][..], self.pair.public_key().as_ref()].concat())
    }

    fn seed(&self) -> String {
        nkey_text(&[&[SEED | self.kind >> 5, (self.kind & 31) << 3][..], &self.seed].concat())
    }

    /// What this key says of another.
    fn signs(&self, subject: &Self, nats: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = part(&json!({"typ": "JWT", "alg": "ed25519-nkey"}));
        let (issuer, subject) = (self.public(), subject.public());
        let claims =
            json!({"jti": subject, "iat": 1_700_000_000, "iss": issuer, "name": "test", "sub": subject, "nats": nats});
        let signed = format!("{head}.{}", part(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

/// Writes `nats.conf`, and `user.creds` for one user.
fn write_operator(folder: &Path) {
    let [operator, account, system, user] = [OPERATOR, ACCOUNT, ACCOUNT, USER].map(Nkey::new);
    let mut limits = json!({"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
        "conn": -1, "leaf": -1});
    let of = |kind: &str, limits: &Value| json!({"type": kind, "version": 2, "limits": limits});
    let of_system = operator.signs(&system, &of("account", &limits));
    for limit in ["mem_storage", "disk_storage", "streams", "consumer"] {
        limits[limit] = (-1).into();
    }
    let of_account = operator.signs(&account, &of("account", &limits));
    let of_operator = operator.signs(&operator, &json!({"type": "operator", "version": 2}));
    let of_user = account.signs(&user, &json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1}));
    let (account, system) = (account.public(), system.public());
    let conf = format!(
        "operator: \"{of_operator}\"\nsystem_account: {system}\nresolver: MEMORY\n\
         resolver_preload: {{ {account}: \"{of_account}\", {system}: \"{of_system}\" }}\n"
    );
    fs::write(folder.join("nats.conf"), conf).expect("a writable folder");
    let credentials = format!(
        "-----BEGIN NATS USER JWT-----\n{of_user}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        user.seed()
    );
    fs::write(folder.join("user.creds"), credentials).expect("a writable folder");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(no_nats, ignore = "there is no nats-server")]
async fn tls_and_credentials_lead_to_the_broker_and_nothing_is_kept_in_the_clear() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).to_str().expect("a path of text").to_owned();
    let authority = Authority::new("nats authority");
    authority.issue("127.0.0.1", 2090).write(folder.path(), "nats");
    fs::write(at("ca.pem"), &authority.pem).expect("a writable folder");
    write_operator(folder.path());
    for name in ["store.key", "cache.key"] {
        fs::write(at(name), if name == "store.key" { "0a".repeat(32) } else { "0b".repeat(32) }).expect("writable");
        fs::set_permissions(at(name), fs::Permissions::from_mode(0o600)).expect("own");
    }
    let (conf, pem, key) = (at("nats.conf"), at("nats.pem"), at("nats.key"));
    let site = Site::start(&["-c", &conf, "--tls", "--tlscert", &pem, "--tlskey", &key]);
    let (ca, credentials) = (at("ca.pem"), at("user.creds"));
    let signed_in = ["--queue-ca", &ca, "--queue-credentials", &credentials];
    let (store_key, cache_key, cache) = (at("store.key"), at("cache.key"), at("cache"));
    let gateway = site.gateway(&[&signed_in[..], &["--store-key-file", &store_key]].concat());
    let worker = site.worker(&[&signed_in[..], &["--cache", &cache, "--cache-key-file", &cache_key]].concat());
    assert!(worker.first_line.starts_with("working for tls://127.0.0.1:"), "{}", worker.first_line);
    let mut client = Client::of(&gateway.url).await;
    let spec = client.upload_job(monte_carlo(20_000), [8, 7, 6]).await;
    let job = client.create(&spec, &request_id()).await.expect("a good job");
    results(&mut client, &job.name).await;
    // The same values as in the volume that was sent.
    let volume: Vec<u8> = (0u8..16).flat_map(|i| (1e6 * f32::from(1 + i)).to_le_bytes()).collect();
    let kept: Vec<_> = fs::read_dir(folder.path().join("cache/volumes")).expect("it was made").collect();
    assert_eq!(kept.len(), 2, "activity and density");
    for file in kept {
        let bytes = fs::read(file.expect("an entry").path()).expect("own");
        assert!(!bytes.windows(volume.len()).any(|window| window == volume), "a volume is kept in the clear");
    }
    // Who has no credentials, or another authority, does not get in.
    fs::write(at("other.pem"), &Authority::new("another").pem).expect("a writable folder");
    let good = BrokerOptions {
        url: site.url(),
        ca: Some(at("ca.pem").into()),
        credentials: Some(at("user.creds").into()),
        ..BrokerOptions::default()
    };
    let without = BrokerOptions { credentials: None, ..good.clone() };
    let other = BrokerOptions { ca: Some(at("other.pem").into()), ..good.clone() };
    for (options, gets_in) in [(&good, true), (&without, false), (&other, false)] {
        let broker = Broker::connect(options).await.expect("good files");
        let patience = Duration::from_secs(if gets_in { 60 } else { 2 });
        let is_up = tokio::time::timeout(patience, broker.wait_up()).await.is_ok();
        assert_eq!(is_up, gets_in, "{options:?}");
    }
}
