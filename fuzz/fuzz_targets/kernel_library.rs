//! A library of point kernels.

#![no_main]

use dosegrid::physics::kernel::library::KernelLibrary;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(library) = KernelLibrary::from_bytes(data) {
        assert!(!library.electrons.kernels().is_empty());
    }
});
