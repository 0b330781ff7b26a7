//! Axes of a figure: what they show, where their ticks are, and where a value lies on them.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// Most decades of a logarithmic axis.
const MOST_DECADES: f64 = 8.0;
/// Space beyond the outermost values, as a fraction of what they span.
const LINEAR_ROOM: f64 = 0.05;
/// The same on a logarithmic axis, as a factor.
const LOGARITHMIC_ROOM: f64 = 1.5;

/// How values are spread over an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences have equal lengths.
    Linear,
    /// Equal ratios have equal lengths. Values that are not above 0 are drawn at the lower end.
    Logarithmic,
}

/// One axis of a figure.
#[derive(Clone, Debug)]
pub struct Axis {
    pub(super) label: String,
    scale: Scale,
    range: Option<[f64; 2]>,
}

impl Axis {
    /// A linear axis over all values of the figure.
    ///
    /// * `label` – quantity and unit
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Linear, range: None }
    }

    /// A logarithmic axis over all values of the figure.
    ///
    /// * `label` – quantity and unit
    pub fn logarithmic(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Logarithmic, range: None }
    }

    /// The same axis from one value to another; what lies beyond is drawn at the end.
    #[must_use]
    pub fn within(self, range: [f64; 2]) -> Self {
        Self { range: Some(range), ..self }
    }

    /// The axis over some values, or over its own range.
    pub(super) fn span(&self, values: impl Iterator<Item = f64>) -> Span {
        let scale = self.scale;
        let usable = |value: &f64| value.is_finite() && (scale == Scale::Linear || *value > 0.0);
        let ends = |[low, high]: [f64; 2], value: f64| [low.min(value), high.max(value)];
        let [low, high] = values.filter(usable).fold([f64::INFINITY, f64::NEG_INFINITY], ends);
        let range = self.range.unwrap_or_else(|| match (low <= high, scale) {
            (false, _) => [0.1, 1.0],
            (true, Scale::Logarithmic) => {
                [(low / LOGARITHMIC_ROOM).max(high * 10f64.powf(-MOST_DECADES)), high * LOGARITHMIC_ROOM]
            }
            (true, Scale::Linear) => {
                let room = if high > low { LINEAR_ROOM * (high - low) } else { 0.5 * high.abs().max(1.0) };
                [low - room, high + room]
            }
        });
        Span { range, scale }
    }
}

/// An axis whose ends are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) range: [f64; 2],
    scale: Scale,
}

impl Span {
    /// Position of a value between the ends, 0 to 1.
    fn position(&self, value: f64) -> f64 {
        let scaled = |value: f64| match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic => value.max(self.range[0]).log10(),
        };
        let [low, high] = self.range.map(scaled);
        ((scaled(value) - low) / (high - low)).clamp(0.0, 1.0)
    }

    /// Round values within the range, about as many as asked for.
    fn ticks(&self, wanted: usize) -> Vec<f64> {
        let [low, high] = self.range;
        #[expect(clippy::cast_possible_truncation, reason = "a few ticks")]
        let whole = |from: f64, to: f64| (from.ceil() as i32)..=(to.floor() as i32);
        if self.scale == Scale::Logarithmic {
            let decades: Vec<f64> = whole(low.log10(), high.log10()).map(|power| 10f64.powi(power)).collect();
            let every = decades.len().div_ceil(wanted.max(1)).max(1);
            return decades.into_iter().step_by(every).collect();
        }
        let rough = (high - low) / wanted.max(1) as f64;
        let decade = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * decade).find(|step| *step >= rough).unwrap_or(rough);
        // A tick that rounding pushes past the end is still one.
        whole(low / step - 1e-9, high / step + 1e-9).map(|n| f64::from(n) * step).collect()
    }
}

impl Ranged for Span {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        let pixels = f64::from(last - first) * self.position(*value);
        #[expect(clippy::cast_possible_truncation, reason = "between two pixels")]
        {
            first + pixels.round() as i32
        }
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        self.ticks(hint.bold_points())
    }

    fn range(&self) -> Range<f64> {
        self.range[0]..self.range[1]
    }
}

impl ValueFormatter<f64> for Span {
    fn format_ext(&self, value: &f64) -> String {
        match self.scale {
            Scale::Linear => label(*value),
            Scale::Logarithmic => format!("{value:.0e}"),
        }
    }
}

/// A value in as few digits as tell the ticks apart.
fn label(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if (1e-3..1e5).contains(&size) {
        let text = format!("{value:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{value:.0e}")
    }
}

/// The first round number at or above a value.
pub(super) fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let decade = 10f64.powf(value.log10().floor());
    let mut round = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0].into_iter().map(|m| m * decade);
    round.find(|&end| end >= value).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_of_nothing_and_of_one_value_are_axes() {
        for values in [vec![], vec![3.0], vec![f64::NAN], vec![0.0, 0.0]] {
            for axis in [Axis::linear("x"), Axis::logarithmic("x")] {
                let span = axis.span(values.clone().into_iter());
                assert!((0..=100).contains(&span.map(&3.0, (0, 100))), "{values:?} {axis:?}");
                assert!(span.ticks(5).len() < 12);
            }
        }
        let span = Axis::linear("x").span([0.0, 10.0].into_iter());
        assert_eq!(span.ticks(5), [0.0, 5.0, 10.0]);
        assert_eq!(span.map(&5.0, (0, 100)), 50);
    }

    #[test]
    fn decades_are_ticks_and_far_ends_are_cut_off() {
        let span = Axis::logarithmic("y").span([1e-20, 1.0].into_iter());
        assert_eq!(span.ticks(20).len(), 9);
        assert_eq!(span.ticks(4).len(), 3);
        assert_eq!((span.map(&0.0, (0, 100)), span.map(&f64::MAX, (0, 100))), (0, 100));
        assert_eq!(Axis::linear("x").within([0.0, 0.3]).span(std::iter::empty()).ticks(3).len(), 4);
    }

    #[test]
    fn labels_are_short() {
        assert_eq!([0.0, 0.25, -2.0, 1e-7, 150.0].map(label), ["0", "0.25", "-2", "1e-7", "150"]);
    }

    #[test]
    fn axes_end_at_round_numbers() {
        for (gy, end) in [(0.0, 1.0), (0.7, 0.8), (1.0, 1.0), (33.0, 40.0), (81.0, 100.0), (100.0, 100.0)] {
            assert!((round_up(gy) - end).abs() < 1e-9, "{gy}: {}", round_up(gy));
        }
    }
}
