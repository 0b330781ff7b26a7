//! Real world value maps: from ranges of stored values to values in a unit.
//!
//! Source: DICOM PS3.3, C.7.6.16.2.11 (Real World Value Mapping).

use dicom_dictionary_std::tags;

use super::attributes::{Attributes, Object, unit_code};
use super::pixels::Layout;
use super::scale::{Line, Scale};
use crate::domain::Invalid;

/// The maps to a unit, put together; none where there is none.
///
/// * `factor` – of the unit, if it is wanted
pub(super) fn map_in(
    items: &[&Object],
    layout: &Layout,
    factor: impl Fn(&str) -> Option<f64>,
) -> Result<Option<Scale>, Invalid> {
    let mut found: Vec<Scale> = Vec::new();
    for item in items {
        let Some(factor) = unit_code(item).as_deref().and_then(&factor) else { continue };
        found.push(map_of(item, layout)?.times(factor));
    }
    let mut lines = Vec::new();
    for scale in &found {
        for other in &found {
            if !scale.agrees(other, layout.range()) {
                return Err(Invalid::new("has two Real World Value Maps of one unit that disagree"));
            }
        }
        match scale {
            Scale::Lines(own) => lines.extend(own.iter().copied()),
            Scale::Table { .. } => return Ok(Some(scale.clone())),
        }
    }
    Ok((!lines.is_empty()).then_some(Scale::Lines(lines)))
}

/// A map as it is written.
fn map_of(item: &Object, layout: &Layout) -> Result<Scale, Invalid> {
    let bad = |what: &str| Invalid::new(format!("has a Real World Value Map {what}"));
    let (first, last) = range_of(item, layout.signed);
    if first.zip(last).is_some_and(|(first, last)| first > last) {
        return Err(bad("whose range ends before it begins"));
    }
    for tag in [tags::REAL_WORLD_VALUE_SLOPE, tags::REAL_WORLD_VALUE_INTERCEPT] {
        if item.text(tag).is_some() && item.number(tag).is_none() {
            return Err(bad("whose slope or intercept is no number"));
        }
    }
    let slope = match item.numbers(tags::REAL_WORLD_VALUE_SLOPE).as_deref() {
        Some([slope]) if *slope < 0.0 => return Err(bad("whose slope is below 0")),
        Some([slope]) => Some(*slope).filter(|slope| *slope != 0.0),
        Some(_) => return Err(bad("with several slopes")),
        None => None,
    };
    let line = slope.map(|slope| Line {
        slope,
        intercept: item.number(tags::REAL_WORLD_VALUE_INTERCEPT).unwrap_or(0.0),
        first: first.unwrap_or(f64::NEG_INFINITY),
        last: last.unwrap_or(f64::INFINITY),
    });
    let Some(values) = item.numbers(tags::REAL_WORLD_VALUE_LUT_DATA) else {
        return Ok(Scale::Lines(vec![line.ok_or_else(|| bad("without a slope"))?]));
    };
    let first = first.ok_or_else(|| bad("with a table that does not say where it begins"))?;
    if last.is_some_and(|last| last - first + 1.0 != values.len() as f64) {
        return Err(bad("with a table of more or fewer values than its range"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "a stored value")]
    let table = Scale::Table { first: first as i64, values };
    if line.is_some_and(|line| !table.agrees(&Scale::Lines(vec![line]), layout.range())) {
        return Err(bad("with a table and a slope that disagree"));
    }
    Ok(table)
}

/// The first and the last stored value of a map, where it says them.
///
/// Their representation ought to be that of the pixels, but some write them unsigned beside signed pixels, or the other
/// way round, and parsers take them for what the pixels are. So their bits are read with the sign of the pixels if they
/// rise so, and with the other sign else, such as 0 to 65535 of signed pixels: stored values beyond that range are then
/// in none.
///
/// * `signed` – whether the pixels are
fn range_of(item: &Object, signed: bool) -> (Option<f64>, Option<f64>) {
    const VALUES: f64 = 65_536.0;
    let read = |signed: bool| {
        let with_sign = |number: f64| match number {
            high if signed && high >= VALUES / 2.0 => high - VALUES,
            low if !signed && low < 0.0 => low + VALUES,
            number => number,
        };
        let end = |whole, double| item.number(double).or_else(|| item.number(whole).map(with_sign));
        (
            end(tags::REAL_WORLD_VALUE_FIRST_VALUE_MAPPED, tags::DOUBLE_FLOAT_REAL_WORLD_VALUE_FIRST_VALUE_MAPPED),
            end(tags::REAL_WORLD_VALUE_LAST_VALUE_MAPPED, tags::DOUBLE_FLOAT_REAL_WORLD_VALUE_LAST_VALUE_MAPPED),
        )
    };
    let rises = |(first, last): &(Option<f64>, Option<f64>)| first.zip(*last).is_none_or(|(a, b)| a <= b);
    let as_pixels = read(signed);
    if rises(&as_pixels) { as_pixels } else { Some(read(!signed)).filter(rises).unwrap_or(as_pixels) }
}

#[cfg(test)]
mod tests {
    use dicom_core::{DataElement, PrimitiveValue, VR};

    use super::*;

    #[test]
    fn the_sign_of_a_range_is_that_of_the_pixels_where_it_rises_so() {
        let range = |signed, vr, values: [i32; 2]| {
            let ends = [tags::REAL_WORLD_VALUE_FIRST_VALUE_MAPPED, tags::REAL_WORLD_VALUE_LAST_VALUE_MAPPED];
            let elements = ends.into_iter().zip(values);
            let item = Object::from_element_iter(
                elements.map(|(tag, value)| DataElement::new(tag, vr, PrimitiveValue::from(value))),
            );
            let (first, last) = range_of(&item, signed);
            [first.expect("a first"), last.expect("a last")]
        };
        assert_eq!(range(true, VR::US, [0, 65_535]), [0.0, 65_535.0], "not 0 to −1");
        assert_eq!(range(true, VR::US, [64_536, 1000]), [-1000.0, 1000.0]);
        assert_eq!(range(true, VR::US, [32_768, 32_767]), [-32_768.0, 32_767.0]);
        assert_eq!(range(true, VR::SS, [-1000, 1000]), [-1000.0, 1000.0]);
        assert_eq!(range(true, VR::SS, [0, -1]), [0.0, 65_535.0], "as a parser takes it");
        assert_eq!(range(false, VR::US, [0, 65_535]), [0.0, 65_535.0]);
        assert_eq!(range(false, VR::SS, [0, -1]), [0.0, 65_535.0]);
        assert_eq!(range(false, VR::SS, [-1000, 1000]), [-1000.0, 1000.0]);
        assert_eq!(range(true, VR::US, [1000, 10]), [1000.0, 10.0], "no reading rises");
    }
}
