//! Certificates and tokens, made for a test.

use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use serde_json::{Value, json};

/// An authority.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key.
pub(crate) struct Issued {
    pub(crate) pem: String,
    pub(crate) key_pem: String,
    pub(crate) sha256: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self { pem: certificate.pem(), issuer: Issuer::new(params, key) }
    }

    /// A certificate for a server of this name, or a client.
    ///
    /// * `last_year` – the last year of its time
    pub(crate) fn issue(&self, name: &str, last_year: i32) -> Issued {
        self.issue_with(name, |params| params.not_after = rcgen::date_time_ymd(last_year, 1, 1))
    }

    /// A certificate whose time ends so long after 1970.
    pub(crate) fn issue_until(&self, name: &str, since_epoch: Duration) -> Issued {
        self.issue_with(name, |params| params.not_after = rcgen::date_time_ymd(1970, 1, 1) + since_epoch)
    }

    fn issue_with(&self, name: &str, set: impl FnOnce(&mut CertificateParams)) -> Issued {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        set(&mut params);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate: Certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let sha256 = dosegrid::digest::sha256_hex(certificate.der());
        Issued { pem: certificate.pem(), key_pem: key.serialize_pem(), sha256 }
    }
}

impl Issued {
    /// Writes certificate and key into a folder, as `NAME.pem` and `NAME.key`.
    pub(crate) fn write(&self, folder: &Path, name: &str) {
        fs::write(folder.join(format!("{name}.pem")), &self.pem).expect("a writable folder");
        fs::write(folder.join(format!("{name}.key")), &self.key_pem).expect("a writable folder");
    }

    pub(crate) fn identity(&self) -> tonic::transport::Identity {
        tonic::transport::Identity::from_pem(&self.pem, &self.key_pem)
    }
}

/// Keys of an issuer of tokens.
pub(super) struct Signer {
    ed25519: Ed25519KeyPair,
    p256: EcdsaKeyPair,
    rsa: RsaKeyPair,
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    pub(super) fn new() -> Self {
        let random = SystemRandom::new();
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
        let p256 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        Self {
            ed25519: Ed25519KeyPair::from_pkcs8(ed25519.as_ref()).expect("a key"),
            p256: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, p256.as_ref(), &random).expect("a key"),
            rsa: RsaKeyPair::from_pkcs8(include_bytes!("rsa_test_key.der")).expect("a key"),
        }
    }

    /// The public keys, as a JWKS file has them; one more for something else stands among them.
    pub(super) fn jwks(&self) -> Value {
        let point = self.p256.public_key().as_ref();
        let rsa = RsaPublicKeyComponents::<Vec<u8>>::from(self.rsa.public());
        json!({"keys": [
            {"kty": "oct", "alg": "HS256", "k": base64("secret"), "kid": "shared"},
            {"kty": "OKP", "crv": "Ed25519", "x": base64(self.ed25519.public_key()), "kid": "ed"},
            {"kty": "EC", "crv": "P-256", "x": base64(&point[1..33]), "y": base64(&point[33..]), "alg": "ES256"},
            {"kty": "RSA", "n": base64(&rsa.n),
             "e": base64(&rsa.e), "use": "sig", "kid": "rsa"},
        ]})
    }

    /// A token with these claims, by a key of no name that is known.
    ///
    /// * `alg` – what its header says, and how it is signed; with something else it has no signature
    pub(super) fn token(&self, alg: &str, claims: &Value) -> String {
        self.token_by("whatever", alg, claims)
    }

    /// As [`Signer::token`], with the name of a key.
    pub(super) fn token_by(&self, key: &str, alg: &str, claims: &Value) -> String {
        let header = json!({"alg": alg, "typ": "JWT", "kid": key});
        let signed = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
        let random = SystemRandom::new();
        let signature = match alg {
            "EdDSA" => self.ed25519.sign(signed.as_bytes()).as_ref().to_vec(),
            "ES256" => self.p256.sign(&random, signed.as_bytes()).expect("a signature").as_ref().to_vec(),
            "RS256" => {
                let mut signature = vec![0; self.rsa.public().modulus_len()];
                self.rsa.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).expect("a signature");
                signature
            }
            "HS256" => {
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"secret");
                ring::hmac::sign(&key, signed.as_bytes()).as_ref().to_vec()
            }
            _ => Vec::new(),
        };
        format!("{signed}.{}", base64(signature))
    }
}

/// Seconds since the epoch.
pub(super) fn now_s() -> i64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    i64::try_from(since.as_secs()).expect("before the end of time")
}
