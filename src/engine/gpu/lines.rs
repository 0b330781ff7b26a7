//! The transforms of lines in WGSL, written out for one length: what a stage means by its line `#lines`. Pure text; the
//! build script checks every stage with it.
//!
//! Each lane takes as many points as a factor of the length into registers, transforms them and leaves them in
//! workgroup memory for the next factor. The first factor takes its points from where the stage has them (`load`), the
//! last one gives the values of columns to the stage (`store`), so two factors meet in workgroup memory once.
//!
//! Forward: decimation in frequency. Inverse: decimation in time, on swapped values, without the factor 1/length. In
//! between, values are in digit-reversed order; `load` and `store` are called with natural points and frequencies.

use std::fmt::Write as _;

/// What begins the line of a stage that the text for a length replaces: `rows` or `columns`, then `forward`, `inverse`
/// or `both`.
pub(crate) const MARKER: &str = "#lines ";
/// Lanes are a multiple of this.
const LANES_STEP: usize = 32;
/// The factors that a lane transforms in registers, and the two that each is made of; those of one are in `fft.wgsl`.
const RADICES: [(usize, usize); 14] = [
    (18, 2),
    (16, 4),
    (15, 3),
    (14, 2),
    (12, 3),
    (10, 2),
    (9, 3),
    (8, 2),
    (7, 1),
    (6, 2),
    (5, 1),
    (4, 1),
    (3, 1),
    (2, 1),
];

/// Lines of one length, and how many of them a workgroup transforms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lines {
    pub(crate) length: usize,
    pub(crate) tile: usize,
    /// Most lanes of a workgroup.
    pub(crate) max_lanes: usize,
}

/// The factors of a length in the order of the forward transform: as few as can be, then as even as can be. Powers of
/// two come first: the last factor is how far apart neighbouring lanes read workgroup memory. None if a prime factor is
/// above 7.
pub(crate) fn radices(length: usize) -> Option<Vec<usize>> {
    let mut found = match length {
        0 => return None,
        1 => vec![1],
        _ => (1..).take_while(|&count| 1 << (count - 1) < length).find_map(|count| split(length, count, usize::MAX))?,
    };
    found.sort_by_key(|radix| std::cmp::Reverse((radix.trailing_zeros(), *radix)));
    Some(found)
}

/// So many factors of a length, none above `most`, with the smallest sum.
fn split(length: usize, count: usize, most: usize) -> Option<Vec<usize>> {
    let fitting = RADICES.iter().map(|&(radix, _)| radix).filter(|&r| r <= most && length.is_multiple_of(r));
    if count == 1 {
        return fitting.into_iter().find(|&radix| radix == length).map(|radix| vec![radix]);
    }
    let with = |radix| split(length / radix, count - 1, radix).map(|rest| [vec![radix], rest].concat());
    fitting.filter_map(with).min_by_key(|radices| radices.iter().sum::<usize>())
}

/// Lanes that the factors of a line keep busy.
pub(crate) fn busy_lanes(length: usize) -> usize {
    length / radices(length).and_then(|radices| radices.into_iter().min()).unwrap_or(1)
}

/// Values of workgroup memory that a row takes: after each run of the last factor one is left out if the factor is
/// even, for neighbouring lanes would wait for one another. Long rows have no room for that.
pub(crate) fn row_slots(length: usize) -> usize {
    let last = radices(length).and_then(|radices| radices.last().copied()).unwrap_or(1);
    if last.is_multiple_of(2) && length <= 1024 { length + length / last } else { length }
}

/// The source of a stage for lines of one length; lanes of its workgroups. None if it transforms no lines.
pub(crate) fn specialised(source: &str, lines: Lines) -> Option<(String, usize)> {
    let start = if source.starts_with(MARKER) { 0 } else { source.find(&format!("\n{MARKER}"))? + 1 };
    let end = start + source[start..].find('\n').unwrap_or(source.len() - start);
    let mut words = source[start + MARKER.len()..end].split_whitespace();
    let (layout, direction) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let writer = Writer::new(lines, layout == "rows");
    let text = writer.text(direction);
    Some((format!("{}{text}{}", &source[..start], &source[end..]), writer.lanes))
}

struct Writer {
    lines: Lines,
    /// Whether the points of a line lie side by side in workgroup memory, rather than the lines.
    has_rows: bool,
    radices: Vec<usize>,
    lanes: usize,
}

/// One factor of a transform.
#[derive(Clone, Copy)]
struct Stage {
    /// Which factor.
    number: usize,
    is_first: bool,
    is_last: bool,
    is_inverse: bool,
}

impl Writer {
    fn new(lines: Lines, has_rows: bool) -> Self {
        let radices = radices(lines.length).expect("a length with factors");
        let most = busy_lanes(lines.length) * lines.tile;
        // As many in each round of a workgroup.
        let lanes = most.div_ceil(most.div_ceil(lines.max_lanes)).next_multiple_of(LANES_STEP).min(lines.max_lanes);
        Self { lines, has_rows, radices, lanes }
    }

    fn text(&self, direction: &str) -> String {
        let Lines { length, tile, .. } = self.lines;
        let (lanes, last) = (self.lanes, self.radices.len() - 1);
        let factors = self.radices.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
        let pitch = row_slots(length);
        let (values, slot) = match (self.has_rows, pitch > length) {
            (true, true) => (pitch * tile, format!("number * {pitch}u + point + point / {}u", self.radices[last])),
            (true, false) => (pitch * tile, format!("number * {pitch}u + point")),
            (false, _) => (length * tile, "point * TILE + number".to_owned()),
        };
        let mut text = format!(
            "// Lines of {length} points, {factors}, by src/engine/gpu/lines.rs.\nconst LENGTH: u32 = {length}u;\n\
             const TILE: u32 = {tile}u;\nconst LANES: u32 = {lanes}u;\n\n\
             var<workgroup> line: array<vec2<f32>, {values}>;\n\n\
             // Where a point of a line is in `line`.\n\
             fn slot(point: u32, number: u32) -> u32 {{\n    return {slot};\n}}\n\n"
        );
        let stages = self.stages(direction);
        text += "fn transform_lines(lane: u32, tile: Tile) {\n";
        for number in 0..stages.len() {
            let barrier = if number > 0 { "    workgroupBarrier();\n" } else { "" };
            writeln!(text, "{barrier}    stage_{number}(lane, tile);").expect("a string can be written");
        }
        text += "}\n";
        if self.has_rows && direction == "forward" {
            text += &self.position();
        }
        for (number, stage) in stages.into_iter().enumerate() {
            text += &self.stage(number, stage, direction == "both");
        }
        let mut needed = self.radices.clone();
        needed.sort_unstable();
        needed.dedup();
        // What a factor is made of is written with it, once.
        for (radix, inner) in RADICES.into_iter().rev().filter(|&(_, inner)| inner > 1) {
            let is_part = |of: &usize| RADICES.iter().any(|&(n, a)| n == *of && a > 1 && n / a == radix);
            if needed.contains(&radix) || needed.iter().any(is_part) {
                text += &dft(radix, inner);
            }
        }
        text
    }

    fn stages(&self, direction: &str) -> Vec<Stage> {
        let last = self.radices.len() - 1;
        let stage = |number, is_inverse| Stage { number, is_first: false, is_last: false, is_inverse };
        let forward = (0..=last).map(|number| stage(number, false));
        let inverse = (0..=last).rev().map(|number| stage(number, true));
        let mut stages: Vec<_> = match direction {
            "forward" => forward.collect(),
            "inverse" => inverse.collect(),
            // The last factor there and the first one back are one stage.
            _ => forward.chain(inverse.skip(1)).collect(),
        };
        stages.iter_mut().take(1).for_each(|stage| stage.is_first = true);
        stages.iter_mut().rev().take(1).for_each(|stage| stage.is_last = true);
        stages
    }

    /// The function of one factor: `place` is its number in the transform.
    fn stage(&self, place: usize, stage: Stage, is_both: bool) -> String {
        let Stage { number, is_first, is_last, is_inverse } = stage;
        let Lines { length, tile, .. } = self.lines;
        let (radix, step) = (self.radices[number], self.step(number));
        let is_inner = step == 1;
        let is_turn = is_inner && is_both;
        let mut text = format!("\nfn stage_{place}(lane: u32, tile: Tile) {{\n{}", self.butterfly(stage, is_turn));
        let mut say = |line: String| writeln!(text, "        {line}").expect("a string can be written");
        let pitch = match self.has_rows {
            true if is_inner => 1,
            true => row_slots(length) * step / length,
            false => step * tile,
        };
        let slot = |q: usize| format!("line[start{}]", plus(q * pitch));
        let twisted = |value: String, q: usize, is_twisted: bool| match (is_twisted && !is_inner, q) {
            (false, _) | (_, 0) => value,
            (true, 1) => format!("twisted({value}, turn)"),
            (true, _) => format!("twisted({value}, turn * {q}u)"),
        };
        // Points and frequencies, natural: those of a factor are so far apart.
        let outer = |is_frequency: bool, q: usize| match is_frequency {
            true => format!("k{}", plus(q * (length / radix))),
            false => format!("first{}", plus(q * step)),
        };
        let taken = (0..radix).map(|q| {
            let value = if is_first { format!("load(tile, {}, n)", outer(is_inverse, q)) } else { slot(q) };
            twisted(value, q, is_inverse)
        });
        say(format!("let x = {};", array(taken)));
        let transformed = |of: &str| if radix == 1 { of.to_owned() } else { format!("dft_{radix}({of})") };
        if is_turn {
            say(format!("let f = {};", transformed("x")));
            let multiplied = (0..radix).map(|q| format!("multiplied(tile, {}, n, f[{q}])", outer(true, q)));
            say(format!("let g = {};", array(multiplied)));
        }
        say(format!("let y = {};", transformed(if is_turn { "g" } else { "x" })));
        for q in 0..radix {
            let value = twisted(format!("y[{q}]"), q, !is_inverse);
            if is_last && !self.has_rows {
                say(format!("store(tile, {}, n, {value});", outer(!is_inverse && !is_turn, q)));
            } else {
                say(format!("{} = {value};", slot(q)));
            }
        }
        text + "    }\n}\n"
    }

    /// The head of a function: which butterfly `b` of which line `n` a lane has, its `first` point, where it starts in
    /// workgroup memory, its lowest frequency `k`, and the `turn` of its second value.
    fn butterfly(&self, stage: Stage, is_turn: bool) -> String {
        let Stage { number, is_first, is_last, is_inverse } = stage;
        let Lines { length, tile, .. } = self.lines;
        let (radix, step) = (self.radices[number], self.step(number));
        let (span, count) = (step * radix, length / radix);
        let total = count * tile;
        let (rounds, next) = match total <= self.lanes {
            true => (format!("let i = lane;\n    if i < {total}u {{"), "return;"),
            false => (format!("for (var i = lane; i < {total}u; i += LANES) {{"), "continue;"),
        };
        let (b, n) = match self.has_rows {
            true => (format!("i % {count}u"), format!("i / {count}u")),
            false => ("i / TILE".to_owned(), "i % TILE".to_owned()),
        };
        let first = match (step, count == step) {
            (_, true) => "b".to_owned(),
            (1, _) => format!("b * {span}u"),
            _ => format!("b / {step}u * {span}u + b % {step}u"),
        };
        let mut text = format!(
            "    {rounds}\n        let b = {b};\n        let n = {n};\n        if !has_line(tile, n) {{ {next} }}\n        \
             let first = {first};\n"
        );
        let mut say = |line: String| writeln!(text, "        {line}").expect("a string can be written");
        if !is_first || !is_last || self.has_rows {
            say("let start = slot(first, n);".to_owned());
        }
        let has_frequency = if is_inverse { is_first } else { is_last && !self.has_rows };
        if is_turn || (step == 1 && has_frequency) {
            say(format!("let k = {};", self.reversed()));
        }
        if step > 1 {
            let j = if count == step { "b".to_owned() } else { format!("b % {step}u") };
            let weight = if span < length { format!(" * {}u", length / span) } else { String::new() };
            say(format!("let turn = {j}{weight};"));
        }
        text
    }

    /// How far apart the points of a factor are.
    fn step(&self, number: usize) -> usize {
        self.radices[number + 1..].iter().product()
    }

    /// The lowest frequency of a butterfly `b` of the last factor: the digits of `b`, last factor first.
    fn reversed(&self) -> String {
        let outer = &self.radices[..self.radices.len() - 1];
        let digits = outer.iter().enumerate().map(|(i, &radix)| {
            let (below, weight) = (outer[i + 1..].iter().product::<usize>(), outer[..i].iter().product::<usize>());
            digit("b", below, (i > 0).then_some(radix), weight)
        });
        let digits: Vec<_> = digits.collect();
        if digits.is_empty() { "0u".to_owned() } else { digits.join(" + ") }
    }

    /// Where a frequency is in a line after the forward transform.
    fn position(&self) -> String {
        let last = self.radices.len() - 1;
        let digits = self.radices.iter().enumerate().map(|(i, &radix)| {
            let (below, weight) = (self.radices[..i].iter().product(), self.radices[i + 1..].iter().product());
            digit("k", below, (i < last).then_some(radix), weight)
        });
        let digits = digits.collect::<Vec<_>>().join(" + ");
        format!(
            "\n// Where frequency k lies after the transform.\nfn position(k: u32) -> u32 {{\n    return {digits};\n}}\n"
        )
    }
}

/// A digit of a number, times a weight.
fn digit(number: &str, below: usize, radix: Option<usize>, weight: usize) -> String {
    let divided = if below > 1 { format!(" / {below}u") } else { String::new() };
    let rest = radix.map(|radix| format!(" % {radix}u")).unwrap_or_default();
    let weighted = if weight > 1 { format!(" * {weight}u") } else { String::new() };
    format!("{number}{divided}{rest}{weighted}")
}

fn plus(offset: usize) -> String {
    if offset > 0 { format!(" + {offset}u") } else { String::new() }
}

fn array(values: impl Iterator<Item = String>) -> String {
    format!("array({})", values.collect::<Vec<_>>().join(", "))
}

/// The transform of `n` values in registers as `outer` of `inner` values and `inner` of `outer`. Where these have no
/// common factor, the orders in which values are taken and left make all factors between them one (Good, J. R. Stat.
/// Soc. B 20, 361, 1958).
fn dft(n: usize, inner: usize) -> String {
    let outer = n / inner;
    let is_coprime = !(2..=inner).any(|d| inner.is_multiple_of(d) && outer.is_multiple_of(d));
    let mut text = format!("\nfn dft_{n}(x: array<vec2<f32>, {n}>) -> array<vec2<f32>, {n}> {{\n");
    for b in 0..outer {
        let taken = (0..inner).map(|a| format!("x[{}]", (outer * a + if is_coprime { inner * b } else { b }) % n));
        writeln!(text, "    let a{b} = dft_{inner}({});", array(taken)).expect("a string can be written");
    }
    for k in 0..inner {
        let taken = (0..outer).map(|b| turned(&format!("a{b}[{k}]"), if is_coprime { 0 } else { b * k }, n));
        writeln!(text, "    let b{k} = dft_{outer}({});", array(taken)).expect("a string can be written");
    }
    let left = (0..n).map(|k| match is_coprime {
        true => format!("b{}[{}]", k % inner, k % outer),
        false => format!("b{}[{}]", k % inner, k / inner),
    });
    text += &format!("    return {};\n}}\n", array(left));
    text
}

/// A value times exp(−2πi k / n).
fn turned(value: &str, k: usize, n: usize) -> String {
    let angle = -std::f64::consts::TAU * k as f64 / n as f64;
    match 4 * k {
        0 => value.to_owned(),
        quarter if quarter == n => format!("times_minus_i({value})"),
        _ => format!("complex_mul({value}, vec2({:?}, {:?}))", angle.cos(), angle.sin()),
    }
}
