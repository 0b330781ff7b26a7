//! A volume, `.nii` or `.nii.gz`.

#![no_main]

mod in_a_file;

use dosegrid::formats::nifti;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(file) = nifti::read(&in_a_file::file("volume.nii.gz", data)) {
        assert_eq!(file.volume.as_slice().len(), file.volume.grid().voxels());
    }
});
