//! SHA-256 digests: what data a result was made from, and whether a file is whole.

use sha2::{Digest as _, Sha256};

/// A digest of bytes that arrive piece by piece.
#[derive(Clone, Debug, Default)]
pub struct Digest(Sha256);

impl Digest {
    /// Of no bytes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends bytes. How they are cut into pieces does not matter.
    pub fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes);
    }

    /// The 32 bytes of the digest.
    pub fn bytes(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    /// The digest as 64 lower-case hexadecimal digits.
    pub fn hex(self) -> String {
        self.bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The digest of some bytes as 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    let mut digest = Digest::new();
    digest.update(bytes);
    digest.hex()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standard() {
        // Source: NIST, FIPS 180-4, example for one block.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let mut pieces = Digest::new();
        ["a", "", "bc"].iter().for_each(|piece| pieces.update(piece));
        assert_eq!((sha256_hex("abc").as_str(), pieces.hex().as_str()), (expected, expected));
    }
}
