//! The file of a nuclide, as TOML. All are embedded; this guards whoever writes one.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = dosegrid::physics::nuclide::read_file("Lu-177", text);
});
