//! A volume of any format, told by its first bytes, and the organs in it.

#![no_main]

mod in_a_file;

use dosegrid::formats::{labels, volume_file};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let path = in_a_file::file("volume", data);
    if let Ok(file) = volume_file::read_frames::<f32>(&path) {
        let voxels = file.header.grid.voxels();
        assert!(!file.frames.is_empty() && file.frames.iter().all(|frame| frame.as_slice().len() == voxels));
        let _ = labels::read(&[path]);
    }
});
