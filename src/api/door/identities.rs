//! Identities of a file: who has which token or certificate.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use crate::api::identity::{Caller, Role};
use crate::domain::Invalid;
use crate::formats::toml_file;

/// Longest name of an identity [bytes].
const MAX_NAME_BYTES: usize = 128;

/// Whether a text names a tenant: 1 to 63 lower-case letters, digits and hyphens.
pub(super) fn is_tenant(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(is_allowed)
}

/// Whether a text can be the name of an identity in log and audit.
pub(super) fn is_name(text: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// The roles of their names.
///
/// # Errors
/// If there is none, or one is not a role.
pub(super) fn roles(words: &[String]) -> Result<Vec<Role>, Invalid> {
    let roles: Option<Vec<Role>> = words.iter().map(|word| Role::parse(word)).collect();
    let good = roles.filter(|roles| !roles.is_empty());
    good.ok_or_else(|| Invalid::new("roles must be one or more of read, submit, admin"))
}

/// Who has a token or a certificate, by the SHA-256 of it.
#[derive(Debug, Default)]
pub(super) struct Identities {
    by_token: HashMap<String, Caller>,
    by_certificate: HashMap<String, Caller>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    identity: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    tenant: String,
    roles: Vec<String>,
    token_sha256: Option<String>,
    certificate_sha256: Option<String>,
}

/// A fault of a file by its line alone: what stands there may be a secret.
fn without_values(Invalid(reason): Invalid) -> Invalid {
    match reason.strip_prefix("line ").and_then(|rest| rest.split_once(':')) {
        None => Invalid(reason),
        Some((line, _)) => Invalid::new(format!(
            "line {line}: [[identity]] has name, tenant, roles, and token_sha256 or certificate_sha256, and no other keys"
        )),
    }
}

impl Identities {
    /// Reads a file of identities.
    ///
    /// # Errors
    /// Every entry that is at fault, by its number. No value is told: it may be a secret in the wrong place.
    pub(super) fn read(path: &Path) -> Result<Self, Invalid> {
        let file: File = toml_file::read(path).map_err(without_values)?;
        let mut identities = Self::default();
        let mut faults = Vec::new();
        for (number, entry) in (1..).zip(file.identity) {
            if let Err(Invalid(reason)) = identities.add(entry) {
                faults.push(format!("identity {number}: {reason}"));
            }
        }
        if faults.is_empty() { Ok(identities) } else { Err(Invalid::new(faults.join("; "))) }
    }

    fn add(&mut self, entry: Entry) -> Result<(), Invalid> {
        let Entry { name, tenant, roles: words, token_sha256, certificate_sha256 } = entry;
        if !is_name(&name) {
            return Err(Invalid::new("name must have 1 to 128 bytes and no control characters"));
        }
        if !is_tenant(&tenant) {
            return Err(Invalid::new("tenant must be 1 to 63 of a-z, 0-9 and -"));
        }
        let caller = Caller { tenant, roles: roles(&words)?, name, peer: String::new() };
        let (map, key, digest) = match (token_sha256, certificate_sha256) {
            (Some(digest), None) => (&mut self.by_token, "token_sha256", digest),
            (None, Some(digest)) => (&mut self.by_certificate, "certificate_sha256", digest),
            _ => return Err(Invalid::new("needs either token_sha256 or certificate_sha256")),
        };
        let digest = digest.to_ascii_lowercase().replace(':', "");
        if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Invalid::new(format!("{key} must be a SHA-256, 64 hexadecimal digits")));
        }
        match map.insert(digest, caller) {
            None => Ok(()),
            Some(_) => Err(Invalid::new(format!("{key} is that of another identity"))),
        }
    }

    /// Who has a token. It is found by its digest, so that the time taken tells nothing of other tokens.
    pub(super) fn by_token(&self, token: &str) -> Option<&Caller> {
        self.by_token.get(&crate::digest::sha256_hex(token))
    }

    /// Whether somebody is known by a certificate.
    pub(super) fn has_certificates(&self) -> bool {
        !self.by_certificate.is_empty()
    }

    /// Who has a certificate.
    ///
    /// * `sha256` – of its DER, 64 hexadecimal digits
    pub(super) fn by_certificate(&self, sha256: &str) -> Option<&Caller> {
        self.by_certificate.get(sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Identities, Invalid> {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), text).expect("a writable file");
        Identities::read(file.path())
    }

    #[test]
    fn a_token_is_found_by_its_digest() {
        let digest = crate::digest::sha256_hex("secret");
        let text = format!("[[identity]]\nname='a'\ntenant='t-1'\nroles=['submit']\ntoken_sha256='{digest}'\n");
        let found = read(&text).expect("a good file");
        assert_eq!(found.by_token("secret").expect("it is there").tenant, "t-1");
        assert!(found.by_token("Secret").is_none() && found.by_certificate(&digest).is_none());
    }

    #[test]
    fn every_entry_at_fault_is_named() {
        let digest = "0".repeat(64);
        let text = format!(
            "[[identity]]\nname='a'\ntenant='T'\nroles=['read']\ntoken_sha256='{digest}'\n\
             [[identity]]\nname='b'\ntenant='t'\nroles=['root']\ntoken_sha256='{digest}'\n\
             [[identity]]\nname='c'\ntenant='t'\nroles=['read']\ntoken_sha256='my token'\n\
             [[identity]]\nname='d'\ntenant='t'\nroles=['read']\n"
        );
        let Invalid(reason) = read(&text).expect_err("four faults");
        for part in ["identity 1: tenant", "identity 2: roles", "identity 3: token_sha256", "identity 4: needs"] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
        assert!(!reason.contains("my token"));
        let Invalid(reason) = read("[[identity]]\nname='a'\ntoken='plain'\n").expect_err("an unknown key");
        assert!(reason.contains("line"), "{reason}");
    }
}
