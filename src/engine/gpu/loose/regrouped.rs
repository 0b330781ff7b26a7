//! Sums of several terms, grouped the other way.

use naga::{BinaryOperator, Expression};

use super::{Looseness, Types, operator, replaced};

/// `a + b - c` as `a + (b - c)`, over and over until no such sum is left.
pub(super) fn regrouped(source: &str, looseness: Looseness) -> (String, usize) {
    let is_sum = |expression: &Expression, _: &Types<'_>| {
        let is_sum =
            matches!(expression, Expression::Binary { op: BinaryOperator::Add | BinaryOperator::Subtract, .. });
        is_sum.then_some(())
    };
    replaced(source.to_owned(), |source, parsed| {
        let sums = parsed.places(source, is_sum);
        let drawn = sums.iter().filter(|place| looseness.takes(place.text));
        drawn.filter_map(|place| Some((place.range(), from_the_right(place.text)?))).collect()
    })
}

/// A sum that begins with its last two terms; none if it has no more than two.
fn from_the_right(text: &str) -> Option<String> {
    let (mut rest, mut later) = (text, Vec::new());
    while let Some((at, sign)) = operator(rest, &['+', '-']) {
        later.push((sign, rest[at + 1..].trim()));
        rest = rest[..at].trim_end();
    }
    if later.len() < 2 {
        return None;
    }
    let signed = |&(sign, term): &(char, &str)| if sign == '-' { format!("-({term})") } else { term.to_owned() };
    let within = later[1..].iter().fold(signed(&later[0]), |sum, term| format!("{} + ({sum})", signed(term)));
    Some(format!("{rest} + ({within})"))
}
