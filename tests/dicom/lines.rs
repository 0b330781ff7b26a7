//! Slices of a CT that lead to CT numbers by lines of their own.

use dicom_dictionary_std::tags;
use dosegrid::formats::dicom::{Place, Wanted, read_image, read_inventory};

use super::kinds::folder;
use super::objects::{Made, ct};

/// What is said of a stack: by its reader, and by the inventory.
fn warnings(slices: &[Made]) -> [Vec<String>; 2] {
    let folder = folder();
    for (at, slice) in slices.iter().enumerate() {
        slice.save(&folder.path().join(at.to_string()));
    }
    let image = read_image(Place::of(folder.path()), Wanted::Ct).expect("a CT");
    let listed = read_inventory(Place::of(folder.path()), None).expect("a folder");
    [image.warnings, listed.series[0].warnings.clone()]
}

#[test]
fn slices_with_a_line_of_their_own_are_told_with_range_and_place() {
    let plain = || [0.0, 5.0, 10.0, 15.0].map(|z| ct(z, 40.0));
    assert_eq!(warnings(&plain()), [Vec::<String>::new(), Vec::new()]);
    let mut sloped = plain();
    sloped[2] = sloped[2].clone().numbers(tags::RESCALE_SLOPE, &[1.21]);
    let mut shifted = plain();
    shifted[0] = shifted[0].clone().numbers(tags::RESCALE_INTERCEPT, &[-1000.0]);
    for (slices, words) in [
        (sloped, ["Slopes (1 to 1.21)", "Intercepts (-1024)", "1 of 4", "(-10, -10, 10) mm"]),
        (shifted, ["Slopes (1)", "Intercepts (-1024 to -1000)", "1 of 4", "(-10, -10, 0) mm"]),
    ] {
        for told in warnings(&slices) {
            assert!(words.iter().all(|word| told.iter().any(|line| line.contains(word))), "{words:?} {told:?}");
        }
    }
}
