//! Contours of structure sets that say things twice, or lie in awkward places.

use dicom_core::VR;
use dicom_dictionary_std::tags;
use dosegrid::domain::Invalid;
use dosegrid::formats::dicom::{DicomLabels, Place, read_inventory, read_labels};

use super::kinds::beside_a_ct;
use super::objects::{Made, squares, structures};

/// A structure set on a CT of six slices of 4 × 4 pixels, 5 mm apart.
fn labels_of(made: &Made) -> Result<DicomLabels, String> {
    let folder = beside_a_ct(6, made);
    let listed = read_inventory(Place::of(folder.path()), None).expect("DICOM files");
    let read = read_labels(Place::of(&folder.path().join("labels.dcm")), None, None);
    let refused = listed.series.into_iter().find(|series| series.modality == "RTSTRUCT").and_then(|one| one.refused);
    assert_eq!(refused, read.as_ref().err().map(|Invalid(reason)| reason.clone()), "listed and read");
    read.map_err(|Invalid(reason)| reason)
}

/// Voxels of the only region, and all warnings.
fn voxels_of(contours: Vec<Made>) -> Result<(usize, String), String> {
    let [region, set] = squares(1, "A", &[]);
    let labels = labels_of(&structures(vec![[region, set.items(tags::CONTOUR_SEQUENCE, contours)]]))?;
    Ok((labels.organs.organs()[0].voxels().len(), labels.warnings.join("; ")))
}

/// A rectangle around pixels, from the first to the last along x and y, at a height.
fn rectangle([x, y]: [[i16; 2]; 2], z: f64) -> Made {
    let edges = |[first, last]: [i16; 2]| [5.0 * f64::from(first) - 12.5, 5.0 * f64::from(last) - 7.5];
    let ([left, right], [front, back]) = (edges(x), edges(y));
    let points = [left, front, z, right, front, z, right, back, z, left, back, z];
    Made::item()
        .text(tags::CONTOUR_GEOMETRIC_TYPE, VR::CS, "CLOSED_PLANAR")
        .text(tags::NUMBER_OF_CONTOUR_POINTS, VR::IS, "4")
        .numbers(tags::CONTOUR_DATA, &points)
}

#[test]
fn a_number_is_that_of_one_region_and_one_set_of_contours() {
    let two_regions = structures(vec![squares(1, "A", &[0.0]), squares(1, "B", &[5.0])]);
    assert!(labels_of(&two_regions).expect_err("two").contains("two regions of number 1"));
    let [region, set] = squares(1, "A", &[0.0]);
    let mut two_sets = structures(vec![[region, set.clone()]]);
    two_sets = two_sets.items(tags::ROI_CONTOUR_SEQUENCE, vec![set.clone(), set]);
    assert!(labels_of(&two_sets).expect_err("two").contains("two sets of contours"));
}

#[test]
fn what_is_cut_behind_the_contours_is_told() {
    let two = || structures(vec![squares(1, "A", &[0.0, 5.0]), squares(2, "B", &[0.0])]);
    assert_eq!(labels_of(&two()).expect("two regions").warnings, Vec::<String>::new());
    let labels = labels_of(&two().items(tags::RTROI_OBSERVATIONS_SEQUENCE, vec![])).expect("two regions");
    let warnings = labels.warnings.join("; ");
    assert!(labels.organs.organs().len() == 2 && warnings.contains("no RT ROI Observations"), "{warnings}");
    assert!(warnings.contains("contours of the last region, `B`, or whole regions are lost"), "{warnings}");
}

#[test]
fn contours_are_of_a_region_that_is_listed() {
    let [region, set] = squares(1, "A", &[0.0]);
    let [_, other] = squares(7, "B", &[0.0]);
    let labels =
        labels_of(&structures(vec![[region.clone(), set.clone()]]).items(tags::ROI_CONTOUR_SEQUENCE, vec![set, other]));
    let labels = labels.expect("a region");
    let warnings = labels.warnings.join("; ");
    assert!(labels.organs.organs().len() == 1 && warnings.contains("`region of number 7` is left out"), "{warnings}");
    let [_, unnamed] = squares(1, "A", &[0.0]);
    let nameless = structures(vec![[region, unnamed.without(tags::REFERENCED_ROI_NUMBER)]]);
    assert!(labels_of(&nameless).expect_err("of nothing").contains("do not say of which region they are"));
}

#[test]
fn a_contour_that_is_there_twice_counts_once() {
    let one = rectangle([[0, 1], [0, 1]], 5.0);
    let (voxels, warnings) = voxels_of(vec![one.clone(), one]).expect("a region");
    assert!(voxels == 4 && warnings.contains("1 contours that are there twice"), "{voxels} {warnings}");
}

#[test]
fn names_hold_no_control_characters() {
    let made = structures(vec![squares(1, "\u{1b}$B;3ED\u{1b}(B\u{7}", &[0.0])]);
    let labels = labels_of(&made).expect("a region");
    assert_eq!(labels.organs.organs()[0].name.as_deref(), Some("山田"));
}

#[test]
fn what_reaches_beyond_the_grid_is_told() {
    let (voxels, warnings) = voxels_of(vec![rectangle([[2, 7], [0, 1]], 5.0)]).expect("a region");
    assert!(voxels == 4 && warnings.contains("reach beyond the grid"), "{voxels} {warnings}");
}

#[test]
fn labels_of_which_nothing_is_left_are_refused() {
    let nothing = structures(vec![squares(1, "FAR", &[500.0]), squares(2, "EMPTY", &[])]);
    let reason = labels_of(&nothing).expect_err("nothing");
    assert!(reason.contains("FAR") && reason.contains("EMPTY"), "{reason}");
}

#[test]
fn parts_of_a_slice_may_have_heights_of_their_own() {
    let (left, right) = ([[0, 0], [0, 1]], [[2, 3], [0, 1]]);
    let islands = |heights: &[f64]| {
        voxels_of(heights.iter().flat_map(|z| [rectangle(left, *z), rectangle(right, z + 0.5)]).collect())
    };
    for heights in [&[5.0][..], &[5.0, 10.0, 15.0]] {
        let (voxels, warnings) = islands(heights).expect("a region");
        assert!(voxels == 6 * heights.len() && !warnings.contains("outside"), "{voxels} {warnings}");
    }
    let rim = |z: f64| rectangle([[0, 2], [0, 2]], z);
    // A hole at another height than its rim; parts that share a corner of the rectangles around them.
    for other in [rectangle([[1, 1], [1, 1]], 5.4), rectangle([[2, 3], [2, 3]], 5.4)] {
        let reason = voxels_of(vec![rim(5.0), other]).expect_err("not clear");
        assert!(reason.contains("0.40 mm apart"), "{reason}");
    }
    // The same outline again, or one that moves on: drawn more densely than slices.
    for again in [rim(5.4), rectangle([[0, 3], [0, 2]], 6.0)] {
        let (voxels, warnings) = voxels_of(vec![rim(5.0), again]).expect("a region");
        assert!(voxels == 9 && !warnings.contains("outside"), "{voxels} {warnings}");
    }
}

#[test]
fn planes_far_apart_stand_for_what_is_between_them_and_are_told() {
    let lesions = [0.0, 15.0].map(|z| rectangle([[0, 1], [0, 1]], z));
    let three = vec![lesions[0].clone(), lesions[1].clone(), rectangle([[0, 1], [0, 1]], 30.0)];
    let (voxels, warnings) = voxels_of(three).expect("a region");
    assert!(voxels == 4 * 6 && warnings.contains("3.0 slices apart"), "{voxels} {warnings}");
    // On every second slice, and on every slice.
    let apart = |mm: f64| voxels_of([0.0, 1.0, 2.0].map(|at| rectangle([[0, 1], [0, 1]], mm * at)).to_vec());
    let (voxels, warnings) = apart(10.0).expect("a region");
    assert!(voxels == 4 * 5 && warnings.contains("`A` has contour planes 2.0 slices apart"), "{voxels} {warnings}");
    assert_eq!(apart(5.0).expect("a region"), (4 * 3, String::new()));
}

#[test]
fn slices_that_were_left_out_are_told() {
    let planes = [0.0, 5.0, 10.0, 20.0].map(|z| rectangle([[0, 1], [0, 1]], z));
    let (voxels, warnings) = voxels_of(planes.to_vec()).expect("a region");
    assert!(voxels == 4 * 4 && warnings.contains("`A` has 1 slices without a contour between"), "{voxels} {warnings}");
}
