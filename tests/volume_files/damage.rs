//! Damaged files: read, or refused with a reason, but never a panic, nor memory for what is not there.

use std::fs;
use std::sync::Arc;

use dosegrid::domain::{Volume, VoxelGrid};
use dosegrid::formats::volume_file::{Origin, OutputFormat, read_frames, write_volume};
use dosegrid::formats::{label_names, labels, transform};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{NAMES, folder};
use crate::support::nifti::{INT16, NiftiBytes};

/// Damaged copies of each file.
const COPIES: usize = 400;

/// Bytes of the header, mostly, replaced by others, and now and then the end cut off.
fn damaged(bytes: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let below = |random: &mut ChaCha8Rng, n: usize| random.next_u32() as usize % n.max(1);
    for _ in 0..=below(random, 4) {
        let header = bytes.len().min(400);
        let (at, byte) = (below(random, header), random.next_u32().to_le_bytes()[0]);
        bytes[at] = match byte {
            0..=85 => b'0' + byte % 10,
            86..=127 => 0xff,
            _ => byte,
        };
    }
    if below(random, 8) == 0 {
        bytes.truncate(below(random, bytes.len()));
    }
    bytes
}

#[test]
fn damaged_volumes_are_read_or_refused() {
    let (folder, mut random) = (folder(), ChaCha8Rng::seed_from_u64(11));
    let grid = Arc::new(VoxelGrid::new([4, 3, 2], [1.0, 2.0, 3.0]).expect("a good grid"));
    let volume = Volume::from_vec(grid, vec![1.5f32; 24]).expect("24 values");
    let mut refused = 0;
    for name in NAMES {
        let path = folder.path().join(name);
        write_volume(&path, &volume, "dose", &Origin::default()).expect("a writable folder");
        for file in OutputFormat::of_name(&path).expect("a format").files(&path) {
            let good = fs::read(&file).expect("written");
            for _ in 0..COPIES {
                fs::write(&file, damaged(&good, &mut random)).expect("a writable folder");
                refused += usize::from(read_frames::<f64>(&path).is_err());
            }
            fs::write(&file, good).expect("a writable folder");
        }
    }
    let nifti_2 = NiftiBytes::new([4, 3, 1], [1.0; 3], INT16, &[1.0; 12]).bytes_2();
    for _ in 0..COPIES {
        let path = folder.path().join("nifti_2.nii");
        fs::write(&path, damaged(&nifti_2, &mut random)).expect("a writable folder");
        refused += usize::from(read_frames::<f64>(&path).is_err());
    }
    assert!(refused > COPIES, "{refused} were refused");
}

#[test]
fn damaged_tables_and_transforms_are_read_or_refused() {
    let (folder, mut random) = (folder(), ChaCha8Rng::seed_from_u64(12));
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/resampling");
    let path = folder.path().join("damaged");
    for name in ["euler.mat", "composite.tfm", "flirt.mat"] {
        let good = fs::read(format!("{golden}/{name}")).expect("a golden file");
        for _ in 0..COPIES {
            fs::write(&path, damaged(&good, &mut random)).expect("a writable folder");
            // Either is fine.
            let _ = transform::read(&path);
            let _ = label_names::read(&path);
            let _ = labels::read(std::slice::from_ref(&path));
        }
    }
}
