//! Activity concentration: quantitative or refused, with the time that it stands for.

use dicom_dictionary_std::tags;

use super::account::{ActivityAccount, Calibration};
use super::agreement;
use super::attributes::{Attributes, Object};
use super::image::{Maps, Picture, ValueOf};
use super::radiopharmaceutical::Radiopharmaceutical;
use super::reference;
use super::scale::{CountScale, Meaning, NotActivity, meaning};
use super::series::{Instance, Kind};
use super::times;
use crate::domain::Invalid;

/// Bq in an MBq.
const BQ_PER_MBQ: f64 = 1e6;
/// How the reason begins why an image without a calibration or a unit is refused.
pub const NOT_QUANTITATIVE: &str = "is not quantitative";

/// Reads the values [Bq/mL].
///
/// # Errors
/// If the image is not quantitative, and no calibration makes it so; or if it is, and one is given.
pub(super) fn read(
    picture: &Picture<'_>,
    maps: &Maps<'_>,
    calibration: Option<Calibration>,
    warnings: &mut Vec<String>,
) -> Result<(Vec<f32>, ActivityAccount), Invalid> {
    let series = picture.series;
    check_counts_of_patient(picture)?;
    let first = &series.instances[picture.planes[0].instance];
    let found = meaning(&first.object, picture.planes[0].frame, first.layout()?, maps.of_image(&first.object))?;
    let (factor, scale) = match (&found, calibration) {
        (Meaning::Activity(scale), None) => (1.0, format!("{}, to Bq/mL", scale.source)),
        (Meaning::Activity(scale), Some(_)) => {
            return Err(Invalid::new(format!(
                "is in Bq/mL already by its {}; a calibration beside it would be a second, conflicting claim",
                scale.source
            )));
        }
        (Meaning::Not(not), None) => return Err(Invalid::new(refusal(not))),
        (Meaning::Not(not), Some(calibration)) => {
            let counts = not.counts.as_ref().ok_or_else(|| {
                Invalid::new(format!(
                    "{NOT_QUANTITATIVE}: its values are {}, not counts that a calibration is for",
                    not.is
                ))
            })?;
            let seconds = seconds_of(first, &calibration)?;
            let voxel_ml = picture.grid.voxel_volume_cm3();
            let words =
                format!("{}, calibrated with {} cps per MBq over {seconds} s", counts.source, calibration.cps_per_mbq);
            if counts.source == "Rescale Slope, no unit" {
                warnings
                    .push("the Rescale Slope has no unit; with the calibration its product is taken as counts".into());
            }
            warnings
                .extend(durations(first).map(|words| format!("the calibration was used with {seconds} s; {words}")));
            (BQ_PER_MBQ / (calibration.cps_per_mbq * seconds * voxel_ml), words)
        }
    };
    let is_activity = matches!(found, Meaning::Activity(_));
    let values = picture.fill(
        |object, frame, layout| {
            let scale = match meaning(object, frame, layout, maps.of_image(object))? {
                Meaning::Activity(activity) if is_activity => activity.scale,
                Meaning::Not(NotActivity { counts: Some(CountScale { scale, .. }), .. }) if !is_activity => scale,
                Meaning::Activity(_) | Meaning::Not(_) => {
                    return Err(Invalid::new("has slices of which some are activity and others are not"));
                }
            };
            Ok(Box::new(move |stored, _| scale.value(stored).map(|value| value * factor)) as ValueOf<'_>)
        },
        warnings,
    )?;
    let sum: f64 = values.iter().map(|value| f64::from(*value)).sum();
    let total_mbq = sum * picture.grid.voxel_volume_cm3() / BQ_PER_MBQ;
    if total_mbq < 0.0 {
        return Err(Invalid::new(format!("holds a total activity below 0, {total_mbq:.3} MBq")));
    }
    let account = account(picture, scale, total_mbq, calibration, warnings)?;
    Ok((values, account))
}

/// Whether it is an emission image of one moment.
fn check_counts_of_patient(picture: &Picture<'_>) -> Result<(), Invalid> {
    picture.series.instances.iter().try_for_each(|instance| check_counts_of_file(&instance.object))
}

pub(super) fn check_counts_of_file(object: &Object) -> Result<(), Invalid> {
    if object.text(tags::COUNTS_SOURCE).as_deref() == Some("TRANSMISSION") {
        return Err(Invalid::new("is a transmission image (Counts Source), not activity"));
    }
    let kinds = object.words(tags::SERIES_TYPE);
    match kinds.first().map(String::as_str) {
        Some("GATED") => return Err(Invalid::new("is a gated series (Series Type GATED): it is not one moment")),
        Some("DYNAMIC") if object.count(tags::NUMBER_OF_TIME_SLICES).is_some_and(|count| count > 1) => {
            return Err(Invalid::new("is a dynamic series of several time slices; export one of them"));
        }
        _ => {}
    }
    if kinds.get(1).map(String::as_str) == Some("REPROJECTION") {
        return Err(Invalid::new("is a reprojection (Series Type REPROJECTION), not a volume"));
    }
    Ok(())
}

/// Why an image is not activity, and what to do.
fn refusal(not: &NotActivity) -> String {
    let next = if not.counts.is_some() {
        "; it needs a calibration: --calibration with the sensitivity in cps per MBq, and --acquisition-seconds"
    } else {
        "; export it in Bq/mL (Units BQML, or a Real World Value Map)"
    };
    format!("{NOT_QUANTITATIVE}: its values are {}{next}", not.is)
}

/// The seconds of acquisition that the caller gives.
fn seconds_of(first: &Instance, calibration: &Calibration) -> Result<f64, Invalid> {
    calibration.acquisition_seconds.ok_or_else(|| {
        let words = durations(first).unwrap_or_else(|| "the file does not list frames and their duration".into());
        Invalid::new(format!(
            "needs the seconds of acquisition beside the calibration, --acquisition-seconds: the duration over which \
             the counts were summed, as the calibration counts it; {words}"
        ))
    })
}

/// The durations that a file gives, in words: vendors count those of one head or of all.
fn durations(first: &Instance) -> Option<String> {
    let object = &first.object;
    let rotation = object.item(tags::ROTATION_INFORMATION_SEQUENCE)?;
    let frames = rotation.count(tags::NUMBER_OF_FRAMES_IN_ROTATION)?;
    let milliseconds = rotation.number(tags::ACTUAL_FRAME_DURATION)?;
    let listed = object.items(tags::DETECTOR_INFORMATION_SEQUENCE).len();
    let heads = object.count(tags::NUMBER_OF_DETECTORS).unwrap_or(listed).max(1);
    let each = frames as f64 * milliseconds / 1000.0;
    Some(format!(
        "the file lists {frames} frames × {} s = {each} s, and {heads} heads: {} s if the frames are those of each head",
        milliseconds / 1000.0,
        each * heads as f64
    ))
}

fn account(
    picture: &Picture<'_>,
    scale: String,
    total_mbq: f64,
    calibration: Option<Calibration>,
    warnings: &mut Vec<String>,
) -> Result<ActivityAccount, Invalid> {
    let series = picture.series;
    let object = series.first();
    if let Some(name) = series.instances.iter().find_map(|one| times::no_moment(&one.object)) {
        warnings.push(format!(
            "the {name} is no such thing; what other dates and times say stands in its place: look at the reference time"
        ));
    }
    let scan = times::acquisition(object).or_else(|| times::series(object));
    if let Some(scan) = scan.filter(|_| times::acquisition_day_is_assumed(object)) {
        warnings.push(format!("the acquisition has a time and no date; it is taken to have begun at {}", scan.text()));
    }
    let twice = series.instances.iter().find_map(|one| times::two_acquisitions(&one.object));
    if let Some([whole, parts]) = twice {
        return Err(Invalid::new(format!(
            "says twice when its acquisition began, and the two disagree: {} and {}",
            whole.text(),
            parts.text()
        )));
    }
    let drug = Radiopharmaceutical::of(object, series.kind, scan);
    if let Some(contradiction) = &drug.contradiction {
        return Err(Invalid::new(contradiction.as_str()));
    }
    warnings.extend(drug.warnings.iter().cloned());
    agreement::check_activity(series, scan)?;
    let reference = reference::of_series(series, &drug, warnings)?;
    if drug.injected_bq.is_some_and(|bq| total_mbq * BQ_PER_MBQ > bq) {
        warnings.push(format!(
            "holds {total_mbq:.1} MBq, more than the {:.1} MBq that were injected",
            drug.injected_bq.unwrap_or(0.0) / BQ_PER_MBQ
        ));
    }
    if series.kind == Kind::Pet {
        let corrected = object.words(tags::CORRECTED_IMAGE);
        let lacks = |word: &str| !corrected.is_empty() && !corrected.iter().any(|known| known.starts_with(word));
        if lacks("ATTN") {
            warnings.push("the image is not corrected for attenuation, by its Corrected Image".into());
        }
    }
    let since = |moment: Option<times::Moment>| {
        let (moment, injected) = moment.zip(drug.injected_at)?;
        Some(moment.seconds_since(&injected) / 3600.0)
    };
    Ok(ActivityAccount {
        scale,
        total_mbq,
        reference_time: reference.as_ref().map(|reference| reference.moment.text()),
        reference_event: reference.as_ref().map(|reference| reference.event.to_owned()),
        acquisition_time: scan.map(|moment| moment.text()),
        half_life_s: drug.half_life_s,
        nuclide: drug.nuclide.map(str::to_owned),
        injection: drug.injection(),
        hours_after_injection: since(reference.map(|reference| reference.moment)),
        scan_hours_after_injection: since(scan),
        calibration,
        injection_day_unknown: drug.is_day_unknown,
    })
}
