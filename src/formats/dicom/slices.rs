//! The slices of a series: whether all are there, and which of them are one slice that is there twice.

use dicom_core::Tag;
use dicom_core::header::Header;
use dicom_dictionary_std::tags;
use dicom_object::mem::InMemElement;

use super::attributes::{Attributes, Frame, Object};
use super::pixels::Stored;
use super::radiopharmaceutical::philips_factor;
use super::series::{Instance, Kind, Series};
use super::stack::Plane;
use super::times;
use crate::domain::Invalid;

/// Whether all slices are there that the files speak of.
pub(super) fn check_all_there(series: &Series, slices: usize) -> Result<(), Invalid> {
    let highest = |tag| series.instances.iter().filter_map(|one| one.object.count(tag)).max().unwrap_or(0);
    let parts = highest(tags::IN_CONCATENATION_TOTAL_NUMBER);
    if parts > series.instances.len() {
        return Err(Invalid::new(format!(
            "is a part of an image: {} of {parts} files of a concatenation are there; fetch the others",
            series.instances.len()
        )));
    }
    let expected = if matches!(series.kind, Kind::Nm | Kind::Pet) { highest(tags::NUMBER_OF_SLICES) } else { 0 };
    if expected > slices {
        return Err(Invalid::new(format!(
            "lacks slices: {slices} of {expected} are there (Number of Slices); fetch the others"
        )));
    }
    Ok(())
}

/// Items of a sequence by what they hold. Of data sets as they are in a file their lengths count too, and a length that
/// is not said is unlike itself.
struct Items<'a>(&'a [Object]);

impl PartialEq for Items<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(other.0).all(|(one, other)| hold_the_same(one, other))
    }
}

fn hold_the_same(one: &Object, other: &Object) -> bool {
    let is_same = |(one, other): (&InMemElement, &InMemElement)| match (one.items(), other.items()) {
        (Some(one), Some(other)) => Items(one) == Items(other),
        (None, None) => one.value().primitive() == other.value().primitive(),
        (Some(_), None) | (None, Some(_)) => false,
    };
    one.iter().map(|element| element.tag()).eq(other.iter().map(|element| element.tag()))
        && one.iter().zip(other.iter()).all(is_same)
}

/// What decides, beside the stored values of a plane, what it says.
fn meaning_of<'a>(series: &'a Series, plane: &Plane) -> impl PartialEq + use<'a> {
    const NUMBERS: [Tag; 4] =
        [tags::PIXEL_PADDING_VALUE, tags::PIXEL_PADDING_RANGE_LIMIT, tags::DECAY_FACTOR, tags::ACTUAL_FRAME_DURATION];
    const WORDS: [Tag; 3] = [tags::UNITS, tags::RESCALE_TYPE, tags::DECAY_CORRECTION];
    let object = &series.instances[plane.instance].object;
    let frame = Frame::new(object, plane.frame);
    let group = tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE;
    (
        [tags::RESCALE_SLOPE, tags::RESCALE_INTERCEPT].map(|tag| frame.number(group, tag)),
        NUMBERS.map(|tag| object.number(tag)),
        WORDS.map(|tag| object.text(tag)),
        Items(frame.group_items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE)),
        philips_factor(object),
        times::acquisition(object),
    )
}

/// Whether two planes at one place hold the same values.
pub(super) fn same_values(series: &Series, a: &Plane, b: &Plane) -> Result<bool, Invalid> {
    let (first, second) = (&series.instances[a.instance], &series.instances[b.instance]);
    if first.layout()? != second.layout()? || meaning_of(series, a) != meaning_of(series, b) {
        return Ok(false);
    }
    let frame = |instance: &Instance, frame| -> Result<Vec<u32>, Invalid> {
        let stored: Stored = instance.stored()?;
        instance.layout()?.frame(&stored, frame)
    };
    Ok(frame(first, a.frame)? == frame(second, b.frame)?)
}
