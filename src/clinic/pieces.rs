//! Integrals by pieces: from point to point, with a physical tail. Where no exponential fits, an upper bound.

use super::Series;
use super::window::phi_1;

/// What is taken for the time before the first point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BeforeFirst {
    /// The first value.
    #[default]
    Constant,
    /// A straight line from nothing at time 0.
    FromZero,
    /// Physical decay from time 0 on.
    Physical,
}

/// What is taken between two points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Between {
    /// An exponential where the activity falls and is above 0, else a straight line.
    #[default]
    LogDown,
    /// A straight line.
    Linear,
}

impl BeforeFirst {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Constant, Self::FromZero, Self::Physical];

    /// Name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::FromZero => "from_zero",
            Self::Physical => "physical",
        }
    }
}

impl Between {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::LogDown, Self::Linear];

    /// Name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::LogDown => "log_down",
            Self::Linear => "linear",
        }
    }
}

/// The rules of an integral by pieces. After the last point there is physical decay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PieceRules {
    /// Before the first point.
    pub before_first: BeforeFirst,
    /// Between points.
    pub between: Between,
}

/// An integral by pieces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pieces {
    /// The whole [MBq·h].
    pub(super) tia_mbq_h: f64,
    /// One standard deviation of it, from those of the points [MBq·h].
    pub(super) tia_sigma_mbq_h: Option<f64>,
    /// Whether that holds for changes of the size of σ.
    pub(super) is_linear: bool,
    /// The part before the first point [MBq·h].
    pub(super) before_mbq_h: f64,
    /// The part after the last point [MBq·h].
    pub(super) after_mbq_h: f64,
}

/// The activity at one time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Knot {
    /// [h]
    pub(super) time_h: f64,
    /// [MBq]
    pub(super) activity_mbq: f64,
    /// Variance of it [MBq²].
    pub(super) variance: Option<f64>,
}

/// First-order σ that is so many times what changes by one σ make, or so much less, does not hold.
const NOT_LINEAR: f64 = 1.5;

/// The integral of a series by pieces. A value stands at the middle of its scan.
pub(super) fn integrate(series: &Series, rules: PieceRules) -> Pieces {
    let knot = |point: &super::Point| Knot {
        time_h: point.time_h + 0.5 * point.duration_h,
        activity_mbq: point.activity_mbq,
        variance: point.sigma_mbq.map(|sigma| sigma * sigma),
    };
    let mut knots: Vec<Knot> = series.points().iter().map(knot).collect();
    knots.sort_by(|a, b| a.time_h.total_cmp(&b.time_h));
    of_knots(&merged(&knots), series.physical_rate_per_h(), rules)
}

/// Knots of equal times as one, weighted by 1/σ².
pub(super) fn merged(knots: &[Knot]) -> Vec<Knot> {
    let groups = knots.chunk_by(|a, b| a.time_h == b.time_h);
    groups
        .map(|group| {
            let weight = |knot: &Knot| knot.variance.map_or(1.0, f64::recip);
            let sum: f64 = group.iter().map(weight).sum();
            let activity_mbq = group.iter().map(|knot| weight(knot) * knot.activity_mbq).sum::<f64>() / sum;
            let variance = group.iter().all(|knot| knot.variance.is_some()).then(|| sum.recip());
            Knot { time_h: group[0].time_h, activity_mbq, variance }
        })
        .collect()
}

/// The integral over knots of different times, the first first. At least one.
pub(super) fn of_knots(knots: &[Knot], physical_rate_per_h: f64, rules: PieceRules) -> Pieces {
    let (first, last) = (knots[0], knots[knots.len() - 1]);
    let mut slopes = vec![0.0; knots.len()];
    slopes[0] = match rules.before_first {
        BeforeFirst::Constant => first.time_h,
        BeforeFirst::FromZero => 0.5 * first.time_h,
        BeforeFirst::Physical => (physical_rate_per_h * first.time_h).exp_m1() / physical_rate_per_h,
    };
    let before_mbq_h = slopes[0] * first.activity_mbq;
    let mut sum = before_mbq_h;
    for (number, pair) in knots.windows(2).enumerate() {
        let kind = is_exponential(pair[0], pair[1], rules.between);
        let [value, by_first, by_second] = piece(pair[0], pair[1], kind);
        sum += value;
        slopes[number] += by_first;
        slopes[number + 1] += by_second;
    }
    let after_mbq_h = last.activity_mbq.max(0.0) / physical_rate_per_h;
    slopes[knots.len() - 1] += 1.0 / physical_rate_per_h;
    let variances = knots.iter().zip(&slopes).map(|(knot, slope)| knot.variance.map(|v| v * slope * slope));
    let tia_sigma_mbq_h = variances.sum::<Option<f64>>().map(f64::sqrt);
    let is_linear = tia_sigma_mbq_h.is_none_or(|sigma| {
        let changed = by_changes(knots, &slopes, rules.between);
        (changed / NOT_LINEAR..=changed * NOT_LINEAR).contains(&sigma)
    });
    Pieces { tia_mbq_h: sum + after_mbq_h, tia_sigma_mbq_h, is_linear, before_mbq_h, after_mbq_h }
}

/// σ of the integral if each value is higher by its own σ, in place of first order.
///
/// * `slopes` – derivatives of the integral by the activities of the knots
fn by_changes(knots: &[Knot], slopes: &[f64], between: Between) -> f64 {
    let change = |(number, slope): (usize, &f64)| -> f64 {
        let here = knots[number];
        let sigma = here.variance.map_or(0.0, f64::sqrt);
        let moved = Knot { activity_mbq: here.activity_mbq + sigma, ..here };
        // What a piece has beyond first order, of the kind that it is.
        let beyond = |from: Knot, to: Knot, moved: [Knot; 2], by: usize| {
            let kind = is_exponential(from, to, between);
            let of = piece(from, to, kind);
            piece(moved[0], moved[1], kind)[0] - of[0] - sigma * of[by]
        };
        let before = number.checked_sub(1).map(|at| knots[at]);
        let before = before.map_or(0.0, |before| beyond(before, here, [before, moved], 2));
        let after = knots.get(number + 1).map_or(0.0, |after| beyond(here, *after, [moved, *after], 1));
        sigma * slope + before + after
    };
    slopes.iter().enumerate().map(change).map(|change| change * change).sum::<f64>().sqrt()
}

/// Whether the activity between two knots is taken as an exponential.
fn is_exponential(from: Knot, to: Knot, between: Between) -> bool {
    between == Between::LogDown && from.activity_mbq > to.activity_mbq && to.activity_mbq > 0.0
}

/// The integral between two knots, and its derivatives by both activities.
fn piece(from: Knot, to: Knot, is_exponential: bool) -> [f64; 3] {
    let [a, b] = [from.activity_mbq, to.activity_mbq];
    let parts = if is_exponential {
        // Δt (a−b)/ln(a/b) = Δt a φ(ln(a/b)).
        let [value, slope] = phi_1((a / b).ln());
        [a * value, value + slope, -a / b * slope]
    } else {
        [0.5 * (a + b), 0.5, 0.5]
    };
    parts.map(|part| (to.time_h - from.time_h) * part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = 0.0043;

    fn knots(values: &[[f64; 2]]) -> Vec<Knot> {
        let knot = |[time_h, activity_mbq]: &[f64; 2]| Knot {
            time_h: *time_h,
            activity_mbq: *activity_mbq,
            variance: Some(1.0),
        };
        values.iter().map(knot).collect()
    }

    fn all_rules() -> impl Iterator<Item = PieceRules> {
        BeforeFirst::ALL
            .into_iter()
            .flat_map(|before_first| Between::ALL.into_iter().map(move |between| PieceRules { before_first, between }))
    }

    #[test]
    fn physical_decay_is_integrated_exactly() {
        let decay = |t: f64| [t, 50.0 * (-RATE * t).exp()];
        let rules = PieceRules { before_first: BeforeFirst::Physical, between: Between::LogDown };
        let found = of_knots(&knots(&[decay(4.0), decay(30.0), decay(100.0)]), RATE, rules);
        assert!((found.tia_mbq_h * RATE / 50.0 - 1.0).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn sigma_is_that_of_the_slopes() {
        for rules in all_rules() {
            let values = [[4.0, 12.0], [24.0, 20.0], [72.0, 9.0], [100.0, 8.999], [168.0, 2.0]];
            let whole = |values: &[[f64; 2]]| of_knots(&knots(values), RATE, rules);
            let mut variance = 0.0;
            for place in 0..values.len() {
                let moved = |by: f64| {
                    let mut moved = values;
                    moved[place][1] += by;
                    whole(&moved).tia_mbq_h
                };
                variance += ((moved(1e-4) - moved(-1e-4)) / 2e-4_f64).powi(2);
            }
            let found = whole(&values).tia_sigma_mbq_h.expect("all have one");
            assert!((found / variance.sqrt() - 1.0).abs() < 1e-6, "{rules:?}: {found} {}", variance.sqrt());
        }
    }

    #[test]
    fn a_last_value_below_0_has_no_tail_and_keeps_its_sigma() {
        let found = of_knots(&knots(&[[4.0, 10.0], [24.0, -1.0]]), RATE, PieceRules::default());
        assert_eq!(found.after_mbq_h, 0.0);
        assert_eq!(found.tia_mbq_h, 4.0 * 10.0 + 20.0 * 4.5);
        assert!(found.tia_sigma_mbq_h.expect("one") > 1.0 / RATE);
    }

    #[test]
    fn a_value_as_small_as_its_sigma_has_none_of_first_order() {
        let with = |last_mbq: f64, between: Between| {
            let rules = PieceRules { between, ..PieceRules::default() };
            of_knots(&knots(&[[4.0, 40.0], [24.0, 20.0], [100.0, last_mbq], [168.0, -0.5]]), RATE, rules)
        };
        // The derivative by the third value grows beyond all bounds as that goes to 0; the integral does not.
        let [faint, fair] = [1e-9, 2.0].map(|last_mbq| with(last_mbq, Between::LogDown));
        assert!(!faint.is_linear && faint.tia_sigma_mbq_h.expect("one") > 1e6, "{faint:?}");
        assert!(fair.is_linear, "{fair:?}");
        assert!(with(1e-9, Between::Linear).is_linear);
    }

    #[test]
    fn equal_times_are_one_by_their_weights() {
        let two = [Knot { time_h: 5.0, activity_mbq: 10.0, variance: Some(1.0) }; 2];
        let heavy = Knot { activity_mbq: 13.0, variance: Some(0.5), ..two[0] };
        let one = merged(&[two[0], heavy]);
        assert_eq!((one.len(), one[0].activity_mbq), (1, 12.0));
        assert!((one[0].variance.expect("one") - 1.0 / 3.0).abs() < 1e-15);
        assert!(merged(&[Knot { variance: None, ..two[0] }, two[1]])[0].variance.is_none());
    }
}
