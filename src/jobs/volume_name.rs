//! The names of volumes.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::{Invalid, VolumeRole};

/// Bytes that are hashed at once.
const PIECE_BYTES: usize = 1 << 16;

/// The name of a volume: `sha256:` and 64 lower-case hexadecimal digits if it is named by its content, or `call:` and a
/// name that is used once, if it belongs to one call and nobody else can ask for it. Only the latter costs no digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VolumeName(String);

impl VolumeName {
    /// The name of a volume by its content: little-endian single precision, x fastest, without a header.
    pub fn of_content(values: impl Iterator<Item = f32>) -> Self {
        let (mut digest, mut bytes) = (Sha256::new(), Vec::with_capacity(PIECE_BYTES));
        for value in values {
            bytes.extend_from_slice(&value.to_le_bytes());
            if bytes.len() == PIECE_BYTES {
                digest.update(&bytes);
                bytes.clear();
            }
        }
        digest.update(&bytes);
        let digits: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("sha256:{digits}"))
    }

    /// A name for a volume of one call, which costs no digest.
    ///
    /// * `call` – a number that no other call has
    pub fn of_call(call: u64, role: VolumeRole) -> Self {
        Self(format!("call:{call}/{}", role.field()))
    }
}

impl TryFrom<String> for VolumeName {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        let is_digest =
            |digits: &str| digits.len() == 64 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        let is_good = match text.split_once(':') {
            Some(("sha256", digits)) => is_digest(digits),
            Some(("call", name)) => !name.is_empty(),
            _ => false,
        };
        if is_good { Ok(Self(text)) } else { Err(Invalid::new("is not the name of a volume")) }
    }
}

impl From<VolumeName> for String {
    fn from(name: VolumeName) -> Self {
        name.0
    }
}

impl fmt::Display for VolumeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_digests_or_belong_to_a_call() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for text in [digest.as_str(), "call:7/density"] {
            let name: VolumeName = text.to_owned().try_into().expect("a good name");
            let json = serde_json::to_string(&name).expect("a name is data");
            assert_eq!(serde_json::from_str::<VolumeName>(&json).expect("the same name"), name);
        }
        for text in ["", "density", "call:", "sha256:12", &digest.to_uppercase(), &digest.replace("0a", "0g")] {
            assert!(VolumeName::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn the_same_values_have_the_same_name() {
        // sha256sum of four zero bytes, and of none.
        let zero = "sha256:df3f619804a92fdb4057192dc43dd748ea778adc52bc498ce80524c014b81119";
        assert_eq!(VolumeName::of_content([0.0].into_iter()).to_string(), zero);
        let none = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(VolumeName::of_content(std::iter::empty()).to_string(), none);
        // More than one piece.
        let many = |last| VolumeName::of_content((0..60_000u16).map(f32::from).chain([last]));
        assert_eq!(many(1.0), many(1.0));
        assert_ne!(many(1.0), many(2.0));
    }
}
