//! From stored values to activity: what a file says of its unit, and whether its claims agree.
//!
//! Source: DICOM PS3.3, C.8.9.1 (PET series, Units), C.11.1 (Modality LUT).

use dicom_dictionary_std::tags;

use super::attributes::{Attributes, Frame, Object, unit_code};
use super::pixels::Layout;
use super::radiopharmaceutical::philips_factor;
use super::real_world::map_in;
use super::units::{bq_per_ml, in_words, shown};
use crate::domain::Invalid;

/// Relative difference of two scales that is rounding: decimal strings have up to 16 characters, floats 7 digits.
const SAME_SCALE: f64 = 1e-4;

/// `value = slope · stored + intercept` for a range of stored values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) slope: f64,
    pub(super) intercept: f64,
    /// The first and the last stored value that it holds for.
    pub(super) first: f64,
    pub(super) last: f64,
}

impl Line {
    /// For every stored value.
    pub(super) fn everywhere(slope: f64, intercept: f64) -> Self {
        Self { slope, intercept, first: f64::NEG_INFINITY, last: f64::INFINITY }
    }

    fn at(&self, stored: f64) -> f64 {
        self.slope * stored + self.intercept
    }

    fn times(&self, factor: f64) -> Self {
        Self { slope: self.slope * factor, intercept: self.intercept * factor, ..*self }
    }
}

/// What stored values mean.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scale {
    /// By range; the first that holds a value counts.
    Lines(Vec<Line>),
    /// A value each, from the first on.
    Table { first: i64, values: Vec<f64> },
}

impl Scale {
    /// The value; none where no range holds it.
    pub(super) fn value(&self, stored: i64) -> Option<f64> {
        let number = stored as f64;
        match self {
            Self::Lines(lines) => {
                lines.iter().find(|line| (line.first..=line.last).contains(&number)).map(|line| line.at(number))
            }
            Self::Table { first, values } => {
                usize::try_from(stored - first).ok().and_then(|at| values.get(at)).copied()
            }
        }
    }

    pub(super) fn times(&self, factor: f64) -> Self {
        match self {
            Self::Lines(lines) => Self::Lines(lines.iter().map(|line| line.times(factor)).collect()),
            Self::Table { first, values } => {
                Self::Table { first: *first, values: values.iter().map(|value| value * factor).collect() }
            }
        }
    }

    /// Whether two give the same values where both give any.
    pub(super) fn agrees(&self, other: &Self, (low, high): (i64, i64)) -> bool {
        let mut points = vec![low, high, 0, 1, 1000, (low + high) / 2];
        for scale in [self, other] {
            match scale {
                Self::Lines(lines) => {
                    #[expect(clippy::cast_possible_truncation, reason = "a range of stored values")]
                    lines.iter().for_each(|line| {
                        points.extend([line.first.max(low as f64) as i64, line.last.min(high as f64) as i64]);
                    });
                }
                Self::Table { first, values } => points.extend((*first..).take(values.len())),
            }
        }
        let pairs = points.iter().filter_map(|point| self.value(*point).zip(other.value(*point)));
        let largest = points.iter().filter_map(|point| self.value(*point)).fold(0.0, |a: f64, b| a.max(b.abs()));
        pairs.into_iter().all(|(a, b)| (a - b).abs() <= SAME_SCALE * a.abs().max(b.abs()).max(1e-6 * largest))
    }

    /// For a message: the value of a stored 1.
    fn words(&self) -> String {
        match self {
            Self::Lines(lines) => {
                lines.first().map_or_else(String::new, |line| format!("{} a stored unit", line.slope))
            }
            Self::Table { values, .. } => format!("a table of {} values", values.len()),
        }
    }
}

/// A scale to activity concentration, and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ActivityScale {
    /// To Bq/mL.
    pub(super) scale: Scale,
    /// Where it came from.
    pub(super) source: &'static str,
}

/// A scale to counts, and whether a slope without a unit went into it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CountScale {
    pub(super) scale: Scale,
    pub(super) source: &'static str,
}

/// Why an image is not activity, and what would make it so.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NotActivity {
    /// What it is, in words.
    pub(super) is: String,
    /// Its counts, if it has any: a calibration makes activity of them.
    pub(super) counts: Option<CountScale>,
}

/// What the values of a frame say.
pub(super) enum Meaning {
    Activity(ActivityScale),
    Not(NotActivity),
}

/// Whether stored values lead to others by a line, or as they are.
///
/// # Errors
/// If they do so by a table.
pub(super) fn check_no_table(object: &Object) -> Result<(), Invalid> {
    if object.items(tags::MODALITY_LUT_SEQUENCE).is_empty() {
        return Ok(());
    }
    Err(Invalid::new("has a Modality LUT, a table from stored values to others, which is not read"))
}

/// Slope and intercept of a frame; none where it has neither.
///
/// # Errors
/// If the slope is not one number above 0, or is missing beside an intercept.
pub(super) fn rescale(frame: Frame<'_>) -> Result<Option<Line>, Invalid> {
    let group = tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE;
    let number = |tag, name: &str| match frame.numbers(group, tag).as_deref() {
        None if frame.is_there(group, tag) => Err(Invalid::new(format!("has a {name} that is no number"))),
        None => Ok(None),
        Some([one]) => Ok(Some(*one)),
        Some(several) => Err(Invalid::new(format!("has {} values of {name}, which is one", several.len()))),
    };
    let intercept = number(tags::RESCALE_INTERCEPT, "Rescale Intercept")?;
    match number(tags::RESCALE_SLOPE, "Rescale Slope")? {
        Some(0.0) => Err(Invalid::new("has a Rescale Slope of 0")),
        Some(slope) if slope < 0.0 => Err(Invalid::new("has a Rescale Slope below 0")),
        Some(slope) => Ok(Some(Line::everywhere(slope, intercept.unwrap_or(0.0)))),
        None if intercept.is_some_and(|intercept| intercept != 0.0) => {
            Err(Invalid::new("has a Rescale Intercept and no Rescale Slope"))
        }
        None => Ok(None),
    }
}

/// What the values of a frame mean.
///
/// * `maps` – real world value maps of the frame from elsewhere, beside its own
///
/// # Errors
/// If its claims disagree or make no sense.
pub(super) fn meaning(object: &Object, number: usize, layout: &Layout, maps: &[&Object]) -> Result<Meaning, Invalid> {
    let frame = Frame::new(object, number);
    check_no_table(object)?;
    let own = frame.group_items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE);
    let items: Vec<&Object> = own.iter().chain(maps.iter().copied()).collect();
    let rescaled = rescale(frame)?;
    let line = rescaled.unwrap_or_else(|| Line::everywhere(1.0, 0.0));
    let units = object.text(tags::UNITS).map(|units| units.to_uppercase());
    let mut claims: Vec<ActivityScale> = Vec::new();
    let mapped = map_in(&items, layout, bq_per_ml)?;
    claims.extend(mapped.map(|scale| ActivityScale { scale, source: "Real World Value Map" }));
    let by_units = units.as_deref().and_then(bq_per_ml);
    if by_units.is_some() && rescaled.is_none() && claims.is_empty() {
        return Err(Invalid::new(
            "has Units of activity, and no Rescale Slope that leads from its stored values to them",
        ));
    }
    if let Some(factor) = by_units.filter(|_| rescaled.is_some()) {
        check_rescale_type(frame, factor)?;
        let scale = Scale::Lines(vec![line.times(factor)]);
        claims.push(ActivityScale { scale, source: "Units and Rescale Slope" });
    }
    if let (Some("CNTS"), Some(factor)) = (units.as_deref(), philips_factor(object)) {
        let scale = Scale::Lines(vec![line.times(factor)]);
        claims.push(ActivityScale { scale, source: "Philips' activity concentration factor" });
    }
    let mut claims = claims.into_iter();
    let Some(first) = claims.next() else {
        return Ok(Meaning::Not(not_activity(&items, layout, units.as_deref(), rescaled)?));
    };
    for other in claims {
        if !first.scale.agrees(&other.scale, layout.range()) {
            return Err(Invalid::new(format!(
                "says twice what its values mean, and the two disagree: by its {} {} Bq/mL, by its {} {} Bq/mL",
                first.source,
                first.scale.words(),
                other.source,
                other.scale.words()
            )));
        }
    }
    Ok(Meaning::Activity(first))
}

/// Whether Rescale Type, where it is a unit of activity, is that of Units.
fn check_rescale_type(frame: Frame<'_>, factor: f64) -> Result<(), Invalid> {
    let group = frame.group(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE);
    let by_type = group.and_then(|item| item.text(tags::RESCALE_TYPE)).or_else(|| frame.text(tags::RESCALE_TYPE));
    match by_type.map(|text| text.to_uppercase()).as_deref().and_then(bq_per_ml) {
        Some(other) if (other / factor - 1.0).abs() > SAME_SCALE => {
            Err(Invalid::new("has a Rescale Type and Units that disagree about the unit of its values"))
        }
        Some(_) | None => Ok(()),
    }
}

/// What values are that are not activity.
fn not_activity(
    items: &[&Object],
    layout: &Layout,
    units: Option<&str>,
    rescaled: Option<Line>,
) -> Result<NotActivity, Invalid> {
    let is_counts = |unit: &str| matches!(unit.to_lowercase().as_str(), "{counts}" | "{count}" | "counts" | "{cnts}");
    if let Some(scale) = map_in(items, layout, |unit| is_counts(unit).then_some(1.0))? {
        let counts = Some(CountScale { scale, source: "Real World Value Map in {counts}" });
        return Ok(NotActivity { is: "counts, by its Real World Value Map".into(), counts });
    }
    let line = rescaled.unwrap_or_else(|| Line::everywhere(1.0, 0.0));
    let scale = Scale::Lines(vec![line]);
    if let Some(units) = units {
        let words = in_words(units);
        let is = format!("{} (Units {})", words.unwrap_or("in another unit"), shown(units));
        let counts = (units == "CNTS").then_some(CountScale { scale, source: "Units CNTS" });
        return Ok(NotActivity { is, counts });
    }
    if let Some(unit) = items.iter().find_map(|item| unit_code(item)) {
        let is = format!("in the unit {} of its Real World Value Map", shown(&unit));
        return Ok(NotActivity { is, counts: None });
    }
    let is = match rescaled {
        Some(line) if line != Line::everywhere(1.0, 0.0) => {
            "scaled by a Rescale Slope without a unit, and a slope is not a unit".to_owned()
        }
        Some(_) | None => "without a unit: counts".to_owned(),
    };
    let source = if rescaled.is_some() { "Rescale Slope, no unit" } else { "stored values" };
    Ok(NotActivity { is, counts: Some(CountScale { scale, source }) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_outside_every_range_has_no_meaning() {
        let lines = [(0.0, 99.0, 1.0), (100.0, 200.0, 10.0)];
        let scale = Scale::Lines(lines.map(|(first, last, slope)| Line { slope, intercept: 0.0, first, last }).into());
        assert_eq!((scale.value(99), scale.value(100), scale.value(201)), (Some(99.0), Some(1000.0), None));
        let table = Scale::Table { first: 10, values: vec![5.0, 7.0] };
        assert_eq!((table.value(9), table.value(11), table.value(12)), (None, Some(7.0), None));
    }
}
