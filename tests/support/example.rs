//! The programs in `examples/`, which `cargo test` builds, and the cases that one of them answers.

use std::path::PathBuf;

use super::reference::root;

/// Where a built example is.
pub(crate) fn built_example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("target/<profile>/deps");
    profile.join("examples").join(name)
}

/// The folder of cases of time integration, beside the reference data.
pub(crate) fn clinic_cases() -> PathBuf {
    let path = root().with_file_name("cases-clinic");
    assert!(path.exists(), "the cases are absent: they lie beside DOSEGRID_REFERENCE; or set REQUIRE_REFERENCE=0");
    path
}
