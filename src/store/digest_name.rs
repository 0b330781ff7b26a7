//! The name of a volume: the digest of its bytes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::domain::Invalid;

const PREFIX: &str = "sha256:";

/// A volume's name: `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VolumeDigest([u8; 32]);

impl VolumeDigest {
    /// The name of the bytes that were hashed.
    pub fn of(digest: Digest) -> Self {
        Self(digest.bytes())
    }

    /// The name of some bytes.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let mut digest = Digest::new();
        digest.update(bytes);
        Self::of(digest)
    }

    /// # Errors
    /// If the text has another form. It is not repeated.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("is not `sha256:` and 64 lower-case hexadecimal digits");
        let digits = text.strip_prefix(PREFIX).filter(|digits| digits.len() == 64).ok_or_else(wrong)?;
        if !digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().as_chunks::<2>().0) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }

    /// Its 64 digits: the name of its file.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for VolumeDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.hex())
    }
}

impl fmt::Debug for VolumeDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for VolumeDigest {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<VolumeDigest> for String {
    fn from(digest: VolumeDigest) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_form() {
        let good = format!("{PREFIX}{}", "0a".repeat(32));
        assert_eq!(VolumeDigest::parse(&good).expect("a good name").to_string(), good);
        let long = format!("{good}0");
        for bad in ["", "sha256:", &good[7..], &good.to_uppercase(), &good.replace("0a", "0g"), &long, "sha256:../../x"]
        {
            let Invalid(reason) = VolumeDigest::parse(bad).expect_err(bad);
            assert!(bad.is_empty() || !reason.contains("0a0a") && !reason.contains(".."), "{reason}");
        }
    }
}
