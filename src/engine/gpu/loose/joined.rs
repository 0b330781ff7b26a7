//! Products that go into sums, joined with them as one operation.

use naga::{BinaryOperator, Expression, Handle, TypeInner};

use super::{Looseness, Types, operator, replaced, step};

/// How the functions of a joined product and sum begin; the places of a vector follow.
pub(super) const JOINED: &str = "joined_";

/// A product and a sum as by one operation. A driver may take `fma` for two of them, as lavapipe does: the rounding
/// error of the product is added here (Dekker, Numer. Math. 18, 224, 1971), which the halves of both factors give.
fn joined_of(places: u8) -> String {
    let (float, word) = match places {
        1 => ("f32".to_owned(), "u32".to_owned()),
        _ => (format!("vec{places}<f32>"), format!("vec{places}<u32>")),
    };
    format!(
        "
fn {JOINED}{places}(a: {float}, b: {float}, c: {float}) -> {float} {{
    let product = a * b;
    let a_high = bitcast<{float}>(bitcast<{word}>(a) & {word}(0xFFFFF000u));
    let b_high = bitcast<{float}>(bitcast<{word}>(b) & {word}(0xFFFFF000u));
    let a_low = a - a_high;
    let b_low = b - b_high;
    let error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
    return (product + c) + select({float}(0.0), error, abs(product) < {float}(1e30));
}}
"
    )
}

/// The places of a vector that a number stands for; none for what is of the right type as it is written.
type Spread = Option<u8>;

/// The two sides of a sum, and the factors of those that are products.
#[derive(Clone, Copy, Debug)]
struct Sum {
    /// Places of a vector, 1 for a number.
    places: u8,
    sides: [Spread; 2],
    factors: [Option<[Spread; 2]>; 2],
}

impl Types<'_> {
    /// What a side of a sum, or a factor, is to be spread to where the whole is of this type.
    fn spread(&self, whole: Handle<Expression>, part: Handle<Expression>) -> Spread {
        let TypeInner::Vector { size, .. } = *self.of(whole) else { return None };
        let is_spread = matches!(self.function.expressions[part], Expression::Splat { .. });
        (is_spread || matches!(self.of(part), TypeInner::Scalar(_))).then_some(size as u8)
    }

    fn factors(&self, product: Handle<Expression>) -> Option<[Spread; 2]> {
        let Expression::Binary { op: BinaryOperator::Multiply, left, right } = self.function.expressions[product]
        else {
            return None;
        };
        Some([left, right].map(|factor| self.spread(product, factor)))
    }
}

/// Products that go into sums joined with them, over and over until none is left.
pub(super) fn joined(source: &str, looseness: Looseness) -> (String, usize) {
    let sum = |expression: &Expression, types: &Types<'_>| {
        let Expression::Binary { op, left, right } = *expression else { return None };
        let is_sum = matches!(op, BinaryOperator::Add | BinaryOperator::Subtract);
        let sides = [left, right];
        let places = if let TypeInner::Vector { size, .. } = *types.of(left) { size as u8 } else { 1 };
        let sum =
            Sum { places, sides: sides.map(|side| types.spread(left, side)), factors: sides.map(|s| types.factors(s)) };
        (is_sum && sum.factors.iter().any(Option::is_some)).then_some(sum)
    };
    replaced(source.to_owned() + &[1, 2, 3, 4].map(joined_of).concat(), |source, parsed| {
        let places = parsed.places(source, sum);
        let drawn = places.iter().filter(|place| looseness.takes(place.text));
        drawn.filter_map(|place| Some((place.range(), as_joined(place.text, place.found)?))).collect()
    })
}

/// `a * b + c`, `a * b - c`, `c + a * b` or `c - a * b` joined; none if neither side is written as a product.
fn as_joined(text: &str, sum: Sum) -> Option<String> {
    let (at, sign) = operator(text, &['+', '-'])?;
    let (left, right) = (text[..at].trim(), text[at + 1..].trim());
    let is_difference = sign == '-';
    if let Some([a, b]) = factors(left, sum.factors[0]) {
        let c = spread(right, sum.sides[1]);
        let c = if is_difference { format!("-({c})") } else { c };
        return Some(format!("{JOINED}{}({a}, {b}, {c})", sum.places));
    }
    let [a, b] = factors(right, sum.factors[1])?;
    let a = if is_difference { format!("-({a})") } else { a };
    Some(format!("{JOINED}{}({a}, {b}, {})", sum.places, spread(left, sum.sides[0])))
}

/// Both factors of what is written as a product.
fn factors(text: &str, to: Option<[Spread; 2]>) -> Option<[String; 2]> {
    let [first, second] = to?;
    let text = bare(text);
    let (at, operator) = operator(text, &['*', '/'])?;
    (operator == '*').then(|| [spread(&text[..at], first), spread(&text[at + 1..], second)])
}

fn spread(text: &str, to: Spread) -> String {
    match to {
        Some(places) => format!("vec{places}<f32>({})", text.trim()),
        None => text.trim().to_owned(),
    }
}

/// A text without the parentheses around all of it.
fn bare(text: &str) -> &str {
    let Some(within) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) else { return text };
    let mut depth = 0i32;
    for character in within.chars() {
        depth += step(character);
        if depth < 0 {
            return text;
        }
    }
    bare(within.trim())
}
