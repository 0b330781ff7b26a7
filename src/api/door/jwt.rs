//! Bearer tokens that an issuer has signed: JSON Web Tokens, checked with the keys of a file.
//!
//! Source: RFC 7515, 7517, 7518, 7519, 8037.

use std::ops::RangeInclusive;
use std::path::Path;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind, new_error};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::signature as checked;
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey, Validation};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;

use super::identities::{is_name, is_tenant, roles};
use super::refusals::Why;
use crate::api::identity::Caller;
use crate::domain::Invalid;

/// How far the clocks of issuer and server may be apart [s].
const LEEWAY_S: u64 = 30;
/// Sizes of RSA keys that are taken [bits].
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;
/// Longest file of keys [bytes].
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Keys of issuers, and what their tokens must say.
pub(super) struct Issuers {
    keys: Vec<Key>,
    audience: String,
    issuer: Option<String>,
}

struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// The claims that make a caller; the others are checked by the library.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    tenant: String,
    roles: Vec<String>,
}

/// The header of a token, as far as it decides.
#[derive(Deserialize)]
struct Head {
    alg: Option<serde_json::Value>,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
}

impl Issuers {
    /// Reads a JWKS file. Keys of other kinds than RS256, ES256 and EdDSA are left out.
    ///
    /// # Errors
    /// If the file cannot be read, is not a set of keys, has an RSA key of another size than is taken, or no key that
    /// can be used.
    pub(super) fn read(path: &Path, audience: &str, issuer: Option<&str>) -> Result<Self, Invalid> {
        let text = super::credentials::read(path, MAX_FILE_BYTES)?;
        let set: JwkSet = serde_json::from_slice(&text)
            .map_err(|error| Invalid::new(format!("is not a set of keys (JWKS): line {}", error.line())))?;
        let keys: Vec<Key> = set.keys.iter().filter_map(Key::of).collect();
        for (number, jwk) in set.keys.iter().enumerate() {
            if let Some(bits) = rsa_bits(jwk).filter(|bits| !RSA_BITS.contains(bits) && Key::of(jwk).is_some()) {
                let name = jwk.common.key_id.as_ref().map_or_else(String::new, |id| format!(", {id:?}"));
                let (number, least, most) = (number + 1, RSA_BITS.start(), RSA_BITS.end());
                let reason = format!("has an RSA key of {bits} bits (key {number}{name}); {least} to {most} are taken");
                return Err(Invalid::new(reason));
            }
        }
        if keys.is_empty() {
            return Err(Invalid::new("has no key for RS256, ES256 or EdDSA"));
        }
        // It fails only if it is there already.
        let _ = PROVIDER.install_default();
        Ok(Self { keys, audience: audience.to_owned(), issuer: issuer.map(str::to_owned) })
    }

    /// The caller of a token.
    ///
    /// # Errors
    /// Why the token is not taken.
    pub(super) fn caller(&self, token: &str) -> Result<Caller, Why> {
        let head = head(token)?;
        let algorithm = match head.alg.as_ref().and_then(|alg| alg.as_str()) {
            Some("RS256") => Algorithm::RS256,
            Some("ES256") => Algorithm::ES256,
            Some("EdDSA") => Algorithm::EdDSA,
            _ => return Err(Why::Algorithm),
        };
        if head.crit.is_some() {
            return Err(Why::Malformed);
        }
        let validation = self.validation(algorithm);
        let is_named = |key: &&Key| key.id.is_some() && key.id == head.kid;
        // Without the name of a key, or with one that no key has, each key of the kind is tried.
        let is_any = !self.keys.iter().any(|key| is_named(&key));
        let mut why = Why::Signature;
        for key in self.keys.iter().filter(|key| key.algorithm == algorithm && (is_any || is_named(key))) {
            match jsonwebtoken::decode::<Claims>(token, &key.key, &validation) {
                Ok(token) => return caller(token.claims),
                Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => {}
                Err(error) => {
                    why = why_of(error.kind());
                    break;
                }
            }
        }
        Err(why)
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_S;
        validation.validate_nbf = true;
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "aud"]);
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            validation.required_spec_claims.insert("iss".into());
        }
        validation
    }
}

/// Whether a token can only have been meant as one that an issuer has signed: three parts with dots between them.
pub(super) fn has_form(token: &str) -> bool {
    token.split('.').count() == 3
}

/// The header of a token that has the form of one.
fn head(token: &str) -> Result<Head, Why> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, _, _] = parts[..] else { return Err(Why::Malformed) };
    let json = base64url(header).ok_or(Why::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| Why::Malformed)
}

/// Bytes in the alphabet for URLs, without padding.
fn base64url(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok()
}

fn caller(claims: Claims) -> Result<Caller, Why> {
    let Claims { sub, tenant, roles: words } = claims;
    let roles = roles(&words).map_err(|_| Why::Claims)?;
    if !is_tenant(&tenant) || !is_name(&sub) {
        return Err(Why::Claims);
    }
    Ok(Caller { tenant, roles, name: sub, peer: String::new() })
}

/// The claim that an error is about, if it is about one.
fn claim(error: &ErrorKind) -> Option<&str> {
    if let ErrorKind::MissingRequiredClaim(claim) | ErrorKind::InvalidClaimFormat(claim) = error {
        Some(claim)
    } else {
        None
    }
}

fn why_of(error: &ErrorKind) -> Why {
    let whole = [
        (matches!(error, ErrorKind::ExpiredSignature), Why::Expired),
        (matches!(error, ErrorKind::ImmatureSignature), Why::NotYetValid),
        (matches!(error, ErrorKind::InvalidAudience) || claim(error) == Some("aud"), Why::Audience),
        (matches!(error, ErrorKind::InvalidIssuer) || claim(error) == Some("iss"), Why::Issuer),
        (matches!(error, ErrorKind::Json(_)) || claim(error).is_some(), Why::Claims),
        (matches!(error, ErrorKind::InvalidAlgorithm), Why::Algorithm),
    ];
    whole.into_iter().find(|(is_it, _)| *is_it).map_or(Why::Malformed, |(_, why)| why)
}

/// The size of an RSA key [bits]; none of another key.
fn rsa_bits(jwk: &Jwk) -> Option<usize> {
    let AlgorithmParameters::RSA(key) = &jwk.algorithm else { return None };
    let bytes = base64url(&key.n)?;
    let first = bytes.iter().position(|byte| *byte > 0)?;
    Some((bytes.len() - first) * 8 - bytes[first].leading_zeros() as usize)
}

impl Key {
    /// A key of a set; none if it is for something else.
    fn of(jwk: &Jwk) -> Option<Self> {
        let (algorithm, wanted) = if let AlgorithmParameters::RSA(_) = &jwk.algorithm {
            (Algorithm::RS256, KeyAlgorithm::RS256)
        } else if let AlgorithmParameters::EllipticCurve(key) = &jwk.algorithm
            && key.curve == EllipticCurve::P256
        {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        } else if let AlgorithmParameters::OctetKeyPair(key) = &jwk.algorithm
            && key.curve == EllipticCurve::Ed25519
        {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        } else {
            return None;
        };
        let is_for_signing = !matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption));
        let is_wanted = jwk.common.key_algorithm.is_none_or(|named| named == wanted);
        let key = DecodingKey::from_jwk(jwk).ok()?;
        (is_for_signing && is_wanted).then(|| Self { id: jwk.common.key_id.clone(), algorithm, key })
    }
}

/// Signatures are checked by the library that TLS has as well. Nothing is signed here.
static PROVIDER: CryptoProvider =
    CryptoProvider { signer_factory: no_signer, verifier_factory: verifier, key_utils: KeyUtils::new_unimplemented() };

fn no_signer(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    Err(new_error(ErrorKind::UnsupportedAlgorithm))
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    Ok(Box::new(Verifier { algorithm: *algorithm, key: key.clone() }))
}

struct Verifier {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl checked::Verifier<Vec<u8>> for Verifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), checked::Error> {
        let verified = match (self.algorithm, self.key.kind()) {
            (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            (Algorithm::ES256, DecodingKeyKind::SecretOrDer(point)) => {
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(point)) => {
                UnparsedPublicKey::new(&signature::ED25519, point).verify(message, signature)
            }
            _ => Err(ring::error::Unspecified),
        };
        verified.map_err(|_| checked::Error::new())
    }
}

impl JwtVerifier for Verifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    fn read(bits: usize, more: &str) -> Result<Issuers, Invalid> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys.json");
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        modulus[0] = u8::MAX >> (modulus.len() * 8 - bits);
        let n = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(modulus);
        let key = format!(r#"{{"keys": [{{"kty": "RSA", "n": "{n}", "e": "AQAB", "kid": "old"{more}}}]}}"#);
        std::fs::write(&path, key).expect("a writable folder");
        Issuers::read(&path, "dosegrid", None)
    }

    #[test]
    fn rsa_keys_of_other_sizes_are_refused_by_name() {
        for bits in [2048, 3072, 8192] {
            assert_eq!(read(bits, "").expect("a good size").keys.len(), 1);
        }
        for bits in [512, 1024, 2047, 8193] {
            let reason = read(bits, "").err().expect("another size").0;
            assert!(reason.contains(&format!("{bits} bits (key 1, \"old\")")), "{reason}");
        }
        // One for something else is left out, as ever.
        let reason = read(1024, r#", "use": "enc""#).err().expect("no other key").0;
        assert!(reason.contains("has no key"), "{reason}");
    }
}
