//! Volumes in every format: what one writes another must read, and what is not understood is refused by name.

mod damage;
mod labels;
mod text_headers;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dosegrid::domain::{Invalid, Volume, VoxelGrid};
use dosegrid::formats::volume_file::{
    LengthUnit, Origin, OutputFormat, Placement, read_frames, read_volume, read_volume_as, write_volume,
};
use tempfile::TempDir;

use crate::support::nifti::{
    FLOAT32, FLOAT64, INT8, INT16, INT32, INT64, NiftiBytes, UINT8, UINT16, UINT32, UINT64, gzip,
};

const SHAPE: [i16; 3] = [2, 3, 1];
const SPACING: [f32; 3] = [2.0, 2.5, 4.0];
const VALUES: [f64; 6] = [0.0, 1.0, 2.0, 100.0, 101.0, 127.0];
const NAMES: [&str; 6] = ["dose.nii", "dose.nii.gz", "dose.nrrd", "dose.nhdr", "dose.mha", "dose.mhd"];

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn write(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).expect("a writable folder");
    path
}

fn refused(path: &Path) -> String {
    let Invalid(reason) = read_volume(path).expect_err("it should be refused");
    reason
}

#[test]
fn every_type_of_nifti_is_read_in_both_byte_orders_and_versions() {
    let folder = folder();
    for datatype in [INT8, UINT8, INT16, UINT16, INT32, UINT32, INT64, UINT64, FLOAT32, FLOAT64] {
        for big in [false, true] {
            let file = NiftiBytes::with_order(SHAPE, SPACING, datatype, &VALUES, big);
            for bytes in [file.bytes(), file.bytes_2(), gzip(&file.bytes_2())] {
                let read = read_volume_as::<f64>(&write(&folder, "volume", &bytes)).expect("a good file");
                assert_eq!(read.volume.as_slice(), VALUES, "{datatype} {big} {}", read.header.format);
                assert_eq!(read.header.grid.affine()[1], [0.0, 2.5, 0.0, 0.0]);
                assert!(read.warnings.is_empty());
            }
        }
    }
}

#[test]
fn large_whole_numbers_are_exact_in_double_precision() {
    let values = [16_777_217.0, 2_147_483_647.0, -2_147_483_648.0, 0.0, 1.0, 2.0];
    let path = write(&folder_kept(), "volume.nii", &NiftiBytes::new(SHAPE, SPACING, INT32, &values).bytes());
    assert_eq!(read_volume_as::<f64>(&path).expect("a good file").volume.as_slice(), values);
}

/// A folder that stays until the tests end.
fn folder_kept() -> TempDir {
    let mut folder = folder();
    folder.disable_cleanup(true);
    folder
}

#[test]
fn slopes_that_are_no_number_or_zero_mean_none() {
    let folder = folder();
    for scl in [[f32::NAN, f32::NAN], [0.0, 5.0], [f32::NAN, 3.0]] {
        let mut file = NiftiBytes::new(SHAPE, SPACING, UINT8, &VALUES);
        file.scl = scl;
        let read = read_volume_as::<f64>(&write(&folder, "volume.nii", &file.bytes())).expect("a good file");
        assert_eq!((read.volume.as_slice(), read.header.scaling), (&VALUES[..], None), "{scl:?}");
    }
}

#[test]
fn pairs_are_read_from_either_half_packed_or_not() {
    let mut file = NiftiBytes::new(SHAPE, SPACING, INT16, &VALUES);
    file.magic = *b"ni1\0";
    file.vox_offset = 0.0;
    let (voxels, nifti_1) = (file.voxels.clone(), NiftiBytes { voxels: Vec::new(), ..file.clone() });
    let headers = [nifti_1.bytes()[..348].to_vec(), file.bytes_2()];
    for header in headers {
        for (end, bytes, image) in [("", header.clone(), voxels.clone()), (".gz", gzip(&header), gzip(&voxels))] {
            let folder = folder();
            let header = write(&folder, &format!("pair.hdr{end}"), &bytes);
            assert!(refused(&header).contains("`pair.img` is not beside it"));
            let image = write(&folder, &format!("pair.img{end}"), &image);
            for path in [&header, &image] {
                assert_eq!(read_volume_as::<f64>(path).expect("a good pair").volume.as_slice(), VALUES);
            }
            fs::write(&image, &voxels[..voxels.len() - 1]).expect("a writable folder");
            assert!(refused(&header).contains("`pair.img"));
            fs::remove_file(&header).expect("a writable folder");
            assert!(refused(&image).contains("its header `pair.hdr` is not beside it"));
        }
    }
}

#[test]
fn codes_units_and_qform_come_back_as_they_were() {
    let folder = folder();
    for (codes, unit) in [([0, 0], 2u8), ([1, 1], 2), ([0, 4], 3), ([2, 0], 2), ([1, 4], 0), ([3, 2], 1)] {
        let mut file = NiftiBytes::new(SHAPE, SPACING, FLOAT32, &VALUES);
        (file.form_codes, file.xyzt_units) = (codes, unit);
        file.srow = [[-2.0, 0.0, 0.0, 50.0], [0.0, 2.5, 0.0, -60.0], [0.0, 0.0, -4.0, 70.0]];
        // A half turn about y: the place of the sform.
        file.quatern_and_offset = [0.0, 1.0, 0.0, 50.0, -60.0, 70.0];
        let scale = [1.0, 1e-3, 1.0, 1e3][usize::from(unit)];
        file.pixdim[1..4].iter_mut().for_each(|v| *v *= scale);
        file.srow.iter_mut().flatten().for_each(|v| *v *= scale);
        file.quatern_and_offset[3..].iter_mut().for_each(|v| *v *= scale);
        let bytes = file.bytes();
        let read = read_volume(&write(&folder, "input.nii", &bytes)).expect("a good file");
        assert!(read.warnings.is_empty(), "{:?}", read.warnings);
        let path = folder.path().join("output.nii");
        write_volume(&path, &read.volume, "", &read.header.origin).expect("a writable folder");
        let written = fs::read(&path).expect("written");
        assert_eq!((&written[252..256], written[123]), (&bytes[252..256], unit), "codes and unit");
        let again = read_volume(&path).expect("a good file");
        assert_eq!(again.header.origin.unit.mm(), read.header.origin.unit.mm());
        read.header.grid.check_same(&again.header.grid).expect("the same place");
        if codes == [0, 0] {
            assert!(written[256..328].iter().all(|byte| *byte == 0), "no place is invented");
            assert!(!read.header.origin.is_placed() && read.header.placement == Placement::VoxelSizes);
        }
    }
}

#[test]
fn an_sform_unlike_the_qform_is_warned_of_and_both_are_kept() {
    let folder = folder();
    let mut file = NiftiBytes::new(SHAPE, SPACING, FLOAT32, &VALUES);
    file.form_codes = [1, 2];
    file.quatern_and_offset = [0.0, 0.0, 0.0, 0.0, 3.0, 0.0];
    let read = read_volume(&write(&folder, "input.nii", &file.bytes())).expect("a good file");
    assert_eq!(read.warnings.len(), 1, "{:?}", read.warnings);
    assert!(read.warnings[0].contains("sform and qform") && read.warnings[0].contains("3.0 mm"), "{:?}", read.warnings);
    let path = folder.path().join("output.nii");
    write_volume(&path, &read.volume, "", &read.header.origin).expect("a writable folder");
    assert_eq!(fs::read(&path).expect("written")[256..328], file.bytes()[256..328], "quaternion, offsets and matrix");
    file.quatern_and_offset[4] = 0.1;
    assert!(read_volume(&write(&folder, "input.nii", &file.bytes())).expect("a good file").warnings.is_empty());
}

#[test]
fn one_frame_is_a_volume_and_several_are_a_stack() {
    let folder = folder();
    let mut file =
        NiftiBytes::new([2, 3, 2], SPACING, FLOAT32, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0]);
    file.dim = [4, 2, 3, 2, 1, 1, 1, 1];
    let path = write(&folder, "volume.nii", &file.bytes());
    assert_eq!(read_volume(&path).expect("one volume").volume.as_slice()[11], 12.0);
    file.dim = [4, 2, 3, 1, 2, 1, 1, 1];
    let path = write(&folder, "volume.nii", &file.bytes());
    assert!(refused(&path).contains("holds 2 volumes"));
    let frames = read_frames::<f32>(&path).expect("a stack").frames;
    assert_eq!((frames.len(), frames[1].as_slice()), (2, &[7.0, 8.0, 9.0, 10.0, 11.0, 12.0][..]));
}

/// An oblique, left-handed grid.
fn oblique() -> Arc<VoxelGrid> {
    let (sin, cos) = 0.3f64.sin_cos();
    let affine = [[-2.0 * cos, 2.5 * sin, 0.0, 11.0], [2.0 * sin, 2.5 * cos, 0.0, -12.0], [0.0, 0.0, 4.0, 13.0]];
    let grid = VoxelGrid::new([3, 2, 2], [2.0, 2.5, 4.0]).and_then(|grid| grid.with_affine(affine));
    Arc::new(grid.expect("a good grid"))
}

#[test]
fn what_is_written_in_any_format_and_type_is_read_back() {
    let folder = folder();
    let values: Vec<f32> = (0..12u8).map(|i| f32::from(i).exp() - 1.0).collect();
    let doses = Volume::from_vec(oblique(), values).expect("12 values");
    let labels = doses.map(|&v| if v > 100.0 { 65535u16 } else { 3 });
    for name in NAMES {
        let path = folder.path().join(name);
        write_volume(&path, &doses, "absorbed dose [Gy]", &Origin::default()).expect("a writable folder");
        let files = OutputFormat::of_name(&path).expect("a format").files(&path);
        assert!(files.iter().all(|file| file.is_file()));
        let read = read_volume(&path).expect("a good file");
        assert_eq!((read.volume.as_slice(), read.header.element.name()), (doses.as_slice(), "float32"), "{name}");
        for (row, expected) in read.header.grid.affine().iter().zip(oblique().affine()) {
            assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{name}: {row:?} {expected:?}");
        }
        let first: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).expect("written")).collect();
        write_volume(&path, &doses, "absorbed dose [Gy]", &Origin::default()).expect("a writable folder");
        assert!(files.iter().zip(first).all(|(file, bytes)| fs::read(file).expect("written") == bytes), "same bytes");
        write_volume(&path, &labels, "labels", &Origin::default()).expect("a writable folder");
        let read = read_volume(&path).expect("a good file");
        assert_eq!((read.volume.as_slice()[11], read.header.element.name()), (65535.0, "uint16"), "{name}");
    }
    let bad = write_volume(&folder.path().join("dose.dcm"), &doses, "", &Origin::default());
    assert!(bad.expect_err("no such format").to_string().contains(".nrrd"));
}

#[test]
fn a_place_that_is_unknown_stays_so() {
    let folder = folder();
    let grid = Arc::new(VoxelGrid::new([2, 2, 1], [2.0, 3.0, 4.0]).expect("a good grid"));
    let volume = Volume::from_vec(grid, vec![1.0f32; 4]).expect("four values");
    let mut file = NiftiBytes::new([2, 2, 1], [2.0, 3.0, 4.0], FLOAT32, &[1.0; 4]);
    file.form_codes = [0, 0];
    let origin = read_volume(&write(&folder, "input.nii", &file.bytes())).expect("a good file").header.origin;
    for name in ["dose.nii", "dose.nrrd"] {
        let path = folder.path().join(name);
        write_volume(&path, &volume, "", &origin).expect("a writable folder");
        let header = read_volume(&path).expect("a good file").header;
        assert_eq!((header.placement, header.origin.is_placed()), (Placement::VoxelSizes, false), "{name}");
        assert_eq!(header.grid.spacing_mm(), [2.0, 3.0, 4.0]);
    }
    // MetaImage cannot leave it open: what ITK takes for it.
    let path = folder.path().join("dose.mha");
    write_volume(&path, &volume, "", &origin).expect("a writable folder");
    let text = String::from_utf8_lossy(&fs::read(&path).expect("written")).into_owned();
    assert!(text.contains("TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\n"), "{text}");
    assert_eq!(LengthUnit::Micrometre.mm(), 1e-3);
}

#[test]
fn what_is_not_read_is_refused_by_name_with_what_to_do() {
    let folder = folder();
    let mut analyze = NiftiBytes::new(SHAPE, SPACING, INT16, &VALUES);
    analyze.magic = [0; 4];
    let mut dicom = vec![0; 200];
    dicom[128..132].copy_from_slice(b"DICM");
    for (name, bytes, words) in [
        ("old.hdr", analyze.bytes(), &["Analyze 7.5", "convert"][..]),
        ("slice.dcm", dicom.clone(), &["damaged DICOM file"]),
        ("a.mnc", b"\x89HDF\r\n\x1a\n".repeat(20), &["HDF5", "mnc2nii"]),
        ("a.mgz", gzip(&[0, 0, 0, 1, 0, 0, 0, 2].repeat(50)), &["MGH", "mri_convert"]),
        ("a.zip", b"PK\x03\x04".repeat(100), &["zip"]),
    ] {
        let reason = refused(&write(&folder, name, &bytes));
        words.iter().for_each(|word| assert!(reason.contains(word), "{name}: {reason}"));
    }
    let series = folder.path().join("series");
    fs::create_dir(&series).expect("a writable folder");
    assert!(refused(&series).contains("folder without volumes"));
    fs::write(series.join("IM0001"), &dicom).expect("a writable folder");
    assert!(refused(&series).contains("1 files that cannot be read"));
    fs::write(series.join("ct.nii.gz"), [0]).expect("a writable folder");
    let reason = refused(&series);
    assert!(reason.contains("1 volumes: ct.nii.gz"), "{reason}");
}

#[test]
fn bzip2_is_read_and_its_damage_told() {
    let bytes = NiftiBytes::new(SHAPE, SPACING, INT16, &VALUES).bytes();
    let mut packed = Vec::new();
    let mut encoder = bzip2::read::BzEncoder::new(&bytes[..], bzip2::Compression::best());
    std::io::Read::read_to_end(&mut encoder, &mut packed).expect("memory");
    let folder = folder();
    let path = write(&folder, "volume.nii.bz2", &packed);
    assert_eq!(read_volume_as::<f64>(&path).expect("a good file").volume.as_slice(), VALUES);
    packed.truncate(packed.len() / 2);
    assert!(read_volume(&write(&folder, "volume.nii.bz2", &packed)).is_err());
}
