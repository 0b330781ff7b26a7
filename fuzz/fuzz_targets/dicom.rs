//! A DICOM file, from its data set to a volume, labels or an inventory, in this process.
//!
//! Decoders of packed frames panic on damage, and the panic is caught; libFuzzer would end there all the same. Such
//! files are left to the process under limits.

#![no_main]

mod in_a_file;

use dosegrid::formats::dicom::{Answer, Place, Request, Wanted, read};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // The start of a sequence of fragments.
    if data.windows(4).any(|bytes| bytes == [0xFE, 0xFF, 0x00, 0xE0]) {
        return;
    }
    let place = Place::of(&in_a_file::file("dicom", data));
    let wanted = [
        Wanted::AnyVolume,
        Wanted::Activity { calibration: None },
        Wanted::Labels { grid: None, threshold: Some(0.5) },
        Wanted::Inventory { calibration: None },
    ];
    for wanted in wanted {
        if let Ok(Answer::Image(image)) = read(&Request::new(place.clone(), wanted)) {
            assert_eq!(image.volume.as_slice().len(), image.volume.grid().voxels());
        }
    }
});
