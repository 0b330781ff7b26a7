//! Organs from maps, stacks, folders, and their names.

use std::fs;

use dosegrid::domain::{Invalid, Organ};
use dosegrid::formats::{label_names, labels};
use tempfile::TempDir;

use super::{folder, write};
use crate::support::nifti::{FLOAT32, INT32, NiftiBytes, UINT8, UINT16, gzip};

const SHAPE: [i16; 3] = [3, 2, 1];
const SPACING: [f32; 3] = [4.0, 4.0, 4.0];

fn map(folder: &TempDir, name: &str, datatype: i16, values: &[f64]) -> std::path::PathBuf {
    write(folder, name, &NiftiBytes::new(SHAPE, SPACING, datatype, values).bytes())
}

/// Label, name and voxels of each organ.
fn organs(paths: &[std::path::PathBuf]) -> Vec<(u16, Option<String>, Vec<u32>)> {
    let files = labels::read(paths).expect("good labels");
    let list = |organ: &Organ| (organ.label, organ.name.clone(), organ.voxels().to_vec());
    files.organs.organs().iter().map(list).collect()
}

#[test]
fn maps_of_any_type_hold_labels() {
    let folder = folder();
    let whole = [0.0, 7014.0, 7014.0, 65535.0, 0.0, 1.0];
    let near = [0.0, 7013.9995, 7014.0004, 65535.0, -1.0, 1.0];
    let expected = vec![(1, None, vec![5]), (7014, None, vec![1, 2]), (65535, None, vec![3])];
    for (datatype, values) in [(UINT16, whole), (INT32, whole), (FLOAT32, whole), (FLOAT32, near)] {
        assert_eq!(organs(&[map(&folder, "labels.nii", datatype, &values)]), expected, "{datatype}");
    }
    for bad in [[0.0, 0.963, 0.0, 0.0, 0.0, 0.0], [0.0, 65536.0, 0.0, 0.0, 0.0, 0.0], [-3.0, 0.0, 0.0, 0.0, 0.0, 0.0]] {
        let Invalid(reason) =
            labels::read(&[map(&folder, "labels.nii", FLOAT32, &bad)]).expect_err("not whole numbers");
        assert!(reason.contains("whole number from 0 to 65535"), "{reason}");
    }
}

#[test]
fn a_stack_of_masks_keeps_overlapping_organs() {
    let folder = folder();
    let masks = [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.25, 0.0, 0.0, 0.0];
    let mut file = NiftiBytes::new(SHAPE, SPACING, FLOAT32, &masks);
    file.dim = [4, 3, 2, 1, 3, 1, 1, 1];
    let path = write(&folder, "stack.nii", &file.bytes());
    assert_eq!(
        organs(std::slice::from_ref(&path)),
        [(1, None, vec![0, 1, 2, 3]), (2, None, vec![1]), (3, None, vec![1, 2])]
    );
    let files = labels::read(&[path]).expect("good labels");
    assert_eq!(files.organs.organs()[2].shares().collect::<Vec<_>>(), [(1, 0.5), (2, 0.25)]);
    assert_eq!(files.organs.overlapping_voxels(), 2);
}

#[test]
fn a_folder_of_masks_is_an_organ_a_file() {
    let folder = folder();
    let inside = folder.path().join("segmentations");
    fs::create_dir(&inside).expect("a writable folder");
    for (name, values) in [
        ("spleen.nii.gz", [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]),
        ("liver.nii.gz", [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]),
        ("liver_lesion.nii.gz", [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
        ("prostate.nii.gz", [0.0; 6]),
    ] {
        fs::write(inside.join(name), gzip(&NiftiBytes::new(SHAPE, SPACING, UINT8, &values).bytes())).expect("written");
    }
    fs::write(inside.join("statistics.json"), "{}").expect("written");
    let name = |name: &str| Some(name.to_owned());
    let expected =
        [(1, name("liver"), vec![0, 1, 2]), (2, name("liver_lesion"), vec![1]), (4, name("spleen"), vec![5])];
    assert_eq!(organs(std::slice::from_ref(&inside)), expected);
    let warnings = labels::read(std::slice::from_ref(&inside)).expect("good labels").warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("no prostate"), "{warnings:?}");
    // Given one by one they are numbered as they are given.
    let two = ["spleen", "liver"].map(|name| inside.join(format!("{name}.nii.gz")));
    assert_eq!(organs(&two), [(1, name("spleen"), vec![5]), (2, name("liver"), vec![0, 1, 2])]);
}

#[test]
fn several_maps_are_joined_if_they_can_be() {
    let folder = folder();
    let first = map(&folder, "a.nii", UINT8, &[1.0, 2.0, 0.0, 0.0, 0.0, 0.0]);
    let second = map(&folder, "b.nii", UINT8, &[5.0, 5.0, 5.0, 0.0, 0.0, 0.0]);
    let paths = [first.clone(), second];
    assert_eq!(organs(&paths), [(1, None, vec![0]), (2, None, vec![1]), (5, None, vec![0, 1, 2])]);
    let clash = map(&folder, "c.nii", UINT8, &[2.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert!(labels::read(&[first.clone(), clash]).expect_err("2 twice").0.contains("its own number"));
    // The same place with an axis reversed is put in order; another place is refused.
    let mut file = NiftiBytes::new(SHAPE, SPACING, UINT8, &[0.0, 0.0, 9.0, 0.0, 0.0, 0.0]);
    file.srow[0] = [-4.0, 0.0, 0.0, 8.0];
    let reversed = write(&folder, "d.nii", &file.bytes());
    assert_eq!(organs(&[first.clone(), reversed])[2], (9, None, vec![0]));
    file.srow[0] = [-4.0, 0.0, 0.0, 80.0];
    let away = write(&folder, "e.nii", &file.bytes());
    let Invalid(reason) = labels::read(&[first.clone(), away, folder.path().join("absent.nii")]).expect_err("bad");
    assert!(reason.contains("`e.nii` lies on another grid") && reason.contains("dosegrid resample"), "{reason}");
    assert!(reason.contains("`absent.nii` cannot be opened"), "every fault: {reason}");
}

#[test]
fn segmentations_of_slicer_have_names_and_layers() {
    let folder = folder();
    let header = "NRRD0005\ntype: uint8\ndimension: 4\nspace: left-posterior-superior\nsizes: 2 3 2 1\n\
                  space directions: none (4,0,0) (0,4,0) (0,0,4)\nkinds: list domain domain domain\nencoding: raw\n\
                  space origin: (0,0,0)\nSegment0_Name:=Liver\nSegment0_LabelValue:=1\nSegment0_Layer:=0\n\
                  Segment1_Name:=Lesion\nSegment1_LabelValue:=1\nSegment1_Layer:=1\n\n";
    let values = [1u8, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
    let path = write(&folder, "Segmentation.seg.nrrd", &[header.as_bytes(), &values].concat());
    let name = |name: &str| Some(name.to_owned());
    assert_eq!(organs(&[path]), [(1, name("Liver"), vec![0, 1, 2]), (2, name("Lesion"), vec![1])]);
}

#[test]
fn names_are_read_from_tables_of_many_kinds() {
    let folder = folder();
    let snap = "################\n# ITK-SnAP Label Description File\n################\n\
                    0     0    0    0        0  0  0    \"Clear Label\"\n\
                    7   255    0    0        1  1  1    \"Tumour, left\"\n";
    for (what, bytes, expected) in [
        ("semicolons", b"label;name\n7;Tumour, left\n".to_vec(), "Tumour, left"),
        ("tabs", b"7\tTumour, left\n".to_vec(), "Tumour, left"),
        ("Latin-1", b"label,name\n7,Gesch\xfctzter L\xe4ngsmuskel\n".to_vec(), "Geschützter Längsmuskel"),
        ("UTF-8 with a mark", "\u{feff}7,Geschützt\r\n".into(), "Geschützt"),
        ("ITK-SNAP", snap.into(), "Tumour, left"),
        ("a colour table", b"# Color\n0 Background 0 0 0 0\n7 left_kidney 185 232 61 255\n".to_vec(), "left_kidney"),
        ("quotation marks", b"7,\"Tumour; left\"\n".to_vec(), "Tumour; left"),
        ("empty fields behind", b"7,liver,,\n8,spleen,,\n".to_vec(), "liver"),
    ] {
        let names =
            label_names::read(&write(&folder, "names.txt", &bytes)).unwrap_or_else(|fault| panic!("{what}: {fault}"));
        assert_eq!(names.get(&7).map(String::as_str), Some(expected), "{what}");
    }
    let Invalid(reason) = label_names::read(&write(&folder, "names.txt", b"7;a\nx;b\n9\n")).expect_err("bad lines");
    assert!(reason.contains("line 2") || reason.contains("line 1"), "{reason}");
}
