//! Digest of the data that the tables of materials are computed from. Part of the build script.

use std::fs;
use std::path::{Path, PathBuf};

/// What tables are computed from, in `data/`: files, and folders of files.
const INPUTS: [&str; 5] = ["elements.csv", "subshells.csv", "electron", "photon", "materials"];

/// Emits `TABLES_DATA_DIGEST`. Not `DOSEGRID_…`: cargo sets it for what it runs, and a server names such a variable as
/// misspelt.
pub(crate) fn emit(data: &Path) {
    let mut digest = Fnv::new();
    for path in INPUTS.iter().flat_map(|input| files(&data.join(input))) {
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // A checkout may have other ends of lines.
        for part in [name, text.replace('\r', "")] {
            digest.update(&(part.len() as u64).to_le_bytes());
            digest.update(part.as_bytes());
        }
    }
    println!("cargo::rustc-env=TABLES_DATA_DIGEST={:016x}", digest.0);
}

/// The files of a folder, sorted; a file itself.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let files = fs::read_dir(path).expect("the folder is part of the source");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a readable folder").path()).collect();
    files.sort();
    files
}

/// FNV-1a of 64 bits: enough to tell that a file was changed.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
