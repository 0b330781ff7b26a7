//! The name of a nuclide as people write it.

#![no_main]

use dosegrid::physics::nuclide;

libfuzzer_sys::fuzz_target!(|name: &str| {
    if let Ok(found) = nuclide::find(name) {
        assert!(nuclide::named(&found.name).is_some());
    }
});
