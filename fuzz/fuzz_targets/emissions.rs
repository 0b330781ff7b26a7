//! An emission spectrum, as CSV.

#![no_main]

mod in_a_file;

use dosegrid::formats::emissions;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(spectrum) = emissions::read(&in_a_file::file("emissions.csv", data)) {
        assert!(spectrum.total_mev().is_finite() && spectrum.total_mev() > 0.0);
    }
});
