//! Words for people: one and many, and numbers as they are written by hand.

use std::fmt::Display;

/// Numbers from here on, and to here, are written with a power of ten.
const PLAIN: std::ops::Range<f64> = 1e-4..1e7;

/// `1 voxel`, `2 voxels`.
pub fn voxels<N: Display + PartialEq + From<u8>>(count: N) -> String {
    if count == N::from(1) { "1 voxel".to_owned() } else { format!("{count} voxels") }
}

/// `1 study`, `2 studies`.
pub fn of(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A name as it is told from others: neither case nor blanks at its ends make another of it, and blanks between its
/// words count once.
pub fn same_name(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The verb of so many.
pub fn are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// The same in the past.
pub fn were(count: usize) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

/// A number without a power of ten where people would write it so.
pub fn plain(number: f64) -> String {
    if number == 0.0 || PLAIN.contains(&number.abs()) { format!("{number}") } else { format!("{number:e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        let said = |count: usize| format!("{} {} below 0", voxels(count), are(count));
        assert_eq!([said(0), said(1), said(2)], ["0 voxels are below 0", "1 voxel is below 0", "2 voxels are below 0"]);
        assert_eq!([were(1), were(5)], ["was", "were"]);
        assert_eq!([of(1, "study", "studies"), of(0, "study", "studies")], ["1 study", "0 studies"]);
    }

    #[test]
    fn case_and_blanks_make_no_other_name() {
        assert_eq!(same_name(" Left  KIDNEY\u{a0}"), same_name("left kidney"));
        assert_ne!(same_name("left kidney"), same_name("left_kidney"));
    }

    #[test]
    fn numbers_are_written_as_by_hand() {
        for (number, text) in [(0.0, "0"), (25.0, "25"), (0.01, "0.01"), (1e4, "10000"), (1e18, "1e18"), (1e-5, "1e-5")]
        {
            assert_eq!(plain(number), text);
        }
    }
}
