//! Stages as the compiler of another device may understand them.
//!
//! WGSL leaves open how exact a quotient, a root and a product that is added are (WGSL, W3C, §15.7.4, "Accuracy of
//! expressions"; §15.7.3, "Differences from IEEE 754"): a quotient may be off by 2.5 units in the last place, a root by
//! the 4.5 of a quotient by `inverseSqrt`, a product that is added may be rounded with the sum, as by `fma`, and sums
//! of several terms may be grouped otherwise (§15.7.5, "Reassociation and fusion"). The stages use nothing else that is
//! loose. Each way is written into their source here.

mod joined;
mod regrouped;

use std::ops::Range;

use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{BinaryOperator, Expression, Function, Handle, MathFunction, Module, TypeInner};

use super::shader::Shader;
use joined::{JOINED, joined};
use regrouped::regrouped;

/// Which of what is loose is off, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looseness {
    /// All quotients and roots are too large.
    Above,
    /// All are too small.
    Below,
    /// Some are too large, the others too small: which is drawn by a seed.
    Either(u64),
    /// Products are joined with the sums that they go into.
    Joined,
    /// Some are.
    SomeJoined(u64),
    /// Sums of three terms and more begin with the last two.
    Regrouped,
    /// Some do.
    SomeRegrouped(u64),
}

/// 1 and three units in the last place, 1 less two and a half: single precision has no nearer ones outside.
const QUOTIENTS: [&str; 2] = ["1.00000036", "0.99999970"];
/// What the argument of a root is multiplied with: twice 4.5 units in the last place.
const SQUARES: [&str; 2] = ["1.00000108", "0.99999892"];

impl Looseness {
    /// Whether a place is too small, of what may be either.
    fn is_below(self, place: &str) -> bool {
        match self {
            Self::Below => true,
            Self::Either(seed) => is_drawn(place, seed),
            Self::Above | Self::Joined | Self::SomeJoined(_) | Self::Regrouped | Self::SomeRegrouped(_) => false,
        }
    }

    /// Whether a place is written anew, where some are and some are not.
    fn takes(self, place: &str) -> bool {
        match self {
            Self::SomeJoined(seed) | Self::SomeRegrouped(seed) => is_drawn(place, seed),
            Self::Above | Self::Below | Self::Either(_) | Self::Joined | Self::Regrouped => true,
        }
    }
}

/// A fair draw for a place by what stands there (FNV-1a).
fn is_drawn(place: &str, seed: u64) -> bool {
    let hash = place
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325 ^ seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
    (hash >> 32) & 1 == 1
}

/// A stage with a source of its own, and how many places of it are other than before.
pub(super) fn loosened(shader: &'static Shader, looseness: Looseness) -> (&'static Shader, usize) {
    let (source, places) = rewritten(shader.source, looseness);
    let Shader { name, lanes, bindings, overrides, .. } = *shader;
    let source = String::leak(source);
    (Box::leak(Box::new(Shader { name, source, lanes, bindings, overrides })), places)
}

fn rewritten(source: &str, looseness: Looseness) -> (String, usize) {
    match looseness {
        Looseness::Above | Looseness::Below | Looseness::Either(_) => off(source, looseness),
        Looseness::Joined | Looseness::SomeJoined(_) => joined(source, looseness),
        Looseness::Regrouped | Looseness::SomeRegrouped(_) => regrouped(source, looseness),
    }
}

/// A checked module.
struct Parsed {
    module: Module,
    info: ModuleInfo,
}

/// An expression of floating point numbers, where it stands, and what was found of it.
struct Place<'a, T> {
    start: usize,
    text: &'a str,
    found: T,
}

impl<T> Place<'_, T> {
    fn range(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }
}

/// What is loose of an expression.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Loose {
    Quotient,
    Root,
}

impl Parsed {
    fn new(source: &str) -> Self {
        let module = naga::front::wgsl::parse_str(source).unwrap_or_else(|error| panic!("{error}\n{source}"));
        let mut validator = Validator::new(ValidationFlags::all(), Capabilities::empty());
        let info = validator.validate(&module).unwrap_or_else(|error| panic!("{error:?}\n{source}"));
        Self { module, info }
    }

    /// Every function, with the types of its expressions.
    fn functions(&self) -> impl Iterator<Item = (&Function, &naga::valid::FunctionInfo)> {
        let is_own = |function: &Function| !function.name.as_deref().is_some_and(|name| name.starts_with(JOINED));
        let named = self.module.functions.iter().filter(move |(_, function)| is_own(function));
        let named = named.map(|(handle, function)| (function, &self.info[handle]));
        let entries = &self.module.entry_points;
        named.chain(entries.iter().enumerate().map(|(i, entry)| (&entry.function, self.info.get_entry_point(i))))
    }

    /// The places of all expressions of which something is found.
    fn places<'a, T>(&self, source: &'a str, find: impl Fn(&Expression, &Types<'_>) -> Option<T>) -> Vec<Place<'a, T>> {
        let mut places = Vec::new();
        for (function, info) in self.functions() {
            let types = Types { parsed: self, function, info };
            for (handle, expression) in function.expressions.iter().filter(|(handle, _)| types.is_float(*handle)) {
                let found = find(expression, &types);
                if let (Some(found), Some(range)) = (found, function.expressions.get_span(handle).to_range()) {
                    places.push(Place { start: range.start, text: &source[range], found });
                }
            }
        }
        places
    }
}

/// The types of a function's expressions.
struct Types<'a> {
    parsed: &'a Parsed,
    function: &'a Function,
    info: &'a naga::valid::FunctionInfo,
}

impl Types<'_> {
    fn of(&self, handle: Handle<Expression>) -> &TypeInner {
        self.info[handle].ty.inner_with(&self.parsed.module.types)
    }

    fn is_float(&self, handle: Handle<Expression>) -> bool {
        self.of(handle).scalar_kind() == Some(naga::ScalarKind::Float)
    }
}

/// Every quotient and root off by what is allowed.
fn off(source: &str, looseness: Looseness) -> (String, usize) {
    let loose = |expression: &Expression, _: &Types<'_>| {
        assert!(is_known(expression), "its accuracy is not thought of here: {expression:?}");
        let is_quotient = matches!(expression, Expression::Binary { op: BinaryOperator::Divide, .. });
        let is_root = matches!(expression, Expression::Math { fun: MathFunction::Sqrt, .. });
        if is_quotient { Some(Loose::Quotient) } else { is_root.then_some(Loose::Root) }
    };
    let found = Parsed::new(source).places(source, loose);
    let mut insertions = Vec::new();
    for place in &found {
        let is_below = usize::from(looseness.is_below(place.text));
        if place.found == Loose::Root {
            let argument = argument(source, place.start);
            insertions.push((argument.start, format!("{} * (", SQUARES[is_below])));
            insertions.push((argument.end, ")".to_owned()));
        } else {
            // `x /= y` has none. The stages have no such quotient.
            let (at, _) = operator(place.text, &['*', '/']).expect("a quotient has an operator");
            insertions.push((place.start + at, format!("* {} ", QUOTIENTS[is_below])));
        }
    }
    (inserted(source, insertions), found.len())
}

/// Where the argument of a call stands.
fn argument(source: &str, call: usize) -> Range<usize> {
    let start = call + source[call..].find('(').expect("a call has an argument") + 1;
    let mut depth = 1;
    let is_end = |character| {
        depth += step(character);
        depth == 0
    };
    let length = source[start..].find(is_end).expect("it ends");
    start..start + length
}

/// Whether an expression is exact, correctly rounded, or dealt with here.
fn is_known(expression: &Expression) -> bool {
    use MathFunction as M;
    if let Expression::Math { fun, .. } = expression {
        return matches!(fun, M::Sqrt | M::Abs | M::Min | M::Max | M::Clamp | M::Floor | M::Round | M::Trunc | M::Fma);
    }
    true
}

fn step(character: char) -> i32 {
    match character {
        '(' | '[' => 1,
        ')' | ']' => -1,
        _ => 0,
    }
}

/// The last of some operators of two sides outside all parentheses: blanks stand around it, as none does around a sign.
fn operator(text: &str, of: &[char]) -> Option<(usize, char)> {
    let bytes = text.as_bytes();
    let blank = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_whitespace);
    let mut depth = 0;
    let mut last = None;
    for (at, character) in text.char_indices() {
        depth += step(character);
        if depth == 0 && of.contains(&character) && blank(at.checked_sub(1)) && blank(Some(at + 1)) {
            last = Some((at, character));
        }
    }
    last
}

/// Text put in place of what is found, over and over until nothing is, and how often. Of what stands within other finds
/// the outer one comes first, and the inner one the next time.
fn replaced(mut source: String, find: impl Fn(&str, &Parsed) -> Vec<(Range<usize>, String)>) -> (String, usize) {
    let mut count = 0;
    loop {
        let mut found = find(&source, &Parsed::new(&source));
        found.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut end = 0;
        found.retain(|(range, _)| {
            let is_outer = range.start >= end;
            if is_outer {
                end = range.end;
            }
            is_outer
        });
        if found.is_empty() {
            return (source, count);
        }
        count += found.len();
        for (range, text) in found.into_iter().rev() {
            source.replace_range(range, &text);
        }
    }
}

fn inserted(source: &str, mut insertions: Vec<(usize, String)>) -> String {
    insertions.sort_by_key(|(at, _)| *at);
    let mut text = source.to_owned();
    for (at, insertion) in insertions.into_iter().rev() {
        text.insert_str(at, &insertion);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "fn f(a: f32, v: vec3<f32>, n: u32) -> f32 {
    let x = a * 2.0 + sqrt(a / 3.0 - a * a);
    let y = a - v * (a + 1.0) - v;
    let z = v * a + v;
    return (x * y.x - f32(n / 3u)) / -x;
}";

    #[test]
    fn quotients_and_roots_of_floating_point_numbers_are_off() {
        let (above, places) = rewritten(SOURCE, Looseness::Above);
        assert_eq!(places, 3);
        assert!(above.contains("sqrt(1.00000108 * (a * 1.00000036 / 3.0 - a * a))"), "{above}");
        assert!(above.contains("(x * y.x - f32(n / 3u)) * 1.00000036 / -x"), "{above}");
        let (below, _) = rewritten(SOURCE, Looseness::Below);
        assert!(below.contains("sqrt(0.99999892 * (a * 0.99999970 / 3.0 - a * a))"), "{below}");
    }

    #[test]
    fn products_are_joined_with_sums_from_the_outside_in() {
        let (source, places) = rewritten(SOURCE, Looseness::Joined);
        assert!(source.contains("let x = joined_1(a, 2.0, sqrt(joined_1(-(a), a, a / 3.0)));"), "{source}");
        assert!(source.contains("(joined_1(x, y.x, -(f32(n / 3u)))) / -x"), "{source}");
        assert!(source.contains("let y = joined_3(-(v), vec3<f32>((a + 1.0)), vec3<f32>(a)) - v;"), "{source}");
        assert!(source.contains("let z = joined_3(v, vec3<f32>(a), v);"), "{source}");
        assert_eq!(places, 5);
    }

    #[test]
    fn sums_of_three_terms_begin_with_the_last_two() {
        let source = "fn f(a: f32, v: vec2<f32>, n: u32) -> f32 {
    let x = a - (a + 2.0 - a * a) + sqrt(a) - 1.0;
    let y = v + a - v;
    return x + y.x + f32(n + n + 1u);
}";
        let (source, places) = rewritten(source, Looseness::Regrouped);
        assert!(source.contains("let x = a + (-((a + (2.0 + (-(a * a))))) + (sqrt(a) + (-(1.0))));"), "{source}");
        assert!(source.contains("let y = v + (a + (-(v)));"), "{source}");
        assert!(source.contains("return x + (y.x + (f32(n + n + 1u)));"), "{source}");
        assert_eq!(places, 4);
    }

    #[test]
    fn a_seed_draws_some_of_the_places() {
        let stage = &crate::engine::gpu::shader::TRANSPORT_CHARGED;
        let (_, all) = rewritten(stage.source, Looseness::Joined);
        let (one, some) = rewritten(stage.source, Looseness::SomeJoined(1));
        let (other, _) = rewritten(stage.source, Looseness::SomeJoined(2));
        assert!(0 < some && some < all && one != other, "{some} of {all}");
        let (above, below) = (rewritten(stage.source, Looseness::Above).0, rewritten(stage.source, Looseness::Below).0);
        let (either, _) = rewritten(stage.source, Looseness::Either(3));
        assert!(either != above && either != below);
    }
}
