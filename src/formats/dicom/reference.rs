//! The moment that the values of an activity image stand for.
//!
//! Source: DICOM PS3.3, C.8.9.1 (PET series, Decay Correction), C.8.9.4 (PET image, Decay Factor, Frame Reference
//! Time).

use dicom_dictionary_std::tags;

use super::attributes::{Attributes, Frame, Object};
use super::radiopharmaceutical::Radiopharmaceutical;
use super::series::{Instance, Kind, Series};
use super::times::{self, Moment};
use crate::domain::Invalid;

/// How far a decay factor, as logarithm, may be from what a time gives: digits, and rounded durations.
const FACTOR_TOLERANCE: f64 = 0.01;
/// How far two times may be apart and mean the same [s].
const SAME_S: f64 = 30.0;

/// The moment, and what it is.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub(super) moment: Moment,
    pub(super) event: &'static str,
}

/// The moment that the values of a series stand for; none where the files do not say, with a warning.
///
/// # Errors
/// If what the files say of it does not agree.
pub(super) fn of_series(
    series: &Series,
    drug: &Radiopharmaceutical,
    warnings: &mut Vec<String>,
) -> Result<Option<Reference>, Invalid> {
    let object = series.first();
    let is_no_factor = |one: &Instance| {
        one.object.text(tags::DECAY_FACTOR).is_some()
            && one.object.number(tags::DECAY_FACTOR).is_none_or(|factor| factor <= 0.0)
    };
    if series.instances.iter().any(is_no_factor) {
        return Err(Invalid::new("has a Decay Factor that is not above 0"));
    }
    let found = if object.get(tags::DECAY_CORRECTED).is_some() || object.get(tags::DECAY_CORRECTION_DATE_TIME).is_some()
    {
        enhanced(series, drug, warnings)?
    } else {
        match object.text(tags::DECAY_CORRECTION).map(|word| word.to_uppercase()).as_deref() {
            Some("START") => at_start(series, drug, warnings)?,
            Some("ADMIN") => Some(at_injection(series, drug)?),
            Some("NONE") => averaged(series, drug, warnings)?,
            Some(_) => return Err(Invalid::new("has a Decay Correction that is none of START, ADMIN and NONE")),
            None if series.kind == Kind::Nm => start_of_acquisition(series, warnings)?,
            None => {
                let corrected = object.words(tags::CORRECTED_IMAGE).iter().any(|word| word == "DECY");
                warnings.push(format!(
                    "the file does not say to which moment its decay was corrected; {} is assumed",
                    if corrected { "the start of the series" } else { "that it was not corrected" }
                ));
                if corrected { at_start(series, drug, warnings)? } else { averaged(series, drug, warnings)? }
            }
        }
    };
    if found.is_none() {
        warnings.push("the file does not say when the activity was so: it has no reference time".into());
    }
    Ok(found)
}

/// The first of the starts of the acquisition.
fn first_acquisition(series: &Series) -> Option<Moment> {
    let starts = series.instances.iter().filter_map(|instance| times::acquisition(&instance.object));
    starts.min_by(|a, b| a.seconds_since(b).total_cmp(&0.0))
}

/// NM: the start of the acquisition, of one position.
///
/// # Errors
/// If its files are of several acquisitions.
fn start_of_acquisition(series: &Series, warnings: &mut Vec<String>) -> Result<Option<Reference>, Invalid> {
    let Some(moment) = first_acquisition(series) else {
        let Some(moment) = times::series(series.first()) else { return Ok(None) };
        warnings.push(format!(
            "the file does not say when its acquisition began; that of the series, {}, is taken, which may be when it \
             was reconstructed",
            moment.text()
        ));
        return Ok(Some(Reference { moment, event: "series start" }));
    };
    let starts = series.instances.iter().filter_map(|one| times::acquisition(&one.object));
    let apart_s = starts.map(|start| start.seconds_since(&moment)).fold(0.0, f64::max);
    if apart_s > SAME_S {
        return Err(Invalid::new(format!(
            "has files whose acquisitions began up to {apart_s:.0} s apart: positions that were scanned one after another \
             are not one moment; export one of them"
        )));
    }
    if says_nothing_of_one_acquisition(series) {
        warnings.push(format!(
            "its {} files have several slices each and one start of acquisition, and no Acquisition Number says that \
             they are of one: they are read as one moment; if they are positions that were scanned one after another, \
             export one of them",
            series.instances.len()
        ));
    }
    Ok(Some(Reference { moment, event: "acquisition start" }))
}

/// Whether files that may be positions of a bed are joined by the time of their acquisition alone.
fn says_nothing_of_one_acquisition(series: &Series) -> bool {
    let has_slices = |one: &Instance| one.layout.as_ref().is_ok_and(|layout| layout.frames > 1);
    let number = |one: &Instance| one.object.text(tags::ACQUISITION_NUMBER);
    let first = number(&series.instances[0]);
    series.instances.len() > 1
        && series.instances.iter().any(has_slices)
        && (first.is_none() || series.instances.iter().any(|one| number(one) != first))
}

/// Decay rate [1/s].
fn rate(drug: &Radiopharmaceutical) -> Option<f64> {
    drug.half_life_s.map(|half_life| std::f64::consts::LN_2 / half_life)
}

/// Duration of the frame of a file [s].
fn duration(instance: &Instance) -> Option<f64> {
    let milliseconds = Frame::new(&instance.object, 0)
        .number(tags::FRAME_CONTENT_SEQUENCE, tags::FRAME_ACQUISITION_DURATION)
        .or_else(|| instance.object.number(tags::ACTUAL_FRAME_DURATION));
    milliseconds.map(|ms| ms / 1000.0).filter(|seconds| *seconds > 0.0)
}

/// When in a frame a decaying activity has its mean [s after the start of the frame].
fn average_time(rate: Option<f64>, duration: f64) -> f64 {
    let Some(rate) = rate.filter(|rate| rate * duration > 1e-9) else { return duration / 2.0 };
    ((rate * duration) / -(-rate * duration).exp_m1()).ln() / rate
}

/// Corrected to the start of the series; or of the acquisition, where decay factors say so.
fn at_start(
    series: &Series,
    drug: &Radiopharmaceutical,
    warnings: &mut Vec<String>,
) -> Result<Option<Reference>, Invalid> {
    let (written, acquired) = (times::series(series.first()), first_acquisition(series));
    let starts = series.instances.iter().filter_map(|one| times::series(&one.object));
    let apart = starts.filter_map(|start| Some(start.seconds_since(&written?).abs())).fold(0.0, f64::max);
    if apart > SAME_S && !has_factor(series, drug) {
        return Err(Invalid::new(format!(
            "says that decay was corrected to the START, and has slices of series that began up to {apart:.0} s apart"
        )));
    }
    let reference = |moment| Some(Reference { moment, event: "START" });
    let (Some(start), Some(first)) = (written, acquired) else {
        return Ok(reference(match written.or(acquired) {
            Some(moment) => moment,
            None => return Ok(None),
        }));
    };
    // A factor of 1 may be one that nobody has set, and supports no other moment.
    if agrees(series, drug, start, factor) && !agrees(series, drug, start, any_factor) {
        return Err(Invalid::new(format!(
            "says that decay was corrected to the START, and its Decay Factors of 1 disagree: its acquisition, {}, did \
             not begin with the series, {}",
            first.text(),
            start.text()
        )));
    }
    if agrees(series, drug, start, factor) {
        // Nothing in the file supports a series that is later than what it was made from.
        let is_later = start.seconds_since(&first) > SAME_S;
        if !is_later || has_factor(series, drug) {
            return Ok(reference(start));
        }
        warnings.push(format!(
            "the series is dated {}, after its acquisition began at {}; the acquisition is taken as the START that decay \
             was corrected to",
            start.text(),
            first.text()
        ));
        return Ok(reference(first));
    }
    if agrees(series, drug, first, factor) {
        warnings.push(format!(
            "decay was corrected to the start of the acquisition, {}, as the decay factors say, and not to that of the \
             series, {}",
            first.text(),
            start.text()
        ));
        return Ok(reference(first));
    }
    Err(Invalid::new(format!(
        "says that decay was corrected to the START, and its Decay Factors disagree: they belong neither to the series, \
         {}, nor to the acquisition, {}",
        start.text(),
        first.text()
    )))
}

/// Corrected to the injection.
fn at_injection(series: &Series, drug: &Radiopharmaceutical) -> Result<Reference, Invalid> {
    let moment = drug.injected_at.ok_or_else(|| {
        Invalid::new(
            "says that decay was corrected to the injection (ADMIN), and does not say when that was, or says two times",
        )
    })?;
    // Over days, the correction by another half-life is far off.
    if drug.is_half_life_other {
        return Err(Invalid::new(
            "says that decay was corrected to the injection (ADMIN), and its half-life is not that of its nuclide: which \
             of them it was corrected by, nothing says",
        ));
    }
    if !agrees(series, drug, moment, any_factor) {
        return Err(Invalid::new(format!(
            "says that decay was corrected to the injection (ADMIN), {}, and its Decay Factors disagree with that time",
            moment.text()
        )));
    }
    Ok(Reference { moment, event: "ADMIN" })
}

/// A moment that stands for a frame.
#[derive(Clone, Copy)]
struct Average {
    moment: Moment,
    /// What it is made of.
    from: Source,
}

/// What the moment of a frame is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// It is written.
    Written,
    /// Start, duration and half-life.
    Frame,
    /// The start alone: the file does not say how long it took.
    Start,
}

/// When the frames of a file have their averages, as far as it says when they were.
fn averages(instance: &Instance, rate: Option<f64>) -> impl Iterator<Item = Average> {
    let object = &instance.object;
    let frames = instance.layout.as_ref().map_or(1, |layout| layout.frames);
    (0..frames).filter_map(move |frame| {
        let content = Frame::new(object, frame).group(tags::FRAME_CONTENT_SEQUENCE);
        let moment = |tag| content.and_then(|item| times::moment(object, item, tag));
        if let Some(moment) = moment(tags::FRAME_REFERENCE_DATE_TIME) {
            return Some(Average { moment, from: Source::Written });
        }
        let start = moment(tags::FRAME_ACQUISITION_DATE_TIME).or_else(|| times::acquisition(object))?;
        let milliseconds = content.and_then(|item| item.number(tags::FRAME_ACQUISITION_DURATION));
        let milliseconds = milliseconds.or_else(|| object.number(tags::ACTUAL_FRAME_DURATION));
        Some(match milliseconds.map(|ms| ms / 1000.0).filter(|seconds| *seconds > 0.0) {
            None => Average { moment: start, from: Source::Start },
            Some(seconds) => Average { moment: start.later(average_time(rate, seconds))?, from: Source::Frame },
        })
    })
}

/// Not corrected: each frame is the average over its time.
///
/// # Errors
/// If the files say elsewhere that they were corrected, or frames have their averages so far apart that their
/// activities do not belong to one moment.
fn averaged(
    series: &Series,
    drug: &Radiopharmaceutical,
    warnings: &mut Vec<String>,
) -> Result<Option<Reference>, Invalid> {
    if series.instances.iter().filter_map(|one| factor(&one.object)).any(|factor| factor.ln().abs() > FACTOR_TOLERANCE)
    {
        return Err(Invalid::new(
            "says that its decay was not corrected, and its Decay Factors disagree: they are not 1",
        ));
    }
    if series.instances.iter().any(|one| one.object.words(tags::CORRECTED_IMAGE).iter().any(|word| word == "DECY")) {
        return Err(Invalid::new(
            "says that its decay was not corrected, and its Corrected Image disagrees: it lists DECY",
        ));
    }
    let all: Vec<Average> = series.instances.iter().flat_map(|one| averages(one, rate(drug))).collect();
    let Some(first) = all.iter().min_by(|a, b| a.moment.seconds_since(&b.moment).total_cmp(&0.0)) else {
        return Ok(None);
    };
    let spread = all.iter().map(|one| one.moment.seconds_since(&first.moment)).fold(0.0, f64::max);
    if rate(drug).is_some_and(|rate| rate * spread > FACTOR_TOLERANCE) {
        return Err(Invalid::new(format!(
            "has slices whose averages lie up to {spread:.0} s apart without decay correction: its beds or frames do \
             not belong to one moment; export it corrected to the START"
        )));
    }
    if spread > SAME_S {
        warnings.push(format!(
            "the slices have their averages up to {spread:.0} s apart, as beds do, without decay correction; the time \
             is that of the first"
        ));
    }
    match first.from {
        Source::Start => {
            warnings.push("the file does not say how long its frame is; its start is taken for its average".into());
        }
        Source::Frame if rate(drug).is_none() => warnings
            .push("the file does not say its half-life; the middle of the frame is taken for its average".into()),
        Source::Written | Source::Frame => {}
    }
    let event = if first.from == Source::Start { "acquisition start" } else { "frame average" };
    Ok(Some(Reference { moment: first.moment, event }))
}

/// Enhanced PET: the moment is written, or decay was not corrected.
fn enhanced(
    series: &Series,
    drug: &Radiopharmaceutical,
    warnings: &mut Vec<String>,
) -> Result<Option<Reference>, Invalid> {
    let object = series.first();
    match object.text(tags::DECAY_CORRECTED).map(|word| word.to_uppercase()).as_deref() {
        None | Some("YES") => {
            let moment = times::moment(object, object, tags::DECAY_CORRECTION_DATE_TIME);
            Ok(moment.map(|moment| Reference { moment, event: "decay correction" }))
        }
        Some("NO") => averaged(series, drug, warnings),
        Some(_) => Err(Invalid::new("has a Decay Corrected that is neither YES nor NO")),
    }
}

/// Whether any file has what a decay factor is compared by.
fn has_factor(series: &Series, drug: &Radiopharmaceutical) -> bool {
    rate(drug).is_some()
        && series.instances.iter().any(|one| factor(&one.object).is_some() && times::acquisition(&one.object).is_some())
}

/// A decay factor that somebody has set: 1 may be what a factor is left at.
fn factor(object: &Object) -> Option<f64> {
    any_factor(object).filter(|factor| *factor != 1.0)
}

/// A decay factor, 1 too.
fn any_factor(object: &Object) -> Option<f64> {
    object.number(tags::DECAY_FACTOR).filter(|factor| *factor > 0.0)
}

/// Whether the decay factors of all files belong to a correction to this moment. A factor may count the decay within
/// the frame or not.
///
/// * `factor` – the factor of a file, if it counts
fn agrees(series: &Series, drug: &Radiopharmaceutical, moment: Moment, factor: fn(&Object) -> Option<f64>) -> bool {
    let Some(rate) = rate(drug) else { return true };
    series.instances.iter().all(|instance| {
        let Some((factor, start)) = factor(&instance.object).zip(times::acquisition(&instance.object)) else {
            return true;
        };
        let before = rate * start.seconds_since(&moment);
        let within = duration(instance).map_or(0.0, |duration| rate * average_time(Some(rate), duration));
        let low = before - FACTOR_TOLERANCE - 1.0 * rate;
        let high = before + within + FACTOR_TOLERANCE + 1.0 * rate;
        // Between the start of the frame and its average, or at either.
        let is_near = |expected: f64| (factor.ln() - expected).abs() <= FACTOR_TOLERANCE + rate;
        (low..=high).contains(&factor.ln()) && (is_near(before) || is_near(before + within))
    })
}
