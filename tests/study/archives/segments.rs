//! Organs as a segmentation, to an archive and back.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

use dosegrid::demo::StylisedPhantom;
use dosegrid::formats::nifti;
use dosegrid::formats::volume_file::read_volume;

use super::network::Network;
use super::{demo, files_of, good, series, text_of};
use crate::study::road::SHAPE;
use crate::support::command::succeed;

#[test]
#[cfg_attr(no_orthanc, ignore = "there is no Orthanc with its plugin for DICOMweb")]
fn a_segmentation_comes_back_from_orthanc_with_the_same_voxels() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let labels = StylisedPhantom::new(SHAPE).expect("a good shape").labels();
    let organs: BTreeSet<u8> = labels.as_slice().iter().copied().filter(|label| *label > 0).collect();
    assert!(organs.len() > 8, "{organs:?}");
    let map = labels.map(|label| f32::from(*label));
    nifti::write(&folder.path().join("labels.nii"), &map, "labels").expect("a writable folder");
    let mut names = String::from("label,name\n");
    organs.iter().for_each(|label| writeln!(names, "{label},organ {label}").expect("a string takes all text"));
    fs::write(folder.path().join("names.csv"), names).expect("a writable folder");
    let reference = demo().join("out/dicom");
    let reference = reference.to_str().expect("text");
    let to_seg = ["convert", "labels.nii", "--as", "seg", "--label-names", "names.csv", "--reference", reference];
    succeed(folder.path(), to_seg.iter().chain(&["--output", "seg.dcm"]));

    let network = Network::own();
    let orthanc = network.orthanc(folder.path());
    let run = |args: &[&str]| good(network.dosegrid(folder.path(), args));
    let said = run(&["send", "seg.dcm", "--dicom-web", &orthanc.web]);
    assert_eq!(said.matches("0000H stored").count(), 1, "{said}");

    // QIDO-RS finds it in the study of its images, and as a series of its own.
    let sent = folder.path().join("seg.dcm");
    let own = text_of(&sent, "SeriesInstanceUID");
    let study = text_of(&sent, "StudyInstanceUID");
    assert_eq!(study, text_of(&files_of(&demo().join("out/dicom"))[0], "StudyInstanceUID"));
    for uid in [&study, &own] {
        let found = series(&run(&["inspect", uid, "--dicom-web", &orthanc.web, "--json"]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0]["modality"].as_str(), found[0]["series_uid"].as_str()), (Some("SEG"), Some(own.as_str())));
    }

    // WADO-RS gives it back: a mask of each organ with its voxels and no other.
    let args = ["convert", &own, "--as", "labels", "--grid", "labels.nii", "--output", "masks"];
    run(&[&args[..], &["--dicom-web", &orthanc.web]].concat());
    assert_eq!(files_of(&folder.path().join("masks")).len(), organs.len());
    for organ in organs {
        let mask = read_volume(&folder.path().join(format!("masks/organ_{organ}.nii.gz"))).expect("a mask").volume;
        labels.grid().check_same(mask.grid()).expect("the grid that was asked for");
        let is_same = labels.as_slice().iter().zip(mask.as_slice()).all(|(&label, &part)| {
            let expected = if label == organ { 1.0 } else { 0.0 };
            part.to_bits() == f32::to_bits(expected)
        });
        assert!(is_same, "organ {organ} has other voxels");
    }
}
