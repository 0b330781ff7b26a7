//! Plots as SVG, which a page holds as text.

use std::fmt::Write as _;

/// Width and height of a plot.
const SIZE: [f64; 2] = [460.0, 280.0];
/// Margins: left, top, right, bottom.
const MARGIN: [f64; 4] = [66.0, 30.0, 12.0, 44.0];
/// Colours of the series. Source: M. Okabe and K. Ito, *Color universal design* (2008).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
/// Ticks wanted along an axis.
const TICKS: f64 = 5.0;
/// Most decades of a logarithmic axis.
const MOST_DECADES: f64 = 8.0;

/// A plot of some series over one axis.
#[derive(Clone, Debug)]
pub struct Plot {
    title: String,
    x_label: &'static str,
    y_label: &'static str,
    /// Whether the vertical axis is logarithmic.
    pub is_log: bool,
    /// What is drawn.
    pub series: Vec<Series>,
    /// Values that are tolerated.
    pub band: Option<[f64; 2]>,
    /// Named stretches of the horizontal axis.
    pub shades: Vec<(String, [f64; 2])>,
}

/// One series of a plot.
#[derive(Clone, Debug)]
pub struct Series {
    name: String,
    is_line: bool,
    /// x, y, 1σ of y.
    points: Vec<[f64; 3]>,
}

impl Series {
    /// Joined by a line.
    ///
    /// * `points` – x, y, 1σ of y
    pub fn line(name: &str, points: Vec<[f64; 3]>) -> Self {
        Self { name: name.to_owned(), is_line: true, points }
    }

    /// Points with bars of 1σ.
    ///
    /// * `points` – x, y, 1σ of y
    pub fn points(name: &str, points: Vec<[f64; 3]>) -> Self {
        Self { name: name.to_owned(), is_line: false, points }
    }
}

/// From values to places along one axis.
#[derive(Clone, Copy, Debug)]
struct Axis {
    range: [f64; 2],
    is_log: bool,
    /// Places of the ends.
    ends: [f64; 2],
}

impl Axis {
    /// Spans values with a little room around them.
    fn new(values: impl Iterator<Item = f64>, is_log: bool, ends: [f64; 2]) -> Self {
        let values = values.filter(|value| value.is_finite() && (!is_log || *value > 0.0));
        let [low, high] = values.fold([f64::INFINITY, f64::NEG_INFINITY], |[a, b], v| [a.min(v), b.max(v)]);
        let range = match (low <= high, is_log) {
            (false, _) => [0.1, 1.0],
            (true, true) => [(low / 1.5).max(high * 10f64.powf(-MOST_DECADES)), high * 1.5],
            (true, false) => {
                let room = if high > low { 0.05 * (high - low) } else { 0.5 * high.abs().max(1.0) };
                [low - room, high + room]
            }
        };
        Self { range, is_log, ends }
    }

    fn scaled(&self, value: f64) -> f64 {
        if self.is_log { value.max(self.range[0]).log10() } else { value }
    }

    fn place(&self, value: f64) -> f64 {
        let [low, high] = self.range.map(|end| self.scaled(end));
        let part = ((self.scaled(value) - low) / (high - low)).clamp(0.0, 1.0);
        self.ends[0] + part * (self.ends[1] - self.ends[0])
    }

    /// Round values within the range.
    fn ticks(&self) -> Vec<f64> {
        let [low, high] = self.range;
        #[expect(clippy::cast_possible_truncation, reason = "a few ticks")]
        let whole = |from: f64, to: f64| (from.ceil() as i32)..=(to.floor() as i32);
        if self.is_log {
            return whole(low.log10(), high.log10()).map(|power| 10f64.powi(power)).collect();
        }
        let rough = (high - low) / TICKS;
        let decade = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * decade).find(|step| *step >= rough).unwrap_or(rough);
        whole(low / step, high / step).map(|n| f64::from(n) * step).collect()
    }
}

impl Plot {
    /// Without any series yet.
    pub fn new(title: &str, x_label: &'static str, y_label: &'static str) -> Self {
        let title = title.to_owned();
        Self { title, x_label, y_label, is_log: false, series: vec![], band: None, shades: vec![] }
    }

    /// The plot as an SVG element.
    pub fn svg(&self) -> String {
        let [width, height] = SIZE;
        let [left, top, right, bottom] = MARGIN;
        let points = || self.series.iter().flat_map(|series| &series.points);
        let x = Axis::new(points().map(|[x, ..]| *x), false, [left, width - right]);
        let heights = points().flat_map(|[_, y, sigma]| [y - sigma, y + sigma]).chain(self.band.into_iter().flatten());
        let y = Axis::new(heights, self.is_log, [height - bottom, top]);
        let mut svg = format!(
            "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\n\
             <text class=\"title\" x=\"{left}\" y=\"16\">{}</text>\n",
            escaped(&self.title)
        );
        self.ground(&mut svg, &x, &y);
        axes(&mut svg, &x, &y);
        let middle = [(left + width - right) / 2.0, (top + height - bottom) / 2.0];
        let (x_label, y_label) = (escaped(self.x_label), escaped(self.y_label));
        add(
            &mut svg,
            format!("<text text-anchor=\"middle\" x=\"{}\" y=\"{}\">{x_label}</text>", middle[0], height - 8.0),
        );
        add(
            &mut svg,
            format!(
                "<text text-anchor=\"middle\" transform=\"translate(14 {}) rotate(-90)\">{y_label}</text>",
                middle[1]
            ),
        );
        for (number, series) in self.series.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            draw(&mut svg, series, colour, &x, &y);
            let row = top + 12.0 + 14.0 * number as f64;
            let name = escaped(&series.name);
            add(
                &mut svg,
                format!(
                    "<text class=\"legend\" text-anchor=\"end\" fill=\"{colour}\" x=\"{}\" y=\"{row}\">{name}</text>",
                    width - right - 6.0
                ),
            );
        }
        svg + "</svg>"
    }

    /// What lies behind the series: tolerances and named stretches.
    fn ground(&self, svg: &mut String, x: &Axis, y: &Axis) {
        for (name, ends) in &self.shades {
            let [from, to] = ends.map(|end| x.place(end));
            let (top, height) = (y.ends[1], y.ends[0] - y.ends[1]);
            add(
                svg,
                format!(
                    "<rect class=\"shade\" x=\"{from:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{height}\"/>",
                    to - from
                ),
            );
            add(svg, format!("<text x=\"{:.1}\" y=\"{}\">{}</text>", from + 4.0, y.ends[0] - 6.0, escaped(name)));
        }
        if let Some(band) = self.band {
            let [low, high] = band.map(|end| y.place(end));
            let (left, width) = (x.ends[0], x.ends[1] - x.ends[0]);
            add(
                svg,
                format!(
                    "<rect class=\"band\" x=\"{left}\" y=\"{high:.1}\" width=\"{width}\" height=\"{:.1}\"/>",
                    low - high
                ),
            );
        }
    }
}

fn add(svg: &mut String, element: String) {
    svg.push_str(&element);
    svg.push('\n');
}

fn axes(svg: &mut String, x: &Axis, y: &Axis) {
    let ([left, right], [bottom, top]) = (x.ends, y.ends);
    for tick in x.ticks() {
        let at = x.place(tick);
        add(svg, format!("<path class=\"grid\" d=\"M{at:.1} {bottom}V{top}\"/>"));
        add(svg, format!("<text text-anchor=\"middle\" x=\"{at:.1}\" y=\"{}\">{}</text>", bottom + 14.0, label(tick)));
    }
    for tick in y.ticks() {
        let at = y.place(tick);
        add(svg, format!("<path class=\"grid\" d=\"M{left} {at:.1}H{right}\"/>"));
        add(
            svg,
            format!("<text text-anchor=\"end\" x=\"{}\" y=\"{:.1}\">{}</text>", left - 5.0, at + 4.0, label(tick)),
        );
    }
    add(svg, format!("<path class=\"frame\" d=\"M{left} {top}V{bottom}H{right}\"/>"));
}

fn draw(svg: &mut String, series: &Series, colour: &str, x: &Axis, y: &Axis) {
    let finite = series.points.iter().filter(|point| point.iter().all(|value| value.is_finite()));
    if series.is_line {
        let mut path = String::new();
        for (number, [px, py, _]) in finite.enumerate() {
            let command = if number == 0 { 'M' } else { 'L' };
            write!(path, "{command}{:.1} {:.1}", x.place(*px), y.place(*py)).expect("a string takes all text");
        }
        add(svg, format!("<path fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" d=\"{path}\"/>"));
        return;
    }
    for [px, py, sigma] in finite {
        let (at, low, high) = (x.place(*px), y.place(py - sigma), y.place(py + sigma));
        if low - high > 1.0 {
            add(svg, format!("<path stroke=\"{colour}\" d=\"M{at:.1} {low:.1}V{high:.1}\"/>"));
        }
        add(svg, format!("<circle fill=\"{colour}\" cx=\"{at:.1}\" cy=\"{:.1}\" r=\"2.4\"/>", y.place(*py)));
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

/// Text as it may stand in a page.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_holds_every_point_and_its_names() {
        let mut plot = Plot::new("A < B", "x", "y");
        plot.series = vec![
            Series::line("line", vec![[0.0, 1.0, 0.0], [1.0, 2.0, 0.0]]),
            Series::points("points", vec![[0.0, 1.0, 0.3], [1.0, f64::NAN, 0.1]]),
        ];
        plot.band = Some([0.5, 1.5]);
        plot.shades = vec![("lung".into(), [0.2, 0.4])];
        let svg = plot.svg();
        assert!(svg.contains("A &lt; B") && svg.contains("lung") && svg.contains(">line<") && svg.contains(">points<"));
        // What is not a number is not drawn.
        assert_eq!(svg.matches("<circle").count(), 1);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn axes_of_nothing_and_of_one_value_are_axes() {
        for values in [vec![], vec![3.0], vec![f64::NAN], vec![0.0, 0.0]] {
            for is_log in [false, true] {
                let axis = Axis::new(values.clone().into_iter(), is_log, [0.0, 100.0]);
                assert!((0.0..=100.0).contains(&axis.place(3.0)), "{values:?} {is_log}");
                assert!(axis.ticks().len() < 12);
            }
        }
        let axis = Axis::new([0.0, 10.0].into_iter(), false, [0.0, 100.0]);
        assert_eq!(axis.ticks(), [0.0, 5.0, 10.0]);
        assert!((axis.place(5.0) - 50.0).abs() < 1e-9);
    }

    #[test]
    fn labels_are_short() {
        assert_eq!([0.0, 0.25, -2.0, 1e-7, 150.0].map(label), ["0", "0.25", "-2", "1e-7", "150"]);
    }
}
