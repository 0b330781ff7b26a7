//! A material, and a table of materials, as TOML.

#![no_main]

mod in_a_file;

use dosegrid::formats::materials;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let path = in_a_file::file("material.toml", data);
    if let Ok(material) = materials::read(&path) {
        assert!(material.nominal_density_g_cm3() > 0.0);
    }
    let _ = materials::read_table(&path);
});
