//! Data that may not be committed.

use std::path::PathBuf;

/// A file of the reference data that may not be committed: in `$DOSEGRID_REFERENCE`, or in `../shared/reference`. A
/// test that needs it is ignored where `build/test_needs.rs` does not find the data.
pub(crate) fn reference(name: &str) -> PathBuf {
    let path = root().join(name);
    assert!(path.exists(), "the reference data `{name}` is absent: set DOSEGRID_REFERENCE, or REQUIRE_REFERENCE=0");
    path
}

/// The folder of the reference data.
pub(super) fn root() -> PathBuf {
    std::env::var_os("DOSEGRID_REFERENCE")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/reference")), PathBuf::from)
}
