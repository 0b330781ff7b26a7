//! NIfTI-1 in every good form and in many broken ones.

use std::fs;
use std::sync::Arc;

use dosegrid::domain::{Invalid, Volume, VoxelGrid};
use dosegrid::formats::nifti::{self, NiftiFile, Placement};

use crate::support::nifti::{FLOAT32, FLOAT64, INT16, NiftiBytes, UINT8, gzip};

mod outputs;
mod tables;

const SHAPE: [i16; 3] = [2, 3, 1];
const SPACING: [f32; 3] = [2.0, 2.5, 4.0];
const VALUES: [f64; 6] = [0.0, 1.0, 2.0, 100.0, 200.0, 255.0];

fn good() -> NiftiBytes {
    NiftiBytes::new(SHAPE, SPACING, INT16, &VALUES)
}

fn read_bytes(bytes: &[u8]) -> Result<NiftiFile, Invalid> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("volume.nii");
    fs::write(&path, bytes).expect("a writable folder");
    nifti::read(&path)
}

#[expect(clippy::cast_possible_truncation, reason = "the precision in which volumes are read")]
fn single(value: f64) -> f32 {
    value as f32
}

fn grid_of(file: &NiftiBytes) -> Arc<VoxelGrid> {
    read_bytes(&file.bytes()).expect("a good file").volume.grid().clone()
}

#[test]
fn every_type_order_and_scaling_gives_the_same_values() {
    for datatype in [UINT8, INT16, FLOAT32, FLOAT64] {
        for big in [false, true] {
            for (scl, factor, offset) in
                [([0.0, 7.0], 1.0, 0.0), ([1.0, 0.0], 1.0, 0.0), ([0.5, -3.0], 0.5, -3.0), ([-2.0, 0.25], -2.0, 0.25)]
            {
                let mut file = NiftiBytes::with_order(SHAPE, SPACING, datatype, &VALUES, big);
                file.scl = scl;
                for bytes in [file.bytes(), gzip(&file.bytes())] {
                    let read = read_bytes(&bytes).expect("a good file");
                    let expected = VALUES.map(|v| single(v * factor + offset));
                    assert_eq!(read.volume.as_slice(), expected, "{datatype} big-endian {big} {scl:?}");
                    assert_eq!(read.volume.grid().shape(), [2, 3, 1]);
                    assert_eq!(read.volume.grid().spacing_mm(), [2.0, 2.5, 4.0]);
                }
            }
        }
    }
}

#[test]
fn negative_and_fractional_values_are_kept() {
    let values = [-1024.0, -700.5, -1e-3, 3071.25, 1e10, 0.0];
    let read = read_bytes(&NiftiBytes::new(SHAPE, SPACING, FLOAT64, &values).bytes()).expect("a good file");
    assert_eq!(read.volume.as_slice(), values.map(single));
    let read =
        read_bytes(&NiftiBytes::new(SHAPE, SPACING, INT16, &[-32768.0, 32767.0, -1.0, 0.0, 1.0, -1024.0]).bytes());
    assert_eq!(read.expect("a good file").volume.as_slice()[..3], [-32768.0, 32767.0, -1.0]);
}

#[test]
fn the_place_comes_from_sform_then_qform_then_voxel_sizes() {
    let mut file = good();
    file.srow = [[-2.0, 0.0, 0.0, 50.0], [0.0, 2.5, 0.0, -60.0], [0.0, 0.0, -4.0, 70.0]];
    // A half turn about y, as many scanners write it: x and z are flipped.
    file.quatern_and_offset = [0.0, 1.0, 0.0, 9.0, 8.0, 7.0];
    file.form_codes = [1, 2];
    let read = read_bytes(&file.bytes()).expect("a good file");
    assert_eq!(read.header.placement, Placement::Sform);
    assert_eq!(read.volume.grid().affine(), &[[-2.0, 0.0, 0.0, 50.0], [0.0, 2.5, 0.0, -60.0], [0.0, 0.0, -4.0, 70.0]]);
    file.form_codes = [1, 0];
    let read = read_bytes(&file.bytes()).expect("a good file");
    assert_eq!(read.header.placement, Placement::Qform);
    assert_eq!(read.volume.grid().affine(), &[[-2.0, 0.0, 0.0, 9.0], [0.0, 2.5, 0.0, 8.0], [0.0, 0.0, -4.0, 7.0]]);
    file.pixdim[0] = -1.0;
    assert_eq!(grid_of(&file).affine()[2], [0.0, 0.0, 4.0, 7.0], "qfac mirrors z");
    file.form_codes = [0, 0];
    let read = read_bytes(&file.bytes()).expect("a good file");
    assert_eq!(read.header.placement, Placement::VoxelSizes);
    assert_eq!(read.volume.grid().affine(), &[[2.0, 0.0, 0.0, 0.0], [0.0, 2.5, 0.0, 0.0], [0.0, 0.0, 4.0, 0.0]]);
}

#[test]
fn lengths_become_millimetres() {
    let mut file = good();
    file.srow[0][3] = 10.0;
    file.xyzt_units = 0;
    let mm = grid_of(&file);
    for (unit, factor) in [(1, 1e-3f32), (3, 1e3)] {
        let mut scaled = file.clone();
        scaled.xyzt_units = unit | 8; // seconds beside the unit of length
        (1..4).for_each(|axis| scaled.pixdim[axis] *= factor);
        scaled.srow.iter_mut().flatten().for_each(|v| *v *= factor);
        mm.check_same(&grid_of(&scaled)).expect("the same grid in another unit");
        assert!((grid_of(&scaled).spacing_mm()[1] - 2.5).abs() < 1e-6);
    }
}

#[test]
fn axes_of_one_voxel_and_extensions_are_taken() {
    let mut file = good();
    for dim in
        [[4, 2, 3, 1, 1, 1, 1, 1], [5, 2, 3, 1, 1, 1, 1, 1], [2, 2, 3, 99, 99, 1, 1, 1], [7, 2, 3, 1, 1, 1, 1, 1]]
    {
        file.dim = dim;
        assert_eq!(grid_of(&file).shape(), [2, 3, 1], "{dim:?}");
    }
    let mut file = good();
    file.extension = vec![7; 48];
    file.vox_offset = 400.0;
    assert_eq!(read_bytes(&file.bytes()).expect("a good file").volume.as_slice()[3], 100.0);
    let one = NiftiBytes::new([1, 1, 1], SPACING, FLOAT32, &[42.0]);
    assert_eq!(read_bytes(&one.bytes()).expect("a good file").volume.as_slice(), [42.0]);
}

/// A good file changed by `change`.
fn broken(change: impl FnOnce(&mut NiftiBytes)) -> Vec<u8> {
    let mut file = good();
    change(&mut file);
    file.bytes()
}

/// Headers that are wrong: what is wrong, the file, and a word of the reason.
fn broken_headers() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    vec![
        ("sizeof_hdr is another", broken(|f| f.sizeof_hdr = 349), "sizeof_hdr"),
        ("NIfTI-2", broken(|f| f.sizeof_hdr = 540), "NIfTI-2"),
        ("magic is missing", broken(|f| f.magic = [0; 4]), "magic"),
        ("half of a pair", broken(|f| f.magic = *b"ni1\0"), ".img"),
        ("no dimension", broken(|f| f.dim[0] = 0), "dim[0]"),
        ("8 dimensions", broken(|f| f.dim[0] = 8), "dim[0]"),
        ("negative number of dimensions", broken(|f| f.dim[0] = -3), "dim[0]"),
        ("an empty axis", broken(|f| f.dim[2] = 0), "dim[2] must be at least 1, got 0"),
        ("a negative axis", broken(|f| f.dim[1] = -2), "dim[1] must be at least 1, got -2"),
        ("a series", broken(|f| f.dim = [4, 2, 3, 1, 5, 1, 1, 1]), "not a series"),
        ("a vector in dim[5]", broken(|f| f.dim = [5, 2, 3, 1, 1, 3, 1, 1]), "not a series"),
        ("too many voxels to be true", broken(|f| f.dim = [3, 32767, 32767, 32767, 1, 1, 1, 1]), "at most"),
        ("more voxels than the file", broken(|f| f.dim = [3, 1024, 1024, 1024, 1, 1, 1, 1]), "shorter than its header"),
        ("one voxel more than the file", broken(|f| f.dim[1] = 3), "shorter than its header"),
        ("fewer voxels than the file", broken(|f| f.dim[2] = 2), "longer than its header"),
        ("int32", broken(|f| (f.datatype, f.bitpix) = (8, 32)), "int32"),
        ("uint16", broken(|f| (f.datatype, f.bitpix) = (512, 16)), "uint16"),
        ("colours", broken(|f| (f.datatype, f.bitpix) = (128, 24)), "rgb24"),
        ("complex", broken(|f| (f.datatype, f.bitpix) = (32, 64)), "complex64"),
        ("no type of the standard", broken(|f| f.datatype = 3), "datatype 3"),
        ("bitpix of another type", broken(|f| f.bitpix = 32), "bitpix is 32"),
        ("negative bitpix", broken(|f| f.bitpix = -16), "bitpix is -16"),
        ("vox_offset within the header", broken(|f| f.vox_offset = 348.0), "vox_offset"),
        ("negative vox_offset", broken(|f| f.vox_offset = -352.0), "vox_offset"),
        ("vox_offset past the end", broken(|f| f.vox_offset = 1e6), "vox_offset"),
        ("vox_offset of an exabyte", broken(|f| f.vox_offset = 1e18), "vox_offset"),
        ("vox_offset that is no number", broken(|f| f.vox_offset = f32::NAN), "vox_offset"),
        ("fractional vox_offset", broken(|f| f.vox_offset = 352.5), "vox_offset"),
        ("slope that is no number", broken(|f| f.scl = [f32::NAN, 0.0]), "scl_slope"),
        ("infinite slope", broken(|f| f.scl = [f32::INFINITY, 0.0]), "scl_slope"),
        ("intercept that is no number", broken(|f| f.scl = [2.0, f32::NAN]), "scl_inter"),
        ("voxel size 0", broken(|f| f.pixdim[3] = 0.0), "pixdim"),
        ("negative voxel size", broken(|f| f.pixdim[1] = -2.0), "pixdim"),
        ("voxel size that is no number", broken(|f| f.pixdim[2] = f32::NAN), "pixdim"),
        ("voxels of 3 m", broken(|f| f.pixdim[2] = 3000.0), "pixdim"),
        ("unit that is not in the standard", broken(|f| f.xyzt_units = 5), "xyzt_units"),
        ("sform that is not finite", broken(|f| f.srow[1][3] = f32::NAN), "srow"),
        ("sform that cannot be inverted", broken(|f| f.srow[2] = [0.0; 4]), "srow"),
        ("sform of other voxel sizes", broken(|f| f.srow[0][0] = 3.0), "srow"),
        ("sheared sform", broken(|f| f.srow[0][2] = 2.0), "srow"),
        ("qform that is no rotation", broken(|f| (f.form_codes, f.quatern_and_offset[0]) = ([1, 0], 1.5)), "quatern"),
    ]
}

/// Files that end early, go on too long, or are something else.
fn broken_streams() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let bytes = good().bytes();
    let compressed = gzip(&bytes);
    let mut bad_checksum = compressed.clone();
    let crc = bad_checksum.len() - 8;
    bad_checksum[crc] ^= 1;
    let mut bad_length = compressed.clone();
    *bad_length.last_mut().expect("a gzip file has bytes") ^= 1;
    let mut long = bytes.clone();
    long.push(0);
    // Random voxels do not compress, so cutting them cuts the deflate stream itself.
    let noise: Vec<f64> = (0..30_000u32).map(|i| f64::from(i.wrapping_mul(2_654_435_761) >> 8)).collect();
    let noise = gzip(&NiftiBytes::new([30, 10, 100], SPACING, FLOAT32, &noise).bytes());
    let lying = gzip(&broken(|f| f.dim = [3, 512, 512, 512, 1, 1, 1, 1]));
    vec![
        ("empty", Vec::new(), "ends within the header"),
        ("one byte", vec![0x1f], "ends within the header"),
        ("part of a header", bytes[..200].to_vec(), "ends within the header"),
        ("header alone", bytes[..348].to_vec(), "shorter than its header"),
        ("one byte short", bytes[..bytes.len() - 1].to_vec(), "shorter than its header"),
        ("one byte long", long.clone(), "longer than its header"),
        ("text", b"activity,".repeat(60), "sizeof_hdr"),
        ("gzip of nothing", gzip(&[]), "ends within the header"),
        ("gzip of part of a header", gzip(&bytes[..100]), "ends within the header"),
        ("gzip of one byte short", gzip(&bytes[..bytes.len() - 1]), "cut short"),
        ("gzip of one byte long", gzip(&long), "longer than its header"),
        ("gzip of a header that lies", lying, "shorter than its header"),
        ("gzip cut in its header", compressed[..5].to_vec(), "header"),
        ("gzip without its end", compressed[..compressed.len() - 8].to_vec(), "after the last voxel"),
        ("gzip with a wrong checksum", bad_checksum, "after the last voxel"),
        ("gzip with a wrong length", bad_length, "after the last voxel"),
        ("gzip cut in the middle", noise[..noise.len() / 2].to_vec(), "cut short"),
        ("gzip with junk behind", [compressed.clone(), b"junk".to_vec()].concat(), "after the last voxel"),
        ("gzip that is none", [&[0x1f, 0x8b][..], &[0xff; 400]].concat(), "cannot be read"),
    ]
}

#[test]
fn broken_files_are_refused_with_their_reason() {
    let cases: Vec<_> = broken_headers().into_iter().chain(broken_streams()).collect();
    assert!(cases.len() >= 50);
    for (what, bytes, word) in cases {
        match read_bytes(&bytes) {
            Ok(_) => panic!("{what}: was read"),
            Err(Invalid(reason)) => assert!(reason.contains(word), "{what}: {reason}"),
        }
    }
}

#[test]
fn compressed_headers_that_lie_by_less_end_early() {
    // 4 KB of zeros compress to some 30 bytes. The length of the file does not show that the header promises ten times
    // as much, but its end does.
    let mut file = NiftiBytes::new([16, 16, 16], SPACING, UINT8, &[0.0; 4096]);
    file.dim[3] = 160;
    let Invalid(reason) = read_bytes(&gzip(&file.bytes())).expect_err("most voxels are missing");
    assert!(reason.contains("cut short"), "{reason}");
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Invalid(reason) = nifti::read(&folder.path().join("absent.nii")).expect_err("no such file");
    assert!(reason.contains("cannot be opened"), "{reason}");
    let Invalid(reason) = nifti::read(folder.path()).expect_err("a folder");
    assert!(reason.contains("regular file"), "{reason}");
}

/// An oblique, left-handed grid.
fn oblique() -> Arc<VoxelGrid> {
    let (sin, cos) = 0.3f64.sin_cos();
    let affine = [[-2.0 * cos, 2.5 * sin, 0.0, 11.0], [2.0 * sin, 2.5 * cos, 0.0, -12.0], [0.0, 0.0, 4.0, 13.0]];
    let grid = VoxelGrid::new([3, 2, 2], [2.0, 2.5, 4.0]).expect("a good grid");
    Arc::new(grid.with_affine(affine).expect("a good affine"))
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let values: Vec<f32> = (0..12).map(|i| (i as f32).exp() - 1.0).collect();
    let volume = Volume::from_vec(oblique(), values).expect("12 values");
    for name in ["dose.nii", "dose.nii.gz"] {
        let path = folder.path().join(name);
        nifti::write(&path, &volume, "absorbed dose [Gy]").expect("a writable folder");
        let read = nifti::read(&path).expect("a good file");
        assert_eq!(read.volume.as_slice(), volume.as_slice());
        assert_eq!((read.header.placement, read.header.element.name()), (Placement::Sform, "float32"));
        volume.grid().check_same(read.volume.grid()).expect("the same grid");
        let again = folder.path().join("again").with_extension(if name.ends_with("gz") { "nii.gz" } else { "nii" });
        nifti::write(&again, &volume, "absorbed dose [Gy]").expect("a writable folder");
        assert_eq!(fs::read(&path).expect("written"), fs::read(&again).expect("written"), "same bytes");
    }
}

#[test]
fn sform_and_qform_of_what_is_written_agree() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("dose.nii");
    let volume = Volume::from_vec(oblique(), vec![1.0; 12]).expect("12 values");
    nifti::write(&path, &volume, "").expect("a writable folder");
    let mut bytes = fs::read(&path).expect("written");
    assert_eq!((bytes[123], &bytes[252..256]), (2, &[1, 0, 1, 0][..]), "mm; both codes: scanner");
    bytes[254] = 0; // no sform
    let read = read_bytes(&bytes).expect("a good file");
    assert_eq!(read.header.placement, Placement::Qform);
    for (row, expected) in read.volume.grid().affine().iter().zip(volume.grid().affine()) {
        for (a, b) in row.iter().zip(expected) {
            assert!((a - b).abs() < 1e-5, "{row:?} {expected:?}");
        }
    }
}

#[test]
fn an_axis_too_long_for_the_format_is_not_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let grid = Arc::new(VoxelGrid::new([40_000, 1, 1], [1.0; 3]).expect("a good grid"));
    let volume = Volume::from_vec(grid, vec![0.0; 40_000]).expect("40000 values");
    let error = nifti::write(&folder.path().join("dose.nii"), &volume, "").expect_err("dim is 16 bits");
    assert!(error.to_string().contains("32767"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}
