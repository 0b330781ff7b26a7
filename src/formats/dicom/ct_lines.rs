//! Whether all slices of a CT lead from stored values to CT numbers by one line.

use super::attributes::{Frame, Object};
use super::scale::{Line, rescale};
use super::vector::{Vector, place};
use crate::domain::Invalid;

/// Most slices that are named by their place.
const MAX_NAMED: usize = 4;

/// What to say of slices whose slope or intercept is not that of the others; nothing where all have one.
///
/// The standard lets each slice have its own (PS3.3, C.11.1), and some scanners write such series. So the values are
/// right as they are read, unless the header of a slice was damaged: then its density is wrong by as much.
///
/// * `slices` – of each, the file, the number of its frame from 0, and where it lies [mm]
///
/// # Errors
/// If a slope or intercept is none.
pub(super) fn differing<'a>(
    slices: impl Iterator<Item = (&'a Object, usize, Vector)>,
) -> Result<Option<String>, Invalid> {
    let mut found: Vec<(Line, Vec<Vector>)> = Vec::new();
    let mut count = 0usize;
    for (object, frame, position) in slices {
        count += 1;
        let line = rescale(Frame::new(object, frame))?.unwrap_or_else(|| Line::everywhere(1.0, 0.0));
        match found.iter_mut().find(|(other, _)| *other == line) {
            Some((_, places)) => places.push(position),
            None => found.push((line, vec![position])),
        }
    }
    if found.len() < 2 {
        return Ok(None);
    }
    let range = |of: fn(&Line) -> f64| {
        let (low, high) = found
            .iter()
            .map(|(line, _)| of(line))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
        if low < high { format!("{low} to {high}") } else { format!("{low}") }
    };
    let usual = found.iter().map(|(_, places)| places.len()).max().unwrap_or(0);
    let first_usual = found.iter().position(|(_, places)| places.len() == usual);
    let others: Vec<Vector> = (found.iter().enumerate())
        .filter(|(at, _)| Some(*at) != first_usual)
        .flat_map(|(_, (_, places))| places.iter().copied())
        .collect();
    let named: Vec<String> = others.iter().take(MAX_NAMED).map(|position| place(*position)).collect();
    let more = if others.len() > MAX_NAMED { ", …" } else { "" };
    Ok(Some(format!(
        "the slices have different Rescale Slopes ({}) or Intercepts ({}), {} of {count} other ones than the rest, at \
         {}{more}; each is read by its own: if a header was damaged, the density of its slice is wrong",
        range(|line| line.slope),
        range(|line| line.intercept),
        others.len(),
        named.join(", ")
    )))
}
