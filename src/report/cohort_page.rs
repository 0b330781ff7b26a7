//! The page of a cohort: spreads of doses by organ, nuclide and centre, with outliers marked.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use askama::Template;

use super::numbers::{DIGITS, significant};
use super::palette::{FAIL, FAINT, GRID, INK, SERIES};

/// A value is marked from this modified z-score on.
///
/// Source: Iglewicz and Hoaglin, *How to Detect and Handle Outliers* (ASQC, 1993).
pub const MARKED_FROM: f64 = 3.5;
/// Of fewer values none is marked.
pub const LEAST_VALUES: usize = 5;
/// Median absolute deviation of a normal distribution, in standard deviations.
const NORMAL_MAD: f64 = 0.6745;
/// Size of a figure, its margins, and the height of a centre [pixels].
const WIDTH: f64 = 760.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = 20.0;
const ROW: f64 = 30.0;
/// Radius of a value, and how far values of one centre are moved apart [pixels].
const RADIUS: f64 = 3.5;
const APART: f64 = 8.0;

/// Which values are outliers: those whose modified z-score of the logarithm, `0.6745 |ln x − median|/MAD`, is above
/// [`MARKED_FROM`]. Values that are not above 0 are left out of the rule; of fewer than [`LEAST_VALUES`], or where half
/// of them are the same, none is marked.
pub fn marked(values: &[f64]) -> Vec<bool> {
    let logarithm = |value: &f64| (*value > 0.0 && value.is_finite()).then(|| value.ln());
    let mut sorted: Vec<f64> = values.iter().filter_map(logarithm).collect();
    if sorted.len() < LEAST_VALUES {
        return vec![false; values.len()];
    }
    sorted.sort_by(f64::total_cmp);
    let middle = quantile(&sorted, 0.5);
    let mut deviations: Vec<f64> = sorted.iter().map(|value| (value - middle).abs()).collect();
    deviations.sort_by(f64::total_cmp);
    let spread = quantile(&deviations, 0.5);
    let is_far = |value: f64| NORMAL_MAD * (value - middle).abs() > MARKED_FROM * spread;
    values.iter().map(|value| spread > 0.0 && logarithm(value).is_some_and(is_far)).collect()
}

/// A quantile by straight lines between ordered values, the seventh of Hyndman and Fan (Am. Stat. 50 (1996) 361).
///
/// * `sorted` – at least one, rising
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let place = part * (sorted.len() - 1) as f64;
    let below = place.floor();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place of the list")]
    let at = below as usize;
    let next = sorted[(at + 1).min(sorted.len() - 1)];
    sorted[at] + (place - below) * (next - sorted[at])
}

/// A value of one study.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Where it was made.
    pub centre: String,
    /// Pseudonym of the study.
    pub study: String,
    /// In the unit of its quantity.
    pub value: f64,
}

/// How the values of one quantity spread, of an organ and a nuclide.
#[derive(Clone, Debug)]
pub struct Spread {
    /// The organ.
    pub organ: String,
    /// The nuclide.
    pub nuclide: String,
    /// What it is, with its unit.
    pub quantity: &'static str,
    /// All values, then those of each centre.
    rows: Vec<SpreadRow>,
    /// Outliers: study, centre and value.
    outliers: Vec<[String; 3]>,
    /// The figure, as SVG.
    figure: String,
}

/// One line of the table of a spread.
#[derive(Clone, Debug)]
struct SpreadRow {
    name: String,
    count: usize,
    /// Least, lower quartile, median, upper quartile, largest.
    figures: [String; 5],
}

impl SpreadRow {
    fn of(name: &str, mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let figures = [0.0, 0.25, 0.5, 0.75, 1.0].map(|part| significant(quantile(&values, part), DIGITS));
        Self { name: name.to_owned(), count: values.len(), figures }
    }
}

impl Spread {
    /// The spread of some values; none if there is none.
    pub fn of(organ: &str, nuclide: &str, quantity: &'static str, values: Vec<Value>) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let numbers: Vec<f64> = values.iter().map(|value| value.value).collect();
        let is_marked = marked(&numbers);
        let mut centres: BTreeMap<&str, Vec<(&Value, bool)>> = BTreeMap::new();
        for (value, &is_marked) in values.iter().zip(&is_marked) {
            centres.entry(&value.centre).or_default().push((value, is_marked));
        }
        let own = |(centre, values): (&&str, &Vec<(&Value, bool)>)| {
            SpreadRow::of(centre, values.iter().map(|(value, _)| value.value).collect())
        };
        let rows = std::iter::once(SpreadRow::of("all", numbers)).chain(centres.iter().map(own)).collect();
        let outlier = |value: &Value| [value.study.clone(), value.centre.clone(), significant(value.value, DIGITS)];
        let outliers = values.iter().zip(&is_marked).filter(|(_, marked)| **marked).map(|(value, _)| outlier(value));
        Some(Self {
            organ: organ.to_owned(),
            nuclide: nuclide.to_owned(),
            quantity,
            rows,
            outliers: outliers.collect(),
            figure: figure(&format!("{organ}, {nuclide}: {quantity}"), &centres),
        })
    }
}

/// A row of points for each centre, over a logarithmic axis where all values are above 0.
fn figure(title: &str, centres: &BTreeMap<&str, Vec<(&Value, bool)>>) -> String {
    let all: Vec<f64> = centres.values().flatten().map(|(value, _)| value.value).collect();
    let (low, high) = all.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
    let is_logarithmic = low > 0.0;
    let scaled = |value: f64| if is_logarithmic { value.ln() } else { value };
    let (from, to) = (scaled(low), scaled(high));
    let wide = if to > from { to - from } else { 1.0 };
    let x = |value: f64| LEFT + 10.0 + (WIDTH - LEFT - RIGHT - 20.0) * ((scaled(value) - from) / wide);
    let height = ROW * centres.len() as f64 + 40.0;
    let mut svg = format!(
        "<svg role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">",
        escaped(title)
    );
    let mut put = |text: String| svg.push_str(&text);
    let mut sorted = all;
    sorted.sort_by(f64::total_cmp);
    let bottom = height - 30.0;
    let marks = [low, quantile(&sorted, 0.25), quantile(&sorted, 0.5), quantile(&sorted, 0.75), high];
    let mut last = f64::NEG_INFINITY;
    for mark in marks {
        let at = x(mark);
        put(format!("<line x1=\"{at:.1}\" y1=\"6\" x2=\"{at:.1}\" y2=\"{bottom:.1}\" stroke=\"{}\"/>", GRID.css()));
        // Numbers do not lie on one another.
        if at - last > 45.0 {
            let number = significant(mark, 3);
            let fill = FAINT.css();
            put(format!(
                "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"{fill}\">{number}</text>",
                bottom + 16.0
            ));
            last = at;
        }
    }
    for (number, (centre, values)) in centres.iter().enumerate() {
        let middle = 6.0 + ROW * (number as f64 + 0.5);
        let label: String = centre.chars().take(22).collect();
        let (end, ink) = (LEFT - 8.0, INK.css());
        put(format!(
            "<text x=\"{end}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{ink}\">{}</text>",
            middle + 4.0,
            escaped(&label)
        ));
        for (place, (value, is_marked)) in values.iter().enumerate() {
            let y = middle + APART * [0.0, -1.0, 1.0][place % 3];
            let (at, said) =
                (x(value.value), escaped(&format!("{}: {}", value.study, significant(value.value, DIGITS))));
            let (fill, stroke) =
                if *is_marked { ("none".to_owned(), FAIL.css()) } else { (SERIES[0].css(), "none".to_owned()) };
            put(format!(
                "<circle cx=\"{at:.1}\" cy=\"{y:.1}\" r=\"{RADIUS}\" fill=\"{fill}\" fill-opacity=\"0.7\" \
                 stroke=\"{stroke}\" stroke-width=\"2\"><title>{said}</title></circle>"
            ));
        }
    }
    svg.push_str("</svg>");
    svg
}

/// Text in SVG.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, character| {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => write!(out, "{other}").expect("a string takes all text"),
        }
        out
    })
}

/// The page.
#[derive(Template)]
#[template(path = "cohort.html")]
pub struct CohortPage {
    /// What it is of.
    pub facts: Vec<(&'static str, String)>,
    /// Spreads, by organ, nuclide and quantity.
    pub spreads: Vec<Spread>,
    /// Studies that failed: pseudonym, line of the manifest, reason.
    pub failed: Vec<(String, String, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_far_from_the_others_is_marked_and_no_other() {
        let values = [1.0, 1.1, 0.9, 1.05, 0.95, 1.02, 3.0];
        assert_eq!(marked(&values), [false, false, false, false, false, false, true]);
        // A factor counts, whatever the unit.
        assert_eq!(marked(&values.map(|value| 1e-3 / value)), marked(&values));
        assert_eq!(marked(&values[3..]), [false; 4], "too few");
        assert_eq!(marked(&[1.0, 1.0, 1.0, 1.0, 9.0]), [false; 5], "no spread");
        assert_eq!(marked(&[0.0, 1.0, 1.1, 0.9, 1.05, 0.95]), [false; 6], "0 has no logarithm");
        assert_eq!(marked(&[]), [false; 0]);
    }

    #[test]
    fn quantiles_lie_on_straight_lines() {
        let values = [1.0, 2.0, 4.0, 8.0];
        let found = [0.0, 0.25, 0.5, 0.75, 1.0].map(|part| quantile(&values, part));
        assert_eq!(found, [1.0, 1.75, 3.0, 5.0, 8.0]);
        assert_eq!(quantile(&[7.0], 0.75), 7.0);
    }

    #[test]
    fn a_page_has_every_spread_and_needs_no_other_file() {
        let value = |centre: &str, value: f64| Value { centre: centre.into(), study: format!("S{value}"), value };
        let values = [0.9, 0.95, 1.0, 1.05, 1.1].map(|one| value("A<b>", one)).to_vec();
        let values = [values, vec![value("B", 9.0)]].concat();
        let spread = Spread::of("kidneys", "Lu-177", "mean absorbed dose [Gy]", values).expect("values");
        assert_eq!((spread.rows.len(), spread.outliers.len()), (3, 1));
        assert!(Spread::of("liver", "Lu-177", "mean absorbed dose [Gy]", Vec::new()).is_none());
        let failed = vec![("S7".into(), "3".into(), "no CT".into())];
        let page = CohortPage { facts: vec![("studies", "6".into())], spreads: vec![spread], failed };
        let text = super::super::page::render(&page).expect("text");
        for part in ["kidneys", "Lu-177", "S9", "no CT", "A&#60;b&#62;", "3.5", "<svg", "Iglewicz"] {
            assert!(text.contains(part), "{part}");
        }
        assert!(!text.contains("A<b>") && !text.contains("<script") && !text.contains("src="), "{text}");
        assert!(!text.contains("http"), "{text}");
    }
}
