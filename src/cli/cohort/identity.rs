//! Pseudonyms: keyed hashes of what names a patient or a study. Without the salt nobody can try names against them.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use crate::domain::Invalid;

/// Name of the file of the salt in the folder of results.
const FILE: &str = "salt";
/// Least bytes of a salt, and those of one that is made.
const LEAST_BYTES: usize = 16;
const MADE_BYTES: usize = 32;
/// Most bytes of a salt.
const MOST_BYTES: u64 = 4096;
/// Bytes of a pseudonym: of 10,000 patients two have the same with a chance of 2e-7.
const PSEUDONYM_BYTES: usize = 6;

/// The secret behind pseudonyms.
pub(super) struct Salt(hmac::Key);

impl Salt {
    /// Of a file.
    pub(super) fn read(path: &Path) -> Result<Self, Invalid> {
        let size = fs::metadata(path).map_err(|error| Invalid::new(format!("cannot be read: {error}")))?.len();
        if size > MOST_BYTES {
            return Err(Invalid::new(format!("has {size} bytes, at most {MOST_BYTES} are taken")));
        }
        let bytes = fs::read(path).map_err(|error| Invalid::new(format!("cannot be read: {error}")))?;
        if bytes.len() < LEAST_BYTES {
            return Err(Invalid::new(format!("has {} bytes, at least {LEAST_BYTES} are needed", bytes.len())));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// Of a folder of results; it is made, for its owner's eyes only, if it is not there.
    pub(super) fn of_folder(folder: &Path) -> Result<Self, Invalid> {
        let path = folder.join(FILE);
        if !path.exists() {
            let mut bytes = [0; MADE_BYTES];
            SystemRandom::new().fill(&mut bytes).map_err(|_| Invalid::new("the system gives no random numbers"))?;
            let cannot = |error: std::io::Error| Invalid::new(format!("{} cannot be written: {error}", path.display()));
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(cannot)?;
            file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(cannot)?;
        }
        Self::read(&path)
    }

    /// The pseudonym of a text.
    ///
    /// * `kind` – a letter that it begins with; texts of different kinds have nothing in common
    pub(super) fn pseudonym(&self, kind: char, text: &str) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(kind.encode_utf8(&mut [0; 4]).as_bytes());
        context.update(&[0]);
        context.update(text.as_bytes());
        let tag = context.sign();
        let digits: String = tag.as_ref()[..PSEUDONYM_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{kind}{digits}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudonyms_depend_on_the_salt_and_the_kind_alone() {
        let [one, other] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        let salt = Salt::of_folder(one.path()).expect("a salt");
        let again = Salt::of_folder(one.path()).expect("the same");
        let name = salt.pseudonym('P', "Doe^Jane");
        assert_eq!((name.len(), again.pseudonym('P', "Doe^Jane")), (13, name.clone()));
        assert_ne!(salt.pseudonym('S', "Doe^Jane")[1..], name[1..]);
        assert_ne!(Salt::of_folder(other.path()).expect("a salt").pseudonym('P', "Doe^Jane"), name);
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(one.path().join(FILE)).expect("written").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(other.path().join("short"), "secret").expect("written");
        assert!(Salt::read(&other.path().join("short")).is_err());
    }
}
