//! What the files of a series have to say alike, since it is read once for all of them.

use dicom_dictionary_std::tags;

use super::attributes::{Attributes, Object};
use super::radiopharmaceutical::Radiopharmaceutical;
use super::series::Series;
use super::times::{self, Moment};
use crate::domain::Invalid;

/// Relative difference of two numbers that is one of their last digits, which writers round as they like.
const SAME_NUMBER: f64 = 1e-4;

/// Whether the files of an activity tell one story of its decay and its radiopharmaceutical.
///
/// * `scan` – when the scan began, for injections without a date
///
/// # Errors
/// What they tell differently.
pub(super) fn check_activity(series: &Series, scan: Option<Moment>) -> Result<(), Invalid> {
    let upper = |text: Option<String>| text.map(|text| text.to_uppercase());
    // A file that does not say how its decay was corrected is not known to be like the others.
    alike(series, "Decay Correction", |object| Some(upper(object.text(tags::DECAY_CORRECTION))))?;
    alike(series, "Decay Corrected", |object| Some(upper(object.text(tags::DECAY_CORRECTED))))?;
    alike(series, "Decay Correction DateTime", |object| {
        Some(times::moment(object, object, tags::DECAY_CORRECTION_DATE_TIME))
    })?;
    alike(series, "Corrected Image", |object| {
        let mut words = object.words(tags::CORRECTED_IMAGE);
        words.sort();
        (!words.is_empty()).then_some(words)
    })?;
    alike(series, "Series Type", |object| Some(object.words(tags::SERIES_TYPE)).filter(|words| !words.is_empty()))?;
    alike(series, "the radionuclide", nuclide)?;
    let drug = |object: &Object| Radiopharmaceutical::of(object, series.kind, scan);
    let is_same = |a: &f64, b: &f64| (a - b).abs() <= SAME_NUMBER * a.abs().max(b.abs());
    alike_by(series, "the half-life", |object| drug(object).half_life_s, is_same)?;
    alike_by(series, "the injected activity", |object| drug(object).injected_bq, is_same)?;
    alike(series, "the time of injection", |object| drug(object).injected_at)
}

/// Whether the files of a dose are of one kind.
///
/// # Errors
/// If they are not.
pub(super) fn check_dose(series: &Series) -> Result<(), Invalid> {
    alike(series, "Dose Type", |object| object.text(tags::DOSE_TYPE))?;
    alike(series, "Dose Summation Type", |object| object.text(tags::DOSE_SUMMATION_TYPE))
}

/// The code of a radionuclide, known to this program or not.
fn nuclide(object: &Object) -> Option<[Option<String>; 2]> {
    let drug = object.item(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE)?;
    let code = drug.item(tags::RADIONUCLIDE_CODE_SEQUENCE)?;
    Some([tags::CODE_VALUE, tags::CODE_MEANING].map(|tag| code.text(tag)))
}

/// Whether all files that say something say the same.
///
/// * `what` – its name
/// * `said` – what a file says; none where it says nothing
fn alike<T: PartialEq>(series: &Series, what: &str, said: impl Fn(&Object) -> Option<T>) -> Result<(), Invalid> {
    alike_by(series, what, said, |a, b| a == b)
}

/// * `is_same` – of what two files say
fn alike_by<T>(
    series: &Series,
    what: &str,
    said: impl Fn(&Object) -> Option<T>,
    is_same: impl Fn(&T, &T) -> bool,
) -> Result<(), Invalid> {
    let mut told = series.instances.iter().filter_map(|one| said(&one.object));
    let Some(first) = told.next() else { return Ok(()) };
    match told.filter(|other| !is_same(other, &first)).count() {
        0 => Ok(()),
        others => Err(Invalid::new(format!(
            "mixes files that disagree about {what}: {others} of {} say something else than the first",
            series.instances.len()
        ))),
    }
}
