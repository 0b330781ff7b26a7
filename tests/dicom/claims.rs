//! Claims of a file that disagree, or that slices make together: refused, or read with a warning.

use std::fs;

use dicom_core::VR;
use dicom_core::value::PrimitiveValue;
use dicom_dictionary_std::tags;
use dosegrid::domain::Invalid;
use dosegrid::formats::dicom::{Place, Wanted, read_image, read_inventory, read_labels};

use super::kinds::{activity_of, folder, refused, refused_stack, uncorrected, values};
use super::objects::{Made, ct, map, nm, nm_in_bq};

const ACTIVITY: Wanted = Wanted::Activity { calibration: None };

/// Why a CT of two such slices is refused; none if it is not.
fn refused_ct(change: impl Fn(Made) -> Made) -> Option<String> {
    refused_stack([0.0, 5.0].map(|z| change(ct(z, 0.0))), Wanted::Ct)
}

/// A PET slice in Bq/mL of a static series.
fn pet(at: u8) -> Made {
    uncorrected(at, 0, "1")
}

#[test]
fn slopes_and_intercepts_are_one_number_each() {
    let slope = |values: &'static [f64]| refused_ct(move |slice| slice.numbers(tags::RESCALE_SLOPE, values));
    assert!(slope(&[-1.0]).expect("negative").contains("below 0"));
    assert!(slope(&[1.0, 2.0]).expect("two").contains("2 values"));
    let unsigned = refused_ct(|slice| slice.without(tags::RESCALE_INTERCEPT)).expect("no air");
    assert!(unsigned.contains("Intercept"), "{unsigned}");
    let signed = |slice: Made| slice.without(tags::RESCALE_SLOPE).short(tags::PIXEL_REPRESENTATION, 1);
    assert!(refused_ct(signed).expect("half a claim").contains("no Rescale Slope"));
    let mapped = nm().items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, vec![map("Bq/ml", -10.0, [0, 9])]);
    assert!(refused(&mapped).contains("below 0"));
}

#[test]
fn pixels_say_whether_they_have_a_sign() {
    assert!(refused_ct(|slice| slice.without(tags::PIXEL_REPRESENTATION)).expect("no sign").contains("sign"));
    assert!(refused_ct(|slice| slice.short(tags::PIXEL_REPRESENTATION, 2)).expect("no sign").contains("sign"));
}

#[test]
fn a_table_has_as_many_values_as_its_range_and_agrees_with_a_slope() {
    let table = |values: [f64; 8], slope: Option<f64>, last: u16| {
        let mut item = map("Bq/ml", slope.unwrap_or(1.0), [1, last]);
        if slope.is_none() {
            item = item.without(tags::REAL_WORLD_VALUE_SLOPE);
        }
        let values = PrimitiveValue::F64(values.into_iter().collect());
        item.0.put(dicom_core::DataElement::new(tags::REAL_WORLD_VALUE_LUT_DATA, VR::FD, values));
        nm().items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, vec![item])
    };
    let straight = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0];
    assert_eq!(values(&table(straight, None, 8))[7], 80.0);
    assert_eq!(values(&table(straight, Some(10.0), 8))[7], 80.0);
    assert!(refused(&table(straight, None, 7)).contains("more or fewer"));
    let mut bent = straight;
    bent[3] = 45.0;
    assert!(refused(&table(bent, Some(10.0), 8)).contains("disagree"));
}

#[test]
fn decay_factors_are_above_0() {
    for factor in ["0", "-1.03"] {
        let slices = (0..2).map(|at| pet(at).text(tags::DECAY_FACTOR, VR::DS, factor));
        assert!(refused_stack(slices, ACTIVITY).expect("no factor").contains("not above 0"));
    }
}

#[test]
fn an_empty_file_may_be_a_slice() {
    for (name, bytes, is_slice) in [
        ("a.dcm", &b"<html>"[..], true),
        ("IM0003", b"", true),
        ("1.2.3.4", b"", true),
        // Cut within the preamble, or the data set that one was left out of; zeros of a copy that failed.
        ("IM0004", &[0; 100], true),
        ("1.2.3.5", &[8, 0, 5, 0], true),
        ("slice", &[0; 4000], true),
        ("IM0005", b"a list", false),
        ("slice.bin", &[0; 4000], false),
        ("VERSION", b"", false),
        ("complete.lock", b"", false),
        ("._a.dcm", b"x", false),
        ("a.txt", b"x", false),
    ] {
        let folder = folder();
        for z in [0.0, 5.0] {
            ct(z, 0.0).save(&folder.path().join(format!("{z}")));
        }
        fs::write(folder.path().join(name), bytes).expect("a writable folder");
        let read = read_image(Place::of(folder.path()), Wanted::Ct);
        let listed = read_inventory(Place::of(folder.path()), None).expect("DICOM files");
        assert_eq!((read.is_err(), listed.problems.is_empty()), (is_slice, !is_slice), "{name}");
    }
}

#[test]
fn slices_that_the_files_speak_of_are_there() {
    let pet = |slices: u16| refused_stack((0..3).map(|at| pet(at).short(tags::NUMBER_OF_SLICES, slices)), ACTIVITY);
    assert_eq!(pet(3), None);
    assert!(pet(4).expect("one is missing").contains("3 of 4"));
    let part = |slice: Made| slice.short(tags::IN_CONCATENATION_TOTAL_NUMBER, 3);
    assert!(refused_ct(part).expect("one is missing").contains("2 of 3 files of a concatenation"));
}

#[test]
fn nuclear_images_are_of_one_acquisition() {
    let beds = |second: &str, numbers: [&str; 2]| {
        let detector = Made::item()
            .numbers(tags::IMAGE_POSITION_PATIENT, &[-5.0, -5.0, 120.0])
            .numbers(tags::IMAGE_ORIENTATION_PATIENT, &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        let second = nm_in_bq()
            .text(tags::ACQUISITION_TIME, VR::TM, second)
            .items(tags::DETECTOR_INFORMATION_SEQUENCE, vec![detector]);
        let folder = folder();
        for (at, (made, number)) in [nm_in_bq(), second].into_iter().zip(numbers).enumerate() {
            made.text(tags::ACQUISITION_NUMBER, VR::IS, number).save(&folder.path().join(at.to_string()));
        }
        let image = read_image(Place::of(folder.path()), ACTIVITY).map_err(|Invalid(reason)| reason)?;
        Ok::<_, String>(image.warnings.join("; "))
    };
    assert_eq!(beds("120000", ["1", "1"]), Ok(String::new()));
    // One time, and nothing that says they are of one acquisition.
    for numbers in [["", ""], ["1", "2"], ["1", ""]] {
        let warnings = beds("120000", numbers).expect("an activity");
        assert!(warnings.contains("scanned one after another"), "{numbers:?}: {warnings}");
    }
    assert!(beds("122000", ["1", "1"]).expect_err("two beds").contains("up to 1200 s apart"));
}

#[test]
fn what_is_no_date_is_told() {
    let warnings = |tag, vr, text: &str| {
        let made = nm_in_bq().text(tags::SERIES_DATE, VR::DA, "20260305").text(tags::SERIES_TIME, VR::TM, "121000");
        let image = activity_of(&made.text(tag, vr, text), None).expect("an activity");
        let found = image.warnings.into_iter().filter(|warning| warning.contains("is no such thing"));
        found.collect::<Vec<_>>().join("; ")
    };
    for (tag, vr, text, name) in [
        (tags::ACQUISITION_DATE, VR::DA, "20261302", "Acquisition Date"),
        (tags::ACQUISITION_DATE, VR::DA, "00000000", "Acquisition Date"),
        (tags::ACQUISITION_TIME, VR::TM, "251500", "Acquisition Time"),
        (tags::ACQUISITION_DATE_TIME, VR::DT, "2026-03-02", "Acquisition DateTime"),
        (tags::SERIES_DATE, VR::DA, "march", "Series Date"),
    ] {
        assert!(warnings(tag, vr, text).starts_with(&format!("the {name} is no")), "{name} {text}");
    }
    for (tag, vr, text) in [
        (tags::ACQUISITION_DATE, VR::DA, "20260302"),
        (tags::ACQUISITION_DATE, VR::DA, "2026.03.02"),
        (tags::ACQUISITION_DATE, VR::DA, ""),
        (tags::ACQUISITION_DATE_TIME, VR::DT, "20260302"),
    ] {
        assert_eq!(warnings(tag, vr, text), "", "{text}");
    }
}

#[test]
fn last_digits_of_an_injection_are_no_other_one() {
    let second = |half_life_s: f64, bq: f64| {
        let drug = |half_life_s: f64, bq: f64| {
            Made::item()
                .numbers(tags::RADIONUCLIDE_HALF_LIFE, &[half_life_s])
                .numbers(tags::RADIONUCLIDE_TOTAL_DOSE, &[bq])
        };
        let slices = [drug(4062.6, 3.7e8), drug(half_life_s, bq)];
        let with = |(at, drug): (usize, Made)| {
            pet(u8::try_from(at).expect("few")).items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![drug])
        };
        refused_stack(slices.into_iter().enumerate().map(with), ACTIVITY)
    };
    assert_eq!(second(4062.6, 3.7e8), None);
    assert_eq!(second(4062.5999, 370_000_010.0), None);
    assert!(second(4070.0, 3.7e8).expect("another").contains("the half-life"));
    assert!(second(4062.6, 3.71e8).expect("another").contains("the injected activity"));
}

#[test]
fn the_time_of_a_series_is_no_acquisition() {
    let made = nm_in_bq().text(tags::SERIES_DATE, VR::DA, "20260302").text(tags::SERIES_TIME, VR::TM, "150000").text(
        tags::ACQUISITION_TIME,
        VR::TM,
        "251500",
    );
    let image = activity_of(&made, None).expect("an activity");
    assert!(image.warnings.iter().any(|warning| warning.contains("reconstructed")), "{:?}", image.warnings);
    assert_eq!(image.account.activity.expect("an activity").reference_event.as_deref(), Some("series start"));
    let twice = nm_in_bq().text(tags::ACQUISITION_DATE_TIME, VR::DT, "20260305120000");
    assert!(refused(&twice).contains("twice when its acquisition began"));
    let same = nm_in_bq().text(tags::ACQUISITION_DATE_TIME, VR::DT, "20260302120000");
    assert!(activity_of(&same, None).is_ok());
}

#[test]
fn two_times_of_an_injection_are_not_used() {
    let made = |hour: &str| {
        let drug = Made::item().text(tags::RADIOPHARMACEUTICAL_START_DATE_TIME, VR::DT, "20260302081500").text(
            tags::RADIOPHARMACEUTICAL_START_TIME,
            VR::TM,
            hour,
        );
        let made = nm_in_bq().items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![drug]);
        let image = activity_of(&made, None).expect("an activity");
        let injection = image.account.activity.and_then(|activity| activity.injection);
        (injection.and_then(|injection| injection.time), image.warnings.join("; "))
    };
    assert_eq!(made("081500").0.as_deref(), Some("2026-03-02T08:15:00"));
    let (time, warnings) = made("093000");
    assert!(time.is_none() && warnings.contains("two times that disagree"), "{time:?} {warnings}");
}

#[test]
fn slices_are_numbered_from_1() {
    for numbers in [[0, 1], [2, 3]] {
        let reason = refused(&nm_in_bq().shorts(tags::SLICE_VECTOR, &numbers));
        assert!(reason.contains("which counts 1 to 2"), "{reason}");
    }
}

#[test]
fn enhanced_frames_are_slices_of_one_moment() {
    let typed = |words: &str| {
        let slice = |at| {
            pet(at).text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.130").text(
                tags::IMAGE_TYPE,
                VR::CS,
                &format!("ORIGINAL\\PRIMARY\\{words}"),
            )
        };
        refused_stack((0..2).map(slice), ACTIVITY)
    };
    assert_eq!(typed("VOLUME\\NONE"), None);
    for (words, reason) in
        [("RESP_GATED\\NONE", "gated"), ("DYNAMIC\\NONE", "dynamic"), ("VOLUME\\MAX_IP", "projections")]
    {
        assert!(typed(words).expect("no slices").contains(reason), "{words}");
    }
}

#[test]
fn ct_numbers_that_nothing_has_are_named() {
    let folder = folder();
    for z in [0.0, 5.0] {
        ct(z, 0.0).pixels([4, 4, 1], &[63_536; 16]).save(&folder.path().join(format!("{z}")));
    }
    let image = read_image(Place::of(folder.path()), Wanted::Ct).expect("a CT");
    assert!(image.warnings.iter().any(|warning| warning.contains("62512 HU")), "{:?}", image.warnings);
}

#[test]
fn the_background_of_a_label_map_is_no_organ() {
    let segment = |number: u16| {
        let label = format!("ORGAN {number}");
        Made::item().short(tags::SEGMENT_NUMBER, number).text(tags::SEGMENT_LABEL, VR::LO, &label)
    };
    let made = Made::of_class("66.7", "SEG")
        .text(tags::SEGMENTATION_TYPE, VR::CS, "LABELMAP")
        .text(tags::SLICE_THICKNESS, VR::DS, "5")
        .numbers(tags::IMAGE_POSITION_PATIENT, &[-10.0, -10.0, 0.0])
        .numbers(tags::IMAGE_ORIENTATION_PATIENT, &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
        .numbers(tags::PIXEL_SPACING, &[5.0, 5.0])
        .items(tags::SEGMENT_SEQUENCE, vec![segment(0), segment(1), segment(2)])
        .short(tags::PIXEL_PADDING_VALUE, 5)
        .pixels([2, 2, 1], &[5, 0, 1, 2]);
    let folder = folder();
    made.save(&folder.path().join("seg"));
    let labels = read_labels(Place::of(&folder.path().join("seg")), None, None).expect("labels");
    let names: Vec<_> = labels.organs.organs().iter().map(|organ| organ.name.as_deref().unwrap_or_default()).collect();
    assert_eq!(names, ["ORGAN 1", "ORGAN 2"]);
}

#[test]
fn a_total_below_0_is_no_activity() {
    let below = nm_in_bq().pixels([2, 2, 2], &[65_535; 8]).short(tags::PIXEL_REPRESENTATION, 1);
    let wide = below.items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, vec![map("Bq/ml", 10.0, [32_768, 32_767])]);
    assert!(refused(&wide).contains("total activity below 0"));
    let Invalid(reason) = Invalid::new(refused(&nm()));
    assert!(reason.contains("not quantitative"));
}

#[test]
fn what_is_there_and_no_number_is_not_left_out() {
    let text = |tag, words: &'static str| refused_ct(move |slice| slice.text(tag, VR::DS, words));
    assert!(text(tags::RESCALE_INTERCEPT, "-10x4").expect("no number").contains("no number"));
    assert!(text(tags::RESCALE_SLOPE, "one").expect("no number").contains("no number"));
    let thick = nm_in_bq().text(tags::SPACING_BETWEEN_SLICES, VR::DS, "inf").text(tags::SLICE_THICKNESS, VR::DS, "10");
    assert!(refused(&thick).contains("Spacing Between Slices that is no number"));
    let factor = (0..2).map(|at| pet(at).text(tags::DECAY_FACTOR, VR::DS, "1,02"));
    assert!(refused_stack(factor, ACTIVITY).is_some());
}

#[test]
fn a_nuclide_is_known_by_its_code_too() {
    let named = |code: &str, meaning: &str| {
        let code = Made::item().text(tags::CODE_VALUE, VR::SH, code).text(tags::CODE_MEANING, VR::LO, meaning);
        let drug = Made::item().items(tags::RADIONUCLIDE_CODE_SEQUENCE, vec![code]);
        let image = activity_of(&nm_in_bq().items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![drug]), None)?;
        Ok::<_, String>(image.account.activity.and_then(|activity| activity.nuclide))
    };
    assert_eq!(named("447553000", ""), Ok(Some("Lu-177".to_owned())));
    assert_eq!(named("447553000", "^177^Lutetium"), Ok(Some("Lu-177".to_owned())));
    assert!(named("C-111A1", "^177^Lutetium").expect_err("two nuclides").contains("two nuclides"));
}

#[test]
fn one_acquisition_may_be_told_in_two_zones() {
    let folder = folder();
    let dated = |moment: &str| {
        nm_in_bq().without(tags::ACQUISITION_DATE).without(tags::ACQUISITION_TIME).text(
            tags::ACQUISITION_DATE_TIME,
            VR::DT,
            moment,
        )
    };
    for (at, moment) in ["20260302101500+0100", "20260302091500.4+0000", "20260302101500+0000"].iter().enumerate() {
        let made = dated(moment).text(tags::SERIES_INSTANCE_UID, VR::UI, &format!("1.2.3.3{at}"));
        made.text(tags::SOP_INSTANCE_UID, VR::UI, &format!("1.2.3.1{at}")).save(&folder.path().join(at.to_string()));
    }
    let found = read_inventory(Place::of(folder.path()), None).expect("a folder");
    assert_eq!((found.series.len(), found.time_points), (3, 2));
}

#[test]
fn a_ct_with_half_of_its_scale_is_refused() {
    let half = |slice: Made| slice.without(tags::RESCALE_SLOPE).numbers(tags::RESCALE_INTERCEPT, &[0.0]);
    let signed = move |slice: Made| half(slice).short(tags::PIXEL_REPRESENTATION, 1);
    assert!(refused_ct(signed).expect("half a claim").contains("without a Rescale Slope"));
}

#[test]
fn a_correction_over_days_by_the_half_life_of_another_nuclide_is_refused() {
    let scan = |event: &str, half_life_s: f64| {
        let code = Made::item().text(tags::CODE_MEANING, VR::LO, "^177^Lutetium");
        let drug = Made::item()
            .numbers(tags::RADIONUCLIDE_HALF_LIFE, &[half_life_s])
            .text(tags::RADIOPHARMACEUTICAL_START_DATE_TIME, VR::DT, "20260301120000")
            .items(tags::RADIONUCLIDE_CODE_SEQUENCE, vec![code]);
        let made = nm_in_bq().text(tags::DECAY_CORRECTION, VR::CS, event);
        made.items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![drug])
    };
    let reason = refused(&scan("ADMIN", 21_624.0));
    assert!(reason.contains("half-life is not that of its nuclide"), "{reason}");
    for (event, half_life_s) in [("ADMIN", 574_300.0), ("START", 21_624.0)] {
        assert!(activity_of(&scan(event, half_life_s), None).is_ok(), "{event} {half_life_s}");
    }
}

#[test]
fn an_injected_activity_that_is_none_is_told() {
    let with = |number: &str| {
        let drug = Made::item().text(tags::RADIONUCLIDE_TOTAL_DOSE, VR::DS, number);
        let made = nm_in_bq().items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![drug]);
        activity_of(&made, None).expect("an activity").warnings
    };
    let told = |number: &str| with(number).iter().any(|words| words.contains("no number above 0"));
    assert!(told("-7400") && told("NaN") && !told("7400"));
}

#[test]
fn one_file_in_two_places_is_read_once() {
    let folder = folder();
    for name in ["a", "b"] {
        nm_in_bq().save(&folder.path().join(name));
    }
    let read = read_image(Place::of(folder.path()), ACTIVITY).expect("one activity");
    assert!(read.warnings.iter().any(|words| words.contains("there twice, were read once")), "{:?}", read.warnings);
    // Another unit of its values is another image.
    let map = map("kBq/ml", 0.01, [0, 65_535]);
    nm().items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, vec![map]).save(&folder.path().join("b"));
    let reason = read_image(Place::of(folder.path()), ACTIVITY).map(|image| image.warnings).expect_err("two").0;
    assert!(reason.contains("that differ"), "{reason}");
}
