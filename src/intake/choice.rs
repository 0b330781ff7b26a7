//! Words of a caller that stand for one of several, and the paths of faults.

use crate::clinic::by_name;
use crate::domain::Invalid;

/// What has a name, where one is given.
pub(super) fn named<T: Copy>(
    text: Option<&str>,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<Option<T>, Invalid> {
    text.filter(|text| !text.is_empty()).map(|text| by_name(text, all, name)).transpose()
}

/// The number of a measurement, from 0, and what of it is bad, of a path such as `point_3.time`.
pub(super) fn point_of(field: &str) -> Option<(usize, &str)> {
    let (number, name) = field.strip_prefix("point_")?.split_once('.')?;
    Some((number.parse::<usize>().ok()?.checked_sub(1)?, name))
}
