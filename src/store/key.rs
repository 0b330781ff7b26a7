//! The keys of a store whose files are encrypted.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::domain::Invalid;

/// Bytes of a key.
const SECRET_BYTES: usize = 32;
/// Bytes of the id of a key.
pub(super) const KEY_ID_BYTES: usize = 8;
/// Longest file of keys [bytes].
const MAX_FILE_BYTES: u64 = 1 << 16;
/// What an id is a digest of, before the key.
const ID_OF: &str = "dosegrid store key id\n";
/// Permissions of others than the owner.
const OTHERS: u32 = 0o077;

/// Tells a key from others, and nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId([u8; KEY_ID_BYTES]);

impl KeyId {
    pub(super) fn bytes(self) -> [u8; KEY_ID_BYTES] {
        self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for KeyId {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        hexadecimal(&text).map(Self).ok_or_else(|| Invalid::new("is not 16 hexadecimal digits"))
    }
}

/// A key.
pub(super) struct StoreKey {
    id: KeyId,
    secret: [u8; SECRET_BYTES],
}

impl StoreKey {
    fn new(secret: [u8; SECRET_BYTES]) -> Self {
        let mut digest = Digest::new();
        digest.update(ID_OF);
        digest.update(secret);
        Self { id: KeyId(*digest.bytes().first_chunk().expect("a digest is longer")), secret }
    }

    pub(super) fn id(&self) -> KeyId {
        self.id
    }

    pub(super) fn secret(&self) -> &[u8] {
        &self.secret
    }
}

/// The keys that files are encrypted with: the first one for new files, all of them for those that are there.
#[derive(Clone, Default)]
pub struct StoreKeys(Arc<Vec<StoreKey>>);

impl StoreKeys {
    /// Reads keys: a line of 64 hexadecimal digits each, the one for new files first. Lines that begin with `#` and
    /// empty ones do not count.
    ///
    /// # Errors
    /// If the file cannot be read, others than its owner may read it, or a line is no key. No line is repeated.
    pub fn read(path: &Path) -> Result<Self, Invalid> {
        let io = |error: std::io::Error| Invalid::new(format!("cannot be read: {error}"));
        let file = File::open(path).map_err(io)?;
        let mode = file.metadata().map_err(io)?.mode();
        if mode & OTHERS != 0 {
            return Err(Invalid::new("may be read by others than its owner: `chmod 600` it"));
        }
        let mut text = String::new();
        file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(io)?;
        Self::parse(&text)
    }

    /// A key that nobody else has, and that is gone with the last copy of this.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn random() -> Result<Self, Invalid> {
        let mut secret = [0; SECRET_BYTES];
        let filled = SystemRandom::new().fill(&mut secret);
        filled.map_err(|_| Invalid::new("cannot be made: the system gives no random bytes"))?;
        Ok(Self(Arc::new(vec![StoreKey::new(secret)])))
    }

    pub(super) fn parse(text: &str) -> Result<Self, Invalid> {
        let lines = text.lines().map(str::trim).enumerate();
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let key = |(number, line): (usize, &str)| {
            let wrong = || Invalid::new(format!("line {} is not a key of 64 hexadecimal digits", number + 1));
            let secret: [u8; SECRET_BYTES] = hexadecimal(line).ok_or_else(wrong)?;
            Ok(StoreKey::new(secret))
        };
        let keys = lines.map(key).collect::<Result<Vec<_>, Invalid>>()?;
        if keys.is_empty() {
            return Err(Invalid::new("has no key: make one with `openssl rand -hex 32`"));
        }
        Ok(Self(Arc::new(keys)))
    }

    /// The key of new files; none: they are plain.
    pub(super) fn current(&self) -> Option<&StoreKey> {
        self.0.first()
    }

    /// The key of this id.
    pub(super) fn of(&self, id: KeyId) -> Option<&StoreKey> {
        self.0.iter().find(|key| key.id == id)
    }

    pub(super) fn of_bytes(&self, id: [u8; KEY_ID_BYTES]) -> Option<&StoreKey> {
        self.of(KeyId(id))
    }
}

impl fmt::Debug for StoreKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(StoreKey::id)).finish()
    }
}

impl PartialEq for StoreKeys {
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().map(StoreKey::id).eq(other.0.iter().map(StoreKey::id))
    }
}

fn hexadecimal<const N: usize>(text: &str) -> Option<[u8; N]> {
    let pairs = text.as_bytes().as_chunks::<2>();
    if pairs.0.len() != N || !pairs.1.is_empty() || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(pairs.0) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_never_told() {
        let (a, b) = ("0a".repeat(32), "0B".repeat(32));
        let keys = StoreKeys::parse(&format!("# new\n{a}\n\n{b}\n")).expect("two keys");
        let id = keys.current().expect("the first").id();
        assert!(keys.of(id).is_some() && keys.0.len() == 2 && id != keys.0[1].id());
        let told = format!("{keys:?}");
        assert!(!told.contains(&a) && !told.contains(&b.to_lowercase()) && told.contains(&id.to_string()), "{told}");
        assert_eq!(KeyId::try_from(id.to_string()), Ok(id));
        for bad in ["", "# none", &a[1..], &format!("{a}00"), &a.replace('a', "g")] {
            let Invalid(reason) = StoreKeys::parse(bad).expect_err("no key");
            assert!(!reason.contains("0a0a"), "{reason}");
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "0a".repeat(32)).expect("a writable file");
        let set = |mode| std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).expect("own");
        set(0o640);
        assert!(StoreKeys::read(file.path()).expect_err("its group may read it").0.contains("chmod 600"));
        set(0o600);
        StoreKeys::read(file.path()).expect("a key");
    }
}
