//! A rigid transform of ITK or FSL.

#![no_main]

mod in_a_file;

use dosegrid::domain::VoxelGrid;
use dosegrid::formats::transform;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(file) = transform::read(&in_a_file::file("transform.tfm", data)) {
        let grid = VoxelGrid::new([2, 2, 2], [1.0; 3]).expect("a good grid");
        if let Ok(transform) = file.between(&grid, &grid) {
            assert!(transform.matrix().as_flattened().iter().all(|v| v.is_finite()));
        }
    }
});
