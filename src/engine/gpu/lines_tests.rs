//! Factors and the order of values, for every length.

use super::lines::{Lines, MARKER, busy_lanes, radices, row_slots, specialised};
use crate::math::smooth::is_smooth;

fn text(layout_and_direction: &str, length: usize) -> String {
    let lines = Lines { length, tile: 1, max_lanes: 256 };
    let (text, lanes) = specialised(&format!("{MARKER}{layout_and_direction}\n"), lines).expect("a stage of lines");
    assert!(lanes % 32 == 0 && lanes <= 256, "{length}: {lanes}");
    text
}

/// What stands in a text between two others.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).and_then(|(_, rest)| rest.split_once(after)).expect("it stands there").0
}

/// The value of a sum of digits such as `b / 7u % 8u * 16u + b % 7u`.
fn value(sum: &str, number: usize) -> usize {
    let number_of = |word: &str| word.strip_suffix('u').map_or(number, |digits| digits.parse().expect("a number"));
    let digit = |digit: &str| {
        let words: Vec<_> = digit.split_whitespace().collect();
        words[1..].chunks_exact(2).fold(number_of(words[0]), |value, pair| match pair[0] {
            "/" => value / number_of(pair[1]),
            "%" => value % number_of(pair[1]),
            "*" => value * number_of(pair[1]),
            other => panic!("{other} in {sum}"),
        })
    };
    sum.split(" + ").map(digit).sum()
}

#[test]
fn every_smooth_length_up_to_6144_has_factors() {
    for length in (1..=6144).filter(|&n| is_smooth(n)) {
        let radices = radices(length).expect("a smooth length");
        assert_eq!(radices.iter().product::<usize>(), length);
        assert!(radices.len() <= 5 && busy_lanes(length) * radices.iter().min().expect("a factor") == length);
    }
    assert_eq!((radices(11), radices(26), radices(0)), (None, None, None));
    assert_eq!(radices(288), Some(vec![16, 18]));
}

/// The factors of the forward transform leave frequency k where `position` says, and there its butterfly says k.
#[test]
fn every_length_up_to_6144_comes_out_in_natural_order() {
    for length in (1..=6144).filter(|&n| is_smooth(n)) {
        let radices = radices(length).expect("a smooth length");
        let (&last, outer) = radices.split_last().expect("a factor");
        let rows = text("rows forward", length);
        let position = between(&rows, "fn position(k: u32) -> u32 {\n    return ", ";");
        let columns = text("columns forward", length);
        let lowest = between(&columns, "let k = ", ";");
        for butterfly in 0..length / last {
            // Of a point, the digits of its place, first factor first; of its frequency the other way round.
            let (mut rest, mut weight, mut span, mut frequency) = (butterfly, 1, length / last, 0);
            for radix in outer {
                span /= radix;
                frequency += rest / span * weight;
                (rest, weight) = (rest % span, weight * radix);
            }
            assert_eq!(value(lowest, butterfly), frequency, "{length}: {butterfly}");
            for q in 0..last {
                assert_eq!(value(position, frequency + q * weight), butterfly * last + q, "{length}: {butterfly}, {q}");
            }
        }
    }
}

#[test]
fn neighbouring_lanes_read_rows_an_odd_number_of_values_apart() {
    for length in (1..=1024).filter(|&n| is_smooth(n)) {
        let last = *radices(length).and_then(|radices| radices.last().cloned()).as_ref().expect("a factor");
        assert!((row_slots(length) / (length / last)) % 2 == 1, "{length}");
    }
    assert_eq!(row_slots(2048), 2048, "a row of 16 KiB");
}

#[test]
fn a_stage_without_lines_is_left_alone() {
    assert!(specialised("fn main() {}\n", Lines { length: 8, tile: 1, max_lanes: 256 }).is_none());
}
