//! Names of labels, as CSV.

#![no_main]

mod in_a_file;

use dosegrid::formats::label_names;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(names) = label_names::read(&in_a_file::file("names.csv", data)) {
        assert!(names.values().all(|name| !name.is_empty()));
    }
});
