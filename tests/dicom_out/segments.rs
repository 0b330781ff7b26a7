//! Organs as segments, which may overlap.

use std::sync::Arc;

use dosegrid::domain::{Organ, Organs, VoxelGrid};
use dosegrid::formats::dicom::write::{Reference, segmentation};

use super::support::{CT, ct, number, numbers, open, text};

#[test]
fn segments_keep_every_voxel_of_organs_that_overlap() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    ct(folder.path(), &CT);
    let reference = Reference::read(folder.path()).expect("a CT");
    // Indices run to the patient's right and front, rows to the left and back: both are reversed in the file.
    let affine = [[2.0, 0.0, 0.0, -20.0], [0.0, 3.0, 0.0, -15.0], [0.0, 0.0, 4.0, 5.0]];
    let grid = VoxelGrid::new([3, 3, 4], [2.0, 3.0, 4.0]).and_then(|grid| grid.with_affine(affine));
    let liver = Organ::whole(2, Some("foie gauche é".into()), (0..18).collect()).expect("an organ");
    let tumour = Organ::partial(7, None, [(1, 1.0), (2, 0.4), (27, 0.6)]).expect("an organ");
    let organs = Organs::new(Arc::new(grid.expect("a good grid")), vec![liver, tumour]).expect("organs");
    let path = folder.path().join("seg");
    segmentation(&organs, &reference).expect("a segmentation").write(&path).expect("a writable folder");
    let object = open(&path);
    assert_eq!(text(&object, "SegmentsOverlap"), "YES");
    assert_eq!(text(&object, "SpecificCharacterSet"), "ISO_IR 192");
    assert_eq!(text(&object, "PatientName"), CT.name);
    let named = object.element_by_name("SegmentSequence").expect("segments").items().expect("a sequence");
    let names: Vec<String> = named.iter().map(|item| text(item, "SegmentLabel")).collect();
    assert_eq!(names, ["foie gauche é", "label_7"]);
    // The liver is in two slices, the tumour in two others of which one is the liver's.
    assert_eq!(number(&object, "NumberOfFrames"), 4.0);
    let frames = object.element_by_name("PerFrameFunctionalGroupsSequence").expect("frames").items().expect("items");
    let inside = |name: &str, at: usize| &frames[at].element_by_name(name).expect(name).items().expect("items")[0];
    let of_segment = |at: usize| number(inside("SegmentIdentificationSequence", at), "ReferencedSegmentNumber");
    let z = |at: usize| numbers(inside("PlanePositionSequence", at), "ImagePositionPatient")[2];
    assert_eq!([0, 1, 2, 3].map(of_segment), [1.0, 1.0, 2.0, 2.0]);
    assert_eq!([0, 1, 2, 3].map(z), [5.0, 9.0, 5.0, 17.0]);
    let bytes = object.element_by_name("PixelData").expect("pixels").to_bytes().expect("bytes").into_owned();
    let bit = |at: usize| bytes[at / 8] >> (at % 8) & 1;
    let pixels: Vec<u8> = (0..36).map(bit).collect();
    assert_eq!(pixels[..18], [1; 18]);
    // Voxel 1 is the middle of the first row; reversed, of the last. Voxel 27 is the first of its slice; reversed, the
    // last.
    assert_eq!(pixels[18..27], [0, 0, 0, 0, 0, 0, 0, 1, 0]);
    assert_eq!(pixels[27..], [0, 0, 0, 0, 0, 0, 0, 0, 1]);
}
