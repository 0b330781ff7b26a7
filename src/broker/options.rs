//! Where the broker is, and who signs in there.

use std::fs;
use std::path::{Path, PathBuf};

use async_nats::{ConnectOptions, ServerAddr};

use crate::domain::{DoseError, Invalid};

/// Most bytes of a file with a secret.
const MOST_SECRET_BYTES: u64 = 64 << 10;
/// Most replicas that a broker keeps.
const MOST_REPLICAS: usize = 5;

/// Where the broker is, and who signs in there. Its debug form has no secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct BrokerOptions {
    /// `nats://HOST:PORT` or `tls://HOST:PORT`, several with commas. A user and password, or a token, may stand before
    /// the host.
    pub url: String,
    /// A file with `USER:PASSWORD` or a token in one line.
    pub secret: Option<PathBuf>,
    /// A file of credentials of NATS: a JWT and its seed.
    pub credentials: Option<PathBuf>,
    /// Authorities as PEM, in place of those of the system.
    pub ca: Option<PathBuf>,
    /// Copies that the broker keeps, 1 to 5; 0 stands for 1.
    pub replicas: usize,
}

impl std::fmt::Debug for BrokerOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BrokerOptions").field("url", &self.place()).finish_non_exhaustive()
    }
}

/// Who signs in.
#[derive(Clone, PartialEq, Eq)]
enum Who {
    Nobody,
    Token(String),
    User(String, String),
}

/// The one who signs in by `USER:PASSWORD` or a token.
fn who(text: &str) -> Who {
    match text.split_once(':') {
        _ if text.is_empty() => Who::Nobody,
        Some((user, password)) => Who::User(user.to_owned(), password.to_owned()),
        None => Who::Token(text.to_owned()),
    }
}

/// One address, without what stands before its host, and that.
fn parts(address: &str) -> Result<(String, &str), Invalid> {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    if !["nats", "tls"].contains(&scheme) {
        return Err(Invalid::new("begins with nats:// or tls://, such as nats://127.0.0.1:4222"));
    }
    let (secret, host) = rest.rsplit_once('@').unwrap_or(("", rest));
    if host.is_empty() {
        return Err(Invalid::new("names no host, such as nats://127.0.0.1:4222"));
    }
    Ok((format!("{scheme}://{host}"), secret))
}

impl BrokerOptions {
    /// The addresses without secrets, as they may be shown.
    pub fn place(&self) -> String {
        let places: Vec<String> =
            self.each().filter_map(|address| parts(address).ok()).map(|(place, _)| place).collect();
        places.join(",")
    }

    fn each(&self) -> impl Iterator<Item = &str> {
        self.url.split(',').map(str::trim)
    }

    pub(super) fn replicas(&self) -> usize {
        self.replicas.clamp(1, MOST_REPLICAS)
    }

    pub(super) fn addresses(&self) -> Result<Vec<ServerAddr>, DoseError> {
        let address = |text: &str| {
            let (place, _) = parts(text)?;
            place.parse::<ServerAddr>().map_err(|_| Invalid::new("is not an address, such as nats://127.0.0.1:4222"))
        };
        let all = self.each().map(address).collect::<Result<_, _>>();
        all.map_err(|Invalid(reason)| DoseError::invalid("queue", reason))
    }

    /// Whether all can be used: every fault at once, by its key.
    ///
    /// # Errors
    /// [`DoseError::Invalid`].
    pub fn check(&self) -> Result<(), DoseError> {
        let mut faults = Vec::new();
        faults.extend(self.addresses().err().map(|error| error.violations()).into_iter().flatten());
        if self.secret.is_some() && self.credentials.is_some() {
            let both = DoseError::invalid("queue-credentials", "does not go with --queue-secret: give one of them");
            faults.extend(both.violations());
        } else {
            faults.extend(
                self.signed_in(ConnectOptions::new()).err().map(|error| error.violations()).into_iter().flatten(),
            );
        }
        if faults.is_empty() { Ok(()) } else { Err(DoseError::Invalid(faults)) }
    }

    /// The options of a connection with whoever signs in.
    pub(super) fn signed_in(&self, mut connect: ConnectOptions) -> Result<ConnectOptions, DoseError> {
        if let Some(path) = &self.ca {
            read(path).map_err(|Invalid(reason)| DoseError::invalid("queue-ca", reason))?;
            connect = connect.add_root_certificates(path.clone());
        }
        if self.each().any(|address| address.starts_with("tls://")) {
            connect = connect.require_tls(true);
        }
        if let Some(path) = &self.credentials {
            let wrong = |reason: String| DoseError::invalid("queue-credentials", reason);
            let text = read(path).map_err(|Invalid(reason)| wrong(reason))?;
            let refused = |_| wrong("holds no credentials of NATS: a JWT and its seed".into());
            return connect.credentials(&text).map_err(refused);
        }
        let of_file = self.secret.as_deref().map(read).transpose();
        let of_file = of_file.map_err(|Invalid(reason)| DoseError::invalid("queue-secret", reason))?;
        let of_url = self.each().filter_map(|address| parts(address).ok()).map(|(_, secret)| secret);
        let of_url = of_url.into_iter().find(|secret| !secret.is_empty()).unwrap_or_default();
        Ok(match who(of_file.as_deref().map_or(of_url, str::trim)) {
            Who::Nobody => connect,
            Who::Token(token) => connect.token(token),
            Who::User(user, password) => connect.user_and_password(user, password),
        })
    }
}

/// The text of a small file.
fn read(path: &Path) -> Result<String, Invalid> {
    let size = fs::metadata(path).map_err(|error| Invalid::new(format!("cannot be read: {error}")))?.len();
    if size > MOST_SECRET_BYTES {
        return Err(Invalid::new("is too large for what it should hold"));
    }
    fs::read_to_string(path).map_err(|error| Invalid::new(format!("cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str) -> BrokerOptions {
        BrokerOptions { url: url.to_owned(), ..BrokerOptions::default() }
    }

    #[test]
    fn secrets_stand_before_the_host_and_are_never_shown() {
        let both = options("nats://me:s3cret@a:4222, tls://t0ken@b:4223");
        assert_eq!(both.place(), "nats://a:4222,tls://b:4223");
        assert!(!format!("{both:?}").contains("s3cret") && !format!("{both:?}").contains("t0ken"));
        assert_eq!(both.addresses().expect("two addresses").len(), 2);
        assert!(who("me:s:3") == Who::User("me".into(), "s:3".into()) && who("t0ken") == Who::Token("t0ken".into()));
        both.check().expect("all is good");
    }

    #[test]
    fn every_fault_is_named_by_its_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("credentials");
        std::fs::write(&path, "nothing of the kind").expect("a writable folder");
        let bad = BrokerOptions { credentials: Some(path.clone()), ..options("http://a") };
        let faults = bad.check().expect_err("two faults").violations();
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["queue", "queue-credentials"]);
        for (bad, field) in [
            (options("nats://"), "queue"),
            (options("a:4222"), "queue"),
            (options("nats://a:4222,me:s3cret@b:4222"), "queue"),
            (BrokerOptions { ca: Some(folder.path().join("none")), ..options("nats://a") }, "queue-ca"),
            (BrokerOptions { secret: Some(folder.path().join("none")), ..options("nats://a") }, "queue-secret"),
            (
                BrokerOptions { secret: Some(path.clone()), credentials: Some(path), ..options("nats://a") },
                "queue-credentials",
            ),
        ] {
            let faults = bad.check().expect_err("one fault").violations();
            assert_eq!(faults.iter().map(|fault| fault.field.as_str()).collect::<Vec<_>>(), [field]);
        }
    }
}
