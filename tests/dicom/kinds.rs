//! Kinds of files beside the shared cases.

use std::path::Path;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use dosegrid::domain::Invalid;
use dosegrid::formats::dicom::{Calibration, DicomImage, Place, Wanted, read_image, read_inventory, read_labels};
use tempfile::TempDir;

use super::objects::{Made, ct, map, nm, nm_in_bq, squares, structures};

pub(super) fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

pub(super) fn activity_of(made: &Made, calibration: Option<Calibration>) -> Result<DicomImage, String> {
    let folder = folder();
    made.save(&folder.path().join("a"));
    read_image(Place::of(&folder.path().join("a")), Wanted::Activity { calibration }).map_err(|Invalid(reason)| reason)
}

pub(super) fn values(made: &Made) -> Vec<f32> {
    activity_of(made, None).expect("a good image").volume.into_vec()
}

pub(super) fn refused(made: &Made) -> String {
    activity_of(made, None).map(|image| image.volume).expect_err("it should be refused")
}

#[test]
fn nuclear_images_that_are_no_volume_are_refused_by_name() {
    let typed = |kind: &str| nm_in_bq().text(tags::IMAGE_TYPE, VR::CS, &format!("ORIGINAL\\PRIMARY\\{kind}\\EMISSION"));
    for (kind, word) in [
        ("TOMO", "projections"),
        ("STATIC", "planar"),
        ("WHOLE BODY", "whole body"),
        ("DYNAMIC", "dynamic"),
        ("GATED", "gated"),
        ("RECON GATED TOMO", "gated"),
    ] {
        let reason = refused(&typed(kind));
        assert!(reason.contains(word) && reason.contains("RECON TOMO"), "{kind}: {reason}");
    }
    let two_windows = nm_in_bq().short(tags::NUMBER_OF_ENERGY_WINDOWS, 2);
    assert!(refused(&two_windows).contains("2 energy windows"));
    let slots = nm_in_bq().shorts(tags::TIME_SLOT_VECTOR, &[1, 2]);
    assert!(refused(&slots).contains("2 time slots"));
}

#[test]
fn a_reconstructed_transmission_is_no_activity() {
    let made = nm_in_bq().text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\RECON TOMO\\TRANSMISSION");
    assert!(refused(&made).contains("transmission"));
}

#[test]
fn slices_are_numbered_by_their_vector() {
    let turned = nm_in_bq().shorts(tags::SLICE_VECTOR, &[2, 1]);
    assert_eq!(values(&turned), [50.0, 60.0, 70.0, 80.0, 10.0, 20.0, 30.0, 40.0]);
    let missing = nm_in_bq().shorts(tags::SLICE_VECTOR, &[1, 1]);
    assert!(refused(&missing).contains("same position"));
    assert!(refused(&nm_in_bq().without(tags::SPACING_BETWEEN_SLICES)).contains("Spacing Between Slices"));
}

#[test]
fn maps_hold_within_their_range() {
    let by_range = |last| {
        let maps = vec![map("Bq/ml", 10.0, [0, 4]), map("kBq/ml", 1.0, [5, last])];
        nm().items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, maps)
    };
    assert_eq!(values(&by_range(8)), [10.0, 20.0, 30.0, 40.0, 5000.0, 6000.0, 7000.0, 8000.0]);
    assert!(refused(&by_range(7)).contains("in no range"));
    let table = Made::item()
        .items(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, vec![Made::item().text(tags::CODE_VALUE, VR::SH, "MBq/mL")])
        .short(tags::REAL_WORLD_VALUE_FIRST_VALUE_MAPPED, 1)
        .short(tags::REAL_WORLD_VALUE_LAST_VALUE_MAPPED, 8);
    let mut table = nm().items(
        tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE,
        vec![{
            let mut table = table;
            let values: Vec<f64> = (1..=8).map(|n| f64::from(n) * 1e-6).collect();
            let values = dicom_core::PrimitiveValue::F64(values.into_iter().collect());
            table.0.put(dicom_core::DataElement::new(tags::REAL_WORLD_VALUE_LUT_DATA, VR::FD, values));
            table
        }],
    );
    assert_eq!(values(&table), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    table = nm().items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, vec![map("g/ml", 1.0, [0, 9])]);
    assert!(refused(&table).contains("g/ml"));
    let milli = nm().items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, vec![map("mBq/ml", 1.0, [0, 9])]);
    assert!(refused(&milli).contains("mBq/ml"));
    let two = vec![map("Bq/ml", 10.0, [0, 9]), map("Bq/ml", 11.0, [0, 9])];
    assert!(refused(&nm().items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, two)).contains("disagree"));
    let beside_suv = vec![map("g/ml", 1.0, [0, 9]), map("Bq/ml", 10.0, [0, 9])];
    assert_eq!(values(&nm().items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, beside_suv))[7], 80.0);
}

#[test]
fn what_a_program_did_not_know_is_read_by_its_tag() {
    let tag = tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE;
    let made = nm().unknown_items(tag, vec![map("Bq/ml", 10.0, [0, 65_535])]);
    assert_eq!(values(&made)[7], 80.0);
    // Without a length, as it should be.
    let mut bytes = made.bytes();
    let head = [0x40, 0, 0x96, 0x90, b'U', b'N', 0, 0];
    let at = bytes.windows(8).position(|window| window == head).expect("the sequence") + 8;
    bytes[at..at + 4].fill(0xFF);
    let folder = folder();
    let path = folder.path().join("a");
    std::fs::write(&path, &bytes).expect("a writable folder");
    let read = || read_image(Place::of(&path), Wanted::Activity { calibration: None });
    assert_eq!(read().expect("an activity").volume.as_slice()[7], 80.0);
    // A second map would be another one: no element is there twice.
    let end = bytes.len() - 28;
    assert_eq!(bytes[end..end + 4], [0xE0, 0x7F, 0x10, 0]);
    bytes.extend_from_within(end..);
    std::fs::write(&path, &bytes).expect("a writable folder");
    let Invalid(reason) = read().map(|image| image.volume).expect_err("twice");
    assert!(reason.contains("(7FE0,0010) is there twice"), "{reason}");
}

#[test]
fn a_range_of_signed_pixels_may_be_written_unsigned() {
    let made = |range, pixels: &[u16]| {
        nm().pixels([2, 2, 2], pixels)
            .short(tags::PIXEL_REPRESENTATION, 1)
            .items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, vec![map("Bq/ml", 10.0, range)])
    };
    let from_0_on = [0, 1, 2, 3, 4, 5, 6, 32_767];
    assert_eq!(values(&made([0, 65_535], &from_0_on))[6..], [60.0, 327_670.0]);
    assert_eq!(values(&made([0, 40_000], &from_0_on))[7], 327_670.0);
    // −5: whether the sign of the pixels is wrong or the range, nothing says.
    let below_0 = [0, 1, 2, 3, 4, 5, 6, 65_531];
    assert!(refused(&made([0, 65_535], &below_0)).contains("-5, which is in no range"));
    // −1000 to 1000, and the whole range of signed values.
    assert_eq!(values(&made([64_536, 1000], &below_0))[7], -50.0);
    assert_eq!(values(&made([32_768, 32_767], &below_0))[7], -50.0);
    assert!(refused(&made([64_536, 1000], &from_0_on)).contains("32767, which is in no range"));
    assert!(refused(&made([1000, 10], &from_0_on)).contains("ends before it begins"));
}

#[test]
fn stored_values_that_lead_on_by_a_table_are_refused() {
    let table = |made: Made| made.items(tags::MODALITY_LUT_SEQUENCE, vec![Made::item()]);
    assert!(refused(&table(nm_in_bq())).contains("Modality LUT"));
    let slice = table(ct(0.0, 0.0)).text(tags::SLICE_THICKNESS, VR::DS, "5");
    assert!(refused_stack([slice], Wanted::Ct).expect("a table").contains("Modality LUT"));
}

#[test]
fn a_unit_of_activity_needs_a_slope_to_it() {
    let units = nm().text(tags::UNITS, VR::CS, "BQML");
    assert!(refused(&units).contains("Rescale Slope"));
    let scaled = units.clone().numbers(tags::RESCALE_SLOPE, &[10.0]);
    assert_eq!(values(&scaled)[0], 10.0);
    let mapped = units.items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, vec![map("Bq/ml", 10.0, [0, 65_535])]);
    assert_eq!(values(&mapped)[0], 10.0);
}

#[test]
fn a_map_may_be_a_file_of_its_own() {
    let folder = folder();
    nm().save(&folder.path().join("image"));
    let image = Made::item().text(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, "1.2.3.1");
    let group = Made::item()
        .items(tags::REFERENCED_IMAGE_SEQUENCE, vec![image])
        .items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, vec![map("Bq/ml", 20.0, [0, 9])]);
    let file = Made::of_class("67", "RWV")
        .text(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.8")
        .items(tags::REFERENCED_IMAGE_REAL_WORLD_VALUE_MAPPING_SEQUENCE, vec![group]);
    file.save(&folder.path().join("map"));
    let image = read_image(Place::of(folder.path()), Wanted::Activity { calibration: None }).expect("activity");
    assert_eq!(image.volume.as_slice()[7], 160.0);
}

#[test]
fn a_calibration_is_for_counts_alone() {
    let calibration = Some(Calibration { cps_per_mbq: 10.0, acquisition_seconds: Some(100.0) });
    let image = activity_of(&nm(), calibration).expect("counts");
    // 1 count / (10 cps/MBq × 100 s) is 1000 Bq, in 1 mL.
    assert_eq!(image.volume.as_slice()[0], 1000.0);
    let conflict = activity_of(&nm_in_bq(), calibration).map(|image| image.volume).expect_err("two claims");
    assert!(conflict.contains("conflicting"), "{conflict}");
    let suv = nm().text(tags::UNITS, VR::CS, "GML");
    let suv = activity_of(&suv, calibration).map(|image| image.volume).expect_err("no counts");
    assert!(suv.contains("SUV"), "{suv}");
}

#[test]
fn times_keep_their_offset() {
    let drug = Made::item().numbers(tags::RADIONUCLIDE_TOTAL_DOSE, &[7400.0]).text(
        tags::RADIOPHARMACEUTICAL_START_DATE_TIME,
        VR::DT,
        "20260301100000+0000",
    );
    let made = nm_in_bq()
        .text(tags::TIMEZONE_OFFSET_FROM_UTC, VR::SH, "+0100")
        .items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![drug]);
    let image = activity_of(&made, None).expect("a good image");
    let activity = image.account.activity.expect("an activity");
    assert_eq!(activity.reference_time.as_deref(), Some("2026-03-02T12:00:00+01:00"));
    let injection = activity.injection.expect("an injection");
    assert_eq!(injection.time.as_deref(), Some("2026-03-01T11:00:00+01:00"));
    assert_eq!((injection.mbq, activity.hours_after_injection), (Some(7400.0), Some(25.0)));
}

/// A CT of slices 5 mm apart, and a file beside it.
pub(super) fn beside_a_ct(slices: u8, labels: &Made) -> TempDir {
    let folder = folder();
    for slice in 0..slices {
        let z = 5.0 * f64::from(slice);
        ct(z, z).save(&folder.path().join(format!("{slice}")));
    }
    labels.save(&folder.path().join("labels.dcm"));
    folder
}

fn voxels(folder: &Path) -> Vec<usize> {
    let labels = read_labels(Place::of(&folder.join("labels.dcm")), None, None).expect("labels");
    labels.organs.organs().iter().map(|organ| organ.voxels().len()).collect()
}

#[test]
fn contour_planes_denser_or_sparser_than_slices_fill_each_slice_once() {
    // Two planes a slice do not cancel one another. A plane every second slice fills that slice and the one below it,
    // which the first plane has not.
    let dense = structures(vec![squares(1, "DENSE", &[5.0, 7.5, 10.0, 12.5])]);
    assert_eq!(voxels(beside_a_ct(6, &dense).path()), [2 * 4]);
    let sparse = structures(vec![squares(1, "SPARSE", &[0.0, 10.0, 20.0])]);
    assert_eq!(voxels(beside_a_ct(6, &sparse).path()), [5 * 4]);
    let apart = structures(vec![squares(1, "APART", &[0.0, 20.0])]);
    assert_eq!(voxels(beside_a_ct(6, &apart).path()), [2 * 4]);
    let between = structures(vec![squares(1, "BETWEEN", &[2.5, 7.5, 12.5])]);
    assert_eq!(voxels(beside_a_ct(6, &between).path()), [3 * 4]);
}

#[test]
fn two_reconstructions_of_one_acquisition_are_one_time_point() {
    let folder = folder();
    nm_in_bq().save(&folder.path().join("a"));
    let again =
        nm_in_bq().text(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.9").text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.10");
    again.save(&folder.path().join("b"));
    let later =
        again.text(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.11").text(tags::ACQUISITION_DATE, VR::DA, "20260304");
    later.save(&folder.path().join("c"));
    let found = read_inventory(Place::of(folder.path()), None).expect("a folder");
    assert_eq!((found.series.len(), found.time_points), (3, 2));
    let marked: Vec<_> = found.series.iter().filter_map(|series| series.same_acquisition_as.as_deref()).collect();
    assert_eq!(marked.len(), 1);
}

#[test]
fn slices_of_two_frames_of_reference_do_not_mix() {
    let folder = folder();
    ct(0.0, 0.0).save(&folder.path().join("a"));
    ct(5.0, 0.0).text(tags::FRAME_OF_REFERENCE_UID, VR::UI, "1.2.3.99").save(&folder.path().join("b"));
    let Invalid(reason) = read_image(Place::of(folder.path()), Wanted::Ct).map(|image| image.volume).expect_err("two");
    assert!(reason.contains("frames of reference"), "{reason}");
}

/// Why a folder of these slices, 5 mm apart, is refused; none if it is not.
pub(super) fn refused_stack(slices: impl IntoIterator<Item = Made>, wanted: Wanted) -> Option<String> {
    let folder = folder();
    for (at, slice) in slices.into_iter().enumerate() {
        slice.save(&folder.path().join(at.to_string()));
    }
    read_image(Place::of(folder.path()), wanted).err().map(|Invalid(reason)| reason)
}

#[test]
fn slices_of_two_patients_do_not_mix() {
    let slice = |at: u8| ct(5.0 * f64::from(at), 0.0).text(tags::PATIENT_ID, VR::LO, if at < 2 { "A" } else { "B" });
    assert_eq!(refused_stack((0..2).map(slice), Wanted::Ct), None);
    let reason = refused_stack((0..3).map(slice), Wanted::Ct).expect("two patients");
    assert!(reason.contains("several patients") && reason.contains("1 of 3"), "{reason}");
}

#[test]
fn unsigned_values_of_a_ct_need_an_intercept() {
    let bare = |signed| {
        let slice = ct(0.0, 0.0).without(tags::RESCALE_SLOPE).without(tags::RESCALE_INTERCEPT);
        refused_stack(
            [slice.text(tags::SLICE_THICKNESS, VR::DS, "5").short(tags::PIXEL_REPRESENTATION, signed)],
            Wanted::Ct,
        )
    };
    assert!(bare(0).expect("no air").contains("Rescale Slope"));
    assert_eq!(bare(1), None);
}

/// A CT of two slices of these values [HU], of this Rescale Type.
fn typed(rescale_type: &str, values: [i32; 16]) -> [Made; 2] {
    let stored = values.map(|value| u16::try_from(value + 4096).expect("a CT number"));
    [0.0, 5.0].map(|z| {
        ct(z, 0.0)
            .numbers(tags::RESCALE_INTERCEPT, &[-4096.0])
            .text(tags::RESCALE_TYPE, VR::LO, rescale_type)
            .pixels([4, 4, 1], &stored)
    })
}

#[test]
fn only_hounsfield_units_are_a_ct() {
    let body = [-1000, -1000, -980, -850, -100, 0, 20, 30, 40, 50, 60, 100, 200, 300, 900, 1500];
    for unit in ["OD", "HU_MOD", "MGML", "Z_EFF", "ED", "EDW", "PCT"] {
        let reason = refused_stack(typed(unit, body), Wanted::Ct).expect("another unit");
        assert!(reason.contains(&format!("not HU but {unit}")), "{unit}: {reason}");
    }
    assert_eq!(refused_stack(typed("HU", [40; 16]), Wanted::Ct), None);
    assert!(refused_stack(typed("mm", body), Wanted::Ct).expect("another unit").contains("not HU"));
}

#[test]
fn values_without_a_unit_are_a_ct_where_they_look_like_one() {
    let body = [-1000, -1000, -980, -850, -100, 0, 20, 30, 40, 50, 60, 100, 200, 300, 900, 1500];
    let folder = folder();
    for (at, slice) in typed("US", body).into_iter().enumerate() {
        slice.save(&folder.path().join(at.to_string()));
    }
    let image = read_image(Place::of(folder.path()), Wanted::Ct).expect("a CT");
    assert!(image.warnings.iter().any(|warning| warning.contains("US (unspecified)")), "{:?}", image.warnings);
    assert_eq!(image.volume.as_slice()[..2], [-1000.0, -1000.0]);
    let listed = read_inventory(Place::of(folder.path()), None).expect("a folder");
    assert_eq!((&listed.series[0].refused, &listed.series[0].warnings), (&None, &image.warnings));
    // No air, as of a density in mg/mL or an effective atomic number; and values far below that of air.
    let mut low = body;
    low[0] = -2000;
    for values in [[40; 16], body.map(|value| value + 1024), low] {
        let reason = refused_stack(typed("US", values), Wanted::Ct).expect("no CT numbers");
        assert!(reason.contains("do not look like CT numbers"), "{reason}");
    }
    // Padding is none of the values: it may be as low as it likes, and is no air.
    let padded = |values| typed("US", values).map(|slice| slice.short(tags::PIXEL_PADDING_VALUE, 4096 - 2000));
    assert_eq!(refused_stack(padded(low), Wanted::Ct), None);
    let mut no_air = [40; 16];
    no_air[0] = -2000;
    assert!(refused_stack(padded(no_air), Wanted::Ct).is_some());
}

/// A PET slice without decay correction.
///
/// * `after_s` – how long after the first bed it was scanned [s], below an hour
pub(super) fn uncorrected(at: u8, after_s: u32, factor: &str) -> Made {
    let drug = Made::item().numbers(tags::RADIONUCLIDE_HALF_LIFE, &[4062.6]);
    ct(5.0 * f64::from(at), 0.0)
        .text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.128")
        .text(tags::MODALITY, VR::CS, "PT")
        .text(tags::UNITS, VR::CS, "BQML")
        .text(tags::DECAY_CORRECTION, VR::CS, "NONE")
        .text(tags::DECAY_FACTOR, VR::DS, factor)
        .text(tags::ACTUAL_FRAME_DURATION, VR::IS, "300000")
        .text(tags::ACQUISITION_DATE, VR::DA, "20260302")
        .text(tags::ACQUISITION_TIME, VR::TM, &format!("10{:02}{:02}", after_s / 60, after_s % 60))
        .items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![drug])
}

#[test]
fn beds_without_decay_correction_belong_to_one_moment_or_are_refused() {
    let beds = |apart_s: u32, factor: &str| {
        let slices: Vec<Made> = (0..4).map(|at| uncorrected(at, apart_s * u32::from(at / 2), factor)).collect();
        refused_stack(slices, Wanted::Activity { calibration: None })
    };
    assert_eq!(beds(0, "1"), None);
    assert_eq!(beds(50, "1"), None, "half a percent has decayed");
    assert!(beds(300, "1").expect("two beds").contains("up to 300 s apart"));
    assert!(beds(0, "1.8").expect("a contradiction").contains("Decay Factors"));
}

/// Why a PET of two slices is refused that was scanned an hour after the injection, of Ga-68; none if it is not.
///
/// * `series_time` – when the series began; the scan begins at 10:00
fn corrected_to(event: &str, series_time: &str, factor: &str) -> Option<String> {
    let slice = |at: u8| {
        let drug = Made::item().numbers(tags::RADIONUCLIDE_HALF_LIFE, &[4062.6]).text(
            tags::RADIOPHARMACEUTICAL_START_DATE_TIME,
            VR::DT,
            "20260302090000",
        );
        uncorrected(at, 0, factor)
            .text(tags::DECAY_CORRECTION, VR::CS, event)
            .text(tags::SERIES_DATE, VR::DA, "20260302")
            .text(tags::SERIES_TIME, VR::TM, series_time)
            .items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![drug])
    };
    refused_stack((0..2).map(slice), Wanted::Activity { calibration: None })
}

#[test]
fn a_decay_factor_that_belongs_to_another_moment_is_refused() {
    // An hour is a factor of 1.848, and 1.896 with the decay within a frame of 300 s.
    for good in ["1.848", "1.86", "1.896"] {
        assert_eq!(corrected_to("ADMIN", "100000", good), None, "{good}");
    }
    for bad in ["1", "1.0000", "1.02588", "1.80", "1.95", "0.541"] {
        let reason = corrected_to("ADMIN", "100000", bad).expect("two claims");
        assert!(reason.contains("Decay Factors disagree"), "{bad}: {reason}");
    }
    // An acquisition half an hour after its series began: 1.359 belongs to the series. What somebody has set may
    // belong to the acquisition; 1 may be what a factor is left at.
    assert_eq!(corrected_to("START", "100000", "1"), None);
    assert_eq!(corrected_to("START", "093000", "1.359"), None);
    assert_eq!(corrected_to("START", "093000", "1.02588"), None);
    for bad in ["1", "1.2"] {
        let reason = corrected_to("START", "093000", bad).expect("two claims");
        assert!(reason.contains("Decay Factors") && reason.contains("disagree"), "{bad}: {reason}");
    }
}

#[test]
fn a_truncated_slice_is_not_left_out() {
    let folder = folder();
    for z in [0.0, 5.0, 10.0] {
        ct(z, 0.0).save(&folder.path().join(format!("{z}")));
    }
    let bytes = ct(15.0, 0.0).bytes();
    std::fs::write(folder.path().join("15"), &bytes[..bytes.len() - 7]).expect("a writable folder");
    let Invalid(reason) = read_image(Place::of(folder.path()), Wanted::Ct).map(|image| image.volume).expect_err("cut");
    assert!(reason.contains("cut short") || reason.contains("cannot be read"), "{reason}");
}
