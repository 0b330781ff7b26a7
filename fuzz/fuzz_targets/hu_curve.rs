//! A calibration of CT numbers, as CSV.

#![no_main]

mod in_a_file;

use dosegrid::formats::hu_curve;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(curve) = hu_curve::read(&in_a_file::file("curve.csv", data)) {
        for hu in [-2000.0, -1000.0, 0.0, 0.5, 3000.0] {
            let density = curve.density_g_cm3(hu);
            assert!(density.is_finite() && density >= 0.0, "{density} g/cm³ at {hu} HU");
        }
    }
});
