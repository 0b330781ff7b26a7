//! DICOM files, from their data sets to a volume, labels or an inventory, in this process.
//!
//! An input is a file, or several of one folder with [`BETWEEN`] between them: slices, and labels beside the images
//! that they were drawn on. Decoders of packed frames panic on damage, and the panic is caught; libFuzzer would end
//! there all the same. Such files are left to the process under limits.

#![no_main]

mod in_a_file;

use std::fs;
use std::path::PathBuf;

use dosegrid::formats::dicom::{Answer, Calibration, Place, Request, Wanted, read};

/// Stands between two files of an input.
const BETWEEN: &[u8] = b"<next file>";
/// Most files of an input.
const MOST_FILES: usize = 8;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let files = split(data);
    if files.len() > MOST_FILES || data.windows(12).any(starts_fragments) {
        return;
    }
    let place = match files.as_slice() {
        [one] => Place::of(&in_a_file::file("dicom", one)),
        several => Place::of(&folder(several)),
    };
    let calibration = Some(Calibration { cps_per_mbq: 10.0, acquisition_seconds: Some(100.0) });
    let wanted = [
        Wanted::AnyVolume,
        Wanted::Activity { calibration },
        Wanted::Labels { grid: None, threshold: Some(0.5) },
        Wanted::Labels { grid: None, threshold: None },
        Wanted::Inventory { calibration: None },
    ];
    for wanted in wanted {
        match read(&Request::new(place.clone(), wanted)) {
            Ok(Answer::Image(image)) => assert_eq!(image.volume.as_slice().len(), image.volume.grid().voxels()),
            Ok(Answer::Labels(labels)) => {
                let voxels = labels.organs.grid().voxels();
                let is_inside = |voxel: &u32| (*voxel as usize) < voxels;
                assert!(labels.organs.organs().iter().all(|organ| organ.voxels().iter().all(is_inside)));
            }
            Ok(Answer::Inventory(_) | Answer::Reference(_) | Answer::Outlines(_)) => {}
            Err(reason) => assert!(reason.0.len() > 10, "{reason}"),
        }
    }
});

/// Whether bytes are the start of Pixel Data of no stated length, with or without a value representation: packed
/// frames. The items of other sequences begin alike, and are read.
fn starts_fragments(bytes: &[u8]) -> bool {
    bytes[..4] == [0xE0, 0x7F, 0x10, 0x00] && (bytes[4..8] == [0xFF; 4] || bytes[8..12] == [0xFF; 4])
}

/// The files of an input.
fn split(mut data: &[u8]) -> Vec<&[u8]> {
    let mut files = Vec::new();
    while let Some(at) = data.windows(BETWEEN.len()).position(|bytes| bytes == BETWEEN) {
        files.push(&data[..at]);
        data = &data[at + BETWEEN.len()..];
    }
    files.push(data);
    files
}

/// Writes files to a folder that holds no other, and gives its path.
fn folder(files: &[&[u8]]) -> PathBuf {
    let path = in_a_file::file("dicom", &[]).with_file_name("series");
    if path.is_dir() {
        fs::remove_dir_all(&path).expect("the folder is this program's");
    }
    fs::create_dir(&path).expect("a folder can be made");
    for (number, data) in files.iter().enumerate() {
        fs::write(path.join(number.to_string()), data).expect("the folder can be written to");
    }
    path
}
