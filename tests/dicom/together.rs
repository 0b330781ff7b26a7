//! What the files and frames of a series have to say together, since they are read as one volume of one moment.

use dicom_core::VR;
use dicom_dictionary_std::tags;
use dosegrid::formats::dicom::Wanted;

use super::kinds::{activity_of, refused, refused_stack, uncorrected};
use super::objects::Made;

const ACTIVITY: Wanted = Wanted::Activity { calibration: None };

/// A radiopharmaceutical.
fn drug() -> Made {
    let code = Made::item().text(tags::CODE_VALUE, VR::SH, "C-131A3").text(tags::CODE_MEANING, VR::LO, "^68^Gallium");
    Made::item()
        .numbers(tags::RADIONUCLIDE_HALF_LIFE, &[4062.6])
        .numbers(tags::RADIONUCLIDE_TOTAL_DOSE, &[1.85e8])
        .text(tags::RADIOPHARMACEUTICAL_START_DATE_TIME, VR::DT, "20260302090000")
        .items(tags::RADIONUCLIDE_CODE_SEQUENCE, vec![code])
}

/// A PET slice that says more of itself.
fn slice(at: u8) -> Made {
    uncorrected(at, 0, "1")
        .text(tags::SERIES_TYPE, VR::CS, "STATIC\\IMAGE")
        .text(tags::CORRECTED_IMAGE, VR::CS, "ATTN\\SCAT")
        .text(tags::COUNTS_SOURCE, VR::CS, "EMISSION")
        .items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![drug()])
}

/// Why a PET of three slices is refused of which the last is changed; none if it is not.
fn with_last(change: impl Fn(Made) -> Made) -> Option<String> {
    refused_stack((0..3).map(|at| if at == 2 { change(slice(at)) } else { slice(at) }), ACTIVITY)
}

#[test]
fn files_of_an_activity_tell_one_story() {
    type Change = fn(Made) -> Made;
    let with_drug = |drug: Made| {
        with_last(move |slice| slice.items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![drug.clone()]))
    };
    assert_eq!(with_last(|slice| slice), None);
    // In another order, and by a file that says nothing.
    assert_eq!(with_last(|slice| slice.text(tags::CORRECTED_IMAGE, VR::CS, "SCAT\\ATTN")), None);
    assert_eq!(with_last(|slice| slice.without(tags::SERIES_TYPE).without(tags::COUNTS_SOURCE)), None);
    let changes: [(Change, &str); 6] = [
        (|slice| slice.text(tags::DECAY_CORRECTION, VR::CS, "START"), "Decay Correction"),
        (|slice| slice.without(tags::DECAY_CORRECTION), "Decay Correction"),
        (|slice| slice.text(tags::CORRECTED_IMAGE, VR::CS, "SCAT"), "Corrected Image"),
        (|slice| slice.text(tags::SERIES_TYPE, VR::CS, "WHOLE BODY\\IMAGE"), "Series Type"),
        (|slice| slice.text(tags::SERIES_TYPE, VR::CS, "GATED\\IMAGE"), "gated series"),
        (|slice| slice.text(tags::COUNTS_SOURCE, VR::CS, "TRANSMISSION"), "transmission image"),
    ];
    for (change, what) in changes {
        let reason = with_last(change).expect("two stories");
        assert!(reason.contains(what), "{what}: {reason}");
    }
    let code = Made::item().text(tags::CODE_MEANING, VR::LO, "^18^Fluorine");
    for (drug, what) in [
        (drug().numbers(tags::RADIONUCLIDE_HALF_LIFE, &[6586.2]), "the half-life: 1 of 3"),
        (drug().numbers(tags::RADIONUCLIDE_TOTAL_DOSE, &[1.95e8]), "the injected activity: 1 of 3"),
        (drug().items(tags::RADIONUCLIDE_CODE_SEQUENCE, vec![code]), "the radionuclide: 1 of 3"),
        (
            drug().text(tags::RADIOPHARMACEUTICAL_START_DATE_TIME, VR::DT, "20260302080000"),
            "the time of injection: 1 of 3",
        ),
    ] {
        let reason = with_drug(drug).expect("two radiopharmaceuticals");
        assert!(reason.contains(what), "{what}: {reason}");
    }
}

#[test]
fn the_start_of_a_series_is_one() {
    let begun = |last: &str| {
        let begun = |slice: Made, hour: &str| {
            slice.text(tags::DECAY_CORRECTION, VR::CS, "START").text(tags::SERIES_DATE, VR::DA, "20260302").text(
                tags::SERIES_TIME,
                VR::TM,
                hour,
            )
        };
        refused_stack((0..3).map(|at| begun(slice(at), if at == 2 { last } else { "100000" })), ACTIVITY)
    };
    assert_eq!(begun("100000"), None);
    assert!(begun("101000").expect("two starts").contains("up to 600 s apart"));
}

#[test]
fn averages_of_frames_are_one_moment() {
    let lasting =
        |last_ms: &'static str| with_last(move |slice| slice.text(tags::ACTUAL_FRAME_DURATION, VR::IS, last_ms));
    assert_eq!(lasting("360000"), None, "half a minute more is half a percent");
    assert!(lasting("900000").expect("two averages").contains("averages lie up to"));
}

#[test]
fn what_was_not_corrected_lists_no_correction() {
    let listed = refused_stack((0..2).map(|at| slice(at).text(tags::CORRECTED_IMAGE, VR::CS, "DECY\\ATTN")), ACTIVITY);
    assert!(listed.expect("two claims").contains("it lists DECY"));
}

/// An enhanced PET of two frames that was not corrected for decay.
///
/// * `second` – when its second frame began; the first does so at 10:00
fn enhanced(second: &str, corrected: &str) -> Made {
    let frame = |begun: &str, z: f64| {
        let content = Made::item()
            .text(tags::FRAME_ACQUISITION_DATE_TIME, VR::DT, &format!("20260302{begun}"))
            .double(tags::FRAME_ACQUISITION_DURATION, 300_000.0);
        let position = Made::item().numbers(tags::IMAGE_POSITION_PATIENT, &[-10.0, -10.0, z]);
        Made::item()
            .items(tags::FRAME_CONTENT_SEQUENCE, vec![content])
            .items(tags::PLANE_POSITION_SEQUENCE, vec![position])
    };
    slice(0)
        .without(tags::DECAY_CORRECTION)
        .without(tags::IMAGE_POSITION_PATIENT)
        .text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.130")
        .text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\VOLUME\\NONE")
        .text(tags::DECAY_CORRECTED, VR::CS, corrected)
        .items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, vec![frame("100000", 0.0), frame(second, 5.0)])
        .pixels([4, 4, 2], &[1034; 32])
}

#[test]
fn frames_without_decay_correction_belong_to_one_moment_or_are_refused() {
    let image = activity_of(&enhanced("100000", "NO"), None).expect("an activity");
    let activity = image.account.activity.expect("an activity");
    // Half of 300 s, less λT²/24.
    assert_eq!(activity.reference_time.as_deref(), Some("2026-03-02T10:02:29"));
    assert_eq!(activity.reference_event.as_deref(), Some("frame average"));
    let later = activity_of(&enhanced("100050", "NO"), None).expect("half a percent has decayed");
    assert!(later.warnings.iter().any(|warning| warning.contains("50 s apart")), "{:?}", later.warnings);
    assert!(refused(&enhanced("102000", "NO")).contains("up to 1200 s apart"));
    assert!(refused(&enhanced("100000", "MAYBE")).contains("neither YES nor NO"));
}

#[test]
fn doses_of_a_series_are_of_one_kind() {
    let dose = |at: u16, kind: &str| {
        Made::of_class("481.2", "RTDOSE")
            .text(tags::SOP_INSTANCE_UID, VR::UI, &format!("1.2.3.7.{at}"))
            .numbers(tags::IMAGE_POSITION_PATIENT, &[-10.0, -10.0, 5.0 * f64::from(at)])
            .numbers(tags::IMAGE_ORIENTATION_PATIENT, &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
            .numbers(tags::PIXEL_SPACING, &[5.0, 5.0])
            .text(tags::DOSE_UNITS, VR::CS, "GY")
            .text(tags::DOSE_TYPE, VR::CS, kind)
            .numbers(tags::DOSE_GRID_SCALING, &[0.001])
            .pixels([4, 4, 1], &[at; 16])
    };
    let of = |second: &str| refused_stack([dose(0, "PHYSICAL"), dose(1, second)], Wanted::Dose { kind: None });
    assert_eq!(of("PHYSICAL"), None);
    assert!(of("EFFECTIVE").expect("two kinds").contains("Dose Type"));
}
